use std::fmt;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use record_callback_aliyun::{AliyunClient, AliyunClientBuilder, Signature};
use record_callback_core::{InvalidConfig, RecordCallbackProvider, Result, Vendor};
use record_callback_http::{Env, OsEnv, Quotas, RetryPolicy};
use record_callback_huaweicloud::{HuaweicloudClient, HuaweicloudClientBuilder, Login};
use serde::Deserialize;

use crate::client::Client;
use crate::credentials_config::{CredentialsConfig, static_key};

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
    /// The region, which chooses the endpoint. Default, unless there is an endpoint: the environment's
    /// (`ALIBABA_CLOUD_REGION_ID` and so on).
    pub region: Option<String>,
    /// Takes the endpoint inside a VPC of the region.
    pub vpc: bool,
    /// Allows plain HTTP to hosts that are not loopback.
    pub allow_http: bool,
    /// A PEM file of certificates to trust besides the system's; in a manifest, relative to its directory. Default: the
    /// one `ALIBABA_CLOUD_CA_BUNDLE` names.
    pub ca_bundle: Option<PathBuf>,
    /// How often each operation may be called in a second, where the account has another quota than the documented.
    pub calls_per_second: Option<NonZeroU32>,
    /// The signature. Default: `rpc`.
    #[cfg_attr(feature = "fleet", schemars(schema_with = "crate::fleet_config::signature_schema"))]
    pub signature: Signature,
    /// Default: the vendor's chain.
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
    /// The region, which chooses the endpoints and the project. Default, unless there is an endpoint: `HW_REGION_NAME`.
    pub region: Option<String>,
    /// The project's id. Default: with credentials from the environment `HUAWEICLOUD_SDK_PROJECT_ID`,
    /// else the region's, asked from IAM.
    pub project_id: Option<String>,
    /// Allows plain HTTP to hosts that are not loopback.
    pub allow_http: bool,
    /// A PEM file of certificates to trust besides the system's; in a manifest, relative to its directory.
    pub ca_bundle: Option<PathBuf>,
    /// How often all operations together may be called in a minute, where the user has another quota than the documented.
    pub calls_per_minute: Option<NonZeroU32>,
    /// Default: the vendor's chain.
    pub credentials: CredentialsConfig,
}

impl fmt::Debug for AliyunConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, region, vpc, allow_http, ca_bundle, calls_per_second, signature, credentials } =
            self;
        f.debug_struct("AliyunConfig")
            .field("endpoint", &shown(endpoint.as_deref()))
            .field("region", region)
            .field("vpc", vpc)
            .field("allow_http", allow_http)
            .field("ca_bundle", ca_bundle)
            .field("calls_per_second", calls_per_second)
            .field("signature", signature)
            .field("credentials", credentials)
            .finish()
    }
}

impl fmt::Debug for HuaweicloudConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            endpoint,
            iam_endpoint,
            region,
            project_id,
            allow_http,
            ca_bundle,
            calls_per_minute,
            credentials,
        } = self;
        f.debug_struct("HuaweicloudConfig")
            .field("endpoint", &shown(endpoint.as_deref()))
            .field("iam_endpoint", &shown(iam_endpoint.as_deref()))
            .field("region", region)
            .field("project_id", project_id)
            .field("allow_http", allow_http)
            .field("ca_bundle", ca_bundle)
            .field("calls_per_minute", calls_per_minute)
            .field("credentials", credentials)
            .finish()
    }
}

/// An address as `Debug` and places show it: user info or a query, with which it will be refused, may be secret.
pub(crate) fn shown(endpoint: Option<&str>) -> Option<&str> {
    endpoint.map(|text| if text.contains(['@', '?', '#']) { "[redacted]" } else { text })
}

impl ProviderConfig {
    /// The provider, with defaults from this process's environment. Makes no call.
    pub fn connect(&self) -> Result<Arc<dyn RecordCallbackProvider>> {
        self.connect_in(OsEnv)
    }

    /// The provider, with defaults from `env`. Makes no call.
    pub fn connect_in(&self, env: impl Env) -> Result<Arc<dyn RecordCallbackProvider>> {
        Ok(self.client(env, self.quotas(), RetryPolicy::default(), None)?.provider())
    }

    /// The client; with the keys of `same_keys` if there is one.
    pub(crate) fn client(
        &self,
        env: impl Env,
        quotas: Quotas,
        retry: RetryPolicy,
        same_keys: Option<&Client>,
    ) -> Result<Client> {
        Ok(match self {
            Self::Aliyun(config) => {
                let builder = config.builder(env)?.quotas(quotas).retry(retry);
                let builder = match same_keys {
                    Some(Client::Aliyun(other)) => builder.credentials_of(other),
                    _ => builder,
                };
                Client::Aliyun(Box::new(builder.build()?))
            }
            Self::Huaweicloud(config) => {
                let builder = config.builder(env)?.quotas(quotas).retry(retry);
                let builder = match same_keys {
                    Some(Client::Huaweicloud(other)) => builder.credentials_of(other),
                    _ => builder,
                };
                Client::Huaweicloud(builder.build()?)
            }
        })
    }

    /// The vendor.
    pub fn vendor(&self) -> Vendor {
        match self {
            Self::Aliyun(_) => record_callback_aliyun::VENDOR,
            Self::Huaweicloud(_) => record_callback_huaweicloud::VENDOR,
        }
    }

    /// Takes the paths in it as relative to `directory`, that of the file it is from. Else they are relative to the working
    /// directory.
    pub fn resolve_paths(&mut self, directory: &Path) {
        let (Self::Aliyun(AliyunConfig { ca_bundle, .. })
        | Self::Huaweicloud(HuaweicloudConfig { ca_bundle, .. })) = self;
        if let Some(path) = ca_bundle {
            *path = directory.join(&*path);
        }
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
    pub(crate) fn builder(&self, env: impl Env) -> Result<AliyunClientBuilder> {
        let mut builder = AliyunClient::builder()
            .env(env)
            .vpc(self.vpc)
            .allow_http(self.allow_http)
            .signature(self.signature);
        if let Some(endpoint) = &self.endpoint {
            builder = builder.endpoint(endpoint);
        }
        if let Some(region) = &self.region {
            builder = builder.region(region);
        }
        if let Some(path) = &self.ca_bundle {
            builder = builder.ca_bundle(path);
        }
        Ok(match &self.credentials {
            CredentialsConfig::Default {} => builder,
            CredentialsConfig::Environment {} => builder.environment(),
            CredentialsConfig::AccessKey { id, secret, security_token } => {
                builder.credentials(static_key(id, secret, security_token.as_ref()))
            }
            CredentialsConfig::Profile { name } => builder.profile(name),
            CredentialsConfig::Token { .. } | CredentialsConfig::Password { .. } => {
                let rule = "default, environment, profile or access_key for aliyun";
                let problem = "tokens and passwords are huaweicloud's";
                return Err(InvalidConfig::new("credentials", problem, rule).into());
            }
        })
    }
}

impl HuaweicloudConfig {
    pub(crate) fn builder(&self, env: impl Env) -> Result<HuaweicloudClientBuilder> {
        let mut builder = HuaweicloudClient::builder().env(env).allow_http(self.allow_http);
        if let Some(endpoint) = &self.endpoint {
            builder = builder.endpoint(endpoint);
        }
        if let Some(endpoint) = &self.iam_endpoint {
            builder = builder.iam_endpoint(endpoint);
        }
        if let Some(region) = &self.region {
            builder = builder.region(region);
        }
        if let Some(path) = &self.ca_bundle {
            builder = builder.ca_bundle(path);
        }
        if let Some(project_id) = &self.project_id {
            builder = builder.project_id(project_id);
        }
        Ok(match &self.credentials {
            CredentialsConfig::Default {} => builder,
            CredentialsConfig::Environment {} => builder.environment(),
            CredentialsConfig::AccessKey { id, secret, security_token } => {
                builder.credentials(static_key(id, secret, security_token.as_ref()))
            }
            CredentialsConfig::Profile { .. } => {
                let rule = "default, environment, access_key, token or password for huaweicloud";
                return Err(InvalidConfig::new("credentials", "profiles are aliyun's", rule).into());
            }
            CredentialsConfig::Token { token } => builder.token(token.clone()),
            CredentialsConfig::Password { account, user, password } => {
                builder.login(Login::new(account, user, password.clone()))
            }
        })
    }
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
    fn regions_and_certificates_reach_the_client() {
        for (toml, problem) in [
            (
                "vendor = 'aliyun'\nregion = 'us-east-1'",
                "region: `us-east-1` is known to be served inside a VPC only",
            ),
            ("vendor = 'aliyun'\nvpc = true", "vpc: is set, and neither a region"),
            ("vendor = 'aliyun'\nca_bundle = '/nowhere/ca.pem'", "ca_bundle: /nowhere/ca.pem cannot be read"),
            (
                "vendor = 'huaweicloud'\nregion = 'cn-north-4'\nca_bundle = '/nowhere/ca.pem'",
                "ca_bundle: /nowhere/ca.pem cannot be read",
            ),
        ] {
            let error = connect(toml).unwrap_err();
            assert!(error.contains(problem), "{toml}\n{error}");
        }
        assert!(connect("vendor = 'aliyun'\nregion = 'us-east-1'\nvpc = true").is_ok());
        let config: ProviderConfig = toml::from_str("vendor = 'huaweicloud'").unwrap();
        let env = FixedEnv::from_iter([("HW_REGION_NAME", "mars-1")]);
        let error = config.connect_in(env).unwrap_err().to_string();
        assert!(error.contains("HW_REGION_NAME: `mars-1` is not a known region"), "{error}");
        let config: ProviderConfig = toml::from_str("vendor = 'aliyun'\nvpc = true").unwrap();
        let env = FixedEnv::from_iter([("ALICLOUD_REGION", "mars-1")]);
        let error = config.connect_in(env).unwrap_err().to_string();
        assert!(error.contains("ALICLOUD_REGION: `mars-1` is not a known region"), "{error}");
    }

    #[test]
    fn paths_are_relative_to_the_file_they_are_in() {
        for (vendor, region) in [("aliyun", "cn-shanghai"), ("huaweicloud", "cn-north-4")] {
            for (path, expected) in [("ca.pem", "/etc/fleet/ca.pem"), ("/ca.pem", "/ca.pem")] {
                let toml = format!("vendor = '{vendor}'\nregion = '{region}'\nca_bundle = '{path}'");
                let mut config: ProviderConfig = toml::from_str(&toml).unwrap();
                config.resolve_paths(Path::new("/etc/fleet"));
                let error = config.connect_in(FixedEnv::default()).unwrap_err().to_string();
                assert!(error.contains(&format!("ca_bundle: {expected} cannot be read")), "{error}");
            }
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
