//! Every source of keys for Aliyun.

use record_callback::aliyun::{default_chain, profile};

use super::*;

const NO_METADATA: &str = "ALIBABA_CLOUD_ECS_METADATA_DISABLED";

/// Where keys are issued, and what for.
pub(super) struct Services {
    pub(super) sts: String,
    pub(super) metadata: String,
    pub(super) uri: String,
    pub(super) role_arn: String,
    pub(super) provider_arn: String,
    pub(super) id_token: String,
}

impl Services {
    fn of(mock: &MockAliyun, id_token: String) -> Self {
        Self {
            sts: mock.sts_endpoint().into(),
            metadata: mock.metadata_endpoint().into(),
            uri: format!("{}?code={URL_SECRET}", mock.credentials_uri()),
            role_arn: mock.role_arn().into(),
            provider_arn: mock.oidc_provider_arn().into(),
            id_token,
        }
    }

    /// All of them at one address.
    pub(super) fn at(address: &str) -> Self {
        Self {
            sts: address.into(),
            metadata: address.into(),
            uri: format!("{address}/{URL_SECRET}/key?code={URL_SECRET}"),
            role_arn: "acs:ram::1:role/r".into(),
            provider_arn: "acs:ram::1:oidc-provider/p".into(),
            id_token: ID_TOKEN.into(),
        }
    }
}

/// All ways there are, with their files in `directory`.
pub(super) fn ways(services: &Services, directory: &Path) -> Vec<Way> {
    let Services { sts, metadata, uri, role_arn, provider_arn, id_token } = services;
    let id_token_file = write(directory, "id_token", &format!("{id_token}\n"));
    let printed = json!({
        "mode": "StsToken", "access_key_id": "STS.example",
        "access_key_secret": TEMPORARY_SECRET, "sts_token": SECURITY_TOKEN,
    });
    let printed = write(directory, "printed", &printed.to_string());
    let key = [("access_key_id", ID), ("access_key_secret", SECRET)];
    let temporary = [
        ("access_key_id", "STS.example"),
        ("access_key_secret", TEMPORARY_SECRET),
        ("sts_token", SECURITY_TOKEN),
    ];
    let role = [("ram_role_arn", role_arn.as_str()), ("external_id", EXTERNAL_ID)];
    let oidc = [("oidc_provider_arn", provider_arn.as_str()), ("oidc_token_file", &id_token_file)];
    let command = format!("sh -c 'cat \"$0\"' {printed} {ARGUMENT}");
    let profiles = [
        ("AK", key.to_vec()),
        ("StsToken", temporary.to_vec()),
        ("RamRoleArn", [key, role].concat()),
        ("CloudSSO", temporary.to_vec()),
        ("OAuth", [&temporary[..], &[("oauth_refresh_token", ARGUMENT)]].concat()),
        ("ChainableRamRoleArn", [&role[..], &[("source_profile", "StsToken")]].concat()),
        ("EcsRamRole", vec![("ram_role_name", "")]),
        ("OIDC", [role, oidc].concat()),
        ("External", vec![("process_command", command.as_str())]),
        ("CredentialsURI", vec![("credentials_uri", uri.as_str())]),
    ];
    let names = profiles.each_ref().map(|(mode, _)| *mode);
    let profiles: Vec<_> = profiles
        .into_iter()
        .map(|(mode, fields)| {
            let mut profile: serde_json::Map<_, _> =
                fields.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
            profile.extend([("name".to_owned(), json!(mode)), ("mode".to_owned(), json!(mode))]);
            // Of the keys of logins; the others have no end there.
            profile.insert("sts_expiration".to_owned(), json!(4_102_444_800_u64));
            profile
        })
        .collect();
    let home = directory.join("home");
    write(&home, ".aliyun/config.json", &json!({ "current": "AK", "profiles": profiles }).to_string());
    let (home, nobody) = (home.to_str().unwrap(), directory.join("nobody"));
    let nobody = nobody.to_str().unwrap();

    let key = format!("access_key_id = {ID}\naccess_key_secret = {SECRET}\nrole_arn = {role_arn}\n");
    let oidc = format!("oidc_provider_arn = {provider_arn}\noidc_token_file_path = {id_token_file}\n");
    let sections = ["access_key", "ram_role_arn", "oidc_role_arn", "ecs_ram_role"]
        .map(|kind| (kind, format!("[{kind}]\ntype = {kind}\n{key}{oidc}")));
    let ini = write(directory, "ini", &sections.each_ref().map(|(_, text)| text.as_str()).concat());

    let base = |home: &str| {
        let endpoints = [
            ("RECORD_CALLBACK_ALIYUN_STS_ENDPOINT", sts.clone()),
            ("RECORD_CALLBACK_ALIYUN_METADATA_ENDPOINT", metadata.clone()),
        ];
        [endpoints, same(["HOME", "USERPROFILE"], home)].concat()
    };
    let without_metadata = [(NO_METADATA, "true".to_owned())];
    let way = |name, variables: &[(&'static str, String)]| {
        Way::new(name, [base(nobody), without_metadata.to_vec(), variables.to_vec()].concat())
    };
    let environment = [
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", ID.to_owned()),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET.to_owned()),
    ];
    let temporary = [
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", "STS.example".to_owned()),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", TEMPORARY_SECRET.to_owned()),
        ("ALIBABA_CLOUD_SECURITY_TOKEN", SECURITY_TOKEN.to_owned()),
    ];
    let oidc = [
        ("ALIBABA_CLOUD_ROLE_ARN", role_arn.clone()),
        ("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", provider_arn.clone()),
        ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", id_token_file),
    ];
    let assumed = [&environment[..], &[("ALICLOUD_ASSUME_ROLE_ARN", role_arn.clone())]].concat();
    let given = [&oidc[..2], &[("ALIBABA_CLOUD_OIDC_TOKEN", id_token.clone())]].concat();
    let mut ways = vec![
        way("environment", &environment),
        way("role of Terraform", &assumed),
        way("OIDC role with a token", &given),
        way("temporary key in the environment", &temporary),
        way("OIDC role", &oidc),
        Way::new("ECS metadata", base(nobody)),
        way("credentials URI", &[("ALIBABA_CLOUD_CREDENTIALS_URI", uri.clone())]),
    ];
    for mode in names.into_iter().filter(|mode| cfg!(unix) || *mode != "External") {
        let variables = [base(home), vec![("ALIBABA_CLOUD_PROFILE", mode.to_owned())]].concat();
        ways.push(Way { profile: Some(mode), ..Way::new(mode, variables) });
    }
    for (section, _) in sections {
        let chosen =
            [("ALIBABA_CLOUD_CREDENTIALS_FILE", ini.clone()), ("ALIBABA_CLOUD_PROFILE", section.to_owned())];
        // Sections with the machine's role need its metadata.
        ways.push(Way::new(section, [base(nobody), chosen.to_vec()].concat()));
    }
    ways
}

/// Asks for a key in this way, makes calls of the API with it, and asks a doctor. Whether there was one.
pub(super) async fn use_way(
    why: &str,
    way: &Way,
    endpoint: &str,
    shown: &mut Shown,
    secrets: &mut Secrets,
) -> bool {
    let what = format!("{why}: Aliyun, {}", way.name);
    let context = way.context();
    if let Some(name) = way.profile {
        ask(&what, &profile(&context, name), shown, secrets).await;
    }
    let key = ask(&what, &default_chain(&context), shown, secrets).await;
    let builder = AliyunClient::builder()
        .endpoint(endpoint)
        .env(way.env())
        .quotas(Quotas::unlimited())
        .retry(few_attempts());
    let client = builder.build().unwrap();
    shown.result(&what, client.describe_live_record_notify_config(DOMAIN).await.map(drop));
    show_findings(&what, client.examine(None).await, shown);
    shown.debug(&what, &client);
    key.is_some()
}

fn builder(secret: &str, temporary_secret: &str) -> record_callback_mock::MockAliyunBuilder {
    MockAliyun::builder()
        .access_key(ID, secret)
        .temporary_access_key("STS.example", temporary_secret, SECURITY_TOKEN)
        .domain(DOMAIN)
}

fn show_mock(mock: &MockAliyun, shown: &mut Shown, secrets: &mut Secrets) {
    for requests in [mock.requests(), mock.sts_requests(), mock.metadata_requests()] {
        secrets.add_used(&requests);
        shown.debug("a mock's requests", &requests);
    }
    shown.debug("a mock", mock);
}

#[test]
fn nothing_is_shown_while_sources_of_aliyun_work() {
    watched(async |shown, secrets| {
        let builder = builder(SECRET, TEMPORARY_SECRET);
        shown.debug("a mock's builder", &builder);
        let mock = builder.start().await.unwrap();
        let id_token = mock.issue_oidc_token();
        secrets.add("id token", &id_token);
        let directory = tempfile::tempdir().unwrap();
        for way in ways(&Services::of(&mock, id_token), directory.path()) {
            assert!(use_way("working", &way, mock.endpoint(), shown, secrets).await, "{}", way.name);
        }
        let received = [mock.sts_requests(), mock.metadata_requests()].concat();
        let text = |request: &ReceivedRequest| {
            let body = String::from_utf8_lossy(request.body());
            format!("{}?{} {:?} {body}\n", request.path(), request.query(), request.headers())
        };
        let received: String = received.iter().map(text).collect();
        let token = percent_encoded(SECURITY_TOKEN);
        for secret in [EXTERNAL_ID, URL_SECRET, "OIDCToken=ey", "metadata-token\"", &token] {
            assert!(received.contains(secret), "{secret} was not sent: {received}");
        }
        show_mock(&mock, shown, secrets);
    });
}

#[test]
fn nothing_is_shown_when_services_of_aliyun_fail() {
    watched(async |shown, secrets| {
        let mock = builder(SECRET, TEMPORARY_SECRET).start().await.unwrap();
        let id_token = mock.issue_oidc_token();
        secrets.add("id token", &id_token);
        let directory = tempfile::tempdir().unwrap();
        let mut ways = ways(&Services::of(&mock, id_token), directory.path());
        for kind in every_fault() {
            strike(&[mock.sts_faults(), mock.metadata_faults()], &kind);
            let mut keys = Vec::new();
            for way in &ways {
                if use_way(kind.name(), way, mock.endpoint(), shown, secrets).await {
                    keys.push(way.name);
                }
            }
            // The others have what they need.
            ways.retain(|way| kind != FaultKind::Reset || !keys.contains(&way.name));
            let is_harmless = matches!(kind, FaultKind::MediaType { .. } | FaultKind::Twice);
            assert!(is_harmless || kind == FaultKind::Reset || keys.is_empty(), "{}: {keys:?}", kind.name());
        }
        show_mock(&mock, shown, secrets);
    });
}

/// STS echoes what it would have signed, with the security token in it.
#[test]
fn nothing_is_shown_when_aliyun_refuses_the_proofs() {
    watched(async |shown, secrets| {
        let mock = builder(NOT_OURS, NOT_OURS).external_id("another").without_ecs_role();
        let mock = mock.start().await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        for way in ways(&Services::of(&mock, ID_TOKEN.into()), directory.path()) {
            use_way("refused", &way, mock.endpoint(), shown, secrets).await;
        }
        let codes: Vec<_> =
            mock.sts_requests().iter().filter_map(|request| request.code().map(str::to_owned)).collect();
        for code in ["SignatureDoesNotMatch", "AuthenticationFail.OIDCToken.Invalid"] {
            assert!(codes.iter().any(|said| said == code), "{codes:?}");
        }
        show_mock(&mock, shown, secrets);
    });
}
