use std::sync::Arc;
use std::time::Duration;

use record_callback::aliyun::{AliyunClient, AliyunProvider, BooleanStyle, Signature};
use record_callback::http::{AccessKey, FixedEnv, Quotas, RetryPolicy, StaticCredentials};
use record_callback::huaweicloud::{HuaweicloudClient, HuaweicloudClientBuilder, HuaweicloudProvider, Login};
use record_callback::{DomainName, RecordCallbackProvider};
use record_callback_mock::{
    AliyunDialect, BooleanRequests, Clock, Faults, HuaweicloudDialect, MockAliyun, MockHuaweicloud,
    ReceivedRequest,
};

use crate::LossyWire;

const SECURITY_TOKEN: &str = "CAIS+security/token==";

/// A vendor and one of its ways of authorising requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    AliyunRpc,
    AliyunRpcTemporary,
    AliyunAcs3,
    AliyunAcs3Temporary,
    HuaweicloudKey,
    HuaweicloudTemporaryKey,
    HuaweicloudToken,
    HuaweicloudPassword,
}

impl Cloud {
    /// Every vendor and way.
    pub const ALL: [Self; 8] = [
        Self::AliyunRpc,
        Self::AliyunRpcTemporary,
        Self::AliyunAcs3,
        Self::AliyunAcs3Temporary,
        Self::HuaweicloudKey,
        Self::HuaweicloudTemporaryKey,
        Self::HuaweicloudToken,
        Self::HuaweicloudPassword,
    ];

    /// Short name for test names.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AliyunRpc => "aliyun_rpc",
            Self::AliyunRpcTemporary => "aliyun_rpc_temporary",
            Self::AliyunAcs3 => "aliyun_acs3",
            Self::AliyunAcs3Temporary => "aliyun_acs3_temporary",
            Self::HuaweicloudKey => "huaweicloud_key",
            Self::HuaweicloudTemporaryKey => "huaweicloud_temporary_key",
            Self::HuaweicloudToken => "huaweicloud_token",
            Self::HuaweicloudPassword => "huaweicloud_password",
        }
    }

    /// A provider on a new mock of this cloud, connected through a [`LossyWire`].
    ///
    /// Retries are as by default but without waiting; quotas are off, as the mock's are.
    pub async fn start(self, domains: &[DomainName]) -> MockCloud {
        self.start_in(domains, &Dialects::default()).await
    }

    /// As [`start`](Self::start), with a cloud that follows other readings of its documents. Where its reads lag, retries
    /// wait for longer than that.
    pub async fn start_in(self, domains: &[DomainName], dialects: &Dialects) -> MockCloud {
        match self {
            Self::AliyunRpc => aliyun(domains, &dialects.aliyun, Signature::Rpc, false).await,
            Self::AliyunRpcTemporary => aliyun(domains, &dialects.aliyun, Signature::Rpc, true).await,
            Self::AliyunAcs3 => aliyun(domains, &dialects.aliyun, Signature::Acs3, false).await,
            Self::AliyunAcs3Temporary => aliyun(domains, &dialects.aliyun, Signature::Acs3, true).await,
            _ => huaweicloud(domains, &dialects.huaweicloud, self).await,
        }
    }
}

/// A reading of each vendor's documents.
#[derive(Debug, Clone, Default)]
pub struct Dialects {
    pub aliyun: AliyunDialect,
    pub huaweicloud: HuaweicloudDialect,
}

impl Dialects {
    /// Whether reads lag behind writes.
    #[must_use]
    pub fn lag(&self) -> bool {
        self.aliyun.read_lag_milliseconds + self.huaweicloud.read_lag_milliseconds > 0
    }
}

/// A provider and the mock it talks to.
#[derive(Debug)]
pub struct MockCloud {
    pub provider: Arc<dyn RecordCallbackProvider>,
    /// With the credentials of another account.
    pub other: Arc<dyn RecordCallbackProvider>,
    pub wire: LossyWire,
    pub mock: Mock,
}

/// The mock behind a provider; dropping it stops it.
#[derive(Debug)]
pub enum Mock {
    Aliyun(Box<MockAliyun>),
    Huaweicloud(Box<MockHuaweicloud>),
}

impl Mock {
    /// What goes wrong with calls of the Live API.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        match self {
            Self::Aliyun(mock) => mock.faults(),
            Self::Huaweicloud(mock) => mock.faults(),
        }
    }

    /// The address of the Live API.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        match self {
            Self::Aliyun(mock) => mock.endpoint(),
            Self::Huaweicloud(mock) => mock.endpoint(),
        }
    }

    /// What it lives by.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        match self {
            Self::Aliyun(mock) => mock.clock(),
            Self::Huaweicloud(mock) => mock.clock(),
        }
    }

    /// What the Live API received.
    #[must_use]
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        match self {
            Self::Aliyun(mock) => mock.requests(),
            Self::Huaweicloud(mock) => mock.requests(),
        }
    }

    /// Adds a permanent access key, or gives the one with this id another secret.
    pub fn put_access_key(&self, id: &str, secret: &str) {
        match self {
            Self::Aliyun(mock) => mock.put_access_key(id, secret),
            Self::Huaweicloud(mock) => mock.put_access_key(id, secret),
        }
    }

    /// Takes an access key away.
    #[must_use]
    pub fn remove_access_key(&self, id: &str) -> bool {
        match self {
            Self::Aliyun(mock) => mock.remove_access_key(id),
            Self::Huaweicloud(mock) => mock.remove_access_key(id),
        }
    }

    /// Takes connections to the Live API, or refuses them.
    pub async fn set_reachable(&self, reachable: bool) {
        let done = match (self, reachable) {
            (Self::Aliyun(mock), true) => mock.accept_connections().await,
            (Self::Aliyun(mock), false) => mock.refuse_connections().await,
            (Self::Huaweicloud(mock), true) => mock.accept_connections().await,
            (Self::Huaweicloud(mock), false) => mock.refuse_connections().await,
        };
        done.expect("the port is ours");
    }
}

/// Three delays that are longer in all than reads lag, and no longer than they have to.
fn retry(read_lag_milliseconds: u32) -> RetryPolicy {
    let first = Duration::from_millis(u64::from(read_lag_milliseconds).max(1));
    RetryPolicy::default().delays(first, first)
}

fn key(id: &str, secret: &str, temporary: bool) -> StaticCredentials {
    let key = AccessKey::new(id, secret);
    StaticCredentials::new(if temporary { key.with_security_token(SECURITY_TOKEN) } else { key })
}

async fn aliyun(
    domains: &[DomainName],
    dialect: &AliyunDialect,
    signature: Signature,
    temporary: bool,
) -> MockCloud {
    let mut builder = MockAliyun::builder()
        .dialect(dialect.clone())
        .access_key("LTAIexample", "aliyun-secret")
        .temporary_access_key("STS.example", "aliyun-temporary-secret", SECURITY_TOKEN);
    for domain in domains {
        builder = builder.domain(domain.spelling());
    }
    let mock = builder.start().await.expect("the mock starts");
    let wire = LossyWire::to(mock.endpoint()).await;
    let (id, secret) =
        if temporary { ("STS.example", "aliyun-temporary-secret") } else { ("LTAIexample", "aliyun-secret") };
    // What the option is for.
    let booleans = match dialect.boolean_requests {
        BooleanRequests::YesNo => BooleanStyle::YesNo,
        _ => BooleanStyle::default(),
    };
    let provider = |endpoint: &str, key: StaticCredentials| -> Arc<dyn RecordCallbackProvider> {
        let client = AliyunClient::builder()
            .endpoint(endpoint)
            .env(FixedEnv::from_iter([("RECORD_CALLBACK_ALIYUN_STS_ENDPOINT", mock.sts_endpoint())]))
            .signature(signature)
            .credentials(key)
            .quotas(Quotas::unlimited())
            .retry(retry(dialect.read_lag_milliseconds))
            .booleans(booleans);
        Arc::new(AliyunProvider::new(client.build().expect("the options are right")))
    };
    let other = key(mock.other_access_key_id(), mock.other_access_key_secret(), false);
    MockCloud {
        provider: provider(&wire.endpoint(), key(id, secret, temporary)),
        // Past the wire: what goes wrong there is about the first account's calls.
        other: provider(mock.endpoint(), other),
        wire,
        mock: Mock::Aliyun(Box::new(mock)),
    }
}

async fn huaweicloud(domains: &[DomainName], dialect: &HuaweicloudDialect, way: Cloud) -> MockCloud {
    let mut builder = MockHuaweicloud::builder()
        .dialect(dialect.clone())
        .access_key("HWAKEXAMPLE", "huaweicloud-secret")
        .temporary_access_key("HWTEMPEXAMPLE", "huaweicloud-temporary-secret", SECURITY_TOKEN);
    for domain in domains {
        builder = builder.domain(domain.spelling());
    }
    let mock = builder.start().await.expect("the mock starts");
    let wire = LossyWire::to(mock.endpoint()).await;
    let client = |endpoint: &str| {
        HuaweicloudClient::builder()
            .endpoint(endpoint)
            .env(FixedEnv::from_iter([("HUAWEICLOUD_SDK_STS_ENDPOINT", mock.sts_endpoint())]))
            .iam_endpoint(mock.iam_endpoint())
            .quotas(Quotas::unlimited())
            .retry(retry(dialect.read_lag_milliseconds))
    };
    let provider = |client: HuaweicloudClientBuilder| -> Arc<dyn RecordCallbackProvider> {
        Arc::new(HuaweicloudProvider::new(client.build().expect("the options are right")))
    };
    let other = if way == Cloud::HuaweicloudToken {
        client(mock.endpoint()).project_id(mock.other_project_id()).token(mock.issue_other_token())
    } else {
        let other = key(mock.other_access_key(), mock.other_secret_key(), false);
        // With the first account's project, as who exchanges nothing but the keys.
        client(mock.endpoint()).project_id(mock.project_id()).credentials(other)
    };
    let client = client(&wire.endpoint());
    let client = match way {
        Cloud::HuaweicloudTemporaryKey => client.project_id(mock.project_id()).credentials(key(
            "HWTEMPEXAMPLE",
            "huaweicloud-temporary-secret",
            true,
        )),
        Cloud::HuaweicloudToken => client.project_id(mock.project_id()).token(mock.issue_token()),
        // The project is discovered, by token or by key.
        Cloud::HuaweicloudPassword => client.region(mock.region()).login(Login::new(
            mock.iam_account(),
            mock.iam_user(),
            mock.iam_password(),
        )),
        _ => client.region(mock.region()).credentials(key("HWAKEXAMPLE", "huaweicloud-secret", false)),
    };
    MockCloud {
        provider: provider(client),
        other: provider(other),
        wire,
        mock: Mock::Huaweicloud(Box::new(mock)),
    }
}
