use std::sync::Arc;

use record_callback_core::{Error, Result};
use record_callback_http::{AccessKey, CredentialFile, CredentialProvider, SourceContext, StaticCredentials};

use super::issued::{Issued, Issuer, of_credentials};
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
    /// The text of a field that has to be there.
    pub(super) fn required(&self, field: &Field<'_>) -> Result<String> {
        field.owned().ok_or_else(|| self.mistake(&format!("{} is missing or empty", field.name)))
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

/// Names as a message lists them.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| name.escape_debug().to_string()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
