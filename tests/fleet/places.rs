//! A state is of the clouds and of the manifest it was made for.

use std::fs;

use record_callback_mock::{AliyunConfig, MockHuaweicloud};
use record_callback_tests::FleetClouds;

const CALLBACK: &str = "[[callbacks]]\nname = \"one\"\nprovider = \"ali\"\ndomain = \"one.example.com\"\n\
                        notify_url = \"https://cb.example.com/1\"\n";
const STATE: &str = "record-callback.state.json";

#[tokio::test(flavor = "multi_thread")]
async fn a_state_of_other_clouds_is_refused_and_nothing_there_is_touched() {
    let (tried, real) = (FleetClouds::start().await, FleetClouds::start().await);
    tried.declare(CALLBACK);
    tried.done(&["apply", "--yes"]);
    real.aliyun.put_config(AliyunConfig::new("one.example.com", "https://by-hand.example.com"));
    let by_hand = real.configs();
    fs::copy(tried.directory.path().join(STATE), real.directory.path().join(STATE)).expect("a state");
    for (declared, commands) in [(CALLBACK, ["plan", "apply", "drift"]), ("", ["plan", "apply", "drift"])] {
        real.declare(declared);
        for command in commands {
            let consent: &[&str] = if command == "apply" { &["--yes"] } else { &[] };
            let output = real.run(&[&[command], consent].concat(), &[]);
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success(), "{command}: {stderr}");
            assert!(stderr.contains("provider `ali` is aliyun http://127.0.0.1:"), "{command}: {stderr}");
            assert_eq!(real.configs(), by_hand, "{command}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_beside_each_other_have_a_state_each() {
    let clouds = FleetClouds::start().await;
    clouds.declare(CALLBACK);
    clouds.done(&["apply", "--yes"]);
    let before = clouds.configs();
    let other = clouds.directory.path().join("other.toml");
    clouds.declare("");
    fs::rename(clouds.manifest(), &other).expect("a manifest");
    let mut command = record_callback_tests::command();
    command.args(["apply", "--yes", "--manifest"]).arg(&other);
    let output = command.output().expect("the program runs");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(clouds.configs(), before);
    assert!(clouds.directory.path().join("other.record-callback.state.json").exists());
}

/// Huawei Cloud wherever the environment says, and one callback there.
fn anywhere(project: &str) -> String {
    format!(
        "[providers.hw]\nvendor = \"huaweicloud\"\nproject_id = \"{project}\"\ncalls_per_minute = 6000000\n\n[[callbacks]]\nname = \"one\"\n\
         provider = \"hw\"\ndomain = \"one.example.com\"\nnotify_url = \"https://cb.example.com/1\"\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn another_region_in_the_environment_is_another_cloud() {
    let here = FleetClouds::start().await;
    let elsewhere = MockHuaweicloud::builder().start().await.expect("the mock starts");
    let in_region = |region: &str| {
        vec![
            ("HW_REGION_NAME", region.to_owned()),
            ("HUAWEICLOUD_SDK_REGION_LIVE_CN_NORTH_4", here.huaweicloud.endpoint().to_owned()),
            ("HUAWEICLOUD_SDK_REGION_LIVE_CN_EAST_3", elsewhere.endpoint().to_owned()),
        ]
    };
    let declare = |manifest: &str| fs::write(here.manifest(), manifest).expect("a writable directory");
    let declared = anywhere(here.huaweicloud.project_id());
    declare(&declared);
    let applied = here.run(&["apply", "--yes"], &in_region("cn-north-4"));
    assert!(applied.status.success(), "{applied:?}");
    let before = here.configs();
    assert_eq!(before.len(), 1);
    let state = fs::read(here.directory.path().join(STATE)).expect("a state");

    let moved = format!("provider `hw` is huaweicloud {}", elsewhere.endpoint());
    let noted = format!("what the state has of it is in huaweicloud {}", here.huaweicloud.endpoint());
    let (without_callback, _) = declared.split_once("[[callbacks]]").expect("a callback");
    for manifest in [&declared, without_callback] {
        declare(manifest);
        for command in [&["plan"][..], &["apply", "--yes"], &["drift"]] {
            let refused = here.run(command, &in_region("cn-east-3"));
            let stderr = String::from_utf8_lossy(&refused.stderr);
            assert_eq!(refused.status.code(), Some(1), "{command:?}: {stderr}");
            assert!(stderr.contains(&moved) && stderr.contains(&noted), "{command:?}: {stderr}");
        }
    }
    assert!(elsewhere.requests().is_empty());
    assert_eq!(here.configs(), before);
    assert_eq!(fs::read(here.directory.path().join(STATE)).expect("a state"), state);

    // Back there, it is all as it was.
    declare(&declared);
    let back = here.run(&["plan", "--detailed-exitcode"], &in_region("cn-north-4"));
    assert_eq!(back.status.code(), Some(0), "{back:?}");
}
