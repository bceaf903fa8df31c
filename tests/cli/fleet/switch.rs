//! `record-callback switch`

use record_callback_mock::HuaweicloudConfig;
use serde_json::Value;

use super::{Fleet, MATCHES, TRAINING, eventually};
use crate::program::Program;
use crate::receive::{KEY, SIGNED, SQLITE, Setup};

/// Another that can be on either cloud.
const FINALS: &str = r#"
[[callbacks]]
name = "finals"
provider = "ali"    # for now
domain = { ali = "finals.example.com", hw = "push-finals.example.com" }
notify_url = "https://cb.example.com/finals"
"#;
/// Two apps of one domain, which Aliyun has one place for.
const APPS: &str = r#"
[[callbacks]]
name = "news"
provider = "hw"
domain = { ali = "live.example.com", hw = "push.example.com" }
app = "news"
notify_url = "https://cb.example.com/news"

[[callbacks]]
name = "sports"
provider = "hw"
domain = { ali = "live.example.com", hw = "push.example.com" }
app = "sports"
notify_url = "https://cb.example.com/sports"
"#;
const TO_HW: [&str; 5] = ["switch", "--all", "--to", "hw", "--yes"];

#[test]
fn callbacks_move_there_and_back_and_the_manifest_follows() {
    let mut fleet = Fleet::applied(&[MATCHES, FINALS].concat());
    let before = fleet.read("fleet.toml");
    fleet.run(&["switch", "matches", "--to", "hw", "--yes"]);
    fleet.tell_clouds();
    fleet.tell_callbacks();
    fleet.run(&["plan", "--detailed-exitcode"]);
    fleet.run(&["switch", "--all", "--to", "hw", "--yes"]);
    fleet.run(&["switch", "--all", "--to", "hw", "--yes", "--output", "json"]);
    fleet.run(&["switch", "matches", "finals", "--to", "ali", "--yes", "--output", "json"]);
    fleet.tell_clouds();
    assert_eq!(fleet.read("fleet.toml"), before);
    fleet.is("switch");
}

#[test]
fn a_source_stays_when_asked_and_goes_with_the_next_switch() {
    let mut fleet = Fleet::applied(&[MATCHES, FINALS].concat());
    fleet.run(&["switch", "matches", "--to", "hw", "--keep-source", "--yes"]);
    fleet.tell_clouds();
    fleet.run(&["plan", "--detailed-exitcode"]);
    fleet.run(&["apply", "--yes"]);
    fleet.run(&["drift"]);
    fleet.run(&["status"]);
    fleet.run(&["switch", "matches", "--to", "hw", "--yes"]);
    fleet.tell_clouds();
    fleet.run(&["status"]);
    fleet.is("switch_keeping_the_source");
}

#[test]
fn one_of_several_wins_the_place_there_is_room_for() {
    let mut fleet = Fleet::applied(APPS);
    fleet.run(&["switch", "--all", "--to", "ali", "--yes"]);
    fleet.run(&["switch", "news", "--to", "ali", "--yes"]);
    fleet.run(&["switch", "news", "--winner", "sports", "--to", "ali", "--yes"]);
    fleet.tell_clouds();
    fleet.run(&["switch", "--all", "--winner", "sports", "--to", "ali", "--yes"]);
    fleet.tell_clouds();
    fleet.tell_callbacks();
    fleet.run(&["plan", "--detailed-exitcode"]);
    fleet.run(&["switch", "sports", "--to", "hw", "--yes"]);
    fleet.tell_clouds();
    fleet.tell_callbacks();
    fleet.is("switch_with_a_winner");
}

#[test]
fn what_stands_against_a_switch_is_told_at_once_and_nothing_is_done() {
    let more = r#"
[[callbacks]]
name = "one-domain"
provider = "ali"
domain = "one.example.com"
notify_url = "https://cb.example.com/one"

[[callbacks]]
name = "paused"
provider = "ali"
domain = { ali = "paused.example.com", hw = "push-paused.example.com" }
events = ["recording_started", "recording_paused", "recording_resumed", "recording_failed", "file_completed", "transcode_failed"]
notify_url = "https://cb.example.com/paused"

[[callbacks]]
name = "keyless"
provider = "ali"
domain = { ali = "keyless.example.com", hw = "push-keyless.example.com" }
notify_url = "https://cb.example.com/keyless"
signing = { scheme = { ali = "disabled", hw = "md5" }, key = { env = "NOT_SET" } }
"#;
    let mut fleet = Fleet::applied(&[MATCHES, more].concat());
    let (before, configs) = (fleet.read("fleet.toml"), fleet.clouds.configs());
    fleet.run(&TO_HW);
    for (arguments, code) in [
        (&["switch", "paused", "--to", "hw", "--yes"][..], 4),
        (&["switch", "nobody", "--to", "hw", "--yes"], 2),
        (&["switch", "matches", "--to", "nowhere", "--yes"], 2),
        (&["switch", "matches", "--winner", "paused", "--to", "hw", "--yes"], 2),
        (&["switch", "matches", "--to", "hw"], 2),
        (&["switch", "--resume", "--yes"], 1),
        (&["switch", "--rollback", "--yes"], 1),
    ] {
        assert_eq!(fleet.run(arguments).code, Some(code), "{arguments:?}");
    }
    // What somebody else has put there is not written over.
    let mut theirs = HuaweicloudConfig::new("push.example.com", "*");
    theirs.notify_callback_url = Some("https://other.example.com/theirs".to_owned());
    let id = theirs.id.clone();
    fleet.clouds.huaweicloud.put_config(theirs);
    fleet.run(&["switch", "matches", "--to", "hw", "--yes"]);
    fleet.run(&["switch", "matches", "--to", "hw", "--yes", "--output", "json"]);
    fleet.clouds.huaweicloud.remove_config(&id);
    assert_eq!((fleet.read("fleet.toml"), fleet.clouds.configs()), (before, configs));
    fleet.is("switch_refused");
}

#[test]
fn command_lines_that_cannot_be_are_refused() {
    let mut fleet = Fleet::of(MATCHES);
    for wrong in [
        &[][..],
        &["matches"],
        &["--all"],
        &["matches", "--all", "--to", "hw"],
        &["--resume", "--rollback"],
        &["--resume", "--to", "hw"],
        &["--all", "--to", "hw", "--confirm-url", "http://127.0.0.1:1/metrics"],
        &["--all", "--to", "hw", "--confirm-command", "true", "--confirm-timeout", "0"],
        &["--all", "--to", "hw", "--fidelity", "loose"],
    ] {
        assert_eq!(fleet.run(&[&["switch"], wrong].concat()).code, Some(2), "{wrong:?}");
    }
    fleet.is("switch_usage");
}

#[test]
fn what_the_target_cannot_do_is_accepted_with_a_lower_fidelity() {
    let paused = r#"
[[callbacks]]
name = "paused"
provider = "ali"
domain = { ali = "paused.example.com", hw = "push-paused.example.com" }
events = ["recording_started", "recording_paused", "recording_resumed", "recording_failed", "file_completed", "transcode_failed"]
notify_url = "https://cb.example.com/paused"
"#;
    let mut fleet = Fleet::applied(paused);
    fleet.run(&["switch", "paused", "--to", "hw", "--fidelity", "best-effort", "--yes"]);
    fleet.tell_callbacks();
    fleet.run(&["plan", "--detailed-exitcode"]);
    fleet.is("switch_with_deviations");
}

#[test]
fn a_switch_that_in_part_failed_is_gone_on_with() {
    let mut fleet = Fleet::applied(&[FINALS, MATCHES].concat());
    let command = "test $RECORD_CALLBACK_NAME = matches";
    fleet.run(&[&TO_HW[..], &["--confirm-command", command]].concat());
    fleet.tell_clouds();
    fleet.tell_callbacks();
    fleet.run(&["status"]);
    fleet.run(&["status", "--output", "json"]);
    fleet.run(&["plan"]);
    fleet.run(&["apply", "--yes"]);
    fleet.run(&TO_HW);
    fleet.run(&["switch", "--resume", "--yes", "--confirm-command", command]);
    fleet.run(&["switch", "--resume", "--yes", "--confirm-command", "echo $RECORD_CALLBACK_NAME is fine"]);
    fleet.tell_clouds();
    fleet.tell_callbacks();
    fleet.run(&["plan", "--detailed-exitcode"]);
    fleet.is("switch_resumed");
}

#[test]
fn a_switch_that_in_part_failed_is_undone() {
    let mut fleet = Fleet::applied(&[FINALS, MATCHES].concat());
    let before = (fleet.read("fleet.toml"), fleet.clouds.configs());
    fleet.run(
        &[&TO_HW[..], &["--confirm-command", "exec sleep 600", "--confirm-timeout", "1", "--output", "json"]]
            .concat(),
    );
    fleet.tell_clouds();
    fleet.run(&["switch", "--rollback"]);
    fleet.run(&["switch", "--rollback", "--yes"]);
    assert_eq!((fleet.read("fleet.toml"), fleet.clouds.configs()), before);

    let matches_only = ["--confirm-command", "test $RECORD_CALLBACK_NAME = matches"];
    assert_eq!(fleet.program.run(&[&TO_HW[..], &matches_only].concat()).code, Some(1));
    fleet.run(&["switch", "--rollback", "--yes", "--output", "json"]);
    assert_eq!((fleet.read("fleet.toml"), fleet.clouds.configs()), before);
    fleet.run(&["plan", "--detailed-exitcode"]);
    fleet.is("switch_rolled_back");
}

#[test]
fn a_command_that_confirms_knows_the_places_and_speaks_on_stderr() {
    let mut fleet = Fleet::applied(MATCHES);
    let command = "echo $RECORD_CALLBACK_NAME: $RECORD_CALLBACK_FROM to $RECORD_CALLBACK_TO_PROVIDER \
                   $RECORD_CALLBACK_TO_DOMAIN \"$RECORD_CALLBACK_TO_APP\"";
    let run = fleet.run(&[&TO_HW[..], &["--output", "json", "--confirm-command", command]].concat());
    assert_eq!(run.json()["done"], 1);
    fleet.tell_clouds();
    fleet.is("switch_confirmed_by_command");
}

#[test]
fn a_signal_while_it_waits_leaves_both_configs_and_a_switch_to_go_on_with() {
    let mut fleet = Fleet::applied(MATCHES);
    let arguments = [&TO_HW[..], &["--confirm-command", "touch waiting; exec sleep 600"]].concat();
    let switch = fleet.spawn(&arguments);
    let waiting = fleet.path("waiting");
    eventually("the confirmation", || waiting.exists());
    switch.signal("INT");
    assert_eq!(fleet.ended(&arguments, switch).code, Some(1));
    fleet.tell_clouds();
    fleet.run(&["switch", "--resume", "--yes"]);
    fleet.tell_clouds();
    fleet.is("switch_interrupted");
}

#[test]
fn an_event_that_a_receiver_kept_confirms() {
    let receiver = Setup::with(SQLITE, SIGNED);
    let receiving = receiver.start();
    let metrics = format!("http://{}/metrics", receiving.admin);
    let send = |target: &str| {
        let program = Program::default().secret("KEY", KEY);
        let sent = ["trigger", "huaweicloud", "file_completed", "--to", target, "--key-env", "KEY"];
        program.run(&sent).done();
    };
    let live = format!("http://{}/live", receiving.address);
    // What was there before confirms nothing.
    send(&live);

    let mut fleet = Fleet::applied(MATCHES);
    let by = |url: &str, source: &str| -> Vec<String> {
        let confirm = ["--confirm-url", url, "--confirm-source", source, "--confirm-timeout", "1"];
        TO_HW.iter().chain(&confirm).map(ToString::to_string).collect()
    };
    for (url, source) in
        [(&*metrics, "nobody"), ("http://127.0.0.1:1/metrics?token=hush", "live"), ("ftp://cb", "live")]
    {
        let arguments = by(url, source);
        fleet.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    }
    assert_eq!(fleet.program.run(&["plan", "--detailed-exitcode"]).code, Some(0), "nothing was begun");

    let arguments = by(&metrics, "live");
    fleet.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    fleet.tell_clouds();

    let resume = [
        "switch",
        "--resume",
        "--yes",
        "--confirm-url",
        &metrics,
        "--confirm-source",
        "live",
        "--output",
        "json",
    ];
    let calls = fleet.clouds.huaweicloud.requests().len();
    let switch = fleet.spawn(&resume);
    // It has read the counter before it asks the clouds.
    eventually("a look at the clouds", || fleet.clouds.huaweicloud.requests().len() > calls);
    assert_eq!(fleet.clouds.configs().len(), 2);
    send(&live);
    let run = fleet.ended(&resume, switch);
    let report: Value = run.json();
    assert_eq!(report["done"], 1, "{run:#?}");
    fleet.tell_clouds();
    fleet.is("switch_confirmed_by_event");
    receiver.stop(receiving);
}

#[test]
fn a_manifest_in_json_follows_too() {
    let mut fleet = Fleet::of(&[MATCHES, TRAINING].concat());
    let manifest: Value = toml::from_str(&fleet.read("fleet.toml")).expect("TOML");
    fleet.write("fleet.json", &format!("{manifest:#}\n"));
    let on_json = |arguments: &[&'static str]| [arguments, &["--manifest", "fleet.json"]].concat();
    fleet.program.run(&on_json(&["apply", "--yes"])).done();
    fleet.run(&on_json(&["switch", "matches", "--to", "hw", "--yes"]));
    let text = fleet.read("fleet.json");
    fleet.tell(&format!("--- fleet.json\n{text}"));
    fleet.run(&on_json(&["plan", "--detailed-exitcode"]));
    fleet.is("switch_in_json");
}
