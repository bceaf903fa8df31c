use std::sync::Arc;

use record_callback::aliyun::{AliyunClient, AliyunProvider, Signature};
use record_callback::http::{AccessKey, Quotas, RetryPolicy, StaticCredentials};
use record_callback::huaweicloud::{HuaweicloudClient, HuaweicloudProvider, Login};
use record_callback::{DomainName, RecordCallbackProvider};
use record_callback_mock::{MockAliyun, MockHuaweicloud};

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
        match self {
            Self::AliyunRpc => aliyun(domains, Signature::Rpc, false).await,
            Self::AliyunRpcTemporary => aliyun(domains, Signature::Rpc, true).await,
            Self::AliyunAcs3 => aliyun(domains, Signature::Acs3, false).await,
            Self::AliyunAcs3Temporary => aliyun(domains, Signature::Acs3, true).await,
            _ => huaweicloud(domains, self).await,
        }
    }
}

/// A provider and the mock it talks to.
#[derive(Debug)]
pub struct MockCloud {
    pub provider: Arc<dyn RecordCallbackProvider>,
    pub wire: LossyWire,
    pub mock: Mock,
}

/// The mock behind a provider; dropping it stops it.
#[derive(Debug)]
pub enum Mock {
    Aliyun(Box<MockAliyun>),
    Huaweicloud(Box<MockHuaweicloud>),
}

fn impatient() -> RetryPolicy {
    let moment = std::time::Duration::from_millis(1);
    RetryPolicy::default().delays(moment, moment)
}

fn key(id: &str, secret: &str, temporary: bool) -> StaticCredentials {
    let key = AccessKey::new(id, secret);
    StaticCredentials::new(if temporary { key.with_security_token(SECURITY_TOKEN) } else { key })
}

async fn aliyun(domains: &[DomainName], signature: Signature, temporary: bool) -> MockCloud {
    let mut builder = MockAliyun::builder().access_key("LTAIexample", "aliyun-secret").temporary_access_key(
        "STS.example",
        "aliyun-temporary-secret",
        SECURITY_TOKEN,
    );
    for domain in domains {
        builder = builder.domain(domain.as_str());
    }
    let mock = builder.start().await.expect("the mock starts");
    let wire = LossyWire::to(mock.endpoint()).await;
    let (id, secret) =
        if temporary { ("STS.example", "aliyun-temporary-secret") } else { ("LTAIexample", "aliyun-secret") };
    let client = AliyunClient::builder()
        .endpoint(wire.endpoint())
        .signature(signature)
        .credentials(key(id, secret, temporary))
        .quotas(Quotas::unlimited())
        .retry(impatient())
        .build()
        .expect("the options are right");
    MockCloud { provider: Arc::new(AliyunProvider::new(client)), wire, mock: Mock::Aliyun(Box::new(mock)) }
}

async fn huaweicloud(domains: &[DomainName], way: Cloud) -> MockCloud {
    let mut builder = MockHuaweicloud::builder()
        .access_key("HWAKEXAMPLE", "huaweicloud-secret")
        .temporary_access_key("HWTEMPEXAMPLE", "huaweicloud-temporary-secret", SECURITY_TOKEN);
    for domain in domains {
        builder = builder.domain(domain.as_str());
    }
    let mock = builder.start().await.expect("the mock starts");
    let wire = LossyWire::to(mock.endpoint()).await;
    let client = HuaweicloudClient::builder()
        .endpoint(wire.endpoint())
        .iam_endpoint(mock.iam_endpoint())
        .quotas(Quotas::unlimited())
        .retry(impatient());
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
    let client = client.build().expect("the options are right");
    MockCloud {
        provider: Arc::new(HuaweicloudProvider::new(client)),
        wire,
        mock: Mock::Huaweicloud(Box::new(mock)),
    }
}
