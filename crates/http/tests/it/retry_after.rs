//! Waits the cloud asks for. The clock says 2026-01-01 00:00:00 UTC.

use std::time::Duration;

use record_callback_core::{Error, ErrorKind};
use record_callback_http::{Answer, Safety};
use tokio::time::{Instant, pause, resume};

use crate::server::{Server, Step};
use crate::vendor::{Caller, call, classify, quick};

/// The longest a test takes if something waits that should not: far more than any test needs.
const LONG: Duration = Duration::from_secs(30);

/// The error of a throttled call that must not be sent again, for the wait would go beyond the deadline.
async fn given_up(headers: &[(&str, &str)]) -> Error {
    let server = Server::start([Step::answer(429, headers, ""), Step::ok("done")]).await;
    let caller = Caller::to(&server, quick());
    let result = tokio::time::timeout(LONG, caller.call(Safety::Repeatable)).await;
    let error = result.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Throttled, "{headers:?}");
    assert_eq!((caller.attempts(), server.requests().len()), (1, 1), "{headers:?}");
    error
}

/// Asserts that a throttled call is sent again after the policy's own delay of a millisecond or two.
async fn tried_again_at_once(headers: &[(&str, &str)]) {
    let server = Server::start([Step::answer(429, headers, ""), Step::ok("done")]).await;
    let caller = Caller::to(&server, quick());
    let result = tokio::time::timeout(LONG, caller.call(Safety::Repeatable)).await;
    assert_eq!(result.unwrap().unwrap(), "done", "{headers:?}");
    assert_eq!(caller.attempts(), 2, "{headers:?}");
}

/// How long, on paused time, a throttled call waits before it is sent again.
async fn waited(headers: &[(&str, &str)]) -> Duration {
    let server = Server::start([Step::answer(429, headers, ""), Step::ok("done")]).await;
    let caller = Caller::to(&server, quick());
    let answered = std::cell::Cell::new(Instant::now());
    let sign = async || {
        if caller.attempts() == 1 {
            resume();
        }
        Ok(caller.sign())
    };
    let classify = |answer: &Answer| {
        if caller.attempts() == 1 {
            pause();
            answered.set(Instant::now());
        }
        classify(answer)
    };
    let result = caller.pipeline.send(call(Safety::Repeatable), sign, classify).await;
    assert_eq!(result.unwrap(), "done");
    caller.signed()[1] - answered.get()
}

#[tokio::test]
async fn wait_beyond_the_deadline_is_not_waited_for() {
    let error = given_up(&[("Retry-After", "120")]).await;
    assert_eq!(error.retry_after(), Some(Duration::from_secs(120)));
    assert!(!error.maybe_applied());
}

#[tokio::test]
async fn wait_is_as_long_as_told() {
    let asked = Duration::from_secs(7);
    let waited = waited(&[("Retry-After", "7")]).await;
    assert!((asked..asked + Duration::from_secs(1)).contains(&waited), "{waited:?}");
}

#[tokio::test]
async fn wait_until_a_date_is_as_long_as_told() {
    let asked = Duration::from_secs(9);
    let waited = waited(&[("Retry-After", "Thu, 01 Jan 2026 00:00:09 GMT")]).await;
    assert!((asked..asked + Duration::from_secs(1)).contains(&waited), "{waited:?}");
}

#[tokio::test]
async fn date_is_compared_with_the_clock() {
    for (date, seconds) in [("Thu, 01 Jan 2026 00:02:00 GMT", 120), ("Fri, 02 Jan 2026 00:00:00 GMT", 86_400)]
    {
        let error = given_up(&[("Retry-After", date)]).await;
        assert_eq!(error.retry_after(), Some(Duration::from_secs(seconds)), "{date}");
    }
}

#[tokio::test]
async fn date_is_compared_with_the_date_of_the_answer_if_there_is_one() {
    let headers =
        [("Date", "Thu, 01 Jan 2026 05:00:00 GMT"), ("Retry-After", "Thu, 01 Jan 2026 05:02:00 GMT")];
    assert_eq!(given_up(&headers).await.retry_after(), Some(Duration::from_secs(120)));
    let headers = [("Date", "yesterday"), ("Retry-After", "Thu, 01 Jan 2026 00:02:00 GMT")];
    assert_eq!(given_up(&headers).await.retry_after(), Some(Duration::from_secs(120)));
}

#[tokio::test]
async fn server_failure_may_ask_for_a_wait_too() {
    let server = Server::start([Step::answer(503, &[("Retry-After", "120")], "")]).await;
    let error = Caller::to(&server, quick()).call(Safety::Repeatable).await.unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Unavailable, Some(Duration::from_secs(120))));
}

#[tokio::test]
async fn no_wait_and_dates_gone_by_are_tried_again_at_once() {
    for value in ["0", " 0 ", "Wed, 31 Dec 2025 23:59:59 GMT", "Sun, 06 Nov 1994 08:49:37 GMT"] {
        tried_again_at_once(&[("Retry-After", value)]).await;
    }
}

#[tokio::test]
async fn values_that_say_nothing_are_ignored() {
    for value in [
        "",
        "-1",
        "-99999999999999999999",
        "1.5",
        "soon",
        "120 seconds",
        "0x10",
        "99999999999999999999999",
        "Thu, 99 Foo 2026 99:99:99 GMT",
        "Mon, 01 Jan 2026 00:02:00 GMT", // was a Thursday
        "2026-01-01T00:02:00Z",
        "Fri, 31 Dec 9999 23:59:59 GMT", // the first day that is too late for a timestamp
        "\u{ff}",
    ] {
        tried_again_at_once(&[("Retry-After", value)]).await;
    }
}

#[tokio::test]
async fn waits_of_ages_are_not_waited_for() {
    for value in ["4294967296", "9223372036854775", "Thu, 31 Dec 9998 23:59:59 GMT"] {
        let error = given_up(&[("Retry-After", value)]).await;
        assert!(error.retry_after().unwrap() > Duration::from_secs(1 << 31), "{error:?}");
    }
}

#[tokio::test]
async fn waits_longer_than_any_clock_can_tell_are_not_waited_for() {
    for value in ["9223372036854775807", "18446744073709551615"] {
        given_up(&[("Retry-After", value)]).await;
    }
}

#[tokio::test]
async fn header_of_the_vendor_counts_milliseconds_and_goes_before_the_standard_one() {
    let error = given_up(&[("x-wait-ms", "61500"), ("Retry-After", "0")]).await;
    assert_eq!(error.retry_after(), Some(Duration::from_millis(61_500)));
    tried_again_at_once(&[("x-wait-ms", "0"), ("Retry-After", "120")]).await;
}

#[tokio::test]
async fn absurd_milliseconds_are_not_waited_for_or_ignored() {
    let error = given_up(&[("x-wait-ms", "18446744073709551615")]).await;
    assert_eq!(error.retry_after(), Some(Duration::from_millis(u64::MAX)));
    for value in ["", "-1", "1.5", "soon", "18446744073709551616"] {
        tried_again_at_once(&[("x-wait-ms", value)]).await;
    }
}
