//! What bounds a call in time, and what a call that is given up leaves behind.
//!
//! Time is paused once the request has reached the server, so that it runs on without waiting.

use std::num::NonZeroU32;
use std::time::Duration;

use record_callback_core::{Error, ErrorKind, Result};
use record_callback_http::{Answer, Quota, Quotas, RetryPolicy, Safety, Signed};
use tokio::time::{Instant, pause, resume};

use crate::server::{Server, Step};
use crate::vendor::{Caller, call, classify, quick};

const SECOND: Duration = Duration::from_secs(1);

fn one_a_minute() -> Quotas {
    Quotas::new([("things", Quota::per_minute(NonZeroU32::MIN))])
}

/// Calls, and pauses time when the server stalls.
async fn call_until_stalled(caller: &Caller, server: &Server, safety: Safety) -> Result<String> {
    let stalled = async {
        server.stalled().await;
        pause();
    };
    tokio::join!(caller.call(safety), stalled).0
}

/// An error that ends the call before anything is sent.
fn refuse_to_sign(caller: &Caller) -> Result<Signed> {
    caller.sign();
    Err(Error::new(ErrorKind::Unauthenticated, "no key"))
}

#[tokio::test]
async fn attempt_without_an_answer_times_out_and_may_have_been_applied() {
    let server = Server::start([Step::Stall]).await;
    let caller = Caller::to(&server, quick().attempt_timeout(Duration::from_millis(9_500)));
    let error = call_until_stalled(&caller, &server, Safety::Once).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(error.message(), "no answer within 9500 ms");
    assert!(error.maybe_applied());
    assert_eq!(caller.attempts(), 1);
}

#[tokio::test]
async fn deadline_cuts_an_attempt_short() {
    let server = Server::start([Step::Stall]).await;
    let retry = quick().attempts(100).deadline(8 * SECOND);
    let caller = Caller::to(&server, retry);
    let begin = Instant::now();
    let error = call_until_stalled(&caller, &server, Safety::Repeatable).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let within = error.message().strip_prefix("no answer within ").unwrap().strip_suffix(" ms").unwrap();
    assert!(within.parse::<u64>().unwrap() <= 8_000, "{error}");
    assert!(error.maybe_applied());
    assert_eq!(caller.attempts(), 1);
    assert!(begin.elapsed() >= 8 * SECOND, "{:?}", begin.elapsed());
}

#[tokio::test]
async fn deadline_bounds_all_attempts_together() {
    let server = Server::start([(); 99].map(|()| Step::Stall)).await;
    let retry = quick().attempts(99).attempt_timeout(4 * SECOND).deadline(20 * SECOND);
    let caller = Caller::to(&server, retry);
    let begin = Instant::now();
    let error = call_until_stalled(&caller, &server, Safety::Repeatable).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.maybe_applied());
    assert!((2..=6).contains(&caller.attempts()), "{} attempts", caller.attempts());
    assert!(begin.elapsed() < 21 * SECOND, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn deadline_bounds_a_signer_that_hangs() {
    let caller = Caller::new(1, Quotas::unlimited(), RetryPolicy::default().deadline(5 * SECOND));
    let begin = Instant::now();
    let sign = std::future::pending::<Result<Signed>>;
    let error = caller.pipeline.send(call(Safety::Once), sign, classify).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(!error.maybe_applied());
    assert!((5 * SECOND..6 * SECOND).contains(&begin.elapsed()));
}

#[tokio::test(start_paused = true)]
async fn waiting_for_quota_counts_against_the_deadline() {
    let caller = Caller::new(1, one_a_minute(), RetryPolicy::default().deadline(5 * SECOND));
    let begin = Instant::now();
    let refused = caller
        .pipeline
        .send(call(Safety::Once), async || refuse_to_sign(&caller), classify)
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unauthenticated);
    let late = caller.call(Safety::Once).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Timeout);
    assert_eq!(late.operation(), Some("DoThing"));
    assert!(!late.maybe_applied());
    assert_eq!(caller.attempts(), 1);
    assert!((5 * SECOND..6 * SECOND).contains(&begin.elapsed()), "{:?}", begin.elapsed());
}

/// Answers `first` and sees what comes of a second attempt that has no turn before the deadline.
async fn second_attempt_out_of_turn(first: Step) -> (Error, usize) {
    let server = Server::start([first, Step::ok("done")]).await;
    let caller = Caller::new(server.port(), one_a_minute(), quick().deadline(20 * SECOND));
    let classify_then_pause = |answer: &Answer| {
        pause();
        classify(answer)
    };
    let sent =
        caller.pipeline.send(call(Safety::Repeatable), async || Ok(caller.sign()), classify_then_pause);
    let error = sent.await.unwrap_err();
    (error, server.requests().len())
}

#[tokio::test]
async fn every_attempt_takes_a_turn_in_the_quota() {
    let (error, requests) = second_attempt_out_of_turn(Step::status(429)).await;
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(!error.maybe_applied());
    assert_eq!(requests, 1);
}

#[tokio::test]
async fn no_turn_for_a_second_attempt_does_not_hide_that_the_first_may_have_been_applied() {
    let (error, requests) = second_attempt_out_of_turn(Step::status(503)).await;
    assert!(error.maybe_applied(), "{error}");
    assert_eq!(requests, 1);
}

#[tokio::test]
async fn call_given_up_while_the_server_stalls_leaves_the_pipeline_usable() {
    let quotas = Quotas::new([("things", Quota::per_second(NonZeroU32::MIN))]);
    let server = Server::start([Step::Stall, Step::ok("done")]).await;
    let caller = Caller::new(server.port(), quotas, quick());
    let begin = Instant::now();
    tokio::select! {
        biased;
        result = caller.call(Safety::Repeatable) => unreachable!("{result:?}"),
        () = server.stalled() => {}
    }
    pause();
    let sign = async || {
        let request = caller.sign();
        resume();
        Ok(request)
    };
    let result = caller.pipeline.send(call(Safety::Repeatable), sign, classify).await;
    assert_eq!(result.unwrap(), "done");
    let second = *caller.signed().last().unwrap();
    // The first call took a turn: the second waits for the next one, and for that one only.
    assert!(second - begin < 2 * SECOND, "{:?}", second - begin);
    assert_eq!(caller.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn call_given_up_while_it_waits_for_quota_takes_nobodys_turn() {
    let quotas = Quotas::new([("things", Quota::per_second(NonZeroU32::MIN))]);
    let caller = Caller::new(1, quotas, RetryPolicy::default());
    let begin = Instant::now();
    let refused = || async {
        caller.pipeline.send(call(Safety::Once), async || refuse_to_sign(&caller), classify).await
    };
    refused().await.unwrap_err();
    for _ in 0..3 {
        assert!(tokio::time::timeout(Duration::from_millis(200), refused()).await.is_err());
    }
    refused().await.unwrap_err();
    assert_eq!(caller.attempts(), 2);
    assert!(begin.elapsed() < Duration::from_millis(1_100), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn policy_without_limits_is_no_panic() {
    let server = Server::start([Step::status(503), Step::ok("done")]).await;
    let retry = quick().attempts(u32::MAX).attempt_timeout(Duration::MAX).deadline(Duration::MAX);
    assert_eq!(Caller::to(&server, retry).call(Safety::Repeatable).await.unwrap(), "done");
}

/// A client that reads these has no time for anything else.
#[tokio::test(flavor = "multi_thread")]
async fn endless_interim_answers_end_with_the_deadline() {
    let hint = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let flood =
        || Step::Flood { head: "HTTP/1.1 100 Continue\r\n\r\n", piece: hint.repeat(4096).into_bytes() };
    let server = Server::start((0..9).map(|_| flood())).await;
    let retry = quick().attempts(9).attempt_timeout(SECOND / 2).deadline(2 * SECOND);
    let begin = Instant::now();
    let error = Caller::to(&server, retry).call(Safety::Repeatable).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(begin.elapsed() < 4 * SECOND, "{:?}", begin.elapsed());
}
