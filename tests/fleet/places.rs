//! A state is of the clouds and of the manifest it was made for.

use std::fs;

use record_callback_mock::AliyunConfig;
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
