//! Which files an inbox is, and that they still are.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use record_callback_durable::{FileAccess, check_private_file};

use crate::sink::SinkError;

/// The endings of the files written beside the database.
const BESIDE: [&str; 4] = ["-wal", "-shm", "-journal", ".lock"];

/// Bodies have signatures that may still be valid: what is made is for its owner only.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// `path` with `suffix` behind its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.to_owned().into_os_string();
    path.push(suffix);
    path.into()
}

fn files(path: &Path) -> impl Iterator<Item = PathBuf> {
    std::iter::once(path.to_owned()).chain(BESIDE.map(|suffix| beside(path, suffix)))
}

/// Refuses files that somebody else chose or can write: events would go where they want them, or come from them.
pub(super) fn check_files(path: &Path) -> Result<(), SinkError> {
    for file in files(path) {
        match check_private_file(&file) {
            Ok(_) => {}
            // That the directory is missing or closed, SQLite says itself.
            Err(error) if error.raw_os_error().is_some() => {}
            Err(error) => {
                let problem = format!("{} is not used for an inbox: {error}", file.display());
                return Err(SinkError::unavailable(problem));
            }
        }
    }
    Ok(())
}

/// Tells whoever runs the receiver what others can do to the inbox that is in use now.
pub(super) fn warn_of_others(path: &Path) {
    for file in files(path).filter(|file| matches!(check_private_file(file), Ok(FileAccess::OthersRead))) {
        let file = file.display();
        tracing::warn!(%file, "others may read what is kept here; take that away with `chmod go-r`");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if fs::metadata(parent).is_ok_and(|directory| directory.permissions().mode() & 0o1002 == 0o002) {
            tracing::warn!(directory = %parent.display(), "everybody may replace the inbox in this directory");
        }
    }
}

/// Which files a path led to, and the lock that says that they are this process's to write.
///
/// `SQLite` goes on writing into a file that was moved or removed; nobody would find the events there. What this process
/// knows about the inbox is right only while nobody else writes events or removes them: the lock is held for as long as
/// this lives.
pub(super) struct Place {
    path: PathBuf,
    database: FileId,
    log: Option<FileId>,
    lock: File,
}

impl Place {
    /// Takes the lock on the database at `path`, which is there. Waits up to `patience` for another writer: one that is
    /// just ending.
    pub(super) fn take(path: &Path, patience: Duration) -> Result<Self, SinkError> {
        let gone = |error| SinkError::unavailable("the inbox is gone").with_source(error);
        let path = path.canonicalize().map_err(gone)?;
        let database = file_id(&path).map_err(gone)?;
        let shown = path.display();
        let lock = match lock(&beside(&path, ".lock"), patience) {
            Ok(Some(lock)) => lock,
            Ok(None) => {
                return Err(SinkError::unavailable(format!("another receiver writes to the inbox {shown}")));
            }
            Err(error) => {
                return Err(
                    SinkError::unavailable(format!("the inbox {shown} cannot be locked")).with_source(error)
                );
            }
        };
        Ok(Self { path, database, log: None, lock })
    }

    /// Notes which file the write-ahead log is, once there is one.
    pub(super) fn note_log(&mut self) {
        self.log = file_id(&beside(&self.path, "-wal")).ok();
    }

    /// Fails unless the paths still lead to these files.
    pub(super) fn check(&self) -> io::Result<()> {
        let same = |path: &Path, id: &FileId| {
            let found = file_id(path)?;
            if found == *id { Ok(()) } else { Err(io::Error::other("another file is in its place")) }
        };
        same(&self.path, &self.database)?;
        // Without its log, SQLite would find an older state after a crash.
        let log = beside(&self.path, "-wal");
        let Some(id) = &self.log else { return Ok(()) };
        same(&log, id).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", log.display())))
    }

    /// Tells whether the lock is still where another receiver would look for it.
    pub(super) fn is_locked(&self) -> bool {
        match (file_id(&beside(&self.path, ".lock")), open_file_id(&self.lock)) {
            (Ok(found), Ok(held)) => found == held,
            _ => false,
        }
    }

    /// Takes the lock again after somebody removed or replaced its file. What others did to the inbox meanwhile, the
    /// writer finds when it looks.
    ///
    /// # Errors
    /// Fails when another receiver took it first.
    pub(super) fn lock_again(&mut self) -> io::Result<()> {
        let path = beside(&self.path, ".lock");
        check_private_file(&path)?;
        match lock(&path, Duration::ZERO)? {
            Some(lock) => {
                self.lock = lock;
                Ok(())
            }
            None => {
                Err(io::Error::other("its lock file was replaced, and another receiver holds the new one"))
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

/// The lock on the file at `path`. `None`: somebody else has it.
fn lock(path: &Path, patience: Duration) -> io::Result<Option<File>> {
    const PAUSE: Duration = Duration::from_millis(5);
    let file = private().create(true).truncate(false).open(path)?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) if started.elapsed() < patience => thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

#[cfg(unix)]
type FileId = (u64, u64);

#[cfg(unix)]
fn id(file: &fs::Metadata) -> FileId {
    use std::os::unix::fs::MetadataExt;
    (file.dev(), file.ino())
}

/// Windows lets nobody move or remove a file that is open.
#[cfg(not(unix))]
type FileId = ();

#[cfg(not(unix))]
fn id(_: &fs::Metadata) -> FileId {}

fn file_id(path: &Path) -> io::Result<FileId> {
    fs::metadata(path).map(|file| id(&file))
}

fn open_file_id(file: &File) -> io::Result<FileId> {
    file.metadata().map(|file| id(&file))
}
