use record_callback_aliyun::{default_chain, from_env};
use record_callback_core::ErrorKind;
use record_callback_mock::{Fault, FaultKind};

use super::*;

const ID: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";
const PAIR: [&str; 2] = [ID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET"];
const BARE: [&str; 3] = ["ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "SECURITY_TOKEN"];

/// With every source set up.
async fn with_all() -> Machine {
    let mut machine = Machine::new().await;
    machine.set(PAIR[0], KEY_ID);
    machine.set(PAIR[1], SECRET);
    machine.with_oidc();
    machine.write_profiles(&[("main", &format!(r#""mode":"AK",{}"#, own_key()))]);
    let ini = format!("[default]\ntype=access_key\naccess_key_id={KEY_ID}\naccess_key_secret={SECRET}");
    machine.write(INI_FILE, ini);
    machine.set("ALIBABA_CLOUD_CREDENTIALS_URI", machine.cloud.credentials_uri());
    machine.set(BARE[0], KEY_ID);
    machine.set(BARE[1], SECRET);
    machine
}

type Remove = fn(&mut Machine);

#[tokio::test]
async fn sources_are_asked_in_the_vendors_order() {
    let mut machine = with_all().await;
    let oidc =
        format!("environment variable ALIBABA_CLOUD_OIDC_TOKEN_FILE, role {}", machine.cloud.role_arn());
    let order: [(&str, Remove); 7] = [
        ("environment variable ALIBABA_CLOUD_ACCESS_KEY_ID", |machine| {
            for name in PAIR {
                machine.unset(name);
            }
        }),
        (&oidc, |machine| machine.unset("ALIBABA_CLOUD_OIDC_TOKEN_FILE")),
        ("~/.aliyun/config.json profile main (AK)", |machine| machine.remove(CLI_FILE)),
        ("~/.alibabacloud/credentials.ini section [default] (access_key)", |machine| {
            machine.remove(INI_FILE);
        }),
        ("ECS metadata", |machine| machine.set("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")),
        ("environment variable ALIBABA_CLOUD_CREDENTIALS_URI", |machine| {
            machine.unset("ALIBABA_CLOUD_CREDENTIALS_URI");
        }),
        ("environment variable ACCESS_KEY_ID", |machine| machine.unset(BARE[0])),
    ];
    for (origin, remove) in order {
        assert_eq!(machine.origin().await.unwrap(), origin);
        remove(&mut machine);
    }
    let error = machine.origin().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    let shown = machine.shown(&error);
    assert!(shown.contains("no credentials were found: set ALIBABA_CLOUD_ACCESS_KEY_ID"), "{shown}");
    assert!(shown.len() < 250, "{shown}");
    let shown = machine.said().await;
    for said in [
        "environment: none of ALIBABA_CLOUD_ACCESS_KEY_ID, ALIYUN_ACCESS_KEY_ID, ",
        "; OIDC role: ALIBABA_CLOUD_OIDC_TOKEN_FILE is not set; ",
        "; CLI profile: ~/.aliyun/config.json is not there; ",
        "; credentials file: ALIBABA_CLOUD_CREDENTIALS_FILE is not set, and neither ~/.alibabacloud/credentials.ini nor ",
        "; ECS metadata: ALIBABA_CLOUD_ECS_METADATA_DISABLED is true; ",
        "; credentials URI: ALIBABA_CLOUD_CREDENTIALS_URI is not set; ",
        // Half a key is as likely another program's.
        "; bare environment: ACCESS_KEY_ID is not set, though ACCESS_KEY_SECRET is;",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
}

#[tokio::test]
async fn the_command_lines_file_can_be_disabled() {
    let mut machine = with_all().await;
    for name in PAIR {
        machine.unset(name);
    }
    machine.unset("ALIBABA_CLOUD_ROLE_ARN");
    machine.set("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "TRUE");
    assert!(machine.origin().await.unwrap().starts_with("~/.alibabacloud/credentials.ini"));
}

#[tokio::test]
async fn what_is_broken_hides_nothing_behind_it_and_is_told_when_all_is() {
    let mut machine = with_all().await;
    machine.unset(BARE[0]);
    machine.unset(PAIR[1]);
    machine.remove("token");
    machine.write(CLI_FILE, format!("{{\"current\": {CANARY}"));
    machine.write(INI_FILE, CANARY);
    machine.set("ALIBABA_CLOUD_ECS_METADATA", "another-role");
    assert_eq!(machine.origin().await.unwrap(), "environment variable ALIBABA_CLOUD_CREDENTIALS_URI");

    let busy = FaultKind::Status { status: 503, retry_after: None };
    machine.cloud.metadata_faults().add(Fault::new(busy).until_cleared());
    let error = machine.origin().await.unwrap_err();
    let shown = machine.shown(&error);
    for said in [
        "environment: ALIBABA_CLOUD_ACCESS_KEY_SECRET is not set, though ALIBABA_CLOUD_ACCESS_KEY_ID is",
        " was not given: the file of the OIDC token, ~/token, cannot be read (unauthenticated)",
        "~/.aliyun/config.json line 1: expected JSON",
        "~/.alibabacloud/credentials.ini line 1: expected",
        "ECS metadata, role another-role: aliyun metadata key: answered 503",
        "gave no key: aliyun credentials URI: answered 503",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
}

#[tokio::test]
async fn every_set_of_variables_gives_a_key_and_the_first_wins() {
    let machine = Machine::new().await;
    let temporary = machine.cloud.issue_temporary_access_key();
    let sets = [
        ["ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN"],
        ["ALIYUN_ACCESS_KEY_ID", "ALIYUN_ACCESS_KEY_SECRET", "ALIYUN_SECURITY_TOKEN"],
        ["ALIBABACLOUD_ACCESS_KEY_ID", "ALIBABACLOUD_ACCESS_KEY_SECRET", "ALIBABACLOUD_SECURITY_TOKEN"],
        ["ALICLOUD_ACCESS_KEY_ID", "ALICLOUD_ACCESS_KEY_SECRET", "ALICLOUD_SECURITY_TOKEN"],
        ["ALICLOUD_ACCESS_KEY", "ALICLOUD_SECRET_KEY", "ALICLOUD_SECURITY_TOKEN"],
    ];
    let values = [temporary.id.as_str(), &temporary.secret, &temporary.security_token];
    for (n, names) in sets.iter().enumerate() {
        // The sets behind it do not matter.
        let others = sets[n + 1..].iter().flatten().map(|name| (*name, "other"));
        let env = || others.clone().chain(names.iter().copied().zip(values)).collect::<FixedEnv>();
        machine.call(from_env(env())).await.unwrap();
        let key = from_env(env()).access_key().await.unwrap();
        assert_eq!(key.origin(), Some(format!("environment variable {}", names[0]).as_str()));
        let other = sets[(n + 1) % sets.len()][1];
        let halves = FixedEnv::from_iter([(names[0], values[0]), (other, values[1]), (BARE[1], values[1])]);
        let mixed = from_env(halves).access_key().await.unwrap_err();
        assert!(mixed.message().contains(" is not set, though ALI"), "{mixed}");
    }
}

#[tokio::test]
async fn variables_that_may_be_another_programs_count_last_and_in_the_chain_only() {
    let mut machine = Machine::with(MockAliyunBuilder::without_ecs_role).await;
    let temporary = machine.cloud.issue_temporary_access_key();
    for (name, value) in BARE.into_iter().zip([temporary.id, temporary.secret, temporary.security_token]) {
        machine.set(name, value);
    }
    assert_eq!(machine.origin().await.unwrap(), "environment variable ACCESS_KEY_ID");
    assert!(from_env(FixedEnv::from_iter(machine.env.clone())).access_key().await.is_err());
    machine.set(BARE[0], "another program's");
    machine.with_oidc();
    assert!(
        machine.origin().await.unwrap().starts_with("environment variable ALIBABA_CLOUD_OIDC_TOKEN_FILE")
    );
}

#[tokio::test]
async fn half_a_key_of_another_program_is_not_set_up() {
    let mut machine = Machine::with(MockAliyunBuilder::without_ecs_role).await;
    machine.set(BARE[1], SECRET);
    let reports = default_chain(&machine.context()).examine().await;
    let failed = reports.iter().filter(|report| matches!(report.result, Some(Err(Miss::Failed(_)))));
    assert_eq!(failed.count(), 0, "{reports:?}");
    assert_eq!(reports.last().unwrap().name, "bare environment");
}

#[tokio::test]
async fn an_oidc_role_needs_all_of_its_variables() {
    let names =
        ["ALIBABA_CLOUD_ROLE_ARN", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "ALIBABA_CLOUD_OIDC_TOKEN_FILE"];
    let mut machine = Machine::new().await;
    machine.set("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true");
    for missing in [&names[..1], &names[1..2], &names[2..], &names[1..], &names] {
        machine.with_oidc();
        for name in missing {
            machine.unset(name);
        }
        let shown = machine.said().await;
        let verb = if missing.len() == 1 { "is" } else { "are" };
        let said = format!("OIDC role: {} {verb} not set;", missing.join(", "));
        assert!(shown.contains(&said), "{shown}");
    }
    assert!(machine.cloud.sts_requests().is_empty());
}

#[tokio::test]
async fn an_oidc_session_is_asked_for_in_the_body_and_without_a_signature() {
    let mut machine = Machine::new().await;
    let token = std::fs::read_to_string(machine.with_oidc()).unwrap();
    machine.set("ALIBABA_CLOUD_ROLE_SESSION_NAME", "my-session");
    machine.origin().await.unwrap();
    let asked = machine.cloud.sts_requests();
    let [asked] = asked.as_slice() else { panic!("{asked:?}") };
    for (name, value) in [
        ("Action", "AssumeRoleWithOIDC"),
        ("Version", "2015-04-01"),
        ("RoleArn", machine.cloud.role_arn()),
        ("OIDCProviderArn", machine.cloud.oidc_provider_arn()),
        ("OIDCToken", &token),
        ("RoleSessionName", "my-session"),
        ("DurationSeconds", "3600"),
        ("Signature", ""),
        ("AccessKeyId", ""),
    ] {
        assert_eq!(param(asked, name), value, "{name}");
    }
    assert!(!asked.query().contains(&token));
}

#[tokio::test]
async fn an_oidc_role_that_is_refused_is_named_and_its_token_is_not() {
    let mut machine = Machine::new().await;
    let token = machine.with_oidc();
    machine.set("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true");
    let role = machine.cloud.role_arn().to_owned();
    let origin = format!("environment variable ALIBABA_CLOUD_OIDC_TOKEN_FILE, role {role}");
    for (text, said) in [
        (
            format!("{CANARY}.{CANARY}"),
            format!("the role {role} was not given: aliyun AssumeRoleWithOIDC: This"),
        ),
        (
            " \n".to_owned(),
            format!("the role {role} was not given: the file of the OIDC token, ~/token, is empty ("),
        ),
    ] {
        std::fs::write(&token, text).unwrap();
        let shown = machine.shown(&machine.origin().await.unwrap_err());
        assert!(shown.contains(&format!("OIDC role: {origin}: {said}")), "{shown}");
    }
}

#[tokio::test]
async fn a_credentials_uri_is_called_with_its_query_and_never_shown() {
    let mut machine = Machine::new().await;
    machine.set("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true");
    let uri = format!("{}?key={CANARY}", machine.cloud.credentials_uri());
    machine.set("ALIBABA_CLOUD_CREDENTIALS_URI", uri.as_str());
    assert_eq!(machine.origin().await.unwrap(), "environment variable ALIBABA_CLOUD_CREDENTIALS_URI");
    assert_eq!(machine.cloud.metadata_requests()[0].query(), format!("key={CANARY}"));
    for (uri, said) in [
        (
            format!("{}/{CANARY}?key={CANARY}", machine.cloud.metadata_endpoint()),
            "gave no key: aliyun credentials URI: answered 404",
        ),
        (
            format!("http://{CANARY}@127.0.0.1/"),
            "ALIBABA_CLOUD_CREDENTIALS_URI: has user info; expected an http or https URL",
        ),
        (CANARY.to_owned(), "ALIBABA_CLOUD_CREDENTIALS_URI: is not a URL; expected"),
    ] {
        machine.set("ALIBABA_CLOUD_CREDENTIALS_URI", uri.as_str());
        let shown = machine.shown(&machine.origin().await.unwrap_err());
        assert!(shown.contains(said), "{shown}");
    }
}

#[tokio::test]
async fn a_key_of_the_other_cloud_is_recognised_when_nobody_knows_it() {
    let machine = Machine::new().await;
    for (id, expected) in [("QTWAOYTTINDUT2QVKYUC", true), ("LTAI5tAbCdEfGhIj", false)] {
        let env = FixedEnv::from_iter([(PAIR[0], id), (PAIR[1], SECRET)]);
        let error = machine.call(from_env(env)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated);
        assert_eq!(error.message().contains("looks like one of Huawei Cloud"), expected, "{error}");
    }
}
