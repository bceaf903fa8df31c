//! Sends prepared requests as fast as they are answered, on a thread of its own.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Digits of the number that makes each body a new event.
const DIGITS: usize = 16;
const PLACE: &str = "0000000000000000";

static NUMBER: AtomicU64 = AtomicU64::new(1);

/// A request whose body has a place for a number.
#[derive(Clone)]
pub(crate) struct Prepared {
    bytes: Vec<u8>,
    place: Option<usize>,
}

impl Prepared {
    /// `body` may contain sixteen zeros, which every request replaces by a new number.
    pub(crate) fn post(path: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: cb.example.com\r\nContent-Type: application/json\r\n{headers}Content-Length: {length}\r\n\r\n"
        );
        let place = body.find(PLACE).map(|at| head.len() + at);
        Self { bytes: format!("{head}{body}").into_bytes(), place }
    }

    fn renew(&mut self) {
        if let Some(at) = self.place {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            self.bytes[at..at + DIGITS].copy_from_slice(format!("{number:0DIGITS$}").as_bytes());
        }
    }
}

/// What came of it.
pub(crate) struct Outcome {
    pub(crate) answered: u64,
    pub(crate) per_second: f64,
    /// Microseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// Sends `request` over `connections` connections, each waiting for its answers, until `enough` says so.
pub(crate) async fn run(
    addr: SocketAddr,
    request: &Prepared,
    connections: usize,
    enough: impl Fn(Duration, u64) -> bool + Clone + Send + 'static,
) -> Outcome {
    let request = request.clone();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let _ = sender.send(runtime.block_on(on_this_thread(addr, request, connections, enough)));
    });
    receiver.await.expect("the load ends")
}

async fn on_this_thread(
    addr: SocketAddr,
    request: Prepared,
    connections: usize,
    enough: impl Fn(Duration, u64) -> bool + Clone + 'static,
) -> Outcome {
    let mut streams = Vec::new();
    for _ in 0..connections {
        let stream = TcpStream::connect(addr).await.expect("a connection");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        streams.push(stream);
    }
    let answered = Rc::new(Cell::new(0));
    let start = Instant::now();
    let local = tokio::task::LocalSet::new();
    let tasks: Vec<_> = streams
        .into_iter()
        .map(|mut stream| {
            let (mut request, enough, answered) = (request.clone(), enough.clone(), Rc::clone(&answered));
            local.spawn_local(async move {
                let mut waits = Vec::new();
                let mut buffer = Vec::with_capacity(4096);
                while !enough(start.elapsed(), answered.get()) {
                    request.renew();
                    let sent = Instant::now();
                    stream.write_all(&request.bytes).await.expect("a request is sent");
                    read_answer(&mut stream, &mut buffer).await;
                    waits.push(sent.elapsed().as_nanos() as f64 / 1000.0);
                    answered.set(answered.get() + 1);
                }
                waits
            })
        })
        .collect();
    let mut waits = Vec::new();
    local
        .run_until(async {
            for task in tasks {
                waits.extend(task.await.expect("a connection works"));
            }
        })
        .await;
    let took = start.elapsed();
    waits.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize];
    Outcome {
        answered: answered.get(),
        per_second: answered.get() as f64 / took.as_secs_f64(),
        p50: at(0.5),
        p99: at(0.99),
    }
}

/// Reads one answer, which has to be of status 200 and to state its length.
async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) {
    buffer.clear();
    loop {
        let read = stream.read_buf(buffer).await.expect("an answer");
        assert!(read > 0, "the connection was closed");
        let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&buffer[..end]).expect("a head").to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.expect("a length").parse().expect("a number");
        if buffer.len() >= end + 4 + length {
            return;
        }
    }
}
