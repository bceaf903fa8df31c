//! What is in a `receiver.toml`.

mod limits;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use record_callback::fleet::ManifestFormat;
use record_callback::http::{OsEnv, is_open_to_all, named_variable, warn_once};
use record_callback::receiver::{
    DeliveryLog, EventSink, ForwardSink, ForwardSinkBuilder, InboxOptions, JsonlSink, MemorySink, Receiver,
    ReceiverBuilder, RedisOptions, RedisSink, RefusedLog, Source, SqliteInbox, Tls,
};
use record_callback::{Error, InvalidConfig, KeyNames, SourceConfig};
use serde::Deserialize;
use tracing::warn;

use crate::failure::Failure;
use crate::shape::{Kind, Shape};
use limits::{AdminConfig, LimitsConfig, ProxiesConfig};

/// Nobody has that many sources: 16 MiB.
const LONGEST: u64 = 16 * 1024 * 1024;
/// A chain has a few certificates of some KiB each.
const LONGEST_PEM: u64 = 1024 * 1024;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReceiverFile {
    /// Where to listen.
    #[serde(default = "default_addr")]
    pub(crate) addr: SocketAddr,
    /// Where events are kept.
    sink: SinkConfig,
    #[serde(default)]
    limits: LimitsConfig,
    #[serde(default)]
    proxies: ProxiesConfig,
    #[serde(default)]
    pub(crate) admin: AdminConfig,
    #[serde(default)]
    refused: RefusedConfig,
    /// TLS, without a proxy in front.
    pub(crate) tls: Option<TlsConfig>,
    /// Who sends, by name.
    sources: BTreeMap<String, SourceConfig>,
    /// The directory that its paths are relative to.
    #[serde(skip)]
    directory: PathBuf,
}

/// The log of refused deliveries.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct RefusedConfig {
    /// Default: beside the sink's file, if it has one.
    path: Option<PathBuf>,
    max_count: Option<usize>,
    max_bytes: Option<u64>,
}

/// Files in PEM.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsConfig {
    /// The server's certificate and those that issued it.
    cert: PathBuf,
    key: PathBuf,
}

fn default_addr() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 8080).into()
}

/// The kinds of sink. Paths are relative to the file they are in.
#[derive(Debug, Clone, PartialEq, Deserialize)]
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
        /// The number of replicas that must have an event before it is answered.
        replicas: Option<u32>,
        /// The certificates that may have signed the servers', in PEM.
        ca_file: Option<PathBuf>,
        /// The user and the variable with the password of the Sentinels, which have their own.
        sentinel_user: Option<String>,
        sentinel_password_env: Option<String>,
    },
}

impl ReceiverFile {
    pub(crate) fn read(path: &Path) -> Result<Self, InvalidConfig> {
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
        path.parent().unwrap_or(Path::new("")).clone_into(&mut file.directory);
        if let SinkConfig::Sqlite { path, .. }
        | SinkConfig::Jsonl { path }
        | SinkConfig::Redis { ca_file: Some(path), .. } = &mut file.sink
        {
            *path = file.directory.join(&*path);
        }
        if let Some(path) = &mut file.refused.path {
            *path = file.directory.join(&*path);
        }
        if let Some(TlsConfig { cert, key }) = &mut file.tls {
            *cert = file.directory.join(&*cert);
            *key = file.directory.join(&*key);
        }
        Ok(file)
    }

    /// The sources, with keys from the environment and from files.
    pub(crate) fn sources(&self) -> Result<Vec<Source>, Error> {
        let sources = self.sources.iter();
        sources.map(|(name, source)| source.source_from(name, &OsEnv, &self.directory)).collect()
    }

    /// Every file that changes what the receiver does while it runs, besides this one.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let keys = self.sources.values().flat_map(|source| &source.key_file.0);
        let keys = keys.map(|path| self.directory.join(path));
        let tls = self.tls.iter().flat_map(|tls| [tls.cert.clone(), tls.key.clone()]);
        keys.chain(tls).collect()
    }

    /// The tables and values that `new` has others of, and that cannot change while the receiver runs.
    pub(crate) fn fixed_changes(&self, new: &Self) -> Vec<&'static str> {
        let changes = [
            ("addr", self.addr != new.addr),
            ("sink", self.sink != new.sink),
            ("limits", self.limits != new.limits),
            ("proxies", self.proxies != new.proxies),
            ("admin", self.admin != new.admin),
            ("refused", self.refused != new.refused),
            ("tls (with or without)", self.tls.is_some() != new.tls.is_some()),
        ];
        changes.into_iter().filter_map(|(name, is_changed)| is_changed.then_some(name)).collect()
    }

    /// The SQLite inbox, if events are kept in one.
    pub(crate) fn inbox(&self) -> Option<&Path> {
        match &self.sink {
            SinkConfig::Sqlite { path, .. } => Some(path),
            _ => None,
        }
    }

    /// The file with refused deliveries, if there is one.
    pub(crate) fn refused_path(&self) -> Option<PathBuf> {
        match (&self.refused.path, &self.sink) {
            (Some(path), _) => Some(path.clone()),
            (None, SinkConfig::Sqlite { path, .. } | SinkConfig::Jsonl { path }) => Some(beside(path)),
            (None, _) => None,
        }
    }

    fn refused_log(&self) -> Result<Option<RefusedLog>, InvalidConfig> {
        let Some(path) = self.refused_path() else { return Ok(None) };
        if self.sink.writes(&path) {
            let problem = format!("{} is the sink's", path.display());
            return Err(InvalidConfig::new("refused.path", problem, "a file of its own"));
        }
        let max_count = self.refused.max_count.unwrap_or(RefusedLog::MAX_COUNT);
        let max_bytes = self.refused.max_bytes.unwrap_or(RefusedLog::MAX_BYTES);
        RefusedLog::open(&path, max_count, max_bytes).map(Some).or_else(|error| {
            let problem = format!("{}: {error}", path.display());
            if self.refused.path.is_none() {
                // Nobody asked for it.
                warn!("refused deliveries are not kept: {problem}");
                return Ok(None);
            }
            Err(InvalidConfig::new("refused.path", problem, "a file that only its owner may write"))
        })
    }

    /// The receiver this file describes, with keys from the environment and from files. It tells `logs` of each answer.
    pub(crate) async fn receiver(&self, logs: &[Arc<dyn DeliveryLog>]) -> Result<Receiver, Failure> {
        let sources = self.sources()?;
        let (limits, proxies) = (self.limits.limits_here(), self.proxies.proxies()?);
        let builder = |sink: Arc<dyn EventSink>| {
            let builder = Receiver::builder(sink).limits(limits).proxies(proxies.clone());
            let builder = if self.admin.on_public_port { builder.with_admin_paths() } else { builder };
            sources.iter().cloned().fold(builder, ReceiverBuilder::source)
        };
        // What is wrong with the sources is said before a sink creates files.
        builder(Arc::new(MemorySink::new())).build()?;
        let builder = builder(self.sink.open().await?);
        let builder = logs.iter().cloned().fold(builder, ReceiverBuilder::delivery_log);
        Ok(self.refused_log()?.into_iter().fold(builder, ReceiverBuilder::refused_log).build()?)
    }

    /// Source names and their paths.
    pub(crate) fn paths(&self) -> impl Iterator<Item = (&str, &str)> {
        self.sources.iter().map(|(name, source)| (name.as_str(), source.path.as_str()))
    }
}

/// The log of refused deliveries beside what a sink keeps at `path`.
pub(crate) fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".refused.jsonl");
    name.into()
}

impl TlsConfig {
    pub(crate) fn tls(&self) -> Result<Tls, InvalidConfig> {
        let (cert, key) = self.read()?;
        Tls::from_pem(cert.as_bytes(), key.as_bytes()).map_err(|error| self.located(&error))
    }

    /// Reads the files again, and has `tls` go on with them.
    pub(crate) fn replace(&self, tls: &Tls) -> Result<(), InvalidConfig> {
        let (cert, key) = self.read()?;
        tls.replace(cert.as_bytes(), key.as_bytes()).map_err(|error| self.located(&error))
    }

    fn read(&self) -> Result<(String, String), InvalidConfig> {
        let read = |field: &'static str, path: &Path| {
            record_callback_durable::read_text_and_metadata(path, LONGEST_PEM).map_err(|error| {
                let problem = format!("{}: {error}", path.display());
                InvalidConfig::new(field, problem, "a readable PEM file")
            })
        };
        let (cert, _) = read("tls.cert", &self.cert)?;
        let (key, metadata) = read("tls.key", &self.key)?;
        if is_open_to_all(&metadata) {
            let path = self.key.display();
            warn_once(&format!("everybody on this machine can read the key file {path}: chmod 600 it"));
        }
        Ok((cert, key))
    }

    /// The same error, with the file it is about.
    fn located(&self, error: &InvalidConfig) -> InvalidConfig {
        let path = if error.field() == "tls.key" { &self.key } else { &self.cert };
        let problem = format!("{}: {}", path.display(), error.problem());
        InvalidConfig::new(error.field(), problem, error.rule().to_owned())
    }
}

impl SinkConfig {
    /// Tells whether the sink writes to the file at `path`, or to one beside its own.
    fn writes(&self, path: &Path) -> bool {
        let (Self::Sqlite { path: own, .. } | Self::Jsonl { path: own }) = self else { return false };
        ["", "-wal", "-shm", "-journal", ".lock"].iter().any(|end| {
            let mut name = own.as_os_str().to_owned();
            name.push(end);
            name == path.as_os_str()
        })
    }

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
