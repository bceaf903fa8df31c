//! What is in a `receiver.toml`.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use record_callback::fleet::ManifestFormat;
use record_callback::http::{OsEnv, named_variable};
use record_callback::receiver::{
    EventSink, ForwardSink, ForwardSinkBuilder, InboxOptions, JsonlSink, Limits, MemorySink, Receiver,
    ReceiverBuilder, RedisOptions, RedisSink, SqliteInbox,
};
use record_callback::{InvalidConfig, KeyNames, SourceConfig};
use serde::Deserialize;

use crate::failure::Failure;
use crate::shape::{Kind, Shape};

/// Nobody has that many sources: 16 MiB.
const LONGEST: u64 = 16 * 1024 * 1024;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReceiverFile {
    /// Where to listen.
    #[serde(default = "default_addr")]
    pub(crate) addr: SocketAddr,
    /// Where events are kept.
    sink: SinkConfig,
    #[serde(default)]
    limits: LimitsConfig,
    /// Who sends, by name.
    sources: BTreeMap<String, SourceConfig>,
}

fn default_addr() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 8080).into()
}

/// The kinds of sink. Paths are relative to the file they are in.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
enum SinkConfig {
    Sqlite {
        path: PathBuf,
        max_age_days: Option<u32>,
        max_bytes: Option<u64>,
    },
    Jsonl {
        path: PathBuf,
    },
    // With braces: of a variant without them, unknown fields are not refused.
    Stdout {},
    Forward {
        url: String,
        /// The variables with the secrets; several while the secret is changed.
        secret_env: KeyNames,
        #[serde(default)]
        allow_http: bool,
    },
    Redis {
        /// The variable with the URL, which may hold a password.
        url_env: String,
        stream: Option<String>,
        dedupe_days: Option<u32>,
        max_length: Option<u64>,
        require_persistence: Option<bool>,
        /// How many replicas must have an event before it is answered.
        replicas: Option<u32>,
        /// The certificates that may have signed the servers', in PEM.
        ca_file: Option<PathBuf>,
        /// The user and the variable with the password of the Sentinels, which have their own.
        sentinel_user: Option<String>,
        sentinel_password_env: Option<String>,
    },
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsConfig {
    body_bytes: Option<usize>,
    requests: Option<usize>,
    connections: Option<usize>,
    header_timeout_seconds: Option<u32>,
    body_timeout_seconds: Option<u32>,
    keep_timeout_seconds: Option<u32>,
    drain_seconds: Option<u32>,
}

impl ReceiverFile {
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let refuse = |problem: String| {
            InvalidConfig::new("--config", format!("{}: {problem}", path.display()), "a receiver's TOML file")
        };
        let text =
            record_callback_durable::read_text(path, LONGEST).map_err(|error| refuse(error.to_string()))?;
        let mut file: Self = toml::from_str(&text).map_err(|error| {
            let expected = Shape { kind: Kind::Receiver, format: ManifestFormat::Toml };
            match Shape::of(&text).filter(|shape| *shape != expected) {
                Some(shape) => refuse(format!("is {shape}, not {expected}")),
                None => refuse(problem(&text, &error)),
            }
        })?;
        let directory = path.parent().unwrap_or(Path::new(""));
        if let SinkConfig::Sqlite { path, .. }
        | SinkConfig::Jsonl { path }
        | SinkConfig::Redis { ca_file: Some(path), .. } = &mut file.sink
        {
            *path = directory.join(&*path);
        }
        Ok(file)
    }

    /// The receiver this file describes, with keys from the environment.
    pub(crate) async fn receiver(&self) -> Result<Receiver, Failure> {
        let sources = self.sources.iter().map(|(name, source)| source.source(name));
        let sources = sources.collect::<Result<Vec<_>, _>>()?;
        let receiver = |sink: Arc<dyn EventSink>| {
            let builder = Receiver::builder(sink).limits(self.limits.limits());
            sources.iter().cloned().fold(builder, ReceiverBuilder::source).build()
        };
        // What is wrong with the sources is said before a sink creates files.
        receiver(Arc::new(MemorySink::new()))?;
        Ok(receiver(self.sink.open().await?)?)
    }

    /// Source names and their paths.
    pub(crate) fn paths(&self) -> impl Iterator<Item = (&str, &str)> {
        self.sources.iter().map(|(name, source)| (name.as_str(), source.path.as_str()))
    }
}

impl SinkConfig {
    async fn open(&self) -> Result<Arc<dyn EventSink>, Failure> {
        Ok(match self {
            Self::Sqlite { path, max_age_days, max_bytes } => {
                let options = InboxOptions::default();
                let options = set(options, max_age_days.map(|days| DAY * days), InboxOptions::max_age);
                let options = set(options, *max_bytes, InboxOptions::max_bytes);
                Arc::new(SqliteInbox::open(path, options)?)
            }
            Self::Jsonl { path } => Arc::new(JsonlSink::file(path)?),
            Self::Stdout {} => Arc::new(JsonlSink::stdout()?),
            Self::Forward { url, secret_env, allow_http } => {
                let secrets = secret_env.0.iter().map(|name| named_variable(&OsEnv, "secret_env", name));
                let mut secrets = secrets.collect::<Result<Vec<_>, _>>()?.into_iter();
                let first = secrets.next().ok_or_else(|| {
                    InvalidConfig::new("secret_env", "names no variable", "one variable, or a list of them")
                })?;
                let builder = ForwardSink::builder(url.as_str(), first).allow_http(*allow_http);
                Arc::new(secrets.fold(builder, ForwardSinkBuilder::and_secret).build()?)
            }
            Self::Redis {
                url_env,
                stream,
                dedupe_days,
                max_length,
                require_persistence,
                replicas,
                ca_file,
                sentinel_user,
                sentinel_password_env,
            } => {
                let options = RedisOptions::default();
                let options = set(options, stream.clone(), RedisOptions::stream);
                let options = set(options, dedupe_days.map(|days| DAY * days), RedisOptions::dedupe_ttl);
                let options = set(options, *max_length, RedisOptions::max_length);
                let options = set(options, *require_persistence, RedisOptions::require_persistence);
                let options = set(options, *replicas, RedisOptions::replicas);
                let ca = ca_file.as_deref().map(certificates).transpose()?;
                let mut options = set(options, ca, RedisOptions::ca);
                if let Some(name) = sentinel_password_env {
                    let password = named_variable(&OsEnv, "sentinel_password_env", name)?;
                    options = options.sentinel_login(sentinel_user.as_deref(), password);
                } else if sentinel_user.is_some() {
                    return Err(InvalidConfig::new(
                        "sentinel_user",
                        "has no password",
                        "sentinel_password_env, the variable with the password",
                    )
                    .into());
                }
                Arc::new(RedisSink::connect(&named_variable(&OsEnv, "url_env", url_env)?, options).await?)
            }
        })
    }
}

fn certificates(path: &Path) -> Result<String, InvalidConfig> {
    record_callback_durable::read_text(path, LONGEST).map_err(|error| {
        InvalidConfig::new("ca_file", format!("{}: {error}", path.display()), "certificates in PEM")
    })
}

/// What is wrong, and where. Not the line itself, which `Display` shows: a key may have been put there.
fn problem(text: &str, error: &toml::de::Error) -> String {
    let line = |start| text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
    let place = error.span().map(|span| format!("line {}: ", line(span.start)));
    format!("{}{}", place.unwrap_or_default(), error.message())
}

/// What is left out keeps its default.
fn set<O, V>(options: O, value: Option<V>, setter: impl FnOnce(O, V) -> O) -> O {
    match value {
        Some(value) => setter(options, value),
        None => options,
    }
}

impl LimitsConfig {
    fn limits(&self) -> Limits {
        let seconds = |seconds: Option<u32>, default| {
            seconds.map_or(default, |seconds| Duration::from_secs(seconds.into()))
        };
        let mut limits = Limits::default();
        limits.body = self.body_bytes.unwrap_or(limits.body);
        limits.requests = self.requests.unwrap_or(limits.requests);
        limits.connections = self.connections.unwrap_or(limits.connections);
        limits.header_timeout = seconds(self.header_timeout_seconds, limits.header_timeout);
        limits.body_timeout = seconds(self.body_timeout_seconds, limits.body_timeout);
        limits.keep_timeout = seconds(self.keep_timeout_seconds, limits.keep_timeout);
        limits.drain = seconds(self.drain_seconds, limits.drain);
        limits
    }
}
