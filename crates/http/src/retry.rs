use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use record_callback_core::{Error, ErrorKind};
use tokio::time::Instant;

/// How often to look for what the cloud says is there.
const LOOKS: usize = 16;

/// How often and how long a call is tried.
///
/// Delays grow exponentially, with jitter; a wait the cloud asks for wins when it
/// is longer. No wait goes beyond the deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    attempts: u32,
    first_delay: Duration,
    max_delay: Duration,
    attempt_timeout: Duration,
    deadline: Duration,
}

impl Default for RetryPolicy {
    /// 4 attempts of at most 10 s each, delays from 200 ms to 10 s, 60 s in all.
    fn default() -> Self {
        Self {
            attempts: 4,
            first_delay: Duration::from_millis(200),
            max_delay: Duration::from_secs(10),
            attempt_timeout: Duration::from_secs(10),
            deadline: Duration::from_secs(60),
        }
    }
}

impl RetryPolicy {
    /// One attempt only.
    pub fn none() -> Self {
        Self::default().attempts(1)
    }

    /// Sets how many attempts a call has in all, at least one.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// Sets the shortest and the longest delay before a further attempt (before jitter, which at
    /// most doubles it).
    #[must_use]
    pub fn delays(mut self, first: Duration, max: Duration) -> Self {
        self.first_delay = first;
        self.max_delay = max;
        self
    }

    /// Sets how long one attempt may take, from connecting to the last byte of the answer.
    #[must_use]
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = timeout;
        self
    }

    /// Sets how long a call may take in all, waiting for quota and between attempts included.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The same with no more attempts, no longer ones, and no later end than these.
    pub(crate) fn at_most(&self, attempts: u32, attempt_timeout: Duration, deadline: Duration) -> Self {
        Self {
            attempts: self.attempts.min(attempts),
            attempt_timeout: self.attempt_timeout.min(attempt_timeout),
            deadline: self.deadline.min(deadline),
            ..self.clone()
        }
    }

    /// When an attempt that starts now must end.
    pub(crate) fn attempt_until(&self) -> Instant {
        after(self.attempt_timeout)
    }

    /// When a call that starts now must end.
    pub(crate) fn until(&self) -> Instant {
        after(self.deadline)
    }

    /// How many attempts there are in all.
    pub(crate) fn in_all(&self) -> u32 {
        self.attempts
    }

    /// The delays before each further attempt.
    pub(crate) fn backoff(&self) -> ExponentialBackoff {
        self.delaying(self.attempts as usize - 1)
    }

    /// The delays before each further look for what the cloud says is there; none when the policy has one attempt.
    pub(crate) fn looks(&self) -> ExponentialBackoff {
        self.delaying(if self.attempts == 1 { 0 } else { LOOKS - 1 })
    }

    fn delaying(&self, times: usize) -> ExponentialBackoff {
        ExponentialBuilder::new()
            .with_jitter()
            .with_min_delay(self.first_delay)
            .with_max_delay(self.max_delay)
            .with_max_times(times)
            .build()
    }

    /// When the last attempt of a call that starts now must end, if it may begin until the deadline.
    pub(crate) fn end(&self) -> Instant {
        after(self.deadline.saturating_add(self.attempt_timeout))
    }
}

/// Whether a further attempt can end differently.
pub(crate) fn is_transient(error: &Error) -> bool {
    let status = error.status().unwrap_or_default();
    match error.kind() {
        ErrorKind::Throttled | ErrorKind::Unavailable | ErrorKind::Timeout => true,
        // An answer nobody understands: a proxy's page, or a body cut short. With a code, the cloud said no; where a
        // redirect leads it will lead again.
        ErrorKind::Protocol if status > 0 && !(300..400).contains(&status) => error.code().is_none(),
        _ => status == 429 || status >= 500,
    }
}

/// The time after `wait`, or one too far off to matter where the clock cannot tell it.
pub(crate) fn after(wait: Duration) -> Instant {
    const AGES: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    Instant::now() + wait.min(AGES)
}
