//! What a vendor cannot do: refused, widened or dropped, as the caller allows.

use serde_json::{Value, json};

use crate::clouds::Clouds;
use crate::program::{Program, Run, assert_has};

const DOMAIN: &str = "live.example.com";
const KEY: &str = "F1delityF1delityF1delityF1delity";

/// One status event brings all of them, and completed files, on Aliyun.
const STATUS_EVENT: [&str; 2] = ["--event", "recording_failed"];
const ALL_EVENTS: [&str; 6] = [
    "recording_started",
    "recording_paused",
    "recording_resumed",
    "recording_failed",
    "file_completed",
    "transcode_failed",
];
/// Aliyun has MD5 only.
const HMAC: [&str; 4] = ["--sign", "hmac-sha256", "--key-env", "SIGNING_KEY"];

const EVENTS_WIDENED: &str = "events widened: asked for recording_failed, gets recording_started, recording_paused, \
    recording_resumed, file_completed, transcode_failed as well";
const SIGNING_DROPPED: &str = "signing dropped: asked for hmac_sha256, gets md5";

fn put(program: &Program, options: &[&[&str]]) -> Run {
    let put: &[&str] = &["put", "--domain", DOMAIN, "--notify-url", "https://cb.example.com"];
    let arguments = [&[put], options].concat().concat();
    program.clone().secret("SIGNING_KEY", KEY).run(&arguments)
}

fn events_widened() -> Value {
    json!({
        "field": "events",
        "requested": "recording_failed",
        "effective":
            "recording_started, recording_paused, recording_resumed, file_completed, transcode_failed as well",
        "kind": "widened",
    })
}

fn signing_dropped() -> Value {
    json!({ "field": "signing", "requested": "hmac_sha256", "effective": "md5", "kind": "dropped" })
}

#[test]
fn by_default_every_deviation_is_named_and_nothing_is_stored() {
    let clouds = Clouds::start();
    for (options, deviations) in [
        (&[&STATUS_EVENT[..]][..], &[EVENTS_WIDENED][..]),
        (&[&HMAC[..]], &[SIGNING_DROPPED]),
        (&[&STATUS_EVENT[..], &HMAC], &[EVENTS_WIDENED, SIGNING_DROPPED]),
        (&[&STATUS_EVENT[..], &["--fidelity", "exact"]], &[EVENTS_WIDENED]),
    ] {
        let refused = put(&clouds.aliyun(), options);
        let stderr = refused.failed_with_hint(4);
        assert_has(stderr, deviations);
        assert_has(stderr, &["error: aliyun live.example.com: ", "(fidelity is exact)", "(unsupported)"]);
    }
    assert!(clouds.aliyun.configs().is_empty());
}

#[test]
fn widen_takes_more_events_and_lists_them() {
    let clouds = Clouds::start();
    let widen: &[&[&str]] = &[&STATUS_EVENT, &["--fidelity", "widen"]];
    let text = put(&clouds.aliyun(), widen);
    assert_has(text.done(), &[&format!("deviation      {EVENTS_WIDENED}\n"), &ALL_EVENTS.join(", ")]);
    let clouds = Clouds::start();
    let report = put(&clouds.aliyun().options(&["--output", "json"]), widen).json();
    assert_eq!(report["deviations"], json!([events_widened()]));
    assert_eq!(report["after"]["events"], json!(ALL_EVENTS));
    assert!(clouds.aliyun.config(DOMAIN).is_some_and(|config| config.need_status_notify));
}

#[test]
fn widen_accepts_no_loss() {
    let clouds = Clouds::start();
    let refused = put(&clouds.aliyun(), &[&STATUS_EVENT, &HMAC, &["--fidelity", "widen"]]);
    let stderr = refused.failed_with_hint(4);
    assert_has(stderr, &[SIGNING_DROPPED, "(fidelity is widen)"]);
    assert!(!stderr.contains(EVENTS_WIDENED), "what is accepted is no reason to refuse: {stderr}");
    assert!(clouds.aliyun.configs().is_empty());
}

#[test]
fn best_effort_stores_what_there_is_and_lists_what_is_lost() {
    let clouds = Clouds::start();
    let best: &[&[&str]] = &[&STATUS_EVENT, &HMAC, &["--fidelity", "best-effort"]];
    let text = put(&clouds.aliyun(), best);
    let lines = [EVENTS_WIDENED, SIGNING_DROPPED].map(|deviation| format!("deviation      {deviation}\n"));
    assert_has(text.done(), &[&lines[0], &lines[1]]);
    let clouds = Clouds::start();
    let report = put(&clouds.aliyun().options(&["--output", "json"]), best).json();
    assert_eq!(report["deviations"], json!([events_widened(), signing_dropped()]));
    // Another signature, but never none.
    assert_eq!(report["after"]["signing"], json!({ "scheme": "md5", "key": "known" }));
    assert_eq!(clouds.aliyun.config(DOMAIN).and_then(|config| config.notify_auth_key).as_deref(), Some(KEY));
}

#[test]
fn best_effort_needs_at_least_one_event_that_is_delivered() {
    let clouds = Clouds::start();
    let lost = ["--event", "recording_paused"];
    let refused = put(&clouds.huaweicloud(), &[&lost, &["--fidelity", "best-effort"]]);
    assert_has(refused.failed_with_hint(4), &["events: none of recording_paused is delivered here"]);
    assert!(clouds.huaweicloud.configs().is_empty());
    let some: &[&[&str]] = &[&lost, &["--event", "recording_ended"], &["--fidelity", "best-effort"]];
    let report = put(&clouds.huaweicloud().options(&["--output", "json"]), some).json();
    assert_eq!(report["after"]["events"], json!(["recording_ended"]));
    assert_eq!(report["deviations"][0]["requested"], "recording_paused");
}

#[test]
fn a_named_app_on_aliyun_is_refused_by_every_command_and_every_fidelity() {
    let clouds = Clouds::start();
    let named = ["--domain", DOMAIN, "--app", "live"];
    let put = ["--notify-url", "https://cb.example.com"];
    for arguments in [
        [&["get"], &named[..]].concat(),
        [&["delete"], &named[..]].concat(),
        [&["put"], &named[..], &put].concat(),
        [&["put"], &named[..], &put, &["--fidelity", "widen"]].concat(),
        [&["put"], &named[..], &put, &["--fidelity", "best-effort"]].concat(),
    ] {
        let refused = clouds.aliyun().run(&arguments);
        let message = "app: `live` cannot have a config of its own here; only `*` can";
        assert_has(refused.failed_with_hint(4), &["error: aliyun live.example.com: ", message]);
    }
    clouds.assert_untouched();
}
