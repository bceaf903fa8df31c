//! A file of lines: what is done to it, and what is done again after a failure.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use record_callback_durable::{FileAccess, check_private_file};

use super::{BATCH, Output};
use crate::room::ONE_EVENT;
use crate::sink::SinkError;

/// The beginning of every line.
const LINE_START: &[u8] = br#"{"source":""#;
/// The number of bytes of the file that are read at once.
const CHUNK: usize = 64 * 1024;

/// The operations on the file, which tests can have fail.
pub(super) trait Disk: Send + 'static {
    fn length(&self) -> io::Result<u64>;
    fn append(&mut self, lines: &[u8]) -> io::Result<()>;
    fn sync(&mut self) -> io::Result<()>;
    fn truncate(&mut self, length: u64) -> io::Result<()>;
    /// Writes something that nobody notices, and makes sure of room for one event.
    fn probe(&mut self) -> io::Result<()>;
}

impl Disk for File {
    fn length(&self) -> io::Result<u64> {
        let metadata = self.metadata()?;
        // Without a name the file is gone as soon as this process is.
        #[cfg(unix)]
        if std::os::unix::fs::MetadataExt::nlink(&metadata) == 0 {
            return Err(io::Error::other("the file was deleted"));
        }
        Ok(metadata.len())
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        self.write_all(lines)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn probe(&mut self) -> io::Result<()> {
        let length = self.length()?;
        #[cfg(unix)]
        {
            write_last_byte_again(self, length)?;
            reserve(self, length)?;
        }
        self.sync()
    }
}

/// Has something for the disk to write: without that, syncing need not reach it.
#[cfg(unix)]
fn write_last_byte_again(file: &File, length: u64) -> io::Result<()> {
    use std::os::unix::fs::FileExt;

    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

    let Some(last) = length.checked_sub(1) else { return Ok(()) };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    // While it appends, Linux writes at the end whatever the place. Only this thread writes.
    let flags = fcntl_getfl(file)?;
    fcntl_setfl(file, flags.difference(OFlags::APPEND))?;
    let written = file.write_all_at(&byte, last);
    fcntl_setfl(file, flags)?;
    written
}

#[cfg(unix)]
fn reserve(file: &File, length: u64) -> io::Result<()> {
    use rustix::io::Errno;
    use rustix::process::{Resource, getrlimit};

    if getrlimit(Resource::Fsize).current.is_some_and(|most| most < length.saturating_add(ONE_EVENT)) {
        return Err(io::Error::other("the file is nearly as long as this process may make it"));
    }
    #[cfg(target_os = "linux")]
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::KEEP_SIZE, length, ONE_EVENT) {
        Ok(()) => return Ok(()),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
        Err(error) => return Err(error.into()),
    }
    let system = rustix::fs::fstatvfs(file)?;
    if system.f_bavail.saturating_mul(system.f_frsize) < ONE_EVENT {
        return Err(Errno::NOSPC.into());
    }
    Ok(())
}

pub(super) struct FileOutput<D> {
    disk: D,
    /// The end of the good part, when something behind it could not be removed.
    torn_after: Option<u64>,
}

impl<D: Disk> FileOutput<D> {
    pub(super) fn new(disk: D) -> Self {
        Self { disk, torn_after: None }
    }

    fn roll_back(&mut self, good: u64) -> io::Result<()> {
        // Somebody else may have shortened the file: truncating must not fill it up with zeros.
        if self.disk.length()? > good { self.disk.truncate(good) } else { Ok(()) }
    }
}

impl<D: Disk> Output for FileOutput<D> {
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        if let Some(good) = self.torn_after {
            self.roll_back(good)?;
            self.torn_after = None;
        }
        if lines.is_empty() {
            return self.disk.probe();
        }
        let good = self.disk.length()?;
        let written = self.disk.append(lines).and_then(|()| self.disk.sync());
        if written.is_err() && self.roll_back(good).is_err() {
            self.torn_after = Some(good);
        }
        written
    }
}

pub(super) fn open(path: &Path, name: &str) -> Result<File, SinkError> {
    let failed =
        |what: &str, error| SinkError::unavailable(format!("{name} cannot be {what}")).with_source(error);
    let others_read = match check_private_file(path) {
        Ok(access) => access == FileAccess::OthersRead,
        // Opening it says the same of what the system refuses.
        Err(error) if error.raw_os_error().is_some() => false,
        Err(error) => return Err(SinkError::unavailable(format!("{name} is not used for events: {error}"))),
    };
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    // Bodies have signatures that may still be valid.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(|error| failed("opened", error))?;
    if !file.metadata().map_err(|error| failed("opened", error))?.is_file() {
        return Err(SinkError::unavailable(format!("{name} is not a regular file")));
    }
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(SinkError::unavailable(format!("{name} is locked: another sink writes to it")));
        }
        Err(TryLockError::Error(error)) => return Err(failed("locked", error)),
    }
    sync_directory(path).map_err(|error| failed("made durable in its directory", error))?;
    match cut_torn_line(&mut file) {
        Ok(None) => {}
        Ok(Some(Torn::Cut(bytes))) => {
            tracing::warn!(file = name, bytes, "a line that was never finished is cut off");
        }
        Ok(Some(Torn::Foreign)) => {
            return Err(SinkError::unavailable(format!(
                "{name} ends in something that is no event; nothing was changed"
            )));
        }
        Err(error) => return Err(failed("read", error)),
    }
    if others_read {
        tracing::warn!(file = name, "others may read what is kept here; take that away with `chmod go-r`");
    }
    Ok(file)
}

/// Without this a new file's name could be lost in a crash, and the file with it. Always, not only for a new file: the
/// crash may have come between the file and this.
fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

#[derive(Debug, PartialEq)]
enum Torn {
    /// So many bytes were cut off.
    Cut(u64),
    /// It does not look like a line of this sink, and stays.
    Foreign,
}

fn cut_torn_line(file: &mut File) -> io::Result<Option<Torn>> {
    let length = file.seek(SeekFrom::End(0))?;
    let good = end_of_good_lines(file, length)?;
    if good == length {
        // Of a process that was killed, even whole lines need not be durable; what is not is one write at most.
        file.sync_data()?;
        return Ok(None);
    }
    file.seek(SeekFrom::Start(good))?;
    let mut start = Vec::with_capacity(LINE_START.len());
    (&*file).take(LINE_START.len() as u64).read_to_end(&mut start)?;
    let text = start.split(|byte| *byte == 0).next().unwrap_or_default();
    if !LINE_START.starts_with(text) {
        return Ok(Some(Torn::Foreign));
    }
    file.set_len(good)?;
    file.sync_data()?;
    Ok(Some(Torn::Cut(length - good)))
}

/// The end of what a write that power was lost in left behind whole lines.
///
/// Some file systems leave zeros where data did not reach the disk, which may be before data that did: all of the last
/// write is looked through. JSON has no zeros.
fn end_of_good_lines(file: &mut File, length: u64) -> io::Result<u64> {
    let end = end_of_line(file, length, 1)?;
    let last_write = end_of_line(file, end, BATCH + 1)?;
    file.seek(SeekFrom::Start(last_write))?;
    let mut position = last_write;
    let mut reader = BufReader::with_capacity(CHUNK, (&*file).take(end - last_write));
    loop {
        let chunk = reader.fill_buf()?;
        if chunk.is_empty() {
            return Ok(end);
        }
        if let Some(zero) = chunk.iter().position(|byte| *byte == 0) {
            return end_of_line(file, position + zero as u64, 1);
        }
        let read = chunk.len();
        position += read as u64;
        reader.consume(read);
    }
}

/// The end of the line that is `last` from the end of the first `length` bytes, counted from 1; 0 if there are not as
/// many.
fn end_of_line(file: &mut File, length: u64, mut last: usize) -> io::Result<u64> {
    let (mut end, mut chunk) = (length, Vec::new());
    while end > 0 {
        let start = end.saturating_sub(CHUNK as u64);
        file.seek(SeekFrom::Start(start))?;
        chunk.clear();
        (&*file).take(end - start).read_to_end(&mut chunk)?;
        for (at, _) in chunk.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            last -= 1;
            if last == 0 {
                return Ok(start + at as u64 + 1);
            }
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A file that fails where it is told to.
    struct Faulty {
        file: File,
        /// The number of bytes of the next write that get through.
        short: Option<usize>,
        sync_fails: bool,
        truncate_fails: bool,
    }

    impl Disk for Faulty {
        fn length(&self) -> io::Result<u64> {
            self.file.length()
        }

        fn append(&mut self, lines: &[u8]) -> io::Result<()> {
            let Some(bytes) = self.short.take() else { return self.file.append(lines) };
            self.file.append(&lines[..bytes])?;
            Err(io::ErrorKind::StorageFull.into())
        }

        fn sync(&mut self) -> io::Result<()> {
            if std::mem::take(&mut self.sync_fails) {
                Err(io::Error::other("sync"))
            } else {
                self.file.sync()
            }
        }

        fn truncate(&mut self, length: u64) -> io::Result<()> {
            if std::mem::take(&mut self.truncate_fails) {
                return Err(io::Error::other("truncate"));
            }
            self.file.truncate(length)
        }

        fn probe(&mut self) -> io::Result<()> {
            self.file.probe()?;
            self.sync()
        }
    }

    #[test]
    fn a_probe_is_seen_by_nobody_and_sees_a_failing_disk() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.jsonl");
        let mut output = faulty(&path);
        output.write(b"").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"");
        for line in ["one\n", "two\n"] {
            output.write(line.as_bytes()).unwrap();
            output.write(b"").unwrap();
            output.disk.sync_fails = true;
            output.write(b"").unwrap_err();
            output.write(b"").unwrap();
        }
        assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\n");
        fs::remove_file(&path).unwrap();
        output.write(b"").unwrap_err();
    }

    fn faulty(path: &Path) -> FileOutput<Faulty> {
        let file = open(path, "file").unwrap();
        let disk = Faulty { file, short: None, sync_fails: false, truncate_fails: false };
        FileOutput::new(disk)
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.jsonl");
        let mut output = faulty(&path);
        output.write(b"one\n").unwrap();
        for short in [0, 1, 4, 6] {
            output.disk.short = Some(short);
            output.write(b"two\nthree\n").unwrap_err();
            assert_eq!(fs::read(&path).unwrap(), b"one\n", "{short}");
        }
        output.disk.sync_fails = true;
        output.write(b"two\n").unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"one\n");
        output.write(b"three\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one\nthree\n");
    }

    #[test]
    fn what_could_not_be_removed_is_removed_before_the_next_write() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.jsonl");
        let mut output = faulty(&path);
        output.write(b"one\n").unwrap();
        (output.disk.short, output.disk.truncate_fails) = (Some(2), true);
        output.write(b"two\n").unwrap_err();
        output.disk.truncate_fails = true;
        output.write(b"").unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"one\ntw");
        output.write(b"three\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one\nthree\n");
    }

    #[test]
    fn rolling_back_never_lengthens_a_file_that_somebody_shortened() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.jsonl");
        let mut output = faulty(&path);
        output.write(b"one\n").unwrap();
        (output.disk.short, output.disk.truncate_fails) = (Some(2), true);
        output.write(b"two\n").unwrap_err();
        File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
        output.write(b"three\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three\n");
    }

    #[test]
    fn the_last_line_is_found_wherever_it_begins() {
        let line = |bytes: usize| [LINE_START, &vec![b'x'; bytes]].concat();
        let chunk = 64 * 1024;
        for (whole, torn) in [
            (&b""[..], &b""[..]),
            (b"a\n", b""),
            (b"", b"{"),
            (b"a\n", b"{\"sou"),
            (b"a\nb\n", &line(0)),
            (b"a\n", &line(chunk - LINE_START.len())),
            (b"a\n", &line(chunk - LINE_START.len() - 1)),
            (b"", &line(3 * chunk)),
            (b"a\nb\n", &line(3 * chunk)),
            (b"a\n", &[0; 100]),
        ] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&[whole, torn].concat()).unwrap();
            let expected = (!torn.is_empty()).then_some(Torn::Cut(torn.len() as u64));
            assert_eq!(cut_torn_line(&mut file).unwrap(), expected);
            assert_eq!(file.metadata().unwrap().len(), whole.len() as u64);
        }
        // Of one write, what came first is missing and what came last is there.
        let hole = [&line(9)[..], b"\n", &line(3), &[0; 700], b"x\n", &line(9), b"\n"].concat();
        let torn_at = line(9).len() + 1;
        for before in [1, 300] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&[&b"a\n".repeat(before)[..], &hole].concat()).unwrap();
            let expected = Some(Torn::Cut((hole.len() - torn_at) as u64));
            assert_eq!(cut_torn_line(&mut file).unwrap(), expected);
            assert_eq!(file.metadata().unwrap().len(), (2 * before + torn_at) as u64);
        }
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"a\nsomebody's notes").unwrap();
        assert_eq!(cut_torn_line(&mut file).unwrap(), Some(Torn::Foreign));
        assert_eq!(file.metadata().unwrap().len(), 18);
    }
}
