use std::io;
use std::path::{Path, PathBuf};

/// Why a state cannot be read or kept, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The disk or the operating system refuses.
    #[error(
        "the state file {} cannot be {what}; check its directory, the permissions and the room on the disk",
        path.display()
    )]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// Another process has it open for writing.
    #[error(
        "the state file {} is in use by {}; wait until that ends, or end it: the lock ends with it",
        path.display(),
        holder(*pid)
    )]
    Locked {
        /// The file.
        path: PathBuf,
        /// The process, where it is known.
        pid: Option<u32>,
    },
    /// A later version of this program wrote it.
    #[error(
        "the state file {} is of version {version}, and this program knows versions up to {}; use the newer program",
        path.display(),
        super::VERSION
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u64,
    },
    /// The snapshot is no state file, or not any more.
    #[error(
        "{} is not a state file, or is damaged; restore a backup, or move it and its journal away and `import` again: \
         only the knowledge of what is owned is lost",
        path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A line of the journal is not what was written, and it is not the end that a crash may cut off.
    #[error(
        "line {line} of the journal {} is damaged; restore a backup of it and of its state file, or cut the journal \
         off before that line and `import` again: only the knowledge of what became owned since is lost",
        path.display()
    )]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it, when it is whole.
        source: Option<serde_json::Error>,
    },
    /// The journal continues a snapshot that is not there.
    #[error(
        "the journal {} continues snapshot {journal_serial}, but {} {}; restore the two from one backup, or move both \
         away and `import` again: only the knowledge of what is owned is lost",
        journal.display(),
        path.display(),
        snapshot(*serial)
    )]
    Astray {
        /// The state file.
        path: PathBuf,
        /// Its serial; `None` when it is not there.
        serial: Option<u64>,
        /// The journal.
        journal: PathBuf,
        /// The serial the journal continues.
        journal_serial: u64,
    },
    /// The journal continues another state, or another snapshot of the same serial.
    #[error(
        "the journal {} is not that of {}: it continues another one; restore the two from one backup, or move the journal \
         away and `import` again: only the knowledge of what became owned since is lost",
        journal.display(),
        path.display()
    )]
    Foreign {
        /// The state file.
        path: PathBuf,
        /// The journal.
        journal: PathBuf,
    },
    /// There is no number for another snapshot: somebody changed the last one.
    #[error(
        "the state file {} has the last serial number there is, so that nothing more can be kept in it; move it and its \
         journal away and `import` again",
        path.display()
    )]
    LastSerial {
        /// The file.
        path: PathBuf,
    },
}

impl StateError {
    pub(super) fn io(path: &Path, what: &'static str, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), what, source }
    }
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

fn snapshot(serial: Option<u64>) -> String {
    serial.map_or_else(|| "is not there".to_owned(), |serial| format!("is snapshot {serial}"))
}
