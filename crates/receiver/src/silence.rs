//! Sources that are expected to send and do not.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use record_callback_core::{SignedDuration, Timestamp};
use tracing::{info, warn};

/// Since when a source has been silent. It goes on when the source is replaced by one of the same name.
#[derive(Debug)]
pub(crate) struct Silence {
    source: Arc<str>,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    since: Timestamp,
    is_told: bool,
}

impl Silence {
    /// Begins at `now`, as if there were an event then.
    pub(crate) fn new(source: Arc<str>, now: Timestamp) -> Self {
        Self { source, state: Mutex::new(State { since: now, is_told: false }) }
    }

    /// Takes note of an event at `now`.
    pub(crate) fn end(&self, now: Timestamp) {
        let before = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let before = *state;
            *state = State { since: now.max(before.since), is_told: false };
            before
        };
        if before.is_told {
            let lasted = rounded(now.duration_since(before.since));
            info!(source = %self.source, "{}: an event again, after {lasted:#}", self.source);
        }
    }

    /// Tells whether there was no event for longer than `expected`, and warns of each such silence once.
    pub(crate) fn check(&self, expected: Duration, now: Timestamp) -> bool {
        let lasted = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let lasted = now.duration_since(state.since);
            if lasted <= signed(expected) {
                // So it is, too, after the expectation was changed.
                state.is_told = false;
                return false;
            }
            if state.is_told {
                return true;
            }
            state.is_told = true;
            rounded(lasted)
        };
        let expected = signed(expected);
        warn!(source = %self.source, "{}: no event for {lasted:#} (expected within {expected:#})", self.source);
        true
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

/// Whole seconds: the rest tells nobody anything.
fn rounded(duration: SignedDuration) -> SignedDuration {
    SignedDuration::from_secs(duration.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_told_once_until_there_is_an_event() {
        let at = |seconds: i64| Timestamp::from_second(1_767_323_045 + seconds).unwrap();
        let expected = Duration::from_secs(60);
        let silence = Silence::new("live".into(), at(0));
        let is_told = |silence: &Silence| silence.state.lock().unwrap().is_told;
        assert!(!silence.check(expected, at(60)) && !is_told(&silence));
        assert!(silence.check(expected, at(61)) && is_told(&silence));
        silence.end(at(70));
        assert!(!is_told(&silence) && !silence.check(expected, at(130)));
        assert!(silence.check(expected, at(131)));
        // A delivery that took longer than a later one does not turn the time back.
        silence.end(at(200));
        silence.end(at(150));
        assert!(!silence.check(expected, at(260)));
        // The longest there is overflows nothing.
        assert!(!silence.check(Duration::MAX, at(1_000_000)));
    }
}
