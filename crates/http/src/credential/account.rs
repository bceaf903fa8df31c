use std::fmt;
use std::time::Duration;

use record_callback_core::{AccountId, Result};
use tokio::sync::Mutex;

use crate::retry::RetryPolicy;

/// The account of the credential that was asked about last, so that the vendor is asked once for each.
pub struct KnownAccount<C>(Mutex<Option<(C, AccountId)>>);

impl<C> KnownAccount<C> {
    /// The account that is known of a credential `is_same` knows again, else the one `ask` finds out, with the credential it
    /// asked with. Who asks meanwhile waits for that answer.
    pub async fn get(
        &self,
        is_same: impl FnOnce(&C) -> bool,
        ask: impl AsyncFnOnce() -> Result<(C, AccountId)>,
    ) -> Result<AccountId> {
        let mut known = self.0.lock().await;
        if let Some((credential, account)) = &*known
            && is_same(credential)
        {
            return Ok(account.clone());
        }
        let (credential, account) = ask().await?;
        *known = Some((credential, account.clone()));
        Ok(account)
    }
}

impl<C> Default for KnownAccount<C> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// Shows no credential.
impl<C> fmt::Debug for KnownAccount<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownAccount").finish_non_exhaustive()
    }
}

/// The policy by which a vendor is asked for an account: as calls are tried, but no more than 2 attempts of 5 s and 12 s in
/// all. Everything waits for the answer, and can do without it.
pub fn account_retry(retry: &RetryPolicy) -> RetryPolicy {
    retry.at_most(2, Duration::from_secs(5), Duration::from_secs(12))
}
