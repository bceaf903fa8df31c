//! The state on disk: a snapshot, and the journal of what changed since.
//!
//! | file | is |
//! |---|---|
//! | `<path>` | the snapshot, with a serial number and a checksum; replaced as a whole by every checkpoint |
//! | `<path>.journal` | what changed since the snapshot that it names, line by line |
//! | `<path>.lock` | locked by the one who writes; stays, and means nothing unless locked |
//!
//! A file that is not as it was written is refused: a changed bit, a line that is missing, there twice or in another
//! place, a journal of another state. Only what a crash leaves unwritten is not missed: the last lines of a journal, up
//! to any of its bytes.

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

use self::journal::{Appender, Output, Replayed, Whole};
use self::lock::Lock;
use self::snapshot::{Snapshot, SnapshotId};
use super::{Journal, Record, State};

pub use self::error::StateError;

/// The version of both formats. The first one had no lineage, no checksum of the snapshot and no line numbers.
const VERSION: u32 = 2;
/// The serial of the first snapshot.
const FIRST: u64 = 1;
/// No state is longer: 4 GiB. One of a million callbacks has some 300 MiB.
const LONGEST: u64 = 4 * 1024 * 1024 * 1024;

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
        let Loaded { serial, id, state, whole } = files.load()?;
        let id = match id {
            Some(id) => id,
            None => files.begin(serial, &state)?,
        };
        let failed = |error| StateError::io(&files.journal, "written", error);
        let output = match whole {
            Some(whole) => Output::resume(&files.journal, id, whole),
            None => Output::begin(&files.journal, id),
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
        let serial = self.files.after(output.id.serial)?;
        let prepared = prepare(snapshot, |out| snapshot::write(out, &output.id.lineage, serial, state));
        let (prepared, id) = prepared.map_err(|error| self.files.failed("written", error))?;
        // From here on the journal may belong to no snapshot any more, and what is appended to it would be lost.
        let renamed = commit(prepared, snapshot).and_then(|()| Output::begin(journal, id));
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
        let (serial, id, mut state) =
            if let Some(Snapshot { id, serial, state }) = snapshot::read(&self.snapshot)? {
                (Some(serial), id, state)
            } else {
                (None, None, State::empty().map_err(|error| self.failed(WITHOUT_RANDOMNESS, error))?)
            };
        let replayed = match journal {
            Some(journal) => journal::replay(&self.journal, journal, serial, id.as_ref(), &mut state)?,
            None => Replayed::Nothing,
        };
        let (path, journal) = (self.snapshot.clone(), self.journal.clone());
        match replayed {
            // What is of version 1 goes into a snapshot of this one.
            Replayed::Taken(whole) => {
                let whole = id.is_some().then_some(whole);
                Ok(Loaded { serial, id, state, whole })
            }
            Replayed::Nothing => Ok(Loaded { serial, id, state, whole: None }),
            Replayed::Ahead(journal_serial) => {
                Err(StateError::Astray { path, serial, journal, journal_serial })
            }
            Replayed::Foreign => Err(StateError::Foreign { path, journal }),
        }
    }

    /// Writes the first snapshot, so that the salt is durable before any fingerprint is; or, after `earlier` ones of version
    /// 1, the one that goes on from there.
    fn begin(&self, earlier: Option<u64>, state: &State) -> Result<SnapshotId, StateError> {
        let serial = earlier.map_or(Ok(FIRST), |serial| self.after(serial))?;
        let mut lineage = [0; 16];
        getrandom::fill(&mut lineage)
            .map_err(|error| self.failed(WITHOUT_RANDOMNESS, io::Error::other(error)))?;
        let lineage = hex::encode(lineage);
        let written = replace(&self.snapshot, |out| snapshot::write(out, &lineage, serial, state));
        written.map(|(_, id)| id).map_err(|error| self.failed("written", error))
    }

    /// The serial after `serial`.
    fn after(&self, serial: u64) -> Result<u64, StateError> {
        serial.checked_add(1).ok_or_else(|| StateError::LastSerial { path: self.snapshot.clone() })
    }

    fn failed(&self, what: &'static str, error: io::Error) -> StateError {
        StateError::io(&self.snapshot, what, error)
    }
}

const WITHOUT_RANDOMNESS: &str = "begun without randomness";

struct Loaded {
    /// Of the snapshot; `None` when there is none.
    serial: Option<u64>,
    /// `None` also of version 1.
    id: Option<SnapshotId>,
    state: State,
    /// The good part of the journal; `None` when the snapshot has none, or none to go on with.
    whole: Option<Whole>,
}

/// Puts what `write` writes in the place of `path`, durably and at once.
fn replace<T>(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<T>) -> io::Result<(File, T)> {
    let (prepared, written) = prepare(path, write)?;
    let file = prepared.reopen()?;
    commit(prepared, path)?;
    Ok((file, written))
}

/// Writes a file beside `path`, for its owner only: it tells whom we do business with.
fn prepare<T>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> io::Result<(tempfile::NamedTempFile, T)> {
    let name = path.file_name().unwrap_or(OsStr::new("state"));
    let mut prefix = OsStr::new(".").to_owned();
    prefix.push(name);
    let mut file = tempfile::Builder::new().prefix(&prefix).suffix(".tmp").tempfile_in(directory_of(path))?;
    let written = write(file.as_file_mut())?;
    file.as_file().sync_all()?;
    Ok((file, written))
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
