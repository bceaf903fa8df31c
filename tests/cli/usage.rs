//! Exit code 2: what is typed is wrong, and no cloud is called.

use record_callback::EventKind;

use crate::clouds::{self, Clouds, MockProcess};
use crate::program::{Program, assert_has};

const DOMAIN: [&str; 2] = ["--domain", "live.example.com"];
const URL: [&str; 2] = ["--notify-url", "https://callbacks.example.com/recorded"];

fn both(clouds: &Clouds) -> [Program; 2] {
    [clouds.aliyun(), clouds.huaweicloud()]
}

fn get<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["get"], &DOMAIN[..], more].concat()
}

fn put<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["put"], &DOMAIN[..], &URL, more].concat()
}

#[test]
fn a_wrong_value_is_named_with_the_rule_it_breaks() {
    let clouds = Clouds::start();
    let known_events: Vec<String> = EventKind::known().map(|kind| kind.to_string()).collect();
    let known_events: Vec<&str> = known_events.iter().map(String::as_str).collect();
    let put_to = |url| [&["put"], &DOMAIN[..], &["--notify-url", url]].concat();
    let cases: [(Vec<&str>, &[&str]); 15] = [
        (vec!["get", "--domain", "live_1.example.com"], &["--domain", "`live_1` contains `_`", "DNS name"]),
        (vec!["list", "--domain", "10.0.0.1"], &["--domain", "is an IP address"]),
        (vec!["delete", "--domain", ""], &["--domain"]),
        (vec!["get"], &["--domain <DOMAIN>"]),
        (get(&["--app", "**"]), &["--app", "is `**`; write a single `*` to match any app"]),
        (get(&["--app", "live*"]), &["--app", "matches nothing inside a name"]),
        (get(&["--output", "yaml"]), &["--output", "text, json"]),
        (put_to("callbacks.example.com"), &["notify_url: is not a URL", "absolute http or https URL"]),
        (put_to("ftp://callbacks.example.com"), &["notify_url: the scheme is `ftp`"]),
        (
            put(&["--on-demand-url", "https://u:p@callbacks.example.com"]),
            &["on_demand_url: contains user info"],
        ),
        (put(&["--event", "file_done"]), &["`file_done` is not an event"]),
        (put(&["--event", "file_done"]), &known_events),
        (put(&["--sign", "sha1", "--key-env", "KEY"]), &["--sign", "md5, hmac-sha256"]),
        (put(&["--fidelity", "some"]), &["--fidelity", "exact, widen, best-effort"]),
        (get(&["--signature", "v4"]), &["--signature", "rpc, acs3"]),
    ];
    for program in both(&clouds) {
        for (arguments, complaints) in &cases {
            assert_has(program.run(arguments).failed_with_hint(2), complaints);
        }
    }
    clouds.assert_untouched();
}

#[test]
fn a_vendor_has_to_be_given_and_known() {
    for command in [get(&[]), vec!["list"], put(&[]), [&["delete"], &DOMAIN[..]].concat()] {
        let missing = Program::default().run(&command);
        assert_has(missing.failed_with_hint(2), &["--vendor <VENDOR>"]);
        let unknown = Program::default().options(&["--vendor", "tencent"]).run(&command);
        assert_has(unknown.failed_with_hint(2), &["'tencent'", "aliyun, huaweicloud"]);
    }
}

#[test]
fn signing_needs_a_scheme_a_variable_and_a_key_in_it() {
    const KEY_LENGTH: &str = "signing.key: has ";
    let clouds = Clouds::start();
    let sign = ["--sign", "md5", "--key-env", "SIGNING_KEY"];
    for program in both(&clouds) {
        assert_has(program.run(&put(&sign[..2])).failed_with_hint(2), &["--key-env <NAME>"]);
        assert_has(program.run(&put(&sign[2..])).failed_with_hint(2), &["--sign <SIGN>"]);
        for unset in [program.clone(), program.clone().var("SIGNING_KEY", "")] {
            let message = "--key-env: SIGNING_KEY is not set";
            assert_has(unset.run(&put(&sign)).failed_with_hint(2), &[message]);
        }
        let too_short = program.clone().secret("SIGNING_KEY", "t00short");
        assert_has(too_short.run(&put(&sign)).failed_with_hint(2), &[KEY_LENGTH, "16-128"]);
        let odd = program.secret("SIGNING_KEY", "s3cret-s3cret-s3cret-s3cret-s3cr");
        assert_has(
            odd.run(&put(&sign)).failed_with_hint(2),
            &["signing.key: character 7 is not a letter or digit"],
        );
    }
    clouds.assert_untouched();
}

#[test]
fn a_key_of_a_length_this_vendor_refuses_is_refused_before_any_call() {
    let clouds = Clouds::start();
    let sign = ["--sign", "md5", "--key-env", "SIGNING_KEY"];
    let too_long = clouds.aliyun().secret("SIGNING_KEY", &"L0ng".repeat(9));
    assert_has(
        too_long.run(&put(&sign)).failed_with_hint(2),
        &["signing.key: has 36 characters", "16 to 32"],
    );
    let too_short = clouds.huaweicloud().secret("SIGNING_KEY", &"Sh0r".repeat(4));
    assert_has(
        too_short.run(&put(&sign)).failed_with_hint(2),
        &["signing.key: has 16 characters", "32 to 128"],
    );
    clouds.assert_untouched();
}

#[test]
fn an_address_has_to_be_one_and_safe() {
    // Reserved for documentation: nobody answers there.
    const ELSEWHERE: &str = "http://192.0.2.1";
    for endpoint in [ELSEWHERE, "http://live.example.com"] {
        for program in
            [clouds::aliyun(endpoint, "id", "s3cret"), clouds::huaweicloud(endpoint, "id", "s3cret")]
        {
            let refused = program.options(&["--region", "cn-north-4"]).run(&get(&[]));
            let host = endpoint.trim_start_matches("http://");
            assert_has(
                refused.failed_with_hint(2),
                &[&format!("endpoint: is plain http to `{host}`"), "https"],
            );
        }
    }
    let iam = clouds::huaweicloud("http://127.0.0.1:1", "id", "s3cret").options(&[
        "--region",
        "cn-north-4",
        "--iam-endpoint",
        ELSEWHERE,
    ]);
    assert_has(iam.run(&get(&[])).failed_with_hint(2), &["iam_endpoint: is plain http to `192.0.2.1`"]);
    let path = clouds::aliyun("https://live.example.com/api", "id", "s3cret");
    assert_has(path.run(&get(&[])).failed_with_hint(2), &["endpoint: has a path"]);
}

#[test]
fn a_region_has_to_be_known_and_huaweicloud_needs_one_or_an_address() {
    for (vendor, known) in
        [("aliyun", "such as cn-shanghai, ap-southeast-1"), ("huaweicloud", "cn-north-4, cn-north-1")]
    {
        let unknown = Program::default().options(&["--vendor", vendor, "--region", "mars-1"]).run(&get(&[]));
        assert_has(unknown.failed_with_hint(2), &["region: `mars-1` is not a known region", known]);
    }
    let inside = Program::default().options(&["--vendor", "aliyun", "--region", "us-east-1"]).run(&get(&[]));
    assert_has(inside.failed_with_hint(2), &["region: `us-east-1` is known to be served inside a VPC only"]);
    let elsewhere =
        Program::default().options(&["--vendor", "aliyun", "--vpc"]).var("ALICLOUD_REGION", "mars-1");
    assert_has(
        elsewhere.run(&get(&[])).failed_with_hint(2),
        &["ALICLOUD_REGION: `mars-1` is not a known region"],
    );
    let foreign = Program::default().options(&["--vendor", "huaweicloud", "--vpc"]).run(&get(&[]));
    assert_has(foreign.failed_with_hint(2), &["--vpc: is given"]);
    let nothing = Program::default().options(&["--vendor", "huaweicloud"]);
    assert_has(nothing.run(&get(&[])).failed_with_hint(2), &["endpoint: is not given", "cn-north-4"]);
    let no_project = clouds::huaweicloud("http://127.0.0.1:1", "id", "s3cret");
    assert_has(no_project.run(&get(&[])).failed_with_hint(2), &["project_id: is not given"]);
}

#[test]
fn what_was_probably_meant_is_named() {
    let aliyun = Program::default().options(&["--vendor", "aliyun"]);
    let huaweicloud = Program::default().options(&["--vendor", "huaweicloud"]);
    let with_event = put(&["--event", "file_complete"]);
    for (program, arguments, meant) in [
        (&aliyun, get(&["--region", "cn-shangai"]), "did you mean `cn-shanghai`?"),
        (&huaweicloud, get(&["--region", "cn-nort-4"]), "did you mean `cn-north-4`?"),
        (&aliyun.clone().var("ALICLOUD_REGION", "cn-shangai"), get(&[]), "did you mean `cn-shanghai`?"),
        (&aliyun, with_event, "did you mean `file_completed`?"),
        (&aliyun, put(&["--sign", "hmac-sha", "--key-env", "KEY"]), "similar value exists: 'hmac-sha256'"),
        (&Program::default(), vec!["evnets"], "similar subcommand exists: 'events'"),
    ] {
        assert_has(program.run(&arguments).failed_with_hint(2), &[meant]);
    }
}

#[test]
fn an_endpoint_says_how_it_is_spoken_to() {
    let local = ("127.0.0.1:47001", "write `http://127.0.0.1:47001`");
    for (endpoint, write) in [
        local,
        ("localhost:47001", "write `http://localhost:47001`"),
        ("live.example.com:8443", "write `https://live.example.com:8443`"),
    ] {
        for program in
            [clouds::aliyun(endpoint, "id", "s3cret"), clouds::huaweicloud(endpoint, "id", "s3cret")]
        {
            let refused = program.run(&get(&[]));
            assert_has(refused.failed_with_hint(2), &["endpoint: has no scheme", write]);
        }
    }
    let iam = clouds::huaweicloud("http://127.0.0.1:1", "id", "s3cret").options(&["--region", "cn-north-4"]);
    let by_option = iam.clone().options(&["--iam-endpoint", local.0]).run(&get(&[]));
    assert_has(by_option.failed_with_hint(2), &["iam_endpoint: has no scheme", local.1]);
    let by_variable = iam.var(clouds::HUAWEICLOUD_IAM, local.0).run(&get(&[]));
    assert_has(by_variable.failed_with_hint(2), &[clouds::HUAWEICLOUD_IAM, "has no scheme", local.1]);
}

#[test]
fn a_ca_bundle_has_to_have_certificates() {
    let empty = tempfile::NamedTempFile::new().unwrap();
    let path = empty.path().to_str().unwrap();
    for (vendor, region) in [("aliyun", "cn-shanghai"), ("huaweicloud", "cn-north-4")] {
        let program = Program::default().options(&["--vendor", vendor, "--region", region]);
        let absent = program.clone().options(&["--ca-bundle", "/nowhere/ca.pem"]).run(&get(&[]));
        assert_has(absent.failed_with_hint(2), &["ca_bundle: /nowhere/ca.pem cannot be read", "because: "]);
        let device = program.clone().options(&["--ca-bundle", "/dev/null"]).run(&get(&[]));
        assert_has(
            device.failed_with_hint(2),
            &["ca_bundle: /dev/null cannot be read", "is a device, not a regular file"],
        );
        let none = program.options(&["--ca-bundle", path]).run(&get(&[]));
        assert_has(none.failed_with_hint(2), &[&format!("ca_bundle: {path} has no certificate"), "PEM file"]);
    }
}

#[test]
fn the_mock_takes_addresses_and_domains_only() {
    for (arguments, complaint) in [
        (["--aliyun-addr", "somewhere"], "--aliyun-addr"),
        (["--huaweicloud-addr", "127.0.0.1"], "--huaweicloud-addr"),
        (["--domain", "*.example.com"], "contains `*`"),
    ] {
        let ended = MockProcess::spawn(&arguments).end();
        assert_eq!((ended.code, ended.stdout.len()), (Some(2), 0), "{ended:?}");
        assert_has(&ended.stderr, &["error: ", complaint]);
    }
}

#[test]
fn a_command_has_to_be_known() {
    assert_has(Program::default().run(&["puts"]).failed_with_hint(2), &["puts", "put"]);
    let nothing = Program::default().run(&[]);
    assert_eq!(nothing.code, Some(2), "{nothing:?}");
    assert_has(&nothing.stderr, &["Usage: record-callback", "get", "list", "put", "delete", "mock", "demo"]);
}
