use record_callback_http::{AccessKey, StaticCredentials};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// Where credentials come from.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "fleet", derive(schemars::JsonSchema))]
#[serde(tag = "source", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum CredentialsConfig {
    /// Where the vendor's own tools look, in their order: environment, files, roles of this machine.
    Default {},
    /// The vendor's environment variables, and nothing else.
    Environment {},
    /// One profile of the vendor's command line, `~/.aliyun/config.json`; Aliyun only.
    Profile {
        /// Its name.
        name: String,
    },
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

impl Default for CredentialsConfig {
    fn default() -> Self {
        Self::Default {}
    }
}

pub(crate) fn static_key(
    id: &str,
    secret: &SecretString,
    security_token: Option<&SecretString>,
) -> StaticCredentials {
    let key = AccessKey::new(id, secret.expose_secret()).from_origin("the config");
    StaticCredentials::new(match security_token {
        Some(token) => key.with_security_token(token.expose_secret()),
        None => key,
    })
}
