//! How often a call is sent, by what became of the attempt before and by how safe it is.

use std::collections::HashSet;

use record_callback_core::{Error, ErrorKind};
use record_callback_http::{Answer, Quotas, Safety, Signed};
use tokio::net::TcpSocket;

use crate::server::{Server, Step};
use crate::vendor::{Caller, DOMAIN, PATH, SECRET, call, classify, quick};

#[tokio::test]
async fn every_attempt_is_signed_afresh() {
    let server = Server::start([Step::status(503), Step::status(503), Step::ok("done")]).await;
    let caller = Caller::to(&server, quick());
    assert_eq!(caller.call(Safety::Repeatable).await.unwrap(), "done");
    assert_eq!(caller.attempts(), 3);
    let nonces: HashSet<String> = server.header("x-nonce").into_iter().collect();
    assert_eq!(nonces.len(), 3, "{nonces:?}");
}

#[tokio::test]
async fn requests_arrive_as_they_were_signed() {
    let server = Server::start([Step::ok("done")]).await;
    Caller::to(&server, quick()).call(Safety::Repeatable).await.unwrap();
    let requests = server.requests();
    assert!(requests[0].starts_with(&format!("GET {PATH}?signature={SECRET} HTTP/1.1\r\n")), "{requests:?}");
    assert_eq!(server.header("authorization"), [SECRET]);
    assert_eq!(server.header("host"), [format!("127.0.0.1:{}", server.port())]);
    assert!(server.header("user-agent")[0].starts_with("record-callback/"), "{requests:?}");
}

#[tokio::test]
async fn calls_and_clones_share_a_connection() {
    let server = Server::start(["1", "2", "3"].map(Step::ok)).await;
    let caller = Caller::to(&server, quick());
    for (caller, body) in [(&caller, "1"), (&caller, "2"), (&caller.clone(), "3")] {
        assert_eq!(caller.call(Safety::Repeatable).await.unwrap(), body);
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn attempts_share_a_connection() {
    let server = Server::start([Step::status(503), Step::status(429), Step::ok("done")]).await;
    Caller::to(&server, quick()).call(Safety::Repeatable).await.unwrap();
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn repeatable_call_is_sent_again_after_a_server_failure() {
    let server = Server::start([Step::status(503), Step::ok("done")]).await;
    let caller = Caller::to(&server, quick());
    assert_eq!(caller.call(Safety::Repeatable).await.unwrap(), "done");
    assert_eq!((caller.attempts(), server.requests().len()), (2, 2));
}

#[tokio::test]
async fn call_safe_once_is_not_sent_again_after_a_server_failure() {
    let server = Server::start([Step::status(503), Step::ok("done")]).await;
    let caller = Caller::to(&server, quick());
    let error = caller.call(Safety::Once).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.maybe_applied());
    assert_eq!((caller.attempts(), server.requests().len()), (1, 1));
}

#[tokio::test]
async fn call_safe_once_is_sent_again_after_it_was_throttled() {
    for throttled in [Step::status(429), Step::answer(503, &[], "throttled")] {
        let server = Server::start([throttled, Step::ok("done")]).await;
        let caller = Caller::to(&server, quick());
        assert_eq!(caller.call(Safety::Once).await.unwrap(), "done");
        assert_eq!((caller.attempts(), server.requests().len()), (2, 2));
    }
}

#[tokio::test]
async fn throttling_that_does_not_end_is_an_error_of_that_kind() {
    let server = Server::start([429; 9].map(Step::status)).await;
    let caller = Caller::to(&server, quick().attempts(3));
    let error = caller.call(Safety::Once).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Throttled);
    assert!(!error.maybe_applied());
    assert_eq!((caller.attempts(), server.requests().len()), (3, 3));
}

#[tokio::test]
async fn refused_connections_are_tried_again_for_every_call() {
    // Bound but not listening: nobody else gets the port, and connecting is refused.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let port = socket.local_addr().unwrap().port();
    for safety in [Safety::Repeatable, Safety::Once] {
        let caller = Caller::new(port, Quotas::unlimited(), quick().attempts(3));
        let error = caller.call(safety).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert_eq!(error.message(), "no connection");
        assert!(!error.maybe_applied(), "{safety:?}");
        assert_eq!(caller.attempts(), 3, "{safety:?}");
    }
}

#[tokio::test]
async fn refusals_are_not_tried_again() {
    for (status, kind) in [
        (400, ErrorKind::InvalidConfig),
        (401, ErrorKind::Protocol),
        (403, ErrorKind::Protocol),
        (404, ErrorKind::NotFound),
        (409, ErrorKind::Protocol),
    ] {
        for safety in [Safety::Repeatable, Safety::Once] {
            let refusal = Step::answer(status, &[("x-code", "No")], "");
            let server = Server::start([refusal, Step::ok("done")]).await;
            let caller = Caller::to(&server, quick());
            let error = caller.call(safety).await.unwrap_err();
            assert_eq!((error.kind(), error.status()), (kind, Some(status)));
            assert!(!error.maybe_applied(), "{status} {safety:?}");
            assert_eq!((caller.attempts(), server.requests().len()), (1, 1), "{status} {safety:?}");
        }
    }
}

#[tokio::test]
async fn what_the_cloud_refuses_was_not_carried_out_whatever_the_status() {
    for (kind, maybe_applied) in [
        (ErrorKind::NotFound, false),
        (ErrorKind::DomainNotFound, false),
        (ErrorKind::AlreadyExists, false),
        (ErrorKind::Conflict, false),
        (ErrorKind::PermissionDenied, false),
        (ErrorKind::Unauthenticated, false),
        (ErrorKind::InvalidConfig, false),
        (ErrorKind::Throttled, false),
        (ErrorKind::Unavailable, true),
        (ErrorKind::Timeout, true),
        (ErrorKind::Protocol, true),
    ] {
        for status in [200, 302, 500, 503] {
            let server = Server::start([(); 9].map(|()| Step::status(status))).await;
            let caller = Caller::to(&server, quick());
            let refuse = |_: &Answer| Err::<(), _>(Error::new(kind, "no").with_code("Known"));
            let sent = caller.pipeline.send(call(Safety::Repeatable), async || Ok(caller.sign()), refuse);
            let error = sent.await.unwrap_err();
            assert_eq!((error.kind(), error.maybe_applied()), (kind, maybe_applied), "{status}");
        }
    }
}

#[tokio::test]
async fn a_failure_the_cloud_names_may_have_been_applied_whatever_the_status() {
    for (kind, maybe_applied) in
        [(ErrorKind::Unavailable, true), (ErrorKind::Timeout, true), (ErrorKind::Protocol, false)]
    {
        let server = Server::start([Step::status(400), Step::ok("done")]).await;
        let caller = Caller::to(&server, quick());
        let fail = |_: &Answer| Err::<(), _>(Error::new(kind, "no database").with_code("Known"));
        let sent = caller.pipeline.send(call(Safety::Once), async || Ok(caller.sign()), fail);
        let error = sent.await.unwrap_err();
        assert_eq!((error.kind(), error.maybe_applied(), caller.attempts()), (kind, maybe_applied, 1));
    }
}

#[tokio::test]
async fn answers_nobody_understands_may_have_been_applied_whatever_the_status() {
    for status in [200, 307, 400, 403, 404, 429, 502] {
        let server = Server::start([Step::answer(status, &[], "<html>"), Step::ok("1")]).await;
        let caller = Caller::to(&server, quick());
        let read = |answer: &Answer| answer.json::<u32>();
        let sent = caller.pipeline.send(call(Safety::Once), async || Ok(caller.sign()), read);
        assert!(sent.await.unwrap_err().maybe_applied(), "{status}");
        assert_eq!(caller.attempts(), 1, "{status}");
    }
}

#[tokio::test]
async fn success_nobody_understands_may_have_been_applied_and_is_tried_again_if_repeatable() {
    let server = Server::start([Step::status(202), Step::ok("done")]).await;
    let caller = Caller::to(&server, quick());
    assert_eq!(caller.call(Safety::Repeatable).await.unwrap(), "done");
    for (safety, attempts) in [(Safety::Repeatable, 4), (Safety::Once, 1)] {
        let server = Server::start([202; 9].map(Step::status)).await;
        let caller = Caller::to(&server, quick());
        let error = caller.call(safety).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::Protocol, Some(202)));
        assert!(error.maybe_applied(), "{safety:?}");
        assert_eq!(caller.attempts(), attempts, "{safety:?}");
    }
}

#[tokio::test]
async fn success_in_which_the_cloud_names_a_failure_is_not_tried_again() {
    let server = Server::start([Step::answer(202, &[("x-code", "7")], ""), Step::ok("done")]).await;
    let caller = Caller::to(&server, quick());
    let error = caller.call(Safety::Repeatable).await.unwrap_err();
    assert_eq!((error.kind(), error.code(), caller.attempts()), (ErrorKind::Protocol, Some("7"), 1));
}

#[tokio::test]
async fn answers_nobody_understands_are_tried_again() {
    for (status, kind, attempts) in [
        (429, ErrorKind::Throttled, 4),
        (502, ErrorKind::Unavailable, 4),
        (200, ErrorKind::Protocol, 4),
        (404, ErrorKind::Protocol, 4),
        (403, ErrorKind::Protocol, 4),
        (307, ErrorKind::Protocol, 1),
    ] {
        let server = Server::start([(); 9].map(|()| Step::answer(status, &[], "<html>"))).await;
        let caller = Caller::to(&server, quick());
        let read = |answer: &Answer| answer.json::<u32>();
        let sent = caller.pipeline.send(call(Safety::Repeatable), async || Ok(caller.sign()), read);
        assert_eq!(sent.await.unwrap_err().kind(), kind, "{status}");
        assert_eq!(caller.attempts(), attempts, "{status}");
    }
}

#[tokio::test]
async fn redirects_say_that_they_are_but_not_where_to() {
    let server = Server::start([Step::answer(302, &[("Location", "http://h/?signature=s3cr3t")], "")]).await;
    let caller = Caller::to(&server, quick());
    let read = |answer: &Answer| answer.json::<u32>();
    let sent = caller.pipeline.send(call(Safety::Repeatable), async || Ok(caller.sign()), read);
    let error = sent.await.unwrap_err();
    assert_eq!((error.kind(), caller.attempts()), (ErrorKind::Protocol, 1));
    let message = error.message();
    assert!(message.starts_with("answered 302, a redirect, which is not followed, instead of "), "{message}");
    assert!(!message.contains("http") && error.maybe_applied(), "{message}");
}

#[tokio::test]
async fn a_policy_of_one_attempt_tries_once() {
    for attempts in [0, 1] {
        let server = Server::start([Step::status(503), Step::ok("done")]).await;
        let caller = Caller::to(&server, quick().attempts(attempts));
        assert!(caller.call(Safety::Repeatable).await.is_err());
        assert_eq!(caller.attempts(), 1);
    }
}

#[tokio::test]
async fn last_error_says_what_it_is_about_and_what_the_cloud_said() {
    let said = [("x-code", "Thing.Busy"), ("x-request-id", "R-1")];
    let server = Server::start([Step::status(500), Step::answer(503, &said, "")]).await;
    let error = Caller::to(&server, quick().attempts(2)).call(Safety::Repeatable).await.unwrap_err();
    assert_eq!(error.vendor().unwrap().as_str(), "acme");
    assert_eq!((error.operation(), error.domain()), (Some("DoThing"), Some(DOMAIN)));
    assert_eq!(
        (error.status(), error.code(), error.request_id()),
        (Some(503), Some("Thing.Busy"), Some("R-1"))
    );
    assert_eq!(
        error.to_string(),
        "acme DoThing live.example.com: not what was wanted \
         (unavailable, code Thing.Busy, status 503, request id R-1)"
    );
}

#[tokio::test]
async fn call_for_no_domain_names_none() {
    let server = Server::start([Step::status(400)]).await;
    let caller = Caller::to(&server, quick());
    let call = record_callback_http::Call { domain: None, ..call(Safety::Repeatable) };
    let error = caller.pipeline.send(call, async || Ok(caller.sign()), classify).await.unwrap_err();
    assert_eq!(error.to_string(), "acme DoThing: not what was wanted (invalid config, status 400)");
}

#[tokio::test]
async fn a_clean_refusal_does_not_hide_that_an_earlier_attempt_may_have_been_applied() {
    for lost in [Step::status(503), Step::CloseAfterReading, Step::Truncate] {
        let server = Server::start([lost, Step::status(404)]).await;
        let caller = Caller::to(&server, quick());
        let error = caller.call(Safety::Repeatable).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::NotFound, Some(404)));
        assert!(error.maybe_applied());
        assert_eq!(caller.attempts(), 2);
    }
}

#[tokio::test]
async fn who_cannot_sign_sends_nothing_and_does_not_try_again() {
    for kind in [ErrorKind::Unauthenticated, ErrorKind::Unavailable, ErrorKind::Throttled] {
        let server = Server::start([Step::ok("done")]).await;
        let caller = Caller::to(&server, quick());
        let sign = async || {
            caller.sign();
            Err::<Signed, _>(Error::new(kind, "no key"))
        };
        let error = caller.pipeline.send(call(Safety::Repeatable), sign, classify).await.unwrap_err();
        assert_eq!((error.kind(), error.message()), (kind, "no key"));
        assert_eq!((error.operation(), error.domain()), (Some("DoThing"), Some(DOMAIN)));
        assert!(!error.maybe_applied());
        assert_eq!((caller.attempts(), server.connections()), (1, 0), "{kind:?}");
    }
}

#[tokio::test]
async fn failing_to_sign_again_does_not_hide_that_the_first_attempt_may_have_been_applied() {
    let server = Server::start([Step::status(503), Step::ok("done")]).await;
    let caller = Caller::to(&server, quick());
    let sign = async || match caller.attempts() {
        0 => Ok(caller.sign()),
        _ => Err(Error::new(ErrorKind::Unauthenticated, "the key has expired")),
    };
    let error = caller.pipeline.send(call(Safety::Repeatable), sign, classify).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.maybe_applied());
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let other = Server::start([Step::ok("elsewhere")]).await;
    let location = format!("http://127.0.0.1:{}{PATH}", other.port());
    for status in [301, 302, 303, 307, 308] {
        let server = Server::start([Step::answer(status, &[("Location", &location)], "")]).await;
        let caller = Caller::to(&server, quick());
        let error = caller.call(Safety::Repeatable).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::Protocol, Some(status)));
        assert_eq!(server.requests().len(), 1);
    }
    assert_eq!(other.connections(), 0);
}
