//! Stopping: what is in flight is finished, nothing new is begun, and nothing can hold it up.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use record_callback_mock::{AliyunEvent, AliyunSender, Delivery};
use record_callback_receiver::{EventSink, Kept, Limits, Received, SinkError, SinkErrorKind};
use tokio::net::TcpStream;

use super::support::{
    ALIYUN, ALIYUN_ACKNOWLEDGEMENT, AT, KEY, Server, TestSink, aliyun, limits, poll, post, signed, within,
};

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(600);

async fn server(sink: &Arc<TestSink>, limits: Limits) -> Server {
    Server::start(sink, |receiver, host| receiver.source(aliyun(host, signed(&[KEY]))).limits(limits)).await
}

fn file(server: &Server) -> Delivery {
    AliyunSender::new(server.url(ALIYUN)).key(KEY).prepare(&AliyunEvent::file(AT.0, AT.1, AT.2))
}

async fn is_closed(sink: &TestSink) -> bool {
    sink.check().await.is_err_and(|error| error.kind() == SinkErrorKind::Closed)
}

#[tokio::test]
async fn a_delivery_in_flight_is_kept_and_acknowledged() {
    let sink = TestSink::blocked();
    let patient = limits(|limits| {
        (limits.keep_timeout, limits.drain, limits.header_timeout) = (LONG, LONG, LONG);
    });
    let server = server(&sink, patient).await;
    let delivery = file(&server);
    let mut idle = server.connect().await;
    let mut used = server.connect().await;
    used.write("GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(used.answer().await.unwrap().body, "ok\n");
    let mut in_flight = server.connect().await;
    in_flight.write(post(&delivery)).await;
    sink.wait_for_calls(1).await;

    let addr = server.addr;
    let serving = server.stop();
    poll(async || TcpStream::connect(addr).await.err()).await;
    idle.closed().await;
    used.closed().await;
    assert!(!serving.is_finished());
    assert!(!is_closed(&sink).await);

    sink.let_through(1);
    let answer = in_flight.answer().await.unwrap();
    answer.is_acknowledged(ALIYUN_ACKNOWLEDGEMENT);
    assert_eq!(answer.header("connection"), Some("close"));
    within(serving).await.unwrap();
    assert_eq!(sink.memory.records().len(), 1);
    assert!(is_closed(&sink).await);
}

#[tokio::test]
async fn a_body_on_its_way_is_waited_for() {
    let sink = TestSink::blocked();
    sink.let_through(1);
    let server = server(&sink, limits(|limits| (limits.body_timeout, limits.drain) = (LONG, LONG))).await;
    let delivery = file(&server);
    let request = post(&delivery).replacen("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n", 1);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut connection = server.connect().await;
    connection.write(format!("{head}\r\n\r\n")).await;
    // The receiver waits for the body.
    assert_eq!(connection.answer().await.unwrap().status, 100);
    let addr = server.addr;
    let serving = server.stop();
    poll(async || TcpStream::connect(addr).await.err()).await;
    connection.write(body).await;
    connection.answer().await.unwrap().is_acknowledged(ALIYUN_ACKNOWLEDGEMENT);
    within(serving).await.unwrap();
    assert_eq!(sink.memory.records().len(), 1);
}

#[tokio::test]
async fn neither_a_stuck_sink_nor_a_slow_sender_holds_it_up_for_ever() {
    let sink = TestSink::blocked();
    let impatient = limits(|limits| {
        (limits.keep_timeout, limits.header_timeout, limits.body_timeout) = (LONG, LONG, LONG);
        limits.drain = SHORT;
    });
    let server = server(&sink, impatient).await;
    let mut stuck = server.connect().await;
    stuck.write(post(&file(&server))).await;
    sink.wait_for_calls(1).await;
    let mut slow = server.connect().await;
    slow.write("POST /callbacks/aliyun HTTP/1.1\r\nhost: te").await;
    within(server.stop()).await.unwrap();
    assert!(is_closed(&sink).await);

    // What comes to the sink after that is refused, not acknowledged and forgotten.
    sink.let_through(1);
    if let Some(answer) = stuck.answer().await {
        answer.is_refused(503, "closed");
    }
    assert!(sink.memory.records().is_empty());
}

/// Never finishes closing, as a pipe that nobody reads.
#[derive(Debug)]
struct Stuck;

#[async_trait]
impl EventSink for Stuck {
    async fn keep(&self, _: Received) -> Result<Kept, SinkError> {
        Ok(Kept::New)
    }

    async fn check(&self) -> Result<(), SinkError> {
        Ok(())
    }

    async fn depth(&self) -> Result<Option<u64>, SinkError> {
        Ok(None)
    }

    fn recognises_duplicates(&self) -> bool {
        false
    }

    async fn close(&self) {
        std::future::pending::<()>().await;
    }
}

#[tokio::test]
async fn a_sink_that_does_not_close_is_left_alone() {
    let server = Server::start(&Arc::new(Stuck), |receiver, host| {
        receiver.source(aliyun(host, signed(&[KEY]))).limits(limits(|limits| limits.drain = SHORT))
    })
    .await;
    within(server.stop()).await.unwrap();
}

#[tokio::test]
async fn it_stops_while_every_place_for_a_connection_is_taken() {
    let sink = TestSink::blocked();
    let full = limits(|limits| (limits.connections, limits.header_timeout, limits.drain) = (1, LONG, LONG));
    let server = server(&sink, full).await;
    let mut first = server.connect().await;
    first.write("GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(first.answer().await.unwrap().status, 200);
    let mut waiting = server.connect().await;
    waiting.write(post(&file(&server))).await;
    within(server.stop()).await.unwrap();
    first.closed().await;
    // Never accepted, so the cloud knows that it was not delivered.
    assert!(waiting.answer().await.is_none());
}

#[tokio::test]
async fn an_idle_server_stops_at_once() {
    let sink = TestSink::blocked();
    let server = server(&sink, limits(|limits| limits.drain = LONG)).await;
    within(server.stop()).await.unwrap();
    assert!(is_closed(&sink).await);
}

#[tokio::test]
async fn a_receiver_whose_sink_is_closed_refuses_and_still_stops() {
    let sink = TestSink::blocked();
    sink.let_through(1);
    let server = server(&sink, Limits::default()).await;
    sink.close().await;
    server.post(&file(&server)).await.is_refused(503, "closed");
    server.get("/readyz").await.is_refused(503, "closed");
    within(server.stop()).await.unwrap();
    assert!(sink.memory.records().is_empty());
}
