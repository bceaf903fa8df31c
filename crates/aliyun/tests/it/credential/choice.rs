//! Variables by which tools of the vendor choose who calls: followed, or refused by name; never somebody else without a word.

use super::*;

const PROFILES: [&str; 3] = ["ALIBABA_CLOUD_PROFILE", "ALIBABACLOUD_PROFILE", "ALICLOUD_PROFILE"];
const PAIR: [&str; 2] = ["ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"];
const ASSUME: &str = "ALICLOUD_ASSUME_ROLE_ARN";

/// A machine whose current profile is another account's.
async fn with_profiles() -> Machine {
    let machine = Machine::new().await;
    let other = format!(r#""mode":"AK","access_key_id":"LTAI5tOtherAccount","access_key_secret":"{SECRET}""#);
    machine.write_profiles(&[("dev", &other), ("prod", &format!(r#""mode":"AK",{}"#, own_key()))]);
    machine
}

async fn refused(machine: &Machine) -> String {
    let shown = machine.shown(&machine.origin().await.unwrap_err());
    assert!(machine.cloud.requests().is_empty(), "{shown}");
    shown
}

#[tokio::test]
async fn each_tools_variable_chooses_the_profile() {
    for name in PROFILES {
        let mut machine = with_profiles().await;
        machine.set(name, " prod\r\n");
        assert_eq!(machine.origin().await.unwrap(), "~/.aliyun/config.json profile prod (AK)", "{name}");
        for (other, value) in PROFILES.iter().filter(|other| **other != name).zip(["prod", ""]) {
            machine.set(other, value);
        }
        assert!(machine.origin().await.is_ok(), "{name}");
    }
}

#[tokio::test]
async fn variables_that_choose_different_profiles_are_refused_by_name() {
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        let mut machine = with_profiles().await;
        machine.set(PROFILES[one], "prod");
        machine.set(PROFILES[other], "dev");
        let shown = refused(&machine).await;
        let said = format!("{} and {} say different things", PROFILES[one], PROFILES[other]);
        assert!(shown.contains(&said), "{shown}");
    }
}

#[tokio::test]
async fn a_named_profile_that_cannot_be_had_is_refused() {
    for name in PROFILES {
        // There is a role of the instance, and a credentials URI.
        let mut machine = with_profiles().await;
        machine.set("ALIBABA_CLOUD_CREDENTIALS_URI", machine.cloud.credentials_uri());
        machine.set(name, "none");
        let shown = refused(&machine).await;
        assert!(shown.contains(name) && shown.contains("there is no profile none"), "{shown}");
        machine.write_profiles(&[("none", r#""mode":"Anonymous""#)]);
        assert!(refused(&machine).await.contains("mode Anonymous is not supported"));
        // The SDKs look for it in the other file, too.
        machine.write(INI_FILE, "[default]\ntype=access_key\naccess_key_id=x\naccess_key_secret=y");
        machine.write(CLI_FILE, r#"{"current":"dev","profiles":[]}"#);
        let shown = refused(&machine).await;
        assert!(shown.contains("there is no section [none]; the sections are: default"), "{shown}");
        let section = format!("[none]\ntype=access_key\naccess_key_id={KEY_ID}\naccess_key_secret={SECRET}");
        machine.write(INI_FILE, section);
        assert_eq!(machine.origin().await.unwrap(), format!("~/{INI_FILE} section [none] (access_key)"));
    }
}

#[tokio::test]
async fn profiles_are_ignored_at_the_command_lines_word() {
    for name in ["ALIBABA_CLOUD_IGNORE_PROFILE", "ALIBABACLOUD_IGNORE_PROFILE"] {
        let mut machine = with_profiles().await;
        machine.set("ALIBABACLOUD_PROFILE", "none");
        for (value, ignored) in [("TRUE", true), ("true", false), ("1", false)] {
            machine.set(name, value);
            let origin = machine.origin().await;
            assert_eq!(origin.is_ok_and(|origin| origin == "ECS metadata"), ignored, "{name}={value}");
        }
    }
}

#[tokio::test]
async fn a_key_beside_the_command_lines_profile_is_refused() {
    let mut machine = with_profiles().await;
    machine.set(PAIR[0], KEY_ID);
    machine.set(PAIR[1], SECRET);
    machine.set("ALIBABACLOUD_PROFILE", "dev");
    let shown = refused(&machine).await;
    assert!(shown.contains("ALIBABACLOUD_PROFILE chooses a profile, and environment variable ALIBABA_CLOUD"));
    let mut by_oidc = with_profiles().await;
    by_oidc.with_oidc();
    by_oidc.set("ALIBABACLOUD_PROFILE", "dev");
    assert!(refused(&by_oidc).await.contains("and environment variable ALIBABA_CLOUD_OIDC_TOKEN_FILE gives"));
    // Nobody looks at profiles where the environment alone was asked for.
    machine.call(environment(&machine.context())).await.unwrap();
    // The SDKs and Terraform go by the key.
    machine.unset("ALIBABACLOUD_PROFILE");
    machine.set("ALICLOUD_PROFILE", "dev");
    assert!(machine.origin().await.unwrap().starts_with("environment variable "));
}

#[tokio::test]
async fn another_path_of_the_command_lines_file_is_followed() {
    for name in ["ALIBABA_CLOUD_CONFIG_FILE", "ALICLOUD_SHARED_CREDENTIALS_FILE"] {
        let mut machine = with_profiles().await;
        let fields = format!(r#"{{"name":"x","mode":"AK",{}}}"#, own_key());
        let path = machine.write("elsewhere.json", format!(r#"{{"current":"x","profiles":[{fields}]}}"#));
        machine.set(name, path.display().to_string());
        assert_eq!(machine.origin().await.unwrap(), "~/elsewhere.json profile x (AK)");
        machine.remove("elsewhere.json");
        let shown = machine.shown(&machine.origin().await.unwrap_err());
        assert!(shown.contains(&format!("{name}: ~/elsewhere.json is not there")), "{shown}");
    }
}

#[tokio::test]
async fn a_file_of_the_other_shape_is_said_to_be() {
    let mut machine = with_profiles().await;
    machine.remove(CLI_FILE);
    let path = machine.write("config.json", "\u{feff}{\"current\":\"dev\"}");
    machine.set("ALIBABA_CLOUD_CREDENTIALS_FILE", path.display().to_string());
    let shown = refused(&machine).await;
    assert!(
        shown.contains("it is JSON, as Terraform has it: name it by ALIBABA_CLOUD_CONFIG_FILE"),
        "{shown}"
    );
}

#[tokio::test]
async fn the_role_terraform_assumes_is_assumed_with_any_sources_key() {
    for in_environment in [true, false] {
        let mut machine = Machine::new().await;
        if in_environment {
            machine.set("ALICLOUD_ACCESS_KEY", KEY_ID);
            machine.set("ALICLOUD_SECRET_KEY", SECRET);
        } else {
            machine.write_profiles(&[("p", &format!(r#""mode":"AK",{}"#, own_key()))]);
        }
        let role = machine.cloud.role_arn().to_owned();
        machine.set(ASSUME, role.as_str());
        machine.set("ALICLOUD_ASSUME_ROLE_SESSION_NAME", "tf");
        machine.set("ALICLOUD_ASSUME_ROLE_SESSION_EXPIRATION", "900");
        let origin = machine.origin().await.unwrap();
        assert!(origin.starts_with(&format!("environment variable {ASSUME}, role {role}, by ")), "{origin}");
        let asked = machine.cloud.sts_requests().pop().unwrap();
        let asked = ["RoleArn", "RoleSessionName", "DurationSeconds"].map(|name| param(&asked, name));
        assert_eq!(asked, [role.as_str(), "tf", "900"]);
        if in_environment {
            let alone = environment(&machine.context());
            assert_eq!(alone.access_key().await.unwrap().id().get(..4), Some("STS."));
            let error = from_env(FixedEnv::from_iter(machine.env.clone())).access_key().await.unwrap_err();
            assert!(error.message().starts_with(&format!("{ASSUME} is set: ")), "{error}");
        }
        // One session, for as long as it lasts.
        let chain = default_chain(&machine.context());
        let first = chain.access_key().await.unwrap();
        assert_eq!(chain.access_key().await.unwrap().id(), first.id());
    }
}

#[tokio::test]
async fn a_role_that_is_not_given_is_replaced_by_nobody() {
    let mut machine = Machine::new().await;
    machine.set(PAIR[0], KEY_ID);
    machine.set(PAIR[1], SECRET);
    machine.set(ASSUME, "acs:ram::1:role/nobody");
    let shown = refused(&machine).await;
    assert!(shown.contains("the role acs:ram::1:role/nobody was not given"), "{shown}");
    machine.set("ALICLOUD_ASSUME_ROLE_SESSION_EXPIRATION", "1h");
    assert!(refused(&machine).await.contains("ALICLOUD_ASSUME_ROLE_SESSION_EXPIRATION is no number"));
}

#[tokio::test]
async fn a_role_beside_a_key_is_the_sdks_choice_and_not_assumed() {
    let mut machine = Machine::new().await;
    machine.set(PAIR[0], KEY_ID);
    machine.set(PAIR[1], SECRET);
    machine.set("ALIBABA_CLOUD_ROLE_ARN", machine.cloud.role_arn().to_owned());
    assert_eq!(machine.origin().await.unwrap(), "environment variable ALIBABA_CLOUD_ACCESS_KEY_ID");
}

#[tokio::test]
async fn an_oidc_role_is_found_by_every_tools_names() {
    const PARTS: [&str; 3] = ["ROLE_ARN", "OIDC_PROVIDER_ARN", "OIDC_TOKEN_FILE"];
    let mut machine = Machine::new().await;
    machine.with_oidc();
    let sdk = PARTS.map(|part| format!("ALIBABA_CLOUD_{part}"));
    let command_line = PARTS.map(|part| format!("ALIBABACLOUD_{part}"));
    for (sdk, other) in sdk.iter().zip(&command_line) {
        let value = machine.env[sdk].clone();
        machine.unset(sdk);
        machine.set(other, value);
    }
    let origin = machine.origin().await.unwrap();
    assert!(origin.starts_with("environment variable ALIBABACLOUD_OIDC_TOKEN_FILE, role "), "{origin}");
    // Terraform has the token itself.
    let token = std::fs::read_to_string(&machine.env[&command_line[2]]).unwrap();
    machine.unset(&command_line[2]);
    machine.set("ALIBABA_CLOUD_OIDC_TOKEN", token);
    let origin = machine.origin().await.unwrap();
    assert!(origin.starts_with("environment variable ALIBABA_CLOUD_OIDC_TOKEN, role "), "{origin}");
    machine.set(&sdk[0], "acs:ram::1:role/another");
    let shown = machine.shown(&machine.origin().await.unwrap_err());
    assert!(shown.contains("ALIBABA_CLOUD_ROLE_ARN and ALIBABACLOUD_ROLE_ARN say different"), "{shown}");
}

#[tokio::test]
async fn second_names_of_roles_and_addresses_are_read() {
    let mut machine = Machine::new().await;
    machine.set("ALICLOUD_ECS_ROLE_NAME", machine.cloud.ecs_role().to_owned());
    let role = machine.cloud.ecs_role().to_owned();
    assert_eq!(machine.origin().await.unwrap(), format!("ECS metadata, role {role}"));
    machine.set("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true");
    machine.set("ALICLOUD_CREDENTIALS_URI", machine.cloud.credentials_uri());
    assert_eq!(machine.origin().await.unwrap(), "environment variable ALICLOUD_CREDENTIALS_URI");
}

#[tokio::test]
async fn a_bare_token_goes_with_a_temporary_key_only() {
    let mut machine = Machine::new().await;
    let temporary = machine.cloud.issue_temporary_access_key();
    machine.set("ALIBABACLOUD_ACCESS_KEY_ID", temporary.id.as_str());
    machine.set("ALIBABACLOUD_ACCESS_KEY_SECRET", temporary.secret.as_str());
    machine.set("SECURITY_TOKEN", temporary.security_token.as_str());
    machine.origin().await.unwrap();
    machine.set("ALIBABACLOUD_ACCESS_KEY_ID", KEY_ID);
    machine.set("ALIBABACLOUD_ACCESS_KEY_SECRET", SECRET);
    machine.origin().await.unwrap();
    assert_eq!(param(&machine.cloud.requests().pop().unwrap(), "SecurityToken"), "");
}

#[tokio::test]
async fn ini_values_that_tools_read_differently_are_refused() {
    let machine = Machine::new().await;
    for (line, text) in [
        (3, format!("access_key_id = \"{KEY_ID}\"\naccess_key_secret = {SECRET}")),
        (4, format!("access_key_id = {KEY_ID}\naccess_key_secret = '{SECRET}'")),
        (4, format!("access_key_id = {KEY_ID}\naccess_key_secret = {SECRET}#mine")),
        (4, format!("access_key_id = {KEY_ID}\naccess_key_secret = {SECRET} ; mine")),
        (4, format!("access_key_id = {KEY_ID}\r\naccess_key_secret = {SECRET}%")),
        (4, format!("access_key_id = {KEY_ID}\naccess_key_secret = {SECRET}\n  {SECRET}")),
        (5, format!("access_key_id = {KEY_ID}\naccess_key_secret = {SECRET}\npolicy = \"{{}}\"")),
    ] {
        machine.write(INI_FILE, format!("[default]\ntype = access_key\n{text}\n"));
        // The role of the instance is not taken instead.
        let shown = refused(&machine).await;
        assert!(shown.contains(&format!("credentials file: ~/{INI_FILE} line {line}: ")), "{shown}");
        assert!(shown.contains("which the vendor's tools read differently"), "{shown}");
    }
    let policy = "policy = {\n  \"Version\": \"1\",\n  \"Statement\": []\n }";
    let key = format!("access_key_id = {KEY_ID}\naccess_key_secret = {SECRET} # mine");
    machine.write(INI_FILE, format!("\u{feff}[default]\r\nTYPE = access_key\r\n{key}\n{policy}\n"));
    machine.origin().await.unwrap();
}
