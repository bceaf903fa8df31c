use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;

use record_callback_core::AccountId;
use serde::Deserialize;

use super::{StateError, VERSION};
use crate::name::Name;
use crate::state::{Entry, OpenSwitch, Salt, State};

/// Writes a snapshot: a line for each callback, in their order, so that two can be compared.
pub(super) fn write(out: &mut dyn Write, serial: u64, state: &State) -> io::Result<()> {
    let State { salt, places, accounts, entries, switch } = state;
    let mut out = BufWriter::new(out);
    write!(out, "{{\n\"version\": {VERSION},\n\"serial\": {serial},\n\"salt\": ")?;
    serde_json::to_writer(&mut out, salt)?;
    out.write_all(b",\n\"providers\": ")?;
    serde_json::to_writer(&mut out, places)?;
    out.write_all(b",\n\"accounts\": ")?;
    serde_json::to_writer(&mut out, accounts)?;
    out.write_all(b",\n\"switch\": ")?;
    serde_json::to_writer(&mut out, switch)?;
    out.write_all(b",\n\"callbacks\": {")?;
    for (i, (name, entry)) in entries.iter().enumerate() {
        out.write_all(if i == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut out, name)?;
        out.write_all(b": ")?;
        serde_json::to_writer(&mut out, entry)?;
    }
    out.write_all(b"\n}\n}\n")?;
    out.flush()
}

#[derive(Deserialize)]
struct Snapshot {
    version: u32,
    serial: u64,
    salt: Salt,
    providers: BTreeMap<Name, String>,
    /// States of earlier versions have none.
    #[serde(default)]
    accounts: BTreeMap<Name, AccountId>,
    switch: Option<OpenSwitch>,
    callbacks: BTreeMap<Name, Entry>,
}

/// What every version has.
#[derive(Deserialize)]
struct Version {
    version: u64,
}

/// The serial and the state; `None` when there is no file.
pub(super) fn read(path: &Path) -> Result<Option<(u64, State)>, StateError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StateError::io(path, "read", error)),
    };
    let snapshot = match serde_json::from_reader(BufReader::new(file)) {
        Ok(Snapshot { version: VERSION, serial, salt, providers, accounts, switch, callbacks }) => {
            let state = State { salt, places: providers, accounts, entries: callbacks, switch };
            return Ok(Some((serial, state)));
        }
        Ok(snapshot) => Ok(snapshot),
        Err(error) if error.is_io() => return Err(StateError::io(path, "read", error.into())),
        Err(error) => Err(error),
    };
    // Only now: reading it twice every time would cost as much again.
    let version =
        File::open(path).map_err(|error| StateError::io(path, "read", error)).map(BufReader::new)?;
    match (serde_json::from_reader(version), snapshot) {
        (Ok(Version { version }), _) if version > u64::from(VERSION) => {
            Err(StateError::Newer { path: path.to_owned(), version })
        }
        (_, Err(error)) => {
            Err(StateError::Malformed { path: path.to_owned(), source: without_values(error) })
        }
        (_, Ok(Snapshot { version, .. })) => {
            let source = serde::de::Error::custom(format!("there was never a version {version}"));
            Err(StateError::Malformed { path: path.to_owned(), source })
        }
    }
}

/// The same without what it quotes: a file that is no state of ours may be one with secrets.
fn without_values(error: serde_json::Error) -> serde_json::Error {
    if !error.is_data() || error.to_string().starts_with("missing field `") {
        return error;
    }
    let (line, column) = (error.line(), error.column());
    serde::de::Error::custom(format!("a value that no state has there at line {line} column {column}"))
}
