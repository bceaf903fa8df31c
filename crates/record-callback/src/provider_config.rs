use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use record_callback_aliyun::{AliyunClient, AliyunProvider, Signature};
use record_callback_core::{InvalidConfig, RecordCallbackProvider, Result};
use record_callback_http::{AccessKey, Env, OsEnv, Quotas, StaticCredentials};
use record_callback_huaweicloud::{HuaweicloudClient, HuaweicloudProvider, Login};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// Which vendor to use and how to reach it, from TOML or JSON.
///
/// ```
/// # use record_callback::ProviderConfig;
/// let config: ProviderConfig = toml::from_str(r#"
///     vendor = "huaweicloud"
///     region = "cn-north-4"
///     credentials = { source = "environment" }
/// "#)?;
/// # Ok::<(), toml::de::Error>(())
/// ```
///
/// Unknown fields are refused. Secrets do not appear in `Debug`; but the TOML parser's own errors quote the line
/// they are about, so keep those of a config with secrets in it out of logs.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "fleet", derive(schemars::JsonSchema))]
#[serde(tag = "vendor", rename_all = "lowercase")]
#[non_exhaustive]
pub enum ProviderConfig {
    /// `vendor = "aliyun"`
    Aliyun(AliyunConfig),
    /// `vendor = "huaweicloud"`
    Huaweicloud(HuaweicloudConfig),
}

/// How to reach Aliyun Live; every field may be left out.
#[derive(Clone, Default, Deserialize)]
#[cfg_attr(feature = "fleet", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct AliyunConfig {
    /// The API's address; wins over the region. Default: the mainland one.
    pub endpoint: Option<String>,
    /// The region, which chooses the endpoint.
    pub region: Option<String>,
    /// Allows plain HTTP to hosts that are not loopback.
    pub allow_http: bool,
    /// How often each operation may be called in a second, where the account has another quota than the documented.
    pub calls_per_second: Option<NonZeroU32>,
    /// The signature. Default: `rpc`.
    #[cfg_attr(feature = "fleet", schemars(schema_with = "crate::fleet_config::signature_schema"))]
    pub signature: Signature,
    /// Default: the environment.
    pub credentials: CredentialsConfig,
}

/// How to reach Huawei Cloud Live. Give a region, or an endpoint and a project.
#[derive(Clone, Default, Deserialize)]
#[cfg_attr(feature = "fleet", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct HuaweicloudConfig {
    /// The API's address; wins over the region's.
    pub endpoint: Option<String>,
    /// The address of IAM. Default: `HUAWEICLOUD_SDK_IAM_ENDPOINT`, else the region's.
    pub iam_endpoint: Option<String>,
    /// The region, which chooses the endpoints and the project.
    pub region: Option<String>,
    /// The project's id. Default: with credentials from the environment `HUAWEICLOUD_SDK_PROJECT_ID`,
    /// else the region's, asked from IAM.
    pub project_id: Option<String>,
    /// Allows plain HTTP to hosts that are not loopback.
    pub allow_http: bool,
    /// How often all operations together may be called in a minute, where the user has another quota than the documented.
    pub calls_per_minute: Option<NonZeroU32>,
    /// Default: the environment.
    pub credentials: CredentialsConfig,
}

impl fmt::Debug for AliyunConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, region, allow_http, calls_per_second, signature, credentials } = self;
        f.debug_struct("AliyunConfig")
            .field("endpoint", &shown(endpoint.as_deref()))
            .field("region", region)
            .field("allow_http", allow_http)
            .field("calls_per_second", calls_per_second)
            .field("signature", signature)
            .field("credentials", credentials)
            .finish()
    }
}

impl fmt::Debug for HuaweicloudConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, iam_endpoint, region, project_id, allow_http, calls_per_minute, credentials } =
            self;
        f.debug_struct("HuaweicloudConfig")
            .field("endpoint", &shown(endpoint.as_deref()))
            .field("iam_endpoint", &shown(iam_endpoint.as_deref()))
            .field("region", region)
            .field("project_id", project_id)
            .field("allow_http", allow_http)
            .field("calls_per_minute", calls_per_minute)
            .field("credentials", credentials)
            .finish()
    }
}

/// An address as `Debug` and places show it: user info or a query, with which it will be refused, may be secret.
fn shown(endpoint: Option<&str>) -> Option<&str> {
    endpoint.map(|text| if text.contains(['@', '?', '#']) { "[redacted]" } else { text })
}

/// Where credentials come from.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "fleet", derive(schemars::JsonSchema))]
#[serde(tag = "source", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum CredentialsConfig {
    /// The vendor's environment variables.
    #[default]
    Environment,
    /// An access key in the config itself.
    AccessKey {
        /// The public id.
        id: String,
        /// The secret.
        #[cfg_attr(feature = "fleet", schemars(with = "String"))]
        secret: SecretString,
        /// For temporary keys.
        #[serde(default)]
        #[cfg_attr(feature = "fleet", schemars(with = "Option<String>"))]
        security_token: Option<SecretString>,
    },
    /// A token for the project; Huawei Cloud only.
    Token {
        /// The value of `X-Auth-Token`.
        #[cfg_attr(feature = "fleet", schemars(with = "String"))]
        token: SecretString,
    },
    /// Tokens from IAM by password; Huawei Cloud only.
    Password {
        /// Account (domain) name.
        account: String,
        /// IAM user name.
        user: String,
        /// Its password.
        #[cfg_attr(feature = "fleet", schemars(with = "String"))]
        password: SecretString,
    },
}

impl ProviderConfig {
    /// The provider, with defaults from this process's environment. Makes no call.
    pub fn connect(&self) -> Result<Arc<dyn RecordCallbackProvider>> {
        self.connect_in(OsEnv)
    }

    /// The provider, with defaults from `env`. Makes no call.
    pub fn connect_in(&self, env: impl Env) -> Result<Arc<dyn RecordCallbackProvider>> {
        self.connect_with(env, self.quotas())
    }

    /// The provider, in an account with `quotas`.
    pub(crate) fn connect_with(
        &self,
        env: impl Env,
        quotas: Quotas,
    ) -> Result<Arc<dyn RecordCallbackProvider>> {
        match self {
            Self::Aliyun(config) => config.connect(env, quotas),
            Self::Huaweicloud(config) => config.connect(env, quotas),
        }
    }

    /// Which cloud it is, to tell one from another: vendor, address or region, and project. No secret.
    pub fn place(&self) -> String {
        let (vendor, endpoint, region, project_id) = match self {
            Self::Aliyun(config) => ("aliyun", &config.endpoint, &config.region, None),
            Self::Huaweicloud(config) => {
                ("huaweicloud", &config.endpoint, &config.region, config.project_id.as_deref())
            }
        };
        let address = shown(endpoint.as_deref()).or(region.as_deref()).unwrap_or("by default");
        let project = project_id.map(|id| format!(", project {id}")).unwrap_or_default();
        format!("{vendor} {address}{project}")
    }

    /// The quotas of the account.
    pub(crate) fn quotas(&self) -> Quotas {
        match self {
            Self::Aliyun(AliyunConfig { calls_per_second, .. }) => calls_per_second
                .map_or_else(record_callback_aliyun::default_quotas, record_callback_aliyun::quotas),
            Self::Huaweicloud(HuaweicloudConfig { calls_per_minute, .. }) => calls_per_minute.map_or_else(
                record_callback_huaweicloud::default_quotas,
                record_callback_huaweicloud::quotas,
            ),
        }
    }
}

impl AliyunConfig {
    fn connect(&self, env: impl Env, quotas: Quotas) -> Result<Arc<dyn RecordCallbackProvider>> {
        let mut builder =
            AliyunClient::builder().quotas(quotas).allow_http(self.allow_http).signature(self.signature);
        if let Some(endpoint) = &self.endpoint {
            builder = builder.endpoint(endpoint);
        }
        if let Some(region) = &self.region {
            builder = builder.region(region);
        }
        let builder = match &self.credentials {
            CredentialsConfig::Environment => builder.credentials(record_callback_aliyun::from_env(env)),
            CredentialsConfig::AccessKey { id, secret, security_token } => {
                builder.credentials(static_key(id, secret, security_token.as_ref()))
            }
            CredentialsConfig::Token { .. } | CredentialsConfig::Password { .. } => {
                let rule = "environment or access_key for aliyun";
                let problem = "tokens and passwords are huaweicloud's";
                return Err(InvalidConfig::new("credentials", problem, rule).into());
            }
        };
        Ok(Arc::new(AliyunProvider::new(builder.build()?)))
    }
}

impl HuaweicloudConfig {
    fn connect(&self, env: impl Env, quotas: Quotas) -> Result<Arc<dyn RecordCallbackProvider>> {
        let mut builder = HuaweicloudClient::builder().env(env).quotas(quotas).allow_http(self.allow_http);
        if let Some(endpoint) = &self.endpoint {
            builder = builder.endpoint(endpoint);
        }
        if let Some(endpoint) = &self.iam_endpoint {
            builder = builder.iam_endpoint(endpoint);
        }
        if let Some(region) = &self.region {
            builder = builder.region(region);
        }
        if let Some(project_id) = &self.project_id {
            builder = builder.project_id(project_id);
        }
        let builder = match &self.credentials {
            CredentialsConfig::Environment => builder,
            CredentialsConfig::AccessKey { id, secret, security_token } => {
                builder.credentials(static_key(id, secret, security_token.as_ref()))
            }
            CredentialsConfig::Token { token } => builder.token(token.clone()),
            CredentialsConfig::Password { account, user, password } => {
                builder.login(Login::new(account, user, password.clone()))
            }
        };
        Ok(Arc::new(HuaweicloudProvider::new(builder.build()?)))
    }
}

fn static_key(id: &str, secret: &SecretString, security_token: Option<&SecretString>) -> StaticCredentials {
    let key = AccessKey::new(id, secret.expose_secret());
    StaticCredentials::new(match security_token {
        Some(token) => key.with_security_token(token.expose_secret()),
        None => key,
    })
}

#[cfg(test)]
mod tests {
    use record_callback_http::FixedEnv;

    use super::*;

    fn connect(toml: &str) -> Result<Arc<dyn RecordCallbackProvider>, String> {
        let config: ProviderConfig = toml::from_str(toml).map_err(|error| error.to_string())?;
        config.connect_in(FixedEnv::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_vendor_is_chosen_by_configuration() {
        let provider = connect("vendor = 'aliyun'").unwrap();
        assert_eq!(provider.vendor().as_str(), "aliyun");
        let provider = connect("vendor = 'huaweicloud'\nregion = 'cn-north-4'").unwrap();
        assert_eq!(provider.vendor().as_str(), "huaweicloud");
        let json = r#"{"vendor":"huaweicloud","region":"cn-north-4",
            "credentials":{"source":"password","account":"a","user":"u","password":"p"}}"#;
        let config: ProviderConfig = serde_json::from_str(json).unwrap();
        assert!(config.connect_in(FixedEnv::default()).is_ok());
    }

    #[test]
    fn mistakes_are_named() {
        for (toml, problem) in [
            ("vendor = 'tencent'", "unknown variant `tencent`, expected `aliyun` or `huaweicloud`"),
            ("vendor = 'aliyun'\nproject_id = 'x'", "unknown field `project_id`"),
            ("vendor = 'huaweicloud'\nregion = 'cn-north-4'\nregoin = 'x'", "unknown field `regoin`"),
            ("vendor = 'huaweicloud'", "endpoint: is not given"),
            ("vendor = 'aliyun'\nendpoint = 'http://live.example.com'", "endpoint: is plain http"),
            ("vendor = 'aliyun'\ncredentials = { source = 'file' }", "unknown variant `file`"),
            (
                "vendor = 'aliyun'\ncredentials = { source = 'access_key', id = 'x' }",
                "missing field `secret`",
            ),
            (
                "vendor = 'aliyun'\ncredentials = { source = 'token', token = 't0ken' }",
                "credentials: tokens and passwords are huaweicloud's",
            ),
        ] {
            let error = connect(toml).unwrap_err();
            assert!(error.contains(problem), "{toml}\n{error}");
        }
    }

    #[test]
    fn the_place_tells_clouds_apart_and_shows_no_secret() {
        for (toml, place) in [
            ("vendor = 'aliyun'", "aliyun by default"),
            ("vendor = 'aliyun'\nregion = 'cn-shanghai'", "aliyun cn-shanghai"),
            (
                "vendor = 'aliyun'\nregion = 'cn-shanghai'\nendpoint = 'https://live.example.com'",
                "aliyun https://live.example.com",
            ),
            (
                "vendor = 'huaweicloud'\nregion = 'cn-north-4'\nproject_id = 'p1'",
                "huaweicloud cn-north-4, project p1",
            ),
            ("vendor = 'aliyun'\nendpoint = 'https://user:s3cr3t@live.example.com'", "aliyun [redacted]"),
            ("vendor = 'aliyun'\nendpoint = 'live.example.com#s3cr3t'", "aliyun [redacted]"),
            (
                "vendor = 'huaweicloud'\nendpoint = 'https://live.example.com?s3cr3t'\nproject_id = 'p1'",
                "huaweicloud [redacted], project p1",
            ),
        ] {
            let config: ProviderConfig = toml::from_str(toml).unwrap();
            assert_eq!(config.place(), place);
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        for credentials in [
            "{ source = 'access_key', id = 'ak', secret = 's3cr3t', security_token = 's3cr3t' }",
            "{ source = 'token', token = 's3cr3t' }",
            "{ source = 'password', account = 'a', user = 'u', password = 's3cr3t' }",
        ] {
            let toml = format!("vendor = 'huaweicloud'\nregion = 'cn-north-4'\ncredentials = {credentials}");
            let config: ProviderConfig = toml::from_str(&toml).unwrap();
            let provider = config.connect_in(FixedEnv::default()).unwrap();
            let shown = format!("{config:?} {config:#?} {provider:?}");
            assert!(!shown.contains("s3cr3t"), "{shown}");
        }
    }
}
