//! What the vendor's token service, metadata service and credential files say, exactly as they say it.
//!
//! STS: <https://help.aliyun.com/document_detail/28763.html> (`AssumeRole`) and its neighbour `AssumeRoleWithOIDC`;
//! metadata: <https://help.aliyun.com/document_detail/54579.html>. The files have no page that lists every field: they
//! are as the vendor's Python SDK and command line read them.

mod cli;

use jiff::Timestamp;
use record_callback_core::AccountId;
use record_callback_http::AccessKey;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

pub(crate) use self::cli::{CliConfig, CliProfile};

use super::Params;

/// API version of the token service.
pub(crate) const STS_VERSION: &str = "2015-04-01";
pub(crate) const ASSUME_ROLE: &str = "AssumeRole";
pub(crate) const ASSUME_ROLE_WITH_OIDC: &str = "AssumeRoleWithOIDC";
/// <https://help.aliyun.com/document_detail/43767.html>: no parameters, and no right is needed.
pub(crate) const CALLER_IDENTITY: &str = "GetCallerIdentity";

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

/// Answer of `GetCallerIdentity`. The other fields say which user or role it is, under names that changed over the years.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CallerIdentity {
    pub(crate) account_id: AccountId,
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

/// A text in a file of credentials, with the name it has there.
pub(crate) struct Field<'a> {
    pub(crate) name: &'static str,
    value: Result<Option<&'a str>, NoText>,
}

/// Something else than a text.
struct NoText;

impl<'a> Field<'a> {
    /// The value without white space around it; `None` if there is nothing else. An error is what was expected where.
    pub(crate) fn given(&self) -> Result<Option<&'a str>, String> {
        match self.value {
            Ok(value) => Ok(value.map(str::trim).filter(|value| !value.is_empty())),
            Err(NoText) => Err(format!("{}: expected a text", self.name)),
        }
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
    pub(crate) const CLOUD_SSO: &str = "CloudSSO";
    pub(crate) const OAUTH: &str = "OAuth";
    pub(crate) const ALL: [&str; 10] = [
        AK,
        STS_TOKEN,
        RAM_ROLE_ARN,
        CHAINABLE_RAM_ROLE_ARN,
        ECS_RAM_ROLE,
        OIDC,
        EXTERNAL,
        CREDENTIALS_URI,
        CLOUD_SSO,
        OAUTH,
    ];
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

    /// Everything that is looked for in a section.
    pub(crate) const FIELDS: [&str; 9] = [
        TYPE,
        ACCESS_KEY_ID,
        ACCESS_KEY_SECRET,
        ROLE_ARN,
        ROLE_SESSION_NAME,
        POLICY,
        OIDC_PROVIDER_ARN,
        OIDC_TOKEN_FILE,
        ROLE_NAME,
    ];

    /// A value without the comment behind it; empty if it is not there. All of the vendor's tools agree on a comment that
    /// begins with `#` behind a blank.
    pub(crate) fn text<'a>(section: &'a IniSection, name: &str) -> &'a str {
        let value = section.get(name).unwrap_or_default();
        let begins =
            |(at, _): &(usize, &str)| value[..*at].chars().next_back().is_none_or(char::is_whitespace);
        let comment = value.match_indices('#').find(begins);
        comment.map_or(value, |(at, _)| &value[..at]).trim()
    }

    /// The line of a field that the vendor's tools read differently, and what to do about it.
    pub(crate) fn ambiguity(section: &IniSection) -> Option<(usize, String)> {
        FIELDS.into_iter().find_map(|name| {
            let (line, what) = section.ambiguity(name, text(section, name), name == POLICY)?;
            Some((
                line,
                format!("{name} has {what}, which the vendor's tools read differently: write it without"),
            ))
        })
    }

    pub(crate) fn field<'a>(section: &'a IniSection, name: &'static str) -> Field<'a> {
        Field { name, value: Ok(Some(text(section, name))) }
    }
}

fn not_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.trim().is_empty() { Err(serde::de::Error::custom("expected a text")) } else { Ok(text) }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    not_empty(deserializer).map(SecretString::from)
}
