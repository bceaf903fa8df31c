//! A receiver on a free port of the loopback interface, a sink that does as it is told, and HTTP by hand.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::routing::get;
use jiff::Timestamp;
use record_callback::aliyun::AliyunCallbacks;
use record_callback::huaweicloud::HuaweicloudCallbacks;
use record_callback::{SignaturePolicy, SigningKey, SigningScheme};
use record_callback_mock::{Clock, Delivery, DeliveryPolicy, DeliveryReport};
use record_callback_receiver::{
    EventSink, Kept, Limits, MemorySink, Received, Receiver, ReceiverBuilder, SinkError, SinkErrorKind,
    Source,
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

pub(super) const KEY: &str = "Abcdefgh12345678Abcdefgh12345678";
pub(super) const OTHER_KEY: &str = "0123456789abcdefghijklmnopqrstuv";
pub(super) const ALIYUN: &str = "/callbacks/aliyun";
pub(super) const HUAWEICLOUD: &str = "/callbacks/huaweicloud";
pub(super) const ALIYUN_ACKNOWLEDGEMENT: &str = r#"{"Code":0,"Msg":"Success"}"#;
pub(super) const HUAWEICLOUD_ACKNOWLEDGEMENT: &str = r#"{"status":1,"result":"success"}"#;
/// Domain, app and stream of events.
pub(super) const AT: (&str, &str, &str) = ("live.example.com", "app1", "直播流");

/// So long that only what hangs takes longer.
const DEADLINE: Duration = Duration::from_secs(60);

pub(super) async fn within<F: Future>(future: F) -> F::Output {
    timeout(DEADLINE, future).await.expect("it hangs")
}

/// Asks again and again until there is something.
pub(super) async fn poll<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    within(async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            sleep(Duration::from_millis(2)).await;
        }
    })
    .await
}

pub(super) fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

pub(super) fn signed(keys: &[&str]) -> SignaturePolicy {
    SignaturePolicy::signed(keys.iter().map(|key| SigningKey::new(*key).unwrap())).unwrap()
}

/// The source `aliyun`, whose cloud sends to `host`.
pub(super) fn aliyun(host: &str, policy: SignaturePolicy) -> Source {
    let verifier = AliyunCallbacks::new(host, policy).unwrap().with_unsigned_questions();
    Source::new("aliyun", ALIYUN, Arc::new(verifier)).unwrap()
}

/// The source `huaweicloud`.
pub(super) fn huaweicloud(scheme: SigningScheme, policy: SignaturePolicy) -> Source {
    let verifier = HuaweicloudCallbacks::new(scheme, policy);
    Source::new("huaweicloud", HUAWEICLOUD, Arc::new(verifier)).unwrap()
}

pub(super) fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

/// Tries again at once, also after 503, which neither cloud is known not to do.
pub(super) fn stubborn() -> DeliveryPolicy {
    DeliveryPolicy::aliyun().timeout(DEADLINE).retries(5).pause(Duration::ZERO).retry_on_server_errors(true)
}

pub(super) fn once() -> DeliveryPolicy {
    stubborn().retries(0)
}

/// A sender's only attempt: status and body.
pub(super) fn answer_of(report: &DeliveryReport) -> (Option<u16>, &str) {
    assert_eq!(report.attempts.len(), 1, "{report:?}");
    (report.attempts[0].status, &report.attempts[0].body)
}

/// Keeps in memory, but after and before that does as it is told.
#[derive(Debug)]
pub(super) struct TestSink {
    pub(super) memory: MemorySink,
    /// What keeping an event waits for.
    gate: Semaphore,
    entered: watch::Sender<usize>,
    /// How many calls are still to fail, and with what.
    failing: AtomicUsize,
    failure: Failure,
    /// Is moved on by some seconds each time a call fails.
    clock: Option<Clock>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Failure {
    /// The event is not kept.
    Before(SinkErrorKind),
    /// It is kept, which nobody is told.
    AfterKeeping,
    /// It is not kept, and nobody is told anything.
    Panic,
}

impl TestSink {
    fn with(open: usize, failing: usize, failure: Failure, clock: Option<Clock>) -> Arc<Self> {
        Arc::new(Self {
            memory: MemorySink::new(),
            gate: Semaphore::new(open),
            entered: watch::Sender::new(0),
            failing: AtomicUsize::new(failing),
            failure,
            clock,
        })
    }

    /// Keeps nothing until it is [let](Self::let_through).
    pub(super) fn blocked() -> Arc<Self> {
        Self::with(0, 0, Failure::AfterKeeping, None)
    }

    /// Fails the first `n` calls, and moves `clock` each time.
    pub(super) fn failing(n: usize, failure: Failure, clock: Option<Clock>) -> Arc<Self> {
        Self::with(Semaphore::MAX_PERMITS, n, failure, clock)
    }

    pub(super) fn let_through(&self, events: usize) {
        self.gate.add_permits(events);
    }

    /// How many calls there were.
    pub(super) fn calls(&self) -> usize {
        *self.entered.borrow()
    }

    /// Waits until this many calls were made.
    pub(super) async fn wait_for_calls(&self, n: usize) {
        within(self.entered.subscribe().wait_for(|entered| *entered >= n)).await.unwrap();
    }
}

#[async_trait]
impl EventSink for TestSink {
    async fn keep(&self, received: Received) -> Result<Kept, SinkError> {
        self.entered.send_modify(|entered| *entered += 1);
        self.gate.acquire().await.unwrap().forget();
        let less = |failing: usize| failing.checked_sub(1);
        if self.failing.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_err() {
            return self.memory.keep(received).await;
        }
        if let Some(clock) = &self.clock {
            clock.advance(jiff::SignedDuration::from_secs(7));
        }
        let kind = match self.failure {
            Failure::Before(kind) => kind,
            Failure::AfterKeeping => {
                self.memory.keep(received).await?;
                SinkErrorKind::Unavailable
            }
            Failure::Panic => panic!("as told"),
        };
        Err(SinkError::new(kind, "the sink was told to fail"))
    }

    async fn check(&self) -> Result<(), SinkError> {
        self.memory.check().await
    }

    async fn depth(&self) -> Result<Option<u64>, SinkError> {
        self.memory.depth().await
    }

    fn recognises_duplicates(&self) -> bool {
        true
    }

    async fn close(&self) {
        self.memory.close().await;
    }
}

/// How a receiver is put to work.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mode {
    /// By [`Receiver::serve`].
    Served,
    /// In a server of the test's own.
    Mounted,
}

impl Mode {
    pub(super) const BOTH: [Self; 2] = [Self::Served, Self::Mounted];
}

/// What [`Mode::Mounted`] answers where there is nothing.
pub(super) const OWN_FALLBACK: &str = "the platform's own 404";

/// What asks a server to stop, and what the server waits for. Dropping the first stops it as well.
fn stop() -> (oneshot::Sender<()>, impl Future<Output = ()> + Send + 'static) {
    let (stop, stopped) = oneshot::channel();
    (stop, async {
        let _ = stopped.await;
    })
}

/// A receiver at work.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) addr: SocketAddr,
    stop: oneshot::Sender<()>,
    pub(super) serving: JoinHandle<()>,
}

impl Server {
    /// Serves what `build` adds to a receiver; it is given the host clouds send to.
    pub(super) async fn start<S: EventSink>(
        sink: &Arc<S>,
        build: impl FnOnce(ReceiverBuilder, &str) -> ReceiverBuilder,
    ) -> Self {
        Self::start_as(Mode::Served, sink, build).await
    }

    /// The same, and the receiver it serves.
    pub(super) async fn with_receiver<S: EventSink>(
        sink: &Arc<S>,
        build: impl FnOnce(ReceiverBuilder, &str) -> ReceiverBuilder,
    ) -> (Self, Receiver) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let sink: Arc<dyn EventSink> = Arc::<S>::clone(sink);
        let receiver = build(Receiver::builder(sink).with_admin_paths(), &addr.to_string()).build().unwrap();
        let (stop, stopped) = stop();
        let served = receiver.clone();
        let serving = tokio::spawn(async move { served.serve(listener, stopped).await });
        (Self { addr, stop, serving }, receiver)
    }

    pub(super) async fn start_as<S: EventSink>(
        mode: Mode,
        sink: &Arc<S>,
        build: impl FnOnce(ReceiverBuilder, &str) -> ReceiverBuilder,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let sink: Arc<dyn EventSink> = Arc::<S>::clone(sink);
        let receiver = build(Receiver::builder(sink).with_admin_paths(), &addr.to_string()).build().unwrap();
        match mode {
            Mode::Served => {
                let (stop, stopped) = stop();
                let serving = tokio::spawn(async move { receiver.serve(listener, stopped).await });
                Self { addr, stop, serving }
            }
            Mode::Mounted => {
                let app = Router::new()
                    .route("/own", get(|| async { "the platform's own page" }))
                    .merge(receiver.router())
                    .fallback(|| async { (axum::http::StatusCode::NOT_FOUND, OWN_FALLBACK) });
                Self::over(listener, app)
            }
        }
    }

    /// Serves an app of the test's own.
    pub(super) async fn of(app: Router) -> Self {
        Self::over(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap(), app)
    }

    fn over(listener: TcpListener, app: Router) -> Self {
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = stop();
        let serving = tokio::spawn(async move {
            axum::serve(listener, app).with_graceful_shutdown(stopped).await.unwrap();
        });
        Self { addr, stop, serving }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    pub(super) async fn connect(&self) -> Connection {
        self.try_connect().await.unwrap()
    }

    pub(super) async fn try_connect(&self) -> io::Result<Connection> {
        Ok(Connection::over(within(TcpStream::connect(self.addr)).await?))
    }

    /// The answer to a request on a connection of its own.
    pub(super) async fn ask(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut connection = self.connect().await;
        connection.write(request).await;
        connection.answer().await.expect("an answer")
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.ask(request("GET", path, &[], "")).await
    }

    /// Sends what a mock prepared.
    pub(super) async fn post(&self, delivery: &Delivery) -> Answer {
        self.ask(post(delivery)).await
    }

    /// Asks to stop.
    pub(super) fn stop(self) -> JoinHandle<()> {
        self.stop.send(()).unwrap();
        self.serving
    }
}

pub(super) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let line = |(name, value): &(&str, &str)| format!("{name}: {value}\r\n");
    let headers = headers.iter().map(line).collect::<Vec<_>>().concat();
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nhost: test\r\n{headers}content-length: {length}\r\n\r\n{body}")
}

/// The request a mock would send.
pub(super) fn post(delivery: &Delivery) -> String {
    let headers: Vec<_> = delivery.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    request("POST", path(&delivery.url), &headers, &delivery.body)
}

/// As [`post`], but without the last `held` bytes of the body.
pub(super) fn post_but(delivery: &Delivery, held: usize) -> (String, String) {
    let mut whole = post(delivery);
    let rest = whole.split_off(whole.len() - held);
    (whole, rest)
}

fn path(url: &str) -> &str {
    let authority = url.split_once("://").unwrap().1;
    &authority[authority.find('/').unwrap()..]
}

/// A connection a test writes and reads as it likes.
#[derive(Debug)]
pub(super) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(super) fn over(stream: TcpStream) -> Self {
        Self(BufReader::new(stream))
    }

    /// Writes, or does not when the other end is closed: what comes of it is in the answer.
    pub(super) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = within(self.0.write_all(bytes.as_ref())).await;
    }

    pub(super) async fn try_write(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        within(self.0.write_all(bytes.as_ref())).await
    }

    /// The next answer; `None` when the connection is closed instead.
    pub(super) async fn answer(&mut self) -> Option<Answer> {
        within(self.read()).await
    }

    async fn read(&mut self) -> Option<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head).await.unwrap_or(0) == 0 {
                assert_eq!(head, "", "the answer breaks off");
                return None;
            }
        }
        let mut answer = Answer::of(&head);
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.unwrap();
        answer.body = String::from_utf8(body).unwrap();
        Some(answer)
    }

    /// Everything until the connection is closed or reset.
    pub(super) async fn read_to_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = within(self.0.read_to_end(&mut bytes)).await;
        bytes
    }

    /// Waits until the other end closes the connection, which it has no more to say on.
    pub(super) async fn closed(&mut self) {
        assert_eq!(String::from_utf8_lossy(&self.read_to_end().await), "");
    }
}

/// An HTTP answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Answer {
    fn of(head: &str) -> Self {
        let (first, rest) = head.trim_end().split_once("\r\n").unwrap_or((head.trim_end(), ""));
        let mut words = first.split(' ');
        assert!(matches!(words.next(), Some("HTTP/1.1" | "HTTP/1.0")), "{first}");
        let header = |line: &str| {
            let (name, value) = line.split_once(':').expect("a header");
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        Self {
            status: words.next().expect("a status").parse().expect("a number"),
            headers: rest.lines().map(header).collect(),
            body: String::new(),
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// That this is the refusal for `reason`, and its body is nothing but that.
    pub(super) fn is_refused(&self, status: u16, reason: &str) {
        assert_eq!((self.status, &*self.body), (status, &*format!(r#"{{"error":"{reason}"}}"#)), "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert!(self.header("x-request-id").is_some(), "{self:?}");
        assert_eq!(self.header("retry-after").is_some(), status == 503, "{self:?}");
    }

    /// That this is a cloud's acknowledgement.
    pub(super) fn is_acknowledged(&self, body: &str) {
        assert_eq!((self.status, &*self.body), (200, body), "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert!(self.header("x-request-id").is_some(), "{self:?}");
    }
}
