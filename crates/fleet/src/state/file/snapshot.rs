//! One JSON document, with a checksum at its end over all before it:
//!
//! ```text
//! {
//! "version": 2,
//! "lineage": "5f1d…",
//! "serial": 7,
//! …
//! "sum": "c0ff…"
//! }
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use record_callback_core::AccountId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{LONGEST, StateError, VERSION};
use crate::name::Name;
use crate::state::{Entry, OpenSwitch, Salt, State};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const SUM_START: &str = "\"sum\": \"";
const SUM_END: &str = "\"\n}\n";
/// The length of the end that is not summed up.
const TRAILER: u64 = (SUM_START.len() + 64 + SUM_END.len()) as u64;

/// A snapshot of all there have been.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SnapshotId {
    /// The random id of the state, the same for its life.
    pub(super) lineage: String,
    /// The number of snapshots there were of it.
    pub(super) serial: u64,
    /// Its checksum: of two that continue one backup, each is another.
    #[serde(rename = "snapshot")]
    pub(super) sum: String,
}

/// Writes a snapshot: a line for each callback, in their order, so that two can be compared.
pub(super) fn write(
    out: &mut dyn Write,
    lineage: &str,
    serial: u64,
    state: &State,
) -> io::Result<SnapshotId> {
    let State { salt, places, accounts, entries, switch } = state;
    let mut summed = Summed { inner: BufWriter::new(out), digest: Sha256::new() };
    let out = &mut summed;
    write!(
        out,
        "{{\n\"version\": {VERSION},\n\"lineage\": \"{lineage}\",\n\"serial\": {serial},\n\"salt\": "
    )?;
    serde_json::to_writer(&mut *out, salt)?;
    out.write_all(b",\n\"providers\": ")?;
    serde_json::to_writer(&mut *out, places)?;
    out.write_all(b",\n\"accounts\": ")?;
    serde_json::to_writer(&mut *out, accounts)?;
    out.write_all(b",\n\"switch\": ")?;
    serde_json::to_writer(&mut *out, switch)?;
    out.write_all(b",\n\"callbacks\": {")?;
    for (i, (name, entry)) in entries.iter().enumerate() {
        out.write_all(if i == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *out, name)?;
        out.write_all(b": ")?;
        serde_json::to_writer(&mut *out, entry)?;
    }
    out.write_all(b"\n},\n")?;
    let Summed { inner: mut out, digest } = summed;
    let sum = hex::encode(digest.finalize());
    out.write_all(trailer(&sum).as_bytes())?;
    out.flush()?;
    Ok(SnapshotId { lineage: lineage.to_owned(), serial, sum })
}

fn trailer(sum: &str) -> String {
    format!("{SUM_START}{sum}{SUM_END}")
}

/// A reader or writer that sums up what goes through it.
struct Summed<T> {
    inner: T,
    digest: Sha256,
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.digest.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for &mut Summed<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(bytes)?;
        self.digest.update(&bytes[..read]);
        Ok(read)
    }
}

/// All versions in one: the first had neither lineage nor checksum.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    lineage: Option<String>,
    serial: u64,
    salt: Salt,
    providers: BTreeMap<Name, String>,
    /// States of earlier versions have none.
    #[serde(default)]
    accounts: BTreeMap<Name, AccountId>,
    switch: Option<OpenSwitch>,
    callbacks: BTreeMap<Name, Entry>,
    sum: Option<String>,
}

/// What every version has.
#[derive(Deserialize)]
struct Version {
    version: u64,
}

/// A snapshot as it was read.
pub(super) struct Snapshot {
    /// `None` of version 1, which is told by its serial alone.
    pub(super) id: Option<SnapshotId>,
    pub(super) serial: u64,
    pub(super) state: State,
}

/// The snapshot; `None` when there is no file.
pub(super) fn read(path: &Path) -> Result<Option<Snapshot>, StateError> {
    let failed = |error| StateError::io(path, "read", error);
    let file = match record_callback_durable::open(path, LONGEST) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let malformed = |source| StateError::Malformed { path: path.to_owned(), source };
    let refused = |problem: &str| malformed(serde::de::Error::custom(problem));
    let (document, is_whole) = parse(&file).map_err(failed)?;
    let Document { version, lineage, serial, salt, providers, accounts, switch, callbacks, sum } =
        match document {
            Ok(document) => document,
            Err(error) if error.is_io() => return Err(failed(error.into())),
            Err(error) => {
                return Err(match newer(&file) {
                    Some(version) => StateError::Newer { path: path.to_owned(), version },
                    None => malformed(without_values(error)),
                });
            }
        };
    let id = match (version, lineage, sum) {
        (1, None, None) => None,
        (_, Some(lineage), Some(sum)) if is_whole => Some(SnapshotId { lineage, serial, sum }),
        _ => return Err(refused("its content is not what its checksum says")),
    };
    if version > VERSION {
        return Err(StateError::Newer { path: path.to_owned(), version: version.into() });
    }
    Ok(Some(Snapshot {
        id,
        serial,
        state: State { salt, places: providers, accounts, entries: callbacks, switch },
    }))
}

/// Parses the file, and tells if its end is the checksum of it.
fn parse(mut file: &File) -> io::Result<(serde_json::Result<Document>, bool)> {
    let mut first = Vec::new();
    file.take(BYTE_ORDER_MARK.len() as u64).read_to_end(&mut first)?;
    let start = if first == BYTE_ORDER_MARK { first.len() as u64 } else { 0 };
    let length = file.metadata()?.len();
    let summed_up = length.saturating_sub(TRAILER).max(start) - start;
    file.seek(SeekFrom::Start(start + summed_up))?;
    let mut end = Vec::new();
    file.take(TRAILER).read_to_end(&mut end)?;
    file.seek(SeekFrom::Start(start))?;
    let mut summed = Summed { inner: file.take(summed_up), digest: Sha256::new() };
    let document = serde_json::from_reader(BufReader::new((&mut summed).chain(end.as_slice())));
    let is_whole = end == trailer(&hex::encode(summed.digest.finalize())).as_bytes();
    Ok((document, is_whole))
}

/// The version, if it is a later one. Only when all else failed: reading it twice every time would cost as much again.
fn newer(mut file: &File) -> Option<u64> {
    file.rewind().ok()?;
    let Version { version } = serde_json::from_reader(BufReader::new(file)).ok()?;
    (version > u64::from(VERSION)).then_some(version)
}

/// The same without what it quotes: a file that is no state of ours may be one with secrets.
fn without_values(error: serde_json::Error) -> serde_json::Error {
    if !error.is_data() || error.to_string().starts_with("missing field `") {
        return error;
    }
    let (line, column) = (error.line(), error.column());
    serde::de::Error::custom(format!("a value that no state has there at line {line} column {column}"))
}
