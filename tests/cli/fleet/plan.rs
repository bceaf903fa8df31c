//! `record-callback plan`

use record_callback_mock::AliyunConfig;

use super::{Fleet, MATCHES, TRAINING};

/// One of every kind that can be told before anything is applied.
const FIRST: &str = r#"
[[callbacks]]
name = "dropped"
provider = "hw"
domain = "dropped.example.com"
notify_url = "https://cb.example.com/dropped?token=hush"
on_demand_url = "https://cb.example.com/on-demand"
events = ["recording_paused", "file_completed"]
signing = { scheme = "disabled" }
fidelity = "best-effort"

[[callbacks]]
name = "grouped"
provider = "ali"
domain = "grouped.example.com"
notify_url = "https://cb.example.com/grouped"
events = ["recording_started", "file_completed"]
fidelity = "widen"

[[callbacks]]
name = "unsupported"
provider = "ali"
domain = "unsupported.example.com"
app = "sports"
notify_url = "https://cb.example.com/unsupported"

[[callbacks]]
name = "without-a-key"
provider = "ali"
domain = "unsigned.example.com"
notify_url = "https://cb.example.com/unsigned"
signing = { scheme = "md5", key = { env = "NOT_SET" } }

[[callbacks]]
name = "taken"
provider = "ali"
domain = "taken.example.com"
notify_url = "https://cb.example.com/taken"
"#;

#[test]
fn what_is_new_and_what_is_in_the_way() {
    let mut fleet = Fleet::of(&[MATCHES, TRAINING, FIRST].concat());
    fleet
        .clouds
        .aliyun
        .put_config(AliyunConfig::new("taken.example.com", "https://other.example.com/theirs?token=hush"));
    fleet.run(&["plan"]);
    fleet.run(&["plan", "--target", "taken", "--target", "matches", "--output", "json"]);
    fleet.is("plan_of_new_callbacks");
}

#[test]
fn what_differs_moves_and_goes() {
    let more = r#"
[[callbacks]]
name = "gone"
provider = "hw"
domain = "gone.example.com"
notify_url = "https://cb.example.com/gone"

[[callbacks]]
name = "queried"
provider = "ali"
domain = "queried.example.com"
notify_url = "https://cb.example.com/queried?token=one"

[[callbacks]]
name = "renamed"
provider = "ali"
domain = "renamed.example.com"
notify_url = "https://cb.example.com/renamed"
"#;
    let mut fleet = Fleet::applied(&[MATCHES, TRAINING, more].concat());
    fleet.run(&["plan"]);
    fleet.run(&["plan", "--detailed-exitcode", "--output", "json"]);
    fleet.edit(
        "\"gone\"\nprovider = \"hw\"\ndomain = \"gone.example.com\"",
        "\"back\"\nprovider = \"hw\"\ndomain = \"back.example.com\"",
    );
    fleet.edit("token=one", "token=two");
    fleet.edit("\"renamed\"", "\"another-name\"");
    fleet.edit("provider = \"ali\"\ndomain = { ali", "provider = \"hw\"\ndomain = { ali");
    fleet.edit("cb.example.com/training", "new.example.com/training");
    fleet.edit("app = \"sports\"", "events = [\"recording_ended\"]\napp = \"sports\"");
    fleet.run(&["plan", "--detailed-exitcode"]);
    fleet.run(&["plan", "--target", "matches", "--target", "gone", "--output", "json"]);
    fleet.tell_clouds();
    fleet.is("plan_of_changes");
}

#[test]
fn another_signing_key_is_a_change_where_it_is_seen_and_where_it_is_not() {
    let mut fleet = Fleet::applied(&[MATCHES, TRAINING].concat());
    let program = fleet.program.clone().secret("CALLBACK_KEY", "An0therK3yAn0therK3yAn0therK3yAn");
    fleet.run_as(&program, &["plan"]);
    fleet.run_as(&program, &["apply", "--yes", "--parallel", "1"]);
    fleet.tell_clouds();
    fleet.is("plan_of_another_key");
}

#[test]
fn without_its_state_nothing_is_deleted() {
    let mut fleet = Fleet::applied(&[MATCHES, TRAINING].concat());
    fleet.lose_state();
    fleet.clouds.declare(MATCHES);
    fleet.run(&["plan"]);
    fleet.edit("cb.example.com/matches", "new.example.com/matches");
    fleet.run(&["plan"]);
    fleet.run(&["apply", "--yes"]);
    fleet.tell_clouds();
    fleet.is("plan_without_state");
}

#[test]
fn detailed_exit_codes_are_0_2_and_1() {
    let mut fleet = Fleet::of(TRAINING);
    let code =
        |fleet: &mut Fleet, more: &[&str]| fleet.run(&[&["plan", "--detailed-exitcode"], more].concat()).code;
    assert_eq!(code(&mut fleet, &[]), Some(2));
    fleet.program.run(&["apply", "--yes"]).done();
    assert_eq!(code(&mut fleet, &[]), Some(0));
    let program = fleet.program.clone().secret("HUAWEICLOUD_SDK_SK", "n0tTheSecret");
    assert_eq!(fleet.run_as(&program, &["plan", "--detailed-exitcode"]).code, Some(1));
    for wrong in [&["--target", "nobody"][..], &["--manifest", "missing.toml"], &["--unknown"]] {
        assert_eq!(code(&mut fleet, wrong), Some(1), "{wrong:?}");
        let plain = fleet.run(&[&["plan"], wrong].concat());
        assert_eq!(plain.code, Some(2), "{wrong:?}");
    }
    fleet.is("plan_exit_codes");
}

#[test]
fn a_provider_that_is_not_declared_any_more_keeps_its_configs() {
    let only =
        MATCHES.replace("{ ali = \"live.example.com\", hw = \"push.example.com\" }", "\"live.example.com\"");
    let mut fleet = Fleet::applied(&[&only, TRAINING].concat());
    fleet.clouds.declare(&only);
    let text = fleet.read("fleet.toml");
    let (before, after) = (text.find("[providers.hw]"), text.find("[defaults]"));
    let (before, after) = (before.expect("a provider"), after.expect("defaults"));
    let text = [&text[..before], &text[after..]].concat();
    fleet.write("fleet.toml", &text.replace("{ ali = \"md5\", hw = \"hmac_sha256\" }", "\"md5\""));
    fleet.run(&["plan"]);
    fleet.run(&["drift"]);
    fleet.run(&["status"]);
    fleet.run(&["apply", "--yes"]);
    fleet.tell_clouds();
    fleet.is("plan_without_a_provider");
}
