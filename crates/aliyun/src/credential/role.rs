use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use record_callback_core::{Error, ErrorKind, Result};
use record_callback_http::{AccessKey, CredentialProvider, Lease, Miss, SourceContext, read_regular_file};
use secrecy::{ExposeSecret, SecretString};

use super::issued::Issuer;
use super::sts::Sts;
use crate::wire::credential::Session;

const DEFAULT_SESSION: &str = "record-callback";
const SESSION_NAME: &str = "ALIBABA_CLOUD_ROLE_SESSION_NAME";

/// By the command line's names.
pub(super) const EXTERNAL_ID: &[&str] = &["ALIBABA_CLOUD_EXTERNAL_ID", "ALIBABACLOUD_EXTERNAL_ID"];

/// How long a session may last, in seconds; at most what the role allows.
pub(super) const SECONDS: std::ops::RangeInclusive<u32> = 900..=43_200;
const DEFAULT_SECONDS: u32 = 3600;

/// A session of a role, as it is asked for.
pub(super) struct Role {
    arn: String,
    session_name: String,
    seconds: u32,
    policy: Option<String>,
}

impl Role {
    /// A session of an hour, with the name of the environment, else [`DEFAULT_SESSION`].
    pub(super) fn new(context: &SourceContext, arn: String) -> Self {
        let session_name = context.var(SESSION_NAME).unwrap_or_else(|| DEFAULT_SESSION.to_owned());
        Self { arn, session_name, seconds: DEFAULT_SECONDS, policy: None }
    }

    pub(super) fn session_name(self, name: Option<String>) -> Self {
        Self { session_name: name.unwrap_or(self.session_name), ..self }
    }

    /// `seconds` has to be within [`SECONDS`].
    pub(super) fn seconds(self, seconds: Option<u32>) -> Self {
        Self { seconds: seconds.unwrap_or(self.seconds), ..self }
    }

    pub(super) fn policy(self, policy: Option<String>) -> Self {
        Self { policy, ..self }
    }

    fn session(&self) -> Session<'_> {
        Session {
            role_arn: &self.arn,
            name: &self.session_name,
            seconds: self.seconds,
            policy: self.policy.as_deref(),
        }
    }

    fn complaint(&self) -> String {
        format!("the role {} was not given", self.arn.escape_debug())
    }
}

/// Assumes a role with another key, whose own source decides how long it is kept.
pub(super) struct AssumeRole {
    pub(super) sts: Sts,
    pub(super) role: Role,
    pub(super) external_id: Option<String>,
    pub(super) source: Arc<dyn CredentialProvider>,
}

#[async_trait]
impl Issuer for AssumeRole {
    async fn issue(&self) -> Result<Lease<AccessKey>, Miss> {
        let params = self.role.session().assume_role(self.external_id.as_deref());
        Ok(self.sts.assume_role(&params, self.external_id.as_deref(), &self.source).await?)
    }

    fn complaint(&self) -> Option<String> {
        Some(self.role.complaint())
    }
}

impl fmt::Debug for AssumeRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssumeRole")
            .field("arn", &self.role.arn)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// A token of an OIDC provider.
#[derive(Clone)]
pub(super) enum OidcToken {
    Given(SecretString),
    /// In a file, which is read each time: whoever puts it there renews it.
    In(PathBuf),
}

impl OidcToken {
    /// No token is longer: 64 KiB.
    const LONGEST: u64 = 64 * 1024;

    async fn read(&self) -> Result<SecretString> {
        let path = match self {
            Self::Given(token) => return Ok(token.clone()),
            Self::In(path) => path.clone(),
        };
        let shown = path.display().to_string();
        let mistake = |what: &str| {
            Error::new(ErrorKind::Unauthenticated, format!("the file of the OIDC token, {shown}, {what}"))
        };
        let read = tokio::task::spawn_blocking(move || read_regular_file(&path, Self::LONGEST)).await;
        let read = read.map_err(|error| mistake("cannot be read").with_source(error))?;
        let (bytes, _) = read.map_err(|error| mistake("cannot be read").with_source(error))?;
        match std::str::from_utf8(&bytes).map(|text| text.trim_start_matches('\u{feff}').trim()) {
            Ok("") => Err(mistake("is empty")),
            Ok(token) => Ok(token.into()),
            Err(_) => Err(mistake("is no text")),
        }
    }
}

/// Assumes a role with a token of an OIDC provider.
pub(super) struct AssumeRoleWithOidc {
    pub(super) sts: Sts,
    pub(super) role: Role,
    pub(super) provider_arn: String,
    pub(super) token: OidcToken,
}

#[async_trait]
impl Issuer for AssumeRoleWithOidc {
    async fn issue(&self) -> Result<Lease<AccessKey>, Miss> {
        let token = self.token.read().await?;
        let token = token.expose_secret();
        let params = self.role.session().assume_role_with_oidc(&self.provider_arn, token);
        Ok(self.sts.assume_role_with_oidc(&params, token).await?)
    }

    fn complaint(&self) -> Option<String> {
        Some(self.role.complaint())
    }
}

impl fmt::Debug for AssumeRoleWithOidc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssumeRoleWithOidc").field("arn", &self.role.arn).finish_non_exhaustive()
    }
}
