//! Lines of JSON, each with its checksum:
//!
//! ```text
//! {"sum":"0f3a…","version":2,"lineage":"5f1d…","serial":7,"snapshot":"c0ff…"}
//! {"sum":"91c0…","line":2,"synced":129,"is":{"record":"config",…}}
//! ```
//!
//! `sum` is over the first line's sum and all that follows it, so that no line of another journal passes for one of this,
//! and `line` counts, so that none is missing or there twice. `synced` is how much of the file was durable when the line
//! was written: what a crash leaves half-written lies behind the last such mark, and damage before one is no crash.

use std::cmp::Ordering;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot};

use super::snapshot::SnapshotId;
use super::{LONGEST, StateError, VERSION};
use crate::state::{Record, State};

const SUM_START: &[u8] = br#"{"sum":""#;
const SUM_END: &[u8] = br#"","#;
const SUM_DIGITS: usize = 16;
/// The least that a disk writes at once.
const SECTOR: u64 = 512;
/// How many records one write takes.
const BATCH: usize = 1024;

/// Adds the line whose text after its checksum is `rest`, in the journal whose first line has the checksum `head`.
fn push_line(lines: &mut Vec<u8>, head: &str, rest: &[u8]) {
    for part in [SUM_START, sum(head, rest).as_bytes(), SUM_END, rest, b"\n"] {
        lines.extend_from_slice(part);
    }
}

pub(super) fn sum(head: &str, rest: &[u8]) -> String {
    let digest = Sha256::new().chain_update(head).chain_update(rest).finalize();
    hex::encode(&digest[..SUM_DIGITS / 2])
}

fn is_whole(line: &[u8], head: &str) -> bool {
    let Some(rest) = line.strip_prefix(SUM_START).and_then(|line| line.get(SUM_DIGITS..)) else {
        return false;
    };
    rest.strip_prefix(SUM_END).is_some_and(|rest| Some(sum(head, rest).as_str()) == stated(line))
}

/// The checksum that a line states.
fn stated(line: &[u8]) -> Option<&str> {
    let digits = line.strip_prefix(SUM_START)?.get(..SUM_DIGITS)?;
    std::str::from_utf8(digits).ok()
}

/// Tells if `line`, which begins at `start` of the file, may be what a crash left: cut off, or with zeros where data
/// did not reach the disk. That is in whole sectors, or all to the end of the file: a single zero amid data is
/// something else.
fn is_torn(line: &[u8], start: u64, head: &str) -> bool {
    let Some(text) = line.strip_suffix(b"\n") else {
        // Whole but for its line end, which is another byte now: a crash changes none.
        return !line.split_last().is_some_and(|(last, text)| *last != 0 && is_whole(text, head));
    };
    let mut zeros = text.split(|byte| *byte != 0).filter(|run| !run.is_empty()).peekable();
    let end = |run: &[u8]| start + (run.as_ptr_range().end as usize - line.as_ptr() as usize) as u64;
    zeros.peek().is_some() && zeros.all(|run| run.len() > 1 && end(run).is_multiple_of(SECTOR))
}

#[derive(Deserialize)]
struct Header {
    version: u64,
    /// Later versions may have another.
    serial: Option<u64>,
    /// Since version 2, and so is the next.
    lineage: Option<String>,
    snapshot: Option<String>,
}

impl Header {
    /// The relation of the journal to the snapshot beside it; `None` if it continues that.
    fn beside(&self, of: u64, serial: Option<u64>, id: Option<&SnapshotId>) -> Option<Replayed> {
        let lineage = id.map(|id| id.lineage.as_str());
        let is_of_another = self.lineage.is_some() && self.lineage.as_deref() != lineage;
        match Some(of).cmp(&serial) {
            _ if is_of_another && serial.is_some() => Some(Replayed::Foreign),
            Ordering::Greater => Some(Replayed::Ahead(of)),
            // It went into the snapshot.
            Ordering::Less => Some(Replayed::Nothing),
            Ordering::Equal if self.snapshot.as_deref() == id.map(|id| id.sum.as_str()) => None,
            Ordering::Equal => Some(Replayed::Foreign),
        }
    }
}

#[derive(Deserialize)]
struct Mark {
    synced: u64,
}

#[derive(Deserialize)]
struct Noted {
    /// Since version 2.
    line: Option<u64>,
    is: Record,
}

/// What a journal said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Replayed {
    /// There is no journal of this snapshot: none at all, or one that went into it.
    Nothing,
    /// The state has all of it.
    Taken(Whole),
    /// It continues a later snapshot.
    Ahead(u64),
    /// It continues another state, or another snapshot of this serial.
    Foreign,
}

/// The whole part of a journal.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Whole {
    /// The end of its last line.
    length: u64,
    lines: u64,
    /// The checksum of the first line.
    head: String,
}

/// The journal at `path`, if there is one.
pub(super) fn open(path: &Path) -> Result<Option<File>, StateError> {
    match record_callback_durable::open(path, LONGEST) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StateError::io(path, "read", error)),
    }
}

/// Carries out on `state`, the snapshot `serial`, what the journal `file` at `path` says.
pub(super) fn replay(
    path: &Path,
    file: File,
    serial: Option<u64>,
    id: Option<&SnapshotId>,
    state: &mut State,
) -> Result<Replayed, StateError> {
    let failed = |error| StateError::io(path, "read", error);
    let damaged = |line, source| StateError::Damaged { path: path.to_owned(), line, source };
    let mut file = BufReader::new(file);
    let mut line = Vec::new();
    let (mut start, mut number) = (0, 0);
    let (mut head, mut is_numbered) = (String::new(), false);
    // Where the first line begins that is not whole, and its number.
    let mut torn: Option<(u64, u64)> = None;
    loop {
        line.clear();
        let length = file.read_until(b'\n', &mut line).map_err(failed)? as u64;
        if length == 0 {
            break;
        }
        number += 1;
        let not_ours = |source| damaged(number, Some(source));
        let whole = line.strip_suffix(b"\n").filter(|text| is_whole(text, &head));
        match (whole, torn) {
            // The first line is written before the file has its name: no crash tears it.
            (None, _) if number == 1 || !is_torn(&line, start, &head) => return Err(damaged(number, None)),
            (None, _) => {
                torn.get_or_insert((start, number));
            }
            // In a torn write a later page may be there and an earlier one not.
            (Some(text), Some((torn_at, torn_line))) => {
                let Mark { synced } = serde_json::from_slice(text).map_err(not_ours)?;
                if synced > torn_at {
                    return Err(damaged(torn_line, None));
                }
            }
            (Some(text), None) if number == 1 => {
                let header: Header = serde_json::from_slice(text).map_err(not_ours)?;
                if header.version > u64::from(VERSION) {
                    return Err(StateError::Newer { path: path.to_owned(), version: header.version });
                }
                let of = header.serial.ok_or_else(|| damaged(number, None))?;
                if let Some(beside) = header.beside(of, serial, id) {
                    return Ok(beside);
                }
                is_numbered = header.version > 1;
                if is_numbered {
                    stated(text).unwrap_or_default().clone_into(&mut head);
                }
            }
            (Some(text), None) => {
                let Noted { line, is } = serde_json::from_slice(text).map_err(not_ours)?;
                if is_numbered && line != Some(number) {
                    return Err(damaged(number, None));
                }
                state.take(is);
            }
        }
        start += length;
    }
    if number == 0 {
        return Err(damaged(1, None));
    }
    let (length, after) = torn.unwrap_or((start, number + 1));
    Ok(Replayed::Taken(Whole { length, lines: after - 1, head }))
}

/// What is done to the file, so that tests can have it fail.
pub(super) trait Disk: Send + 'static {
    fn append(&mut self, lines: &[u8]) -> io::Result<()>;
    fn sync(&mut self) -> io::Result<()>;
}

impl Disk for File {
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        // Without a name the file is gone as soon as this process is.
        #[cfg(unix)]
        if std::os::unix::fs::MetadataExt::nlink(&self.metadata()?) == 0 {
            return Err(io::Error::other("the file was deleted"));
        }
        self.write_all(lines)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// A journal that is written to.
pub(super) struct Output<D = File> {
    disk: D,
    /// The snapshot it continues.
    pub(super) id: SnapshotId,
    /// The checksum of its first line.
    head: String,
    /// The number of its lines.
    lines: u64,
    /// How much of it is durable.
    synced: u64,
    /// After one failure nobody knows what the disk has; trying again could claim too much.
    failed: Option<Arc<io::Error>>,
}

impl Output {
    /// Puts an empty journal in the place of the one at `path`.
    ///
    /// A new file, not the old one emptied: who is reading that reads on undisturbed.
    pub(super) fn begin(path: &Path, id: SnapshotId) -> io::Result<Self> {
        let mut rest = format!(r#""version":{VERSION},"#).into_bytes();
        // Without its brace.
        rest.extend_from_slice(&serde_json::to_vec(&id)?[1..]);
        let mut header = Vec::new();
        push_line(&mut header, "", &rest);
        let (mut disk, ()) = super::replace(path, |out| out.write_all(&header))?;
        let synced = disk.seek(SeekFrom::End(0))?;
        Ok(Self { disk, id, head: sum("", &rest), lines: 1, synced, failed: None })
    }

    /// Goes on with the journal at `path`, after what is whole of it.
    pub(super) fn resume(path: &Path, id: SnapshotId, whole: Whole) -> io::Result<Self> {
        let Whole { length, lines, head } = whole;
        let mut disk = OpenOptions::new().write(true).open(path)?;
        disk.set_len(length)?;
        // Of a process that was killed, even whole lines need not be durable.
        disk.sync_all()?;
        disk.seek(SeekFrom::End(0))?;
        Ok(Self { disk, id, head, lines, synced: length, failed: None })
    }

    /// Goes on in `next`. A failure stays.
    pub(super) fn continue_in(&mut self, next: Self) {
        let failed = self.failed.take();
        *self = Self { failed, ..next };
    }
}

impl<D: Disk> Output<D> {
    pub(super) fn fail(&mut self, error: io::Error) {
        self.failed.get_or_insert(Arc::new(error));
    }

    /// Makes `records`, as JSON, durable, or fails for ever.
    pub(super) fn write<'a>(
        &mut self,
        records: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(), Arc<io::Error>> {
        if let Some(first) = &self.failed {
            return Err(Arc::clone(first));
        }
        let (mut lines, mut rest) = (Vec::new(), Vec::new());
        let mut number = self.lines;
        for record in records {
            number += 1;
            rest.clear();
            rest.extend_from_slice(format!(r#""line":{number},"synced":{},"is":"#, self.synced).as_bytes());
            rest.extend_from_slice(record);
            rest.push(b'}');
            push_line(&mut lines, &self.head, &rest);
        }
        match self.disk.append(&lines).and_then(|()| self.disk.sync()) {
            Ok(()) => {
                self.lines = number;
                self.synced += lines.len() as u64;
                Ok(())
            }
            Err(error) => Err(Arc::clone(self.failed.insert(Arc::new(error)))),
        }
    }
}

struct Waiting {
    /// As JSON.
    record: Vec<u8>,
    answer: oneshot::Sender<Result<(), Arc<io::Error>>>,
}

/// The thread that writes a journal. Dropping this waits for it.
pub(super) struct Appender<D = File> {
    pub(super) output: Arc<Mutex<Output<D>>>,
    path: PathBuf,
    /// Unbounded: every waiting record has a caller that waits. `None` when it is to end.
    waiting: Option<mpsc::UnboundedSender<Waiting>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, thiserror::Error)]
#[error("the journal {} could not be written; nothing more is noted until the state is opened again", path.display())]
struct Failed {
    path: PathBuf,
    source: Arc<io::Error>,
}

impl<D: Disk> Appender<D> {
    pub(super) fn start(path: &Path, output: Arc<Mutex<Output<D>>>) -> io::Result<Self> {
        let (waiting, arriving) = mpsc::unbounded_channel();
        let shared = Arc::clone(&output);
        let thread = Builder::new()
            .name("record-callback-state".to_owned())
            .spawn(move || write_all(arriving, &shared))?;
        Ok(Self { output, path: path.to_owned(), waiting: Some(waiting), thread: Some(thread) })
    }

    pub(super) async fn append(&self, record: &Record) -> io::Result<()> {
        let record = serde_json::to_vec(record)?;
        let stopped = || io::Error::other(format!("the writer of {} stopped", self.path.display()));
        let (answer, answered) = oneshot::channel();
        let waiting = self.waiting.as_ref().ok_or_else(stopped)?;
        waiting.send(Waiting { record, answer }).map_err(|_| stopped())?;
        let written = answered.await.map_err(|_| stopped())?;
        written.map_err(|source| io::Error::new(source.kind(), Failed { path: self.path.clone(), source }))
    }
}

/// The file is not locked for another process before nothing writes to it any more.
impl<D> Drop for Appender<D> {
    fn drop(&mut self) {
        drop(self.waiting.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// All that wait are written and synced as one.
fn write_all<D: Disk>(mut arriving: mpsc::UnboundedReceiver<Waiting>, output: &Mutex<Output<D>>) {
    let mut batch: Vec<Waiting> = Vec::new();
    while arriving.blocking_recv_many(&mut batch, BATCH) > 0 {
        let records = batch.iter().map(|waiting| waiting.record.as_slice());
        let written = output.lock().unwrap_or_else(PoisonError::into_inner).write(records);
        for Waiting { answer, .. } in batch.drain(..) {
            // Nobody may be left to hear it.
            let _ = answer.send(written.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::join_all;

    use super::*;
    use crate::name::Name;

    /// Remembers its writes, and fails from some sync on.
    #[derive(Clone, Default)]
    struct Watched {
        writes: Arc<Mutex<Vec<String>>>,
        good_syncs: usize,
    }

    impl Disk for Watched {
        fn append(&mut self, lines: &[u8]) -> io::Result<()> {
            self.writes.lock().unwrap().push(String::from_utf8(lines.to_vec()).unwrap());
            Ok(())
        }

        fn sync(&mut self) -> io::Result<()> {
            match self.good_syncs.checked_sub(1) {
                Some(left) => self.good_syncs = left,
                None => return Err(io::ErrorKind::StorageFull.into()),
            }
            Ok(())
        }
    }

    fn watched(good_syncs: usize) -> (Appender<Watched>, Arc<Mutex<Vec<String>>>) {
        let disk = Watched { good_syncs, ..Watched::default() };
        let writes = Arc::clone(&disk.writes);
        let id = SnapshotId { lineage: "of tests".to_owned(), serial: 1, sum: "none".to_owned() };
        let output = Output { disk, id, head: String::new(), lines: 1, synced: 0, failed: None };
        let output = Arc::new(Mutex::new(output));
        (Appender::start(Path::new("watched.journal"), output).unwrap(), writes)
    }

    #[tokio::test]
    async fn what_waits_is_written_at_once_and_in_order() {
        let (appender, writes) = watched(usize::MAX);
        let name = |i| Name::new(&format!("callback-{i}")).unwrap();
        let records: Vec<_> = (0..100).map(|i| Record::Gone { name: name(i), slots: Vec::new() }).collect();
        let mut appends = Box::pin(join_all(records.iter().map(|record| appender.append(record))));
        {
            let _blocked = appender.output.lock().unwrap();
            assert!(appends.as_mut().now_or_never().is_none());
        }
        for appended in appends.await {
            appended.unwrap();
        }
        // The thread may have begun with the first.
        let writes = writes.lock().unwrap();
        assert!(writes.len() <= 2, "{}", writes.len());
        for (i, line) in writes.concat().lines().enumerate() {
            assert!(line.contains(&format!(r#""callback-{i}""#)), "{i}: {line}");
        }
    }

    #[tokio::test]
    async fn after_a_failed_sync_nothing_is_promised_any_more() {
        let (appender, writes) = watched(1);
        let record = Record::Switch { switch: None };
        appender.append(&record).await.unwrap();
        for _ in 0..3 {
            let error = appender.append(&record).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
            assert!(error.to_string().contains("watched.journal"), "{error}");
        }
        assert_eq!(writes.lock().unwrap().len(), 2);
    }
}
