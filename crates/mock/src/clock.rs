//! The server's clock, and the time formats of the two vendors.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};

use crate::lock::lock;

/// `2026-01-02T03:04:05Z`, what both clouds put into answers and Aliyun into requests.
pub(crate) const EXTENDED: &str = "%Y-%m-%dT%H:%M:%SZ";
/// `2026-01-02T03:04:05.678Z`.
pub(crate) const EXTENDED_MILLISECONDS: &str = "%Y-%m-%dT%H:%M:%S%.3fZ";
/// `20260102T030405Z`, the form of Huawei Cloud's `X-Sdk-Date`.
pub(crate) const BASIC: &str = "%Y%m%dT%H%M%SZ";

pub(crate) fn format(at: Timestamp, format: &str) -> String {
    at.strftime(format).to_string()
}

/// Reads a time written exactly as `format` writes it; any other spelling of the same moment is `None`.
pub(crate) fn parse(value: &str, exactly: &str) -> Option<Timestamp> {
    value.parse().ok().filter(|at| format(*at, exactly) == value)
}

/// What a mock takes for the current time: signature windows, nonces, token lifetimes, quotas and timestamps in
/// answers all follow it. Clones share one setting, so a test keeps a clone and moves the mock's time.
///
/// ```
/// use jiff::SignedDuration;
/// use record_callback_mock::Clock;
///
/// let clock = Clock::fixed("2026-01-02T03:04:05Z".parse()?);
/// clock.advance(SignedDuration::from_mins(16));
/// assert_eq!(clock.now().to_string(), "2026-01-02T03:20:05Z");
/// # Ok::<(), jiff::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Clock(Arc<Mutex<Setting>>);

#[derive(Debug, Clone, Copy)]
enum Setting {
    System { ahead: SignedDuration },
    Fixed(Timestamp),
}

impl Clock {
    /// The computer's own time.
    pub fn system() -> Self {
        Self::with(Setting::System { ahead: SignedDuration::ZERO })
    }

    /// A clock that stands still until it is moved.
    pub fn fixed(at: Timestamp) -> Self {
        Self::with(Setting::Fixed(at))
    }

    fn with(setting: Setting) -> Self {
        Self(Arc::new(Mutex::new(setting)))
    }

    /// The current time of this clock.
    pub fn now(&self) -> Timestamp {
        match *lock(&self.0) {
            Setting::System { ahead } => shifted(Timestamp::now(), ahead),
            Setting::Fixed(at) => at,
        }
    }

    /// Stops the clock at `at`.
    pub fn set(&self, at: Timestamp) {
        *lock(&self.0) = Setting::Fixed(at);
    }

    /// Lets the clock run, so far ahead of the computer's, or behind it when `by` is negative.
    pub fn run_ahead(&self, by: SignedDuration) {
        *lock(&self.0) = Setting::System { ahead: by };
    }

    /// Moves the clock forward, or back when `by` is negative. A running clock keeps running.
    pub fn advance(&self, by: SignedDuration) {
        let mut setting = lock(&self.0);
        *setting = match *setting {
            Setting::System { ahead } => Setting::System { ahead: ahead.saturating_add(by) },
            Setting::Fixed(at) => Setting::Fixed(shifted(at, by)),
        };
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

fn shifted(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_spelling_is_read() {
        assert!(parse("2026-01-02T03:04:05Z", EXTENDED).is_some());
        for other in
            ["2026-01-02T03:04:05+00:00", "2026-01-02 03:04:05Z", "2026-01-02T03:04:05.000Z", "now", ""]
        {
            assert_eq!(parse(other, EXTENDED), None, "{other}");
        }
        assert_eq!(parse("20260102T030405Z", BASIC), parse("2026-01-02T03:04:05Z", EXTENDED));
        assert_eq!(parse("2026-01-02T03:04:05Z", BASIC), None);
    }

    #[test]
    fn clones_share_the_setting_and_a_running_clock_keeps_running() {
        let clock = Clock::system();
        let before = Timestamp::now();
        clock.clone().advance(SignedDuration::from_hours(1));
        assert!(clock.now().duration_since(before) >= SignedDuration::from_hours(1));
        clock.set(Timestamp::UNIX_EPOCH);
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
    }
}
