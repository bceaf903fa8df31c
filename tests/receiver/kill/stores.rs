//! The stores of the four durable sinks: how a receiver is told to use them, and what is in them.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use record_callback_receiver::{EventRecord, InboxReader};
use record_callback_tests::{PATIENCE, RedisServer};
use redis::streams::{StreamId, StreamRangeReply};
use redis::{AsyncConnectionConfig, cmd};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{OwnedRwLockWriteGuard, RwLock};

/// Where a receiver keeps events, seen from outside.
pub(crate) trait Store {
    const NAME: &str;
    /// Whether an event that is delivered again is kept once.
    const ONCE: bool;

    /// A directory of its own.
    fn directory(&self) -> &Path;

    /// The sink's table in a receiver's TOML file.
    fn sink(&self) -> String;

    /// A variable with the secret that the table names.
    fn secret(&self) -> Option<(&'static str, String)>;

    /// All events, read without the receiver, which may run.
    async fn kept(&self) -> Vec<EventRecord>;
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

pub(crate) struct Sqlite(TempDir);

impl Sqlite {
    pub(crate) fn new() -> Self {
        Self(directory())
    }
}

impl Store for Sqlite {
    const NAME: &str = "sqlite";
    const ONCE: bool = true;

    fn directory(&self) -> &Path {
        self.0.path()
    }

    fn sink(&self) -> String {
        "kind = 'sqlite'\npath = 'inbox.db'".to_owned()
    }

    fn secret(&self) -> Option<(&'static str, String)> {
        None
    }

    async fn kept(&self) -> Vec<EventRecord> {
        let reader = InboxReader::open(self.0.path().join("inbox.db")).unwrap();
        let events = reader.read_after(0, usize::MAX).await.unwrap();
        let sequences = events.iter().map(|event| event.sequence);
        assert!(sequences.eq(1..=events.len() as u64), "numbers without a gap");
        events.into_iter().map(|event| event.record).collect()
    }
}

pub(crate) struct Jsonl(TempDir);

impl Jsonl {
    pub(crate) fn new() -> Self {
        Self(directory())
    }
}

impl Store for Jsonl {
    const NAME: &str = "jsonl";
    const ONCE: bool = false;

    fn directory(&self) -> &Path {
        self.0.path()
    }

    fn sink(&self) -> String {
        "kind = 'jsonl'\npath = 'events.jsonl'".to_owned()
    }

    fn secret(&self) -> Option<(&'static str, String)> {
        None
    }

    async fn kept(&self) -> Vec<EventRecord> {
        let text = fs::read_to_string(self.0.path().join("events.jsonl")).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "the last line is torn");
        text.lines().map(|line| serde_json::from_str(line).expect("a whole line")).collect()
    }
}

pub(crate) struct Redis {
    directory: TempDir,
    pub(crate) server: RedisServer,
}

impl Redis {
    pub(crate) fn new() -> Self {
        Self { directory: directory(), server: RedisServer::start() }
    }
}

impl Store for Redis {
    const NAME: &str = "redis";
    const ONCE: bool = true;

    fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn sink(&self) -> String {
        "kind = 'redis'\nurl_env = 'REDIS_URL'".to_owned()
    }

    fn secret(&self) -> Option<(&'static str, String)> {
        Some(("REDIS_URL", self.server.url()))
    }

    async fn kept(&self) -> Vec<EventRecord> {
        let client = redis::Client::open(self.server.url()).unwrap();
        // All at once, which may take a while.
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await.unwrap();
        let mut range = cmd("XRANGE");
        range.arg("record-callback:events").arg("-").arg("+");
        let entries: StreamRangeReply = range.query_async(&mut connection).await.unwrap();
        let record = |entry: &StreamId| serde_json::from_str(&entry.get::<String>("event").unwrap()).unwrap();
        entries.ids.iter().map(record).collect()
    }
}

/// A server that events are sent on to, which goes on while receivers come and go.
pub(crate) struct Forward {
    directory: TempDir,
    url: String,
    target: Target,
}

#[derive(Clone)]
pub(crate) struct Target {
    /// Each event with its `webhook-id`.
    kept: Arc<Mutex<Vec<(String, EventRecord)>>>,
    /// Held by who keeps answers back.
    answers: Arc<RwLock<()>>,
}

impl Forward {
    pub(crate) async fn new() -> Self {
        let target = Target { kept: Arc::default(), answers: Arc::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/events", listener.local_addr().unwrap());
        let router = Router::new().route("/events", post(take)).with_state(target.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { directory: directory(), url, target }
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }
}

impl Target {
    /// Nothing is answered as long as what is returned lives.
    pub(crate) async fn hold(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.answers).write_owned().await
    }

    pub(crate) fn count(&self) -> usize {
        self.kept.lock().unwrap().len()
    }
}

/// Keeps an event and then says so, when it may.
async fn take(State(target): State<Target>, headers: HeaderMap, body: String) {
    let id = headers["webhook-id"].to_str().unwrap().to_owned();
    target.kept.lock().unwrap().push((id, serde_json::from_str(&body).expect("a whole event")));
    let _answered = target.answers.read().await;
}

impl Store for Forward {
    const NAME: &str = "forward";
    const ONCE: bool = false;

    fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn sink(&self) -> String {
        format!("kind = 'forward'\nurl = '{}'\nsecret_env = 'FORWARD_SECRET'", self.url)
    }

    fn secret(&self) -> Option<(&'static str, String)> {
        Some(("FORWARD_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()))
    }

    async fn kept(&self) -> Vec<EventRecord> {
        let kept = self.target.kept.lock().unwrap().clone();
        // Who takes the events tells by the id which of them came before.
        let pairs = |(id, record): &(String, EventRecord)| (id.clone(), record.event.job_id.clone());
        let mut pairs: Vec<_> = kept.iter().map(pairs).collect();
        pairs.sort();
        pairs.dedup();
        assert!(pairs.windows(2).all(|pair| pair[0].0 != pair[1].0), "two events with one id");
        let mut jobs: Vec<_> = pairs.iter().map(|(_, job)| job).collect();
        jobs.sort();
        assert!(jobs.windows(2).all(|pair| pair[0] != pair[1]), "one event with two ids");
        kept.into_iter().map(|(_, record)| record).collect()
    }
}
