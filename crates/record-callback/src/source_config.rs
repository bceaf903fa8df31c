use std::sync::Arc;

use record_callback_aliyun::AliyunCallbacks;
use record_callback_core::{
    CallbackVerifier, Field, InvalidConfig, OnDemandDecision, Result, SignaturePolicy, SigningKey,
    SigningScheme, Tolerance,
};
use record_callback_http::{Env, OsEnv, named_variable};
use record_callback_huaweicloud::HuaweicloudCallbacks;
use record_callback_receiver::{NotUnderstood, Source};
use secrecy::ExposeSecret;
use serde::Deserialize;

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

/// Names of environment variables: one, or a list.
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
    /// The source called `name`, with keys from this process's environment.
    pub fn source(&self, name: &str) -> Result<Source> {
        self.source_in(name, &OsEnv)
    }

    /// The source called `name`, with keys from `env`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`](record_callback_core::ErrorKind::InvalidConfig) for fields of the other vendor, a missing variable or key, and for a source that is
    /// neither signed nor declared unsigned.
    pub fn source_in(&self, name: &str, env: &impl Env) -> Result<Source> {
        let policy = self.policy(name, env)?;
        let source = Source::new(name, self.path.as_str(), self.verifier(policy)?)?
            .with_not_understood(self.not_understood);
        Ok(match &self.on_demand {
            Some(decision) => source.with_on_demand_decision(decision.clone())?,
            None => source,
        })
    }

    fn policy(&self, name: &str, env: &impl Env) -> Result<SignaturePolicy> {
        let refusal = |problem: &str| {
            let rule = "`key_env`, or `unsigned = true` for a source anybody may send to";
            InvalidConfig::new("key_env", format!("source {name} {problem}"), rule)
        };
        let variables = &self.key_env.0;
        if self.unsigned && self.tolerance_seconds.is_some() {
            let problem = format!("is given for source {name}, which is declared unsigned");
            return Err(InvalidConfig::new("tolerance_seconds", problem, "for signed sources only").into());
        }
        match (variables.is_empty(), self.unsigned) {
            (true, true) => return Ok(SignaturePolicy::unsigned()),
            (true, false) => return Err(refusal("has no key and is not declared unsigned").into()),
            (false, true) => return Err(refusal("has a key and is declared unsigned").into()),
            (false, false) => {}
        }
        let keys = variables.iter().map(|variable| {
            let key = named_variable(env, "key_env", variable);
            let key = key.map_err(|error| refusal(&format!("has no key: {}", error.problem())))?;
            SigningKey::new(key.expose_secret())
        });
        let policy = SignaturePolicy::signed(keys.collect::<Result<Vec<_>, _>>()?)?;
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
