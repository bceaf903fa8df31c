//! `record-callback receive`

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;

use record_callback::receiver::EventRecord;
use record_callback_tests::{Ended, Process, ReceiverProcess, RedisServer};
use tempfile::TempDir;

use crate::program::{Program, Run, assert_has};

pub(crate) const KEY: &str = "Rece1veRece1veRece1veRece1veRece";
pub(crate) const SQLITE: &str = "kind = 'sqlite'\npath = 'inbox.db'";
const JSONL: &str = "kind = 'jsonl'\npath = 'events.jsonl'";
const FORWARD_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// A source that anybody may send to.
pub(crate) const OPEN: &str = "[sources.open]\nvendor = 'huaweicloud'\npath = '/open'\nunsigned = true\n";
/// A source whose key is [`KEY`].
pub(crate) const SIGNED: &str = "[sources.live]\nvendor = 'huaweicloud'\npath = '/live'\nkey_env = 'KEY'\n";

/// A directory with a `receiver.toml`, and the program with what the file needs.
pub(crate) struct Setup {
    directory: TempDir,
    pub(crate) program: Program,
}

impl Setup {
    pub(crate) fn of(toml: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("receiver.toml"), toml).expect("a file");
        Self { directory, program: Program::default().secret("KEY", KEY) }
    }

    /// On a free port.
    pub(crate) fn with(sink: &str, sources: &str) -> Self {
        Self::of(&format!("addr = '127.0.0.1:0'\n[sink]\n{sink}\n{sources}"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// As an argument.
    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("UTF-8").to_owned()
    }

    pub(crate) fn command(&self, more: &[&str]) -> Command {
        self.program.command(&[&["receive", "--config", &self.text("receiver.toml")], more].concat())
    }

    pub(crate) fn start(&self) -> ReceiverProcess {
        ReceiverProcess::start(self.command(&[]))
    }

    /// Runs it where it must end by itself.
    pub(crate) fn run(&self) -> Run {
        let run = Run::ended("receive", Process::spawn(self.command(&[])).end());
        self.program.assert_secret(&run);
        run
    }

    /// Stops it, which must succeed and show no secret.
    pub(crate) fn stop(&self, receiver: ReceiverProcess) -> Ended {
        let ended = receiver.process.stop("TERM");
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        self.program.assert_secret(&ended);
        ended
    }

    /// What is in the directory, without the configuration.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).expect("a directory");
        let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"));
        names.filter(|name| name != "receiver.toml").collect()
    }
}

/// A port nobody listens on, most likely.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("a bound port")
}

#[test]
fn the_ready_line_is_the_documented_json() {
    let setup = Setup::with(SQLITE, &format!("{SIGNED}{OPEN}"));
    let receiver = setup.start();
    let addr = format!("http://{}", receiver.address);
    let sources = format!(r#"{{"live":"{addr}/live","open":"{addr}/open"}}"#);
    let admin = format!("http://{}", receiver.admin);
    let expected = format!(r#"{{"ready":true,"addr":"{addr}","admin":"{admin}","sources":{sources}}}"#);
    assert_eq!(receiver.ready_line, expected);
    for address in [receiver.address, receiver.admin] {
        assert!(address.ip().is_loopback() && address.port() != 0);
    }
    let ended = setup.stop(receiver);
    assert!(ended.stdout.is_empty() && ended.stderr.is_empty(), "{ended:#?}");
}

#[test]
fn the_address_of_the_command_line_wins() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let setup = Setup::of(&format!("addr = '{addr}'\n[sink]\n{SQLITE}\n{OPEN}"));
    assert_has(setup.run().failed(1), &[&addr.to_string(), "in use"]);
    let free = free();
    let receiver = ReceiverProcess::start(setup.command(&["--addr", &free.to_string()]));
    assert_eq!(receiver.address, free);
    setup.stop(receiver);
}

#[test]
fn sigterm_and_sigint_stop_it_with_success() {
    for signal in ["TERM", "INT"] {
        let ended = Setup::with(SQLITE, OPEN).start().process.stop(signal);
        assert_eq!(ended.code, Some(0), "SIG{signal}: {ended:#?}");
    }
}

#[test]
fn paths_of_sinks_are_relative_to_the_file_they_are_in() {
    for (sink, name) in [(SQLITE, "inbox.db"), (JSONL, "events.jsonl")] {
        let setup = Setup::with(sink, OPEN);
        let elsewhere = tempfile::tempdir().unwrap();
        let mut command = setup.command(&[]);
        command.current_dir(&elsewhere);
        let receiver = ReceiverProcess::start(command);
        assert!(setup.path(name).is_file());
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
        setup.stop(receiver);

        // A file without a directory in its name, too.
        let mut command = setup.program.command(&["receive", "--config", "receiver.toml"]);
        command.current_dir(setup.directory.path());
        setup.stop(ReceiverProcess::start(command));

        let absolute = elsewhere.path().join("kept");
        let sink = sink.replace(name, absolute.to_str().unwrap());
        let setup = Setup::with(&sink, OPEN);
        let receiver = setup.start();
        assert!(absolute.is_file());
        assert_eq!(setup.files(), [""; 0]);
        setup.stop(receiver);
    }
}

#[test]
fn every_kind_of_sink_takes_events() {
    let redis = RedisServer::start();
    let url = redis.url();
    let target = Setup::with(JSONL, OPEN);
    // What the forwarding receiver sends is no callback, and kept all the same.
    let target_receiver = target.start();
    let forward = format!(
        "kind = 'forward'\nurl = 'http://{}/open'\nsecret_env = 'FORWARD_SECRET'",
        target_receiver.address
    );
    let redis = "kind = 'redis'\nurl_env = 'REDIS_URL'\nstream = 'events'\ndedupe_days = 1\nmax_length = 10";
    let sqlite = format!("{SQLITE}\nmax_age_days = 1\nmax_bytes = 100000000");
    for sink in [&sqlite, JSONL, "kind = 'stdout'", &forward, redis] {
        let mut setup = Setup::with(sink, SIGNED);
        setup.program =
            setup.program.secret("FORWARD_SECRET", FORWARD_SECRET).secret("REDIS_URL", &format!("{url}\n"));
        let mut receiver = setup.start();
        let to = format!("http://{}/live", receiver.address);
        let trigger = ["trigger", "huaweicloud", "recording_ended", "--to", &to, "--key-env", "KEY"];
        assert_eq!(setup.program.run(&trigger).done(), "1 sent, 1 acknowledged, 1 attempts\n", "{sink}");
        if sink.contains("stdout") {
            let record: EventRecord = serde_json::from_str(&receiver.process.line()).unwrap();
            assert_eq!((record.source.as_str(), record.event.stream.as_deref()), ("live", Some("stream")));
        }
        setup.stop(receiver);
    }
    let forwarded = fs::read_to_string(target.path("events.jsonl")).unwrap();
    let record: EventRecord = serde_json::from_str(&forwarded).unwrap();
    let inner: EventRecord = serde_json::from_slice(record.event.raw.as_bytes()).unwrap();
    assert_eq!((record.source.as_str(), inner.source.as_str()), ("open", "live"));
    target.stop(target_receiver);
}

/// Asserts that it is a usage error with `complaints`, before anything is created.
#[track_caller]
fn assert_refused(setup: &Setup, complaints: &[&str]) {
    let run = setup.run();
    let stderr = run.failed_with_hint(2);
    assert_has(stderr, complaints);
    assert!(stderr.contains("receiver.toml") || !stderr.contains("--config"), "{run:#?}");
    assert_eq!(setup.files(), [""; 0], "{run:#?}");
}

#[test]
fn a_source_that_is_wrong_is_refused_before_anything_is_created() {
    const ALIYUN: &str = "[sources.a]\nvendor = 'aliyun'\npath = '/a'\n";
    const HUAWEICLOUD: &str = "[sources.h]\nvendor = 'huaweicloud'\npath = '/h'\n";
    let second = OPEN.replace("open]", "second]");
    let same = SIGNED.replace("live]", "other]").replace("/live", "/other");
    let cases: [(&[&str], &[&str]); 26] = [
        (&[], &["missing field `sources`"]),
        (&["[sources]"], &["sources: there are none"]),
        (&[HUAWEICLOUD], &["source h has no key and is not declared unsigned", "`unsigned = true`"]),
        (&[SIGNED, "unsigned = true"], &["source live has a key and is declared unsigned"]),
        (&[HUAWEICLOUD, "key_env = 'UNSET'"], &["source h has no key: UNSET is not set"]),
        (&[HUAWEICLOUD, "key_env = ['KEY', 'UNSET']"], &["source h has no key: UNSET is not set"]),
        (&[HUAWEICLOUD, "key_file = 'none'"], &["source h has no key: file `none`: cannot be read at"]),
        (&[HUAWEICLOUD, "key_file = '.'"], &["source h has no key: file `.`: ", "not a regular file"]),
        (&[OPEN, "key_file = 'receiver.toml'"], &["source open has a key and is declared unsigned"]),
        (&[SIGNED, &same], &["sources live and other accept the same deliveries", "shares_keys_with"]),
        (&[SIGNED, "shares_keys_with = ['nobody']"], &["of source live is `nobody`", "another source"]),
        (&[OPEN, "expect_within = '0s'"], &["expect_within: of source open is `0s`", "positive"]),
        (&[OPEN, "expect_within = '-6h'"], &["expect_within: of source open", "positive"]),
        (&[OPEN, "expect_within = 'often'"], &["line 10: `often` is no duration such as"]),
        (&[HUAWEICLOUD, "key_env = 'SHORT'"], &["signing.key: has 8 characters"]),
        (&[OPEN, "keyenv = 'KEY'"], &["`keyenv`", "key_env"]),
        (&[OPEN, &second], &["path: `/open` is that of open and of second"]),
        (&[&OPEN.replace("'/open'", "'/metrics'")], &["path: `/metrics` of source open cannot be served"]),
        (&[&OPEN.replace(".open]", ".'o o']")], &["name: `o o` cannot name a source"]),
        (&[ALIYUN, "key_env = 'KEY'"], &["host: "]),
        (&[ALIYUN, "key_env = 'KEY'\nhost = 'cb.example.com'\nscheme = 'md5'"], &["signing: is given"]),
        (&[OPEN, "host = 'cb.example.com'"], &["host: is given", "other vendor"]),
        (&[OPEN, "on_demand = { record = true }"], &["on_demand: is given for source open", "huaweicloud"]),
        (
            &[ALIYUN, "unsigned = true\nhost = 'h'\non_demand = { record = true, intervals = { mp4 = 4 } }"],
            &["mp4 has 4", "5-21600 seconds"],
        ),
        (&[OPEN, "tolerance_seconds = { past = 60 }"], &["missing field `future`"]),
        (&[&OPEN.replace("huaweicloud", "tencent")], &["`tencent`", "`aliyun` or `huaweicloud`"]),
    ];
    for (sources, complaints) in cases {
        let mut setup = Setup::with(SQLITE, &sources.join("\n"));
        setup.program = setup.program.secret("SHORT", "t00short");
        assert_refused(&setup, complaints);
    }
}

#[test]
fn a_sink_that_is_wrong_is_refused_before_anything_is_created() {
    let cases: [(&str, &[&str]); 13] = [
        ("kind = 'sqlite'", &["missing field `path`"]),
        ("kind = 'mysql'\npath = 'x'", &["`mysql`", "`sqlite`"]),
        ("path = 'x'", &["missing field `kind`"]),
        ("kind = 'sqlite'\npath = 'x'\nmax_age = 3", &["`max_age`", "max_age_days"]),
        ("kind = 'jsonl'\npath = 'x'\nmax_bytes = 3", &["`max_bytes`"]),
        ("kind = 'stdout'\npath = 'x'", &["`path`"]),
        ("kind = 'forward'\nurl = 'https://h'\nsecret_env = 'UNSET'", &["secret_env: UNSET is not set"]),
        ("kind = 'forward'\nurl = 'https://h'\nsecret_env = []", &["secret_env: names no variable"]),
        ("kind = 'forward'\nurl = 'http://h'\nsecret_env = 'FORWARD_SECRET'", &["url: is plain http to `h`"]),
        ("kind = 'forward'\nurl = 'https://h'\nsecret_env = 'KEY'", &["secret: does not begin with"]),
        ("kind = 'forward'\nurl = 'https://h'\nsecret_env = 'KEY'\nretries = 3", &["`retries`"]),
        ("kind = 'redis'\nurl_env = 'UNSET'", &["url_env: UNSET is not set"]),
        ("kind = 'redis'\nurl_env = 'UNSET'\nmax_len = 3", &["`max_len`", "max_length"]),
    ];
    for (sink, complaints) in cases {
        let mut setup = Setup::with(sink, SIGNED);
        setup.program = setup.program.secret("FORWARD_SECRET", FORWARD_SECRET);
        assert_refused(&setup, complaints);
    }
}

#[test]
fn a_file_that_is_wrong_is_refused_before_anything_is_created() {
    let rest = format!("[sink]\n{SQLITE}\n{OPEN}");
    for (toml, complaints) in [
        (format!("address = '127.0.0.1:0'\n{rest}"), &["receiver.toml", "`address`"][..]),
        (format!("addr = 'localhost'\n{rest}"), &["addr"]),
        (format!("[limits]\nbody_kib = 3\n{rest}"), &["`body_kib`", "body_bytes"]),
        (format!("[limits]\nrequests = -1\n{rest}"), &["line 2: ", "`-1`"]),
        (OPEN.to_owned(), &["missing field `sink`"]),
        ("addr = ".to_owned(), &["receiver.toml", "line 1"]),
    ] {
        assert_refused(&Setup::of(&toml), complaints);
    }
    let missing = Program::default().run(&["receive", "--config", "/nowhere/receiver.toml"]);
    assert_has(missing.failed_with_hint(2), &["--config: /nowhere/receiver.toml: "]);
    assert_has(Program::default().run(&["receive"]).failed_with_hint(2), &["--config <FILE>"]);
}

#[test]
fn a_secret_in_the_file_is_refused_and_not_repeated() {
    for line in ["key = 'KEY'", "signing_key = 'KEY'", "key_env = 'KEY'\nsecret = 'KEY'"] {
        let setup = Setup::with(SQLITE, &format!("{OPEN}{}", line.replace("KEY", KEY)));
        assert_refused(&setup, &["receiver.toml: line ", "unknown field"]);
    }
}

#[test]
fn a_store_that_cannot_be_used_is_a_failure_and_stays_as_it_is() {
    let text = "dear diary";
    let lossy = RedisServer::with(&["--appendonly", "no"]);
    let nobody = format!("redis://:{}@{}", RedisServer::PASSWORD, free());
    for (sink, url, complaints) in [
        (SQLITE, "", &["inbox.db is not an inbox"][..]),
        (JSONL, "", &["events.jsonl` ends in something that is no event"]),
        (
            "kind = 'sqlite'\npath = 'missing/inbox.db'",
            "",
            &["missing/inbox.db cannot be opened", "because: "],
        ),
        ("kind = 'jsonl'\npath = 'missing/events.jsonl'", "", &["missing/events.jsonl` cannot be opened"]),
        ("kind = 'redis'\nurl_env = 'REDIS_URL'", &lossy.url(), &["would lose events", "appendonly"]),
        ("kind = 'redis'\nurl_env = 'REDIS_URL'", &nobody, &["no connection to Redis at `127.0.0.1:"]),
        ("kind = 'redis'\nurl_env = 'REDIS_URL'", "hush-hush", &["is not redis://"]),
    ] {
        let mut setup = Setup::with(sink, OPEN);
        if !url.is_empty() {
            setup.program = setup.program.secret("REDIS_URL", url).secret("PASSWORD", RedisServer::PASSWORD);
        }
        for name in ["inbox.db", "events.jsonl"] {
            fs::write(setup.path(name), text).unwrap();
        }
        assert_has(setup.run().failed(1), complaints);
        for name in ["inbox.db", "events.jsonl"] {
            assert_eq!(fs::read_to_string(setup.path(name)).unwrap(), text);
        }
    }
}

#[test]
fn a_store_is_for_one_receiver_where_two_would_harm_it() {
    let setup = Setup::with(JSONL, OPEN);
    let first = setup.start();
    assert_has(setup.run().failed(1), &["events.jsonl` is locked: another sink writes to it"]);
    setup.stop(first);
}

#[test]
fn the_log_tells_of_refusals_and_shows_no_secret() {
    let mut setup = Setup::with(SQLITE, SIGNED);
    setup.program = setup.program.secret("OTHER", "0therKey0therKey0therKey0therKey").options(&["-vvv"]);
    let receiver = setup.start();
    let to = format!("http://{}/live", receiver.address);
    for (key, code) in [("KEY", 0), ("OTHER", 1)] {
        for sign in ["hmac-sha256", "md5"] {
            let trigger = ["trigger", "huaweicloud", "file_completed", "--to", &to];
            let run = setup.program.run(&[&trigger[..], &["--key-env", key, "--sign", sign]].concat());
            // The receiver goes by its own configuration.
            assert_eq!(run.code, Some(if sign == "md5" { 1 } else { code }), "{run:#?}");
        }
    }
    let ended = setup.stop(receiver);
    assert_has(&ended.stderr, &["delivery refused", "live", "stopping"]);
}

#[test]
fn it_explains_itself() {
    let overview = Program::default().run(&["--help"]);
    assert_has(overview.done(), &["\n  receive ", "\n  events ", "\n  trigger "]);
    let run = Program::default().run(&["receive", "--help"]);
    assert_has(run.done(), &["Usage: record-callback receive", "--config <FILE>", "--addr <ADDR>"]);
}
