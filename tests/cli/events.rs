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
fn text_is_one_table_however_many_pages_are_read() {
    let inbox = Inbox::with(MANY);
    let run = inbox.events(&[]);
    let lines: Vec<&str> = run.done().lines().collect();
    let header: Vec<&str> = lines[0].split_whitespace().collect();
    assert_eq!(header, ["EVENT", "RECEIVED", "SOURCE", "KIND", "DOMAIN", "APP", "STREAM", "PROVEN"]);
    assert_eq!(lines.len(), MANY + 1);
    for (line, number) in lines[1..].iter().zip(1..) {
        let row: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(row[0], number.to_string(), "{line}");
        assert_eq!(
            [row[2], row[3], row[4], row[5]],
            ["open", "recording_started", "live.example.com", "live"]
        );
        assert!(row[6].starts_with("stream-") && line.ends_with("nothing (unsigned)"), "{line}");
    }
    let none = inbox.events(&["--after", &MANY.to_string()]);
    assert_eq!(none.done().split_whitespace().next(), Some("EVENT"), "a header all the same");
    assert_eq!(none.done().lines().count(), 1);
}

#[test]
fn after_and_limit_choose_events_across_pages() {
    let inbox = Inbox::with(MANY);
    let last = MANY as u64;
    for (options, expected) in [
        (&[][..], 1..=last),
        (&["--after", "0"], 1..=last),
        (&["--after", "499"], 500..=last),
        (&["--after", "1102"], last..=last),
        (&["--limit", "1"], 1..=1),
        (&["--limit", "500"], 1..=500),
        (&["--limit", "501"], 1..=501),
        (&["--limit", "1000"], 1..=1000),
        (&["--limit", "5000"], 1..=last),
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
    assert_eq!(inbox.sequences(&[]).len(), MANY + 2);
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
    for (options, code) in [(&["--follow"][..], Some(0)), (&[], None)] {
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
    assert_has(run.done(), &["--follow", "--consumer", "--forget", "--output"]);
}
