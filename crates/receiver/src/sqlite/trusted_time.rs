//! The time by which events are old, as far as it can be trusted.
//!
//! There is no clock but the arrival of events, and one wrong reading of it must not remove anything.

use std::time::Instant;

/// The distance that the time may have from what is due, in nanoseconds: an hour.
pub(super) const JUMP_NANOS: i64 = 3_600 * 1_000_000_000;
/// For how long a time after a jump has to go on, in nanoseconds, until it is trusted: a minute.
const CONFIRMED_NANOS: i64 = 60 * 1_000_000_000;

/// The arrival times of events, compared with how much time really passed between them.
#[derive(Debug)]
pub(super) struct TrustedTime {
    /// The last that was trusted.
    trusted: Option<Reading>,
    /// The first and last after a jump. While there are any, no time is trusted.
    doubted: Option<(i64, Reading)>,
}

/// An arrival time, and when it was read.
#[derive(Debug, Clone, Copy)]
struct Reading {
    nanos: i64,
    at: Instant,
}

impl Reading {
    /// Tells whether `next` is what a clock shows that goes on from here.
    fn goes_on_to(self, next: Self) -> bool {
        let passed = i64::try_from(next.at.saturating_duration_since(self.at).as_nanos()).unwrap_or(i64::MAX);
        let due = self.nanos.saturating_add(passed);
        // A quiet night is no jump, nor are events that all came at one moment of a test's clock.
        near(next.nanos, due) || near(next.nanos, self.nanos)
    }
}

fn near(a: i64, b: i64) -> bool {
    a.abs_diff(b) <= JUMP_NANOS.unsigned_abs()
}

impl TrustedTime {
    /// Of an inbox whose newest event arrived at `newest`. The clock may have changed since, and that event may be the one
    /// it was wrong for: the first event of a process is a jump unless it is the first of all.
    pub(super) fn new(newest: Option<i64>, at: Instant) -> Self {
        Self { trusted: None, doubted: newest.map(|nanos| (nanos, Reading { nanos, at })) }
    }

    /// Notes that an event arrived at `nanos`, which was at `at`.
    pub(super) fn note(&mut self, nanos: i64, at: Instant) {
        let reading = Reading { nanos, at };
        let is_first = self.trusted.is_none() && self.doubted.is_none();
        if is_first || self.trusted.is_some_and(|trusted| trusted.goes_on_to(reading)) {
            self.trusted = Some(reading);
            self.doubted = None;
            return;
        }
        self.doubted = match self.doubted {
            Some((first, last)) if last.goes_on_to(reading) => Some((first, reading)),
            _ => Some((nanos, reading)),
        };
        self.doubted.take_if(|(first, last)| {
            let is_confirmed = last.nanos.saturating_sub(*first) >= CONFIRMED_NANOS;
            if is_confirmed {
                self.trusted = Some(*last);
            }
            is_confirmed
        });
    }

    /// The time. `None` before the first event, and while it is in doubt.
    pub(super) fn now(&self) -> Option<i64> {
        let trusted = self.trusted.filter(|_| self.doubted.is_none());
        trusted.map(|reading| reading.nanos)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: i64 = 1_000_000_000;
    const DAY: i64 = 86_400 * SECOND;

    fn now_after(time: &mut TrustedTime, start: Instant, readings: &[(i64, u64)]) -> Option<i64> {
        for (nanos, passed) in readings {
            time.note(*nanos, start + Duration::from_secs(*passed));
        }
        time.now()
    }

    #[test]
    fn a_jump_is_trusted_after_a_minute_of_events() {
        let start = Instant::now();
        for days in [40 * DAY, -40 * DAY] {
            let mut time = TrustedTime::new(None, start);
            let mut now = |readings: &[(i64, u64)]| now_after(&mut time, start, readings);
            assert_eq!(now(&[(0, 0)]), Some(0), "the first of all");
            assert_eq!(now(&[(days, 1)]), None);
            assert_eq!(now(&[(2 * SECOND, 2)]), Some(2 * SECOND), "one wrong reading");
            assert_eq!(now(&[(days, 3), (days + 59 * SECOND, 62)]), None);
            assert_eq!(now(&[(days + 60 * SECOND, 63)]), Some(days + 60 * SECOND));
            assert_eq!(now(&[(days - DAY / 48, 64)]), Some(days - DAY / 48), "half an hour is no jump");
        }
    }

    #[test]
    fn readings_that_jump_about_are_never_trusted() {
        let start = Instant::now();
        let mut time = TrustedTime::new(None, start);
        time.note(0, start);
        for n in 1..1_000_i64 {
            time.note(n * DAY, start + Duration::from_secs(n.unsigned_abs()));
            assert_eq!(time.now(), None, "{n}");
        }
    }

    #[test]
    fn a_quiet_day_is_no_jump() {
        let start = Instant::now();
        let mut time = TrustedTime::new(None, start);
        let readings = [(0, 0), (DAY, 86_400), (9 * DAY + 60 * SECOND, 9 * 86_400)];
        for (nanos, passed) in readings {
            assert_eq!(now_after(&mut time, start, &[(nanos, passed)]), Some(nanos));
        }
    }

    #[test]
    fn a_new_process_doubts_the_clock_first() {
        let start = Instant::now();
        let mut time = TrustedTime::new(Some(40 * DAY), start);
        assert_eq!(time.now(), None);
        assert_eq!(now_after(&mut time, start, &[(0, 1)]), None, "which of the two is wrong?");
        assert_eq!(now_after(&mut time, start, &[(60 * SECOND, 61)]), Some(60 * SECOND));
        let mut time = TrustedTime::new(Some(0), start);
        assert_eq!(now_after(&mut time, start, &[(300 * SECOND, 1)]), Some(300 * SECOND), "it goes on");
        assert_eq!(now_after(&mut time, start, &[(i64::MAX, 2), (i64::MIN, 3)]), None);
    }
}
