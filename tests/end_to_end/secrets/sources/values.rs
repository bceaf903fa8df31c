//! What holds secrets on their way from a file or a variable to a request.

use record_callback::{AliyunConfig, CredentialsConfig, HuaweicloudConfig, aliyun, huaweicloud};

use super::*;

/// Every variable with a secret that either vendor's tools read, and the proxies.
fn full_of_secrets() -> FixedEnv {
    let proxy = format!("http://user:{PROXY_PASSWORD}@127.0.0.1:1");
    let uri = format!("http://127.0.0.1:1/{URL_SECRET}?code={URL_SECRET}");
    let prefixes = ["ALIBABA_CLOUD_", "ALIYUN_", "ALIBABACLOUD_", "ALICLOUD_", ""];
    let of_aliyun = prefixes.into_iter().flat_map(|prefix| {
        [("ACCESS_KEY_ID", ID), ("ACCESS_KEY_SECRET", SECRET), ("SECURITY_TOKEN", SECURITY_TOKEN)]
            .map(|(name, value)| (format!("{prefix}{name}"), value))
    });
    let others = [
        ("ALICLOUD_ACCESS_KEY", ID),
        ("ALICLOUD_SECRET_KEY", SECRET),
        ("ALIBABA_CLOUD_CREDENTIALS_URI", &uri),
        ("HUAWEICLOUD_SDK_AK", ID),
        ("HUAWEICLOUD_SDK_SK", SECRET),
        ("HUAWEICLOUD_SDK_SECURITY_TOKEN", SECURITY_TOKEN),
        ("HW_ACCESS_KEY", ID),
        ("HW_SECRET_KEY", SECRET),
        ("HW_SECURITY_TOKEN", SECURITY_TOKEN),
        ("HUAWEICLOUD_OIDC_ID_TOKEN", ID_TOKEN),
        ("HC_CONTAINER_CREDENTIALS_FULL_URI", &uri),
        ("HTTPS_PROXY", &proxy),
        ("http_proxy", &proxy),
        ("ALL_PROXY", &proxy),
    ];
    of_aliyun
        .chain(others.map(|(name, value)| (name.to_owned(), value)))
        .map(|(name, value)| (name, value.to_owned()))
        .collect()
}

#[test]
fn nothing_is_shown_by_what_sources_are_made_of() {
    let (mut shown, secrets) = (Shown::default(), canaries());
    let env = full_of_secrets();
    let network = Network::from_env(&env);
    shown.debug("an environment", &env);
    shown.debug("a network", &network);
    shown.debug("a network", &network.without_proxies());
    for proxy in [
        format!("socks5://user:{PROXY_PASSWORD}@h:1"),
        format!("user:{PROXY_PASSWORD}@h:port"),
        format!("http://{PROXY_PASSWORD}@/"),
        format!("http://[{PROXY_PASSWORD}]/"),
    ] {
        let network = Network::from_env(&FixedEnv::from_iter([("HTTPS_PROXY", proxy)]));
        shown.debug("a bad network", &network);
        let endpoint = Endpoint::parse("endpoint", "live.example.com", false).unwrap();
        shown.error("a bad network", &network.reaches_alike(&endpoint, &endpoint).unwrap_err());
    }
    let context = SourceContext { env: Arc::new(env.clone()), network, ..SourceContext::default() };
    shown.debug("a context", &context);
    let iam = Endpoint::parse("iam", "iam.example.com", false).unwrap();
    shown.debug("a chain", &aliyun::default_chain(&context));
    shown.debug("a chain", &huaweicloud::default_chain(&context, &iam));
    shown.debug("a profile", &aliyun::profile(&context, "default"));
    shown.debug("credentials", &aliyun::from_env(env.clone()));
    shown.debug("credentials", &huaweicloud::from_env(env));

    let builder = || AliyunClient::builder().env(full_of_secrets()).endpoint("live.example.com");
    let given = StaticCredentials::new(access_key(true));
    for builder in [builder(), builder().profile("default"), builder().credentials(given)] {
        shown.debug("a builder", &builder);
        shown.debug("a client", &builder.build().unwrap());
    }
    let builder = || {
        HuaweicloudClient::builder().env(full_of_secrets()).endpoint("live.example.com").region("cn-north-4")
    };
    let login = Login::new("account", "user", PASSWORD);
    for builder in [builder(), builder().token(GIVEN_TOKEN), builder().login(login)] {
        shown.debug("a builder", &builder);
        shown.debug("a client", &builder.build().unwrap());
    }
    shown.assert_hides(&secrets);
}

#[test]
fn nothing_is_shown_by_keys_leases_and_reports() {
    watched_with(&["found credentials"], async |shown, secrets| {
        let key = access_key(true)
            .with_expiry("2999-01-02T03:04:05Z".parse().unwrap())
            .with_project_id(PROJECT)
            .from_origin("somewhere");
        shown.debug("a key", &key);
        let lease = || Lease { value: key.clone(), expires_at: key.expires_at(), issued_at: None };
        shown.debug("a lease", &lease());
        let renewed = Renewed::new(Arc::new(SystemClock), jiff::SignedDuration::from_mins(1));
        shown.debug("a renewed key", &renewed);
        shown.debug("a renewed key", &renewed.get(async || Ok(lease())).await.unwrap());
        shown.debug("a renewed key", &renewed);
        let report = |result| SourceReport { name: "a source".into(), result };
        shown.debug("a report", &report(Some(Ok(Arc::new(key.clone())))));
        let miss = || Miss::Failed(Error::new(ErrorKind::Unauthenticated, "is broken"));
        shown.debug("a miss", &report(Some(Err(miss()))));

        let variables = [("ID", ID), ("SECRET", SECRET), ("TOKEN", SECURITY_TOKEN)];
        let source = EnvCredentials::new(FixedEnv::from_iter(variables), VARIABLES);
        shown.debug("a source", &source);
        shown.debug("a source", &source.find().await.unwrap());
        let chain = CredentialChain::new(vec![Box::new(source)]);
        ask("a chain", &chain, shown, secrets).await.unwrap();
        let elsewhere = |key: &AccessKey| Some(format!("{} is of another cloud", key.id()));
        for reports in [vec![report(Some(Ok(Arc::new(key.clone()))))], chain.examine().await] {
            show_findings("findings", http::doctor::credentials(reports, elsewhere), shown);
        }
        let reports = vec![report(Some(Err(miss()))), report(None)];
        show_findings("findings", http::doctor::credentials(reports, |_| None), shown);
    });
}

/// The command line's file with one profile, which is the current one.
fn cli_file(mut profile: serde_json::Value) -> String {
    profile["name"] = json!("a");
    json!({ "current": "a", "profiles": [profile] }).to_string()
}

/// Good and bad ones, of all kinds.
fn files() -> Vec<String> {
    let program = |command: String| cli_file(json!({ "mode": "External", "process_command": command }));
    let keys = format!("access_key_secret = {SECRET}\nak = {ID}\nsk = {TEMPORARY_SECRET}\n");
    let url = format!("ftp://user:{PASSWORD}@h/{URL_SECRET}");
    let secret = json!({ "mode": "AK", "access_key_secret": SECRET });
    vec![
        format!("[default]\ntype = access_key\n{keys}[basic]\n{keys}"),
        format!("[default]\ntype = another\n{keys}"),
        format!("{keys}\n[default]"),
        format!("[default]\naccess_key_secret =\n  {SECRET}\n"),
        format!("[default]\naccess_key_secret = {SECRET}\naccess_key_secret = {TEMPORARY_SECRET}\n"),
        format!("[default\n{SECRET}"),
        format!("[default]\n= {SECRET}"),
        format!("[global]\nsk = {SECRET}\n"),
        format!("[basic]\nsk = {SECRET}\n"),
        json!({ "profiles": SECRET }).to_string(),
        json!({ "profiles": format!("expected {SECRET} at line 1") }).to_string(),
        cli_file(json!({ "mode": "AK", "access_key_secret": [SECRET] })),
        cli_file(json!({ "mode": "AK", "expired_seconds": SECRET })),
        cli_file(secret.clone()),
        cli_file(secret).replace("\"name\"", "0"),
        cli_file(json!({ "mode": "CredentialsURI", "credentials_uri": url })),
        program(format!("/nowhere/program {ARGUMENT}")),
        program(format!("sh -c 'echo {SECRET}; echo {SECRET} >&2; exit 3' {ARGUMENT}")),
        program(format!(
            "echo '{{\"access_key_id\":\"x\",\"access_key_secret\":5,\"sts_token\":\"{SECRET}\"}}'"
        )),
        program(format!("echo '{SECRET}")),
    ]
}

#[test]
fn nothing_is_shown_by_files_of_credentials() {
    watched_with(&["chmod 600"], async |shown, secrets| {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().to_str().unwrap();
        let nobody = "http://127.0.0.1:1";
        let iam = Endpoint::parse("iam", nobody, false).unwrap();
        let context = |variables: &[(&'static str, &str)]| {
            let metadata = [
                ("RECORD_CALLBACK_ALIYUN_METADATA_ENDPOINT", nobody),
                ("RECORD_CALLBACK_HUAWEICLOUD_METADATA_ENDPOINT", nobody),
            ];
            let variables = metadata.iter().chain(variables);
            let variables = variables.map(|(name, value)| (*name, (*value).to_owned())).collect();
            Way::new("file", variables).context()
        };
        for (i, text) in files().into_iter().enumerate() {
            let what = format!("file {i}");
            let path = write(directory.path(), ".aliyun/config.json", &text);
            let file = CredentialFile::read(path.clone().into()).await.unwrap();
            shown.debug(&what, &file);
            if let Some(ini) = shown.result(&what, file.ini()) {
                ini.names().for_each(|name| shown.debug(&what, ini.section(name).unwrap()));
            }
            shown.debug(&what, &Ini::parse(&text));
            shown.result(&what, file.json::<Vec<u8>>());
            for chain in [
                aliyun::default_chain(&context(&[("HOME", home), ("USERPROFILE", home)])),
                aliyun::default_chain(&context(&[("ALIBABA_CLOUD_CREDENTIALS_FILE", &path)])),
                huaweicloud::default_chain(&context(&[("HUAWEICLOUD_SDK_CREDENTIALS_FILE", &path)]), &iam),
            ] {
                ask(&what, &chain, shown, secrets).await;
            }
        }
    });
}

#[test]
fn nothing_is_shown_by_credentials_in_configs() {
    let (mut shown, secrets) = (Shown::default(), canaries());
    let all = [
        CredentialsConfig::Default {},
        CredentialsConfig::Environment {},
        CredentialsConfig::Profile { name: "default".into() },
        CredentialsConfig::AccessKey {
            id: ID.into(),
            secret: SECRET.into(),
            security_token: Some(SECURITY_TOKEN.into()),
        },
        CredentialsConfig::Token { token: GIVEN_TOKEN.into() },
        CredentialsConfig::Password { account: "a".into(), user: "u".into(), password: PASSWORD.into() },
    ];
    for credentials in all {
        shown.debug("credentials", &credentials);
        let endpoint = format!("https://user:{URL_SECRET}@h/{URL_SECRET}?{URL_SECRET}");
        for endpoint in [None, Some(endpoint)] {
            let ali = AliyunConfig {
                endpoint: endpoint.clone(),
                credentials: credentials.clone(),
                ..AliyunConfig::default()
            };
            let hw = HuaweicloudConfig {
                endpoint,
                region: Some("cn-north-4".into()),
                credentials: credentials.clone(),
                ..HuaweicloudConfig::default()
            };
            for config in [ProviderConfig::Aliyun(ali), ProviderConfig::Huaweicloud(hw)] {
                shown.debug("a provider's config", &config);
                shown.text("a provider's place", config.place_in(full_of_secrets()));
                shown.result("a provider", config.connect_in(full_of_secrets()));
            }
        }
    }
    shown.assert_hides(&secrets);
}
