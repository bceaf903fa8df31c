//! put and delete where there is something to lose: what is kept, what is shown, and who is asked.

use record_callback_mock::AliyunConfig;
use serde_json::{Value, json};

use crate::clouds::Clouds;
use crate::program::{Program, Run, assert_has};
use crate::terminal::answering;

const DOMAIN: [&str; 2] = ["--domain", "live.example.com"];
const URL: [&str; 2] = ["--notify-url", "https://cb.example.com/n"];
const OTHER_URL: [&str; 2] = ["--notify-url", "https://cb.example.com/new?token=an0therT0ken"];
const KEY: &str = "Ed1tKeyEd1tKeyEd1tKeyEd1tKeyEd1t";
const SIGN: [&str; 4] = ["--sign", "md5", "--key-env", "SIGNING_KEY"];
const WIDEN: [&str; 2] = ["--fidelity", "widen"];

fn put(program: &Program, options: &[&[&str]]) -> Run {
    program.run(&[&["put"], &DOMAIN[..], &options.concat()].concat())
}

fn get(program: &Program) -> Value {
    program.run(&[&["get"], &DOMAIN[..], &["--output", "json"]].concat()).json()
}

/// The program, whose runs may not show the key.
fn quiet(program: Program) -> Program {
    program.secret("SIGNING_KEY", KEY)
}

/// Aliyun with a signed config that has an on-demand URL.
fn signed(clouds: &Clouds) -> Program {
    let program = quiet(clouds.aliyun());
    let created = put(&program, &[&URL, &["--on-demand-url", "https://cb.example.com/ask"], &SIGN]);
    assert_has(created.done(), &["+ create aliyun live.example.com/*\n", "created live.example.com/*\n"]);
    program
}

fn stored(clouds: &Clouds) -> AliyunConfig {
    clouds.aliyun.config(DOMAIN[1]).expect("a config")
}

#[test]
fn one_more_event_keeps_the_key_the_url_and_the_events() {
    let clouds = Clouds::start();
    let program = signed(&clouds);
    put(&program, &[&["--event", "recording_failed"], &WIDEN]).done();
    let config = stored(&clouds);
    assert!(config.need_status_notify);
    assert_eq!(config.notify_auth_key.as_deref(), Some(KEY));
    assert_eq!(config.notify_url, URL[1]);
    assert_eq!(config.on_demand_url.as_deref(), Some("https://cb.example.com/ask"));
    let shown = get(&program);
    assert_eq!(shown["signing"], json!({ "scheme": "md5", "key": "known" }));
    assert_eq!(shown["events"].as_array().map(Vec::len), Some(6));

    // The same again is nothing to do, and no call that writes.
    let writes = || clouds.aliyun.requests().iter().filter(|one| one.query().contains("Update")).count();
    let before = writes();
    let again = put(&program, &[&["--event", "recording_failed"], &URL, &SIGN]);
    assert_eq!(again.done(), "unchanged live.example.com/*\n");
    assert_eq!(writes(), before);
}

#[test]
fn what_is_named_is_dropped_and_nothing_else() {
    let clouds = Clouds::start();
    let program = signed(&clouds);
    put(&program, &[&["--event", "recording_failed"], &WIDEN]).done();
    put(&program, &[&["--no-on-demand-url", "--yes"]]).done();
    assert_eq!(get(&program)["on_demand_url"], Value::Null);
    let events = ["recording_started", "recording_paused", "recording_resumed", "recording_failed"];
    let dropped: Vec<&str> =
        events.iter().chain(&["transcode_failed"]).flat_map(|event| ["--no-event", event]).collect();
    put(&program, &[&dropped, &["--yes"]]).done();
    assert_eq!(get(&program)["events"], json!(["file_completed"]));
    assert_eq!(stored(&clouds).notify_auth_key.as_deref(), Some(KEY));
    put(&program, &[&["--unsigned", "--yes"]]).done();
    assert_eq!(get(&program)["signing"]["scheme"], "disabled");
    assert_eq!(get(&program)["notify_url"], URL[1]);
}

#[test]
fn a_hidden_key_is_given_again_or_given_up() {
    let clouds = Clouds::start();
    let program = quiet(clouds.huaweicloud());
    put(&program, &[&URL, &SIGN]).done();
    let key = || clouds.huaweicloud.config(DOMAIN[1], "*").expect("a config").key;
    let requests = clouds.huaweicloud.requests().len();
    let refused = put(&program, &[&["--event", "recording_ended", "--yes"]]);
    let ways = ["nothing was changed", "`--sign SCHEME --key-env NAME`", "`--unsigned`"];
    assert_has(refused.failed_with_hint(2), &ways);
    assert!(clouds.huaweicloud.requests()[requests..].iter().all(|one| one.method() == "GET"));

    put(&program, &[&["--event", "recording_ended", "--yes"], &SIGN]).done();
    assert_eq!(key().as_deref(), Some(KEY));
    assert_eq!(get(&program)["events"], json!(["recording_ended", "file_completed"]));
    put(&program, &[&["--unsigned", "--yes"]]).done();
    assert_eq!(key(), None);
    assert_eq!(get(&program)["events"], json!(["recording_ended", "file_completed"]));
}

#[test]
fn a_new_config_needs_a_url() {
    let clouds = Clouds::start();
    for program in [clouds.aliyun(), clouds.huaweicloud()] {
        let refused = put(&program, &[&["--event", "recording_failed"]]);
        assert_has(
            refused.failed_with_hint(2),
            &["there is no config for live.example.com/*", "--notify-url"],
        );
    }
    assert!(clouds.aliyun.configs().is_empty() && clouds.huaweicloud.configs().is_empty());
}

#[test]
fn where_nobody_can_be_asked_only_additions_go_ahead() {
    let clouds = Clouds::start();
    let program = signed(&clouds);
    for change in [&OTHER_URL[..], &["--no-on-demand-url"], &["--unsigned"], &["--on-demand-url", URL[1]]] {
        let refused = put(&program, &[change]);
        assert_eq!(refused.code, Some(2), "{refused:#?}");
        assert_has(&refused.stdout, &["~ update aliyun live.example.com/*\n", "\n  - "]);
        assert_has(&refused.stderr, &["error: this changes what is there", "hint: ", "--yes"]);
    }
    let refused = program.run(&[&["delete"], &DOMAIN[..]].concat());
    assert_eq!(refused.code, Some(2), "{refused:#?}");
    assert_has(
        &refused.stdout,
        &["- delete aliyun live.example.com/*\n  - notify url    https://cb.example.com/n\n"],
    );
    let config = stored(&clouds);
    assert_eq!((config.notify_url.as_str(), config.notify_auth_key.as_deref()), (URL[1], Some(KEY)));
}

#[test]
fn a_dry_run_shows_and_does_nothing() {
    let clouds = Clouds::start();
    let program = signed(&clouds);
    let before = get(&program);
    let shown = put(&program, &[&OTHER_URL, &["--unsigned", "--dry-run"]]);
    let lines = [
        "  - notify url    https://cb.example.com/n\n  + notify url    https://cb.example.com/new?…\n",
        "    events        file_completed\n",
        "  - signing       md5 (key known)\n  + signing       disabled\n",
    ];
    assert_has(shown.done(), &lines);
    let report =
        put(&program, &[&["--event", "recording_paused", "--dry-run", "--output", "json"], &WIDEN]).json();
    assert_eq!((&report["action"], &report["dry_run"]), (&json!("updated"), &json!(true)));
    assert_eq!((&report["before"], &report["after"]["signing"]), (&before, &before["signing"]));
    assert_eq!(report["after"]["events"].as_array().map(Vec::len), Some(6));
    assert_eq!(report["deviations"][0]["kind"], "widened");
    let deleted = [&["delete"], &DOMAIN[..], &["--dry-run"]].concat();
    assert_has(program.run(&deleted).done(), &["- delete aliyun", "  - signing       md5 (key known)\n"]);
    let report = program.run(&[&deleted[..], &["--output", "json"]].concat()).json();
    assert_eq!((&report["dry_run"], &report["before"]), (&json!(true), &before));
    assert_eq!(get(&program), before);
}

#[test]
fn a_person_is_asked_and_sees_colours() {
    let clouds = Clouds::start();
    let program = signed(&clouds);
    let change = [&["put"], &DOMAIN[..], &OTHER_URL].concat();
    let (code, seen) = answering(&program, &change, "", || ());
    assert_eq!(code, Some(1), "{seen}");
    assert!(!seen.contains("an0therT0ken"), "{seen}");
    assert_has(
        &seen,
        &["\u{1b}[31m  - notify url    https://cb.example.com/n\u{1b}[0m", "Nothing was changed."],
    );
    let (code, seen) = answering(&program.clone().var("NO_COLOR", "1"), &change, "no", || ());
    assert_eq!((code, seen.contains('\u{1b}')), (Some(1), false), "{seen}");
    assert_eq!(stored(&clouds).notify_url, URL[1]);

    let (code, seen) = answering(&program, &change, "y", || ());
    assert_eq!(code, Some(0), "{seen}");
    assert_eq!(stored(&clouds).notify_url, OTHER_URL[1]);
    assert_eq!(stored(&clouds).notify_auth_key.as_deref(), Some(KEY));
    let (code, seen) = answering(&program, &[&["delete"], &DOMAIN[..]].concat(), "yes", || ());
    assert_eq!(code, Some(0), "{seen}");
    assert!(clouds.aliyun.configs().is_empty());
}

#[test]
fn what_changes_while_a_person_thinks_is_not_overwritten() {
    let clouds = Clouds::start();
    let program = signed(&clouds);
    let other = || {
        put(&program, &[&["--event", "recording_failed"], &WIDEN]).done();
    };
    let (code, seen) = answering(&program, &[&["put"], &DOMAIN[..], &OTHER_URL].concat(), "y", other);
    assert_eq!(code, Some(1), "{seen}");
    assert_has(&seen, &["live.example.com/* was changed by somebody else since it was shown"]);
    assert_eq!(stored(&clouds).notify_url, URL[1]);
    let unsign = || {
        put(&program, &[&["--unsigned", "--yes"]]).done();
    };
    let (code, seen) = answering(&program, &[&["delete"], &DOMAIN[..]].concat(), "y", unsign);
    assert_eq!(code, Some(1), "{seen}");
    assert_eq!(clouds.aliyun.configs().len(), 1);
}
