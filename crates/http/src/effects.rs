use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use jiff::Timestamp;
use record_callback_core::Timer;

/// Tells the time that signatures carry.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The clock of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that may read the system clock")]
    fn now(&self) -> Timestamp {
        Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// Makes the random text that sets one request apart from every other.
pub trait Nonce: fmt::Debug + Send + Sync + 'static {
    /// A new nonce; never the same twice.
    fn nonce(&self) -> String;
}

/// Nonces with 122 random bits, as 32 hex digits.
#[derive(Debug, Clone, Copy, Default)]
pub struct UuidNonce;

impl Nonce for UuidNonce {
    fn nonce(&self) -> String {
        uuid::Uuid::new_v4().simple().to_string()
    }
}

/// Environment variables.
pub trait Env: fmt::Debug + Send + Sync + 'static {
    /// The value of `name`; `None` when unset, empty or not Unicode.
    fn var(&self, name: &str) -> Option<String>;
}

impl<E: Env + ?Sized> Env for Arc<E> {
    fn var(&self, name: &str) -> Option<String> {
        (**self).var(name)
    }
}

/// The variables of this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEnv;

impl Env for OsEnv {
    #[expect(clippy::disallowed_methods, reason = "the one place that may read the environment")]
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }
}

/// A fixed set of variables, for tests and for callers that have settings elsewhere.
#[derive(Clone, Default)]
pub struct FixedEnv(HashMap<String, String>);

impl Env for FixedEnv {
    fn var(&self, name: &str) -> Option<String> {
        self.0.get(name).filter(|value| !value.is_empty()).cloned()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for FixedEnv {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// Values may be secrets: only the names are shown.
impl fmt::Debug for FixedEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Waits on the tokio runtime.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokioTimer;

#[async_trait]
impl Timer for TokioTimer {
    async fn sleep(&self, pause: Duration) {
        tokio::time::sleep(pause).await;
    }
}
