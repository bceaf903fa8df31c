//! What goes where: data to stdout, everything else to stderr, and streams nobody reads.

use std::io::{Read, pipe};
use std::process::{Command, Stdio};

use crate::clouds::MockProcess;
use crate::program::{NO_READER, PATIENCE, Program, assert_has, wait};

const DOMAIN: [&str; 2] = ["--domain", "live.example.com"];

/// What Rust programs exit with when they panic.
const PANICKED: i32 = 101;

/// A stream whose reader is gone.
fn broken() -> Stdio {
    let (reader, writer) = pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

/// Commands with something to say, and a mock for those that need one.
fn commands(mock: &MockProcess) -> Vec<(Program, Vec<&'static str>)> {
    let url = ["--notify-url", "https://cb.example.com"];
    let of_clouds = [
        [&["put"], &DOMAIN[..], &url, &["--unsigned", "--yes"]].concat(),
        [&["get"], &DOMAIN[..]].concat(),
        vec!["list"],
        vec!["list", "--output", "json"],
        [&["delete"], &DOMAIN[..], &["--yes"]].concat(),
    ];
    let of_none = [&["demo"][..], &["demo", "--output", "json"], &["mock"], &["--help"], &["put", "--help"]];
    let clouds = [mock.aliyun(), mock.huaweicloud()];
    let with_clouds = clouds.iter().flat_map(|cloud| of_clouds.iter().map(|of| (cloud.clone(), of.clone())));
    let without = of_none.into_iter().map(|of| (Program::default(), of.to_vec()));
    with_clouds.chain(without).collect()
}

/// The exit code and what was written to stderr, if it was a pipe with a reader.
fn outcome(mut command: Command) -> (Option<i32>, String) {
    let mut child = command.spawn().expect("the program runs");
    let code = wait(&mut child, PATIENCE).code();
    let mut stderr = String::new();
    if let Some(mut pipe) = child.stderr.take() {
        pipe.read_to_string(&mut stderr).expect("UTF-8");
    }
    (code, stderr)
}

#[test]
fn logs_go_to_stderr_and_never_among_the_data() {
    let mock = MockProcess::start(&[]);
    for program in [mock.aliyun(), mock.huaweicloud()] {
        let program = program.options(&["--output", "json"]);
        program.run(&[&["put"], &DOMAIN[..], &["--notify-url", "https://cb.example.com"]].concat()).done();
        for command in [&["list"][..], &["get", "--domain", "live.example.com"]] {
            let quiet = program.run(command);
            let loud = program.clone().options(&["-vvv"]).run(command);
            assert_eq!(quiet.json(), loud.json());
            assert_eq!(quiet.stderr, "", "nothing to say without -v");
            assert_has(&loud.stderr, &["record_callback_http", "attempt"]);
        }
    }
}

#[test]
fn a_failure_is_the_last_thing_on_stderr_after_the_logs() {
    let mock = MockProcess::start(&[]);
    for program in [mock.aliyun(), mock.huaweicloud()] {
        let run = program.options(&["-vvv"]).run(&[&["get"], &DOMAIN[..]].concat());
        assert_eq!((run.code, run.stdout.as_str()), (Some(3), ""), "{run:#?}");
        let lines: Vec<&str> = run.stderr.lines().rev().take(2).collect();
        assert!(lines[0].starts_with("hint: ") && lines[1].starts_with("error: "), "{run:#?}");
        assert_has(&run.stderr, &["record_callback_http"]);
    }
}

#[test]
fn nobody_reading_stdout_ends_it_quietly() {
    let mock = MockProcess::start(&[]);
    for (program, arguments) in commands(&mock) {
        let mut command = program.command(&arguments);
        command.stdout(broken()).stderr(Stdio::piped());
        let (code, stderr) = outcome(command);
        assert!(matches!(code, Some(0 | NO_READER)), "{arguments:?}: {code:?}: {stderr}");
        assert_eq!(stderr, "", "{arguments:?}");
    }
}

#[test]
fn nobody_reading_either_stream_is_no_reason_to_panic() {
    let mock = MockProcess::start(&[]);
    for (program, arguments) in commands(&mock) {
        let mut command = program.options(&["-vvv"]).command(&arguments);
        command.stdout(broken()).stderr(broken());
        let (code, _) = outcome(command);
        assert!(code.is_some_and(|code| code != PANICKED), "{arguments:?}: {code:?}");
    }
}
