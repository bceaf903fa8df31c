mod file;

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot, watch};

use crate::sink::{EventRecord, EventSink, Kept, Received, SinkError, to_json};
use file::FileOutput;

/// How many events wait for the writer before [`keep`](EventSink::keep) itself waits.
const WAITING: usize = 1024;
/// How many of them one write takes.
const BATCH: usize = 256;

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
    /// second process cannot use it. What a crash can leave of the last write, a line without its
    /// end or one with zeros and all after it, was never acknowledged and is cut off. A file that is renamed goes on being written to; one that is deleted makes
    /// [`keep`](EventSink::keep) fail.
    pub fn file(path: impl AsRef<Path>) -> Result<Self, SinkError> {
        let path = path.as_ref();
        let name = format!("`{}`", path.display());
        let file = file::open(path, &name)?;
        let (mut sink, writer) = Self::start(name, FileOutput::new(file))?;
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

    /// Has `line` written; an empty one has the output tried.
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

    /// Checks that the writer answers, and the file takes a write to its disk and has room for one event of 64 KiB.
    /// Nobody who reads the file sees anything of it: its last byte is written again, and room behind it is reserved
    /// (on Linux; elsewhere the room is only asked for).
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
        let (mut lines, mut answers, mut probes) = (Vec::new(), Vec::new(), Vec::new());
        for job in batch.drain(..) {
            match job {
                // Nobody waits for it any more: it was answered as an error, and will come again.
                Job::Write { answer, .. } if answer.is_closed() => {}
                Job::Write { line, answer } if line.is_empty() => probes.push(answer),
                Job::Write { line, answer } => {
                    lines.extend_from_slice(&line);
                    answers.push(answer);
                }
                // What waits is still received, and then the loop ends.
                Job::Close => waiting.close(),
            }
        }
        let mut written = Ok(());
        for (waiting, lines) in [(answers, &*lines), (probes, &[])] {
            if !waiting.is_empty() && written.is_ok() {
                written = output.write(lines).map_err(Arc::new);
            }
            for answer in waiting {
                // Nobody may be left to hear it.
                let _ = answer.send(written.clone());
            }
        }
    }
}

trait Output: Send + 'static {
    /// Writes all of `lines`, or fails. Without any, tries whether some could be written.
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

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
        assert_eq!(*writes.0.lock().unwrap(), ["a\nb\nc\nd\n", ""]);
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
