//! `record-callback mock`

use std::net::TcpListener;

use crate::clouds::MockProcess;
use crate::program::assert_has;

const KNOWN: &str = "live.example.com";
const UNKNOWN: &str = "other.example.com";

/// Takes a loopback port as long as it lives.
fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a free port")
}

fn address(listener: &TcpListener) -> String {
    listener.local_addr().expect("a bound port").to_string()
}

#[test]
fn the_ready_line_is_the_documented_json_and_nothing_else_is_printed() {
    let mock = MockProcess::start(&[]);
    let [endpoint, id, secret] =
        ["endpoint", "access_key_id", "access_key_secret"].map(|name| mock.ready(&format!("/aliyun/{name}")));
    let [live, iam, access_key, secret_key, project] =
        ["endpoint", "iam_endpoint", "access_key", "secret_key", "project_id"]
            .map(|name| mock.ready(&format!("/huaweicloud/{name}")));
    let aliyun =
        format!(r#"{{"endpoint":"{endpoint}","access_key_id":"{id}","access_key_secret":"{secret}"}}"#);
    let huaweicloud = format!(
        r#"{{"endpoint":"{live}","iam_endpoint":"{iam}","access_key":"{access_key}","secret_key":"{secret_key}","project_id":"{project}"}}"#
    );
    let documented = format!(r#"{{"ready":true,"aliyun":{aliyun},"huaweicloud":{huaweicloud}}}"#);
    assert_eq!(mock.ready_line(), documented);
    for endpoint in [endpoint, live, iam] {
        assert!(endpoint.starts_with("http://127.0.0.1:"), "{endpoint}");
    }
    for value in [id, secret, access_key, secret_key, project] {
        assert!(!value.is_empty(), "{documented}");
    }
    mock.aliyun().run(&["list"]).done();
    let ended = mock.stop("TERM");
    assert!(ended.stdout.is_empty() && ended.stderr.is_empty(), "{ended:?}");
}

#[test]
fn sigterm_and_sigint_stop_it_with_success() {
    for signal in ["TERM", "INT"] {
        let ended = MockProcess::start(&[]).stop(signal);
        assert_eq!(ended.code, Some(0), "SIG{signal}: {ended:?}");
    }
}

#[test]
fn it_can_listen_on_given_addresses() {
    let listeners = [listener(), listener()];
    let [aliyun, huaweicloud] = [address(&listeners[0]), address(&listeners[1])];
    drop(listeners);
    let mock = MockProcess::start(&["--aliyun-addr", &aliyun, "--huaweicloud-addr", &huaweicloud]);
    assert_eq!(mock.ready("/aliyun/endpoint"), format!("http://{aliyun}"));
    assert_eq!(mock.ready("/huaweicloud/endpoint"), format!("http://{huaweicloud}"));
    for program in [mock.aliyun(), mock.huaweicloud()] {
        program.run(&["list"]).done();
    }
}

#[test]
fn a_taken_port_is_a_failure_that_names_the_address() {
    for option in ["--aliyun-addr", "--huaweicloud-addr"] {
        let taken = listener();
        let address = address(&taken);
        let ended = MockProcess::spawn(&[option, &address]).end();
        assert_eq!(ended.code, Some(1), "{option}: {ended:?}");
        assert!(ended.stdout.is_empty() && ended.stderr.starts_with("error: "), "{option}: {ended:?}");
        assert_has(&ended.stderr, &[&address, "in use"]);
    }
}

#[test]
fn only_given_domains_are_known() {
    let mock = MockProcess::start(&["--domain", KNOWN, "--domain", "too.example.com"]);
    let put = |domain| ["put", "--domain", domain, "--notify-url", "https://cb.example.com"];
    for program in [mock.aliyun(), mock.huaweicloud()] {
        program.run(&put(KNOWN)).done();
        program.run(&put("too.example.com")).done();
        let refused = program.run(&put(UNKNOWN));
        assert_has(refused.failed_with_hint(3), &[UNKNOWN, "not found"]);
        let missing = program.run(&["get", "--domain", UNKNOWN]);
        assert_has(missing.failed_with_hint(3), &[UNKNOWN, "not found"]);
    }
}

#[test]
fn without_domains_every_domain_is_known() {
    let mock = MockProcess::start(&[]);
    for program in [mock.aliyun(), mock.huaweicloud()] {
        program.run(&["put", "--domain", UNKNOWN, "--notify-url", "https://cb.example.com"]).done();
    }
}

#[test]
fn its_log_shows_calls_and_no_secrets() {
    let mock = MockProcess::start(&["-vvv"]);
    let secrets =
        ["/aliyun/access_key_secret", "/huaweicloud/secret_key"].map(|at| mock.ready(at).to_owned());
    let key = "Mock1og0Mock1og0Mock1og0Mock1og0";
    for program in [mock.aliyun(), mock.huaweicloud()] {
        let put = ["put", "--domain", KNOWN, "--notify-url", "https://cb.example.com"];
        program.secret("KEY", key).run(&[&put[..], &["--sign", "md5", "--key-env", "KEY"]].concat()).done();
    }
    let ended = mock.stop("TERM");
    assert!(ended.stdout.is_empty(), "{ended:?}");
    assert_has(&ended.stderr, &["AddLiveRecordNotifyConfig", "CreateRecordCallbackConfig"]);
    for secret in secrets.iter().map(String::as_str).chain([key]) {
        assert!(!ended.stderr.contains(secret), "{ended:?}");
    }
}
