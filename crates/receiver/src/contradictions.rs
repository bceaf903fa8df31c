//! Tells whoever runs the receiver of events that contradict a kept one, once for each key.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use record_callback_core::DedupeKey;

/// The number of keys remembered: those of 4 096 events, some 200 KiB.
const KEYS: usize = 4_096;
/// The time after a line until the next may come. A forger can make up any number of keys.
const PAUSE: Duration = Duration::from_secs(1);

/// Decides which contradictions are told.
#[derive(Debug, Default)]
pub(crate) struct Contradictions(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    told: HashSet<(String, DedupeKey)>,
    last: Option<Instant>,
    untold: u64,
}

impl Contradictions {
    /// Tells whether one of `source` and `key` at time `now` is to be told, and then how many were not told before it.
    pub(crate) fn note(&self, source: &str, key: DedupeKey, now: Instant) -> Option<u64> {
        // Nothing that can panic happens under the lock.
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (source.to_owned(), key);
        if state.told.contains(&key) {
            return None;
        }
        if state.last.is_some_and(|last| now.saturating_duration_since(last) < PAUSE) {
            state.untold += 1;
            return None;
        }
        if state.told.len() >= KEYS {
            state.told.clear();
        }
        state.told.insert(key);
        state.last = Some(now);
        Some(std::mem::take(&mut state.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_told_once_and_one_a_second() {
        let contradictions = Contradictions::default();
        let start = Instant::now();
        let key = |n: u32| DedupeKey::of([Some(&*n.to_string())]);
        let note = |source: &str, n, millis| {
            contradictions.note(source, key(n), start + Duration::from_millis(millis))
        };
        assert_eq!(note("a", 1, 0), Some(0));
        assert_eq!(note("a", 1, 5_000), None, "told before");
        assert_eq!(note("b", 1, 5_000), Some(0), "another source");
        assert_eq!([note("a", 2, 5_100), note("a", 3, 5_999)], [None, None], "too soon");
        assert_eq!(note("a", 2, 6_000), Some(2));
        for n in 0..5_000 {
            assert!(note("a", 10 + n, 7_000 + u64::from(n) * 1_000).is_some());
        }
        assert!(contradictions.0.lock().unwrap().told.len() <= KEYS);
    }
}
