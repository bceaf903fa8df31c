use std::sync::Arc;

use record_callback_core::{Error, Result};
use record_callback_http::{AccessKey, CredentialFile, CredentialProvider, SourceContext, StaticCredentials};

use super::agreed::agreed;
use super::external::DISABLED as EXTERNAL_DISABLED;
use super::issued::{Issued, Issuer, of_credentials};
use super::metadata::{DISABLED as METADATA_DISABLED, ROLE};
use super::oidc::{PROVIDER_ARN, ROLE_ARN, TOKEN_FILE};
use super::role::EXTERNAL_ID;
use super::sts::HOST as STS_HOST;
use super::uri::URI;
use crate::wire::credential::Field;

/// One profile in a file of credentials: for errors, and for what is made of it.
pub(super) struct Place<'a> {
    pub(super) context: &'a SourceContext,
    pub(super) file: &'a CredentialFile,
    /// The file's path.
    pub(super) path: &'a str,
    /// Where the profile begins, if that is known.
    pub(super) line: Option<usize>,
    /// Such as `profile default (AK)`.
    pub(super) name: String,
}

impl Place<'_> {
    /// The text of a field, if there is any.
    pub(super) fn optional(&self, field: &Field<'_>) -> Result<Option<String>> {
        Ok(field.given().map_err(|expected| self.mistake(&expected))?.map(str::to_owned))
    }

    /// The text of a field that has to be there.
    pub(super) fn required(&self, field: &Field<'_>) -> Result<String> {
        let missing = || self.mistake(&format!("{} is missing or empty", field.name));
        self.optional(field)?.ok_or_else(missing)
    }

    /// The text of a field, else of the environment's variables of these `names`, as the vendor's tools have it.
    pub(super) fn optional_or(&self, field: &Field<'_>, names: &[&'static str]) -> Result<Option<String>> {
        match self.optional(field)? {
            Some(text) => Ok(Some(text)),
            None => Ok(agreed(self.context, names)?.map(|(_, text)| text)),
        }
    }

    /// The same of a text that has to be in one of both.
    pub(super) fn required_or(&self, field: &Field<'_>, names: &[&'static str]) -> Result<String> {
        let name = names.first().copied().unwrap_or_default();
        let missing = || format!("{} is missing or empty, and {name} is not set", field.name);
        self.optional_or(field, names)?.ok_or_else(|| self.mistake(&missing()))
    }

    /// The error for a mistake in the profile, which must not show a secret.
    pub(super) fn mistake(&self, what: &str) -> Error {
        self.file.mistake(self.line, &format!("{}: {what}", self.name))
    }

    /// The error for something that could not be made of the profile.
    pub(super) fn failed(&self, error: Error) -> Error {
        of_credentials(&self.origin(), error)
    }

    /// A key that stands in the file.
    pub(super) fn fixed(&self, key: AccessKey) -> Arc<dyn CredentialProvider> {
        Arc::new(StaticCredentials::new(key.from_origin(self.origin())))
    }

    /// Keys that are issued.
    pub(super) fn issued(&self, issuer: impl Issuer) -> Arc<dyn CredentialProvider> {
        Arc::new(Issued::new(Arc::clone(&self.context.clock), self.origin(), issuer))
    }

    fn origin(&self) -> String {
        format!("{} {}", self.path, self.name)
    }
}

/// What the environment says of profiles that do not say it themselves.
pub(super) fn environment(context: &SourceContext) -> impl Iterator<Item = String> {
    let several = [ROLE_ARN, PROVIDER_ARN, TOKEN_FILE, ROLE, EXTERNAL_ID, URI].into_iter().flatten().copied();
    let variables = several.chain([METADATA_DISABLED, STS_HOST, EXTERNAL_DISABLED]);
    variables.map(|name| context.var(name).unwrap_or_default())
}

/// Names as a message lists them.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| name.escape_debug().to_string()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
