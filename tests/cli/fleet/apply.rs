//! `record-callback apply`

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use record_callback_mock::{HuaweicloudDialect, MockAliyun, MockHuaweicloud, OnDemandUrl};

use super::{Fleet, MATCHES, TRAINING, eventually};
use crate::program::{PATIENCE, assert_has, wait};

/// `count` callbacks on Huawei Cloud.
pub(super) fn many(count: usize) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        writeln!(
            text,
            "[[callbacks]]\nname = \"c{number:02}\"\nprovider = \"hw\"\ndomain = \"d{number:02}.example.com\"\n\
             notify_url = \"https://cb.example.com/{number:02}\"\n"
        )
        .expect("text grows");
        text
    })
}

#[test]
fn what_is_declared_is_there_and_the_second_run_does_nothing() {
    let mut fleet = Fleet::of(&[MATCHES, TRAINING].concat());
    fleet.run(&["apply", "--yes"]);
    fleet.tell_clouds();
    fleet.run(&["apply", "--yes"]);
    fleet.run(&["apply"]);
    fleet.run(&["apply", "--yes", "--output", "json"]);
    fleet.is("apply_twice");
}

#[test]
fn changes_moves_and_removals() {
    let gone = "[[callbacks]]\nname = \"gone\"\nprovider = \"hw\"\ndomain = \"gone.example.com\"\n\
                notify_url = \"https://cb.example.com/gone\"\n";
    let mut fleet = Fleet::applied(&[MATCHES, TRAINING, gone].concat());
    fleet.clouds.declare(&[MATCHES, TRAINING].concat());
    fleet.edit("provider = \"ali\"\ndomain = { ali", "provider = \"hw\"\ndomain = { ali");
    fleet.edit("cb.example.com/training", "new.example.com/training");
    let json = ["apply", "--yes", "--output", "json"];
    fleet.run(&[&json[..], &["--target", "training"]].concat());
    fleet.tell_clouds();
    fleet.run(&json);
    fleet.tell_clouds();
    fleet.edit("\"training\"", "\"practice\"");
    fleet.run(&["apply", "--yes"]);
    fleet.run(&["status"]);
    fleet.is("apply_of_changes");
}

#[test]
fn nobody_who_could_be_asked_is_a_refusal() {
    let mut fleet = Fleet::of(MATCHES);
    fleet.run(&["apply"]);
    fleet.run(&["apply", "--output", "json"]);
    fleet.tell_clouds();
    fleet.is("apply_without_consent");
}

#[test]
fn failures_of_some_leave_the_others_alone() {
    // Huawei Cloud has the domains of two callbacks.
    let huaweicloud = MockHuaweicloud::builder().domain("d00.example.com").domain("d03.example.com");
    let mut fleet = Fleet::on(MockAliyun::builder(), huaweicloud, &many(4));
    fleet.run(&["apply", "--yes"]);
    fleet.run(&["apply", "--yes", "--output", "json"]);
    fleet.tell_clouds();
    fleet.run(&["status"]);
    fleet.is("apply_with_failures");
}

#[test]
fn after_so_many_failures_nothing_more_is_begun() {
    let huaweicloud = MockHuaweicloud::builder().domain("d00.example.com").domain("d09.example.com");
    let mut fleet = Fleet::on(MockAliyun::builder(), huaweicloud, &many(10));
    fleet.run(&["apply", "--yes", "--max-failures", "2", "--parallel", "1"]);
    fleet.run(&[
        "apply",
        "--yes",
        "--max-failures",
        "1",
        "--parallel",
        "1",
        "--output",
        "json",
        "--target",
        "c01",
        "--target",
        "c09",
    ]);
    fleet.tell_clouds();
    fleet.is("apply_with_max_failures");
}

#[test]
fn what_is_blocked_is_left_and_the_rest_is_done() {
    let blocked = "[[callbacks]]\nname = \"blocked\"\nprovider = \"ali\"\ndomain = \"blocked.example.com\"\n\
                   app = \"sports\"\nnotify_url = \"https://cb.example.com/blocked\"\n";
    let mut fleet = Fleet::of(&[MATCHES, blocked].concat());
    fleet.run(&["apply", "--yes"]);
    fleet.run(&["apply", "--yes", "--output", "json"]);
    fleet.tell_clouds();
    fleet.is("apply_with_blocked");
}

#[test]
fn what_a_cloud_ignores_is_a_failure_unless_that_is_accepted() {
    let dialect = HuaweicloudDialect { on_demand_url: OnDemandUrl::Ignored, ..Default::default() };
    let ignored = r#"
[[callbacks]]
name = "ignored"
provider = "hw"
domain = "ignored.example.com"
notify_url = "https://cb.example.com/ignored"
on_demand_url = "https://cb.example.com/on-demand"
fidelity = "best-effort"

[[callbacks]]
name = "wanted"
provider = "hw"
domain = "wanted.example.com"
notify_url = "https://cb.example.com/wanted"
on_demand_url = "https://cb.example.com/on-demand"
"#;
    let mut fleet = Fleet::on(MockAliyun::builder(), MockHuaweicloud::builder().dialect(dialect), ignored);
    fleet.run(&["apply", "--yes"]);
    fleet.run(&["plan"]);
    fleet.is("apply_with_ignored_fields");
}

#[test]
fn only_one_process_applies_at_a_time() {
    let mut fleet = Fleet::of(MATCHES);
    let held = fleet.hold();
    fleet.run(&["apply", "--yes"]);
    fleet.run(&["switch", "matches", "--to", "hw", "--yes"]);
    fleet.run(&["import"]);
    fleet.tell_clouds();
    // Those who only look are in nobody's way.
    fleet.run(&["plan", "--detailed-exitcode"]);
    fleet.run(&["status"]);
    drop(held);
    assert_eq!(fleet.run(&["apply", "--yes"]).code, Some(0));
    fleet.is("apply_while_locked");
}

impl Fleet {
    /// The callbacks of [`many`] that are noted, and each of them is there.
    #[track_caller]
    pub(super) fn noted_and_there(&self) -> Vec<String> {
        let (_, state) = self.hold();
        let noted: Vec<String> = state.entries.keys().map(|name| name.as_str().to_owned()).collect();
        let there = self.clouds.configs();
        let there: Vec<String> =
            there.iter().map(|config| config.domain.replace(".example.com", "").replace('d', "c")).collect();
        assert_eq!(noted, there);
        noted
    }
}

#[test]
fn a_signal_lets_it_finish_what_is_under_way_and_the_next_run_the_rest() {
    const COUNT: usize = 30;
    for signal in ["INT", "TERM"] {
        let fleet = Fleet::of(&many(COUNT));
        // Five calls a second.
        fleet.edit("calls_per_minute = 6000000", "calls_per_minute = 300");
        let mut apply = fleet.spawn(&["apply", "--yes", "--parallel", "1"]);
        let first = apply.complaint();
        assert!(first.starts_with("done  c"), "{first}");
        let ended = apply.stop(signal);
        assert_eq!(ended.code, Some(1), "{ended:#?}");
        fleet.program.assert_secret(&ended);

        let done: Vec<&str> = ended.stderr.lines().filter_map(|line| line.strip_prefix("done  ")).collect();
        let note = "Interrupted: what is under way will be finished; once more ends it at once.";
        assert!(ended.stderr.lines().any(|line| line == note), "{ended:#?}");
        assert!((1..COUNT).contains(&done.len()), "{ended:#?}");
        let (created, left) = (done.len(), COUNT - done.len());
        let report = ended.stdout.join("\n");
        for line in [
            format!(
                "Applied: {created} created, 0 updated, 0 replaced, 0 deleted, 0 failed, {left} unfinished."
            ),
            "Next: run the same command again, it goes on from here".to_owned(),
        ] {
            assert!(report.contains(&line), "{line}: {ended:#?}");
        }
        let listed = ended.stdout.iter().find_map(|line| line.strip_prefix("unfinished ")).expect("a list");
        assert!(done.iter().all(|name| !listed.contains(name)), "{ended:#?}");

        // What is there is noted, and nothing else is.
        let there = fleet.noted_and_there();
        assert!(done.iter().all(|name| there.iter().any(|one| one == name)), "{there:?} {ended:#?}");

        fleet.edit("calls_per_minute = 300", "calls_per_minute = 6000000");
        let again = fleet.program.run(&["apply", "--yes"]);
        let left = COUNT - there.len();
        let rest =
            format!("Applied: {left} created, 0 updated, 0 replaced, 0 deleted, 0 failed, 0 unfinished.");
        assert!(again.done().contains(&rest), "{again:#?}");
        assert_eq!(fleet.program.run(&["plan", "--detailed-exitcode"]).code, Some(0));
        assert_eq!(fleet.clouds.configs().len(), COUNT);
    }
}

#[test]
fn the_second_signal_ends_it_at_once() {
    const COUNT: usize = 20;
    let fleet = Fleet::of(&many(COUNT));
    // A call a second.
    fleet.edit("calls_per_minute = 6000000", "calls_per_minute = 60");
    let mut apply = fleet.spawn(&["apply", "--yes"]);
    eventually("a config", || !fleet.clouds.configs().is_empty());
    apply.signal("INT");
    let note = apply.complaint();
    assert!(note.starts_with("Interrupted: "), "{note}");
    let ended = apply.stop("INT");
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    fleet.edit("calls_per_minute = 60", "calls_per_minute = 6000000");
    fleet.program.run(&["apply", "--yes"]).done();
    assert_eq!(fleet.noted_and_there().len(), COUNT);
    assert_eq!(fleet.program.run(&["plan", "--detailed-exitcode"]).code, Some(0));
}

/// What `script` shows of a run on a terminal of its own where somebody types `answer`.
pub(super) fn answered(fleet: &Fleet, arguments: &[&str], answer: &str) -> (Option<i32>, String) {
    let command = fleet.program.command(arguments);
    let program = command.get_program().to_str().expect("UTF-8");
    let mut script = Command::new("script");
    script.args([
        "--quiet",
        "--return",
        "--command",
        &format!("'{program}' {}", arguments.join(" ")),
        "/dev/null",
    ]);
    script
        .env_clear()
        .env("TERM", "xterm")
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    script.current_dir(fleet.clouds.directory.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut script = script.spawn().expect("script runs");
    script.stdin.take().expect("a pipe").write_all(answer.as_bytes()).expect("it reads");
    let mut shown = String::new();
    script.stdout.take().expect("a pipe").read_to_string(&mut shown).expect("UTF-8");
    let code = wait(&mut script, PATIENCE).code();
    fleet.program.assert_secret(&shown);
    (code, shown)
}

#[test]
fn somebody_at_a_terminal_is_asked() {
    let fleet = Fleet::of(MATCHES);
    for answer in ["n\n", "\n", "what?\n"] {
        let (code, shown) = answered(&fleet, &["apply"], answer);
        assert_eq!(code, Some(1), "{shown}");
        assert_has(&shown, &["Apply these changes? [y/N] ", "Nothing was changed."]);
        // With colours.
        assert_has(&shown, &["\u{1b}[32m  + create \u{1b}[0m \u{1b}[1mmatches\u{1b}[0m"]);
        assert!(fleet.clouds.configs().is_empty());
    }
    let (code, shown) = answered(&fleet, &["apply"], "Yes\n");
    assert_eq!(code, Some(0), "{shown}");
    assert_has(&shown, &["Applied: 1 created,"]);
    assert_eq!(fleet.clouds.configs().len(), 1);
}
