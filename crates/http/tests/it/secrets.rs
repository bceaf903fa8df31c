//! No error shows a URL, a query or a header value.

use std::error::Error as _;
use std::fmt::Write as _;
use std::num::NonZeroU32;

use record_callback_core::Error;
use record_callback_http::{MAX_BODY, Quota, Quotas, RetryPolicy, Safety};
use tokio::net::TcpSocket;
use tokio::time::pause;

use crate::server::{Server, Step};
use crate::vendor::{Caller, PATH, SECRET, quick};

/// Everything an error can show, its causes included.
fn shown(error: &Error) -> String {
    let mut shown = format!("{error}\n{error:?}\n{error:#?}\n");
    let mut source = error.source();
    while let Some(cause) = source {
        writeln!(shown, "{cause}\n{cause:?}\n{cause:#?}").unwrap();
        source = cause.source();
    }
    shown
}

fn assert_hides_the_request(what: &str, error: &Error) {
    let shown = shown(error);
    for hidden in [SECRET, PATH, "signature", "http://", "x-nonce", "authorization"] {
        assert!(!shown.contains(hidden), "{what} shows {hidden}: {shown}");
    }
}

fn one_attempt() -> RetryPolicy {
    quick().attempts(1)
}

#[tokio::test]
async fn errors_of_answers_and_broken_exchanges_hide_the_request() {
    let large = vec![b'x'; MAX_BODY + 1];
    for step in [
        Step::status(202),
        Step::answer(302, &[("Location", "http://127.0.0.1:1/acme-path?signature=s3cr3t")], ""),
        Step::status(400),
        Step::status(404),
        Step::status(429),
        Step::answer(429, &[("Retry-After", "120")], ""),
        Step::status(503),
        Step::answer(200, &[], large),
        Step::CloseBeforeReading,
        Step::CloseAfterReading,
        Step::Truncate,
        Step::Respond(b"220 this is not HTTP\r\n\r\n".into()),
        Step::Respond(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n".into()),
        Step::Respond(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\n".into()),
    ] {
        let mut what = format!("{step:?}");
        what.truncate(100);
        let server = Server::start([step]).await;
        let error = Caller::to(&server, one_attempt()).call(Safety::Repeatable).await.unwrap_err();
        assert_hides_the_request(&what, &error);
    }
}

#[tokio::test]
async fn error_of_a_refused_connection_hides_the_request() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let port = socket.local_addr().unwrap().port();
    let caller = Caller::new(port, Quotas::unlimited(), one_attempt());
    let error = caller.call(Safety::Repeatable).await.unwrap_err();
    assert!(error.source().is_some());
    assert_hides_the_request("refused", &error);
}

#[tokio::test]
async fn error_of_a_timeout_hides_the_request() {
    let server = Server::start([Step::Stall]).await;
    let caller = Caller::to(&server, one_attempt());
    let stalled = async {
        server.stalled().await;
        pause();
    };
    let (result, ()) = tokio::join!(caller.call(Safety::Repeatable), stalled);
    assert_hides_the_request("timeout", &result.unwrap_err());
}

#[tokio::test(start_paused = true)]
async fn error_of_a_missed_turn_hides_the_request() {
    let quotas = Quotas::new([("things", Quota::per_minute(NonZeroU32::MIN))]);
    let caller = Caller::new(1, quotas, RetryPolicy::none().deadline(std::time::Duration::from_secs(1)));
    let hang = || std::future::pending();
    let call = crate::vendor::call(Safety::Once);
    caller.pipeline.send(call, hang, crate::vendor::classify).await.unwrap_err();
    assert_hides_the_request("no turn", &caller.call(Safety::Once).await.unwrap_err());
}

#[tokio::test]
async fn debug_of_the_pipeline_shows_no_secret() {
    let server = Server::start([Step::ok("done")]).await;
    let caller = Caller::to(&server, quick());
    caller.call(Safety::Repeatable).await.unwrap();
    assert!(!format!("{:?}", caller.pipeline).contains(SECRET));
}
