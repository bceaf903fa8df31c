//! The file of the vendor's command line.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Field, NoText};

/// `~/.aliyun/config.json`. What is odd about a profile matters to those who use it only.
#[derive(Deserialize)]
pub(crate) struct CliConfig {
    #[serde(default)]
    current: Value,
    #[serde(default)]
    profiles: Option<Vec<Value>>,
}

impl CliConfig {
    pub(crate) fn current(&self) -> Option<&str> {
        self.current.as_str().map(str::trim).filter(|name| !name.is_empty())
    }

    /// The profiles that have a name, with it.
    pub(crate) fn profiles(&self) -> impl Iterator<Item = (&str, CliProfile<'_>)> {
        let profiles = self.profiles.iter().flatten().filter_map(Value::as_object).map(CliProfile);
        profiles.filter_map(|profile| Some((profile.0.get("name")?.as_str()?, profile)))
    }
}

/// One of its profiles; which fields count is decided by the mode.
#[derive(Clone, Copy)]
pub(crate) struct CliProfile<'a>(&'a Map<String, Value>);

impl<'a> CliProfile<'a> {
    /// All that it says, secrets too.
    pub(crate) fn text(self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    fn value(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn field(self, name: &'static str) -> Field<'a> {
        let text = |value: &'a Value| value.as_str().ok_or(NoText);
        Field { name, value: self.value(name).map(text).transpose() }
    }

    pub(crate) fn mode(self) -> Field<'a> {
        self.field("mode")
    }

    pub(crate) fn access_key_id(self) -> Field<'a> {
        self.field("access_key_id")
    }

    pub(crate) fn access_key_secret(self) -> Field<'a> {
        self.field("access_key_secret")
    }

    pub(crate) fn sts_token(self) -> Field<'a> {
        self.field("sts_token")
    }

    pub(crate) fn role_arn(self) -> Field<'a> {
        self.field("ram_role_arn")
    }

    /// By the Python SDK's name for it in mode `OIDC`, then by everybody's.
    pub(crate) fn session_names(self) -> [Field<'a>; 2] {
        ["role_session_name", "ram_session_name"].map(|name| self.field(name))
    }

    pub(crate) fn role_name(self) -> Field<'a> {
        self.field("ram_role_name")
    }

    /// How long a session lasts, in seconds. The command line writes 0 where none is given. An error is what was expected
    /// where.
    pub(crate) fn seconds(self) -> Result<Option<u32>, String> {
        let number = |value: &Value| match value {
            Value::String(text) if text.trim().is_empty() => Some(0),
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_u64().and_then(|number| u32::try_from(number).ok()),
        };
        match self.value(Self::SECONDS).map(number) {
            Some(None) => Err(format!("{}: expected a number of seconds", Self::SECONDS)),
            found => Ok(found.flatten().filter(|seconds| *seconds > 0)),
        }
    }

    pub(crate) const SECONDS: &'static str = "expired_seconds";

    /// The end of a login's key, in seconds since 1970. The command line writes 0 where there is none. An error is what
    /// was expected where.
    pub(crate) fn sts_expiration(self) -> Result<Option<Timestamp>, String> {
        const NAME: &str = "sts_expiration";
        match self.value(NAME).map(|value| value.as_i64().and_then(|time| Timestamp::from_second(time).ok()))
        {
            Some(None) => Err(format!("{NAME}: expected a time in seconds since 1970")),
            found => Ok(found.flatten().filter(|time| *time > Timestamp::UNIX_EPOCH)),
        }
    }

    pub(crate) fn sts_endpoint(self) -> Field<'a> {
        self.field("sts_endpoint")
    }

    pub(crate) fn sts_region(self) -> Field<'a> {
        self.field("sts_region")
    }

    /// Whether STS is asked inside a VPC. An error is what was expected where.
    pub(crate) fn enable_vpc(self) -> Result<Option<bool>, String> {
        let yes_or_no =
            |value: &Value| value.as_bool().ok_or("enable_vpc: expected true or false".to_owned());
        self.value("enable_vpc").map(yes_or_no).transpose()
    }

    pub(crate) fn external_id(self) -> Field<'a> {
        self.field("external_id")
    }

    pub(crate) fn policy(self) -> Field<'a> {
        self.field("policy")
    }

    pub(crate) fn oidc_provider_arn(self) -> Field<'a> {
        self.field("oidc_provider_arn")
    }

    pub(crate) fn oidc_token_file(self) -> Field<'a> {
        self.field("oidc_token_file")
    }

    pub(crate) fn source_profile(self) -> Field<'a> {
        self.field("source_profile")
    }

    pub(crate) fn process_command(self) -> Field<'a> {
        self.field("process_command")
    }

    pub(crate) fn credentials_uri(self) -> Field<'a> {
        self.field("credentials_uri")
    }
}
