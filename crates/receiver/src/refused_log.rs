//! The file with refused deliveries.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::refused_delivery::RefusedDelivery;

/// No log is meant to be longer.
const LONGEST: u64 = 1024 * 1024 * 1024;

/// A file with the last refused deliveries, one JSON object a line, for `record-callback events --refused` and
/// `record-callback explain`.
///
/// It has deliveries as they came, signatures too, so only its owner can read it. It survives restarts, but the last
/// lines may be lost with the power. When it is full the older quarter goes.
#[derive(Debug)]
pub struct RefusedLog {
    path: PathBuf,
    file: File,
    max_count: usize,
    max_bytes: u64,
    count: usize,
    bytes: u64,
}

impl RefusedLog {
    /// The most deliveries a log has unless told otherwise.
    pub const MAX_COUNT: usize = 1024;
    /// The most bytes a log has unless told otherwise: 8 MiB.
    pub const MAX_BYTES: u64 = 8 * 1024 * 1024;

    /// Goes on with the log at `path`, or begins one, of at most `max_count` deliveries and `max_bytes` bytes.
    ///
    /// # Errors
    /// Fails for a symbolic link, for what is no regular file or may be written by others, for a file that begins with
    /// something else than a refused delivery, which stays as it is, and for one that cannot be opened.
    pub fn open(path: impl Into<PathBuf>, max_count: usize, max_bytes: u64) -> io::Result<Self> {
        let path = path.into();
        record_callback_durable::check_private_file(&path)?;
        if path.try_exists()? && !is_log(&record_callback_durable::read(&path, LONGEST)?) {
            return Err(io::Error::other("it holds something else than refused deliveries"));
        }
        let mut file = options().append(true).create(true).open(&path)?;
        restrict(&file)?;
        let held = record_callback_durable::read(&path, LONGEST)?;
        // The last line of a process that was ended in the middle.
        if held.last().is_some_and(|last| *last != b'\n') {
            file.write_all(b"\n")?;
        }
        let lines = held.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
        let bytes = file.metadata()?.len();
        let max_count = max_count.max(1);
        let mut log = Self { path, file, max_count, max_bytes, count: lines, bytes };
        if log.count > max_count || log.bytes > max_bytes {
            log.forget_oldest(0)?;
        }
        Ok(log)
    }

    /// Adds a delivery. One that alone is longer than the log may be is left out.
    pub(crate) fn add(&mut self, delivery: &RefusedDelivery) -> io::Result<()> {
        let mut line = serde_json::to_vec(delivery)?;
        line.push(b'\n');
        let length = line.len() as u64;
        if length > self.max_bytes {
            return Err(io::Error::other("it is longer than the log may be"));
        }
        if self.count >= self.max_count || self.bytes + length > self.max_bytes {
            self.forget_oldest(length)?;
        }
        self.file.write_all(&line)?;
        self.count += 1;
        self.bytes += length;
        Ok(())
    }

    /// Writes the newest three quarters, or less where `needed` bytes need the room, into a new file.
    fn forget_oldest(&mut self, needed: u64) -> io::Result<()> {
        let held = record_callback_durable::read(&self.path, LONGEST)?;
        let lines: Vec<_> = held.split_inclusive(|byte| *byte == b'\n').collect();
        let most_bytes = (self.max_bytes / 4 * 3).min(self.max_bytes - needed);
        let most_lines = (self.max_count / 4 * 3).min(self.max_count - 1);
        let (mut bytes, mut first) = (0, lines.len());
        while first > 0 && lines.len() - first < most_lines {
            let length = lines[first - 1].len() as u64;
            if bytes + length > most_bytes {
                break;
            }
            bytes += length;
            first -= 1;
        }
        let new = with_suffix(&self.path, ".new");
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = options().append(true).create_new(true).open(&new)?;
        file.write_all(&lines[first..].concat())?;
        fs::rename(&new, &self.path)?;
        (self.file, self.count, self.bytes) = (file, lines.len() - first, bytes);
        Ok(())
    }

    /// The deliveries of the log at `path`, the oldest first. Lines that are no delivery are left out: the last one may
    /// just be written.
    ///
    /// # Errors
    /// Fails when the file cannot be read.
    pub fn read(path: &Path) -> io::Result<Vec<RefusedDelivery>> {
        let held = record_callback_durable::read(path, LONGEST)?;
        let lines = held.split(|byte| *byte == b'\n');
        Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
    }
}

/// Tells whether a file that holds `text` is empty or begins with a refused delivery.
fn is_log(text: &[u8]) -> bool {
    let first = text.split(|byte| *byte == b'\n').find(|line| !line.is_empty());
    first.is_none_or(|line| serde_json::from_slice::<RefusedDelivery>(line).is_ok())
}

/// The path with something behind its file name.
fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(unix)]
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(not(unix))]
fn options() -> OpenOptions {
    OpenOptions::new()
}

/// Others do not read it, even if the file was there before.
#[cfg(unix)]
fn restrict(file: &File) -> io::Result<()> {
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))
}

#[cfg(not(unix))]
fn restrict(_file: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use http::{HeaderMap, Method};
    use record_callback_core::Timestamp;

    use super::*;
    use crate::delivery_log::{AnsweredDelivery, DeliveryOutcome};

    fn refused(id: &str, body: &str) -> RefusedDelivery {
        RefusedDelivery::of(&AnsweredDelivery {
            request_id: id,
            source: Some("live"),
            received_at: Timestamp::UNIX_EPOCH,
            sender: None,
            method: &Method::POST,
            path: "/live",
            status: 401,
            outcome: DeliveryOutcome::Refused,
            reason: Some("bad_signature"),
            problem: "",
            took: Duration::ZERO,
            headers: &HeaderMap::new(),
            body: &Bytes::copy_from_slice(body.as_bytes()),
            event: None,
        })
    }

    #[test]
    fn a_log_keeps_the_newest_within_its_bounds() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        for (max_count, max_bytes) in [(8, u64::MAX), (1, u64::MAX), (usize::MAX, 3000)] {
            let _ = fs::remove_file(&path);
            let mut log = RefusedLog::open(&path, max_count, max_bytes).unwrap();
            for number in 0..50 {
                log.add(&refused(&number.to_string(), "{}")).unwrap();
                let kept = RefusedLog::read(&path).unwrap();
                assert!(kept.len() <= max_count && fs::metadata(&path).unwrap().len() <= max_bytes);
                // The newest, without a gap.
                let newest = (0..=number).rev().map(|number: i32| number.to_string());
                assert!(kept.iter().rev().map(|kept| kept.id.clone()).eq(newest.take(kept.len())));
                assert!(!kept.is_empty());
            }
        }
    }

    #[test]
    fn a_file_of_something_else_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("inbox.db");
        for text in ["SQLite format 3\0", "{}\n", "addr = '127.0.0.1:0'\n"] {
            fs::write(&path, text).unwrap();
            let error = RefusedLog::open(&path, 1, 1).unwrap_err();
            assert_eq!(error.to_string(), "it holds something else than refused deliveries");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_longer_log_than_allowed_is_shortened() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut log = RefusedLog::open(&path, 100, u64::MAX).unwrap();
        for number in 0..100 {
            log.add(&refused(&number.to_string(), "{}")).unwrap();
        }
        assert!(RefusedLog::open(&path, 10, u64::MAX).is_ok());
        let kept = RefusedLog::read(&path).unwrap();
        assert!((1..=10).contains(&kept.len()));
        assert_eq!(kept.last().unwrap().id, "99");
    }

    #[test]
    fn a_delivery_longer_than_the_log_is_left_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut log = RefusedLog::open(&path, 10, 2000).unwrap();
        log.add(&refused("1", "{}")).unwrap();
        assert!(log.add(&refused("2", &"x".repeat(4000))).is_err());
        assert_eq!(RefusedLog::read(&path).unwrap().len(), 1);
    }

    #[test]
    fn debug_shows_no_body() {
        assert!(!format!("{:?}", refused("1", "c4n4ry")).contains("c4n4ry"));
    }
}
