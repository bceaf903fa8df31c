use std::fmt;
use std::sync::{Mutex, PoisonError};

use record_callback_core::{ErrorKind, Result};

/// The credential that the last attempt of a call was signed with.
pub struct Used<C>(Mutex<Option<C>>);

impl<C: Clone> Used<C> {
    /// Remembers `credential`.
    pub fn set(&self, credential: C) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(credential);
    }

    /// The last one, if there was an attempt.
    pub fn get(&self) -> Option<C> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What `send` gives; if the cloud does not know the caller, and `replaces` says that there is another credential than
    /// the refused one, what it gives the second time.
    ///
    /// What was issued may end before its time: its user changed, its role was taken away, it is another region's.
    pub async fn send<T, S, R>(&self, send: impl Fn() -> S, replaces: impl FnOnce(C) -> R) -> Result<T>
    where
        S: Future<Output = Result<T>>,
        R: Future<Output = bool>,
    {
        let error = match send().await {
            Err(error) if error.kind() == ErrorKind::Unauthenticated => error,
            result => return result,
        };
        let Some(refused) = self.get() else { return Err(error) };
        if !replaces(refused).await {
            return Err(error);
        }
        let earlier = error.maybe_applied();
        send().await.map_err(|error| error.with_maybe_applied_if(earlier))
    }
}

impl<C> Default for Used<C> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<C> fmt::Debug for Used<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Used").finish_non_exhaustive()
    }
}
