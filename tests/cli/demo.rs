//! `record-callback demo`

use serde_json::Value;

use crate::program::{Program, assert_has};

/// Cloud and action of every step.
const STORY: [(&str, &str); 10] = [
    ("aliyun", "start mock"),
    ("huaweicloud", "start mock"),
    ("aliyun", "create"),
    ("aliyun", "read back"),
    ("huaweicloud", "move"),
    ("huaweicloud", "read back"),
    ("huaweicloud", "verify"),
    ("aliyun", "retire"),
    ("aliyun", "received"),
    ("huaweicloud", "received"),
];

#[test]
fn it_moves_a_callback_from_one_cloud_to_the_other_step_by_step() {
    let run = Program::default().run(&["demo"]);
    let mut lines = run.done().lines();
    let columns = |line: &str| -> Vec<String> {
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
    };
    assert_eq!(columns(lines.next().expect("a header")), ["CLOUD", "ACTION", "RESULT"]);
    let steps: Vec<Vec<String>> = lines.map(columns).collect();
    let told: Vec<(&str, &str)> = steps.iter().map(|step| (step[0].as_str(), step[1].as_str())).collect();
    assert_eq!(told, STORY);
    assert!(steps.iter().all(|step| step.len() == 3), "{steps:?}");
    assert_eq!(run.stderr, "");
}

#[test]
fn its_steps_are_available_as_json() {
    let steps = Program::default().run(&["demo", "--output", "json"]).json();
    let steps = steps.as_array().expect("an array");
    let text = |step: &Value, name: &str| step[name].as_str().expect("text").to_owned();
    let told: Vec<_> = steps.iter().map(|step| (text(step, "cloud"), text(step, "action"))).collect();
    let told: Vec<_> = told.iter().map(|(cloud, action)| (cloud.as_str(), action.as_str())).collect();
    assert_eq!(told, STORY);

    let result = |cloud, action| {
        let place = STORY.iter().position(|step| *step == (cloud, action)).expect("a step");
        text(&steps[place], "result")
    };
    for (cloud, key) in [("aliyun", "key known"), ("huaweicloud", "key hidden")] {
        assert_has(&result(cloud, "start mock"), &["http://127.0.0.1:"]);
        assert_has(&result(cloud, "read back"), &["file_completed to https://", key]);
        assert_has(&result(cloud, "received"), &["requests, 0 signatures refused"]);
    }
    assert_has(&result("huaweicloud", "verify"), &["signing.key: cannot be read back"]);
    assert_eq!(result("aliyun", "retire"), "0 configs left");
}

#[test]
fn it_needs_no_credentials_and_leaves_those_it_finds_alone() {
    use crate::clouds::{
        ALIYUN_ID, ALIYUN_SECRET, HUAWEICLOUD_IAM, HUAWEICLOUD_ID, HUAWEICLOUD_PROJECT, HUAWEICLOUD_SECRET,
    };
    let program = [ALIYUN_ID, HUAWEICLOUD_ID, HUAWEICLOUD_PROJECT]
        .into_iter()
        .fold(Program::default(), |program, name| program.var(name, "real0ne"))
        .secret(ALIYUN_SECRET, "real-s3cret")
        .secret(HUAWEICLOUD_SECRET, "real-s3cret")
        .var(HUAWEICLOUD_IAM, "https://iam.example.com");
    program.run(&["demo", "-vvv"]).done();
}
