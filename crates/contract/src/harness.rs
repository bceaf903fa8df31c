use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use record_callback_core::{DomainName, RecordCallbackProvider, Timer};

/// What the suite needs to know about the provider under test.
///
/// It suits a mock and a real account. With a mock, make every provider talk to a
/// server of its own, or name new domains each time; with an account, name two
/// domains that are kept for tests. Behaviours of one [`run`](crate::run) run one
/// after the other; two that run at the same time must not share a domain.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The provider to test. Called for each behaviour, and by [`run`](crate::run) once more.
    async fn provider(&self) -> Arc<dyn RecordCallbackProvider>;

    /// Two domains, in the role the vendor keys by, that exist and have no configs.
    /// Called once per behaviour, after [`provider`](Self::provider).
    fn domains(&self) -> [DomainName; 2];

    /// A domain the account does not have. Without one, as where the cloud takes any domain, the behaviour about
    /// domains of others is skipped.
    fn foreign_domain(&self) -> Option<DomainName> {
        None
    }

    /// What to wait on between reads. [`NoWait`] will do where nothing lags.
    fn timer(&self) -> Arc<dyn Timer>;

    /// How often to read before a write that does not show has failed; at least once.
    fn reads(&self) -> u32 {
        6
    }

    /// How long to wait after the first read; twice as long after each further one.
    fn first_pause(&self) -> Duration {
        Duration::from_millis(200)
    }

    /// How many configs of one domain are certain to need a second page.
    fn more_than_a_page(&self) -> usize {
        12
    }

    /// How to disturb the calls to the cloud, where that can be done. Without it the
    /// behaviours about lost answers, throttling and permissions are skipped.
    fn faults(&self) -> Option<&dyn Faults> {
        None
    }

    /// A provider of the same cloud with the credentials of another account, which does not own the two domains. Called
    /// after [`provider`](Self::provider). Without it the behaviours about other accounts are skipped.
    fn other_account(&self) -> Option<Arc<dyn RecordCallbackProvider>> {
        None
    }
}

/// Disturbs the calls between a provider and its (mock) cloud.
#[async_trait]
pub trait Faults: Send + Sync {
    /// Lets the cloud carry out the next write, and loses its answer.
    async fn lose_next_answer(&self);

    /// Lets the cloud throttle the next call, once.
    async fn throttle_next_call(&self);

    /// Lets the cloud refuse the next call because the caller lacks the permission, and not carry it out.
    async fn deny_next_call(&self);
}

/// A timer that does not wait, for providers whose writes show at once and for fakes.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoWait;

#[async_trait]
impl Timer for NoWait {
    async fn sleep(&self, _pause: Duration) {}
}
