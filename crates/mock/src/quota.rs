//! Request quotas: so many requests in a window of time.

use std::{collections::HashMap, hash::Hash, sync::Mutex, time::Duration};

use jiff::Timestamp;

use crate::lock::lock;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quota {
    pub(crate) limit: u32,
    pub(crate) window: Duration,
}

/// Counts requests per key. A window opens with the first request and forgets everything when it is over; refused
/// requests do not count.
#[derive(Debug)]
pub(crate) struct Counters<K>(Mutex<HashMap<K, Window>>);

#[derive(Debug)]
struct Window {
    opened: Timestamp,
    used: u32,
}

impl<K: Eq + Hash> Counters<K> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// Takes one request out of the quota; `false` when the window is used up.
    pub(crate) fn take(&self, key: K, quota: Quota, now: Timestamp) -> bool {
        let mut windows = lock(&self.0);
        let window = windows.entry(key).or_insert(Window { opened: now, used: 0 });
        // An age below zero (the clock was set back) does not convert and opens a new window, too.
        let open = Duration::try_from(now.duration_since(window.opened)).is_ok_and(|age| age < quota.window);
        if !open {
            *window = Window { opened: now, used: 0 };
        }
        let allowed = window.used < quota.limit;
        window.used += u32::from(allowed);
        allowed
    }

    /// How long the window stays open.
    pub(crate) fn wait(&self, key: &K, quota: Quota, now: Timestamp) -> Duration {
        let opened = lock(&self.0).get(key).map_or(now, |window| window.opened);
        let age = Duration::try_from(now.duration_since(opened)).unwrap_or_default();
        quota.window.saturating_sub(age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_closes_when_its_time_is_over() {
        let counters = Counters::new();
        let quota = Quota { limit: 2, window: Duration::from_secs(1) };
        let at = |milliseconds| Timestamp::from_millisecond(milliseconds).unwrap();
        let taken: Vec<bool> = [0, 400, 999, 1000, 1001, 1999, 500]
            .into_iter()
            .map(|ms| counters.take("a", quota, at(ms)))
            .collect();
        assert_eq!(taken, [true, true, false, true, true, false, true]);
        assert!(counters.take("b", quota, at(999)), "keys do not share a window");
        assert_eq!(counters.wait(&"b", quota, at(1299)), Duration::from_millis(700));
        assert_eq!(counters.wait(&"b", quota, at(2000)), Duration::ZERO);
    }
}
