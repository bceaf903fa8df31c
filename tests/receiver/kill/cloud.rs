//! Sends as a cloud does, and remembers what was acknowledged.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use record_callback_mock::{HuaweicloudEvent, HuaweicloudSender};
use record_callback_tests::{PATIENCE, Random};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

/// Enough for events to share a write to disk.
pub(crate) const CONNECTIONS: usize = 16;
/// Of the deliveries under load, one in so many is of an event that was acknowledged before.
const REPLAYS: usize = 8;
/// Between two attempts at what was refused.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) const PATH: &str = "/callbacks/live";
pub(crate) const KEY: &str = "K1llK1llK1llK1llK1llK1llK1llK1ll";

/// What the cloud knows about an event, whose number is its `job_id`.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// The same whenever it is sent.
    pub(crate) body: Arc<str>,
    pub(crate) attempts: usize,
    pub(crate) acknowledged: usize,
}

#[derive(Debug)]
pub(crate) struct Cloud {
    sender: HuaweicloudSender,
    events: Mutex<Vec<Sent>>,
    acknowledgements: watch::Sender<usize>,
}

impl Cloud {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            // The address is not the sender's business: it only prepares.
            sender: HuaweicloudSender::new("http://127.0.0.1").key(KEY),
            events: Mutex::default(),
            acknowledgements: watch::channel(0).0,
        })
    }

    /// Every event, by number.
    pub(crate) fn events(&self) -> Vec<Sent> {
        self.lock(|events| events.clone())
    }

    fn lock<T>(&self, work: impl FnOnce(&mut Vec<Sent>) -> T) -> T {
        work(&mut self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A new event, or one that was acknowledged before.
    fn next(&self, random: &mut Random) -> usize {
        self.lock(|events| {
            if !events.is_empty() && random.one_in(REPLAYS) {
                let number = random.below(events.len());
                if events[number].acknowledged > 0 {
                    return number;
                }
            }
            self.add(events)
        })
    }

    /// A new event's number.
    fn add(&self, events: &mut Vec<Sent>) -> usize {
        let number = events.len();
        let event = HuaweicloudEvent::record_file_complete("push.example.com", "live", "stream")
            .job_id(number.to_string());
        let body = self.sender.prepare(&event).body.into();
        events.push(Sent { body, attempts: 0, acknowledged: 0 });
        number
    }

    /// Sends a new event once, and tells the answer's status.
    pub(crate) async fn send(&self, to: SocketAddr) -> u16 {
        let number = self.lock(|events| self.add(events));
        let mut connection = Connection::open(to).await.expect("a receiver");
        let answer = timeout_at(Instant::now() + PATIENCE, self.deliver(number, &mut connection)).await;
        answer.expect("an answer in time").expect("an answer")
    }

    async fn deliver(&self, number: usize, connection: &mut Connection) -> io::Result<u16> {
        let body = self.lock(|events| {
            events[number].attempts += 1;
            Arc::clone(&events[number].body)
        });
        let status = connection.post(&body).await?;
        if status == 200 {
            self.lock(|events| events[number].acknowledged += 1);
            self.acknowledgements.send_modify(|count| *count += 1);
        }
        Ok(status)
    }

    /// Sends without end, on many connections, to a receiver that will end.
    pub(crate) fn load(self: &Arc<Self>, to: SocketAddr, random: &mut Random) -> Load {
        let acknowledgements = self.acknowledgements.subscribe();
        let begun = *acknowledgements.borrow();
        let mut connections = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let (cloud, mut random) = (Arc::clone(self), random.fork());
            connections.spawn(async move {
                let mut seen = Seen::default();
                match Connection::open(to).await {
                    Err(error) => seen.broken = Some(error),
                    Ok(mut connection) => {
                        while seen.broken.is_none() {
                            match cloud.deliver(cloud.next(&mut random), &mut connection).await {
                                Ok(200) => seen.acknowledged += 1,
                                Ok(status) => seen.refused.push(status),
                                Err(error) => seen.broken = Some(error),
                            }
                        }
                    }
                }
                seen
            });
        }
        Load { connections, acknowledgements, begun }
    }

    /// Sends again what was not acknowledged, until it is, and some of what was.
    pub(crate) async fn redeliver(self: &Arc<Self>, to: SocketAddr, random: &mut Random) {
        let mut due = VecDeque::new();
        for (number, sent) in self.events().iter().enumerate() {
            if sent.acknowledged == 0 || random.one_in(REPLAYS) {
                // In any order, as many connections make it.
                due.insert(random.below(due.len() + 1), number);
            }
        }
        let due = Arc::new(Mutex::new(due));
        let deadline = Instant::now() + PATIENCE;
        let mut connections = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let (cloud, due) = (Arc::clone(self), Arc::clone(&due));
            connections.spawn(async move {
                let mut connection = Connection::open(to).await.expect("a receiver");
                loop {
                    let Some(number) = due.lock().unwrap().pop_front() else { return };
                    let status = timeout_at(deadline, cloud.deliver(number, &mut connection)).await;
                    let status = status.expect("an answer in time").expect("an answer");
                    if status != 200 {
                        assert!(status == 503 && Instant::now() < deadline, "event {number}: {status}");
                        due.lock().unwrap().push_back(number);
                        sleep(PAUSE).await;
                    }
                }
            });
        }
        connections.join_all().await;
        assert!(self.events().iter().all(|sent| sent.acknowledged > 0));
    }
}

/// Connections that send until they break.
pub(crate) struct Load {
    connections: JoinSet<Seen>,
    acknowledgements: watch::Receiver<usize>,
    begun: usize,
}

/// What a connection saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) acknowledged: usize,
    /// Other statuses.
    pub(crate) refused: Vec<u16>,
    /// How it ended.
    pub(crate) broken: Option<io::Error>,
}

impl Load {
    /// Waits until `more` deliveries were acknowledged, since the last time.
    pub(crate) async fn acknowledged(&mut self, more: usize) {
        let enough = self.begun + more;
        let waiting = self.acknowledgements.wait_for(|count| *count >= enough);
        let count = timeout_at(Instant::now() + PATIENCE, waiting).await.expect("acknowledgements in time");
        self.begun = *count.expect("a cloud");
    }

    /// Tells if `enough` deliveries were acknowledged since the beginning.
    pub(crate) fn has(&self, enough: usize) -> bool {
        *self.acknowledgements.borrow() >= self.begun + enough
    }

    /// Waits until all connections are broken.
    pub(crate) async fn end(self) -> Vec<Seen> {
        let ending = self.connections.join_all();
        timeout_at(Instant::now() + PATIENCE, ending).await.expect("the receiver is gone")
    }

    /// Breaks all connections, wherever they are.
    pub(crate) async fn stop(mut self) {
        self.connections.shutdown().await;
    }
}

/// A connection that is kept alive.
struct Connection(BufReader<TcpStream>);

impl Connection {
    async fn open(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// The status of a complete answer. [`io::ErrorKind::UnexpectedEof`]: there is not even the beginning of one.
    async fn post(&mut self, body: &str) -> io::Result<u16> {
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nHost: cb.example.com\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.0.write_all([head.as_bytes(), body.as_bytes()].concat().as_slice()).await?;
        let torn = || io::Error::new(io::ErrorKind::InvalidData, "a part of an answer");
        let (mut status, mut length) = (None, None);
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).await? == 0 {
                return Err(if status.is_none() { io::ErrorKind::UnexpectedEof.into() } else { torn() });
            }
            let line = line.strip_suffix("\r\n").ok_or_else(torn)?;
            if line.is_empty() {
                break;
            }
            match (status, line.split_once(": ")) {
                (None, _) => status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest[..3].parse().ok()),
                (_, Some((name, value))) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.parse().ok();
                }
                _ => {}
            }
        }
        let mut answer = vec![0; length.ok_or_else(torn)?];
        self.0.read_exact(&mut answer).await.map_err(|_| torn())?;
        status.ok_or_else(torn)
    }
}
