//! `record-callback import`

use std::fs;
use std::os::unix::fs::PermissionsExt;

use record_callback_mock::{AliyunConfig, HuaweicloudConfig};
use record_callback_tests::CALLBACK_KEY;
use serde_json::Value;

use super::{Fleet, MATCHES, STATE, TRAINING};

const OTHER_KEY: &str = "0therK3y0therK3y0therK3y0therK3y";

fn aliyun(domain: &str, key: Option<&str>) -> AliyunConfig {
    AliyunConfig {
        notify_req_auth: key.is_some(),
        notify_auth_key: key.map(str::to_owned),
        ..AliyunConfig::new(domain, format!("https://cb.example.com/{domain}"))
    }
}

fn huaweicloud(domain: &str, app: &str, key: Option<&str>) -> HuaweicloudConfig {
    HuaweicloudConfig {
        notify_callback_url: Some(format!("https://cb.example.com/{domain}")),
        key: key.map(str::to_owned),
        ..HuaweicloudConfig::new(domain, app)
    }
}

/// Clouds that somebody has configured, and a manifest with two of these callbacks.
fn configured() -> Fleet {
    let mut fleet = Fleet::of(&[MATCHES, TRAINING].concat());
    fleet.program = fleet.program.secret("OTHER_KEY", OTHER_KEY);
    let matches = AliyunConfig {
        notify_url: "https://cb.example.com/matches".to_owned(),
        ..aliyun("live.example.com", Some(CALLBACK_KEY))
    };
    let on_demand = AliyunConfig {
        on_demand_url: Some("https://cb.example.com/on-demand?token=1".to_owned()),
        need_status_notify: true,
        ..aliyun("on-demand.example.com", None)
    };
    for config in [matches, on_demand, aliyun("signed.example.com", Some(OTHER_KEY))] {
        fleet.clouds.aliyun.put_config(config);
    }
    let training = HuaweicloudConfig {
        notify_callback_url: Some("https://old.example.com/training".to_owned()),
        ..huaweicloud("training.example.com", "sports", Some(CALLBACK_KEY))
    };
    for config in [
        training,
        huaweicloud("hidden.example.com", "*", Some(OTHER_KEY)),
        huaweicloud("hidden.example.com", "news", Some(OTHER_KEY)),
    ] {
        fleet.clouds.huaweicloud.put_config(config);
    }
    fleet
}

#[test]
fn what_is_declared_is_adopted_and_what_is_not_is_added() {
    let mut fleet = configured();
    let configs = fleet.clouds.configs();
    let manifest = fleet.read("fleet.toml");
    fleet.run(&["import", "--dry-run", "--key-directory", "keys"]);
    assert_eq!(fleet.read("fleet.toml"), manifest);
    assert!(!fleet.path(STATE).exists() && !fleet.path("keys").exists());

    fleet.run(&["import"]);
    fleet.run(&["import", "--provider", "ali", "--key-directory", "keys"]);
    fleet.run(&["import", "--provider", "hw", "--key-env", "OTHER_KEY", "--output", "json"]);
    fleet.tell_callbacks();
    fleet.run(&["status"]);
    assert_eq!(fleet.clouds.configs(), configs, "it only reads");

    let key = fleet.path("keys/signed.example.com.key");
    assert_eq!(fs::read_to_string(&key).expect("a key"), format!("{OTHER_KEY}\n"));
    assert_eq!(fs::metadata(&key).expect("a key").permissions().mode() & 0o777, 0o600);

    let written = (fleet.read("fleet.toml"), fleet.read(STATE));
    fleet.run(&["import", "--key-directory", "keys", "--key-env", "OTHER_KEY"]);
    assert_eq!((fleet.read("fleet.toml"), fleet.read(STATE)), written);
    // The declared one that was another in the cloud is all there is to do.
    fleet.run(&["plan", "--detailed-exitcode"]);
    fleet.program.run(&["apply", "--yes"]).done();
    assert_eq!(fleet.run(&["plan", "--detailed-exitcode"]).code, Some(0));
    fleet.is("import");
}

#[test]
fn hidden_keys_can_be_none_and_what_is_taken_can_be_chosen() {
    let mut fleet = configured();
    for config in fleet.clouds.huaweicloud.configs() {
        fleet.clouds.huaweicloud.put_config(HuaweicloudConfig { key: None, ..config });
    }
    fleet.run(&["import", "--domain", "hidden.example.com", "--hidden-is-unsigned"]);
    fleet.run(&["import", "--domain", "on-demand.example.com"]);
    fleet.tell_callbacks();
    fleet.run(&[
        "plan",
        "--target",
        "hidden.example.com",
        "--target",
        "hidden.example.com/news",
        "--target",
        "on-demand.example.com",
        "--detailed-exitcode",
    ]);
    fleet.is("import_of_unsigned");
}

#[test]
fn an_empty_manifest_in_json_is_filled() {
    let mut fleet = configured();
    fleet.clouds.declare("");
    let manifest: Value = toml::from_str(&fleet.read("fleet.toml")).expect("TOML");
    fleet.write("fleet.json", &format!("{manifest:#}\n"));
    // In the place of the keys that Huawei Cloud hides.
    fleet.write("other.key", &format!("{OTHER_KEY}\n"));
    let import = ["import", "--manifest", "fleet.json", "--key-file", "other.key", "--key-directory", "."];
    fleet.run(&import);
    let text = fleet.read("fleet.json");
    fleet.tell(&format!("--- fleet.json\n{text}"));
    let state = fleet.read(STATE);
    fleet.run(&import);
    assert_eq!((fleet.read("fleet.json"), fleet.read(STATE)), (text, state));
    fleet.run(&["plan", "--manifest", "fleet.json", "--detailed-exitcode"]);
    assert_eq!(
        fs::read_to_string(fleet.path("live.example.com.key")).expect("a key"),
        format!("{CALLBACK_KEY}\n")
    );
    fleet.is("import_into_json");
}

#[test]
fn what_cannot_be_imported_is_a_failure_and_nothing_is_written() {
    let mut fleet = configured();
    let manifest = fleet.read("fleet.toml");
    for (arguments, code) in [
        (&["import", "--provider", "nowhere"][..], 2),
        (&["import", "--key-env", "NOT_SET"], 2),
        (&["import", "--key-file", "missing.key"], 2),
        (&["import", "--key-env", "OTHER_KEY", "--key-file", "other.key"], 2),
        (&["import", "--manifest", "missing.toml"], 2),
    ] {
        assert_eq!(fleet.run(arguments).code, Some(code), "{arguments:?}");
    }
    // A file of somebody else's is in the place of a key.
    fs::create_dir(fleet.path("keys")).expect("a writable directory");
    fleet.write("keys/signed.example.com.key", "another");
    fleet.run(&["import", "--key-directory", "keys"]);
    assert_eq!(fleet.read("keys/signed.example.com.key"), "another");
    let program = fleet.program.clone().secret("HUAWEICLOUD_SDK_SK", "n0tTheSecret");
    fleet.run_as(&program, &["import"]);
    assert_eq!(fleet.read("fleet.toml"), manifest);
    let (_, state) = fleet.hold();
    assert!(state.entries.is_empty(), "{state:?}");
    fleet.is("import_failures");
}
