//! Files that somebody names: read to their end only if they are files, and not longer than they can be.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// Reads the regular file at `path`, of at most `longest` bytes, with its metadata as they are while it is open.
///
/// # Errors
/// Of kind `InvalidInput` for pipes, devices and directories, none of which is waited for; `FileTooLarge` for a longer file;
/// else those of the system.
pub fn read_regular_file(path: &Path, longest: u64) -> Result<(Vec<u8>, Metadata)> {
    // Looked at before it is opened, for to open a device may do something; and after, for it may be another one by then.
    refuse_irregular(&std::fs::metadata(path)?)?;
    let file = open(path)?;
    let metadata = file.metadata()?;
    refuse_irregular(&metadata)?;
    let mut bytes = Vec::new();
    file.take(longest.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > longest {
        return Err(Error::new(ErrorKind::FileTooLarge, format!("is larger than {longest} bytes")));
    }
    Ok((bytes, metadata))
}

fn refuse_irregular(metadata: &Metadata) -> Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidInput, "is no regular file"))
}

/// Opens without waiting for who writes to a pipe.
#[cfg(unix)]
fn open(path: &Path) -> Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    use rustix::fs::OFlags;
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> Result<File> {
    OpenOptions::new().read(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_within_their_length_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "1234").unwrap();
        let (bytes, metadata) = read_regular_file(&path, 4).unwrap();
        assert_eq!((bytes.as_slice(), metadata.len()), (b"1234".as_slice(), 4));
        let kind = |path: &Path| read_regular_file(path, 3).unwrap_err().kind();
        assert_eq!(kind(&path), ErrorKind::FileTooLarge);
        assert_eq!(kind(directory.path()), ErrorKind::InvalidInput);
        assert_eq!(kind(&directory.path().join("none")), ErrorKind::NotFound);
    }

    #[cfg(unix)]
    #[test]
    fn pipes_and_devices_are_refused_without_waiting() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&pipe, &link).unwrap();
        for path in [&pipe, &link, Path::new("/dev/zero")] {
            assert_eq!(read_regular_file(path, 3).unwrap_err().kind(), ErrorKind::InvalidInput, "{path:?}");
        }
        // Opened between the two looks.
        assert!(!open(&pipe).unwrap().metadata().unwrap().is_file());
    }
}
