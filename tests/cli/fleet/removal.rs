//! The configs that go, those that stay because they are not ours any more, and what has to be asked before much goes.

use std::fs;

use record_callback_mock::AliyunConfig;

use super::apply::{answered, many};
use super::{Fleet, MATCHES, STATE, TRAINING};
use crate::program::assert_has;

impl Fleet {
    /// Somebody writes a config of their own where ours is at Aliyun.
    fn take_over(&self) {
        let ours = self.clouds.aliyun.config("live.example.com").expect("a config");
        let notify_url = "https://theirs.example.com/events?token=hush".to_owned();
        self.clouds.aliyun.put_config(AliyunConfig { notify_url, ..ours });
    }
}

#[test]
fn what_others_changed_stays_when_it_is_dropped() {
    let mut fleet = Fleet::applied(&[MATCHES, TRAINING].concat());
    fleet.take_over();
    fleet.clouds.declare(TRAINING);
    assert_eq!(fleet.run(&["plan"]).code, Some(1));
    assert_eq!(fleet.run(&["plan", "--detailed-exitcode"]).code, Some(2));
    fleet.run(&["plan", "--output", "json"]);
    fleet.run(&["apply", "--yes"]);
    fleet.run(&["status"]);
    fleet.tell_clouds();
    assert_eq!(fleet.clouds.configs().len(), 2);
    fleet.is("removal_of_changed");
}

#[test]
fn what_others_changed_stays_when_it_moves() {
    let mut fleet = Fleet::applied(MATCHES);
    fleet.take_over();
    fleet.run(&["switch", "matches", "--to", "hw", "--yes"]);
    fleet.tell_clouds();
    assert_eq!(fleet.clouds.configs().len(), 2);
    fleet.is("removal_of_changed_source");
}

#[test]
fn what_others_changed_is_not_kept_as_a_source() {
    let mut fleet = Fleet::applied(MATCHES);
    fleet.take_over();
    let switch = fleet.run(&["switch", "matches", "--to", "hw", "--keep-source", "--yes"]);
    assert_has(
        &switch.stdout,
        &["forget ali live.example.com/*: changed by somebody else since (notify_url)"],
    );
    let status = fleet.run(&["status"]);
    assert!(!status.stdout.contains("live.example.com"), "{status:#?}");
    assert_eq!(fleet.clouds.configs().len(), 2);
}

#[test]
fn what_a_restored_state_does_not_know_stays() {
    let mut fleet = Fleet::applied(&[MATCHES, TRAINING].concat());
    let state = fleet.read(STATE);
    fleet.edit("cb.example.com/matches", "new.example.com/matches");
    fleet.program.run(&["apply", "--yes"]).done();
    fleet.lose_state();
    fleet.write(STATE, &state);
    fleet.clouds.declare(TRAINING);
    let plan = fleet.run(&["plan"]);
    assert_has(&plan.stdout, &["forget ali live.example.com/*: changed by somebody else since (notify_url)"]);
    fleet.run(&["apply", "--yes"]);
    assert_eq!(fleet.clouds.configs().len(), 2);
}

#[test]
fn somebody_who_changes_it_while_a_move_is_confirmed_keeps_it() {
    let mut fleet = Fleet::applied(MATCHES);
    let switch = fleet.spawn(&[
        "switch",
        "matches",
        "--to",
        "hw",
        "--yes",
        "--confirm-command",
        "while ! test -e confirmed; do sleep 0.05; done",
    ]);
    super::eventually("both configs", || fleet.clouds.configs().len() == 2);
    fleet.take_over();
    fleet.write("confirmed", "");
    let ended = switch.end();
    fleet.program.assert_secret(&ended);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    let report = ended.stdout.join("\n");
    assert_has(&report, &["forget ali live.example.com/*: changed by somebody else since (notify_url)"]);
    assert_eq!(fleet.clouds.configs().len(), 2);
    assert_eq!(fleet.run(&["plan"]).code, Some(0));
}

#[test]
fn many_deletions_take_leave_of_their_own() {
    let mut fleet = Fleet::applied(&[MATCHES, &many(12)].concat());
    let there = fleet.clouds.configs();
    // One of thirteen may go.
    fleet.clouds.declare(&[MATCHES, &many(11)].concat());
    fleet.program.run(&["apply", "--yes"]).done();
    fleet.clouds.declare(&[MATCHES, &many(9)].concat());
    assert_eq!(fleet.run(&["apply", "--yes"]).code, Some(1));
    assert_eq!(fleet.run(&["apply", "--yes", "--max-deletes", "1"]).code, Some(1));
    assert_eq!(fleet.clouds.configs().len(), there.len() - 1);
    let (code, shown) = answered(&fleet, &["apply", "--yes"], "n\n");
    assert_eq!(code, Some(1), "{shown}");
    assert_has(
        &shown,
        &["This deletes 2 of 12 configs.", "Apply these changes? [y/N]", "Nothing was changed."],
    );
    fleet.run(&["apply", "--yes", "--max-deletes", "2"]);
    assert_eq!(fleet.clouds.configs().len(), there.len() - 3);
    // The last of a provider, of however many.
    fleet.clouds.declare(&many(9));
    assert_eq!(fleet.run(&["apply", "--yes"]).code, Some(1));
    let (code, shown) = answered(&fleet, &["apply"], "y\n");
    assert_eq!(code, Some(0), "{shown}");
    assert_has(&shown, &["This deletes 1 of 10 configs, the last of `ali`."]);
    fleet.is("removal_of_many");
}

#[test]
fn what_is_protected_stays_until_it_is_declared_not_to_be() {
    let protected = [TRAINING, "protect = true\n"].concat();
    let mut fleet = Fleet::applied(&[MATCHES, &protected].concat());
    fleet.clouds.declare(MATCHES);
    assert_eq!(fleet.run(&["plan"]).code, Some(1));
    assert_eq!(fleet.run(&["apply", "--yes", "--max-deletes", "9"]).code, Some(1));
    assert_eq!(fleet.run(&["destroy", "--yes", "--max-deletes", "9"]).code, Some(1));
    assert_eq!(fleet.clouds.configs().len(), 1);
    fleet.clouds.declare(&[MATCHES, &protected.replace("true", "false")].concat());
    fleet.run(&["apply", "--yes"]);
    fleet.clouds.declare(MATCHES);
    fleet.run(&["apply", "--yes", "--max-deletes", "1"]);
    assert_eq!(fleet.clouds.configs().len(), 1);
    fleet.is("removal_of_protected");
}

#[test]
fn everything_of_ours_is_destroyed_when_that_is_meant() {
    let mut fleet = Fleet::applied(&[MATCHES, TRAINING].concat());
    fleet.clouds.aliyun.put_config(AliyunConfig::new("theirs.example.com", "https://theirs.example.com"));
    fleet.run(&["plan", "--destroy", "--detailed-exitcode"]);
    for refused in [&[][..], &["--yes"], &["--max-deletes", "2"], &["--yes", "--max-deletes", "1"]] {
        let run = fleet.run(&[&["destroy"], refused].concat());
        assert!(matches!(run.code, Some(1 | 2)), "{refused:?}: {run:#?}");
    }
    for answer in ["y\n", "yes\n", "\n"] {
        let (code, shown) = answered(&fleet, &["destroy"], answer);
        assert_eq!(code, Some(1), "{shown}");
        assert_has(&shown, &["Type `destroy` to go on: ", "Nothing was changed."]);
    }
    assert_eq!(fleet.clouds.configs().len(), 3);
    let (code, shown) = answered(&fleet, &["destroy", "--target", "matches"], "destroy\n");
    assert_eq!(code, Some(0), "{shown}");
    fleet.run(&["destroy", "--yes", "--max-deletes", "1", "--output", "json"]);
    fleet.tell_clouds();
    fleet.run(&["destroy", "--yes", "--max-deletes", "1"]);
    fleet.is("removal_of_everything");
}

#[test]
fn a_saved_plan_is_done_as_it_was_shown_or_not_at_all() {
    let mut fleet = Fleet::applied(MATCHES);
    let save = ["plan", "--out", "saved.plan"];
    fleet.clouds.declare(&[MATCHES, TRAINING].concat());
    fleet.run(&save);
    let saved = fleet.read("saved.plan");
    fleet.program.assert_secret(&saved);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(fleet.path("saved.plan")).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    for taken in ["fleet.toml", STATE] {
        assert_eq!(fleet.run(&["plan", "--out", taken]).code, Some(1));
    }
    let refused = |fleet: &mut Fleet, what: &str| {
        let run = fleet.run(&["apply", "saved.plan"]);
        assert_eq!(run.code, Some(1), "{run:#?}");
        assert_has(&run.stderr, &[&format!("since the plan was saved, {what} changed: nothing was done")]);
        assert_eq!(fleet.clouds.configs().len(), 1);
    };
    fleet.edit("cb.example.com/training", "cb.example.com/training2");
    refused(&mut fleet, "the manifest");
    fleet.edit("cb.example.com/training2", "cb.example.com/training");
    let ours = fleet.clouds.aliyun.config("live.example.com").expect("a config");
    fleet.take_over();
    refused(&mut fleet, "what provider `ali` has");
    fleet.clouds.aliyun.put_config(ours);
    let program = fleet.program.clone();
    fleet.program = program.clone().secret("CALLBACK_KEY", "An0therK3yAn0therK3yAn0therK3yAn");
    refused(&mut fleet, "a signing key");
    fleet.program = program;
    let state = fleet.read(STATE);
    fleet.lose_state();
    refused(&mut fleet, "the state");
    fleet.lose_state();
    fleet.write(STATE, &state);
    // A file that is no plan, or is not as it was written.
    let tampered = |from: &str, to: &str| saved.replacen(from, to, 1);
    for text in [
        String::new(),
        "{}".to_owned(),
        "null".to_owned(),
        tampered("\"version\": 1", "\"version\": 2"),
        tampered("\"version\": 1", "\"version\": 1, \"more\": 1"),
        tampered("\"create\"", "\"update\""),
        tampered("\"destroys\": false", "\"destroys\": true"),
    ] {
        fleet.write("saved.plan", &text);
        let run = fleet.program.run(&["apply", "saved.plan"]);
        assert_eq!(run.code, Some(1), "{text}: {run:#?}");
        assert_eq!(fleet.clouds.configs().len(), 1);
    }
    fleet.write("saved.plan", &saved);
    fleet.run(&["apply", "saved.plan"]);
    assert_eq!(fleet.clouds.configs().len(), 2);
    refused_again(&mut fleet);
    fleet.is("saved_plan");
}

/// A plan that was carried out is not carried out again.
fn refused_again(fleet: &mut Fleet) {
    let run = fleet.run(&["apply", "saved.plan"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert_has(&run.stderr, &["the state, what provider `hw` has changed"]);
}

#[test]
fn a_saved_plan_that_deletes_much_still_takes_leave() {
    let mut fleet = Fleet::applied(&[MATCHES, TRAINING].concat());
    fleet.program.run(&["plan", "--destroy", "--out", "saved.plan"]);
    assert_eq!(fleet.run(&["apply", "saved.plan", "--yes"]).code, Some(1));
    assert_eq!(fleet.clouds.configs().len(), 2);
    fleet.run(&["apply", "saved.plan", "--max-deletes", "2"]);
    assert!(fleet.clouds.configs().is_empty());
}

#[test]
fn a_signal_begins_no_write_that_waits_for_the_quota() {
    const COUNT: usize = 60;
    let fleet = Fleet::of(&many(COUNT));
    // Two calls a second, so that nearly all of them wait.
    fleet.edit("calls_per_minute = 6000000", "calls_per_minute = 120");
    let mut apply = fleet.spawn(&["apply", "--yes"]);
    super::eventually("a config", || !fleet.clouds.configs().is_empty());
    apply.signal("INT");
    let note = apply.complaint();
    let there = fleet.clouds.configs().len();
    assert!(note.starts_with("Interrupted: "), "{note}");
    let ended = apply.end();
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    // What was on its way when the signal came, and no more.
    let created = fleet.clouds.configs().len();
    assert!(created <= there + 1, "{there}, then {created}");
    let report = ended.stdout.join("\n");
    let left = COUNT - created;
    assert_has(&report, &[&format!("Applied: {created} created,"), &format!("0 failed, {left} unfinished.")]);
    assert_eq!(fleet.noted_and_there().len(), created);
}

#[test]
fn a_provider_may_lose_what_moves_to_another() {
    let mut fleet = Fleet::applied(MATCHES);
    fleet.edit("provider = \"ali\"\ndomain = { ali", "provider = \"hw\"\ndomain = { ali");
    assert_eq!(fleet.run(&["apply", "--yes", "--max-deletes", "0"]).code, Some(0));
    assert_eq!(fleet.clouds.configs().len(), 1);
}
