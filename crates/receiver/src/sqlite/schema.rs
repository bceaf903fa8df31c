use std::fs::File;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use super::place::{Place, beside, private};
use crate::sink::SinkError;

/// "RCBi": tells an inbox from another program's database.
const APPLICATION_ID: i32 = 0x5243_4269;
/// 1: no names of keys, no reused signatures, no events that contradict others.
const VERSION: i32 = 2;

/// `event.body` is JSON without what the other columns have. Sequences come from `inbox`, so that none is used twice
/// and a duplicate leaves no gap: what is kept is always one unbroken run of them.
pub(super) const SCHEMA: &str = "
    CREATE TABLE inbox (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        last_sequence INTEGER NOT NULL,
        moved_sequence INTEGER NOT NULL, -- up to here, the keys of events are in `seen`; later ones may be
        probes INTEGER NOT NULL DEFAULT 0 -- how often it was tried whether the disk takes anything
    );
    INSERT INTO inbox (id, last_sequence, moved_sequence) VALUES (1, 0, 0);
    CREATE TABLE probe (filling BLOB NOT NULL);
    CREATE TABLE source (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE event (
        sequence INTEGER PRIMARY KEY,
        source_id INTEGER NOT NULL REFERENCES source,
        received_at INTEGER NOT NULL, -- nanoseconds since 1970
        dedupe_key BLOB,
        key_name TEXT,
        signature_reused INTEGER NOT NULL DEFAULT 0,
        conflicts_with INTEGER, -- the first event of the same source and dedupe key, when this one says something else
        body TEXT NOT NULL,
        raw BLOB NOT NULL
    );
    CREATE INDEX conflict ON event (conflicts_with) WHERE conflicts_with IS NOT NULL;
    CREATE TABLE seen (
        source_id INTEGER NOT NULL,
        dedupe_key BLOB NOT NULL,
        sequence INTEGER NOT NULL, -- of the first event of the key
        PRIMARY KEY (source_id, dedupe_key)
    ) WITHOUT ROWID;
    CREATE TABLE consumer (name TEXT PRIMARY KEY, cursor INTEGER NOT NULL) WITHOUT ROWID;
";

/// From version 1. Nothing of an event changes; `seen` is made anew, with the numbers of events.
const MIGRATION: &str = "
    ALTER TABLE inbox ADD COLUMN probes INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE probe (filling BLOB NOT NULL);
    ALTER TABLE event ADD COLUMN key_name TEXT;
    ALTER TABLE event ADD COLUMN signature_reused INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE event ADD COLUMN conflicts_with INTEGER;
    CREATE INDEX conflict ON event (conflicts_with) WHERE conflicts_with IS NOT NULL;
    DROP TABLE seen;
    CREATE TABLE seen (
        source_id INTEGER NOT NULL,
        dedupe_key BLOB NOT NULL,
        sequence INTEGER NOT NULL,
        PRIMARY KEY (source_id, dedupe_key)
    ) WITHOUT ROWID;
    INSERT INTO seen SELECT source_id, dedupe_key, min(sequence) FROM event
        WHERE dedupe_key IS NOT NULL GROUP BY source_id, dedupe_key;
    UPDATE inbox SET moved_sequence = last_sequence;
    PRAGMA user_version = 2;
";

/// Who opens the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The one who keeps events: makes the file if there is none, and waits for the disk.
    Writer,
    /// A consumer that writes its cursor; one lost with the power means events given again.
    Consumer,
}

/// Opens the inbox at `path`.
pub(super) fn open(path: &Path, role: Role, busy_timeout: Duration) -> Result<Connection, SinkError> {
    connect(path, role, busy_timeout).map_err(|problem| told(path, problem))
}

fn told(path: &Path, problem: Problem) -> SinkError {
    let path = path.display();
    match problem {
        Problem::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            SinkError::unavailable(format!("{path} is not an inbox: no SQLite database")).with_source(error)
        }
        Problem::Sqlite(error) => {
            SinkError::unavailable(format!("the inbox {path} cannot be opened")).with_source(error)
        }
        Problem::Foreign => {
            SinkError::unavailable(format!("{path} is not an inbox: another program's database"))
        }
        Problem::Newer(version) => SinkError::unavailable(format!(
            "the inbox {path} is of version {version}; this program knows versions up to {VERSION}"
        )),
        Problem::NoWal => {
            SinkError::unavailable(format!("the file system of the inbox {path} allows no WAL"))
        }
        Problem::LogWithoutIndex => SinkError::unavailable(format!(
            "the inbox {path} has a log beside it ({path}-wal), which cannot be read where nothing can be written: copy \
             both to a directory of your own and read them there, or let a receiver open and close the inbox"
        )),
    }
}

/// A connection that reads, and can do nothing else.
pub(super) struct Reading {
    pub(super) conn: Connection,
    /// Opened as a file that nobody changes, because nothing can be made beside it. Holds only until a receiver starts.
    pub(super) is_frozen: bool,
}

/// Opens the inbox at `path` without writing to it or beside it, where it can be read so at all.
pub(super) fn open_to_read(path: &Path) -> Result<Reading, SinkError> {
    connect_to_read(path).map_err(|problem| told(path, problem))
}

fn connect_to_read(path: &Path) -> Result<Reading, Problem> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let check = |conn: Connection| {
        conn.busy_timeout(super::BUSY_TIMEOUT)?;
        match Found::look(&conn)? {
            Found::Inbox(1..=VERSION) => Ok(conn),
            Found::Inbox(version) => Err(Problem::Newer(version)),
            Found::Nothing | Found::Other => Err(Problem::Foreign),
        }
    };
    let problem = match Connection::open_with_flags(path, flags).map_err(Problem::from).and_then(check) {
        Ok(conn) => return Ok(Reading { conn, is_frozen: false }),
        Err(problem) => problem,
    };
    // SQLite wants to make the log's index beside the database, and cannot.
    let is_closed = matches!(&problem, Problem::Sqlite(error) if matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied)
    ));
    if !is_closed || File::open(path).is_err() {
        return Err(problem);
    }
    if has_log(path) {
        return Err(Problem::LogWithoutIndex);
    }
    let conn = Connection::open_with_flags(frozen_uri(path)?, flags | OpenFlags::SQLITE_OPEN_URI)?;
    Ok(Reading { conn: check(conn)?, is_frozen: true })
}

/// Tells whether there are events that are in the log only.
pub(super) fn has_log(path: &Path) -> bool {
    std::fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0)
}

fn frozen_uri(path: &Path) -> Result<String, Problem> {
    let path = path.canonicalize().map_err(|_| Problem::Foreign)?;
    let encoded = path.as_os_str().as_encoded_bytes().iter().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
            char::from(*byte).to_string()
        }
        b'\\' if cfg!(windows) => "/".to_owned(),
        _ => format!("%{byte:02x}"),
    });
    Ok(format!("file:{}?immutable=1", encoded.collect::<String>()))
}

enum Problem {
    LogWithoutIndex,
    Sqlite(rusqlite::Error),
    Foreign,
    Newer(i32),
    NoWal,
}

impl From<rusqlite::Error> for Problem {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn connect(path: &Path, role: Role, busy_timeout: Duration) -> Result<Connection, Problem> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if role == Role::Writer {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
        // With SQLite's own everybody could read it; the log is made with the same mode. Only a new file is opened here:
        // closing an inbox that is there would end the locks SQLite has on it. What fails is found by SQLite again.
        let _ = private().create_new(true).open(path);
    }
    let mut conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(busy_timeout)?;
    // Before anything is changed: the file may be somebody else's.
    let mut found = Found::look(&conn)?;
    if found == Found::Nothing && role == Role::Writer {
        // Events are of one to two KB: larger pages leave less room unused.
        conn.pragma_update(None, "page_size", 8_192)?;
        let wal: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        if wal != "wal" {
            return Err(Problem::NoWal);
        }
        let transaction = Transaction::new(&mut conn, TransactionBehavior::Immediate)?;
        // Another process may have been faster.
        found = Found::look(&transaction)?;
        if found == Found::Nothing {
            transaction.execute_batch(SCHEMA)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
            transaction.commit()?;
            found = Found::Inbox(VERSION);
        }
    }
    match found {
        // An older one is brought up to date by the writer, once it has the lock: another may still be writing.
        Found::Inbox(1..=VERSION) => {}
        Found::Inbox(version) => return Err(Problem::Newer(version)),
        Found::Nothing | Found::Other => return Err(Problem::Foreign),
    }
    let synchronous = if role == Role::Writer { "FULL" } else { "NORMAL" };
    conn.pragma_update(None, "synchronous", synchronous)?;
    if role == Role::Writer {
        // 32 MiB: the keys of a million events.
        conn.pragma_update(None, "cache_size", -32_768)?;
        // Pages: 16 MiB. What is written again and again is copied to its place only once.
        conn.pragma_update(None, "wal_autocheckpoint", 2_000)?;
        // A WAL that grew under a slow reader gives its space back.
        conn.pragma_update(None, "journal_size_limit", 64 << 20)?;
    }
    Ok(conn)
}

/// Brings an inbox of an older version up to date. Only for who holds the lock on its [`Place`].
pub(super) fn migrate(conn: &Connection, place: &Place) -> Result<(), SinkError> {
    let migrate = || {
        // Rolled back when dropped: half of it would be no inbox.
        let transaction = Transaction::new_unchecked(conn, TransactionBehavior::Immediate)?;
        if version(&transaction)? == 1 {
            transaction.execute_batch(MIGRATION)?;
            transaction.commit()?;
            tracing::info!(inbox = %place, "the inbox was of version 1 and is now of version {VERSION}");
        }
        Ok(())
    };
    migrate().map_err(|error: rusqlite::Error| {
        let problem =
            format!("the inbox {place} is of version 1 and could not be brought to version {VERSION}");
        SinkError::unavailable(problem).with_source(error)
    })
}

/// The version of the inbox at this moment: a reader may see it change.
pub(super) fn version(conn: &Connection) -> rusqlite::Result<i32> {
    conn.query_row("PRAGMA user_version", [], |row| row.get(0))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    Inbox(i32),
    Other,
}

impl Found {
    fn look(conn: &Connection) -> rusqlite::Result<Self> {
        let number = |sql| conn.query_row(sql, [], |row| row.get::<_, i32>(0));
        let version = version(conn)?;
        Ok(match number("PRAGMA application_id")? {
            APPLICATION_ID => Self::Inbox(version),
            0 if version == 0 && number("SELECT count(*) FROM sqlite_schema")? == 0 => Self::Nothing,
            _ => Self::Other,
        })
    }
}
