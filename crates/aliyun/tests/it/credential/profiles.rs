use record_callback_core::ErrorKind;
use record_callback_http::AccessKey;

use super::*;

/// Makes a call with a profile's key, and gives the key.
async fn call(machine: &Machine, name: &str) -> Arc<AccessKey> {
    let credentials = profile(&machine.context(), name);
    let key = credentials.access_key().await.unwrap();
    machine.call(credentials).await.unwrap();
    assert_eq!(param(machine.cloud.requests().last().unwrap(), "AccessKeyId"), key.id());
    key
}

#[tokio::test]
async fn every_mode_gives_a_key_the_cloud_takes() {
    let machine = Machine::new().await;
    let temporary = machine.cloud.issue_temporary_access_key();
    let (role, provider) = (machine.cloud.role_arn(), machine.cloud.oidc_provider_arn());
    let (token, uri) =
        (machine.write("token", machine.cloud.issue_oidc_token()), machine.cloud.credentials_uri());
    let token = token.display().to_string().replace('\\', "/");
    let assume = format!(r#""ram_role_arn":"{role}","ram_session_name":"s1","expired_seconds":0"#);
    let profiles = [
        ("AK", own_key()),
        (
            "StsToken",
            format!(
                r#""access_key_id":"{}","access_key_secret":"{}","sts_token":"{}""#,
                temporary.id, temporary.secret, temporary.security_token
            ),
        ),
        ("RamRoleArn", format!("{},{assume}", own_key())),
        ("ChainableRamRoleArn", format!(r#""source_profile":"StsToken",{assume}"#)),
        ("EcsRamRole", r#""ram_role_name":"""#.to_owned()),
        ("OIDC", format!(r#""oidc_provider_arn":"{provider}","oidc_token_file":"{token}",{assume}"#)),
        ("CredentialsURI", format!(r#""credentials_uri":"{uri}""#)),
    ];
    // Each profile has the name of its mode.
    let fields: Vec<_> =
        profiles.iter().map(|(mode, fields)| (*mode, format!(r#""mode":"{mode}",{fields}"#))).collect();
    machine.write_profiles(&fields.iter().map(|(mode, fields)| (*mode, fields.as_str())).collect::<Vec<_>>());
    for (mode, _) in profiles {
        let key = call(&machine, mode).await;
        let origin = key.origin().unwrap();
        assert!(origin.ends_with(&format!("config.json profile {mode} ({mode})")), "{origin}");
        assert_eq!(key.expose_security_token().is_some(), mode != "AK", "{mode}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_key_a_program_prints_is_taken() {
    let machine = Machine::new().await;
    let printed = machine.write("key.json", format!("{{{}}}", own_key()));
    let command = format!("cat '{}'", printed.display());
    machine.write_profiles(&[("p", &format!(r#""mode":"External","process_command":"{command}""#))]);
    assert_eq!(call(&machine, "p").await.id(), KEY_ID);
}

#[tokio::test]
async fn a_session_is_asked_for_as_the_profile_says() {
    let machine = Machine::with(|cloud| cloud.external_id(CANARY)).await;
    let role = machine.cloud.role_arn();
    let assume = format!(r#""mode":"RamRoleArn",{},"ram_role_arn":"{role}""#, own_key());
    let all = format!(
        r#"{assume},"ram_session_name":"s1","expired_seconds":900,"external_id":"{CANARY}","policy":"{{\"Version\":\"1\"}}""#
    );
    machine.write_profiles(&[("all", &all), ("least", &assume)]);
    call(&machine, "all").await;
    let asked = machine.cloud.sts_requests().pop().unwrap();
    for (name, value) in [
        ("RoleArn", role),
        ("RoleSessionName", "s1"),
        ("DurationSeconds", "900"),
        ("ExternalId", CANARY),
        ("Policy", r#"{"Version":"1"}"#),
    ] {
        assert_eq!(param(&asked, name), value, "{name}");
    }

    let error = profile(&machine.context(), "least").access_key().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    let said = format!(
        "config.json profile least (RamRoleArn): the role {role} was not given: aliyun AssumeRole: You"
    );
    assert!(error.message().contains(&said), "{error}");
    let asked = machine.cloud.sts_requests().pop().unwrap();
    for (name, value) in [("RoleSessionName", "record-callback"), ("DurationSeconds", "3600"), ("Policy", "")]
    {
        assert_eq!(param(&asked, name), value, "{name}");
    }
}

#[tokio::test]
async fn a_chain_of_roles_is_assumed_from_its_end() {
    let machine = Machine::new().await;
    let role = format!(r#""ram_role_arn":"{}""#, machine.cloud.role_arn());
    let chained =
        |source: &str| format!(r#""mode":"ChainableRamRoleArn","source_profile":"{source}",{role}"#);
    let base = format!(r#""mode":"RamRoleArn",{},{role}"#, own_key());
    machine.write_profiles(&[("a", &chained("b")), ("b", &chained("c")), ("c", &base)]);
    let key = call(&machine, "a").await;
    let by: Vec<_> = machine.sts().into_iter().map(|(_, by)| by).collect();
    assert_eq!((by.len(), by[0].as_str()), (3, KEY_ID));
    assert!(by[1].starts_with("STS.") && by[2].starts_with("STS.") && by[1] != by[2], "{by:?}");
    assert!(!by.contains(&key.id().to_owned()));
}

#[tokio::test]
async fn the_profile_is_the_environments_else_the_current_one() {
    let mut machine = Machine::new().await;
    let fields = format!(r#""mode":"AK",{}"#, own_key());
    machine.write_profiles(&[("first", &fields), ("second", &fields)]);
    assert_eq!(machine.origin().await.unwrap(), "~/.aliyun/config.json profile first (AK)");
    machine.set("ALIBABA_CLOUD_PROFILE", "second");
    assert_eq!(machine.origin().await.unwrap(), "~/.aliyun/config.json profile second (AK)");
    // By name, nothing of that counts.
    machine.set("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "true");
    let key = profile(&machine.context(), "first").access_key().await.unwrap();
    assert!(key.origin().unwrap().ends_with("profile first (AK)"));
}

#[tokio::test]
async fn every_type_of_the_ini_file_gives_a_key_the_cloud_takes() {
    let mut machine = Machine::new().await;
    let token = machine.write("token", machine.cloud.issue_oidc_token());
    let (role, provider) = (machine.cloud.role_arn(), machine.cloud.oidc_provider_arn());
    let key = format!("access_key_id = {KEY_ID} # ours\naccess_key_secret = {SECRET}\t#\n");
    let text = format!(
        "[default]\ntype = access_key # the account's\n{key}\n\
         [ram_role_arn]\ntype = ram_role_arn\n{key}role_arn = {role}\nrole_session_name = s2\npolicy =\n\n\
         [oidc_role_arn]\ntype = oidc_role_arn\nrole_arn = {role}\noidc_provider_arn = {provider}\n\
         oidc_token_file_path = {}\nrole_session_name =\n\n\
         [ecs_ram_role]\ntype = ecs_ram_role\nrole_name = mock-ecs-role\n",
        token.display()
    );
    machine.write(INI_FILE, &text);
    let origin = |section: &str, kind: &str| format!("~/{INI_FILE} section [{section}] ({kind})");
    assert_eq!(machine.origin().await.unwrap(), origin("default", "access_key"));
    for kind in ["ram_role_arn", "oidc_role_arn", "ecs_ram_role"] {
        machine.set("ALIBABA_CLOUD_PROFILE", kind);
        assert_eq!(machine.origin().await.unwrap(), origin(kind, kind));
    }
    let sessions: Vec<_> =
        machine.cloud.sts_requests().iter().map(|asked| param(asked, "RoleSessionName")).collect();
    assert_eq!(sessions, ["s2", "record-callback"]);
}

#[tokio::test]
async fn the_ini_file_is_the_environments_else_pythons_else_gos() {
    let mut machine = Machine::new().await;
    let text = format!("[default]\ntype=access_key\naccess_key_id={KEY_ID}\naccess_key_secret={SECRET}");
    let section = "section [default] (access_key)";
    machine.write(".alibabacloud/credentials", &text);
    assert_eq!(machine.origin().await.unwrap(), format!("~/.alibabacloud/credentials {section}"));
    machine.write(INI_FILE, &text);
    assert_eq!(machine.origin().await.unwrap(), format!("~/{INI_FILE} {section}"));
    let elsewhere = machine.write("elsewhere", &text);
    machine.set("ALIBABA_CLOUD_CREDENTIALS_FILE", elsewhere.display().to_string());
    assert_eq!(machine.origin().await.unwrap(), format!("~/elsewhere {section}"));
}
