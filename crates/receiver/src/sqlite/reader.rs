use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use record_callback_core::{Assurance, DedupeKey, RawBody, RecordEvent, Timestamp};
use rusqlite::{Connection, Row, Transaction, TransactionBehavior};
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot};

use super::BUSY_TIMEOUT;
use super::consumers::{self, Change, Changed};
use super::schema::{self, Role};
use super::writer::{self, Command};
use crate::sink::{EventRecord, SinkError};

/// Reads an inbox while a receiver writes it, in the receiver's process or in another.
///
/// Events are taken at least once: [`poll`](Self::poll), do what has to be done, [`ack`](Self::ack). A consumer is a
/// name with a cursor; programs that use the same name share the cursor and get the same events.
#[derive(Clone)]
pub struct InboxReader {
    conn: Arc<Mutex<Connection>>,
    /// The inbox's own writer, where there is one: writing past it would mean waiting for each other.
    writer: Option<mpsc::WeakSender<Command>>,
}

/// An event of an inbox.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct InboxEvent {
    /// Its place in the order of arrival. Counts up from 1 without gaps and is never used again.
    pub sequence: u64,
    /// The event.
    pub record: EventRecord,
}

/// How far a consumer has come.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Consumer {
    /// Its name.
    pub name: String,
    /// The last event it is done with; 0 before the first.
    pub cursor: u64,
    /// How many events it has before it.
    pub lag: u64,
}

/// Why a consumer's call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InboxError {
    /// The consumer never polled, or was forgotten.
    #[error("the inbox knows no consumer of this name")]
    UnknownConsumer,
    /// An acknowledgement of an event that is not there yet.
    #[error("event {sequence} cannot be acknowledged: the last is {last}")]
    BeyondLast {
        /// What was acknowledged.
        sequence: u64,
        /// The last event.
        last: u64,
    },
    /// An event was written by a newer version, or is damaged.
    #[error("event {sequence} of the inbox cannot be read")]
    Unreadable {
        /// Its sequence.
        sequence: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] SinkError),
}

impl InboxReader {
    /// Opens the inbox at `path`, which has to exist.
    ///
    /// Blocks for as long as the file system does. Waits at most 5 s for other processes that write.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SinkError> {
        Self::connect(path.as_ref(), None)
    }

    pub(super) fn connect(path: &Path, writer: Option<mpsc::WeakSender<Command>>) -> Result<Self, SinkError> {
        let conn = schema::open(path, Role::Reader, BUSY_TIMEOUT)?;
        Ok(Self { conn: Arc::new(Mutex::new(conn)), writer })
    }

    /// Gives up to `max` events that `consumer` did not [acknowledge](Self::ack), oldest first.
    ///
    /// The first poll registers the consumer, at the oldest kept event. From then on nothing is removed before it is
    /// acknowledged: a consumer that is gone for good has to be [forgotten](Self::forget).
    ///
    /// Ends before an event that cannot be read; that is an error when it would be the first.
    pub async fn poll(&self, consumer: &str, max: usize) -> Result<Vec<InboxEvent>, InboxError> {
        let name = consumer.to_owned();
        let poll = move |conn: &Connection| match consumers::cursor(conn, &name)? {
            Some(cursor) => rows_after(conn, cursor, max).map(Some),
            None => Ok(None),
        };
        if let Some(rows) = self.read(poll.clone()).await? {
            return readable(rows.into_iter().map(StoredEvent::decode));
        }
        self.change(Change::Register { consumer: consumer.to_owned() }).await?;
        // Forgotten again by somebody else: there is nothing for it then.
        let rows = self.read(poll).await?.unwrap_or_default();
        readable(rows.into_iter().map(StoredEvent::decode))
    }

    /// Moves the cursor of `consumer` to `sequence`: it is done with that event and all before it.
    ///
    /// Never moves it backwards.
    ///
    /// # Errors
    /// [`InboxError::UnknownConsumer`] before the first poll, [`InboxError::BeyondLast`] when there is no such event.
    pub async fn ack(&self, consumer: &str, sequence: u64) -> Result<(), InboxError> {
        match self.change(Change::Ack { consumer: consumer.to_owned(), sequence }).await? {
            Changed::Done => Ok(()),
            Changed::Unknown => Err(InboxError::UnknownConsumer),
            Changed::Beyond { last } => Err(InboxError::BeyondLast { sequence, last }),
        }
    }

    /// Removes a consumer, so that events are no longer kept for it. Whether there was one.
    pub async fn forget(&self, consumer: &str) -> Result<bool, InboxError> {
        let changed = self.change(Change::Forget { consumer: consumer.to_owned() }).await?;
        Ok(changed == Changed::Done)
    }

    /// Every consumer, by name.
    pub async fn consumers(&self) -> Result<Vec<Consumer>, InboxError> {
        self.read(|conn| {
            let mut select = conn.prepare(
                "SELECT name, cursor, last_sequence - cursor FROM consumer CROSS JOIN inbox ORDER BY name",
            )?;
            let consumer = |row: &Row<'_>| {
                let number = |index| row.get(index).map(i64::cast_unsigned);
                Ok(Consumer { name: row.get(0)?, cursor: number(1)?, lag: number(2)? })
            };
            select.query_map([], consumer)?.collect()
        })
        .await
    }

    /// Gives up to `max` events after `sequence`, oldest first, whoever acknowledged them. 0 is before the first.
    /// Ends before an event that cannot be read, as [`poll`](Self::poll) does.
    pub async fn read_after(&self, sequence: u64, max: usize) -> Result<Vec<InboxEvent>, InboxError> {
        let sequence = i64::try_from(sequence).unwrap_or(i64::MAX);
        let rows = self.read(move |conn| rows_after(conn, sequence, max)).await?;
        readable(rows.into_iter().map(StoredEvent::decode))
    }

    /// Writes through the inbox's writer while there is one, otherwise directly.
    async fn change(&self, change: Change) -> Result<Changed, InboxError> {
        if let Some(commands) = self.writer.as_ref().and_then(mpsc::WeakSender::upgrade) {
            let (answer, answered) = oneshot::channel();
            if writer::send(&commands, Command::Change(change.clone(), answer)).await {
                // An inbox that is dropped meanwhile is not held open.
                drop(commands);
                let lost = |_| SinkError::unavailable("the inbox's writer is gone");
                return Ok(answered.await.map_err(lost)??);
            }
        }
        self.read(move |conn| {
            let transaction = Transaction::new_unchecked(conn, TransactionBehavior::Immediate)?;
            let changed = consumers::apply(conn, &change)?;
            transaction.commit()?;
            Ok(changed)
        })
        .await
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, InboxError> {
        let conn = Arc::clone(&self.conn);
        let read = tokio::task::spawn_blocking(move || {
            // A panic while reading leaves nothing behind in the connection.
            read(&conn.lock().unwrap_or_else(PoisonError::into_inner))
        });
        let read = read
            .await
            .map_err(|error| SinkError::unavailable("reading the inbox was cut off").with_source(error))?;
        Ok(read.map_err(|error| SinkError::unavailable("the inbox failed").with_source(error))?)
    }
}

impl fmt::Debug for InboxReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboxReader").finish_non_exhaustive()
    }
}

/// A row of `event`.
struct StoredEvent {
    sequence: i64,
    source: String,
    received_at: i64,
    key: Option<[u8; 16]>,
    key_name: Option<String>,
    signature_reused: bool,
    conflicts_with: Option<i64>,
    body: String,
    raw: Vec<u8>,
}

/// The JSON of `event.body`. Its event lacks the dedupe key and the raw body, which have columns.
#[derive(Deserialize)]
struct Body {
    assurance: Assurance,
    event: RecordEvent,
}

fn rows_after(conn: &Connection, sequence: i64, max: usize) -> rusqlite::Result<Vec<StoredEvent>> {
    // Each time: the next receiver brings an inbox of version 1 up to date while it is read.
    let new_columns = match schema::version(conn)? {
        1 => "NULL, 0, NULL",
        _ => "key_name, signature_reused, conflicts_with",
    };
    let mut select = conn.prepare(&format!(
        "SELECT sequence, source.name, received_at, dedupe_key, {new_columns}, body, raw
         FROM event JOIN source ON source.id = source_id
         WHERE sequence > ?1 ORDER BY sequence LIMIT ?2",
    ))?;
    let stored = |row: &Row<'_>| {
        Ok(StoredEvent {
            sequence: row.get(0)?,
            source: row.get(1)?,
            received_at: row.get(2)?,
            key: row.get(3)?,
            key_name: row.get(4)?,
            signature_reused: row.get(5)?,
            conflicts_with: row.get(6)?,
            body: row.get(7)?,
            raw: row.get(8)?,
        })
    };
    readable(select.query_map([sequence, i64::try_from(max).unwrap_or(i64::MAX)], stored)?)
}

/// What comes before the first that cannot be read; the error only when there is nothing before it.
fn readable<T, E>(events: impl Iterator<Item = Result<T, E>>) -> Result<Vec<T>, E> {
    let mut readable = Vec::new();
    for event in events {
        match event {
            Ok(event) => readable.push(event),
            Err(error) if readable.is_empty() => return Err(error),
            Err(_) => break,
        }
    }
    Ok(readable)
}

impl StoredEvent {
    fn decode(self) -> Result<InboxEvent, InboxError> {
        let sequence = self.sequence.cast_unsigned();
        let unreadable = |source| InboxError::Unreadable { sequence, source };
        let Body { assurance, mut event } = serde_json::from_str(&self.body).map_err(unreadable)?;
        event.raw = RawBody::from(bytes::Bytes::from(self.raw));
        event.dedupe_key = self.key.map(DedupeKey::from);
        // Every `i64` of nanoseconds is a time: 1677 to 2262.
        let received_at = Timestamp::from_nanosecond(self.received_at.into()).unwrap_or_default();
        Ok(InboxEvent {
            sequence,
            record: EventRecord {
                source: self.source,
                received_at,
                key: self.key_name,
                signature_reused: self.signature_reused,
                conflicts_with: self.conflicts_with.map(|first| first.to_string()),
                assurance,
                event,
            },
        })
    }
}
