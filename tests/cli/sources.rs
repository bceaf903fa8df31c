//! Credentials that are on the machine already: each source of each cloud, found by the program itself.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;

use crate::clouds::MockProcess;
use crate::program::Program;

/// The variables that set a source up, besides those of the cloud's addresses.
type Variables = Vec<(&'static str, String)>;

/// Writes a file only its user can read.
fn private(home: &Path, path: &str, text: &str) -> String {
    let path = home.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path.display().to_string()
}

/// Every source of Aliyun, with what its key is said to be from.
fn aliyun(mock: &MockProcess, home: &Path) -> Vec<(&'static str, Variables)> {
    let ready = |name: &str| mock.ready(&format!("/aliyun/{name}")).to_owned();
    let key = [ready("access_key_id"), ready("access_key_secret")];
    let token = private(home, "oidc-token", &ready("oidc_token"));
    let profiles = json!({ "current": "role", "profiles": [
        { "name": "key", "mode": "AK", "access_key_id": key[0], "access_key_secret": key[1] },
        { "name": "role", "mode": "ChainableRamRoleArn", "source_profile": "key", "ram_role_arn": ready("role_arn") },
    ] });
    private(home, "cli/.aliyun/config.json", &profiles.to_string());
    let ini = format!(
        "[default]\ntype = access_key\naccess_key_id = {}\naccess_key_secret = {} # mine\n",
        key[0], key[1]
    );
    let [id, secret] = key;
    vec![
        ("environment variable", vec![("ALICLOUD_ACCESS_KEY", id), ("ALICLOUD_SECRET_KEY", secret)]),
        (
            "OIDC",
            vec![
                ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", token),
                ("ALIBABA_CLOUD_ROLE_ARN", ready("role_arn")),
                ("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", ready("oidc_provider_arn")),
            ],
        ),
        ("profile role (ChainableRamRoleArn)", vec![("HOME", home.join("cli").display().to_string())]),
        ("credentials.ini", vec![("ALIBABA_CLOUD_CREDENTIALS_FILE", private(home, "credentials.ini", &ini))]),
        ("ECS", vec![("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "false".into())]),
        ("ALIBABA_CLOUD_CREDENTIALS_URI", vec![("ALIBABA_CLOUD_CREDENTIALS_URI", ready("credentials_uri"))]),
    ]
}

fn huaweicloud(mock: &MockProcess, home: &Path) -> Vec<(&'static str, Variables)> {
    let ready = |name: &str| mock.ready(&format!("/huaweicloud/{name}")).to_owned();
    let ini = format!("[basic]\nak = {}\nsk = {}\n", ready("access_key"), ready("secret_key"));
    private(home, ".huaweicloud/credentials", &ini);
    vec![
        (
            "by OIDC",
            vec![
                ("HUAWEICLOUD_OIDC_PROVIDER_URN", ready("oidc_provider_urn")),
                ("HUAWEICLOUD_OIDC_AGENCY_URN", ready("agency_urn")),
                ("HUAWEICLOUD_OIDC_ID_TOKEN", ready("id_token")),
            ],
        ),
        (
            "environment variable",
            vec![("HW_ACCESS_KEY", ready("access_key")), ("HW_SECRET_KEY", ready("secret_key"))],
        ),
        (
            "HUAWEICLOUD_SDK_IDP_ID",
            vec![
                ("HUAWEICLOUD_SDK_IDP_ID", ready("idp_id")),
                ("HUAWEICLOUD_SDK_ID_TOKEN_FILE", private(home, "id-token", &ready("id_token"))),
            ],
        ),
        ("[basic]", vec![("HOME", home.display().to_string())]),
        ("ECS metadata", vec![("RECORD_CALLBACK_HUAWEICLOUD_METADATA_ENDPOINT", ready("metadata_endpoint"))]),
        (
            "pod identity",
            vec![
                ("HC_CONTAINER_CREDENTIALS_FULL_URI", ready("pod_identity_uri")),
                ("HC_CONTAINER_AUTHORIZATION_TOKEN_FILE", private(home, "pod-token", &ready("pod_token"))),
            ],
        ),
    ]
}

/// Puts a config with the key of the source, and has the doctor tell where that key is from.
fn works(program: &Program, domain: &str, origin: &str, variables: Variables) {
    let program =
        variables.into_iter().fold(program.clone(), |program, (name, value)| program.var(name, &value));
    let put = ["put", "--domain", domain, "--notify-url", "https://cb.example.com/recorded"];
    let run = program.run(&put);
    run.done();
    assert_eq!(run.stderr, "", "{origin}");
    let diagnosis = program.run(&["doctor", "--output", "json"]).json();
    let findings = diagnosis[0]["findings"].as_array().unwrap();
    let used: Vec<_> =
        findings.iter().filter(|one| one["check"] == "credentials" && one["verdict"] == "ok").collect();
    assert_eq!(used.len(), 1, "{origin}: {diagnosis:#}");
    assert!(used[0]["detail"].as_str().unwrap().contains(origin), "{origin}: {used:#?}");
}

#[test]
fn every_source_of_aliyun_is_found() {
    let (mock, home) = (MockProcess::start(&[]), tempfile::tempdir().unwrap());
    let program = Program::default()
        .options(&["--vendor", "aliyun", "--endpoint", mock.ready("/aliyun/endpoint")])
        .var("RECORD_CALLBACK_ALIYUN_STS_ENDPOINT", mock.ready("/aliyun/sts_endpoint"))
        .var("RECORD_CALLBACK_ALIYUN_METADATA_ENDPOINT", mock.ready("/aliyun/metadata_endpoint"));
    for (at, (origin, variables)) in aliyun(&mock, home.path()).into_iter().enumerate() {
        works(&program, &format!("live-{at}.example.com"), origin, variables);
    }
}

#[test]
fn every_source_of_huawei_cloud_is_found() {
    let (mock, home) = (MockProcess::start(&[]), tempfile::tempdir().unwrap());
    let program = Program::default()
        .options(&["--vendor", "huaweicloud", "--endpoint", mock.ready("/huaweicloud/endpoint")])
        .options(&["--project-id", mock.ready("/huaweicloud/project_id")])
        .var("HUAWEICLOUD_SDK_IAM_ENDPOINT", mock.ready("/huaweicloud/iam_endpoint"))
        .var("HUAWEICLOUD_SDK_STS_ENDPOINT", mock.ready("/huaweicloud/sts_endpoint"));
    for (at, (origin, variables)) in huaweicloud(&mock, home.path()).into_iter().enumerate() {
        works(&program, &format!("push-{at}.example.com"), origin, variables);
    }
}

/// Checks that the program refuses these variables, which choose somebody it cannot be: never a success, never a call.
fn refuses(program: &Program, variables: &[(&str, &str)], said: &str) {
    let program = variables.iter().fold(program.clone(), |program, (name, value)| program.var(name, value));
    let run = program.run(&["list"]);
    assert_eq!(run.code, Some(1), "{variables:?}: {}", run.stderr);
    assert!(run.stderr.contains(said), "{said}: {}", run.stderr);
}

#[test]
fn whom_variables_of_aliyun_choose_is_obeyed_or_refused() {
    let (mock, home) = (MockProcess::start(&[]), tempfile::tempdir().unwrap());
    let ready = |name: &str| mock.ready(&format!("/aliyun/{name}")).to_owned();
    let (id, secret) = (ready("access_key_id"), ready("access_key_secret"));
    let profiles = json!({ "current": "dev", "profiles": [
        { "name": "dev", "mode": "AK", "access_key_id": "LTAI5tOtherAccount", "access_key_secret": "x" },
        { "name": "prod", "mode": "AK", "access_key_id": id, "access_key_secret": secret },
    ] });
    private(home.path(), ".aliyun/config.json", &profiles.to_string());
    let program = Program::default()
        .options(&["--vendor", "aliyun", "--endpoint", &ready("endpoint")])
        .var("RECORD_CALLBACK_ALIYUN_STS_ENDPOINT", &ready("sts_endpoint"))
        .var("HOME", home.path().to_str().unwrap());
    for name in ["ALIBABA_CLOUD_PROFILE", "ALIBABACLOUD_PROFILE", "ALICLOUD_PROFILE"] {
        program.clone().var(name, "prod").run(&["list"]).done();
        refuses(&program, &[(name, "none")], name);
    }
    let differ = [("ALIBABACLOUD_PROFILE", "prod"), ("ALICLOUD_PROFILE", "dev")];
    refuses(&program, &differ, "ALIBABACLOUD_PROFILE and ALICLOUD_PROFILE say different things");
    let nobody = [("ALICLOUD_PROFILE", "prod"), ("ALICLOUD_ASSUME_ROLE_ARN", "acs:ram::1:role/nobody")];
    refuses(&program, &nobody, "the role acs:ram::1:role/nobody was not given");
    // A warning goes where people look.
    let key = [("ALICLOUD_ACCESS_KEY", id.as_str()), ("ALICLOUD_SECRET_KEY", &secret)];
    let both = key.iter().fold(program, |program, (name, value)| program.var(name, value));
    let run = both.var("ALICLOUD_PROFILE", "dev").run(&["list"]);
    run.done();
    assert!(run.stderr.contains("ALICLOUD_PROFILE is not looked at"), "{}", run.stderr);
}

#[test]
fn whom_variables_of_huawei_cloud_choose_is_refused() {
    let (mock, home) = (MockProcess::start(&[]), tempfile::tempdir().unwrap());
    let ready = |name: &str| mock.ready(&format!("/huaweicloud/{name}")).to_owned();
    let program = Program::default()
        .options(&["--vendor", "huaweicloud", "--endpoint", &ready("endpoint")])
        .var("HW_ACCESS_KEY", &ready("access_key"))
        .var("HW_SECRET_KEY", &ready("secret_key"))
        .var("HW_PROJECT_ID", &ready("project_id"));
    program.run(&["list"]).done();
    for name in ["HW_ASSUME_ROLE_AGENCY_NAME", "HW_ASSUME_ROLE_IDP_ID", "OS_AGENCY_NAME", "HW_PROFILE"] {
        refuses(&program, &[(name, "nobody")], &format!("{name} is set: Terraform "));
    }
    let ini = format!("[basic]\nak = \"{}\"\nsk = {}\n", ready("access_key"), ready("secret_key"));
    let path = private(home.path(), "credentials", &ini);
    let named = Program::default()
        .options(&["--vendor", "huaweicloud", "--endpoint", &ready("endpoint")])
        .options(&["--project-id", &ready("project_id")]);
    refuses(&named, &[("HUAWEICLOUD_SDK_CREDENTIALS_FILE", &path)], "credentials line 2: `ak` has quotes");
}

#[test]
fn without_keys_both_clouds_say_what_to_do_in_two_lines() {
    let mock = MockProcess::start(&[]);
    for (vendor, variable) in
        [("aliyun", "ALIBABA_CLOUD_ACCESS_KEY_ID"), ("huaweicloud", "HUAWEICLOUD_SDK_AK")]
    {
        let endpoint = mock.ready(&format!("/{vendor}/endpoint")).to_owned();
        let program = Program::default().options(&["--vendor", vendor, "--endpoint", &endpoint]);
        let run = program.run(&["list"]);
        assert_eq!((run.code, run.stderr.lines().count()), (Some(1), 2), "{}", run.stderr);
        let said = format!("no credentials were found: set {variable} and ");
        assert!(
            run.stderr.contains(&said) && run.stderr.contains("record-callback doctor"),
            "{}",
            run.stderr
        );
    }
}
