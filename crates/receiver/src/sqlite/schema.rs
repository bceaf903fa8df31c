use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use crate::sink::{SinkError, SinkErrorKind};

/// "RCBi": tells an inbox from another program's database.
const APPLICATION_ID: i32 = 0x5243_4269;
const VERSION: i32 = 1;

/// `event.body` is JSON without what the other columns have. Sequences come from `inbox`, so that none is used twice
/// and a duplicate leaves no gap: what is kept is always one unbroken run of them.
pub(super) const SCHEMA: &str = "
    CREATE TABLE inbox (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        last_sequence INTEGER NOT NULL,
        moved_sequence INTEGER NOT NULL -- up to here, the keys of events are in `seen`; later ones may be
    );
    INSERT INTO inbox VALUES (1, 0, 0);
    CREATE TABLE source (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE event (
        sequence INTEGER PRIMARY KEY,
        source_id INTEGER NOT NULL REFERENCES source,
        received_at INTEGER NOT NULL, -- nanoseconds since 1970
        dedupe_key BLOB,
        body TEXT NOT NULL,
        raw BLOB NOT NULL
    );
    CREATE TABLE seen (
        source_id INTEGER NOT NULL,
        dedupe_key BLOB NOT NULL,
        PRIMARY KEY (source_id, dedupe_key)
    ) WITHOUT ROWID;
    CREATE TABLE consumer (name TEXT PRIMARY KEY, cursor INTEGER NOT NULL) WITHOUT ROWID;
";

/// Who opens the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The one who keeps events: makes the file if there is none, and waits for the disk.
    Writer,
    /// A consumer. What it writes are cursors, and a cursor lost with the power means events given again.
    Reader,
}

/// Opens the inbox at `path`.
pub(super) fn open(path: &Path, role: Role, busy_timeout: Duration) -> Result<Connection, SinkError> {
    connect(path, role, busy_timeout).map_err(|problem| {
        let path = path.display();
        match problem {
            Problem::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
                unavailable(format!("{path} is not an inbox: no SQLite database")).with_source(error)
            }
            Problem::Sqlite(error) => {
                unavailable(format!("the inbox {path} cannot be opened")).with_source(error)
            }
            Problem::Foreign => unavailable(format!("{path} is not an inbox: another program's database")),
            Problem::Newer(version) => unavailable(format!(
                "the inbox {path} is of version {version}; this program knows versions up to {VERSION}"
            )),
            Problem::NoWal => unavailable(format!("the file system of the inbox {path} allows no WAL")),
        }
    })
}

pub(super) fn unavailable(message: impl Into<String>) -> SinkError {
    SinkError::new(SinkErrorKind::Unavailable, message)
}

enum Problem {
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
        Found::Inbox(VERSION) => {}
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    Inbox(i32),
    Other,
}

impl Found {
    fn look(conn: &Connection) -> rusqlite::Result<Self> {
        let number = |sql| conn.query_row(sql, [], |row| row.get::<_, i32>(0));
        let version = number("PRAGMA user_version")?;
        Ok(match number("PRAGMA application_id")? {
            APPLICATION_ID => Self::Inbox(version),
            0 if version == 0 && number("SELECT count(*) FROM sqlite_schema")? == 0 => Self::Nothing,
            _ => Self::Other,
        })
    }
}

/// Which file a path led to.
///
/// `SQLite` goes on writing into a file that was moved or removed; nobody would find the events there.
pub(super) struct Place {
    path: PathBuf,
    id: FileId,
}

impl Place {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        let id = file_id(&path)?;
        Ok(Self { path, id })
    }

    /// Fails unless the path still leads to this file.
    pub(super) fn check(&self) -> io::Result<()> {
        if file_id(&self.path)? == self.id {
            Ok(())
        } else {
            Err(io::Error::other("another file is in its place"))
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

#[cfg(unix)]
type FileId = (u64, u64);

#[cfg(unix)]
fn file_id(path: &Path) -> io::Result<FileId> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

/// Windows lets nobody move or remove a file that is open.
#[cfg(not(unix))]
type FileId = ();

#[cfg(not(unix))]
fn file_id(path: &Path) -> io::Result<FileId> {
    fs::metadata(path).map(drop)
}
