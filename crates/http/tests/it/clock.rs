//! What is learnt about the cloud's time. The clock says 2026-01-01 00:00:00 UTC.

use record_callback_core::ErrorKind;
use record_callback_http::{Quotas, Safety};

use crate::logs;
use crate::server::{Server, Step};
use crate::vendor::{Caller, WRONG_TIME, quick};

const OURS: &str = "2026-01-01T00:00:00Z";
/// Three hours later.
const LATER: &str = "Thu, 01 Jan 2026 03:00:00 GMT";

fn refused(date: &str) -> Step {
    Step::answer(400, &[("x-code", WRONG_TIME), ("Date", date)], "")
}

#[tokio::test]
async fn call_refused_for_its_time_goes_on_with_the_clouds_and_so_do_all_after_it() {
    for safety in [Safety::Once, Safety::Repeatable] {
        let server = Server::start([refused(LATER), Step::ok("1"), Step::ok("2"), Step::ok("3")]).await;
        // The further attempt is none of the policy's.
        let caller = Caller::to(&server, quick().attempts(1));
        assert_eq!(caller.call(safety).await.unwrap(), "1");
        assert_eq!(caller.call(safety).await.unwrap(), "2");
        assert_eq!(caller.clone().call(safety).await.unwrap(), "3");
        let times = server.header("x-time");
        assert_eq!(times, [OURS, "2026-01-01T03:00:00Z", "2026-01-01T03:00:00Z", "2026-01-01T03:00:00Z"]);
        let nonces = server.header("x-nonce");
        assert_ne!(nonces[0], nonces[1]);
        let other = caller.pipeline.with_quotas(Quotas::unlimited());
        assert_eq!(other.now().to_string(), "2026-01-01T03:00:00Z");
    }
}

#[tokio::test]
async fn what_was_learnt_is_corrected_when_the_clock_is() {
    let back = "Thu, 01 Jan 2026 00:00:01 GMT";
    let server = Server::start([refused(LATER), Step::ok("1"), refused(back), Step::ok("2")]).await;
    let caller = Caller::to(&server, quick());
    assert_eq!(caller.call(Safety::Once).await.unwrap(), "1");
    assert_eq!(caller.call(Safety::Once).await.unwrap(), "2");
    assert_eq!(server.header("x-time")[3], "2026-01-01T00:00:01Z");
}

#[tokio::test]
async fn a_second_refusal_is_the_callers_and_nothing_is_learnt() {
    for date in [LATER, "Thu, 31 Dec 9998 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"] {
        let server = Server::start([refused(date), refused(date), Step::ok("done")]).await;
        let caller = Caller::to(&server, quick());
        let error = caller.call(Safety::Repeatable).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::InvalidConfig, Some(WRONG_TIME)), "{date}");
        assert!(!error.maybe_applied());
        assert_eq!(caller.attempts(), 2, "{date}");
        assert_eq!(caller.pipeline.now().to_string(), OURS, "{date}");
    }
}

#[tokio::test]
async fn times_that_hardly_differ_or_say_nothing_are_not_why_it_was_refused() {
    for date in [
        "Thu, 01 Jan 2026 00:01:00 GMT",
        "Wed, 31 Dec 2025 23:59:00 GMT",
        "",
        "soon",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "\u{ff}",
    ] {
        let server = Server::start([refused(date), Step::ok("done")]).await;
        let caller = Caller::to(&server, quick());
        assert!(caller.call(Safety::Repeatable).await.is_err(), "{date}");
        assert_eq!(caller.attempts(), 1, "{date}");
    }
    let dateless = Step::answer(400, &[("x-code", WRONG_TIME)], "");
    let server = Server::start([dateless, Step::ok("done")]).await;
    assert!(Caller::to(&server, quick()).call(Safety::Repeatable).await.is_err());
}

#[tokio::test]
async fn other_refusals_teach_nothing() {
    let server = Server::start([Step::answer(400, &[("Date", LATER)], ""), Step::ok("done")]).await;
    let caller = Caller::to(&server, quick());
    assert!(caller.call(Safety::Repeatable).await.is_err());
    assert_eq!((caller.attempts(), caller.pipeline.now().to_string().as_str()), (1, OURS));
}

#[tokio::test]
async fn a_date_anybody_on_the_way_may_have_written_teaches_nothing() {
    let server = Server::start([refused(LATER), Step::ok("done")]).await;
    // This machine, by an address that is not known to be its own.
    let caller = Caller::to_host("0.0.0.0", server.port(), Quotas::unlimited(), quick());
    let error = caller.call(Safety::Repeatable).await.unwrap_err();
    assert_eq!((error.code(), server.requests().len()), (Some(WRONG_TIME), 1));
    assert_eq!(caller.pipeline.now().to_string(), OURS);
}

#[tokio::test]
async fn a_create_that_may_have_been_carried_out_is_not_sent_again() {
    let failed = Step::answer(500, &[("x-code", WRONG_TIME), ("Date", LATER)], "");
    let server = Server::start([failed, Step::ok("done")]).await;
    let caller = Caller::to(&server, quick());
    assert!(caller.call(Safety::Once).await.unwrap_err().maybe_applied());
    assert_eq!(caller.attempts(), 1);
}

#[tokio::test]
async fn learning_is_logged_by_the_difference_alone() {
    let lines = logs::lines([refused(LATER), Step::ok("done")]).await;
    let found: Vec<_> = lines.iter().filter(|line| line.contains("took the cloud's time")).collect();
    assert_eq!(found.len(), 1, "{lines:#?}");
    assert!(found[0].ends_with("took the cloud's time difference_s=10800"), "{found:?}");
}
