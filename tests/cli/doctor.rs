//! `record-callback doctor` and `policy`.

use std::fs;

use record_callback_tests::NOBODY;
use serde_json::{Value, json};

use crate::clouds::{MockProcess, huaweicloud};
use crate::program::{Program, assert_has};

/// Of a finding: what was looked at, which of them, the verdict.
fn verdicts(diagnosis: &Value) -> Vec<[&str; 3]> {
    let findings = diagnosis["findings"].as_array().unwrap().iter();
    findings
        .map(|finding| ["check", "subject", "verdict"].map(|name| finding[name].as_str().unwrap()))
        .collect()
}

#[test]
fn the_doctor_shows_every_check_as_text_and_as_json() {
    let mock = MockProcess::start(&["--domain", "push.example.com"]);
    let program = mock.huaweicloud();
    let shown = program.run(&["doctor", "--domain", "push.example.com"]);
    let endpoint = mock.ready("/huaweicloud/endpoint");
    assert_has(
        shown.done(),
        &[
            &format!("huaweicloud {endpoint}, project"),
            "CHECK",
            "permanent access key",
            "environment variable HUAWEICLOUD_SDK_AK",
            "not denied, tried with an id no config has",
            "is an ingest domain of the project",
        ],
    );
    let json = program.run(&["doctor", "--domain", "push.example.com", "--output", "json"]).json();
    let found = verdicts(&json[0]);
    for expected in [
        ["credentials", "environment", "ok"],
        ["endpoint", endpoint, "ok"],
        ["clock", endpoint, "ok"],
        ["permission", "ListRecordCallbackConfigs", "ok"],
        ["permission", "DeleteRecordCallbackConfig", "open"],
        ["domain", "push.example.com", "ok"],
    ] {
        assert!(found.contains(&expected), "{expected:?} is missing: {found:#?}");
    }
}

/// The program with all it needs to use Huawei Cloud in the environment, and nobody outside of this machine to ask.
fn with_huaweicloud(mock: &MockProcess) -> Program {
    let variables = [
        ("HUAWEICLOUD_SDK_AK", "/huaweicloud/access_key"),
        ("HUAWEICLOUD_SDK_SK", "/huaweicloud/secret_key"),
        ("HUAWEICLOUD_SDK_PROJECT_ID", "/huaweicloud/project_id"),
        ("HUAWEICLOUD_SDK_REGION_LIVE_CN_NORTH_4", "/huaweicloud/endpoint"),
    ];
    variables
        .iter()
        .fold(alone(), |program, (name, pointer)| program.var(name, mock.ready(pointer)))
        .var("HW_REGION_NAME", "cn-north-4")
}

/// The program with nothing set up.
fn alone() -> Program {
    Program::default().var("HTTPS_PROXY", NOBODY)
}

#[test]
fn a_cloud_that_is_not_set_up_counts_only_if_it_was_asked_for() {
    let mock = MockProcess::start(&[]);
    let program = with_huaweicloud(&mock);
    let json = program.run(&["doctor", "--output", "json"]).json();
    assert_eq!([&json[0]["vendor"], &json[1]["vendor"]], ["aliyun", "huaweicloud"]);
    assert!(verdicts(&json[0]).contains(&["credentials", "all sources", "failed"]));
    assert!(verdicts(&json[1]).iter().all(|[_, _, verdict]| *verdict != "failed"), "{json:#}");
    assert_eq!(json[1]["place"], format!("huaweicloud {}", mock.ready("/huaweicloud/endpoint")));

    assert_eq!(program.run(&["doctor", "--vendor", "aliyun"]).code, Some(1));
    let nothing = alone().run(&["doctor"]);
    assert_eq!(nothing.code, Some(1));
    assert_has(&nothing.stdout, &["no credentials were found", "endpoint: is not given"]);
}

#[test]
fn a_cloud_that_is_set_up_and_broken_fails_the_run_though_the_other_is_well() {
    let mock = MockProcess::start(&[]);
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join(".aliyun/config.json");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    fs::write(&config, "{").unwrap();
    let home = home.path().to_str().unwrap();
    for (variable, value, problem) in [
        ("ALIBABA_CLOUD_CA_BUNDLE", "/nowhere/ca.pem", "/nowhere/ca.pem cannot be read"),
        ("HOME", home, ".aliyun/config.json line 1: expected"),
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", "HPUAABCDEFGH12345678", "ALIBABA_CLOUD_ACCESS_KEY_SECRET is not set"),
    ] {
        for program in [with_huaweicloud(&mock), alone()] {
            let broken = program.var(variable, value).run(&["doctor"]);
            assert_eq!(broken.code, Some(1), "{broken:#?}");
            assert_has(&broken.stdout, &[problem]);
        }
    }
    // The same the other way round: where Huawei Cloud is, is said, and is wrong.
    let program = with_huaweicloud(&mock).var("HW_REGION_NAME", "mars-1");
    let broken = program.run(&["doctor"]);
    assert_eq!(broken.code, Some(1), "{broken:#?}");
    assert_has(&broken.stdout, &["HW_REGION_NAME: `mars-1` is not a known region"]);
}

#[test]
fn a_key_that_is_refused_fails_the_run() {
    let mock = MockProcess::start(&[]);
    let project = mock.ready("/huaweicloud/project_id");
    let program = huaweicloud(mock.ready("/huaweicloud/endpoint"), "unknown", "s3cr3t-of-nobody");
    let refused = program.options(&["--project-id", project]).run(&["doctor"]);
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert_has(&refused.stdout, &["unauthenticated", "check access key"]);
}

#[test]
fn options_of_one_cloud_need_its_name() {
    let stderr = Program::default().run(&["doctor", "--region", "cn-north-4"]).failed_with_hint(2).to_owned();
    assert_has(&stderr, &["--vendor"]);
    let foreign = Program::default().run(&["doctor", "--vendor", "aliyun", "--project-id", "p"]);
    assert_has(foreign.failed_with_hint(2), &["--project-id: is given"]);
}

#[test]
fn policies_are_printed_as_the_clouds_read_them() {
    let policy = |arguments: &[&str]| -> Value {
        let run = Program::default().run(&[&["policy", "--vendor"], arguments].concat());
        serde_json::from_str(run.done()).unwrap()
    };
    let aliyun = policy(&["aliyun", "--domain", "live.example.com"]);
    assert_eq!(
        aliyun,
        json!({ "Version": "1", "Statement": [
            {
                "Effect": "Allow",
                "Action": [
                    "live:AddLiveRecordNotifyConfig",
                    "live:UpdateLiveRecordNotifyConfig",
                    "live:DeleteLiveRecordNotifyConfig",
                ],
                "Resource": ["acs:cdn:*:*:domain/live.example.com"],
            },
            {
                "Effect": "Allow",
                "Action": ["live:DescribeLiveRecordNotifyConfig", "live:DescribeLiveUserDomains"],
                "Resource": ["*"],
            },
        ] })
    );
    assert_eq!(policy(&["aliyun"])["Statement"][0]["Resource"], json!(["acs:cdn:*:*:domain/*"]));
    assert_eq!(
        policy(&["huaweicloud"]),
        json!({ "Version": "5.0", "Statement": [{
            "Effect": "Allow",
            "Action": [
                "live:record:createCallback",
                "live:record:listCallbacks",
                "live:record:getCallback",
                "live:record:updateCallback",
                "live:record:deleteCallback",
            ],
            "Resource": ["*"],
        }] })
    );
    let refused =
        Program::default().run(&["policy", "--vendor", "huaweicloud", "--domain", "push.example.com"]);
    assert_has(refused.failed_with_hint(2), &["cannot grant these rights for single domains"]);
}
