//! Mocks, clients and secrets of the matrix.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use jiff::SignedDuration;
use record_callback::aliyun::{AliyunClient, AliyunProvider, NotifyRecords, NotifyRecordsQuery, Signature};
use record_callback::http::{AccessKey, Quotas, RetryPolicy, StaticCredentials};
use record_callback::huaweicloud::{HuaweicloudClient, HuaweicloudProvider, Login};
use record_callback::{
    CallbackSigning, Error, RecordCallbackConfig, RecordCallbackProvider, RecordCallbackProviderExt,
    SigningKey,
};
use record_callback_mock::{Clock, Fault, FaultKind, MockAliyun, MockHuaweicloud};

use tokio::net::TcpListener;

use super::{Cause, Cell, DOMAIN, Lasts, Operation, before};
use crate::Mock;
use crate::secrets::Secrets;

const SECRET: &str = "mQ3vTz8LpXw6RkYb1NcHs5Gd";
const SECURITY_TOKEN: &str = "CAES+hV2nBx7QmT/4wKdRz9Lp==";
const PASSWORD: &str = "uE6jPq0WsAy3 ZfKt#8Vh";
const SIGNING_KEY: &str = "Jd4rFm9TgWx2QbNc7YkPz5LhVs8Eu1Ra";
/// In the queries of callback URLs.
pub(super) const BEFORE: &str = "bF7kXw2RnTq9";
pub(super) const AFTER: &str = "cG8mYx3SpUr0";

/// What must not be shown.
#[must_use]
pub fn canaries() -> Secrets {
    let mut secrets = Secrets::default();
    for (name, secret) in [
        ("access key secret", SECRET),
        ("security token", SECURITY_TOKEN),
        ("password", PASSWORD),
        ("signing key", SIGNING_KEY),
        ("query of the callback URL", BEFORE),
        ("query of the new callback URL", AFTER),
    ] {
        secrets.add(name, secret);
    }
    secrets
}

/// A vendor and a way of authorising requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Way {
    AliyunRpc,
    AliyunAcs3,
    AliyunTemporary,
    HuaweicloudKey,
    HuaweicloudTemporary,
    HuaweicloudToken,
    HuaweicloudPassword,
    /// As with a password, and there is no token yet.
    HuaweicloudLogin,
    /// As with a key, and the project is not known yet.
    HuaweicloudDiscovery,
}

impl Way {
    /// Each vendor's first.
    pub(super) const BOTH: [Self; 2] = [Self::AliyunRpc, Self::HuaweicloudKey];
    pub(super) const SIGNED: [Self; 3] = [Self::AliyunRpc, Self::AliyunAcs3, Self::HuaweicloudKey];
    pub(super) const IAM: [Self; 2] = [Self::HuaweicloudLogin, Self::HuaweicloudDiscovery];
    pub(super) const TEMPORARY: [Self; 2] = [Self::AliyunTemporary, Self::HuaweicloudTemporary];

    /// The vendor's name.
    #[must_use]
    pub fn vendor(self) -> &'static str {
        match self {
            Self::AliyunRpc | Self::AliyunAcs3 | Self::AliyunTemporary => "aliyun",
            _ => "huaweicloud",
        }
    }
}

pub(super) fn config(path: &str, token: &str) -> RecordCallbackConfig {
    let key = SigningKey::new(SIGNING_KEY).expect("letters and digits");
    RecordCallbackConfig::builder(DOMAIN, format!("https://cb.example.com/{path}?token={token}"))
        .signing(CallbackSigning::Md5(key))
        .build()
        .expect("all of it is right")
}

/// A mock in trouble, and a client of it.
pub(super) struct Running {
    pub(super) provider: Arc<dyn RecordCallbackProvider>,
    pub(super) mock: Mock,
    /// Of Aliyun, for what the provider has no operation for.
    client: Option<AliyunClient>,
    /// Where redirects lead; nobody may arrive there.
    elsewhere: TcpListener,
}

impl Running {
    /// Starts a mock, brings about what the cell's operation needs, and then the trouble.
    pub(super) async fn prepare(cell: &Cell) -> Self {
        let mock = start(cell.way).await;
        let retry = policy(cell);
        let token = match &mock {
            Mock::Huaweicloud(mock) if cell.way == Way::HuaweicloudToken => mock.issue_token(),
            _ => String::new(),
        };
        let connect = |endpoint: &str| connect_to(&mock, cell.way, endpoint, &token, retry.clone());
        let (mut provider, mut client) = connect(mock.endpoint());
        if cell.operation != Operation::Create {
            provider.create(&before(), record_callback::Fidelity::Exact).await.expect("no trouble yet");
        } else if cell.way == Way::HuaweicloudPassword {
            // Has a token before the trouble begins.
            provider.ensure_absent(&before().key(), &no_wait()).await.expect("no trouble yet");
        } else {
            // Has looked through the account, as it does before a create.
            provider.list(None).await.expect("no trouble yet");
        }
        match &cell.trouble.cause {
            Cause::NoTls => (provider, client) = connect(&mock.endpoint().replace("http:", "https:")),
            Cause::NoName => (provider, client) = connect("https://live.example.invalid"),
            // One that has asked IAM for nothing yet.
            Cause::Iam(_) => (provider, client) = connect(mock.endpoint()),
            _ => {}
        }
        let elsewhere = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        trouble(&mock, cell, &elsewhere).await;
        Self { provider, mock, client, elsewhere }
    }

    /// The deliveries of the last hour, of Aliyun.
    pub(super) async fn log(&self) -> Result<NotifyRecords, Error> {
        let now = jiff::Timestamp::now();
        let query = NotifyRecordsQuery {
            domain_name: DOMAIN.to_owned(),
            start_time: now - SignedDuration::from_mins(59),
            end_time: now,
            ..NotifyRecordsQuery::default()
        };
        let client = self.client.as_ref().expect("only Aliyun has a log");
        client.describe_live_record_notify_records(&query).await
    }

    /// Whether somebody followed a redirect.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.elsewhere.accept().now_or_never().is_some()
    }
}

fn no_wait() -> record_callback::ReadBack {
    record_callback::ReadBack::new(record_callback_contract::NoWait).reads(1)
}

/// Patient, but where it is about patience.
fn policy(cell: &Cell) -> RetryPolicy {
    let moment = Duration::from_millis(1);
    let policy = RetryPolicy::default().delays(moment, moment).deadline(Duration::from_secs(30));
    let short = Duration::from_millis(300);
    match (cell.trouble.cause.is_silent(), cell.lasts) {
        (false, _) => policy,
        (true, Lasts::Once | Lasts::OnceInWrite) => policy.attempt_timeout(short),
        (true, Lasts::On | Lasts::OnInWrite) => policy.attempt_timeout(short).attempts(2),
    }
}

async fn start(way: Way) -> Mock {
    if way.vendor() == "aliyun" {
        let builder = MockAliyun::builder().access_key("LTAIexample", SECRET).temporary_access_key(
            "STS.example",
            SECRET,
            SECURITY_TOKEN,
        );
        Mock::Aliyun(Box::new(
            builder.domain(DOMAIN).clock(Clock::system()).start().await.expect("it starts"),
        ))
    } else {
        let builder = MockHuaweicloud::builder()
            .access_key("HWAKEXAMPLE", SECRET)
            .temporary_access_key("HWTEMPEXAMPLE", SECRET, SECURITY_TOKEN)
            .user("account", "user", PASSWORD);
        Mock::Huaweicloud(Box::new(
            builder.domain(DOMAIN).clock(Clock::system()).start().await.expect("it starts"),
        ))
    }
}

fn connect_to(
    mock: &Mock,
    way: Way,
    endpoint: &str,
    token: &str,
    retry: RetryPolicy,
) -> (Arc<dyn RecordCallbackProvider>, Option<AliyunClient>) {
    let temporary = |id: &str| AccessKey::new(id, SECRET).with_security_token(SECURITY_TOKEN);
    match mock {
        Mock::Aliyun(_) => {
            let key = match way {
                Way::AliyunTemporary => temporary("STS.example"),
                _ => AccessKey::new("LTAIexample", SECRET),
            };
            let signature = if way == Way::AliyunAcs3 { Signature::Acs3 } else { Signature::Rpc };
            let client = AliyunClient::builder()
                .endpoint(endpoint)
                .signature(signature)
                .credentials(StaticCredentials::new(key))
                .quotas(Quotas::unlimited())
                .retry(retry)
                .build()
                .expect("the options are right");
            (Arc::new(AliyunProvider::new(client.clone())), Some(client))
        }
        Mock::Huaweicloud(mock) => {
            let client = HuaweicloudClient::builder()
                .endpoint(endpoint)
                .iam_endpoint(mock.iam_endpoint())
                .quotas(Quotas::unlimited())
                .retry(retry);
            let client = if Way::IAM.contains(&way) {
                client.region(mock.region())
            } else {
                client.project_id(mock.project_id())
            };
            let client = match way {
                Way::HuaweicloudToken => client.token(token),
                Way::HuaweicloudPassword | Way::HuaweicloudLogin => {
                    client.login(Login::new("account", "user", PASSWORD))
                }
                Way::HuaweicloudTemporary => {
                    client.credentials(StaticCredentials::new(temporary("HWTEMPEXAMPLE")))
                }
                _ => client.credentials(StaticCredentials::new(AccessKey::new("HWAKEXAMPLE", SECRET))),
            };
            (Arc::new(HuaweicloudProvider::new(client.build().expect("the options are right"))), None)
        }
    }
}

async fn trouble(mock: &Mock, cell: &Cell, elsewhere: &TcpListener) {
    let [permanent, temporary] = match mock {
        Mock::Aliyun(_) => ["LTAIexample", "STS.example"],
        Mock::Huaweicloud(_) => ["HWAKEXAMPLE", "HWTEMPEXAMPLE"],
    };
    match (&cell.trouble.cause, mock) {
        (Cause::NoTls | Cause::NoName, _) => {}
        (Cause::Script(fault), _) => mock.faults().add(meant(fault, cell, elsewhere)),
        (Cause::Refused, _) => mock.set_reachable(false).await,
        (Cause::Ahead(seconds), _) => mock.clock().run_ahead(SignedDuration::from_secs(*seconds)),
        (Cause::KeyRotated, _) => mock.put_access_key(permanent, "another-secret"),
        (Cause::KeyRemoved, _) => {
            assert!(mock.remove_access_key(permanent) && mock.remove_access_key(temporary));
        }
        (Cause::Iam(fault), Mock::Huaweicloud(mock)) => mock.iam_faults().add(meant(fault, cell, elsewhere)),
        (Cause::TokenRevoked, Mock::Huaweicloud(mock)) => mock.revoke_tokens(),
        (Cause::TokenRevoked | Cause::Iam(_), Mock::Aliyun(_)) => panic!("{cell}: there is no IAM"),
    }
}

/// The fault as the cell has it.
fn meant(fault: &Fault, cell: &Cell, elsewhere: &TcpListener) -> Fault {
    let write = match (cell.way.vendor(), cell.operation) {
        ("aliyun", Operation::Create) => "AddLiveRecordNotifyConfig",
        ("aliyun", Operation::Update) => "UpdateLiveRecordNotifyConfig",
        ("aliyun", _) => "DeleteLiveRecordNotifyConfig",
        (_, Operation::Create) => "CreateRecordCallbackConfig",
        (_, Operation::Update) => "UpdateRecordCallbackConfig",
        _ => "DeleteRecordCallbackConfig",
    };
    let mut fault = fault.clone();
    if let FaultKind::Redirect { location, .. } = &mut fault.kind {
        *location = format!("http://{}", elsewhere.local_addr().expect("a bound port"));
    }
    match cell.lasts {
        Lasts::Once => fault,
        Lasts::OnceInWrite => fault.operation(write),
        Lasts::On => fault.until_cleared(),
        Lasts::OnInWrite => fault.until_cleared().operation(write),
    }
}

impl Running {
    /// Callback URLs of all configs.
    pub(super) fn stored(&self) -> Vec<String> {
        match &self.mock {
            Mock::Aliyun(mock) => mock.configs().into_iter().map(|config| config.notify_url).collect(),
            Mock::Huaweicloud(mock) => {
                mock.configs().into_iter().filter_map(|config| config.notify_callback_url).collect()
            }
        }
    }

    /// So that the mock can be looked at and stopped.
    pub(super) async fn restore(&self) {
        self.mock.faults().clear();
        if let Mock::Huaweicloud(mock) = &self.mock {
            mock.iam_faults().clear();
        }
        self.mock.set_reachable(true).await;
    }
}
