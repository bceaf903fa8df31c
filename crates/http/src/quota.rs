use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use tokio::time::Instant;

/// How often a vendor lets an account call an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    calls: NonZeroU32,
    window: Duration,
}

impl Quota {
    /// `calls` in any second.
    pub const fn per_second(calls: NonZeroU32) -> Self {
        Self { calls, window: Duration::from_secs(1) }
    }

    /// `calls` in any minute.
    pub const fn per_minute(calls: NonZeroU32) -> Self {
        Self { calls, window: Duration::from_secs(60) }
    }

    /// Pacing that keeps any window within the quota: a burst of a two-hundredth of it, and the rest
    /// spread evenly, because a burst plus a full window's refill must not exceed the quota.
    ///
    /// A call that comes late because timers are coarse is made up for by the next, at most [`LATE`]; so that this
    /// keeps within the quota too, and calls may come closer together where they arrive, windows count as longer.
    fn pacing(self) -> governor::Quota {
        let burst = (self.calls.get() / 200).max(1);
        let refills = self.calls.get() - burst + 1;
        let interval = (self.window + MARGIN) / refills.max(1);
        let part = (interval / PARTS.get()).max(Duration::from_nanos(1));
        let late = u32::try_from(LATE.as_nanos() / part.as_nanos()).unwrap_or(u32::MAX);
        let burst = burst.saturating_mul(PARTS.get()).saturating_add(late);
        governor::Quota::with_period(part)
            .unwrap_or(governor::Quota::per_second(self.calls))
            .allow_burst(NonZeroU32::new(burst).unwrap_or(PARTS))
    }
}

/// How late timers wake, at most: they have milliseconds.
const LATE: Duration = Duration::from_millis(2);
/// How much longer windows count: [`LATE`], and what the way to the cloud takes now longer, now shorter.
const MARGIN: Duration = Duration::from_millis(6);
/// A call in the limiter, whose burst is in whole parts: small enough to tell milliseconds apart.
const PARTS: NonZeroU32 = NonZeroU32::new(100).unwrap();

/// The quotas of one account, shared by everything that clones this value.
///
/// A call waits for its turn, first come first served, rather than be throttled.
#[derive(Debug, Clone, Default)]
pub struct Quotas(Arc<HashMap<&'static str, Limiter>>);

impl Quotas {
    /// One limiter for each name. An operation belongs to the limiter that its
    /// [`Call`](crate::Call) names.
    pub fn new(limits: impl IntoIterator<Item = (&'static str, Quota)>) -> Self {
        Self(Arc::new(limits.into_iter().map(|(name, quota)| (name, Limiter::new(quota))).collect()))
    }

    /// No limits: for clouds that have none, such as a mock.
    pub fn unlimited() -> Self {
        Self::default()
    }

    /// Waits until a call of limiter `name` may go out. Dropping the future gives the turn back.
    pub async fn turn(&self, name: &str) {
        if let Some(limiter) = self.0.get(name) {
            limiter.turn().await;
        }
    }
}

#[derive(Debug)]
struct Limiter {
    rate: governor::RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Nanos>>,
    /// Held by the first in line: callers pass in order, and only one of them polls.
    line: tokio::sync::Mutex<()>,
}

impl Limiter {
    fn new(quota: Quota) -> Self {
        let clock = TokioClock(Instant::now());
        Self {
            rate: governor::RateLimiter::direct_with_clock(quota.pacing(), clock),
            line: tokio::sync::Mutex::default(),
        }
    }

    async fn turn(&self) {
        let _first = self.line.lock().await;
        // A burst has at least the parts of one call.
        while let Ok(Err(not_yet)) = self.rate.check_n(PARTS) {
            tokio::time::sleep(not_yet.wait_time_from(self.rate.clock().now())).await;
        }
    }
}

/// tokio's clock, so that paused time in tests pauses the quotas too.
#[derive(Debug, Clone, Copy)]
struct TokioClock(Instant);

impl Clock for TokioClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.elapsed().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn n(calls: u32) -> NonZeroU32 {
        NonZeroU32::new(calls).unwrap()
    }

    /// Start times of `count` calls that all want to go at once, in milliseconds.
    async fn starts(quota: Quota, count: usize) -> Vec<u128> {
        let quotas = Quotas::new([("op", quota)]);
        let begin = Instant::now();
        let mut starts = Vec::new();
        for _ in 0..count {
            quotas.turn("op").await;
            starts.push(begin.elapsed().as_millis());
        }
        starts
    }

    #[tokio::test(start_paused = true)]
    async fn no_window_holds_more_calls_than_the_quota_and_little_is_left_unused() {
        for (quota, window, count) in [
            (Quota::per_second(n(30)), 1_000, 300),
            (Quota::per_minute(n(300)), 60_000, 1_200),
            (Quota::per_second(n(3_000)), 1_000, 9_000),
        ] {
            let starts = starts(quota, count).await;
            let limit = usize::try_from(quota.calls.get()).unwrap();
            for (i, first) in starts.iter().enumerate() {
                let in_window = starts[i..].iter().take_while(|at| **at < first + window).count();
                assert!(in_window <= limit, "{in_window} calls in the window at {first} ms");
            }
            let ideal = window * (count as u128) / u128::from(quota.calls.get());
            let last = *starts.last().unwrap();
            assert!(last * 1_000 <= ideal * 1_015, "{count} calls took {last} ms, ideal is {ideal} ms");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn clones_share_and_names_do_not() {
        let quotas = Quotas::new([("a", Quota::per_second(n(1))), ("b", Quota::per_second(n(1)))]);
        let begin = Instant::now();
        quotas.turn("a").await;
        quotas.turn("b").await;
        quotas.turn("unknown").await;
        assert_eq!(begin.elapsed().as_millis(), 0);
        quotas.clone().turn("a").await;
        assert!(begin.elapsed() >= Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_wait_costs_nobody_a_turn() {
        let quotas = Quotas::new([("a", Quota::per_second(n(1)))]);
        let begin = Instant::now();
        quotas.turn("a").await;
        let gave_up = tokio::time::timeout(Duration::from_millis(500), quotas.turn("a")).await;
        assert!(gave_up.is_err());
        quotas.turn("a").await;
        assert!(begin.elapsed() < Duration::from_millis(1_100), "{:?}", begin.elapsed());
    }
}
