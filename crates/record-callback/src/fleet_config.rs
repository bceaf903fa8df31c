use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use record_callback_core::{Error, Field, InvalidConfig, RecordCallbackProvider, Result, SigningKey};
use record_callback_fleet::{KeyReference, KeySource, Name};
use record_callback_http::{Env, Quotas, RetryPolicy, named_variable};
use secrecy::ExposeSecret;

use crate::credentials_config::CredentialsConfig;
use crate::key_file;
use crate::provider_config::{AliyunConfig, HuaweicloudConfig, ProviderConfig};

/// Connects the providers of a manifest, with defaults from `env`. Makes no call.
///
/// Providers that look for keys in the same place share what they are given: nobody is asked twice.
///
/// Clouds count calls by account: providers of one vendor with the same access key, token or user share one quota, and
/// so do all that take their credentials from the environment, by the vendor's chain or without it. A named profile counts
/// as an account of its own, even if another has the same key. Where they say different quotas, the first by name is taken.
///
/// # Errors
/// About the first provider that cannot be connected; names it, and has its error as the source.
#[expect(clippy::needless_pass_by_value, reason = "as `ProviderConfig::connect_in` takes it")]
pub fn connect_all(
    configs: &BTreeMap<Name, ProviderConfig>,
    env: impl Env + Clone,
) -> Result<BTreeMap<Name, Arc<dyn RecordCallbackProvider>>> {
    connect_each(configs, &env, ProviderConfig::quotas)
}

/// `quotas` gives those of an account, by one of its providers.
fn connect_each(
    configs: &BTreeMap<Name, ProviderConfig>,
    env: &(impl Env + Clone),
    mut quotas: impl FnMut(&ProviderConfig) -> Quotas,
) -> Result<BTreeMap<Name, Arc<dyn RecordCallbackProvider>>> {
    let (mut accounts, mut looked_for, mut providers) = (HashMap::new(), HashMap::new(), BTreeMap::new());
    for (name, config) in configs {
        let quotas = accounts.entry(Account::of(config)).or_insert_with(|| quotas(config));
        let keys = Keys::of(config);
        let same_keys = keys.as_ref().and_then(|keys| looked_for.get(keys));
        let connected = config.client(env.clone(), quotas.clone(), RetryPolicy::default(), same_keys);
        let client = connected.map_err(|error| {
            Error::new(error.kind(), format!("provider `{name}` cannot be connected")).with_source(error)
        })?;
        if let Some(keys) = keys {
            looked_for.entry(keys).or_insert_with(|| client.clone());
        }
        providers.insert(name.clone(), client.provider());
    }
    Ok(providers)
}

/// What a cloud counts calls by. No `Debug`: tokens are secrets.
#[derive(PartialEq, Eq, Hash)]
struct Account<'a> {
    vendor: &'static str,
    holder: Holder<'a>,
}

#[derive(PartialEq, Eq, Hash)]
enum Holder<'a> {
    Environment,
    Profile(&'a str),
    /// The id is enough: no two keys have the same.
    AccessKey(&'a str),
    Token(&'a str),
    User {
        account: &'a str,
        user: &'a str,
    },
}

impl<'a> Account<'a> {
    fn of(config: &'a ProviderConfig) -> Self {
        let (vendor, credentials) = match config {
            ProviderConfig::Aliyun(AliyunConfig { credentials, .. }) => ("aliyun", credentials),
            ProviderConfig::Huaweicloud(HuaweicloudConfig { credentials, .. }) => {
                ("huaweicloud", credentials)
            }
        };
        let holder = match credentials {
            CredentialsConfig::Default {} | CredentialsConfig::Environment {} => Holder::Environment,
            CredentialsConfig::Profile { name } => Holder::Profile(name),
            // As it is when it signs.
            CredentialsConfig::AccessKey { id, .. } => Holder::AccessKey(id.trim()),
            CredentialsConfig::Token { token } => Holder::Token(token.expose_secret()),
            CredentialsConfig::Password { account, user, .. } => Holder::User { account, user },
        };
        Self { vendor, holder }
    }
}

/// Where a provider's keys are looked for, and by which way they are asked for.
#[derive(PartialEq, Eq, Hash)]
struct Keys<'a> {
    vendor: &'static str,
    /// `None`: by the vendor's chain.
    profile: Option<&'a str>,
    ca_bundle: Option<&'a Path>,
    iam_endpoint: Option<&'a str>,
    allow_http: bool,
}

impl<'a> Keys<'a> {
    /// `None` if keys are not looked for.
    fn of(config: &'a ProviderConfig) -> Option<Self> {
        let (vendor, credentials, ca_bundle, iam_endpoint, allow_http) = match config {
            ProviderConfig::Aliyun(config) => {
                ("aliyun", &config.credentials, &config.ca_bundle, None, config.allow_http)
            }
            ProviderConfig::Huaweicloud(config) => {
                let iam_endpoint = config.iam_endpoint.as_deref();
                ("huaweicloud", &config.credentials, &config.ca_bundle, iam_endpoint, config.allow_http)
            }
        };
        let profile = match credentials {
            CredentialsConfig::Default {} => None,
            CredentialsConfig::Profile { name } => Some(name.as_str()),
            _ => return None,
        };
        Some(Self { vendor, profile, ca_bundle: ca_bundle.as_deref(), iam_endpoint, allow_http })
    }
}

/// The signing keys that a manifest refers to, from the environment and from files.
#[derive(Debug, Clone)]
pub struct ManifestKeys {
    env: Arc<dyn Env>,
    directory: PathBuf,
}

impl ManifestKeys {
    /// The keys for a manifest in `directory`, which the paths of key files are relative to.
    pub fn new(env: impl Env, directory: impl Into<PathBuf>) -> Self {
        Self { env: Arc::new(env), directory: directory.into() }
    }
}

impl KeySource for ManifestKeys {
    fn key(&self, reference: &KeyReference) -> Result<SigningKey, InvalidConfig> {
        match reference {
            KeyReference::Env(name) => {
                let key = named_variable(&self.env, Field::SigningKey.as_str(), name)?;
                SigningKey::new(key.expose_secret())
                    .map_err(|error| of(reference, error.problem(), error.rule()))
            }
            KeyReference::File(path) => {
                let key = key_file::read(&self.directory.join(path));
                key.map(|(key, _)| key).map_err(|error| of(reference, error.problem(), error.rule()))
            }
        }
    }
}

fn of(reference: &KeyReference, problem: &str, rule: &str) -> InvalidConfig {
    InvalidConfig::new(Field::SigningKey, format!("{reference}: {problem}"), rule)
}

/// The schema of `Signature`, whose crate knows nothing of schemas.
pub(crate) fn signature_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "string", "enum": ["rpc", "acs3"] })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::num::NonZeroU32;

    use record_callback_aliyun::Signature;
    use record_callback_core::{CallbackKey, DomainName, ErrorKind};
    use record_callback_http::{FixedEnv, Quota};
    use record_callback_mock::{MockHuaweicloud, ReceivedRequest};
    use serde_json::Value;

    use super::*;

    const KEY: &str = "Abcdefgh12345678";

    fn configs(providers: &[(&str, &str)]) -> BTreeMap<Name, ProviderConfig> {
        let config = |toml| toml::from_str(toml).unwrap();
        providers.iter().map(|(name, toml)| (Name::new(name).unwrap(), config(toml))).collect()
    }

    /// How many accounts these are for the quotas.
    fn accounts(providers: &[&str]) -> usize {
        let names = ["a", "b", "c", "d"];
        let providers: Vec<_> = names.into_iter().zip(providers.iter().copied()).collect();
        let mut accounts = 0;
        let quotas = |_: &ProviderConfig| {
            accounts += 1;
            Quotas::unlimited()
        };
        let connected = connect_each(&configs(&providers), &FixedEnv::default(), quotas).unwrap();
        assert_eq!(connected.len(), providers.len());
        accounts
    }

    #[test]
    fn an_account_is_known_by_its_credentials() {
        let ali = "vendor = 'aliyun'\n";
        let hw = "vendor = 'huaweicloud'\nregion = 'cn-north-4'\n";
        let elsewhere = "vendor = 'huaweicloud'\nregion = 'cn-east-3'\n";
        let with = |provider: &str, credentials: &str| format!("{provider}credentials = {{ {credentials} }}");
        let key = |id: &str| format!("source = 'access_key', id = '{id}', secret = 's'");
        let user =
            |user: &str| format!("source = 'password', account = 'a', user = '{user}', password = 'p'");
        let token = |token: &str| format!("source = 'token', token = '{token}'");
        let (one, other) = (key("one"), key("other"));
        assert_eq!(accounts(&[ali, ali, &with(ali, "source = 'environment'")]), 1);
        assert_eq!(accounts(&[ali, hw, elsewhere]), 2);
        assert_eq!(accounts(&[ali, &with(ali, &one), &with(ali, &other), &with(ali, &key(" one "))]), 3);
        assert_eq!(accounts(&[&with(ali, &one), &with(hw, &one), &with(elsewhere, &one)]), 2);
        assert_eq!(
            accounts(&[&with(hw, &user("u")), &with(elsewhere, &user("u")), &with(hw, &user("v"))]),
            2
        );
        assert_eq!(
            accounts(&[&with(hw, &token("t")), &with(elsewhere, &token("t")), &with(hw, &token("u"))]),
            2
        );
    }

    #[tokio::test]
    async fn who_issues_keys_is_asked_once_for_all_providers_that_look_there() {
        let cloud = MockHuaweicloud::builder().access_key("ownkey", "s3cr3t").start().await.unwrap();
        let env: FixedEnv = [
            ("HUAWEICLOUD_OIDC_PROVIDER_URN", cloud.oidc_provider_urn()),
            ("HUAWEICLOUD_OIDC_AGENCY_URN", cloud.agency_urn()),
            ("HUAWEICLOUD_OIDC_ID_TOKEN", &cloud.issue_id_token()),
            ("HUAWEICLOUD_SDK_STS_ENDPOINT", cloud.sts_endpoint()),
        ]
        .into_iter()
        .collect();
        let (endpoint, project) = (cloud.endpoint(), cloud.project_id());
        let provider = |more: &str| {
            format!("vendor = 'huaweicloud'\nendpoint = '{endpoint}'\nproject_id = '{project}'\n{more}")
        };
        let own = provider("credentials = { source = 'access_key', id = 'ownkey', secret = 's3cr3t' }");
        let looks = provider("");
        let configs = configs(&[("a", &own), ("b", &looks), ("c", &looks), ("d", &own)]);
        let providers = connect_all(&configs, env).unwrap();
        let key = CallbackKey::any_app(DomainName::new("live.example.com").unwrap());
        for provider in providers.values() {
            assert!(provider.get(&key).await.unwrap().is_none());
        }
        assert_eq!(cloud.iam_requests().len(), 1);
        let signed_with =
            |request: &ReceivedRequest| request.header("authorization").unwrap().contains("=ownkey,");
        let mut own: Vec<_> = cloud.requests().iter().map(signed_with).collect();
        own.dedup();
        assert_eq!(own, [true, false, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn providers_of_one_account_wait_for_each_other() {
        const LIMITER: &str = "record/callbacks";
        let provider = |credentials: &str| {
            format!(
                "vendor = 'huaweicloud'\nendpoint = 'http://127.0.0.1:1'\nproject_id = 'p'\n\
                 credentials = {{ {credentials} }}"
            )
        };
        let shared = provider("source = 'token', token = 't'");
        // Of an empty environment: its calls fail as soon as it is their turn.
        let alone = provider("source = 'environment'");
        let configs = configs(&[("a", &shared), ("b", &shared), ("c", &alone)]);
        let mut accounts = Vec::new();
        let quotas = |_: &ProviderConfig| {
            accounts.push(Quotas::new([(LIMITER, Quota::per_minute(NonZeroU32::MIN))]));
            accounts.last().unwrap().clone()
        };
        let providers = connect_each(&configs, &FixedEnv::default(), quotas).unwrap();
        let key = CallbackKey::any_app(DomainName::new("live.example.com").unwrap());
        let get = |name| providers[&Name::new(name).unwrap()].get(&key);
        // Who is first in line after that waits for a minute, which is all the time a call has.
        accounts[0].turn(LIMITER).await;
        let ((), a, b, c) = tokio::join!(accounts[0].turn(LIMITER), get("a"), get("b"), get("c"));
        for shared in [a, b] {
            let error = shared.unwrap_err().to_string();
            assert!(error.contains("before the call's turn in the quota"), "{error}");
        }
        assert_eq!(c.unwrap_err().kind(), ErrorKind::Unauthenticated);
    }

    #[test]
    fn who_cannot_be_connected_is_named() {
        let configs = configs(&[("good", "vendor = 'aliyun'"), ("bad", "vendor = 'huaweicloud'")]);
        let error = connect_all(&configs, FixedEnv::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().contains("provider `bad`"), "{error}");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("endpoint: is not given"), "{source}");
    }

    #[test]
    fn keys_come_from_variables_and_files() {
        let directory = tempfile::tempdir().unwrap();
        let keys = ManifestKeys::new(FixedEnv::from_iter([("CALLBACK_KEY", KEY)]), directory.path());
        let key = keys.key(&KeyReference::Env("CALLBACK_KEY".to_owned())).unwrap();
        assert_eq!(key.expose(), KEY);
        assert!(!format!("{keys:?}").contains(KEY));
        for end in ["", "\n", "\r\n"] {
            fs::write(directory.path().join("key"), format!("{KEY}{end}")).unwrap();
            let absolute = directory.path().join("key");
            for path in [PathBuf::from("key"), absolute] {
                assert_eq!(keys.key(&KeyReference::File(path)).unwrap().expose(), KEY, "{end:?}");
            }
        }
    }

    #[test]
    fn what_is_wrong_with_a_key_is_told_without_it() {
        let directory = tempfile::tempdir().unwrap();
        let env = FixedEnv::from_iter([("SHORT_KEY", "sh0rt")]);
        let keys = ManifestKeys::new(env, directory.path());
        let path = directory.path().join("key");
        let long = "x".repeat(4 * 1024 + 1);
        for (content, problem) in [
            (format!("{KEY}\n\n").as_bytes(), "file `key`: character 17 is not a letter or digit"),
            (format!(" {KEY}").as_bytes(), "file `key`: character 1 is not a letter or digit"),
            (b"sh0rt", "file `key`: has 5 characters"),
            (b"", "file `key`: has 0 characters"),
            (b"\xff\xfe", "file `key`: is UTF-16, not UTF-8"),
            (long.as_bytes(), "file `key`: is larger than 4096 bytes"),
        ] {
            fs::write(&path, content).unwrap();
            let error = keys.key(&KeyReference::File("key".into())).unwrap_err();
            assert_eq!((error.field(), error.problem()), ("signing.key", problem));
            assert!(!error.to_string().contains(KEY) && !error.to_string().contains("sh0rt"));
        }
        for (reference, problem) in [
            (KeyReference::File("none".into()), "file `none`: cannot be read at "),
            (KeyReference::File(".".into()), "file `.`: cannot be read at "),
            (KeyReference::Env("NO_KEY".to_owned()), "NO_KEY is not set"),
            (KeyReference::Env("SHORT_KEY".to_owned()), "environment variable `SHORT_KEY`: has 5 characters"),
        ] {
            let error = keys.key(&reference).unwrap_err();
            assert_eq!(error.field(), "signing.key");
            assert!(error.problem().starts_with(problem), "{error}");
            assert!(!error.to_string().contains("sh0rt"), "{error}");
        }
    }

    #[test]
    fn the_schema_refuses_what_reading_refuses() {
        let schema = schemars::schema_for!(ProviderConfig).to_value();
        let providers = schema["oneOf"].as_array().unwrap();
        let vendors: Vec<_> = providers.iter().map(|one| &one["properties"]["vendor"]["const"]).collect();
        assert_eq!(vendors, ["aliyun", "huaweicloud"]);
        assert!(providers.iter().all(|one| one["additionalProperties"] == false), "{schema:#}");
        assert!(providers.iter().all(|one| one["required"] == serde_json::json!(["vendor"])), "{schema:#}");

        let credentials = schema["$defs"]["CredentialsConfig"]["oneOf"].as_array().unwrap();
        let required: Vec<_> = credentials.iter().map(|one| one["required"].to_string()).collect();
        assert_eq!(
            required,
            [
                r#"["source"]"#,
                r#"["source"]"#,
                r#"["source","name"]"#,
                r#"["source","id","secret"]"#,
                r#"["source","token"]"#,
                r#"["source","account","user","password"]"#,
            ]
        );
        assert!(credentials.iter().all(|one| one["additionalProperties"] == false), "{schema:#}");
        assert_eq!(credentials[3]["properties"]["secret"]["type"], "string");

        let signatures = &providers[0]["properties"]["signature"]["enum"];
        let signatures: Vec<Signature> = serde_json::from_value(Value::clone(signatures)).unwrap();
        assert_eq!(signatures, [Signature::Rpc, Signature::Acs3]);
    }
}
