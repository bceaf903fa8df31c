//! Domains under whichever name the cloud has them, and domains it does not have.

use crate::clouds::MockProcess;
use crate::program::assert_has;

const URL: &str = "https://cb.example.com/recorded";

/// The paths at which each cloud says how it spells its domains, and how users do.
const SPELLINGS: [(&str, &[&str]); 3] = [
    ("PUSH.Example.com", &["push.example.com", "Push.EXAMPLE.com.", "PUSH.Example.com"]),
    ("push.example.com.", &["push.example.com", "PUSH.example.com"]),
    ("直播.example.com", &["直播.example.com", "xn--z6ut02b.example.com", "XN--Z6UT02B.example.com."]),
];

#[test]
fn every_command_takes_every_spelling_of_a_domain() {
    for matching in ["exact", "ignoring_case"] {
        for (spelling, given) in SPELLINGS {
            let [aliyun, huaweicloud] =
                ["aliyun", "huaweicloud"].map(|vendor| format!("{vendor}.domain_matching={matching}"));
            let mock =
                MockProcess::start(&["--domain", spelling, "--dialect", &aliyun, "--dialect", &huaweicloud]);
            for program in [mock.aliyun(), mock.huaweicloud()] {
                let json = program.clone().options(&["--output", "json"]);
                for domain in given {
                    let put = ["put", "--domain", domain, "--notify-url", URL, "--unsigned", "--yes"];
                    program.run(&put).done();
                    let canonical = json.run(&["get", "--domain", domain]).json()["domain"].clone();
                    assert!(canonical == "push.example.com" || canonical == "xn--z6ut02b.example.com");
                    let listed = json.run(&["list", "--domain", domain]).json();
                    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{spelling} {domain}: {listed}");
                    assert_eq!(json.run(&["list"]).json(), listed, "{spelling} {domain}");
                }
                program.run(&["delete", "--domain", given[0], "--yes"]).done();
                assert_eq!(json.run(&["list"]).json(), serde_json::json!([]), "{spelling}");
            }
        }
    }
}

#[test]
fn a_domain_the_account_lacks_is_told_by_every_command() {
    for reading in ["domain_not_found", "config_not_found"] {
        let dialect = format!("aliyun.unknown_domain={reading}");
        let mock = MockProcess::start(&["--domain", "live.example.com", "--dialect", &dialect]);
        for program in [mock.aliyun(), mock.huaweicloud()] {
            for command in [
                &["get", "--domain", "foreign.example.com"][..],
                &["list", "--domain", "foreign.example.com"],
                &["delete", "--domain", "foreign.example.com"],
                &["put", "--domain", "foreign.example.com", "--notify-url", URL],
            ] {
                let run = program.run(command);
                let told = run.failed_with_hint(3);
                assert_has(
                    told,
                    &["foreign.example.com", "domain not found", "whose account the keys are of"],
                );
            }
            program.run(&["get", "--domain", "live.example.com"]).failed_with_hint(3);
        }
    }
}
