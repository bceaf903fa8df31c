//! `record-callback mock`

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::clouds::{self, MockProcess};
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

const ALIYUN: [&str; 17] = [
    "endpoint",
    "account_id",
    "access_key_id",
    "access_key_secret",
    "temporary_access_key_id",
    "temporary_access_key_secret",
    "temporary_security_token",
    "sts_endpoint",
    "role_arn",
    "oidc_provider_arn",
    "oidc_token",
    "metadata_endpoint",
    "ecs_role",
    "credentials_uri",
    "other_account_id",
    "other_access_key_id",
    "other_access_key_secret",
];
const HUAWEICLOUD: [&str; 25] = [
    "endpoint",
    "iam_endpoint",
    "account_id",
    "access_key",
    "secret_key",
    "temporary_access_key",
    "temporary_secret_key",
    "temporary_security_token",
    "project_id",
    "region",
    "iam_account",
    "iam_user",
    "iam_password",
    "idp_id",
    "id_token",
    "sts_endpoint",
    "oidc_provider_urn",
    "agency_urn",
    "metadata_endpoint",
    "pod_identity_uri",
    "pod_token",
    "other_account_id",
    "other_access_key",
    "other_secret_key",
    "other_project_id",
];

/// A part of the ready line as it has to be, of values as it has them.
fn part(mock: &MockProcess, cloud: &str, names: &[&str]) -> String {
    let field = |name: &&str| {
        let value = mock.ready(&format!("/{cloud}/{name}"));
        assert!(!value.is_empty(), "{cloud}.{name}");
        format!(r#""{name}":"{value}""#)
    };
    let fields: Vec<_> = names.iter().map(field).collect();
    format!(r#""{cloud}":{{{}}}"#, fields.join(","))
}

#[test]
fn the_ready_line_is_the_documented_json_and_nothing_else_is_printed() {
    for admin in [false, true] {
        let mock = MockProcess::start(if admin { &["--admin-addr", "127.0.0.1:0"] } else { &[] });
        let mut parts = vec![
            r#""ready":true"#.to_owned(),
            part(&mock, "aliyun", &ALIYUN),
            part(&mock, "huaweicloud", &HUAWEICLOUD),
        ];
        parts.extend(admin.then(|| part(&mock, "admin", &["endpoint"])));
        assert_eq!(mock.ready_line(), format!("{{{}}}", parts.join(",")));
        let urls = ALIYUN.map(|name| ("aliyun", name)).into_iter();
        for (cloud, name) in urls.chain(HUAWEICLOUD.map(|name| ("huaweicloud", name))) {
            let is_url = name.ends_with("endpoint") || name.ends_with("_uri");
            let value = mock.ready(&format!("/{cloud}/{name}"));
            assert_eq!(value.starts_with("http://127.0.0.1:"), is_url, "{cloud}.{name}");
        }
        mock.aliyun().run(&["list"]).done();
        let ended = mock.stop("TERM");
        assert!(ended.stdout.is_empty() && ended.stderr.is_empty(), "{ended:?}");
    }
}

#[test]
fn temporary_keys_and_the_iam_user_of_the_ready_line_work() {
    let mock = MockProcess::start(&[]);
    let at = |pointer: &str| mock.ready(pointer);
    let [id, secret, token] =
        ["temporary_access_key_id", "temporary_access_key_secret", "temporary_security_token"]
            .map(|name| at(&format!("/aliyun/{name}")));
    let aliyun = clouds::aliyun(at("/aliyun/endpoint"), id, secret);
    aliyun.secret("ALIBABA_CLOUD_SECURITY_TOKEN", token).run(&["list"]).done();
    let [id, secret, token] = ["temporary_access_key", "temporary_secret_key", "temporary_security_token"]
        .map(|name| at(&format!("/huaweicloud/{name}")));
    let huaweicloud = clouds::huaweicloud(at("/huaweicloud/endpoint"), id, secret)
        .options(&["--project-id", at("/huaweicloud/project_id")]);
    huaweicloud.secret("HUAWEICLOUD_SDK_SECURITY_TOKEN", token).run(&["list"]).done();
}

#[test]
fn the_admin_port_lets_a_cloud_fail() {
    let mock = MockProcess::start(&["--admin-addr", "127.0.0.1:0"]);
    let admin = mock.ready("/admin/endpoint").trim_start_matches("http://");
    let body = r#"{"fault":"denied","operation":"DescribeLiveRecordNotifyConfig"}"#;
    let mut stream = TcpStream::connect(admin).expect("the admin port");
    let length = body.len();
    write!(stream, "POST /aliyun/faults HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
        .expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    let get = || mock.aliyun().run(&["get", "--domain", KNOWN]);
    let denied = get();
    assert_eq!(denied.code, Some(1));
    assert_has(&denied.stderr, &["permission denied", "Forbidden"]);
    assert_eq!(get().code, Some(3), "the fault was for one exchange");
}

#[test]
fn dialects_are_chosen_by_name_and_a_wrong_name_is_a_usage_error() {
    let mock = MockProcess::start(&[
        "--dialect",
        "aliyun.denial=403",
        "--dialect",
        "huaweicloud.uniqueness=per_domain",
    ]);
    let put = |app: &str| {
        let url = ["--notify-url", "https://cb.example.com/n"];
        mock.huaweicloud().run(&[&["put", "--domain", KNOWN, "--app", app], &url[..]].concat())
    };
    put("one").done();
    assert_has(&put("two").stderr, &["already exists"]);
    for (dialect, hint) in [
        ("aliyun.nothing=kept", "aliyun has no question `nothing`, only "),
        (
            "aliyun.omitted_on_update=nothing",
            "omitted_on_update has no reading `nothing`, only cleared, kept",
        ),
        ("tencent.a=b", "CLOUD is aliyun or huaweicloud"),
        ("aliyun", "CLOUD.QUESTION=READING"),
    ] {
        let ended = MockProcess::spawn(&["--dialect", dialect]).end();
        assert_eq!(ended.code, Some(2), "{dialect}: {ended:?}");
        assert!(ended.stdout.is_empty(), "{dialect}");
        assert_has(&ended.stderr, &[dialect, hint]);
    }
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
    for option in ["--aliyun-addr", "--huaweicloud-addr", "--admin-addr"] {
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
