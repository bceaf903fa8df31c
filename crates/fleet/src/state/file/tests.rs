mod damage;

use std::process;

use futures_util::future::join_all;
use record_callback_core::{
    AccountId, AppSelector, CallbackKey, CallbackSigning, ConfigId, DomainName, Fidelity,
    RecordCallbackConfig, SigningKey, SigningScheme,
};
use tempfile::TempDir;

use super::*;
use crate::name::Name;
use crate::slot::Slot;
use crate::state::{OpenSwitch, OwnedConfig, Salt, Standing};

const KEY: &str = "s1gningKeyOfTests";

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn owned(salt: &Salt, i: usize) -> OwnedConfig {
    let domain = format!("d{i}.example.com");
    let key = SigningKey::new(KEY).unwrap();
    let config = RecordCallbackConfig::builder(&domain, "https://cb.example.com/recorded")
        .signing(CallbackSigning::with(SigningScheme::HmacSha256, key))
        .build()
        .unwrap();
    let key = CallbackKey::new(DomainName::reported(&domain), AppSelector::Any);
    OwnedConfig {
        slot: Slot { provider: name("hw"), key },
        id: i.is_multiple_of(2).then(|| ConfigId::new(format!("id \"{i}\"\n"))),
        standing: Standing::Current,
        written: salt.of_config(&config),
        earlier: if i.is_multiple_of(3) { vec![salt.of_config(&config)] } else { Vec::new() },
        protect: i.is_multiple_of(5),
        ignored: Vec::new(),
    }
}

/// The `nth` config of callback `i`.
fn config(salt: &Salt, i: usize, nth: usize) -> Record {
    Record::Config { name: name(&format!("callback-{i}")), config: owned(salt, i + nth) }
}

fn entry(salt: &Salt, i: usize) -> Record {
    config(salt, i, 0)
}

fn gone(salt: &Salt, i: usize) -> Record {
    let slots = [owned(salt, i).slot, owned(salt, i + 1).slot].into();
    Record::Gone { name: name(&format!("callback-{i}")), slots }
}

/// Records of every kind, the last of which undo earlier ones.
fn records(salt: &Salt) -> Vec<Record> {
    let switch = OpenSwitch {
        to: name("hw"),
        callbacks: [(name("callback-0"), name("ali"))].into(),
        winners: vec![name("callback-0")],
        fidelity: None,
        earlier_fidelity: [(name("callback-0"), Fidelity::Exact)].into(),
        keep_source: true,
    };
    let mut records: Vec<_> = (0..4).flat_map(|i| [config(salt, i, 0), config(salt, i, 1)]).collect();
    records.push(Record::Switch { switch: Some(switch) });
    records.push(Record::Place { provider: name("ali"), place: "aliyun by default".into() });
    records.push(Record::Account {
        provider: name("ali"),
        account: AccountId::new("1234567890123456").unwrap(),
    });
    records.push(gone(salt, 1));
    records.push(Record::Switch { switch: None });
    records
}

/// The states after each of `records`, and before the first.
fn states(mut state: State, records: &[Record]) -> Vec<State> {
    let mut states = vec![state.clone()];
    for record in records {
        state.take(record.clone());
        states.push(state.clone());
    }
    states
}

/// How many lines end in `text`.
fn lines_in(text: &[u8]) -> usize {
    text.split(|byte| *byte == b'\n').count() - 1
}

struct Place {
    _directory: TempDir,
    path: PathBuf,
    journal: PathBuf,
}

fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fleet.state");
    Place { journal: directory.path().join("fleet.state.journal"), path, _directory: directory }
}

/// A state file with `records` in its journal, each in a write of its own, and the states they lead through.
async fn noted() -> (Place, Vec<State>) {
    let place = place();
    let (file, state) = StateFile::open(&place.path).unwrap();
    let records = records(&state.salt);
    for record in &records {
        file.append(record).await.unwrap();
    }
    (place, states(state, &records))
}

#[tokio::test]
async fn what_was_noted_is_read_again_before_and_after_a_checkpoint() {
    let place = place();
    let empty = StateFile::read(&place.path).unwrap();
    assert!(empty.entries.is_empty() && empty.switch.is_none() && !place.path.exists());

    let (file, state) = StateFile::open(&place.path).unwrap();
    let states = states(state.clone(), &records(&state.salt));
    for (i, record) in records(&state.salt).iter().enumerate() {
        file.append(record).await.unwrap();
        assert_eq!(StateFile::read(&place.path).unwrap(), states[i + 1], "{i}");
    }
    let noted = fs::read(&place.journal).unwrap();
    file.checkpoint(&states[5]).unwrap();
    assert_eq!(StateFile::read(&place.path).unwrap(), states[5]);
    assert!(fs::read(&place.journal).unwrap().len() < noted.len() / 10);
    file.append(&records(&state.salt)[5]).await.unwrap();
    assert_eq!(StateFile::read(&place.path).unwrap(), states[6]);
    drop(file);

    let (file, state) = StateFile::open(&place.path).unwrap();
    assert_eq!(state, states[6]);
    file.append(&records(&state.salt)[6]).await.unwrap();
    assert_eq!(StateFile::read(&place.path).unwrap(), states[7]);
}

#[tokio::test]
async fn a_journal_of_another_state_or_snapshot_is_refused() {
    let (one, _) = noted().await;
    let (other, _) = noted().await;
    fs::copy(&other.journal, &one.journal).unwrap();
    for error in [StateFile::read(&one.path).unwrap_err(), StateFile::open(&one.path).unwrap_err()] {
        assert!(matches!(error, StateError::Foreign { .. }), "{error:?}");
        assert!(error.to_string().contains("it continues another one; restore the two"), "{error}");
    }
    // Two that went on from one backup.
    let (place, states) = noted().await;
    let backup = [&place.path, &place.journal].map(|path| (path, fs::read(path).unwrap()));
    let mut journals = Vec::new();
    for state in &states[3..5] {
        for (path, bytes) in &backup {
            fs::write(path, bytes).unwrap();
        }
        let (file, _) = StateFile::open(&place.path).unwrap();
        file.checkpoint(state).unwrap();
        journals.push(fs::read(&place.journal).unwrap());
    }
    assert_eq!(StateFile::read(&place.path).unwrap(), states[4]);
    fs::write(&place.journal, &journals[0]).unwrap();
    assert!(matches!(StateFile::read(&place.path), Err(StateError::Foreign { .. })));
}

#[tokio::test]
async fn the_lineage_stays_and_the_serial_counts_to_its_end() {
    let (place, states) = noted().await;
    let head = |place: &Place| snapshot::read(&place.path).unwrap().unwrap().id.unwrap();
    let first = head(&place);
    let (file, state) = StateFile::open(&place.path).unwrap();
    file.checkpoint(&state).unwrap();
    let second = head(&place);
    assert_eq!((&first.lineage, first.serial + 1), (&second.lineage, second.serial));
    drop(file);

    let end = replace(&place.path, |out| snapshot::write(out, &first.lineage, u64::MAX, &state));
    end.unwrap();
    let (file, state) = StateFile::open(&place.path).unwrap();
    assert_eq!(state, *states.last().unwrap());
    let error = file.checkpoint(&state).unwrap_err();
    assert!(matches!(error, StateError::LastSerial { .. }), "{error:?}");
    // What is noted is kept.
    let next = entry(&state.salt, 9);
    file.append(&next).await.unwrap();
    drop(file);
    let noted = states_after(state, &next);
    assert_eq!(StateFile::open(&place.path).unwrap().1, noted);
}

fn states_after(mut state: State, record: &Record) -> State {
    state.take(record.clone());
    state
}

#[tokio::test]
async fn a_state_of_version_1_goes_on_as_one_of_this() {
    let (place, states) = noted().await;
    let (file, _) = StateFile::open(&place.path).unwrap();
    file.checkpoint(&states[4]).unwrap();
    drop(file);
    let text = fs::read_to_string(&place.path).unwrap();
    let mut lines: Vec<_> = text.lines().filter(|line| !line.starts_with("\"lineage\"")).collect();
    lines[1] = "\"version\": 1,";
    let end = lines.len() - 3;
    lines.splice(end.., ["}", "}"]);
    fs::write(&place.path, lines.join("\n")).unwrap();
    let record = entry(&states[4].salt, 9);
    let noted = serde_json::to_string(&record).unwrap();
    let rest = [r#""version":1,"serial":2}"#.to_owned(), format!(r#""synced":9,"is":{noted}}}"#)];
    let journal = rest.map(|rest| format!("{{\"sum\":\"{}\",{rest}\n", journal::sum("", rest.as_bytes())));
    fs::write(&place.journal, journal.concat()).unwrap();

    let expected = states_after(states[4].clone(), &record);
    assert_eq!(StateFile::read(&place.path).unwrap(), expected);
    let (file, state) = StateFile::open(&place.path).unwrap();
    assert_eq!(state, expected);
    assert!(fs::read_to_string(&place.path).unwrap().starts_with("{\n\"version\": 2,\n\"lineage\""));
    assert!(!fs::read_to_string(&place.journal).unwrap().contains("record"));
    drop(file);
    // It died before the journal was there that continues it.
    fs::write(&place.journal, journal.concat()).unwrap();
    assert_eq!(StateFile::open(&place.path).unwrap().1, expected);
}

#[tokio::test]
async fn a_byte_order_mark_before_a_state_is_skipped() {
    let (place, states) = noted().await;
    let text = fs::read(&place.path).unwrap();
    fs::write(&place.path, [b"\xef\xbb\xbf", text.as_slice()].concat()).unwrap();
    assert_eq!(StateFile::read(&place.path).unwrap(), *states.last().unwrap());
    assert_eq!(StateFile::open(&place.path).unwrap().1, *states.last().unwrap());
}

#[cfg(unix)]
#[test]
fn a_lock_that_is_none_is_left_alone() {
    use std::os::unix::fs::symlink;

    let place = place();
    let lock = place.path.with_extension("state.lock");
    let notes = place.path.with_extension("notes");
    fs::write(&notes, "precious\n").unwrap();
    for target in [&notes, &place.path.with_extension("missing")] {
        symlink(target, &lock).unwrap();
        let error = StateFile::open(&place.path).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(source, "is a link, or no regular file");
        assert!(error.to_string().contains("fleet.state.lock cannot be locked"), "{error}");
        fs::remove_file(&lock).unwrap();
    }
    for hard in [true, false] {
        if hard {
            fs::hard_link(&notes, &lock).unwrap();
        } else {
            fs::write(&lock, "precious\n").unwrap();
        }
        let error = StateFile::open(&place.path).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.starts_with("is no lock file"), "{source}");
        assert_eq!(fs::read_to_string(&lock).unwrap(), "precious\n");
        fs::remove_file(&lock).unwrap();
    }
    assert_eq!(fs::read_to_string(&notes).unwrap(), "precious\n");
    assert!(!place.path.with_extension("missing").exists());
}

/// Pipes are alike, but making one takes another process, which would hold the locks of the other tests for a moment.
#[cfg(unix)]
#[test]
fn a_socket_in_the_place_of_any_file_is_refused() {
    use std::os::unix::net::UnixListener;

    for suffix in ["", ".journal", ".lock"] {
        let place = place();
        let mut path = place.path.clone().into_os_string();
        path.push(suffix);
        let _socket = UnixListener::bind(path).unwrap();
        let error = StateFile::open(&place.path).unwrap_err();
        assert!(matches!(error, StateError::Io { .. }), "{suffix}: {error:?}");
        if suffix != ".lock" {
            assert!(matches!(StateFile::read(&place.path), Err(StateError::Io { .. })), "{suffix}");
        }
    }
}

#[tokio::test]
async fn a_crash_between_renaming_and_emptying_loses_nothing_and_doubles_nothing() {
    let (place, states) = noted().await;
    let journal = fs::read(&place.journal).unwrap();
    let (file, mut state) = StateFile::open(&place.path).unwrap();
    // What the old journal says would be seen if it were taken again.
    state.take(gone(&state.salt.clone(), 0));
    assert_ne!(state, *states.last().unwrap());
    file.checkpoint(&state).unwrap();
    drop(file);
    fs::write(&place.journal, journal).unwrap();
    assert_eq!(StateFile::read(&place.path).unwrap(), state);
    let (file, opened) = StateFile::open(&place.path).unwrap();
    assert_eq!(opened, state);
    let next = entry(&state.salt, 7);
    file.append(&next).await.unwrap();
    state.take(next);
    assert_eq!(StateFile::read(&place.path).unwrap(), state);
}

#[tokio::test]
async fn a_journal_without_its_snapshot_is_refused() {
    let (place, states) = noted().await;
    let first = fs::read(&place.path).unwrap();
    let (file, _) = StateFile::open(&place.path).unwrap();
    file.checkpoint(states.last().unwrap()).unwrap();
    drop(file);
    fs::write(&place.path, first).unwrap();
    let error = StateFile::read(&place.path).unwrap_err().to_string();
    assert!(error.contains("continues snapshot 2, but") && error.contains("is snapshot 1;"), "{error}");
    fs::remove_file(&place.path).unwrap();
    let error = StateFile::open(&place.path).unwrap_err().to_string();
    assert!(error.contains("is not there; restore the two"), "{error}");
    assert!(!place.path.exists());
    // Without the journal, the snapshot is what there is.
    fs::remove_file(&place.journal).unwrap();
    assert!(StateFile::open(&place.path).unwrap().1.entries.is_empty());
}

#[test]
fn a_lock_file_that_lost_power_locks_again() {
    let place = place();
    let lock = place.path.with_extension("state.lock");
    for left in ["", "\0\0\0\0\0\0", "41\0\0\n"] {
        fs::write(&lock, left).unwrap();
        StateFile::open(&place.path).unwrap();
    }
    fs::write(&lock, "4\u{0}1\n").unwrap();
    StateFile::open(&place.path).unwrap_err();
}

#[test]
fn one_process_at_a_time_writes() {
    let place = place();
    let (file, state) = StateFile::open(&place.path).unwrap();
    let error = StateFile::open(&place.path).unwrap_err();
    assert!(matches!(error, StateError::Locked { pid: Some(pid), .. } if pid == process::id()), "{error:?}");
    assert!(error.to_string().contains(&format!("in use by process {}", process::id())), "{error}");
    assert_eq!(StateFile::read(&place.path).unwrap(), state);
    drop(file);
    assert_eq!(StateFile::open(&place.path).unwrap().1, state);
    // A process that died leaves its lock file.
    fs::write(place.path.with_extension("state.lock"), "4194304999\n").unwrap();
    assert_eq!(StateFile::open(&place.path).unwrap().1, state);
}

#[cfg(unix)]
#[tokio::test]
async fn everything_is_for_its_owner_only_and_links_are_followed() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let (place, states) = noted().await;
    let link = place.path.with_extension("link");
    symlink(&place.path, &link).unwrap();
    let (file, state) = StateFile::open(&link).unwrap();
    assert_eq!(state, *states.last().unwrap());
    assert!(matches!(StateFile::open(&place.path), Err(StateError::Locked { .. })));
    file.checkpoint(&state).unwrap();
    assert!(link.is_symlink());
    let files: Vec<_> = fs::read_dir(place.path.parent().unwrap()).unwrap().map(Result::unwrap).collect();
    assert_eq!(files.len(), 4, "{files:?}");
    for file in files {
        let mode = file.metadata().unwrap().permissions().mode();
        assert!(file.path().is_symlink() || mode & 0o777 == 0o600, "{file:?}: {mode:o}");
    }
}

#[tokio::test]
async fn no_key_is_ever_written_or_shown() {
    let (place, states) = noted().await;
    let journal = fs::read_to_string(&place.journal).unwrap();
    let (file, _) = StateFile::open(&place.path).unwrap();
    // All configs, and none gone yet.
    let state = &states[8];
    file.checkpoint(state).unwrap();
    let snapshot = fs::read_to_string(&place.path).unwrap();
    assert!(snapshot.lines().any(|line| line.starts_with(r#""callback-3": [{"#)), "{snapshot}");
    let shown = format!("{journal} {snapshot} {file:?} {state:?}");
    assert!(!shown.contains(KEY), "{shown}");
}

#[test]
fn what_is_no_state_of_ours_is_named() {
    for (text, problem) in [
        ("", "is not a state file"),
        ("{}", "is not a state file"),
        ("notes\n", "is not a state file"),
        (r#"{"version":1,"serial":1,"salt":"00","switch":null,"callbacks":{}}"#, "is not a state file"),
        (r#"{"version":0,"serial":1}"#, "is not a state file"),
        (r#"{"version":2,"pieces":[]}"#, "is not a state file"),
        (r#"{"version":3,"pieces":[]}"#, "is of version 3, and this program knows versions up to 2"),
    ] {
        let place = place();
        fs::write(&place.path, text).unwrap();
        for error in [StateFile::read(&place.path).unwrap_err(), StateFile::open(&place.path).unwrap_err()] {
            let shown = error.to_string();
            assert!(shown.contains(problem) && shown.contains("fleet.state"), "{text}: {shown}");
        }
        assert_eq!(fs::read_to_string(&place.path).unwrap(), text);
    }
    let missing = tempfile::tempdir().unwrap().path().join("none").join("fleet.state");
    let error = StateFile::open(&missing).unwrap_err();
    assert!(matches!(error, StateError::Io { .. }) && error.to_string().contains("check its directory"));
}

#[tokio::test]
async fn a_checkpoint_that_may_have_happened_ends_appending() {
    let (place, states) = noted().await;
    let (file, state) = StateFile::open(&place.path).unwrap();
    // Nothing can be renamed onto a directory that is not empty.
    let away = place.path.with_extension("away");
    fs::rename(&place.journal, &away).unwrap();
    fs::create_dir_all(place.journal.join("in the way")).unwrap();
    file.checkpoint(&state).unwrap_err();
    file.append(&Record::Switch { switch: None }).await.unwrap_err();
    drop(file);
    fs::remove_dir_all(&place.journal).unwrap();
    fs::rename(&away, &place.journal).unwrap();
    assert_eq!(StateFile::open(&place.path).unwrap().1, *states.last().unwrap());
}

#[tokio::test]
async fn a_deleted_journal_takes_nothing() {
    let (place, _) = noted().await;
    let (file, _) = StateFile::open(&place.path).unwrap();
    fs::remove_file(&place.journal).unwrap();
    let error = file.append(&Record::Switch { switch: None }).await.unwrap_err();
    let source = std::error::Error::source(error.get_ref().unwrap()).unwrap().to_string();
    assert!(!cfg!(unix) || source.contains("deleted"), "{source}");
}

#[tokio::test]
async fn who_reads_meanwhile_gets_a_state_that_was() {
    let place = place();
    let (file, state) = StateFile::open(&place.path).unwrap();
    let records: Vec<_> = (0..200).map(|i| entry(&state.salt, i)).collect();
    let states = states(state, &records);
    let path = place.path.clone();
    let reader = std::thread::spawn(move || {
        let mut seen = Vec::new();
        while seen.last() != Some(&200) {
            seen.push(StateFile::read(&path).unwrap().entries.len());
        }
        seen
    });
    for (i, record) in records.iter().enumerate() {
        file.append(record).await.unwrap();
        if i % 3 == 0 {
            file.checkpoint(&states[i + 1]).unwrap();
        }
    }
    let seen = reader.join().unwrap();
    assert!(seen.is_sorted(), "{seen:?}");
}

#[tokio::test]
async fn twenty_thousand_callbacks_are_kept() {
    let place = place();
    let (file, mut state) = StateFile::open(&place.path).unwrap();
    // One for all: fingerprints are slow without optimisation.
    let config = owned(&state.salt, 0);
    let record = |i| Record::Config { name: name(&format!("callback-{i}")), config: config.clone() };
    let records: Vec<_> = (0..20_000).map(record).collect();
    for appended in join_all(records.iter().map(|record| file.append(record))).await {
        appended.unwrap();
    }
    for record in records {
        state.take(record);
    }
    assert_eq!(StateFile::read(&place.path).unwrap(), state);
    file.checkpoint(&state).unwrap();
    let first = fs::read(&place.path).unwrap();
    assert_eq!(StateFile::read(&place.path).unwrap(), state);
    file.checkpoint(&state).unwrap();
    let second = fs::read_to_string(&place.path).unwrap();
    let but_sum = |text: &str| text[..text.rfind("\"sum\"").unwrap()].to_owned();
    let first = but_sum(std::str::from_utf8(&first).unwrap());
    assert_eq!(but_sum(&second).replace("\"serial\": 3,", "\"serial\": 2,"), first);
}
