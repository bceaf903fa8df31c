mod consumers;
mod place;
mod query;
mod reader;
mod retention;
mod schema;
mod seen;
mod trusted_time;
mod writer;

use std::fmt;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use record_callback_core::{Assurance, RecordEvent, Timestamp};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot, watch};

pub use query::EventFilter;
pub use reader::{Consumer, InboxError, InboxEvent, InboxReader};

use crate::sink::{EventSink, Kept, Received, SinkError, to_json};
use writer::{Command, NewEvent};

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How many calls may wait for the writer before further ones wait for a place in the queue.
const QUEUE: usize = 1024;

/// How much an inbox keeps, and how long.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct InboxOptions {
    max_age: Duration,
    max_bytes: u64,
    busy_timeout: Duration,
}

impl Default for InboxOptions {
    fn default() -> Self {
        Self { max_age: Duration::from_secs(30 * 86_400), max_bytes: 1 << 30, busy_timeout: BUSY_TIMEOUT }
    }
}

impl InboxOptions {
    /// Sets how long events are kept that every consumer acknowledged; without consumers, all events. Default 30
    /// days. Measured between the arrival of an event and that of the newest.
    ///
    /// One wrong reading of the clock removes nothing: when it differs by more than an hour from what is due after the event
    /// before, and after a start, nothing is too old until events have arrived for a minute that agree with it.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// Sets how big the database may become, in bytes. Default 1 GiB.
    ///
    /// Beyond it the oldest events go that every consumer acknowledged. When there are none, or no consumers, the
    /// inbox is [full](crate::SinkErrorKind::Full). One batch may exceed it; the write-ahead log (normally up to
    /// 16 MiB) comes on top. The file does not shrink, but what is free in it is used again.
    pub fn max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// Sets how long to wait for another process that writes, and when opening, for another receiver to end. Default
    /// 5 s.
    pub fn busy_timeout(mut self, busy_timeout: Duration) -> Self {
        self.busy_timeout = busy_timeout;
        self
    }
}

/// Keeps events in an `SQLite` file: the durable inbox.
///
/// An event is on disk (WAL, `synchronous = FULL`) before [`keep`](EventSink::keep) answers; it survives a crash and a
/// loss of power. Calls that wait at the same time share one transaction. Duplicates are recognised while the first
/// is kept. Events that [contradict](Kept::Conflicting) another are kept with its number, also when only that other is
/// removed: the key is remembered until the last of them is.
///
/// Consumers take events through an [`InboxReader`]. What they did not acknowledge is never removed; see
/// [`InboxOptions`].
///
/// Times of arrival have to be between 1677 and 2262; others are kept as the nearest of these.
pub struct SqliteInbox {
    path: PathBuf,
    commands: mpsc::Sender<Command>,
    /// Ends when the writer has.
    done: watch::Receiver<()>,
}

impl SqliteInbox {
    /// Opens the inbox at `path`; makes it if there is none. The directory has to exist.
    ///
    /// On Unix, what it makes is for its owner only. One receiver at a time keeps events in an inbox: it holds a lock on
    /// the file `<path>.lock`, which stays. Readers do not need it.
    ///
    /// Blocks for as long as the file system does, and starts a thread that writes.
    ///
    /// # Errors
    /// [`SinkErrorKind::Unavailable`](crate::SinkErrorKind::Unavailable) when the file cannot be opened, is no inbox, is
    /// of a newer version, or another receiver writes to it.
    pub fn open(path: impl Into<PathBuf>, options: InboxOptions) -> Result<Self, SinkError> {
        let path = path.into();
        let (commands, queue) = mpsc::channel(QUEUE);
        let (opened, wait_opened) = std::sync::mpsc::sync_channel(1);
        let (done, wait_done) = watch::channel(());
        let own = path.clone();
        thread::Builder::new()
            .name("record-callback-inbox".to_owned())
            .spawn(move || writer::run(&own, &options, queue, &opened, done))
            .map_err(|error| SinkError::unavailable("no thread for the inbox").with_source(error))?;
        wait_opened
            .recv()
            .map_err(|error| SinkError::unavailable("the inbox's thread ended").with_source(error))??;
        Ok(Self { path, commands, done: wait_done })
    }

    /// Opens a reader of this inbox. Blocks for as long as the file system does.
    ///
    /// Better than [`InboxReader::open`] in the same process: acknowledgements share the writer's transactions.
    pub fn reader(&self) -> Result<InboxReader, SinkError> {
        InboxReader::connect(&self.path, Some(self.commands.downgrade()))
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, SinkError>>) -> Command,
    ) -> Result<T, SinkError> {
        let (answer, answered) = oneshot::channel();
        if !writer::send(&self.commands, command(answer)).await {
            return Err(SinkError::closed());
        }
        answered.await.map_err(|_| SinkError::unavailable("the inbox's writer is gone"))?
    }
}

#[derive(Serialize)]
struct Body<'a> {
    assurance: &'a Assurance,
    event: &'a RecordEvent,
}

/// Done by the caller: the writer is one thread for all of them.
fn encode(received: Received) -> Result<NewEvent, SinkError> {
    let signature_members = received.event.signature_members();
    let (mut event, assurance) = received.event.into_parts();
    // These have columns.
    let raw = std::mem::take(&mut event.raw);
    let key = event.dedupe_key.take();
    let body = to_json(&Body { assurance: &assurance, event: &event })?;
    Ok(NewEvent {
        source: received.source,
        received_at: nanos(received.received_at),
        key,
        key_name: received.key,
        signature_reused: received.signature_reused,
        signature_members,
        body,
        raw,
    })
}

fn nanos(time: Timestamp) -> i64 {
    let nanos = time.as_nanosecond();
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

#[async_trait]
impl EventSink for SqliteInbox {
    async fn keep(&self, received: Received) -> Result<Kept, SinkError> {
        let event = encode(received)?;
        self.ask(|answer| Command::Keep(event, answer)).await
    }

    async fn check(&self) -> Result<(), SinkError> {
        self.ask(Command::Check).await
    }

    async fn depth(&self) -> Result<Option<u64>, SinkError> {
        self.ask(Command::Depth).await.map(Some)
    }

    fn recognises_duplicates(&self) -> bool {
        true
    }

    async fn close(&self) {
        // If this is refused, somebody else closes it.
        writer::send(&self.commands, Command::Close).await;
        // Fails when the writer is gone, which is what is waited for.
        let _ = self.done.clone().wait_for(|()| false).await;
    }
}

impl fmt::Debug for SqliteInbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteInbox").field("path", &self.path).finish_non_exhaustive()
    }
}
