use super::*;

const EXPECTED: &str = "expected one of AK, StsToken, RamRoleArn, ChainableRamRoleArn, EcsRamRole, OIDC, External, CredentialsURI, CloudSSO, OAuth (unauthenticated)";

#[tokio::test]
async fn a_broken_profile_is_named_by_file_profile_and_field() {
    let machine = Machine::new().await;
    let secret = format!(r#""access_key_secret":"{SECRET}","sts_token":" ","access_key_id":"id""#);
    let ram = format!(r#""mode":"RamRoleArn",{secret}"#);
    for (fields, said) in [
        (r#""mode":"AK","access_key_id":"id""#.to_owned(), "(AK): access_key_secret is missing or empty"),
        (
            format!(r#""mode":"AK","access_key_id":"","access_key_secret":"{SECRET}""#),
            "(AK): access_key_id is missing or empty",
        ),
        (format!(r#""mode":"StsToken",{secret}"#), "(StsToken): sts_token is missing or empty"),
        (
            ram.clone(),
            "(RamRoleArn): ram_role_arn is missing or empty, and ALIBABA_CLOUD_ROLE_ARN is not set",
        ),
        (
            format!(r#"{ram},"ram_role_arn":"r","expired_seconds":899"#),
            "(RamRoleArn): expired_seconds is 899; expected 900 to 43200",
        ),
        (
            format!(r#"{ram},"ram_role_arn":"r","expired_seconds":43201"#),
            "(RamRoleArn): expired_seconds is 43201; expected 900 to 43200",
        ),
        (
            r#""mode":"OIDC","ram_role_arn":"r","oidc_provider_arn":"p""#.to_owned(),
            "(OIDC): oidc_token_file is missing or empty, and ALIBABA_CLOUD_OIDC_TOKEN_FILE is not set",
        ),
        (
            r#""mode":"OIDC","ram_role_arn":"r""#.to_owned(),
            "(OIDC): oidc_provider_arn is missing or empty, and ALIBABA_CLOUD_OIDC_PROVIDER_ARN is not set",
        ),
        (
            r#""mode":"ChainableRamRoleArn","ram_role_arn":"r""#.to_owned(),
            "(ChainableRamRoleArn): source_profile is missing or empty",
        ),
        (
            r#""mode":"ChainableRamRoleArn","source_profile":"q""#.to_owned(),
            "(ChainableRamRoleArn): source_profile q is not there; the profiles are: p, other",
        ),
        (r#""mode":"External""#.to_owned(), "(External): process_command is missing or empty"),
        (
            format!(r#""mode":"External","process_command":"prog '{CANARY}""#),
            "(External): process_command has an open quote, or no program in it",
        ),
        (
            format!(r#""mode":"CredentialsURI","credentials_uri":"{CANARY}""#),
            "(CredentialsURI): credentials_uri is not a URL; expected an http or https URL with a host and without user info",
        ),
    ] {
        machine.write_profiles(&[("p", &fields), ("other", &format!(r#""mode":"AK",{}"#, own_key()))]);
        let expected = format!("~/.aliyun/config.json: profile p {said} (unauthenticated)");
        assert_eq!(machine.refusal("p").await, expected);
    }
}

#[tokio::test]
async fn what_is_not_supported_is_refused_by_name() {
    let machine = Machine::new().await;
    for mode in ["RsaKeyPair", "RamRoleArnWithRoleName", "BearerToken", "Anonymous", "Brand\\nNew"] {
        machine.write_profiles(&[("p", &format!(r#""mode":"{mode}",{}"#, own_key()))]);
        assert_eq!(
            machine.refusal("p").await,
            format!("~/.aliyun/config.json: profile p: mode {mode} is not supported; {EXPECTED}")
        );
    }
    machine.write_profiles(&[("p", &own_key())]);
    assert_eq!(
        machine.refusal("p").await,
        format!("~/.aliyun/config.json: profile p: there is no mode; {EXPECTED}")
    );
}

#[tokio::test]
async fn profiles_that_are_their_own_source_are_refused_by_name() {
    let machine = Machine::new().await;
    let chained = |source: &str| {
        format!(r#""mode":"ChainableRamRoleArn","ram_role_arn":"r","source_profile":"{source}""#)
    };
    machine.write_profiles(&[
        ("a", &chained("b")),
        ("b", &chained("c")),
        ("c", &chained("b")),
        ("d", &chained("d")),
    ]);
    let said = |profile: &str, circle: &str| {
        format!(
            "~/.aliyun/config.json: profile {profile} (ChainableRamRoleArn): source_profile leads in a circle: {circle} (unauthenticated)"
        )
    };
    assert_eq!(machine.refusal("a").await, said("c", "a -> b -> c -> b"));
    assert_eq!(machine.refusal("d").await, said("d", "d -> d"));
    assert!(machine.cloud.sts_requests().is_empty());
}

#[tokio::test]
async fn a_profile_that_is_not_there_is_told_with_those_that_are() {
    let machine = Machine::with(MockAliyunBuilder::without_ecs_role).await;
    assert_eq!(
        machine.refusal("p").await,
        "CLI profile p: ~/.aliyun/config.json is not there (unauthenticated)"
    );
    machine.write_profiles(&[("a", &own_key()), ("b\\u001b", &own_key())]);
    assert_eq!(
        machine.refusal("p").await,
        "~/.aliyun/config.json: there is no profile p; the profiles are: a, b\\u{1b} (unauthenticated)"
    );
    machine.write(CLI_FILE, "{}");
    let said = machine.said().await;
    assert!(
        said.contains(
            "CLI profile: ~/.aliyun/config.json has no current profile, and ALIBABA_CLOUD_PROFILE is not set;"
        ),
        "{said}"
    );
    let said = machine.refusal("p").await;
    assert!(said.ends_with("there is no profile p; the profiles are: none (unauthenticated)"), "{said}");
}

#[tokio::test]
async fn a_file_that_is_no_json_is_named_by_its_line() {
    let machine = Machine::new().await;
    for (text, said) in [
        (format!("{{\"profiles\":[\n{CANARY}]}}"), "line 2: expected JSON: expected value"),
        (format!("{{\"profiles\":\"{CANARY}\"}}"), "line 1: expected a sequence"),
    ] {
        machine.write(CLI_FILE, text);
        assert_eq!(machine.refusal("p").await, format!("~/.aliyun/config.json {said} (unauthenticated)"));
    }
}

#[tokio::test]
async fn what_is_odd_about_a_field_matters_to_its_own_profile_only() {
    let machine = Machine::new().await;
    let assume =
        format!(r#""mode":"RamRoleArn",{},"ram_role_arn":"{}""#, own_key(), machine.cloud.role_arn());
    let odd = [
        (
            format!(r#"{assume},"expired_seconds":"{CANARY}""#),
            "(RamRoleArn): expired_seconds: expected a number of seconds",
        ),
        (
            format!(r#"{assume},"expired_seconds":-1"#),
            "(RamRoleArn): expired_seconds: expected a number of seconds",
        ),
        (format!(r#"{assume},"enable_vpc":"{CANARY}""#), "(RamRoleArn): enable_vpc: expected true or false"),
        (format!(r#"{assume},"policy":{{"a":"{CANARY}"}}"#), "(RamRoleArn): policy: expected a text"),
        (
            format!(r#""mode":"AK","access_key_id":"id","access_key_secret":["{CANARY}"]"#),
            "(AK): access_key_secret: expected a text",
        ),
        (format!(r#""mode":["{CANARY}"]"#), ": mode: expected a text"),
    ];
    for (fields, said) in odd {
        machine.write_profiles(&[("good", &format!(r#""mode":"AK",{}"#, own_key())), ("odd", &fields)]);
        assert_eq!(machine.origin().await.unwrap(), "~/.aliyun/config.json profile good (AK)");
        let said = said.strip_prefix(':').map_or_else(|| format!(" {said}"), |said| format!(":{said}"));
        let expected = format!("~/.aliyun/config.json: profile odd{said} (unauthenticated)");
        assert_eq!(machine.refusal("odd").await, expected);
    }
    // Given twice, the last counts, as it does for the vendor's own.
    let twice = format!(r#""mode":"RamRoleArn","mode":"AK","expired_seconds":[],{}"#, own_key());
    machine.write_profiles(&[("p", &twice), ("no profile", r#""name":5"#)]);
    assert_eq!(machine.origin().await.unwrap(), "~/.aliyun/config.json profile p (AK)");
    machine.write_profiles(&[("p", &format!(r#"{assume},"expired_seconds":"900","sts_region":null"#))]);
    machine.origin().await.unwrap();
    assert_eq!(param(&machine.cloud.sts_requests().pop().unwrap(), "DurationSeconds"), "900");
    machine.write(CLI_FILE, r#"{"current":5,"profiles":["p",null]}"#);
    let shown = machine.refusal("p").await;
    assert!(shown.contains("there is no profile p; the profiles are: none"), "{shown}");
}

#[tokio::test]
async fn a_broken_section_is_named_by_file_line_and_name() {
    const TYPES: &str =
        "this type is not supported; expected one of access_key, ram_role_arn, oidc_role_arn, ecs_ram_role";
    let mut machine = Machine::with(MockAliyunBuilder::without_ecs_role).await;
    machine.set("ALIBABA_CLOUD_PROFILE", "s");
    let key = format!("access_key_id=id\naccess_key_secret={SECRET}");
    for (text, said) in [
        (format!("[s]\ntype=rsa_key_pair\n{key}"), format!("line 1: section [s] (rsa_key_pair): {TYPES}")),
        (format!("[a]\n[s]\ntype=sts\n{key}"), format!("line 2: section [s] (sts): {TYPES}")),
        (format!("[s]\n{key}"), format!("line 1: section [s] (): {TYPES}")),
        (
            format!("[s]\ntype=access_key\naccess_key_id=#id\naccess_key_secret={SECRET}"),
            "line 1: section [s] (access_key): access_key_id is missing or empty".to_owned(),
        ),
        (
            format!("[s]\ntype=ram_role_arn\n{key}"),
            "line 1: section [s] (ram_role_arn): role_arn is missing or empty, and ALIBABA_CLOUD_ROLE_ARN is not set".to_owned(),
        ),
        (format!("[a]\n[b]\n{key}"), ": there is no section [s]; the sections are: a, b".to_owned()),
        (format!("[s]\n{CANARY}"), "line 2: expected `[section]` or `name = value`".to_owned()),
    ] {
        machine.write(INI_FILE, text);
        let shown = machine.shown(&machine.origin().await.unwrap_err());
        let said = format!(
            "credentials file: ~/{INI_FILE}{}{said}",
            if said.starts_with(':') { "" } else { " " }
        );
        assert!(shown.contains(&said), "{said}: {shown}");
    }
    machine.unset("ALIBABA_CLOUD_PROFILE");
    machine.write(INI_FILE, "[a]");
    let shown = machine.said().await;
    let said = format!("credentials file: ~/{INI_FILE} has no section [default]; the sections are: a;");
    assert!(shown.contains(&said), "{shown}");
    machine.set("ALIBABA_CLOUD_CREDENTIALS_FILE", "/nonexistent");
    let shown = machine.shown(&machine.origin().await.unwrap_err());
    assert!(shown.contains("ALIBABA_CLOUD_CREDENTIALS_FILE: /nonexistent is not there (unauth"), "{shown}");
}

#[tokio::test]
async fn an_sts_region_that_is_none_is_named() {
    let mut machine = Machine::new().await;
    machine.unset("RECORD_CALLBACK_ALIYUN_STS_ENDPOINT");
    let fields = format!(r#""mode":"RamRoleArn",{},"ram_role_arn":"r","sts_region":"a/b""#, own_key());
    machine.write_profiles(&[("p", &fields)]);
    let said = machine.refusal("p").await;
    assert!(
        said.starts_with("~/.aliyun/config.json profile p (RamRoleArn): sts_region: `a/b` is not a region"),
        "{said}"
    );
}

#[tokio::test]
async fn a_role_that_is_refused_is_named_and_its_key_is_not() {
    let machine = Machine::new().await;
    for (id, role, said) in [
        (
            KEY_ID,
            "acs:ram::1:role/none",
            "The specified Role does not exist. (unauthenticated, code EntityNotExist.Role, status 404, request id ",
        ),
        (KEY_ID, "none", "The parameter RoleArn is wrongly formed."),
        ("LTAIunknown", "acs:ram::1:role/r", "aliyun AssumeRole: "),
        ("QTWAOYTTINDUT2QVKYUC", "acs:ram::1:role/r", "the access key looks like one of Huawei Cloud: "),
    ] {
        let key = format!(r#""access_key_id":"{id}","access_key_secret":"{SECRET}""#);
        machine.write_profiles(&[("p", &format!(r#""mode":"RamRoleArn",{key},"ram_role_arn":"{role}""#))]);
        let shown = machine.refusal("p").await;
        let begin = format!("~/.aliyun/config.json profile p (RamRoleArn): the role {role} was not given: ");
        assert!(shown.starts_with(&begin) && shown.contains(said), "{shown}");
        assert!(shown.contains("(unauthenticated"), "{shown}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn what_a_program_says_is_never_shown() {
    let machine = Machine::new().await;
    for (command, said) in [
        (format!("/nonexistent/{CANARY}"), "the program cannot be started"),
        (
            format!("sh -c 'echo {CANARY} | tee /dev/stderr; exit 1' {CANARY}"),
            "the program failed (exit status: 1); run it by hand to see why",
        ),
        (format!("echo {CANARY}"), "the program did not print JSON with access_key_id"),
    ] {
        machine.write_profiles(&[("p", &format!(r#""mode":"External","process_command":"{command}""#))]);
        let shown = machine.refusal("p").await;
        assert!(shown.starts_with(&format!("~/.aliyun/config.json profile p (External): {said}")), "{shown}");
    }
}

#[tokio::test]
async fn debug_shows_no_secret_of_any_source() {
    let mut machine = Machine::with(|cloud| cloud.external_id(CANARY)).await;
    machine.set("ALIBABA_CLOUD_CREDENTIALS_URI", format!("{}?{CANARY}", machine.cloud.credentials_uri()));
    machine.set("ALICLOUD_SECRET_KEY", SECRET);
    machine.with_oidc();
    let role = format!(r#""ram_role_arn":"{}","external_id":"{CANARY}""#, machine.cloud.role_arn());
    machine.write_profiles(&[("p", &format!(r#""mode":"RamRoleArn",{},{role}"#, own_key()))]);
    let (chain, profile) = (default_chain(&machine.context()), profile(&machine.context(), "p"));
    let keys = [chain.access_key().await.unwrap(), profile.access_key().await.unwrap()];
    let token = std::fs::read_to_string(machine.home.path().join("token")).unwrap();
    let client = machine.client(chain.clone());
    let shown = format!("{chain:#?} {profile:#?} {keys:#?} {client:#?}");
    for key in &keys {
        let secrets = [key.expose_secret(), key.expose_security_token().unwrap(), &token, CANARY];
        assert!(!secrets.iter().any(|secret| shown.contains(secret)), "{shown}");
    }
}
