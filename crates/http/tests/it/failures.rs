//! Connections that break at every point of an exchange.

use record_callback_core::ErrorKind;
use record_callback_http::Safety;

use crate::server::{Server, Step};
use crate::vendor::{Caller, quick};

/// The steps after which nobody knows whether the request was carried out.
fn breaking() -> [Step; 4] {
    [
        Step::CloseBeforeReading,
        Step::CloseAfterReading,
        Step::Truncate,
        Step::Respond(b"220 this is not HTTP\r\n\r\n".into()),
    ]
}

#[tokio::test]
async fn broken_exchange_is_tried_again_if_repeatable() {
    for broken in breaking() {
        let shown = format!("{broken:?}");
        let server = Server::start([broken, Step::ok("done")]).await;
        let caller = Caller::to(&server, quick());
        assert_eq!(caller.call(Safety::Repeatable).await.unwrap(), "done", "{shown}");
        assert_eq!(caller.attempts(), 2, "{shown}");
    }
}

#[tokio::test]
async fn broken_exchange_of_a_call_safe_once_may_have_been_applied() {
    for broken in breaking() {
        let shown = format!("{broken:?}");
        let server = Server::start([broken, Step::ok("done")]).await;
        let caller = Caller::to(&server, quick());
        let error = caller.call(Safety::Once).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{shown}");
        assert_eq!(error.message(), "the connection broke before the answer was complete", "{shown}");
        assert!(error.maybe_applied(), "{shown}");
        assert_eq!(caller.attempts(), 1, "{shown}");
    }
}

#[tokio::test]
async fn broken_off_answer_keeps_its_status() {
    let server = Server::start([Step::Truncate]).await;
    let error = Caller::to(&server, quick()).call(Safety::Once).await.unwrap_err();
    assert_eq!(error.status(), Some(200));
}

#[tokio::test]
async fn attempts_that_all_break_end_in_an_error() {
    let server = Server::start([(); 9].map(|()| Step::CloseAfterReading)).await;
    let caller = Caller::to(&server, quick().attempts(3));
    let error = caller.call(Safety::Repeatable).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.maybe_applied());
    assert_eq!((caller.attempts(), server.requests().len()), (3, 3));
}
