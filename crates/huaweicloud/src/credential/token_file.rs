//! Files with one token in them, which somebody else writes anew before it ends.

use std::path::PathBuf;

use record_callback_core::{Error, ErrorKind, Result};
use record_callback_http::{CredentialFile, Miss};
use secrecy::SecretString;

/// A file with a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TokenFile {
    pub(super) path: PathBuf,
    /// What names it: a variable, or a place in another file.
    pub(super) named_by: String,
}

impl TokenFile {
    /// What is in it now.
    pub(super) async fn read(&self) -> Result<SecretString> {
        let file = read_named(self.path.clone(), &self.named_by).await?;
        match file.text().trim_start_matches('\u{feff}').trim() {
            "" => Err(file.mistake(None, &format!("expected a token, and it is empty ({})", self.named_by))),
            token => Ok(token.into()),
        }
    }
}

/// Reads a file that has to be there, for somebody named it.
pub(super) async fn read_named(path: PathBuf, named_by: &str) -> Result<CredentialFile> {
    CredentialFile::read(path).await.map_err(|miss| match miss {
        Miss::NotConfigured(what) => Error::new(ErrorKind::Unauthenticated, format!("{named_by}: {what}")),
        Miss::Failed(error) | Miss::Refused(error) => error,
    })
}
