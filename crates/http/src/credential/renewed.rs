use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use record_callback_core::{Error, ErrorKind, Result};
use tokio::time::timeout;
use tracing::warn;

use crate::effects::Clock;

/// How long a value that could not be renewed is used before that is tried again.
const PAUSE: SignedDuration = SignedDuration::from_secs(30);
/// How long anybody waits for a new value while the old one is still good.
const PATIENCE: Duration = Duration::from_secs(10);

/// A value somebody issued for a time.
#[derive(Debug)]
pub struct Lease<T> {
    /// The value.
    pub value: T,
    /// When it ends, by the issuer's clock; `None` if it does not.
    pub expires_at: Option<Timestamp>,
    /// The time by the issuer's clock, if it was said: how long is left is counted from it, so that this machine's clock
    /// may be wrong.
    pub issued_at: Option<Timestamp>,
}

/// What a cloud may refuse before its end.
pub trait Refusable {
    /// Marks that the cloud refused it.
    fn refuse(&self);

    /// Whether it did.
    fn is_refused(&self) -> bool;
}

/// A value with an end, kept until shortly before it and then fetched anew: once, for all who ask.
///
/// While it cannot be renewed, the old one is used for as long as it holds. One that was refused is not used again. A
/// failure is told to those who waited for it and then forgotten.
pub struct Renewed<T> {
    clock: Arc<dyn Clock>,
    ahead: SignedDuration,
    held: RwLock<Option<Held<T>>>,
    /// Held by who fetches.
    renewing: tokio::sync::Mutex<()>,
    failed: RwLock<Failed>,
}

struct Held<T> {
    value: Arc<T>,
    /// By our clock.
    times: Option<Times>,
}

#[derive(Clone, Copy)]
struct Times {
    renew_at: Timestamp,
    ends_at: Timestamp,
}

#[derive(Default)]
struct Failed {
    count: u64,
    last: Option<(ErrorKind, String)>,
}

/// What is held of a value.
enum Age<T> {
    Fresh(Arc<T>),
    /// To be renewed, and still good.
    Old(Arc<T>),
    Gone,
}

impl<T: Refusable> Renewed<T> {
    /// Keeps values until `ahead` of their end. Of short ones, a third of what is left when they are fetched.
    pub fn new(clock: Arc<dyn Clock>, ahead: SignedDuration) -> Self {
        Self {
            clock,
            ahead,
            held: RwLock::default(),
            renewing: tokio::sync::Mutex::default(),
            failed: RwLock::default(),
        }
    }

    /// The value, from `fetch` if need be.
    pub async fn get<F>(&self, fetch: impl FnOnce() -> F) -> Result<Arc<T>>
    where
        F: Future<Output = Result<Lease<T>>>,
    {
        match self.age() {
            Age::Fresh(value) => Ok(value),
            Age::Old(value) => {
                // Somebody renews it already: no need to wait.
                let Ok(_one_at_a_time) = self.renewing.try_lock() else { return Ok(value) };
                if let Age::Fresh(value) = self.age() {
                    return Ok(value);
                }
                // Before the attempt, so that who gives up waiting leaves the others the old one.
                self.postpone();
                let fetched = timeout(PATIENCE, fetch()).await.unwrap_or_else(|_| {
                    let message = format!("it was not there within {} s", PATIENCE.as_secs());
                    Err(Error::new(ErrorKind::Timeout, message))
                });
                let renewed = fetched.and_then(|lease| self.keep(lease));
                renewed.or_else(|error| self.make_do(value, error))
            }
            Age::Gone => {
                let failed_before = self.failed.read().unwrap_or_else(PoisonError::into_inner).count;
                let _one_at_a_time = self.renewing.lock().await;
                if let Age::Fresh(value) | Age::Old(value) = self.age() {
                    return Ok(value);
                }
                self.failed_since(failed_before)?;
                fetch().await.and_then(|lease| self.keep(lease)).map_err(|error| self.failed(error))
            }
        }
    }

    fn age(&self) -> Age<T> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let Some(Held { value, times }) = &*held else { return Age::Gone };
        let now = self.clock.now();
        match times {
            _ if value.is_refused() => Age::Gone,
            Some(times) if now >= times.ends_at => Age::Gone,
            Some(times) if now >= times.renew_at => Age::Old(Arc::clone(value)),
            _ => Age::Fresh(Arc::clone(value)),
        }
    }

    fn keep(&self, lease: Lease<T>) -> Result<Arc<T>> {
        let Lease { value, expires_at, issued_at } = lease;
        let times = match expires_at {
            Some(expires_at) => Some(self.times(expires_at, issued_at)?),
            None => None,
        };
        let value = Arc::new(value);
        let held = Held { value: Arc::clone(&value), times };
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(held);
        Ok(value)
    }

    fn times(&self, expires_at: Timestamp, issued_at: Option<Timestamp>) -> Result<Times> {
        let now = self.clock.now();
        let left = expires_at.duration_since(issued_at.unwrap_or(now));
        if left <= SignedDuration::ZERO {
            let message = match issued_at {
                Some(_) => format!("was given a credential that ended at {expires_at}"),
                None => format!("was given a credential that ended at {expires_at}, by this machine's clock"),
            };
            return Err(Error::new(ErrorKind::Unauthenticated, message));
        }
        let ends_at = now.saturating_add(left).unwrap_or(Timestamp::MAX);
        let ahead = self.ahead.min(left / 3);
        let renew_at = ends_at.saturating_sub(ahead).unwrap_or(ends_at);
        Ok(Times { renew_at, ends_at })
    }

    /// Leaves the value that is to be renewed as it is for a while.
    fn postpone(&self) {
        let later = self.clock.now().saturating_add(PAUSE).unwrap_or(Timestamp::MAX);
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(times) = held.as_mut().and_then(|held| held.times.as_mut()) {
            times.renew_at = later;
        }
    }

    /// Goes on with the value that could not be renewed, if it still holds.
    fn make_do(&self, value: Arc<T>, error: Error) -> Result<Arc<T>> {
        match self.age() {
            Age::Fresh(held) | Age::Old(held) if Arc::ptr_eq(&held, &value) => {
                warn!(%error, "a credential could not be renewed and is used to its end");
                Ok(value)
            }
            _ => Err(error),
        }
    }

    fn failed(&self, error: Error) -> Error {
        let mut failed = self.failed.write().unwrap_or_else(PoisonError::into_inner);
        failed.count += 1;
        failed.last = Some((error.kind(), error.to_string()));
        error
    }

    /// The failure this caller waited for, if it was one: passwords that are wrong again and again lock the account.
    fn failed_since(&self, before: u64) -> Result<()> {
        let failed = self.failed.read().unwrap_or_else(PoisonError::into_inner);
        match &failed.last {
            Some((kind, message)) if failed.count > before => {
                Err(Error::new(*kind, format!("what this call waited for failed: {message}")))
            }
            _ => Ok(()),
        }
    }
}

impl<T> fmt::Debug for Renewed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewed").field("ahead", &self.ahead).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use super::*;

    #[derive(Debug, Clone)]
    struct Hand(Arc<Mutex<Timestamp>>);

    impl Hand {
        fn new() -> Self {
            Self(Arc::new(Mutex::new("2026-01-02T03:00:00Z".parse().unwrap())))
        }

        fn pass(&self, seconds: i64) {
            *self.0.lock().unwrap() += SignedDuration::from_secs(seconds);
        }
    }

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            *self.0.lock().unwrap()
        }
    }

    #[derive(Debug)]
    struct Number(u32, AtomicBool);

    impl Refusable for Number {
        fn refuse(&self) {
            self.1.store(true, Ordering::Relaxed);
        }

        fn is_refused(&self) -> bool {
            self.1.load(Ordering::Relaxed)
        }
    }

    /// Issues numbers that end after some seconds by a clock that is ahead, or fails.
    #[derive(Debug)]
    struct Issuer {
        clock: Hand,
        ahead: i64,
        says_time: bool,
        lifetime: Mutex<Option<i64>>,
        issued: AtomicU32,
    }

    impl Issuer {
        fn new(clock: &Hand, lifetime: i64) -> Self {
            let (clock, lifetime) = (clock.clone(), Mutex::new(Some(lifetime)));
            Self { clock, ahead: 0, says_time: true, lifetime, issued: AtomicU32::new(0) }
        }

        /// `None`: fails.
        fn lifetime(&self, seconds: Option<i64>) {
            *self.lifetime.lock().unwrap() = seconds;
        }

        async fn issue(&self) -> Result<Lease<Number>> {
            let number = self.issued.fetch_add(1, Ordering::Relaxed) + 1;
            tokio::task::yield_now().await;
            let lifetime = *self.lifetime.lock().unwrap();
            let lifetime = lifetime.ok_or_else(|| Error::new(ErrorKind::Unavailable, "is down"))?;
            let now = self.clock.now() + SignedDuration::from_secs(self.ahead);
            let expires_at = Some(now + SignedDuration::from_secs(lifetime));
            Ok(Lease {
                value: Number(number, AtomicBool::new(false)),
                expires_at,
                issued_at: self.says_time.then_some(now),
            })
        }
    }

    const QUARTER: SignedDuration = SignedDuration::from_mins(15);

    async fn get(renewed: &Renewed<Number>, issuer: &Issuer) -> Result<u32> {
        renewed.get(|| issuer.issue()).await.map(|value| value.0)
    }

    #[tokio::test]
    async fn a_value_is_renewed_before_its_end() {
        let clock = Hand::new();
        let (renewed, issuer) = (Renewed::new(Arc::new(clock.clone()), QUARTER), Issuer::new(&clock, 3600));
        assert_eq!(get(&renewed, &issuer).await.unwrap(), 1);
        clock.pass(45 * 60 - 1);
        assert_eq!(get(&renewed, &issuer).await.unwrap(), 1);
        clock.pass(1);
        assert_eq!(get(&renewed, &issuer).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_short_one_is_not_renewed_at_every_call() {
        let clock = Hand::new();
        let (renewed, issuer) = (Renewed::new(Arc::new(clock.clone()), QUARTER), Issuer::new(&clock, 900));
        for (pass, number) in [(0, 1), (599, 1), (1, 2)] {
            clock.pass(pass);
            assert_eq!(get(&renewed, &issuer).await.unwrap(), number, "after {pass}");
        }
    }

    #[tokio::test]
    async fn who_asks_at_the_same_time_waits_for_one_fetch() {
        let clock = Hand::new();
        let (renewed, issuer) = (Renewed::new(Arc::new(clock.clone()), QUARTER), Issuer::new(&clock, 3600));
        let all = futures_util::future::join_all((0..50).map(|_| get(&renewed, &issuer))).await;
        assert!(all.into_iter().all(|value| value.unwrap() == 1));
        // While one renews it, the others use the old one.
        clock.pass(50 * 60);
        let all = futures_util::future::join_all((0..50).map(|_| get(&renewed, &issuer))).await;
        let all: Vec<_> = all.into_iter().map(Result::unwrap).collect();
        assert_eq!((all[0], issuer.issued.load(Ordering::Relaxed)), (2, 2));
        assert!(all[1..].iter().all(|value| *value == 1), "{all:?}");
    }

    #[tokio::test]
    async fn a_failure_is_told_to_those_who_waited_and_not_kept() {
        let clock = Hand::new();
        let (renewed, issuer) = (Renewed::new(Arc::new(clock.clone()), QUARTER), Issuer::new(&clock, 3600));
        issuer.lifetime(None);
        let all = futures_util::future::join_all((0..50).map(|_| get(&renewed, &issuer))).await;
        assert!(all.into_iter().all(|result| result.unwrap_err().kind() == ErrorKind::Unavailable));
        assert_eq!(issuer.issued.load(Ordering::Relaxed), 1);
        issuer.lifetime(Some(3600));
        assert_eq!(get(&renewed, &issuer).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn the_old_value_is_used_to_its_end_while_there_is_no_new_one() {
        let clock = Hand::new();
        let (renewed, issuer) = (Renewed::new(Arc::new(clock.clone()), QUARTER), Issuer::new(&clock, 3600));
        assert_eq!(get(&renewed, &issuer).await.unwrap(), 1);
        issuer.lifetime(None);
        clock.pass(50 * 60);
        // One try, then none until the pause is over.
        for (pass, tries) in [(0, 2), (29, 2), (1, 3)] {
            clock.pass(pass);
            assert_eq!(get(&renewed, &issuer).await.unwrap(), 1);
            assert_eq!(issuer.issued.load(Ordering::Relaxed), tries);
        }
        clock.pass(10 * 60);
        assert_eq!(get(&renewed, &issuer).await.unwrap_err().kind(), ErrorKind::Unavailable);
        issuer.lifetime(Some(3600));
        assert_eq!(get(&renewed, &issuer).await.unwrap(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_renewal_that_hangs_goes_on_with_the_old_value() {
        let clock = Hand::new();
        let (renewed, issuer) = (Renewed::new(Arc::new(clock.clone()), QUARTER), Issuer::new(&clock, 3600));
        assert_eq!(get(&renewed, &issuer).await.unwrap(), 1);
        clock.pass(50 * 60);
        let hangs = || std::future::pending::<Result<Lease<Number>>>();
        // Cut short by the caller.
        let cut = timeout(Duration::from_secs(2), renewed.get(hangs)).await;
        assert!(cut.is_err());
        assert_eq!(renewed.get(hangs).await.unwrap().0, 1);
        // By itself, after the pause.
        clock.pass(30);
        let before = tokio::time::Instant::now();
        assert_eq!(renewed.get(hangs).await.unwrap().0, 1);
        assert_eq!(before.elapsed(), PATIENCE);
        clock.pass(30);
        assert_eq!(get(&renewed, &issuer).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_clock_that_is_off_by_a_day_makes_no_difference_where_the_issuer_says_its_time() {
        for ahead in [-86_400, 86_400] {
            let clock = Hand::new();
            let issuer = Issuer { ahead, ..Issuer::new(&clock, 3600) };
            let renewed = Renewed::new(Arc::new(clock.clone()), QUARTER);
            for (pass, number) in [(0, 1), (44 * 60, 1), (60, 2)] {
                clock.pass(pass);
                assert_eq!(get(&renewed, &issuer).await.unwrap(), number, "{ahead}, after {pass}");
            }
        }
        let clock = Hand::new();
        let issuer = Issuer { ahead: -86_400, says_time: false, ..Issuer::new(&clock, 3600) };
        let error = get(&Renewed::new(Arc::new(clock), QUARTER), &issuer).await.unwrap_err();
        assert!(
            error.message().ends_with("ended at 2026-01-01T04:00:00Z, by this machine's clock"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_refused_value_is_not_used_again() {
        let clock = Hand::new();
        let (renewed, issuer) = (Renewed::new(Arc::new(clock.clone()), QUARTER), Issuer::new(&clock, 3600));
        let refused = renewed.get(|| issuer.issue()).await.unwrap();
        refused.refuse();
        assert_eq!(get(&renewed, &issuer).await.unwrap(), 2);
        // Said again by another who was refused with it.
        refused.refuse();
        assert_eq!(get(&renewed, &issuer).await.unwrap(), 2);
        renewed.get(|| issuer.issue()).await.unwrap().refuse();
        issuer.lifetime(None);
        assert!(get(&renewed, &issuer).await.is_err());
    }
}
