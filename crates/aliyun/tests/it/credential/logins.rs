//! Fields of a profile that only some of the vendor's tools write or read: keys of logins, tokens, addresses, programs.

use super::*;

fn login(machine: &Machine, mode: &str, seconds: i64) -> String {
    let key = machine.cloud.issue_temporary_access_key();
    let expires_at = machine.cloud.clock().now().as_second() + seconds;
    format!(
        r#""mode":"{mode}","access_key_id":"{}","access_key_secret":"{}","sts_token":"{}","sts_expiration":{expires_at},
        "cloud_sso_sign_in_url":"https://sso.example.com","oauth_refresh_token":"{CANARY}""#,
        key.id, key.secret, key.security_token
    )
}

#[tokio::test]
async fn the_key_of_a_login_is_used_until_its_end_and_never_exchanged() {
    for mode in ["CloudSSO", "OAuth"] {
        let machine = Machine::new().await;
        machine.write_profiles(&[("p", &login(&machine, mode, 600))]);
        let credentials = profile(&machine.context(), "p");
        let key = credentials.access_key().await.unwrap();
        assert!(key.origin().unwrap().ends_with(&format!("profile p ({mode})")), "{key:?}");
        machine.pass(9);
        assert_eq!(credentials.access_key().await.unwrap().id(), key.id());
        machine.pass(1);
        let error = credentials.access_key().await.unwrap_err();
        let shown = machine.shown(&error);
        assert!(
            shown.ends_with(
                "ended at 2026-01-02T03:14:05Z: run `aliyun configure --profile p` (unauthenticated)"
            ),
            "{shown}"
        );
        assert!(machine.cloud.sts_requests().is_empty());
        // A new login counts at once.
        machine.write_profiles(&[("p", &login(&machine, mode, 600))]);
        assert_ne!(credentials.access_key().await.unwrap().id(), key.id());
    }
}

#[tokio::test]
async fn a_login_without_a_key_is_told_how_to_get_one() {
    let machine = Machine::new().await;
    for fields in [
        r#""mode":"CloudSSO","sts_expiration":0"#.to_owned(),
        format!(r#""mode":"OAuth",{},"sts_expiration":4102444800"#, own_key()),
    ] {
        machine.write_profiles(&[("p", &fields)]);
        let shown = machine.refusal("p").await;
        assert!(
            shown.contains("there is no key of a login yet: run `aliyun configure --profile p`"),
            "{shown}"
        );
    }
    machine.write_profiles(&[("p", r#""mode":"OAuth","sts_expiration":"soon""#)]);
    assert!(machine.refusal("p").await.contains("sts_expiration: expected a time in seconds since 1970"));
}

#[tokio::test]
async fn a_temporary_key_assumes_a_role_with_its_token() {
    let machine = Machine::new().await;
    let key = machine.cloud.issue_temporary_access_key();
    let fields = format!(
        r#""mode":"RamRoleArn","access_key_id":"{}","access_key_secret":"{}","sts_token":"{}","ram_role_arn":"{}""#,
        key.id,
        key.secret,
        key.security_token,
        machine.cloud.role_arn()
    );
    machine.write_profiles(&[("p", &fields)]);
    machine.call(profile(&machine.context(), "p")).await.unwrap();
    assert_eq!(param(&machine.cloud.sts_requests()[0], "SecurityToken"), key.security_token);
}

#[tokio::test]
async fn the_external_id_is_the_profiles_else_the_environments() {
    for name in ["ALIBABA_CLOUD_EXTERNAL_ID", "ALIBABACLOUD_EXTERNAL_ID"] {
        let mut machine = Machine::with(|cloud| cloud.external_id(CANARY)).await;
        let fields =
            format!(r#""mode":"RamRoleArn",{},"ram_role_arn":"{}""#, own_key(), machine.cloud.role_arn());
        machine.write_profiles(&[("p", &fields)]);
        machine.set(name, CANARY);
        machine.call(profile(&machine.context(), "p")).await.unwrap();
        machine.write_profiles(&[("p", &format!(r#"{fields},"external_id":"another""#))]);
        assert!(machine.refusal("p").await.contains("was not given"));
    }
}

#[tokio::test]
async fn sts_is_asked_where_the_profile_or_the_environment_says() {
    for in_file in [true, false] {
        let mut machine = Machine::new().await;
        machine.unset("RECORD_CALLBACK_ALIYUN_STS_ENDPOINT");
        let (own, role) = (own_key(), machine.cloud.role_arn().to_owned());
        let fields = format!(r#""mode":"RamRoleArn",{own},"ram_role_arn":"{role}","sts_region":"none""#);
        let endpoint = machine.cloud.sts_endpoint().to_owned();
        if in_file {
            machine.write_profiles(&[("p", &format!(r#"{fields},"sts_endpoint":"{endpoint}""#))]);
        } else {
            machine.write_profiles(&[("p", &fields)]);
            machine.set("ALIBABA_CLOUD_STS_ENDPOINT", endpoint);
        }
        machine.call(profile(&machine.context(), "p")).await.unwrap();
        assert_eq!(machine.cloud.sts_requests().len(), 1);
    }
}

#[tokio::test]
async fn an_address_the_profile_does_not_say_is_the_environments() {
    let mut machine = Machine::new().await;
    machine.write_profiles(&[("p", r#""mode":"CredentialsURI""#)]);
    machine.set("ALIBABA_CLOUD_CREDENTIALS_URI", machine.cloud.credentials_uri());
    machine.call(profile(&machine.context(), "p")).await.unwrap();
}

#[tokio::test]
async fn keys_from_elsewhere_can_be_switched_off() {
    let mut machine = Machine::new().await;
    machine.set("ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS", "1");
    let uri = machine.cloud.credentials_uri();
    for fields in [
        r#""mode":"External","process_command":"echo""#.to_owned(),
        format!(r#""mode":"CredentialsURI","credentials_uri":"{uri}""#),
    ] {
        machine.write_profiles(&[("p", &fields)]);
        let shown = machine.refusal("p").await;
        assert!(shown.contains("ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS forbids it"), "{shown}");
    }
    assert!(machine.cloud.metadata_requests().is_empty());
}

#[cfg(unix)]
#[tokio::test]
async fn a_program_is_not_run_from_a_file_others_may_write() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;
    let machine = Machine::new().await;
    let ran = machine.home.path().join("ran");
    let printed = machine.write("key.json", format!("{{{}}}", own_key()));
    let command = format!("sh -c 'touch {}; cat {}'", ran.display(), printed.display());
    let external = format!(r#""mode":"External","process_command":"{command}""#);
    let chained = format!(
        r#""mode":"ChainableRamRoleArn","source_profile":"p","ram_role_arn":"{}""#,
        machine.cloud.role_arn()
    );
    machine.write_profiles(&[
        ("p", &external),
        ("q", &chained),
        ("k", &format!(r#""mode":"AK",{}"#, own_key())),
    ]);
    let path = machine.home.path().join(CLI_FILE);
    let directory = path.parent().unwrap();
    let set = |file, parent| {
        set_permissions(&path, Permissions::from_mode(file)).unwrap();
        set_permissions(directory, Permissions::from_mode(parent)).unwrap();
    };
    for (file, parent, said) in [
        (0o660, 0o700, "others may write it"),
        (0o602, 0o700, "others may write it"),
        (0o600, 0o777, "others may write its directory"),
    ] {
        set(file, parent);
        for name in ["p", "q"] {
            let shown = machine.refusal(name).await;
            assert!(shown.contains(said), "{name} {file:o} {parent:o}: {shown}");
        }
        // A key is no program.
        machine.call(profile(&machine.context(), "k")).await.unwrap();
    }
    assert!(!ran.exists());
    set(0o600, 0o700);
    let credentials = profile(&machine.context(), "p");
    credentials.access_key().await.unwrap();
    assert!(ran.exists());
    set(0o666, 0o700);
    assert!(credentials.access_key().await.is_err());
}

#[cfg(unix)]
#[tokio::test]
async fn pipes_are_refused_and_not_waited_for() {
    let mut machine = Machine::new().await;
    let pipe = machine.home.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for name in
        ["ALIBABA_CLOUD_CONFIG_FILE", "ALIBABA_CLOUD_CREDENTIALS_FILE", "ALIBABA_CLOUD_OIDC_TOKEN_FILE"]
    {
        machine.with_oidc();
        machine.set("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true");
        if name != "ALIBABA_CLOUD_OIDC_TOKEN_FILE" {
            machine.unset("ALIBABA_CLOUD_OIDC_TOKEN_FILE");
        }
        machine.set(name, pipe.display().to_string());
        let error = machine.origin().await.unwrap_err();
        assert!(machine.shown(&error).contains("cannot be read"), "{name}: {error}");
        machine.unset(name);
    }
}
