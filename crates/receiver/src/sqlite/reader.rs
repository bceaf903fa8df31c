use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, Row, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::BUSY_TIMEOUT;
use super::consumers::{self, Change, Changed};
use super::query::{self, EventFilter, StoredEvent};
use super::schema::{self, Reading, Role};
use super::writer::{self, Command};
use crate::sink::{EventRecord, SinkError};

/// Reads an inbox while a receiver writes it, in the receiver's process or in another.
///
/// Events are taken at least once: [`poll`](Self::poll), do what has to be done, [`ack`](Self::ack). A consumer is a
/// name with a cursor; programs that use the same name share the cursor and get the same events.
#[derive(Clone)]
pub struct InboxReader {
    path: Arc<Path>,
    reading: Arc<Mutex<Reading>>,
    /// For cursors, once one is written.
    writing: Arc<Mutex<Option<Connection>>>,
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
    /// Reading needs no write access, neither to the file nor to its directory: only a consumer's first
    /// [`poll`](Self::poll), [`ack`](Self::ack) and [`forget`](Self::forget) write. Where nothing can be written beside the
    /// file, what a crashed receiver left in its log cannot be read; that is an error.
    ///
    /// Blocks for as long as the file system does. Waits at most 5 s for other processes that write.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SinkError> {
        Self::connect(path.as_ref(), None)
    }

    pub(super) fn connect(path: &Path, writer: Option<mpsc::WeakSender<Command>>) -> Result<Self, SinkError> {
        let reading = schema::open_to_read(path)?;
        let (reading, writing) = (Arc::new(Mutex::new(reading)), Arc::default());
        Ok(Self { path: path.into(), reading, writing, writer })
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
            Some(cursor) => query::after(conn, &EventFilter::default(), cursor, max).map(Some),
            None => Ok(None),
        };
        if let Some(rows) = self.read(poll.clone()).await? {
            return query::readable(rows.into_iter().map(StoredEvent::decode));
        }
        self.change(Change::Register { consumer: consumer.to_owned() }).await?;
        // Forgotten again by somebody else: there is nothing for it then.
        let rows = self.read(poll).await?.unwrap_or_default();
        query::readable(rows.into_iter().map(StoredEvent::decode))
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
        let rows = self.read(move |conn| query::after(conn, &EventFilter::default(), sequence, max)).await?;
        query::readable(rows.into_iter().map(StoredEvent::decode))
    }

    /// Gives the newest `max` events that match `filter`, oldest first. An error when one of them cannot be read.
    pub async fn newest(&self, filter: &EventFilter, max: usize) -> Result<Vec<InboxEvent>, InboxError> {
        let filter = filter.clone();
        let mut rows = self.read(move |conn| query::newest(conn, &filter, max)).await?;
        rows.reverse();
        rows.into_iter().map(StoredEvent::decode).collect()
    }

    /// Gives up to `max` events after `sequence` that match `filter`, as [`read_after`](Self::read_after) does.
    pub async fn matching_after(
        &self,
        filter: &EventFilter,
        sequence: u64,
        max: usize,
    ) -> Result<Vec<InboxEvent>, InboxError> {
        let (filter, sequence) = (filter.clone(), i64::try_from(sequence).unwrap_or(i64::MAX));
        let rows = self.read(move |conn| query::after(conn, &filter, sequence, max)).await?;
        query::readable(rows.into_iter().map(StoredEvent::decode))
    }

    /// The event of this number, if it is kept.
    pub async fn event(&self, sequence: u64) -> Result<Option<InboxEvent>, InboxError> {
        let Some(before) = sequence.checked_sub(1) else { return Ok(None) };
        let events = self.read_after(before, 1).await?;
        Ok(events.into_iter().next().filter(|event| event.sequence == sequence))
    }

    /// The number of events kept, and the number of the last that came; 0 before the first.
    pub async fn extent(&self) -> Result<(u64, u64), InboxError> {
        self.read(|conn| {
            // What is kept is one unbroken run.
            let sql = "SELECT coalesce((SELECT max(sequence) - min(sequence) + 1 FROM event), 0), last_sequence FROM inbox";
            let number = |row: &Row<'_>, index| row.get(index).map(i64::cast_unsigned);
            conn.query_row(sql, [], |row| Ok((number(row, 0)?, number(row, 1)?)))
        })
        .await
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
        let (path, writing) = (Arc::clone(&self.path), Arc::clone(&self.writing));
        blocking(move || {
            let mut writing = writing.lock().unwrap_or_else(PoisonError::into_inner);
            let conn = match &mut *writing {
                Some(conn) => conn,
                none => none.insert(schema::open(&path, Role::Consumer, BUSY_TIMEOUT)?),
            };
            let transaction =
                Transaction::new_unchecked(conn, TransactionBehavior::Immediate).map_err(failed)?;
            let changed = consumers::apply(conn, &change).map_err(failed)?;
            transaction.commit().map_err(failed)?;
            Ok(changed)
        })
        .await
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, InboxError> {
        let (path, reading) = (Arc::clone(&self.path), Arc::clone(&self.reading));
        blocking(move || {
            // A panic while reading leaves nothing behind in the connection.
            let mut reading = reading.lock().unwrap_or_else(PoisonError::into_inner);
            if reading.is_frozen {
                // A receiver may have come and gone: what is remembered of the file need not be so any more.
                *reading = schema::open_to_read(&path)?;
            }
            read(&reading.conn).map_err(failed)
        })
        .await
    }
}

fn failed(error: rusqlite::Error) -> SinkError {
    SinkError::unavailable("the inbox failed").with_source(error)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SinkError> + Send + 'static,
) -> Result<T, InboxError> {
    let done = tokio::task::spawn_blocking(work).await;
    let done =
        done.map_err(|error| SinkError::unavailable("reading the inbox was cut off").with_source(error))?;
    Ok(done?)
}

impl fmt::Debug for InboxReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboxReader").finish_non_exhaustive()
    }
}
