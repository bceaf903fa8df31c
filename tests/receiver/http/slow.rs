//! Senders that take their time are cut off, and others do not notice.

use std::sync::Arc;
use std::time::Duration;

use record_callback::SignaturePolicy;
use record_callback_receiver::{Limits, MemorySink};
use tokio::time::{interval, timeout};

use super::support::{
    ALIYUN, ALIYUN_ACKNOWLEDGEMENT, Connection, KEY, Server, TestSink, aliyun, limits, poll, request, signed,
    within,
};

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(600);

async fn server(memory: &Arc<MemorySink>, limits: Limits) -> Server {
    Server::start(memory, |receiver, host| {
        receiver.source(aliyun(host, SignaturePolicy::unsigned())).limits(limits)
    })
    .await
}

fn short_headers() -> Limits {
    limits(|limits| limits.header_timeout = SHORT)
}

/// That somebody else is served. On a busy machine this sender may be the slow one: it tries again.
async fn others_are_served(server: &Server) {
    poll(async || {
        let mut connection = server.try_connect().await.ok()?;
        connection.write(request("POST", ALIYUN, &[], "{}")).await;
        connection.answer().await
    })
    .await
    .is_acknowledged(ALIYUN_ACKNOWLEDGEMENT);
}

#[tokio::test]
async fn half_a_request_is_cut_off_wherever_it_ends() {
    let memory = Arc::new(MemorySink::new());
    let server = server(&memory, short_headers()).await;
    let halves = [
        "",
        "PO",
        "POST /callbacks/ali",
        "POST /callbacks/aliyun HTTP/1.1\r\nhost: te",
        "POST /callbacks/aliyun HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n",
    ];
    let mut slow: Vec<Connection> = Vec::new();
    for half in halves {
        let mut connection = server.connect().await;
        connection.write(half).await;
        slow.push(connection);
    }
    others_are_served(&server).await;
    for connection in &mut slow {
        connection.closed().await;
    }
    others_are_served(&server).await;
    assert!(memory.records().iter().all(|record| record.event.raw.as_bytes() == b"{}"));
}

#[tokio::test]
async fn a_byte_now_and_then_does_not_keep_a_connection_open() {
    let memory = Arc::new(MemorySink::new());
    let server = server(&memory, short_headers()).await;
    let mut connection = server.connect().await;
    connection.write("POST /callbacks/aliyun HTTP/1.1\r\nhost: test\r\n").await;
    let mut ticks = interval(Duration::from_millis(10));
    within(async {
        loop {
            ticks.tick().await;
            if connection.try_write("x").await.is_err() {
                return;
            }
        }
    })
    .await;
    others_are_served(&server).await;
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let memory = Arc::new(MemorySink::new());
    let server = server(&memory, short_headers()).await;
    let mut connection = poll(async || {
        let mut connection = server.try_connect().await.ok()?;
        connection.write(request("POST", ALIYUN, &[], "{}")).await;
        connection.answer().await.map(|_| connection)
    })
    .await;
    connection.closed().await;
    others_are_served(&server).await;
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let memory = Arc::new(MemorySink::new());
    let server = server(&memory, Limits::default()).await;
    let mut connection = server.connect().await;
    for method in ["POST", "GET", "POST"] {
        connection.write(request(method, ALIYUN, &[], "{}")).await;
        assert_eq!(connection.answer().await.unwrap().status, if method == "POST" { 200 } else { 405 });
    }
    // Two at once.
    connection.write(request("POST", ALIYUN, &[], "{}").repeat(2)).await;
    for _ in 0..2 {
        connection.answer().await.unwrap().is_acknowledged(ALIYUN_ACKNOWLEDGEMENT);
    }
    assert_eq!(memory.records().len(), 4);
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let sink = TestSink::blocked();
    let server = Server::start(&sink, |receiver, host| {
        let limits = limits(|limits| {
            (limits.connections, limits.header_timeout, limits.keep_timeout) = (2, LONG, LONG);
        });
        receiver.source(aliyun(host, SignaturePolicy::unsigned())).limits(limits)
    })
    .await;
    let mut connections = Vec::new();
    for _ in 0..3 {
        let mut connection = server.connect().await;
        connection.write(request("POST", ALIYUN, &[], "{}")).await;
        connections.push(connection);
    }
    sink.wait_for_calls(2).await;
    let mut last = connections.pop().unwrap();
    sink.let_through(2);
    for connection in &mut connections {
        connection.answer().await.unwrap().is_acknowledged(ALIYUN_ACKNOWLEDGEMENT);
    }
    // Both connections are idle and open. The time is for a receiver that does not keep to its limit.
    assert!(timeout(Duration::from_millis(100), sink.wait_for_calls(3)).await.is_err());

    drop(connections.pop());
    sink.wait_for_calls(3).await;
    sink.let_through(1);
    last.answer().await.unwrap().is_acknowledged(ALIYUN_ACKNOWLEDGEMENT);
}

#[tokio::test]
async fn connections_that_only_wait_give_way_to_one_that_sends() {
    let memory = Arc::new(MemorySink::new());
    let limits = limits(|limits| (limits.connections, limits.header_timeout) = (2, SHORT));
    let server =
        Server::start(&memory, |receiver, host| receiver.source(aliyun(host, signed(&[KEY]))).limits(limits))
            .await;
    let mut idle = Vec::new();
    for _ in 0..4 {
        idle.push(server.connect().await);
    }
    let answer = poll(async || {
        let mut connection = server.try_connect().await.ok()?;
        connection.write(request("POST", ALIYUN, &[], "{}")).await;
        connection.answer().await
    })
    .await;
    answer.is_refused(401, "not_signed");
}

#[tokio::test]
async fn who_does_not_read_answers_is_cut_off_as_well() {
    let memory = Arc::new(MemorySink::new());
    let limits = limits(|limits| (limits.connections, limits.header_timeout) = (1, SHORT));
    let server = server(&memory, limits).await;
    let mut greedy = server.connect().await;
    let asked = "GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n".repeat(1000);
    // Until nothing goes any more, for the answers are not read.
    while timeout(Duration::from_secs(1), greedy.try_write(&asked)).await.is_ok_and(|sent| sent.is_ok()) {}
    others_are_served(&server).await;
}
