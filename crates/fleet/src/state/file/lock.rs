use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::process;

use super::StateError;

/// Held by the one who writes. The kernel releases it when its process ends, however that ends.
pub(super) struct Lock(#[expect(dead_code, reason = "unlocked when dropped")] File);

impl Lock {
    /// Locks the file at `path`, for the state file `locked`.
    pub(super) fn take(path: &Path, locked: &Path) -> Result<Self, StateError> {
        let failed = |error| StateError::io(path, "locked", error);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {
                note_holder(&mut file).map_err(failed)?;
                Ok(Self(file))
            }
            Err(TryLockError::WouldBlock) => {
                Err(StateError::Locked { path: locked.to_owned(), pid: holder(&mut file) })
            }
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

/// For the message that others get. It is the lock that counts.
fn note_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", process::id())
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
