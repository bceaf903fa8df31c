use std::collections::HashMap;
use std::error::Error as StdError;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, io};

use record_callback_core::{ContentDigest, DedupeKey, RawBody};
use rusqlite::{Connection, OptionalExtension, Statement, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot, watch};

use super::InboxOptions;
use super::consumers::{self, Change, Changed};
use super::place::{self, Place};
use super::retention::{self, Retention};
use super::schema::{self, Role};
use super::seen::{self, Firsts, Seen};
use crate::room;
use crate::sink::{Kept, MAX_CONFLICTS, SinkError, SinkErrorKind};

/// How many commands one transaction takes at most.
const MAX_BATCH: usize = 256;

/// How many older keys move for each new event.
const MOVES: usize = 4;

const MAX_PATIENCE: Duration = Duration::from_millis(1);

type Answer<T> = oneshot::Sender<Result<T, SinkError>>;

/// An event as it is written.
#[derive(Debug)]
pub(super) struct NewEvent {
    pub(super) source: Arc<str>,
    pub(super) received_at: i64,
    pub(super) key: Option<DedupeKey>,
    pub(super) key_name: Option<Arc<str>>,
    pub(super) signature_reused: bool,
    /// The members of `raw` that say nothing.
    pub(super) signature_members: &'static [&'static str],
    pub(super) body: String,
    pub(super) raw: RawBody,
}

#[derive(Debug)]
pub(super) enum Command {
    Keep(NewEvent, Answer<Kept>),
    Change(Change, Answer<Changed>),
    Check(Answer<()>),
    Depth(Answer<u64>),
    Close,
}

/// Queues `command`. Whether the writer still takes any.
pub(super) async fn send(commands: &mpsc::Sender<Command>, command: Command) -> bool {
    match commands.try_send(command) {
        Ok(()) => true,
        // Not right away: a task that used up its share of time holds a place in the queue until it is polled again,
        // and closing would wait for it.
        Err(mpsc::error::TrySendError::Full(command)) => commands.send(command).await.is_ok(),
        Err(mpsc::error::TrySendError::Closed(_)) => false,
    }
}

/// Opens the inbox and serves `commands` until there are no more; the thread's whole life.
///
/// `opened` learns whether the inbox could be opened, and `done` is dropped last.
pub(super) fn run(
    path: &Path,
    options: &InboxOptions,
    mut commands: mpsc::Receiver<Command>,
    opened: &SyncSender<Result<(), SinkError>>,
    done: watch::Sender<()>,
) {
    let (conn, place) = match open(path, options) {
        Ok(open) => open,
        Err(error) => {
            let _ = opened.send(Err(error));
            return;
        }
    };
    let place = match Writer::new(&conn, place, options) {
        Ok(mut writer) => {
            let _ = opened.send(Ok(()));
            writer.serve(&mut commands);
            writer.removals.tell();
            Some(writer.place)
        }
        Err(error) => {
            let _ = opened.send(Err(error));
            None
        }
    };
    // So that one file has everything. Not needed for durability, and a reader may be in the way.
    if let Err(error) = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        tracing::debug!(%error, "the inbox was closed without a checkpoint");
    }
    drop(conn);
    // Before `done`: who waited for this may open the inbox again.
    drop(place);
    drop(done);
}

fn open(path: &Path, options: &InboxOptions) -> Result<(Connection, Place), SinkError> {
    place::check_files(path)?;
    let conn = schema::open(path, Role::Writer, options.busy_timeout)?;
    let mut place = Place::take(path, options.busy_timeout)?;
    schema::migrate(&conn, &place)?;
    place.note_log();
    place::warn_of_others(path);
    Ok((conn, place))
}

struct Writer<'c> {
    conn: &'c Connection,
    place: Place,
    retention: Retention<'c>,
    removals: retention::Log,
    seen: Seen<'c>,
    last_sequence: Statement<'c>,
    set_last_sequence: Statement<'c>,
    insert: Statement<'c>,
    same_key: Statement<'c>,
    source: Statement<'c>,
    insert_source: Statement<'c>,
    /// Ids of committed sources, which never change.
    sources: HashMap<Arc<str>, i64>,
    /// Whether the last attempt to write failed.
    failed: bool,
}

/// How long a batch is left open.
///
/// Callers who were just answered come back one after the other. Without waiting for them the first would have a
/// transaction to itself, and the others would wait for two.
struct Pace {
    /// How many the last batch had, which are likely to come again.
    expected: usize,
    /// How long to wait for them.
    patience: Duration,
    opened: Instant,
}

impl Pace {
    fn new() -> Self {
        Self { expected: 1, patience: Duration::ZERO, opened: Instant::now() }
    }

    /// A batch begins.
    fn open(&mut self) {
        self.opened = Instant::now();
    }

    /// A batch had `taken` commands and took `time`. Waiting is worth a part of that, whatever the disk.
    fn learn(&mut self, taken: usize, time: Duration) {
        self.expected = taken;
        self.patience = (time / 4).min(MAX_PATIENCE);
    }

    /// The next command of a batch that has `taken`, if one comes in time.
    fn next(&self, taken: usize, commands: &mut mpsc::Receiver<Command>) -> Option<Command> {
        loop {
            match commands.try_recv() {
                Ok(command) => return Some(command),
                Err(mpsc::error::TryRecvError::Empty)
                    if taken < self.expected && self.opened.elapsed() < self.patience =>
                {
                    thread::yield_now();
                }
                Err(_) => return None,
            }
        }
    }
}

#[derive(Default)]
struct Batch {
    keeps: Vec<(NewEvent, Answer<Kept>)>,
    changes: Vec<(Change, Answer<Changed>)>,
    checks: Vec<Answer<()>>,
    depths: Vec<Answer<u64>>,
}

/// What a transaction did, once it is committed.
struct Written {
    /// `None`: there was no room.
    kept: Vec<Option<Kept>>,
    outcomes: Vec<Changed>,
}

impl<'c> Writer<'c> {
    fn new(conn: &'c Connection, place: Place, options: &InboxOptions) -> Result<Self, SinkError> {
        Self::prepare(conn, place, options)
            .map_err(|error| SinkError::unavailable("the inbox cannot be used").with_source(error))
    }

    fn prepare(conn: &'c Connection, place: Place, options: &InboxOptions) -> rusqlite::Result<Self> {
        let mut last_sequence = conn.prepare("SELECT last_sequence FROM inbox")?;
        let mut seen = Seen::new(conn, seen::ENOUGH)?;
        seen.catch_up(last_sequence.query_row([], |row| row.get(0))?)?;
        Ok(Self {
            conn,
            place,
            retention: Retention::new(conn, options.max_age, options.max_bytes)?,
            removals: retention::Log::default(),
            seen,
            last_sequence,
            set_last_sequence: conn.prepare("UPDATE inbox SET last_sequence = ?1, probes = probes + ?2")?,
            insert: conn.prepare(
                "INSERT INTO event (sequence, source_id, received_at, dedupe_key, key_name, signature_reused,
                                    conflicts_with, body, raw)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?,
            same_key: conn.prepare(
                "SELECT raw, conflicts_with FROM event WHERE sequence = ?1
                 UNION ALL SELECT raw, conflicts_with FROM event WHERE conflicts_with = ?1",
            )?,
            source: conn.prepare("SELECT id FROM source WHERE name = ?1")?,
            insert_source: conn.prepare("INSERT INTO source (name) VALUES (?1)")?,
            sources: HashMap::new(),
            failed: false,
        })
    }

    fn serve(&mut self, commands: &mut mpsc::Receiver<Command>) {
        let mut pace = Pace::new();
        loop {
            let mut batch = Batch::default();
            let first = match commands.try_recv() {
                Ok(command) => command,
                Err(mpsc::error::TryRecvError::Empty) if self.retention.is_pending() => {
                    self.retain();
                    continue;
                }
                Err(_) => match commands.blocking_recv() {
                    Some(command) => command,
                    None => return,
                },
            };
            // Everything that waits shares one transaction, and one wait for the disk.
            pace.open();
            let mut next = Some(first);
            let mut taken = 0;
            while let Some(command) = next {
                match command {
                    Command::Keep(event, answer) => batch.keeps.push((event, answer)),
                    Command::Change(change, answer) => batch.changes.push((change, answer)),
                    Command::Check(answer) => batch.checks.push(answer),
                    Command::Depth(answer) => batch.depths.push(answer),
                    // What is queued already is still served.
                    Command::Close => commands.close(),
                }
                taken += 1;
                next = if taken < MAX_BATCH { pace.next(taken, commands) } else { None };
            }
            let started = Instant::now();
            self.process(batch);
            pace.learn(taken, started.elapsed());
            if self.retention.is_pending() {
                self.retain();
            }
        }
    }

    /// Does and answers everything in `batch`.
    fn process(&mut self, batch: Batch) {
        let Batch { mut keeps, changes, checks, depths } = batch;
        // Whoever asks gets an answer from the disk: what failed a moment ago, or works again, is not known otherwise.
        let probe = !checks.is_empty();
        let (mut written, mut able) = (Ok(Written { kept: Vec::new(), outcomes: Vec::new() }), Ok(()));
        if probe || !keeps.is_empty() || !changes.is_empty() {
            let was_locked = self.place.is_locked();
            written = self
                .hold_place(was_locked)
                .and_then(|()| self.write(&mut keeps, &changes, probe).map_err(|error| self.failure(error)));
            if probe && written.is_ok() {
                able = self.try_room().map_err(|error| self.failure(error));
                if !was_locked {
                    able = Err(self.gone(io::Error::other(
                        "its lock file was removed or replaced; it was locked again",
                    )));
                }
            }
            self.failed = written.is_err() || able.is_err();
        }
        // Answers come last: nothing above may be undone by now.
        match &written {
            Ok(written) => {
                for ((_, answer), kept) in keeps.into_iter().zip(&written.kept) {
                    let _ = answer.send(kept.ok_or_else(full));
                }
                for ((_, answer), outcome) in changes.into_iter().zip(&written.outcomes) {
                    let _ = answer.send(Ok(*outcome));
                }
            }
            Err(failure) => {
                for (_, answer) in keeps {
                    let _ = answer.send(Err(failure.error()));
                }
                for (_, answer) in changes {
                    let _ = answer.send(Err(failure.error()));
                }
            }
        }
        for answer in checks {
            let _ = answer.send(match (&written, &able) {
                (Err(failure), _) | (_, Err(failure)) => Err(failure.error()),
                _ => self.check(),
            });
        }
        for answer in depths {
            let _ = answer.send(self.retention.depth().map_err(|error| self.failure(error).error()));
        }
    }

    /// Fails unless what is written would be found, and no other receiver writes.
    fn hold_place(&mut self, is_locked: bool) -> Result<(), Failure> {
        self.place.check().map_err(|error| self.gone(error))?;
        if !is_locked {
            self.place.lock_again().map_err(|error| self.gone(error))?;
            tracing::warn!(inbox = %self.place, "the lock file was removed or replaced; the inbox is locked again");
        }
        Ok(())
    }

    /// Writes as much as a long event needs, unless there is plenty of room and nothing failed lately.
    fn try_room(&self) -> rusqlite::Result<()> {
        const PLENTY: u64 = 16 * room::ONE_EVENT;
        let length = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
        let path = self.place.path();
        let longest = length(path).max(length(&place::beside(path, "-wal")));
        if !self.failed && room::left(path, longest).is_some_and(|left| left >= PLENTY) {
            return Ok(());
        }
        for sql in ["DELETE FROM probe; INSERT INTO probe VALUES (randomblob(98304));", "DELETE FROM probe;"]
        {
            let transaction = Transaction::new_unchecked(self.conn, TransactionBehavior::Immediate)?;
            transaction.execute_batch(sql)?;
            transaction.commit()?;
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), SinkError> {
        match self.retention.is_full() {
            Ok(true) => Err(full()),
            Ok(false) => Ok(()),
            Err(error) => Err(self.failure(error).error()),
        }
    }

    fn failure(&self, error: rusqlite::Error) -> Failure {
        Failure { message: format!("the inbox {} failed", self.place), source: Arc::new(error) }
    }

    fn gone(&self, error: io::Error) -> Failure {
        Failure { message: format!("the inbox {} is gone", self.place), source: Arc::new(error) }
    }

    fn write(
        &mut self,
        keeps: &mut Vec<(NewEvent, Answer<Kept>)>,
        changes: &[(Change, Answer<Changed>)],
        probe: bool,
    ) -> rusqlite::Result<Written> {
        // Rolled back when dropped. Immediate: a transaction that has read cannot always become one that writes.
        let transaction = Transaction::new_unchecked(self.conn, TransactionBehavior::Immediate)?;
        // Nobody waits for these any more: they were answered as errors, and will come again. Getting here may have
        // taken long.
        keeps.retain(|(_, answer)| !answer.is_closed());
        let outcomes = changes.iter().map(|(change, _)| consumers::apply(self.conn, change));
        let outcomes = outcomes.collect::<rusqlite::Result<Vec<_>>>()?;
        let full = !keeps.is_empty() && self.retention.is_full()?;
        let last: i64 = self.last_sequence.query_row([], |row| row.get(0))?;
        let mut sequence = last;
        self.seen.catch_up(last)?;
        // Not into `self` before they are committed.
        let (mut new_sources, mut new_keys) = (HashMap::new(), Firsts::new());
        let mut kept = Vec::with_capacity(keeps.len());
        for (event, _) in &*keeps {
            let known = self.sources.get(&event.source).or_else(|| new_sources.get(&event.source)).copied();
            let id = if let Some(id) = known {
                id
            } else {
                let id = self.source_id(&event.source)?;
                new_sources.insert(Arc::clone(&event.source), id);
                id
            };
            let key = event.key.map(|key| seen::key(id, key));
            let first = match &key {
                Some(key) => new_keys
                    .get(key)
                    .copied()
                    .map_or_else(|| self.seen.first(key), |first| Ok(Some(first)))?,
                None => None,
            };
            let said = match first {
                Some(first) => self.compare(first, event)?,
                None => Said::New,
            };
            let conflicts_with = first.filter(|_| said == Said::Otherwise);
            kept.push(match said {
                Said::Before => Some(Kept::Duplicate),
                Said::TooMuch => Some(Kept::TooManyConflicts),
                Said::New | Said::Otherwise if full => None,
                Said::New | Said::Otherwise => {
                    sequence += 1;
                    self.insert(id, sequence, conflicts_with, event)?;
                    if conflicts_with.is_some() {
                        Some(Kept::Conflicting)
                    } else {
                        new_keys.extend(key.map(|key| (key, sequence)));
                        Some(Kept::New)
                    }
                }
            });
        }
        let moved = self.seen.move_some(MOVES * keeps.len())?;
        if sequence != last || probe {
            // A value that changes: SQLite leaves out what is written as it was.
            self.set_last_sequence.execute((sequence, probe))?;
        }
        transaction.commit()?;
        self.sources.extend(new_sources);
        self.seen.moved(moved);
        self.seen.add(new_keys, sequence);
        let now = Instant::now();
        for (event, _) in &*keeps {
            self.retention.note(event.received_at, now);
        }
        Ok(Written { kept, outcomes })
    }

    fn source_id(&mut self, name: &str) -> rusqlite::Result<i64> {
        match self.source.query_row([name], |row| row.get(0)).optional()? {
            Some(id) => Ok(id),
            None => self.insert_source.insert([name]),
        }
    }

    /// Compares `event` with what is kept of its key: `first`, and those that contradict it.
    fn compare(&mut self, first: i64, event: &NewEvent) -> rusqlite::Result<Said> {
        // Rare enough not to store digests: as a rule the first row is the same, byte for byte.
        let content = |raw: &[u8]| ContentDigest::of(raw, event.signature_members);
        let mut own = None;
        let (mut found, mut conflicts) = (false, 0);
        let mut rows = self.same_key.query([first])?;
        while let Some(row) = rows.next()? {
            let raw = row.get_ref(0)?.as_blob()?;
            let is_same = raw == event.raw.as_bytes()
                || content(raw) == *own.get_or_insert_with(|| content(event.raw.as_bytes()));
            if is_same {
                return Ok(Said::Before);
            }
            found = true;
            conflicts += usize::from(row.get::<_, Option<i64>>(1)?.is_some());
        }
        Ok(match (found, conflicts < MAX_CONFLICTS) {
            // Removed without this process knowing.
            (false, _) => Said::New,
            (true, true) => Said::Otherwise,
            (true, false) => Said::TooMuch,
        })
    }

    fn insert(
        &mut self,
        source: i64,
        sequence: i64,
        conflicts_with: Option<i64>,
        event: &NewEvent,
    ) -> rusqlite::Result<()> {
        let key = event.key.as_ref().map(DedupeKey::as_bytes);
        self.insert.execute((
            sequence,
            source,
            event.received_at,
            key,
            event.key_name.as_deref(),
            event.signature_reused,
            conflicts_with,
            event.body.as_str(),
            event.raw.as_bytes(),
        ))?;
        Ok(())
    }

    fn retain(&mut self) {
        let step = |writer: &mut Self| {
            let transaction = Transaction::new_unchecked(writer.conn, TransactionBehavior::Immediate)?;
            let removed = writer.retention.step()?;
            transaction.commit()?;
            if let Some(removed) = removed {
                writer.seen.remove(&removed.keys);
                writer.removals.note(&removed);
            }
            Ok::<_, rusqlite::Error>(())
        };
        if let Err(error) = step(self) {
            self.retention.put_off();
            tracing::warn!(%error, "no old events could be removed from the inbox");
        }
    }
}

fn full() -> SinkError {
    SinkError::new(SinkErrorKind::Full, "the inbox is full until its consumers take events")
}

/// An event beside what is kept of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    /// Nothing is kept.
    New,
    /// One of them says the same.
    Before,
    /// None of them does.
    Otherwise,
    /// None of them does, and there are as many as may be.
    TooMuch,
}

/// One error for everybody in the batch.
struct Failure {
    message: String,
    source: Arc<dyn StdError + Send + Sync>,
}

impl Failure {
    fn error(&self) -> SinkError {
        SinkError::unavailable(&self.message).with_source(Arc::clone(&self.source))
    }
}
