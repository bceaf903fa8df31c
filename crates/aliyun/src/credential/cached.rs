//! Keys that a login of the vendor's command line left in a profile.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use record_callback_core::{Error, ErrorKind, Result};
use record_callback_http::{AccessKey, Clock, Lease, Miss};

use super::issued::Issuer;

/// The time before their end from which such keys are no longer used, as the command line has it.
const MARGIN: SignedDuration = SignedDuration::from_secs(5);

/// A key until its end. Logins are renewed by the command line only: it writes new tokens back, and the old ones are void.
pub(super) struct Cached {
    pub(super) key: AccessKey,
    pub(super) expires_at: Timestamp,
    pub(super) clock: Arc<dyn Clock>,
    /// The command that logs in again.
    pub(super) login: String,
}

#[async_trait]
impl Issuer for Cached {
    async fn issue(&self) -> Result<Lease<AccessKey>, Miss> {
        let ends_at = self.expires_at.saturating_sub(MARGIN).unwrap_or(self.expires_at);
        if self.clock.now() >= ends_at {
            let problem = format!("the login's key ended at {}: run `{}`", self.expires_at, self.login);
            return Err(Error::new(ErrorKind::Unauthenticated, problem).into());
        }
        let value = self.key.clone().with_expiry(self.expires_at);
        Ok(Lease { value, expires_at: Some(ends_at), issued_at: None })
    }
}

impl fmt::Debug for Cached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached").field("key", &self.key).finish_non_exhaustive()
    }
}
