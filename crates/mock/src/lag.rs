//! State whose readers are late.

use std::{collections::VecDeque, ops::Deref};

use jiff::{SignedDuration, Timestamp};

/// A state that can also be seen as it was some time ago. Dereferences to the current one.
#[derive(Debug)]
pub(crate) struct Lagging<S> {
    current: S,
    lag: SignedDuration,
    /// What the state was before each change and when it changed, the oldest first.
    past: VecDeque<(Timestamp, S)>,
}

impl<S: Clone> Lagging<S> {
    pub(crate) fn new(state: S, lag_milliseconds: u32) -> Self {
        Self {
            current: state,
            lag: SignedDuration::from_millis(lag_milliseconds.into()),
            past: VecDeque::new(),
        }
    }

    /// The current state, to be changed. Copied only if there is a lag.
    pub(crate) fn change(&mut self, now: Timestamp) -> &mut S {
        if self.lag.is_positive() {
            let seen = self.seen_at(now);
            self.past.retain(|(until, _)| *until > seen);
            // Of several changes at one moment, only what was before the first can be seen.
            if self.past.back().is_none_or(|(until, _)| *until != now) {
                self.past.push_back((now, self.current.clone()));
            }
        }
        &mut self.current
    }

    /// The state as readers see it.
    pub(crate) fn seen(&self, now: Timestamp) -> &S {
        let seen = self.seen_at(now);
        self.past.iter().find(|(until, _)| seen < *until).map_or(&self.current, |(_, state)| state)
    }

    fn seen_at(&self, now: Timestamp) -> Timestamp {
        now.saturating_sub(self.lag).unwrap_or(now)
    }
}

impl<S> Deref for Lagging<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.current
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(milliseconds).unwrap()
    }

    #[test]
    fn readers_see_what_was() {
        let mut state = Lagging::new(0, 40);
        *state.change(at(100)) = 1;
        *state.change(at(100)) = 2;
        *state.change(at(120)) = 3;
        assert_eq!(*state, 3);
        let seen = [100, 139, 140, 159, 160, 200].map(|now| *state.seen(at(now)));
        assert_eq!(seen, [0, 0, 2, 2, 3, 3]);

        *state.change(at(500)) = 4;
        assert_eq!(state.past, [(at(500), 3)], "what nobody can see any more is forgotten");
    }

    #[test]
    fn without_a_lag_nothing_is_kept() {
        let mut state = Lagging::new(0, 0);
        *state.change(at(100)) = 1;
        assert_eq!(*state.seen(at(100)), 1);
        assert!(state.past.is_empty());
    }
}
