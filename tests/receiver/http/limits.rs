//! What is too much: bodies too long or too slow, too many requests, a sink that takes too long.

use std::sync::Arc;
use std::time::Duration;

use record_callback::SignaturePolicy;
use record_callback_mock::{AliyunEvent, AliyunSender, Delivery};
use record_callback_receiver::{Limits, MemorySink};
use tokio::time::timeout;

use super::support::{
    ALIYUN, ALIYUN_ACKNOWLEDGEMENT, AT, KEY, Mode, Server, TestSink, aliyun, limits, post, post_but, request,
    signed, within,
};

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(600);

fn chunked(bytes: usize) -> String {
    let chunk = format!("a\r\n{}\r\n", "x".repeat(10)).repeat(bytes / 10);
    format!("POST {ALIYUN} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{chunk}0\r\n\r\n")
}

async fn unsigned(mode: Mode, memory: &Arc<MemorySink>, limits: Limits) -> Server {
    Server::start_as(mode, memory, |receiver, host| {
        receiver.source(aliyun(host, SignaturePolicy::unsigned())).limits(limits)
    })
    .await
}

fn file(server: &Server) -> Delivery {
    AliyunSender::new(server.url(ALIYUN)).key(KEY).prepare(&AliyunEvent::file(AT.0, AT.1, AT.2))
}

#[tokio::test]
async fn a_body_may_be_as_long_as_the_limit_however_it_comes() {
    for mode in Mode::BOTH {
        let memory = Arc::new(MemorySink::new());
        let server = unsigned(mode, &memory, limits(|limits| limits.body = 100)).await;
        let declared = |bytes: usize| request("POST", ALIYUN, &[], &"x".repeat(bytes));
        for good in [declared(100), chunked(100), declared(0), chunked(0)] {
            server.ask(good).await.is_acknowledged(ALIYUN_ACKNOWLEDGEMENT);
        }
        assert_eq!(memory.records()[1].event.raw.as_bytes(), "x".repeat(100).as_bytes());
        for bad in [declared(101), chunked(110)] {
            server.ask(bad).await.is_refused(413, "too_large");
        }
        assert_eq!(memory.records().len(), 4);
    }
}

#[tokio::test]
async fn a_body_that_is_declared_too_long_is_not_waited_for() {
    let memory = Arc::new(MemorySink::new());
    let server = unsigned(Mode::Served, &memory, limits(|limits| limits.body_timeout = LONG)).await;
    for expects in ["", "expect: 100-continue\r\n"] {
        let mut connection = server.connect().await;
        connection
            .write(format!("POST {ALIYUN} HTTP/1.1\r\nhost: a\r\n{expects}content-length: 65537\r\n\r\n"))
            .await;
        connection.answer().await.unwrap().is_refused(413, "too_large");
        connection.closed().await;
    }
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_not_waited_for_long() {
    for mode in Mode::BOTH {
        let memory = Arc::new(MemorySink::new());
        let server = unsigned(mode, &memory, limits(|limits| limits.body_timeout = SHORT)).await;
        let (most, _) = post_but(&file(&server), 1);
        let held = chunked(100).replace("0\r\n\r\n", "");
        for slow in [most, held] {
            let mut connection = server.connect().await;
            connection.write(slow).await;
            connection.answer().await.unwrap().is_refused(408, "too_slow");
            // Else the rest of the body would be taken for a request.
            connection.closed().await;
        }
        assert!(memory.records().is_empty());
    }
}

#[tokio::test]
async fn a_body_in_pieces_is_put_together() {
    let memory = Arc::new(MemorySink::new());
    let server = unsigned(Mode::Served, &memory, limits(|limits| limits.body_timeout = LONG)).await;
    let delivery = file(&server);
    let mut connection = server.connect().await;
    for byte in post(&delivery).as_bytes() {
        connection.write([*byte]).await;
    }
    connection.answer().await.unwrap().is_acknowledged(ALIYUN_ACKNOWLEDGEMENT);
    assert_eq!(memory.records()[0].event.raw.as_bytes(), delivery.body.as_bytes());
}

#[tokio::test]
async fn one_request_more_than_are_worked_on_waits_for_a_place() {
    for mode in Mode::BOTH {
        let sink = TestSink::blocked();
        let server = Server::start_as(mode, &sink, |receiver, host| {
            let limits = limits(|limits| (limits.requests, limits.keep_timeout) = (1, LONG));
            receiver.source(aliyun(host, signed(&[KEY]))).limits(limits)
        })
        .await;
        let mut first = server.connect().await;
        first.write(post(&file(&server))).await;
        sink.wait_for_calls(1).await;
        let mut second = server.connect().await;
        second.write(post(&file(&server))).await;
        // The time is for a receiver that does not keep to its limit.
        assert!(timeout(SHORT, second.answer()).await.is_err());
        assert_eq!(sink.calls(), 1);
        // There is nothing to wait for.
        server.get(ALIYUN).await.is_refused(405, "method");
        sink.let_through(2);
        for connection in [&mut first, &mut second] {
            connection.answer().await.unwrap().is_acknowledged(ALIYUN_ACKNOWLEDGEMENT);
        }
        assert_eq!((sink.calls(), sink.memory.records().len()), (2, 2));
    }
}

#[tokio::test]
async fn who_waits_too_long_for_a_place_is_sent_away() {
    for mode in Mode::BOTH {
        let memory = Arc::new(MemorySink::new());
        let server =
            unsigned(mode, &memory, limits(|limits| (limits.requests, limits.keep_timeout) = (0, SHORT)))
                .await;
        server.post(&file(&server)).await.is_refused(503, "overloaded");
        assert!(memory.records().is_empty());
    }
}

/// Anybody can send half a request.
#[tokio::test]
async fn bodies_on_their_way_take_no_place_from_others() {
    for mode in Mode::BOTH {
        let memory = Arc::new(MemorySink::new());
        let limits = limits(|limits| {
            (limits.requests, limits.body_timeout, limits.keep_timeout) = (1, LONG, SHORT * 20);
        });
        let server = unsigned(mode, &memory, limits).await;
        let mut slow = Vec::new();
        for _ in 0..3 {
            let mut connection = server.connect().await;
            let head = format!(
                "POST {ALIYUN} HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"
            );
            connection.write(head).await;
            // The receiver waits for the body.
            assert_eq!(connection.answer().await.unwrap().status, 100);
            slow.push(connection);
        }
        server.post(&file(&server)).await.is_acknowledged(ALIYUN_ACKNOWLEDGEMENT);
    }
}

#[tokio::test]
async fn headers_may_not_be_long_but_bodies_may() {
    let memory = Arc::new(MemorySink::new());
    let server = unsigned(Mode::Served, &memory, Limits::default()).await;
    let with = |header: usize, body: usize| {
        request("POST", ALIYUN, &[("x-long", &"h".repeat(header))], &"x".repeat(body))
    };
    server.ask(with(8_000, 65_536)).await.is_acknowledged(ALIYUN_ACKNOWLEDGEMENT);
    assert_eq!(memory.records()[0].event.raw.as_bytes(), "x".repeat(65_536).as_bytes());
    let mut connection = server.connect().await;
    connection.write(with(20_000, 2)).await;
    // What was not read resets the connection, and the answer may be lost.
    assert!(connection.answer().await.is_none_or(|answer| answer.status == 431));
    assert_eq!(memory.records().len(), 1);
}

#[tokio::test]
async fn who_hangs_up_gives_the_place_back() {
    let sink = TestSink::blocked();
    let server = Server::start(&sink, |receiver, host| {
        let limits = limits(|limits| (limits.requests, limits.keep_timeout) = (1, LONG));
        receiver.source(aliyun(host, signed(&[KEY]))).limits(limits)
    })
    .await;
    let mut first = server.connect().await;
    first.write(post(&file(&server))).await;
    sink.wait_for_calls(1).await;
    drop(first);
    let mut second = server.connect().await;
    second.write(post(&file(&server))).await;
    sink.wait_for_calls(2).await;
}

#[tokio::test]
async fn a_sink_that_takes_too_long_is_unavailable() {
    let sink = TestSink::blocked();
    let server = Server::start(&sink, |receiver, host| {
        receiver.source(aliyun(host, signed(&[KEY]))).limits(limits(|limits| limits.keep_timeout = SHORT))
    })
    .await;
    let delivery = file(&server);
    server.post(&delivery).await.is_refused(503, "unavailable");
    assert!(sink.memory.records().is_empty());
}

/// Whoever wants no bound sets the highest number there is.
#[tokio::test]
async fn every_limit_may_be_as_high_as_its_type_allows() {
    let memory = Arc::new(MemorySink::new());
    let highest = limits(|limits| {
        (limits.body, limits.requests, limits.connections) = (usize::MAX, usize::MAX, usize::MAX);
        (limits.body_timeout, limits.keep_timeout) = (Duration::MAX, Duration::MAX);
        (limits.decision, limits.header_timeout) = (Duration::MAX, Duration::MAX);
        limits.drain = Duration::MAX;
    });
    let server = unsigned(Mode::Served, &memory, highest).await;
    server.post(&file(&server)).await.is_acknowledged(ALIYUN_ACKNOWLEDGEMENT);
    within(server.stop()).await.unwrap();
    assert_eq!(memory.records().len(), 1);
}
