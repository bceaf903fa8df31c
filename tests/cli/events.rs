//! `record-callback events`

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use record_callback::receiver::EventRecord;
use record_callback_tests::{Process, ReceiverProcess};
use serde_json::Value;

use crate::program::{NO_READER, PATIENCE, Program, Run, assert_has, wait};
use crate::receive::{OPEN, SQLITE, Setup};

/// More than are read at a time, and not a multiple of it.
const MANY: usize = 1103;

/// A receiver with an inbox.
struct Inbox {
    setup: Setup,
    receiver: ReceiverProcess,
}

impl Inbox {
    fn start() -> Self {
        let setup = Setup::with(SQLITE, OPEN);
        let receiver = setup.start();
        Self { setup, receiver }
    }

    /// With events of `stream-1`, `stream-2` and so on, in any order.
    fn with(events: usize) -> Self {
        let inbox = Self::start();
        inbox.receive(events, "stream");
        inbox
    }

    fn receive(&self, events: usize, stream: &str) {
        let (to, count) = (format!("http://{}/open", self.receiver.address), events.to_string());
        let trigger = ["trigger", "huaweicloud", "recording_started", "--to", &to, "--count", &count];
        Program::default().run(&[&trigger[..], &["--concurrency", "32", "--stream", stream]].concat()).done();
    }

    fn path(&self) -> String {
        self.setup.text("inbox.db")
    }

    fn events(&self, options: &[&str]) -> Run {
        Program::default().run(&[&["events", "--inbox", &self.path()], options].concat())
    }

    fn command(&self, options: &[&str]) -> Command {
        Program::default().command(&[&["events", "--inbox", &self.path()], options].concat())
    }

    fn sequences(&self, options: &[&str]) -> Vec<u64> {
        let run = self.events(&[options, &["--output", "json"]].concat());
        run.done().lines().map(|line| read(line).0).collect()
    }

    fn follow(&self, options: &[&str]) -> Process {
        Process::spawn(self.command(&[&["--follow", "--output", "json"], options].concat()))
    }
}

/// A line of `--output json`.
fn read(line: &str) -> (u64, EventRecord) {
    let value: Value = serde_json::from_str(line).expect("JSON");
    let sequence = value["sequence"].as_u64().expect("a number");
    (sequence, serde_json::from_value(value).expect("an event"))
}

#[test]
fn json_is_a_record_a_line_with_its_number() {
    let inbox = Inbox::with(3);
    let run = inbox.events(&["--output", "json"]);
    let mut streams = BTreeSet::new();
    for (line, number) in run.done().lines().zip(1..) {
        assert!(line.starts_with(&format!(r#"{{"sequence":{number},"source":"open","#)), "{line}");
        let (sequence, record) = read(line);
        assert_eq!((sequence, record.source.as_str()), (number, "open"));
        assert_eq!(record.event.kind.as_ref().unwrap().to_string(), "recording_started");
        assert!(!record.assurance.is_signed());
        let raw: Value = serde_json::from_slice(record.event.raw.as_bytes()).unwrap();
        assert_eq!(raw["stream"].as_str(), record.event.stream.as_deref());
        streams.insert(record.event.stream.unwrap());
    }
    assert_eq!(streams.into_iter().collect::<Vec<_>>(), ["stream-1", "stream-2", "stream-3"]);
}

#[test]
fn all_is_one_table_however_many_pages_are_read() {
    let inbox = Inbox::with(MANY);
    let run = inbox.events(&["--all"]);
    let lines: Vec<&str> = run.done().lines().collect();
    let header: Vec<&str> = lines[0].split_whitespace().collect();
    let columns =
        ["EVENT", "RECEIVED", "SOURCE", "KIND", "DOMAIN", "STREAM", "FILE", "DURATION", "SIZE", "MARKS"];
    assert_eq!(header.len(), columns.len());
    for (shown, column) in header.iter().zip(columns) {
        assert!(column.starts_with(shown.trim_end_matches('…')), "{header:?}");
    }
    assert_eq!(lines.len(), MANY + 1);
    for (line, number) in lines[1..].iter().zip(1..) {
        assert!(line.chars().count() <= 80, "{line}");
        let row: Vec<&str> = line.split_whitespace().collect();
        assert_eq!((row[0], row[3]), (&*number.to_string(), "open"), "{line}");
        assert!(row[6].starts_with("str"), "{line}");
    }
}

#[test]
fn the_newest_come_last_and_say_what_a_filter_hides() {
    let inbox = Inbox::with(30);
    assert_eq!(inbox.sequences(&[]), (11..=30).collect::<Vec<_>>());
    let run = inbox.events(&[]);
    assert_eq!(run.done().lines().count(), 21);
    assert!(run.done().lines().next().unwrap().contains("DOMAIN"));
    assert!(run.done().contains("live.example.com") && run.done().contains("recording_started"), "{run:?}");
    assert!(!run.done().contains("SIZE"), "no event has a file");

    inbox.receive(2, "other");
    for (filter, expected) in [
        (&["--stream", "other-1"][..], 1),
        (&["--source", "open", "--limit", "100"], 32),
        (&["--kind", "recording_started", "--since", "1h", "--domain", "live.example.com"], 20),
        (&["--app", "live", "--until", "2020-01-01T00:00:00Z"], 0),
        (&["--stream", "stream-7", "--all"], 1),
        (&["--stream", "other-2", "--after", "3"], 1),
        (&["--source", "elsewhere"], 0),
        (&["--kind", "file_completed"], 0),
    ] {
        assert_eq!(inbox.sequences(filter).len(), expected, "{filter:?}");
    }
    let run = inbox.events(&["--kind", "file_completed"]);
    assert_eq!((run.done(), run.stderr.trim()), ("", "no event matches; 32 without the filter"));
    let run = inbox.events(&["--after", "32"]);
    assert_eq!((run.done(), run.stderr.trim()), ("", "no event after 32; the inbox has 32"));
    let refused = inbox.events(&["--since", "yesterday"]);
    assert_has(refused.failed_with_hint(2), &["neither a time as 2026-12-01T08:00:00Z nor how long ago"]);
}

#[test]
fn csv_is_a_line_for_each_event() {
    let inbox = Inbox::with(2);
    let run = inbox.events(&["-o", "csv"]);
    let lines: Vec<&str> = run.done().split("\r\n").collect();
    assert!(lines[0].starts_with("event,received_at,source,kind,domain,app,stream,file_url"), "{lines:?}");
    assert!(
        lines[1].starts_with("1,20")
            && lines[1].contains(",open,recording_started,live.example.com,live,stream-")
    );
    let commas = lines[0].matches(',').count();
    assert_eq!([lines[1], lines[2]].map(|line| line.matches(',').count()), [commas, commas]);
}

#[test]
fn one_event_is_shown_whole_with_its_proof_in_words() {
    let inbox = Inbox::with(2);
    let run = inbox.events(&["show", "2"]);
    assert_has(
        run.done(),
        &["event          2\n", "source         open\n", "kind           recording_started\n"],
    );
    assert_has(
        run.done(),
        &[
            "body           ",
            "bytes; `--output json` has them",
            "Unsigned: the source asks for no signature",
            "Unproven: kind, domain",
        ],
    );
    let json = inbox.events(&["show", "2", "--output", "json"]);
    assert_eq!(read(json.done()).0, 2);
    let path = inbox.path();
    let first = Program::default().run(&["events", "show", "1", "--inbox", &path]);
    assert!(first.done().starts_with("event          1\n"));
    assert_has(
        inbox.events(&["show", "3"]).failed_with_hint(3),
        &["there is no event 3 in this inbox", "hint: the inbox has events 1 to 2"],
    );
    inbox.events(&["show"]).failed_with_hint(2);
}

/// An event that contradicts the first, as it is with a cloud that signs no body.
#[test]
fn conflicts_are_marked_and_explained() {
    let inbox = Inbox::with(1);
    let Inbox { setup, receiver } = inbox;
    setup.stop(receiver);
    let path = setup.text("inbox.db");
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute_batch(
        "INSERT INTO event SELECT 2, source_id, received_at, dedupe_key, 'old key', 1, 1, body, raw FROM event;
         UPDATE inbox SET last_sequence = 2;",
    )
    .unwrap();
    drop(conn);
    let run = Program::default().run(&["events", "--inbox", &path]);
    assert_has(run.done(), &["MARKS", "conflict"]);
    let shown = Program::default().run(&["events", "--inbox", &path, "show", "2"]);
    assert_has(shown.done(), &["Conflicts with 1: event 1 has the same dedupe key", "Reused signature: "]);
    let json = Program::default().run(&["events", "--inbox", &path, "-o", "json"]);
    assert_has(json.done(), &[r#""conflicts_with":"1""#, r#""signature_reused":true"#]);
}

/// Root may write everywhere, so that the program runs as nobody then.
#[cfg(unix)]
#[test]
fn reading_needs_no_write_access() {
    use std::os::unix::fs::PermissionsExt;

    let inbox = Inbox::with(3);
    let directory = tempfile::tempdir().unwrap();
    let mode =
        |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let program = directory.path().join("record-callback");
    let own = Program::default().command(&[]).get_program().to_owned();
    fs::copy(own, &program).unwrap();
    mode(&program, 0o755);
    let is_root =
        String::from_utf8(Command::new("id").arg("-u").output().unwrap().stdout).unwrap().trim() == "0";
    let read = |path: &std::path::Path, options: &[&str]| {
        let mut command = if is_root {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
            command
        } else {
            Command::new(&program)
        };
        command.args(["events", "--output", "json", "--inbox"]).arg(path).args(options).output().unwrap()
    };
    let closed = |from: &[(&str, &str)]| {
        let closed = tempfile::tempdir_in(directory.path()).unwrap();
        for (from, to) in from {
            fs::copy(from, closed.path().join(to)).unwrap();
            mode(&closed.path().join(to), 0o444);
        }
        mode(closed.path(), 0o555);
        closed
    };
    mode(directory.path(), 0o755);
    let (path, log) = (inbox.path(), format!("{}-wal", inbox.path()));
    // What a crash leaves.
    let crashed = closed(&[(&path, "inbox.db"), (&log, "inbox.db-wal")]);
    let run = read(&crashed.path().join("inbox.db"), &[]);
    assert!(!run.status.success());
    assert_has(&String::from_utf8(run.stderr).unwrap(), &["inbox.db-wal", "copy both"]);
    let index = format!("{path}-shm");
    let running = closed(&[(&path, "inbox.db"), (&log, "inbox.db-wal"), (&index, "inbox.db-shm")]);
    let run = read(&running.path().join("inbox.db"), &[]);
    assert_eq!(String::from_utf8(run.stdout).unwrap().lines().count(), 3, "beside a running receiver");

    inbox.setup.stop(inbox.receiver);
    let ended = closed(&[(&path, "an inbox?#%.db")]);
    let file = ended.path().join("an inbox?#%.db");
    let run = read(&file, &[]);
    assert!(run.status.success(), "{run:?}");
    assert_eq!(String::from_utf8(run.stdout).unwrap().lines().count(), 3);
    let run = read(&file, &["--consumer", "billing"]);
    assert!(!run.status.success(), "a consumer writes its cursor");
    let files = fs::read_dir(ended.path()).unwrap().count();
    assert_eq!(files, 1, "nothing is left beside it");
    for directory in [&crashed, &running, &ended] {
        mode(directory.path(), 0o755);
    }
}

#[test]
fn after_and_limit_choose_events_across_pages() {
    let inbox = Inbox::with(MANY);
    let last = MANY as u64;
    for (options, expected) in [
        (&["--all"][..], 1..=last),
        (&["--after", "0"], 1..=last),
        (&["--after", "499"], 500..=last),
        (&["--after", "1102"], last..=last),
        (&[], last - 19..=last),
        (&["--limit", "1"], last..=last),
        (&["--limit", "1000"], last - 999..=last),
        (&["--limit", "5000"], 1..=last),
        (&["--after", "0", "--limit", "500"], 1..=500),
        (&["--after", "0", "--limit", "501"], 1..=501),
        (&["--after", "600", "--limit", "502"], 601..=1102),
    ] {
        assert_eq!(inbox.sequences(options), expected.collect::<Vec<_>>(), "{options:?}");
    }
    for nothing in [&["--limit", "0"][..], &["--after", "1103"], &["--after", "18446744073709551615"]] {
        assert_eq!(inbox.sequences(nothing), [0; 0], "{nothing:?}");
    }
}

#[test]
fn a_consumer_takes_each_event_once_across_runs() {
    let inbox = Inbox::with(MANY);
    let mut taken = inbox.sequences(&["--consumer", "billing", "--limit", "7"]);
    assert_eq!(taken, (1..=7).collect::<Vec<_>>());
    taken.extend(inbox.sequences(&["--consumer", "billing", "--limit", "600"]));
    taken.extend(inbox.sequences(&["--consumer", "billing"]));
    assert_eq!(taken, (1..=MANY as u64).collect::<Vec<_>>());
    assert_eq!(inbox.sequences(&["--consumer", "billing"]), [0; 0]);
    inbox.receive(2, "later");
    assert_eq!(inbox.sequences(&["--consumer", "billing"]), [1104, 1105]);
    // Others have not taken anything, and the inbox still shows everything.
    assert_eq!(inbox.sequences(&["--consumer", "archive"]).len(), MANY + 2);
    assert_eq!(inbox.sequences(&["--all"]).len(), MANY + 2);
    inbox.setup.stop(inbox.receiver);
}

#[test]
fn a_consumer_can_be_forgotten_once() {
    let inbox = Inbox::with(2);
    assert_has(
        inbox.events(&["--forget", "billing"]).failed_with_hint(3),
        &["there is no consumer `billing`", "hint: check the name: a consumer is there once"],
    );
    assert_eq!(inbox.sequences(&["--consumer", "billing"]), [1, 2]);
    assert_eq!(inbox.events(&["--forget", "billing"]).done(), "");
    inbox.events(&["--forget", "billing"]).failed_with_hint(3);
    assert_eq!(inbox.sequences(&["--consumer", "billing"]), [1, 2], "a new one of that name");
}

#[test]
fn an_inbox_outlives_its_receiver() {
    let Inbox { setup, receiver } = Inbox::with(3);
    setup.stop(receiver);
    let path = setup.text("inbox.db");
    let events = ["events", "--inbox", &path, "--output", "json"];
    assert_eq!(Program::default().run(&events).done().lines().count(), 3);
    let taken = Program::default().run(&[&events[..], &["--consumer", "billing"]].concat());
    assert_eq!(taken.done().lines().count(), 3);
}

#[test]
fn following_shows_events_as_they_come_until_a_signal() {
    let inbox = Inbox::with(2);
    let mut plain = inbox.follow(&[]);
    let mut consumer = inbox.follow(&["--consumer", "billing"]);
    let mut after = inbox.follow(&["--after", "2"]);
    for number in 1..=2 {
        assert_eq!(read(&plain.line()).0, number);
        assert_eq!(read(&consumer.line()).0, number);
    }
    for number in 3..=5 {
        inbox.receive(1, &format!("new-{number}"));
        for process in [&mut plain, &mut consumer, &mut after] {
            let (sequence, record) = read(&process.line());
            assert_eq!((sequence, record.event.stream), (number, Some(format!("new-{number}"))));
        }
    }
    for (process, signal) in [(plain, "TERM"), (consumer, "INT"), (after, "TERM")] {
        let ended = process.stop(signal);
        assert_eq!(ended.code, Some(0), "SIG{signal}: {ended:#?}");
        assert!(ended.stdout.is_empty() && ended.stderr.is_empty(), "{ended:#?}");
    }
    assert_eq!(inbox.sequences(&["--consumer", "billing"]), [0; 0], "acknowledged");
}

#[test]
fn following_goes_on_while_receivers_come_and_go() {
    let mut inbox = Inbox::with(1);
    let mut follow = inbox.follow(&[]);
    assert_eq!(read(&follow.line()).0, 1);
    inbox.receiver = {
        inbox.setup.stop(inbox.receiver);
        inbox.setup.start()
    };
    inbox.receive(1, "again");
    assert_eq!(read(&follow.line()).0, 2);
    assert_eq!(follow.stop("TERM").code, Some(0));
}

#[test]
fn following_ends_at_the_limit() {
    let inbox = Inbox::with(2);
    let mut follow = inbox.follow(&["--limit", "3"]);
    assert_eq!([read(&follow.line()).0, read(&follow.line()).0], [1, 2]);
    inbox.receive(2, "new");
    assert_eq!(read(&follow.line()).0, 3);
    let ended = follow.end();
    assert_eq!((ended.code, ended.stdout.len()), (Some(0), 0), "{ended:#?}");
}

/// A process whose stdout is read here, or by nobody; killed when dropped.
struct Piped {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
}

impl Piped {
    fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the program runs");
        let stdout = child.stdout.take().map(BufReader::new);
        Self { child, stdout }
    }

    /// Up to `max` lines.
    fn lines(&mut self, max: usize) -> Vec<String> {
        let lines = self.stdout.as_mut().expect("a pipe").lines();
        lines.take(max).map(|line| line.expect("UTF-8")).collect()
    }

    /// The exit code. `None` when a signal ended it.
    fn end(mut self) -> Option<i32> {
        self.stdout = None;
        wait(&mut self.child, PATIENCE).code()
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        // Neither does anything once it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_signal_ends_it_before_everything_is_shown() {
    let inbox = Inbox::with(MANY);
    for (options, code) in [(&["--follow", "--after", "0"][..], Some(0)), (&["--all"], None)] {
        let json = ["--output", "json"];
        // A page is more than a pipe holds: while nobody reads, it waits.
        let mut process = Piped::spawn(inbox.command(&[&json, options].concat()));
        let mut lines = process.lines(1);
        let pid = process.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        lines.extend(process.lines(usize::MAX));
        assert!(lines.len() < MANY, "{options:?}: everything");
        assert_eq!(process.end(), code, "{options:?}");
    }
}

#[test]
fn whoever_follows_ends_with_its_reader_although_nothing_comes() {
    let inbox = Inbox::with(3);
    for output in ["text", "json"] {
        let mut process = Piped::spawn(inbox.command(&["--follow", "--output", output]));
        assert_eq!(process.lines(3).len(), 3);
        assert_eq!(process.end(), Some(NO_READER), "{output}");
    }
}

#[test]
fn what_nobody_read_is_not_taken() {
    let inbox = Inbox::with(MANY);
    for output in ["json", "text"] {
        let process = Piped::spawn(inbox.command(&["--consumer", "billing", "--output", output]));
        assert_eq!(process.end(), Some(NO_READER), "{output}");
    }
    // The first page is read to its end, the second is not.
    let mut process = Piped::spawn(inbox.command(&["--consumer", "billing", "--output", "json"]));
    let sequences = process.lines(600).iter().map(|line| read(line).0).collect::<Vec<_>>();
    assert_eq!(sequences, (1..=600).collect::<Vec<_>>());
    assert_eq!(process.end(), Some(NO_READER));
    assert_eq!(inbox.sequences(&["--consumer", "billing"]), (501..=MANY as u64).collect::<Vec<_>>());
}

#[test]
fn what_is_no_inbox_is_a_failure_and_stays_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("text"), "dear diary, this is no database, and that is that").unwrap();
    fs::write(path("empty"), "").unwrap();
    rusqlite::Connection::open(path("other")).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    for (name, complaints) in [
        ("text", &["text is not an inbox: no SQLite database"][..]),
        ("empty", &["empty is not an inbox"]),
        ("other", &["other is not an inbox: another program's database"]),
        ("missing", &["missing cannot be opened", "because: "]),
    ] {
        let before = fs::read(path(name)).ok();
        for options in [&[][..], &["--follow"], &["--consumer", "billing"], &["--forget", "billing"]] {
            let run = Program::default().run(&[&["events", "--inbox", &path(name)], options].concat());
            assert_has(run.failed(1), complaints);
            assert_eq!(fs::read(path(name)).ok(), before);
        }
    }
}

#[test]
fn options_that_exclude_each_other_are_refused() {
    for options in [
        &["--consumer", "billing", "--after", "3"][..],
        &["--forget", "billing", "--consumer", "billing"],
        &["--forget", "billing", "--follow"],
        &["--forget", "billing", "--limit", "3"],
        &["--forget", "billing", "--after", "3"],
    ] {
        let arguments = [&["events", "--inbox", "inbox.db"], options].concat();
        assert_has(Program::default().run(&arguments).failed_with_hint(2), &["cannot be used with"]);
    }
    assert_has(Program::default().run(&["events"]).failed_with_hint(2), &["--inbox <FILE>"]);
}

#[test]
fn it_explains_itself() {
    let run = Program::default().run(&["events", "--help"]);
    assert_has(run.done(), &["Usage: record-callback events", "--inbox <FILE>", "--after", "--limit"]);
    assert_has(
        run.done(),
        &["--follow", "--consumer", "--forget", "--output", "--since", "--all", "[show] [NUMBER]"],
    );
}
