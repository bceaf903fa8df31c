use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::process;

use super::StateError;

/// Longer than any process id with its line end.
const LONGEST: u64 = 16;

/// Held by the one who writes. The kernel releases it when its process ends, however that ends.
pub(super) struct Lock(#[expect(dead_code, reason = "unlocked when dropped")] File);

impl Lock {
    /// Locks the file at `path`, for the state file `locked`.
    pub(super) fn take(path: &Path, locked: &Path) -> Result<Self, StateError> {
        let failed = |error| StateError::io(path, "locked", error);
        let mut file = open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {
                note_holder(&mut file).map_err(failed)?;
                Ok(Self(file))
            }
            Err(TryLockError::WouldBlock) => Err(StateError::Locked {
                path: locked.to_owned(),
                pid: held_text(&mut file).and_then(|text| text.parse().ok()),
            }),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

/// Opens the lock file, or creates it. A link is not followed: who may write in this directory could have another file
/// written over.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    loop {
        match fs::symlink_metadata(path) {
            Ok(seen) if !seen.is_file() => return Err(refused("is a link, or no regular file")),
            Ok(seen) => {
                let file = options.open(path)?;
                let opened = file.metadata()?;
                return if is_same(&seen, &opened) { Ok(file) } else { Err(refused("was replaced")) };
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Err(_) => match options.clone().create_new(true).open(path) {
                // Somebody else was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                created => return created,
            },
        }
    }
}

#[cfg(unix)]
fn is_same(seen: &Metadata, opened: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (seen.dev(), seen.ino()) == (opened.dev(), opened.ino())
}

#[cfg(not(unix))]
fn is_same(_: &Metadata, opened: &Metadata) -> bool {
    opened.is_file()
}

/// For the message that others get. It is the lock that counts.
fn note_holder(file: &mut File) -> io::Result<()> {
    if held_text(file).is_none() {
        return Err(refused("is no lock file: it holds more than the number of a process"));
    }
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", process::id())
}

/// The number of a process that the file holds, or nothing; `None` when it holds something else.
fn held_text(file: &mut File) -> Option<String> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(LONGEST + 1).read_to_string(&mut text).ok()?;
    // After a loss of power some file systems have zeros where the number was to be.
    let number = text.trim_end_matches(|c: char| c == '\0' || c.is_whitespace());
    let is_ours = text.len() as u64 <= LONGEST && number.bytes().all(|byte| byte.is_ascii_digit());
    is_ours.then(|| number.to_owned())
}

fn refused(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, problem)
}
