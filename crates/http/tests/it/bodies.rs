//! How much of an answer is read.

use record_callback_core::ErrorKind;
use record_callback_http::{MAX_BODY, Safety};

use crate::server::{Server, Step};
use crate::vendor::{Caller, quick};

/// An answer in chunks of at most 10 000 bytes.
fn chunked(body: &[u8]) -> Step {
    let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in body.chunks(10_000) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    Step::Respond(bytes)
}

#[tokio::test]
async fn answers_up_to_the_limit_are_read_whole() {
    for len in [0, 1, 9_999, 10_001, MAX_BODY - 1, MAX_BODY] {
        let body: Vec<u8> = (b'a'..=b'z').cycle().take(len).collect();
        for step in [Step::answer(200, &[], &body), chunked(&body)] {
            let server = Server::start([step]).await;
            let read = Caller::to(&server, quick()).call(Safety::Repeatable).await.unwrap();
            assert!(read.as_bytes() == body, "{} of {len} bytes", read.len());
        }
    }
}

#[tokio::test]
async fn one_byte_more_is_a_protocol_error() {
    let body = vec![b'x'; MAX_BODY + 1];
    for step in [Step::answer(200, &[], &body), chunked(&body)] {
        let server = Server::start([step]).await;
        let caller = Caller::to(&server, quick().attempts(1));
        let error = caller.call(Safety::Repeatable).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::Protocol, Some(200)));
        assert_eq!(error.message(), "the answer is larger than 1048576 bytes");
        assert!(error.maybe_applied());
        assert_eq!(caller.attempts(), 1);
    }
}

#[tokio::test]
async fn answer_without_end_is_not_read_to_the_end() {
    let chunk = [b"10000\r\n".as_slice(), &vec![b'x'; 0x10000], b"\r\n"].concat();
    for (head, piece) in [
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunk),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9007199254740991\r\n\r\n", vec![b'x'; 0x10000]),
        ("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", vec![b'x'; 0x10000]),
    ] {
        let server = Server::start([Step::Flood { head, piece }]).await;
        let error = Caller::to(&server, quick()).call(Safety::Once).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{head}");
        server.hung_up().await;
    }
}

#[tokio::test]
async fn connection_works_on_after_a_refused_answer() {
    let body = vec![b'x'; MAX_BODY + 1];
    let server = Server::start([Step::answer(200, &[], &body), Step::ok("done")]).await;
    let caller = Caller::to(&server, quick());
    caller.call(Safety::Once).await.unwrap_err();
    assert_eq!(caller.call(Safety::Repeatable).await.unwrap(), "done");
}
