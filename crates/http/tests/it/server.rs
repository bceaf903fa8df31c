//! A TCP server that answers every request with the next step of a script.
//!
//! It reads requests without a body only, and keeps connections open.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};

#[derive(Debug)]
pub(crate) enum Step {
    /// Sends these bytes.
    Respond(Vec<u8>),
    /// Closes the connection before anything is read.
    CloseBeforeReading,
    /// Resets the connection once the request has arrived.
    CloseAfterReading,
    /// Promises more bytes than it sends, then closes.
    Truncate,
    /// Never answers.
    Stall,
    /// Begins an answer, then never ends: sends these bytes, and this piece again and again.
    Flood { head: &'static str, piece: Vec<u8> },
}

impl Step {
    pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut text = format!("HTTP/1.1 {status} Status\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            write!(text, "{name}: {value}\r\n").unwrap();
        }
        let mut bytes = (text + "\r\n").into_bytes();
        bytes.extend_from_slice(body);
        Self::Respond(bytes)
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::answer(status, &[], "")
    }

    pub(crate) fn ok(body: &str) -> Self {
        Self::answer(200, &[], body)
    }
}

#[derive(Debug)]
pub(crate) struct Server {
    port: u16,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    script: Mutex<VecDeque<Step>>,
    heads: Mutex<Vec<String>>,
    connections: AtomicUsize,
    stalled: Notify,
    hung_up: Notify,
}

impl Server {
    pub(crate) async fn start(script: impl IntoIterator<Item = Step>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State { script: Mutex::new(script.into_iter().collect()), ..State::default() });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&state)));
        Self { port, state, accepting }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The heads of the requests that arrived.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.heads.lock().unwrap().clone()
    }

    /// The value each request has for a header.
    pub(crate) fn header(&self, name: &str) -> Vec<String> {
        let value = |head: &String| {
            let (_, value) =
                head.lines().filter_map(|line| line.split_once(": ")).find(|(n, _)| *n == name)?;
            Some(value.to_owned())
        };
        self.requests().iter().map(|head| value(head).unwrap_or_default()).collect()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Waits until a request has arrived that gets no answer.
    pub(crate) async fn stalled(&self) {
        self.state.stalled.notified().await;
    }

    /// Waits until the client has closed a connection on which the answer goes on.
    pub(crate) async fn hung_up(&self) {
        self.state.hung_up.notified().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        state.connections.fetch_add(1, Ordering::SeqCst);
        let mut script = state.script.lock().unwrap();
        if matches!(script.front(), Some(Step::CloseBeforeReading)) {
            script.pop_front();
        } else {
            connections.spawn(serve(socket, Arc::clone(&state)));
        }
    }
}

async fn serve(mut socket: TcpStream, state: Arc<State>) {
    let mut unread = Vec::new();
    while let Some(head) = read_head(&mut socket, &mut unread).await {
        state.heads.lock().unwrap().push(head);
        let step = state.script.lock().unwrap().pop_front();
        match step.unwrap_or_else(|| Step::answer(418, &[], "the script is over")) {
            Step::Respond(bytes) => {
                if socket.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Step::CloseBeforeReading | Step::CloseAfterReading => {
                socket.set_zero_linger().unwrap();
                return;
            }
            Step::Truncate => {
                let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart").await;
                return;
            }
            Step::Stall => {
                state.stalled.notify_one();
                // Until the client gives up: a read ends then.
                let _ = socket.read(&mut [0]).await;
                return;
            }
            Step::Flood { head, piece } => {
                let mut sent = socket.write_all(head.as_bytes()).await;
                while sent.is_ok() {
                    sent = socket.write_all(&piece).await;
                }
                state.hung_up.notify_one();
                return;
            }
        }
    }
}

/// The next request's head, without the empty line. `None` once the client is gone.
async fn read_head(socket: &mut TcpStream, unread: &mut Vec<u8>) -> Option<String> {
    const END: &[u8] = b"\r\n\r\n";
    loop {
        if let Some(end) = unread.windows(END.len()).position(|window| window == END) {
            let rest = unread.split_off(end + END.len());
            let head = std::mem::replace(unread, rest);
            return Some(String::from_utf8(head).unwrap().trim_end().to_owned());
        }
        if socket.read_buf(unread).await.ok()? == 0 {
            return None;
        }
    }
}
