use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use record_callback_aliyun::AliyunCallbacks;
use record_callback_core::text::one_line;
use record_callback_core::{
    CallbackVerifier, Field, InvalidConfig, OnDemandDecision, Result, SignaturePolicy, SignedDuration,
    SigningKey, SigningScheme, Tolerance,
};
use record_callback_http::{Env, OsEnv, named_variable, warn_once};
use record_callback_huaweicloud::HuaweicloudCallbacks;
use record_callback_receiver::{NotUnderstood, Source};
use secrecy::ExposeSecret;
use serde::Deserialize;

use crate::key_file;

/// One source of callbacks, from TOML or JSON.
///
/// ```
/// # use record_callback::SourceConfig;
/// # use record_callback::http::FixedEnv;
/// let config: SourceConfig = toml::from_str(r#"
///     vendor = "aliyun"
///     path = "/callbacks/aliyun"
///     host = "cb.example.com"
///     key_env = ["CALLBACK_KEY", "CALLBACK_KEY_BEFORE"]
///     on_demand = { record = true }
/// "#)?;
/// let keys = [("CALLBACK_KEY", "Abcdefgh12345678"), ("CALLBACK_KEY_BEFORE", "ijklmnop12345678")];
/// let source = config.source_in("live", &FixedEnv::from_iter(keys))?;
/// assert_eq!(source.path(), "/callbacks/aliyun");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Keys are never in the config itself. Unknown fields are refused.
///
/// # Change of a key
///
/// While a key is changed, both are accepted: the new one is given first, then the cloud's config is changed, and the
/// old one goes once the cloud does not use it any more. Each step is a new list for the running receiver:
///
/// ```
/// # use std::sync::Arc;
/// # use record_callback::SourceConfig;
/// # use record_callback::http::FixedEnv;
/// # use record_callback::receiver::{MemorySink, Receiver};
/// let directory = tempfile::tempdir()?;
/// std::fs::write(directory.path().join("old.key"), "Abcdefgh12345678\n")?;
/// std::fs::write(directory.path().join("new.key"), "ijklmnop12345678\n")?;
/// let source = |key_files: &str| {
///     let config = format!("vendor = 'huaweicloud'\npath = '/live'\nkey_file = {key_files}");
///     let config: SourceConfig = toml::from_str(&config)?;
///     let source = config.source_from("live", &FixedEnv::default(), directory.path())?;
///     Ok::<_, Box<dyn std::error::Error>>(source)
/// };
/// let sink = Arc::new(MemorySink::new());
/// let receiver = Receiver::builder(sink).source(source("'old.key'")?).build()?;
/// receiver.replace_sources(vec![source("['new.key', 'old.key']")?])?;
/// // The cloud's config is changed here, with `set_callback` or `record-callback switch`.
/// receiver.replace_sources(vec![source("'new.key'")?])?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// `record-callback receive` does so by itself when its file or a key file changes, and on SIGHUP.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SourceConfig {
    /// Which cloud sends.
    pub vendor: SourceVendor,
    /// The path it sends to.
    pub path: String,
    /// The host of the callback URL, with its port when it is not the default one. Aliyun only, which signs it.
    pub host: Option<String>,
    /// The scheme of the signature. Huawei Cloud only; default: `hmac_sha256`.
    pub scheme: Option<SigningScheme>,
    /// The environment variable with the key, or a list of them while the key is changed.
    #[serde(default)]
    pub key_env: KeyNames,
    /// The file with the key, or a list of them, beside [`key_env`](Self::key_env). One line break at the end is no part
    /// of the key. Files that everybody on the machine can read are warned of.
    #[serde(default)]
    pub key_file: KeyNames,
    /// The sources that may accept the same deliveries, as with one key for both. One of the two names the other.
    #[serde(default)]
    pub shares_keys_with: Vec<String>,
    /// The longest time without an event that is expected, such as `6h` or `90m`. Longer silences are told of
    /// ([`Source::with_expected_interval`]).
    pub expect_within: Option<SignedDuration>,
    /// Declares that anybody may send. Needed when there is no key, refused when there is one.
    #[serde(default)]
    pub unsigned: bool,
    /// How far signed times may be off. Default: the vendor crate's.
    pub tolerance_seconds: Option<ToleranceSeconds>,
    /// How events are answered that nobody understands; they are kept in any case. Default: `accept`.
    #[serde(default)]
    pub not_understood: NotUnderstood,
    /// What to answer when the cloud asks whether to record. Aliyun only; without it, such questions get 405.
    pub on_demand: Option<OnDemandDecision>,
    /// Declares that anybody may ask. Aliyun only; needed with a key when the cloud does not sign its questions, which is
    /// UNVERIFIED.
    #[serde(default)]
    pub on_demand_unsigned: bool,
}

/// The clouds that send callbacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SourceVendor {
    /// `aliyun`
    Aliyun,
    /// `huaweicloud`
    Huaweicloud,
}

/// Names of environment variables or files: one, or a list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(from = "OneOrMore")]
pub struct KeyNames(pub Vec<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl From<OneOrMore> for KeyNames {
    fn from(names: OneOrMore) -> Self {
        match names {
            OneOrMore::One(name) => Self(vec![name]),
            OneOrMore::More(names) => Self(names),
        }
    }
}

/// How far signed times may be from the receiver's clock, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToleranceSeconds {
    /// How old they may be.
    pub past: u32,
    /// How far ahead they may be.
    pub future: u32,
}

impl SourceConfig {
    /// The source called `name`, with keys from this process's environment, and from files relative to its directory.
    pub fn source(&self, name: &str) -> Result<Source> {
        self.source_in(name, &OsEnv)
    }

    /// The source called `name`, with keys from `env`, and from files relative to this process's directory.
    ///
    /// # Errors
    /// Those of [`source_from`](Self::source_from).
    pub fn source_in(&self, name: &str, env: &impl Env) -> Result<Source> {
        self.source_from(name, env, Path::new(""))
    }

    /// The source called `name`, with keys from `env`, and from files relative to `directory`. Each key is named by its
    /// variable, or by its file as it is written here.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`](record_callback_core::ErrorKind::InvalidConfig) for fields of the other vendor, a missing variable or key, and for a source that is
    /// neither signed nor declared unsigned.
    pub fn source_from(&self, name: &str, env: &impl Env, directory: &Path) -> Result<Source> {
        let policy = self.policy(name, env, directory)?;
        let source = Source::new(name, self.path.as_str(), self.verifier(policy)?)?
            .with_not_understood(self.not_understood)
            .with_key_names(self.key_env.0.iter().chain(&self.key_file.0).map(String::as_str));
        let source = self.shares_keys_with.iter().fold(source, Source::shares_keys_with);
        let source = match self.expect_within {
            Some(interval) => source.with_expected_interval(positive(name, interval)?),
            None => source,
        };
        Ok(match &self.on_demand {
            Some(decision) => source.with_on_demand_decision(decision.clone())?,
            None => source,
        })
    }

    fn policy(&self, name: &str, env: &impl Env, directory: &Path) -> Result<SignaturePolicy> {
        let refusal = |field: &'static str, problem: &str| {
            let rule = "`key_env` or `key_file`, or `unsigned = true` for a source anybody may send to";
            InvalidConfig::new(field, format!("source {name} {problem}"), rule)
        };
        let (variables, files) = (&self.key_env.0, &self.key_file.0);
        if self.unsigned && self.tolerance_seconds.is_some() {
            let problem = format!("is given for source {name}, which is declared unsigned");
            return Err(InvalidConfig::new("tolerance_seconds", problem, "for signed sources only").into());
        }
        match (variables.is_empty() && files.is_empty(), self.unsigned) {
            (true, true) => return Ok(SignaturePolicy::unsigned()),
            (true, false) => return Err(refusal("key_env", "has no key and is not declared unsigned").into()),
            (false, true) => return Err(refusal("key_env", "has a key and is declared unsigned").into()),
            (false, false) => {}
        }
        let of_variables = variables.iter().map(|variable| {
            let key = named_variable(env, "key_env", variable);
            let key = key.map_err(|error| refusal("key_env", &format!("has no key: {}", error.problem())))?;
            SigningKey::new(key.expose_secret())
        });
        let of_files = files.iter().map(|file| {
            let key = key_file::read(&directory.join(file));
            let (key, is_open_to_all) = key.map_err(|error| {
                let file = one_line(file);
                refusal("key_file", &format!("has no key: file `{file}`: {}", error.problem()))
            })?;
            if is_open_to_all {
                let file = one_line(file);
                warn_once(&format!(
                    "{name}: everybody on this machine can read the key file {file}: chmod 600 it"
                ));
            }
            Ok(key)
        });
        let keys = of_variables.chain(of_files).collect::<Result<Vec<_>, InvalidConfig>>()?;
        let policy = SignaturePolicy::signed(keys)?;
        Ok(match self.tolerance_seconds {
            None => policy,
            Some(ToleranceSeconds { past, future }) => {
                policy.with_tolerance(Tolerance::seconds(past, future))
            }
        })
    }

    fn verifier(&self, policy: SignaturePolicy) -> Result<Arc<dyn CallbackVerifier>> {
        let foreign = |field: &'static str| {
            Err(InvalidConfig::new(field, "is given", "a field of the other vendor only").into())
        };
        match self.vendor {
            SourceVendor::Aliyun if self.scheme.is_some() => foreign(Field::Signing.as_str()),
            SourceVendor::Huaweicloud if self.host.is_some() => foreign("host"),
            SourceVendor::Huaweicloud if self.on_demand_unsigned => foreign("on_demand_unsigned"),
            SourceVendor::Aliyun => {
                let host = self.host.as_deref().unwrap_or_default();
                let callbacks = AliyunCallbacks::new(host, policy)?;
                Ok(Arc::new(if self.on_demand_unsigned {
                    callbacks.with_unsigned_questions()
                } else {
                    callbacks
                }))
            }
            SourceVendor::Huaweicloud => {
                let scheme = self.scheme.unwrap_or(SigningScheme::HmacSha256);
                Ok(Arc::new(HuaweicloudCallbacks::new(scheme, policy)))
            }
        }
    }
}

fn positive(source: &str, interval: SignedDuration) -> Result<Duration, InvalidConfig> {
    Duration::try_from(interval).ok().filter(|interval| !interval.is_zero()).ok_or_else(|| {
        let problem = format!("of source {source} is `{interval:#}`");
        InvalidConfig::new("expect_within", problem, "a positive duration, such as `6h` or `90m`")
    })
}
