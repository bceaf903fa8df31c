use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot, watch};

use crate::sink::{EventRecord, EventSink, Kept, Received, SinkError, to_json};

/// How many events wait for the writer before [`keep`](EventSink::keep) itself waits.
const WAITING: usize = 1024;
/// How many of them one write takes.
const BATCH: usize = 256;
/// How every line begins.
const LINE_START: &[u8] = br#"{"source":""#;

/// Writes each event as a line of JSON, an [`EventRecord`], to a [file](Self::file) or to
/// [standard output](Self::stdout).
///
/// Does not recognise duplicates, and so hides nothing behind one: who reads the lines compares `source` and `dedupe_key`,
/// and looks at what lines of one key say, which may be forged where a cloud signs no body.
pub struct JsonlSink {
    jobs: mpsc::Sender<Job>,
    /// Its sender is dropped when the writer has finished.
    finished: watch::Receiver<()>,
    /// The writer, when it holds the lock of a file.
    locked_by: Option<JoinHandle<()>>,
    name: String,
}

impl JsonlSink {
    /// Appends to the file at `path`, which is created if it is not there, on Unix for its owner only; its
    /// directory must be there.
    ///
    /// `Ok` means synced to disk. Events that wait at the same time are synced together. The file is locked, so that a
    /// second process cannot use it. A last line without its end, which a crash can leave, was never acknowledged and
    /// is cut off. A file that is renamed goes on being written to; one that is deleted makes
    /// [`keep`](EventSink::keep) fail.
    pub fn file(path: impl AsRef<Path>) -> Result<Self, SinkError> {
        let path = path.as_ref();
        let name = format!("`{}`", path.display());
        let file = open(path, &name)?;
        let (mut sink, writer) = Self::start(name, FileOutput { disk: file, torn_after: None })?;
        sink.locked_by = Some(writer);
        Ok(sink)
    }

    /// Writes to standard output.
    ///
    /// `Ok` means written and flushed: the event is as durable as what reads it. After a failure a line may be cut;
    /// the next event begins on a new one.
    pub fn stdout() -> Result<Self, SinkError> {
        Ok(Self::start("standard output".to_owned(), StreamOutput { stream: io::stdout(), torn: false })?.0)
    }

    fn start(name: String, output: impl Output) -> Result<(Self, JoinHandle<()>), SinkError> {
        let (jobs, waiting) = mpsc::channel(WAITING);
        let (finishing, finished) = watch::channel(());
        let writer = Builder::new()
            .name("record-callback-jsonl".to_owned())
            .spawn(move || {
                write_all(waiting, output);
                drop(finishing);
            })
            .map_err(|error| {
                SinkError::unavailable("the writer's thread could not be started").with_source(error)
            })?;
        Ok((Self { jobs, finished, locked_by: None, name }, writer))
    }

    /// Has `line` written; an empty one only has the output synced.
    async fn write(&self, line: Vec<u8>) -> Result<(), SinkError> {
        let (answer, answered) = oneshot::channel();
        let sent = self.jobs.send(Job::Write { line, answer }).await;
        sent.map_err(|_| SinkError::closed())?;
        let written = answered.await.map_err(|_| SinkError::unavailable("the writer stopped"))?;
        written.map_err(|error| {
            SinkError::unavailable(format!("{} cannot be written", self.name)).with_source(error)
        })
    }
}

#[async_trait]
impl EventSink for JsonlSink {
    async fn keep(&self, received: Received) -> Result<Kept, SinkError> {
        let mut line = to_json(&EventRecord::from(received))?;
        line.push('\n');
        self.write(line.into_bytes()).await?;
        Ok(Kept::New)
    }

    /// Whether the writer answers and the file can be synced. Says nothing about room on the disk.
    async fn check(&self) -> Result<(), SinkError> {
        self.write(Vec::new()).await
    }

    async fn depth(&self) -> Result<Option<u64>, SinkError> {
        Ok(None)
    }

    fn recognises_duplicates(&self) -> bool {
        false
    }

    async fn close(&self) {
        // An error means that it is closing already.
        let _ = self.jobs.send(Job::Close).await;
        let mut finished = self.finished.clone();
        while finished.changed().await.is_ok() {}
    }
}

impl fmt::Debug for JsonlSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JsonlSink").field(&format_args!("{}", self.name)).finish()
    }
}

/// Waits for the writer of a file, so that the file is free for another sink. It has at most a few writes to finish.
impl Drop for JsonlSink {
    fn drop(&mut self) {
        if let Some(writer) = self.locked_by.take() {
            // Drops the only sender, which ends the writer.
            self.jobs = mpsc::channel(1).0;
            let _ = writer.join();
        }
    }
}

enum Job {
    Write { line: Vec<u8>, answer: oneshot::Sender<Result<(), Arc<io::Error>>> },
    Close,
}

/// The writer's thread: all that wait are written and synced as one.
fn write_all(mut waiting: mpsc::Receiver<Job>, mut output: impl Output) {
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.blocking_recv_many(&mut batch, BATCH) > 0 {
        let (mut lines, mut answers) = (Vec::new(), Vec::new());
        for job in batch.drain(..) {
            match job {
                // Nobody waits for it any more: it was answered as an error, and will come again.
                Job::Write { answer, .. } if answer.is_closed() => {}
                Job::Write { line, answer } => {
                    lines.extend_from_slice(&line);
                    answers.push(answer);
                }
                // What waits is still received, and then the loop ends.
                Job::Close => waiting.close(),
            }
        }
        if answers.is_empty() {
            continue;
        }
        let written = output.write(&lines).map_err(Arc::new);
        for answer in answers {
            // Nobody may be left to hear it.
            let _ = answer.send(written.clone());
        }
    }
}

trait Output: Send + 'static {
    /// Writes all of `lines`, or fails.
    fn write(&mut self, lines: &[u8]) -> io::Result<()>;
}

struct StreamOutput<W> {
    stream: W,
    /// Whether the last write may have ended within a line.
    torn: bool,
}

impl<W: Write + Send + 'static> Output for StreamOutput<W> {
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        if lines.is_empty() {
            return self.stream.flush();
        }
        if std::mem::replace(&mut self.torn, true) {
            self.stream.write_all(b"\n")?;
        }
        self.stream.write_all(lines)?;
        self.stream.flush()?;
        self.torn = false;
        Ok(())
    }
}

/// What is done to the file, so that tests can have it fail.
trait Disk: Send + 'static {
    fn length(&self) -> io::Result<u64>;
    fn append(&mut self, lines: &[u8]) -> io::Result<()>;
    fn sync(&mut self) -> io::Result<()>;
    fn truncate(&mut self, length: u64) -> io::Result<()>;
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
}

struct FileOutput<D> {
    disk: D,
    /// Where the good part ends, when something behind it could not be removed.
    torn_after: Option<u64>,
}

impl<D: Disk> FileOutput<D> {
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
        let good = self.disk.length()?;
        let written = self.disk.append(lines).and_then(|()| self.disk.sync());
        if written.is_err() && self.roll_back(good).is_err() {
            self.torn_after = Some(good);
        }
        written
    }
}

fn open(path: &Path, name: &str) -> Result<File, SinkError> {
    let failed =
        |what: &str, error| SinkError::unavailable(format!("{name} cannot be {what}")).with_source(error);
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
    let good = end_of_last_line(file, length)?;
    if good == length {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(good))?;
    let mut start = Vec::with_capacity(LINE_START.len());
    (&*file).take(LINE_START.len() as u64).read_to_end(&mut start)?;
    // Some file systems leave zeros where data did not reach the disk.
    if !LINE_START.starts_with(&start) && start[0] != 0 {
        return Ok(Some(Torn::Foreign));
    }
    file.set_len(good)?;
    file.sync_data()?;
    Ok(Some(Torn::Cut(length - good)))
}

fn end_of_last_line(file: &mut File, length: u64) -> io::Result<u64> {
    const CHUNK: u64 = 64 * 1024;
    let (mut end, mut chunk) = (length, Vec::new());
    while end > 0 {
        let start = end.saturating_sub(CHUNK);
        file.seek(SeekFrom::Start(start))?;
        chunk.clear();
        (&*file).take(end - start).read_to_end(&mut chunk)?;
        if let Some(newline) = chunk.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + newline as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Mutex;

    use super::*;

    /// A file that fails where it is told to.
    struct Faulty {
        file: File,
        /// How many bytes of the next write get through.
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
    }

    fn faulty(path: &Path) -> FileOutput<Faulty> {
        let file = open(path, "file").unwrap();
        let disk = Faulty { file, short: None, sync_fails: false, truncate_fails: false };
        FileOutput { disk, torn_after: None }
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
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"a\nsomebody's notes").unwrap();
        assert_eq!(cut_torn_line(&mut file).unwrap(), Some(Torn::Foreign));
        assert_eq!(file.metadata().unwrap().len(), 18);
    }

    #[derive(Clone, Default)]
    struct Writes(Arc<Mutex<Vec<String>>>);

    impl Output for Writes {
        fn write(&mut self, lines: &[u8]) -> io::Result<()> {
            self.0.lock().unwrap().push(String::from_utf8(lines.to_vec()).unwrap());
            Ok(())
        }
    }

    #[test]
    fn what_waits_is_written_at_once_and_a_close_lets_it_through() {
        let (jobs, waiting) = mpsc::channel(8);
        let mut answers = Vec::new();
        for line in ["a\n", "b\n", "", "c\n", "d\n"] {
            if line == "c\n" {
                jobs.try_send(Job::Close).unwrap();
            }
            let (answer, answered) = oneshot::channel();
            jobs.try_send(Job::Write { line: line.into(), answer }).unwrap();
            answers.push(answered);
        }
        let writes = Writes::default();
        write_all(waiting, writes.clone());
        assert_eq!(*writes.0.lock().unwrap(), ["a\nb\nc\nd\n"]);
        assert!(answers.into_iter().all(|answer| answer.blocking_recv().unwrap().is_ok()));
        assert!(jobs.try_send(Job::Close).is_err());
    }

    #[test]
    fn what_nobody_waits_for_any_more_is_not_written() {
        let (jobs, waiting) = mpsc::channel(8);
        let mut answers = Vec::new();
        for line in ["a\n", "b\n", "c\n"] {
            let (answer, answered) = oneshot::channel();
            jobs.try_send(Job::Write { line: line.into(), answer }).unwrap();
            answers.push(answered);
        }
        drop(answers.remove(1));
        drop(jobs);
        let writes = Writes::default();
        write_all(waiting, writes.clone());
        assert_eq!(*writes.0.lock().unwrap(), ["a\nc\n"]);
    }

    /// Takes so many bytes and then fails once.
    struct Narrow {
        room: usize,
        taken: Vec<u8>,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.room == 0 {
                self.room = usize::MAX;
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            let taken = bytes.len().min(self.room);
            self.room -= taken;
            self.taken.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn on_a_stream_a_cut_line_is_ended_before_the_next() {
        let stream = Narrow { room: 6, taken: Vec::new() };
        let mut output = StreamOutput { stream, torn: false };
        output.write(b"one\n").unwrap();
        output.write(b"two\n").unwrap_err();
        output.write(b"").unwrap();
        output.write(b"three\n").unwrap();
        output.write(b"four\n").unwrap();
        assert_eq!(output.stream.taken, b"one\ntw\nthree\nfour\n");
    }
}
