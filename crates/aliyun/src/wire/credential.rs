//! What the vendor's token service, metadata service and credential files say, exactly as they say it.
//!
//! STS: <https://help.aliyun.com/document_detail/28763.html> (`AssumeRole`) and its neighbour `AssumeRoleWithOIDC`;
//! metadata: <https://help.aliyun.com/document_detail/54579.html>. The files have no page that lists every field: they
//! are as the vendor's Python SDK and command line read them.

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

use super::Params;
use record_callback_http::AccessKey;

/// API version of the token service.
pub(crate) const STS_VERSION: &str = "2015-04-01";
pub(crate) const ASSUME_ROLE: &str = "AssumeRole";
pub(crate) const ASSUME_ROLE_WITH_OIDC: &str = "AssumeRoleWithOIDC";

/// The metadata service's paths and headers.
pub(crate) mod metadata {
    pub(crate) const TOKEN: &str = "/latest/api/token";
    /// Lists the role; with the role's name behind it, gives its key.
    pub(crate) const ROLES: &str = "/latest/meta-data/ram/security-credentials/";
    pub(crate) const TOKEN_LIFETIME: &str = "x-aliyun-ecs-metadata-token-ttl-seconds";
    pub(crate) const TOKEN_HEADER: &str = "x-aliyun-ecs-metadata-token";
}

/// The session to be issued: what both operations take.
pub(crate) struct Session<'a> {
    pub(crate) role_arn: &'a str,
    pub(crate) name: &'a str,
    pub(crate) seconds: u32,
    pub(crate) policy: Option<&'a str>,
}

impl<'a> Session<'a> {
    fn params(&self) -> Params<'a> {
        let mut params = Params::default();
        params.text("RoleArn", self.role_arn);
        params.text("RoleSessionName", self.name);
        params.number("DurationSeconds", Some(self.seconds));
        params.optional("Policy", self.policy);
        params
    }

    /// The parameters of `AssumeRole`.
    pub(crate) fn assume_role(&self, external_id: Option<&'a str>) -> Params<'a> {
        let mut params = self.params();
        params.optional("ExternalId", external_id);
        params
    }

    /// The parameters of `AssumeRoleWithOIDC`.
    pub(crate) fn assume_role_with_oidc(&self, provider_arn: &'a str, token: &'a str) -> Params<'a> {
        let mut params = self.params();
        params.text("OIDCProviderArn", provider_arn);
        params.text("OIDCToken", token);
        params
    }
}

/// The parameters of every call that is not signed, besides its own.
pub(crate) fn unsigned_params<'a>(
    action: &'a str,
    timestamp: &'a str,
    nonce: &'a str,
) -> [(&'a str, &'a str); 5] {
    [
        ("Action", action),
        ("Version", STS_VERSION),
        ("Format", "JSON"),
        ("SignatureNonce", nonce),
        ("Timestamp", timestamp),
    ]
}

/// Answer of both operations.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AssumedRole {
    pub(crate) credentials: IssuedKey,
}

/// A temporary key, as the token service, the metadata service and credential URIs give it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct IssuedKey {
    #[serde(deserialize_with = "not_empty")]
    access_key_id: String,
    #[serde(deserialize_with = "secret")]
    access_key_secret: SecretString,
    #[serde(deserialize_with = "secret")]
    security_token: SecretString,
    expiration: Timestamp,
}

impl IssuedKey {
    /// The key, and when it ends.
    pub(crate) fn key(&self) -> (AccessKey, Timestamp) {
        let key = AccessKey::new(&self.access_key_id, self.access_key_secret.expose_secret())
            .with_security_token(self.security_token.expose_secret())
            .with_expiry(self.expiration);
        (key, self.expiration)
    }
}

/// Whether the metadata service or a credential URI gives a key.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Outcome {
    pub(crate) code: String,
    #[serde(default)]
    pub(crate) message: Option<String>,
}

impl Outcome {
    pub(crate) const SUCCESS: &str = "Success";
}

/// What the program of an `External` profile prints.
#[derive(Deserialize)]
pub(crate) struct PrintedKey {
    #[serde(default)]
    pub(crate) mode: Option<String>,
    #[serde(deserialize_with = "not_empty")]
    pub(crate) access_key_id: String,
    #[serde(deserialize_with = "secret")]
    pub(crate) access_key_secret: SecretString,
    #[serde(default)]
    pub(crate) sts_token: Option<SecretString>,
    /// Empty or absent when the key has no end.
    #[serde(default)]
    pub(crate) expiration: Option<String>,
}

/// `~/.aliyun/config.json`.
#[derive(Deserialize)]
pub(crate) struct CliConfig {
    #[serde(default)]
    pub(crate) current: Option<String>,
    #[serde(default)]
    pub(crate) profiles: Option<Vec<CliProfile>>,
}

/// One of its profiles; which fields count is decided by the mode.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct CliProfile {
    pub(crate) name: Option<String>,
    pub(crate) mode: Option<String>,
    access_key_id: Option<String>,
    access_key_secret: Option<SecretString>,
    sts_token: Option<SecretString>,
    ram_role_arn: Option<String>,
    ram_session_name: Option<String>,
    role_session_name: Option<String>,
    ram_role_name: Option<String>,
    expired_seconds: Option<u32>,
    sts_region: Option<String>,
    enable_vpc: Option<bool>,
    external_id: Option<String>,
    policy: Option<String>,
    oidc_provider_arn: Option<String>,
    oidc_token_file: Option<String>,
    source_profile: Option<String>,
    process_command: Option<SecretString>,
    credentials_uri: Option<SecretString>,
}

/// A text in a file of credentials, with the name it has there.
pub(crate) struct Field<'a> {
    pub(crate) name: &'static str,
    value: Option<&'a str>,
}

impl<'a> Field<'a> {
    /// The value without white space around it; `None` if there is nothing else.
    pub(crate) fn given(&self) -> Option<&'a str> {
        self.value.map(str::trim).filter(|value| !value.is_empty())
    }

    pub(crate) fn owned(&self) -> Option<String> {
        self.given().map(str::to_owned)
    }
}

/// A text or secret of a profile, by the name it has there.
macro_rules! field {
    ($profile:expr, $name:ident) => {
        Field { name: stringify!($name), value: $profile.$name.as_deref() }
    };
    ($profile:expr, secret $name:ident) => {
        Field { name: stringify!($name), value: $profile.$name.as_ref().map(ExposeSecret::expose_secret) }
    };
}

impl CliProfile {
    pub(crate) fn access_key_id(&self) -> Field<'_> {
        field!(self, access_key_id)
    }

    pub(crate) fn access_key_secret(&self) -> Field<'_> {
        field!(self, secret access_key_secret)
    }

    pub(crate) fn sts_token(&self) -> Field<'_> {
        field!(self, secret sts_token)
    }

    pub(crate) fn role_arn(&self) -> Field<'_> {
        field!(self, ram_role_arn)
    }

    /// By the Python SDK's name for it in mode `OIDC`, else by everybody's.
    pub(crate) fn session_name(&self) -> Option<String> {
        field!(self, role_session_name).owned().or_else(|| field!(self, ram_session_name).owned())
    }

    pub(crate) fn role_name(&self) -> Field<'_> {
        field!(self, ram_role_name)
    }

    /// How long a session lasts, in seconds, and the field's name. The command line writes 0 where none is given.
    pub(crate) fn seconds(&self) -> (Option<u32>, &'static str) {
        (self.expired_seconds.filter(|seconds| *seconds > 0), "expired_seconds")
    }

    pub(crate) fn sts_region(&self) -> Field<'_> {
        field!(self, sts_region)
    }

    pub(crate) fn enable_vpc(&self) -> Option<bool> {
        self.enable_vpc
    }

    pub(crate) fn external_id(&self) -> Field<'_> {
        field!(self, external_id)
    }

    pub(crate) fn policy(&self) -> Field<'_> {
        field!(self, policy)
    }

    pub(crate) fn oidc_provider_arn(&self) -> Field<'_> {
        field!(self, oidc_provider_arn)
    }

    pub(crate) fn oidc_token_file(&self) -> Field<'_> {
        field!(self, oidc_token_file)
    }

    pub(crate) fn source_profile(&self) -> Field<'_> {
        field!(self, source_profile)
    }

    pub(crate) fn process_command(&self) -> Field<'_> {
        field!(self, secret process_command)
    }

    pub(crate) fn credentials_uri(&self) -> Field<'_> {
        field!(self, secret credentials_uri)
    }
}

/// The modes of profiles that are supported.
pub(crate) mod mode {
    pub(crate) const AK: &str = "AK";
    pub(crate) const STS_TOKEN: &str = "StsToken";
    pub(crate) const RAM_ROLE_ARN: &str = "RamRoleArn";
    pub(crate) const CHAINABLE_RAM_ROLE_ARN: &str = "ChainableRamRoleArn";
    pub(crate) const ECS_RAM_ROLE: &str = "EcsRamRole";
    pub(crate) const OIDC: &str = "OIDC";
    pub(crate) const EXTERNAL: &str = "External";
    pub(crate) const CREDENTIALS_URI: &str = "CredentialsURI";
    pub(crate) const ALL: [&str; 8] =
        [AK, STS_TOKEN, RAM_ROLE_ARN, CHAINABLE_RAM_ROLE_ARN, ECS_RAM_ROLE, OIDC, EXTERNAL, CREDENTIALS_URI];
}

/// The types of sections in the INI file that are supported, and the names in them.
pub(crate) mod ini {
    use record_callback_http::IniSection;

    use super::Field;

    pub(crate) const ACCESS_KEY: &str = "access_key";
    pub(crate) const RAM_ROLE_ARN: &str = "ram_role_arn";
    pub(crate) const OIDC_ROLE_ARN: &str = "oidc_role_arn";
    pub(crate) const ECS_RAM_ROLE: &str = "ecs_ram_role";
    pub(crate) const TYPES: [&str; 4] = [ACCESS_KEY, RAM_ROLE_ARN, OIDC_ROLE_ARN, ECS_RAM_ROLE];

    pub(crate) const TYPE: &str = "type";
    pub(crate) const ACCESS_KEY_ID: &str = "access_key_id";
    pub(crate) const ACCESS_KEY_SECRET: &str = "access_key_secret";
    pub(crate) const ROLE_ARN: &str = "role_arn";
    pub(crate) const ROLE_SESSION_NAME: &str = "role_session_name";
    pub(crate) const POLICY: &str = "policy";
    pub(crate) const OIDC_PROVIDER_ARN: &str = "oidc_provider_arn";
    pub(crate) const OIDC_TOKEN_FILE: &str = "oidc_token_file_path";
    pub(crate) const ROLE_NAME: &str = "role_name";

    /// A value without the comment behind it, which begins with `#` wherever that stands.
    pub(crate) fn field<'a>(section: &'a IniSection, name: &'static str) -> Field<'a> {
        Field { name, value: section.get(name).and_then(|value| value.split('#').next()) }
    }
}

fn not_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.trim().is_empty() { Err(serde::de::Error::custom("expected a text")) } else { Ok(text) }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    not_empty(deserializer).map(SecretString::from)
}
