//! `record-callback demo`

use serde_json::Value;

use crate::program::{Program, assert_has};

/// Cloud and action of every step.
const STORY: [(&str, &str); 16] = [
    ("aliyun", "start mock"),
    ("huaweicloud", "start mock"),
    ("-", "start receiver"),
    ("-", "plan"),
    ("aliyun", "apply"),
    ("aliyun", "read back"),
    ("aliyun", "deliver"),
    ("-", "plan"),
    ("huaweicloud", "switch"),
    ("huaweicloud", "read back"),
    ("aliyun", "retired"),
    ("huaweicloud", "deliver"),
    ("huaweicloud", "deliver"),
    ("-", "plan"),
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
    let steps: Vec<Vec<String>> = lines.by_ref().take_while(|line| !line.is_empty()).map(columns).collect();
    let told: Vec<(&str, &str)> = steps.iter().map(|step| (step[0].as_str(), step[1].as_str())).collect();
    assert_eq!(told, STORY);
    assert!(steps.iter().all(|step| step.len() == 3), "{steps:?}");

    let header = ["EVENT", "RECEIVED", "SOURCE", "KIND", "DOMAIN", "APP", "STREAM", "PROVEN"];
    assert_eq!(columns(lines.next().expect("a header")), header);
    let events: Vec<Vec<String>> = lines.map(columns).collect();
    let seen: Vec<Vec<&str>> =
        events.iter().map(|event| [0, 2, 3, 4, 5, 6].map(|column| event[column].as_str()).to_vec()).collect();
    let expected = [
        ["1", "streaming", "file_completed", "live.example.com", "app", "match-7"],
        ["2", "ingest", "file_completed", "push.example.com", "app", "match-7"],
    ];
    assert_eq!(seen, expected);
    assert_eq!(run.stderr, "");
}

#[test]
fn its_steps_are_available_as_json() {
    let story = Program::default().run(&["demo", "--output", "json"]).json();
    let steps = story["steps"].as_array().expect("an array");
    let text = |step: &Value, name: &str| step[name].as_str().expect("text").to_owned();
    let told: Vec<_> = steps.iter().map(|step| (text(step, "cloud"), text(step, "action"))).collect();
    let told: Vec<_> = told.iter().map(|(cloud, action)| (cloud.as_str(), action.as_str())).collect();
    assert_eq!(told, STORY);

    let results = |cloud, action| -> Vec<String> {
        let places = (0..STORY.len()).filter(|place| STORY[*place] == (cloud, action));
        places.map(|place| text(&steps[place], "result")).collect()
    };
    let result = |cloud, action| results(cloud, action).remove(0);
    for (cloud, scheme, key) in [("aliyun", "md5", "key known"), ("huaweicloud", "hmac_sha256", "key hidden")]
    {
        assert_has(&result(cloud, "start mock"), &["http://127.0.0.1:"]);
        assert_has(&result(cloud, "read back"), &["file_completed to http://127.0.0.1:", cloud, scheme, key]);
        assert_has(&result(cloud, "received"), &["requests, 0 signatures refused"]);
    }
    let plans: Vec<_> = results("-", "plan");
    for (plan, part) in
        plans.iter().zip(["1 to create, 0 to update", "1 to replace", "1 unchanged, 0 blocked"])
    {
        assert_has(plan, &[part]);
    }
    assert_eq!(plans.len(), 3);
    assert_eq!(result("aliyun", "retired"), "0 configs left");
    assert_eq!(results("aliyun", "deliver"), ["a file: answered with 200"]);
    let expected = ["a file: answered with 200", "the end: not subscribed, not sent"];
    assert_eq!(results("huaweicloud", "deliver"), expected);

    let events = story["events"].as_array().expect("an array");
    assert_eq!(events.len(), 2);
    for (event, vendor, scheme, proven) in
        [(&events[0], "aliyun", "md5", false), (&events[1], "huaweicloud", "hmac_sha256", true)]
    {
        assert_eq!(event["vendor"], vendor);
        assert_eq!(event["kind"], "file_completed");
        assert_eq!(event["assurance"]["scheme"], scheme);
        for (how, field) in [("proven", "kind"), ("joined", "domain")] {
            let fields = event["assurance"][how].as_array().expect("an array");
            assert_eq!(fields.contains(&Value::from(field)), proven, "{fields:?}");
        }
    }
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
