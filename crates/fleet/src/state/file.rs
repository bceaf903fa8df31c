//! The state on disk: a snapshot, and the journal of what changed since.
//!
//! | file | is |
//! |---|---|
//! | `<path>` | the snapshot, with a serial number; replaced as a whole by every checkpoint |
//! | `<path>.journal` | what changed since the snapshot whose serial it names |
//! | `<path>.lock` | locked by the one who writes; stays, and means nothing unless locked |

mod error;
mod journal;
mod lock;
mod snapshot;
#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use self::journal::{Appender, Output, Replayed};
use self::lock::Lock;
use super::{Journal, Record, State};

pub use self::error::StateError;

/// The version of both formats.
const VERSION: u32 = 1;
/// The serial of the first snapshot.
const FIRST: u64 = 1;

/// The state on disk, held by one process until this is dropped.
///
/// As a [`Journal`] it works under any runtime, or none. What waits at the same time is synced together. Once a record
/// could not be made durable, no later one is taken: open the state again. A record is written even when the future of
/// its `append` is dropped, once that was polled.
pub struct StateFile {
    files: Files,
    appender: Appender,
    // The last field: unlocked when nothing writes any more.
    #[expect(dead_code, reason = "unlocked when dropped")]
    lock: Lock,
}

impl StateFile {
    /// Reads without locking, for those who only look; a missing file is an empty state.
    ///
    /// While another process writes, this is the state as it was at some moment of the reading.
    pub fn read(path: impl AsRef<Path>) -> Result<State, StateError> {
        Ok(Files::of(path.as_ref()).load()?.state)
    }

    /// Locks the state for this process and reads it. A missing one begins empty; its directory must be there.
    pub fn open(path: impl AsRef<Path>) -> Result<(Self, State), StateError> {
        let files = Files::of(path.as_ref());
        let lock = Lock::take(&files.lock, &files.snapshot)?;
        // What was renamed before a crash is to stay so before anything is built on it.
        sync_directory(&files.snapshot).map_err(|error| files.failed("made durable", error))?;
        let Loaded { serial, state, good } = files.load()?;
        // The salt is durable before any fingerprint is.
        if serial.is_none() {
            let written = replace(&files.snapshot, |out| snapshot::write(out, FIRST, &state));
            written.map_err(|error| files.failed("written", error))?;
        }
        let serial = serial.unwrap_or(FIRST);
        let failed = |error| StateError::io(&files.journal, "written", error);
        let output = match good {
            Some(good) => Output::resume(&files.journal, serial, good),
            None => Output::begin(&files.journal, serial),
        };
        let output = Arc::new(Mutex::new(output.map_err(failed)?));
        let appender = Appender::start(&files.journal, output).map_err(failed)?;
        Ok((Self { files, appender, lock }, state))
    }

    /// Replaces the snapshot by `state` and empties the journal. At any crash either the old or the new pair is there.
    ///
    /// `state` must have all that was appended: end every `append` first. Blocks until the disk has it.
    pub fn checkpoint(&self, state: &State) -> Result<(), StateError> {
        let mut output = self.appender.output.lock().unwrap_or_else(PoisonError::into_inner);
        let Files { snapshot, journal, .. } = &self.files;
        let serial = output.serial + 1;
        let prepared = prepare(snapshot, |out| snapshot::write(out, serial, state));
        let prepared = prepared.map_err(|error| self.files.failed("written", error))?;
        // From here on the journal may belong to no snapshot any more, and what is appended to it would be lost.
        let renamed = commit(prepared, snapshot).and_then(|()| Output::begin(journal, serial));
        match renamed {
            Ok(begun) => {
                output.continue_in(begun);
                Ok(())
            }
            Err(error) => {
                let again = io::Error::new(error.kind(), error.to_string());
                output.fail(again);
                Err(self.files.failed("written", error))
            }
        }
    }
}

#[async_trait]
impl Journal for StateFile {
    async fn append(&self, record: &Record) -> io::Result<()> {
        self.appender.append(record).await
    }
}

impl fmt::Debug for StateFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StateFile").field(&self.files.snapshot).finish()
    }
}

struct Files {
    snapshot: PathBuf,
    journal: PathBuf,
    lock: PathBuf,
}

impl Files {
    fn of(path: &Path) -> Self {
        // Behind a link: renaming would put a file in its place, and each name would have its own lock.
        let snapshot = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let beside = |suffix| {
            let mut path = snapshot.clone().into_os_string();
            path.push(suffix);
            PathBuf::from(path)
        };
        Self { journal: beside(".journal"), lock: beside(".lock"), snapshot }
    }

    fn load(&self) -> Result<Loaded, StateError> {
        // Opened before the snapshot is: checkpoints replace the snapshot first, so that what is read then is the one
        // this journal continues, or a later one that has all of it.
        let journal = journal::open(&self.journal)?;
        let (serial, mut state) = if let Some((serial, state)) = snapshot::read(&self.snapshot)? {
            (Some(serial), state)
        } else {
            let empty = State::empty();
            (None, empty.map_err(|error| self.failed("begun without randomness", error))?)
        };
        let replayed = match journal {
            Some(journal) => journal::replay(&self.journal, journal, serial, &mut state)?,
            None => Replayed::Nothing,
        };
        match replayed {
            Replayed::Taken { good } => Ok(Loaded { serial, state, good: Some(good) }),
            Replayed::Nothing => Ok(Loaded { serial, state, good: None }),
            Replayed::Ahead(journal_serial) => Err(StateError::Astray {
                path: self.snapshot.clone(),
                serial,
                journal: self.journal.clone(),
                journal_serial,
            }),
        }
    }

    fn failed(&self, what: &'static str, error: io::Error) -> StateError {
        StateError::io(&self.snapshot, what, error)
    }
}

struct Loaded {
    /// Of the snapshot; `None` when there is none.
    serial: Option<u64>,
    state: State,
    /// How much of the journal is whole; `None` when the snapshot has none.
    good: Option<u64>,
}

/// Puts what `write` writes in the place of `path`, durably and at once.
fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<File> {
    let prepared = prepare(path, write)?;
    let file = prepared.reopen()?;
    commit(prepared, path)?;
    Ok(file)
}

/// Writes a file beside `path`, for its owner only: it tells whom we do business with.
fn prepare(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<tempfile::NamedTempFile> {
    let name = path.file_name().unwrap_or(OsStr::new("state"));
    let mut prefix = OsStr::new(".").to_owned();
    prefix.push(name);
    let mut file = tempfile::Builder::new().prefix(&prefix).suffix(".tmp").tempfile_in(directory_of(path))?;
    write(file.as_file_mut())?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn commit(prepared: tempfile::NamedTempFile, path: &Path) -> io::Result<()> {
    prepared.persist(path).map_err(|error| error.error)?;
    sync_directory(path)
}

/// Makes names in the directory of `path` durable.
fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(directory_of(path))?.sync_all()?;
    }
    Ok(())
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
