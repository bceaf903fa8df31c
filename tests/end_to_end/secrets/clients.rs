//! Clients that authorise with canaries, everything they can do, and mocks that know the canaries.

use super::*;

pub(crate) fn few_attempts() -> RetryPolicy {
    let moment = Duration::from_millis(1);
    RetryPolicy::default().attempts(2).delays(moment, moment).attempt_timeout(Duration::from_secs(5))
}

pub(crate) fn access_key(temporary: bool) -> AccessKey {
    if temporary {
        AccessKey::new("STS.example", TEMPORARY_SECRET).with_security_token(SECURITY_TOKEN)
    } else {
        AccessKey::new(ID, SECRET)
    }
}

pub(crate) fn is_temporary(way: Cloud) -> bool {
    matches!(way, Cloud::AliyunRpcTemporary | Cloud::AliyunAcs3Temporary | Cloud::HuaweicloudTemporaryKey)
}

pub(crate) fn is_aliyun(way: Cloud) -> bool {
    way.name().starts_with("aliyun")
}

/// A provider that authorises with canaries; everything it is made of is shown.
pub(crate) fn connect(
    way: Cloud,
    endpoint: &str,
    iam: &str,
    token: &str,
    shown: &mut Shown,
) -> Arc<dyn RecordCallbackProvider> {
    let credentials = StaticCredentials::new(access_key(is_temporary(way)));
    shown.debug("credentials", &credentials);
    let provider: Arc<dyn RecordCallbackProvider> = if is_aliyun(way) {
        let acs3 = matches!(way, Cloud::AliyunAcs3 | Cloud::AliyunAcs3Temporary);
        let builder = AliyunClient::builder()
            .endpoint(endpoint)
            .signature(if acs3 { Signature::Acs3 } else { Signature::Rpc })
            .method(if is_temporary(way) { HttpMethod::Get } else { HttpMethod::Post })
            .credentials(credentials)
            .quotas(Quotas::unlimited())
            .retry(few_attempts());
        shown.debug("a builder", &builder);
        let client = builder.build().unwrap();
        shown.debug("a client", &client);
        Arc::new(AliyunProvider::new(client))
    } else {
        let builder = HuaweicloudClient::builder()
            .endpoint(endpoint)
            .iam_endpoint(iam)
            .region("cn-north-4")
            .quotas(Quotas::unlimited())
            .retry(few_attempts());
        let builder = match way {
            Cloud::HuaweicloudToken => builder.project_id(PROJECT).token(token),
            Cloud::HuaweicloudPassword => {
                let login = Login::new("account", "user", PASSWORD);
                shown.debug("a login", &login);
                builder.login(login)
            }
            _ => builder.credentials(credentials),
        };
        shown.debug("a builder", &builder);
        let client = builder.build().unwrap();
        shown.debug("a client", &client);
        Arc::new(HuaweicloudProvider::new(client))
    };
    shown.debug("a provider", &provider);
    provider
}

pub(crate) const PROJECT: &str = "0123456789abcdef0123456789abcdef";

pub(crate) fn signed_with(key: &str) -> RecordCallbackConfig {
    RecordCallbackConfig::builder(DOMAIN, "https://cb.example.com/recorded")
        .on_demand_url("https://cb.example.com/ask")
        .events([EventKind::FileCompleted, EventKind::RecordingFailed, EventKind::FileStarted])
        .signing(CallbackSigning::HmacSha256(SigningKey::new(key).unwrap()))
        .build()
        .unwrap()
}

/// Calls everything a provider has, in an order that succeeds and is refused on a cloud that works.
pub(crate) async fn exercise(of: &str, provider: &dyn RecordCallbackProvider, shown: &mut Shown) {
    let what = |call: &str| format!("{of}: {call}");
    let config = signed_with(KEY);
    let (key, domain) = (config.key(), DomainName::new(DOMAIN).unwrap());
    let read_back = ReadBack::new(TokioTimer).reads(1);
    let best = Fidelity::BestEffort;
    shown.result(&what("get before"), provider.get(&key).await);
    shown.result(&what("update before"), provider.update(&config, best).await);
    shown.result(&what("create"), provider.create(&config, best).await);
    shown.result(&what("create again"), provider.create(&config, best).await);
    shown.result(&what("update"), provider.update(&signed_with(OTHER_KEY), best).await);
    shown.result(&what("put"), provider.put(&signed_with(OTHER_KEY), best).await);
    if let Some(ensured) = shown.result(&what("ensure"), provider.ensure(&config, best, &read_back).await) {
        shown.stored(&what("ensure"), &ensured.stored, &signed_with(OTHER_KEY));
    }
    if let Some(Some(stored)) = shown.result(&what("get"), provider.get(&key).await) {
        shown.stored(&what("get"), &stored, &config);
    }
    shown.result(&what("list"), provider.list(None).await);
    shown.result(&what("list one"), provider.list(Some(&domain)).await);
    shown.result(&what("resolve"), provider.resolve(&domain, &AppName::new("live").unwrap()).await);
    for (length, key) in [("long", LONG_KEY), ("short", SHORT_KEY)] {
        let put = provider.put(&signed_with(key), Fidelity::BestEffort).await;
        shown.result(&what(&format!("put with a {length} key")), put);
    }
    shown.result(&what("put exactly"), provider.put(&config, Fidelity::Exact).await);
    shown.result(&what("ensure absent"), provider.ensure_absent(&key, &read_back).await);
    shown.result(&what("delete"), provider.delete(&key).await);
    shown.debug(&what("the provider"), provider);
}

/// A mock of either vendor that knows our canaries, or, when `strange`, our ids with other secrets.
pub(crate) enum Mock {
    Aliyun(Box<MockAliyun>),
    Huaweicloud(Box<MockHuaweicloud>),
}

impl Mock {
    pub(crate) async fn start(way: Cloud, strange: bool, shown: &mut Shown) -> Self {
        let ours = |secret| if strange { NOT_OURS } else { secret };
        if is_aliyun(way) {
            let builder = MockAliyun::builder()
                .access_key(ID, ours(SECRET))
                .temporary_access_key("STS.example", ours(TEMPORARY_SECRET), SECURITY_TOKEN)
                .domain(DOMAIN);
            shown.debug("a mock's builder", &builder);
            Self::Aliyun(builder.start().await.unwrap().into())
        } else {
            let builder = MockHuaweicloud::builder()
                .access_key(ID, ours(SECRET))
                .temporary_access_key("STS.example", ours(TEMPORARY_SECRET), SECURITY_TOKEN)
                .user("account", "user", ours(PASSWORD))
                .project_id(PROJECT)
                .dialect(HuaweicloudDialect { key_in_answers: true, ..HuaweicloudDialect::default() });
            shown.debug("a mock's builder", &builder);
            Self::Huaweicloud(builder.start().await.unwrap().into())
        }
    }

    pub(crate) fn endpoint(&self) -> &str {
        match self {
            Self::Aliyun(mock) => mock.endpoint(),
            Self::Huaweicloud(mock) => mock.endpoint(),
        }
    }

    pub(crate) fn iam_endpoint(&self) -> &str {
        match self {
            Self::Aliyun(mock) => mock.endpoint(),
            Self::Huaweicloud(mock) => mock.iam_endpoint(),
        }
    }

    pub(crate) fn issue_token(&self) -> String {
        match self {
            Self::Aliyun(_) => String::new(),
            Self::Huaweicloud(mock) => mock.issue_token(),
        }
    }

    pub(crate) fn requests(&self) -> Vec<ReceivedRequest> {
        match self {
            Self::Aliyun(mock) => mock.requests(),
            Self::Huaweicloud(mock) => [mock.requests(), mock.iam_requests()].concat(),
        }
    }

    /// Shows what the mock itself can show, and learns the secrets it was sent.
    pub(crate) fn show(&self, shown: &mut Shown, secrets: &mut Secrets) {
        secrets.add_used(&self.requests());
        shown.debug("a mock's requests", &self.requests());
        match self {
            Self::Aliyun(mock) => shown.debug("a mock", &(mock, mock.configs())),
            Self::Huaweicloud(mock) => shown.debug("a mock", &(mock, mock.configs())),
        }
    }

    /// Everything the mock received, as it was sent.
    pub(crate) fn received(&self) -> String {
        let mut text = String::new();
        for request in self.requests() {
            let body = String::from_utf8_lossy(request.body());
            writeln!(text, "{}?{} {:?} {body}", request.path(), request.query(), request.headers()).unwrap();
        }
        text
    }
}
