//! `record-callback demo`: one callback on a mock Aliyun, moved to a mock Huawei Cloud, and what both deliver.

use std::io;
use std::sync::Arc;

use record_callback::aliyun::{self, AliyunCallbacks};
use record_callback::http::TokioTimer;
use record_callback::huaweicloud::{self, HuaweicloudCallbacks};
use record_callback::receiver::{EventRecord, MemorySink, Receiver, Source};
use record_callback::{
    AliyunConfig, CallbackKey, CallbackSigning, CredentialsConfig, Error, ErrorKind, EventKind, Fidelity,
    HuaweicloudConfig, ProviderConfig, ReadBack, RecordCallbackConfig, RecordCallbackProvider,
    RecordCallbackProviderExt, SignaturePolicy, SigningKey, SigningScheme, StoredCallback, Vendor,
};
use record_callback_mock::{
    AliyunEvent, HuaweicloudEvent, MockAliyun, MockHuaweicloud, ReceivedRequest, TriggerOutcome,
};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::args::DemoArguments;
use crate::failure::Failure;
use crate::output;

const APP: &str = "app";
const STREAM: &str = "match-7";
/// The same stream has one domain for players and another for publishers.
const STREAMING_DOMAIN: &str = "live.example.com";
const INGEST_DOMAIN: &str = "push.example.com";

/// What the mocks say of a signature that does not match.
const SIGNATURE_REFUSED: [&str; 2] = ["SignatureDoesNotMatch", "APIGW.0301"];

#[derive(Serialize)]
struct Step {
    cloud: &'static str,
    action: &'static str,
    result: String,
}

#[derive(Serialize, Default)]
struct Story {
    steps: Vec<Step>,
    /// What the receiver kept.
    events: Vec<EventRecord>,
}

impl Story {
    fn tell(&mut self, cloud: &'static str, action: &'static str, result: impl Into<String>) {
        self.steps.push(Step { cloud, action, result: result.into() });
    }
}

pub(crate) async fn run(arguments: DemoArguments) -> Result<(), Failure> {
    let mut story = Story::default();
    let mock_aliyun = MockAliyun::builder().domain(STREAMING_DOMAIN).start().await?;
    let mock_huaweicloud = MockHuaweicloud::builder().domain(INGEST_DOMAIN).start().await?;
    story.tell("aliyun", "start mock", mock_aliyun.endpoint());
    story.tell("huaweicloud", "start mock", mock_huaweicloud.endpoint());
    let aliyun = aliyun_config(&mock_aliyun).connect()?;
    let huaweicloud = huaweicloud_config(&mock_huaweicloud).connect()?;
    let read_back = ReadBack::new(TokioTimer);
    let signing_key = SigningKey::generate()?;
    let inbox = Inbox::start(&signing_key).await?;
    story.tell("-", "start receiver", &inbox.addr);

    let wanted = RecordCallbackConfig::builder(STREAMING_DOMAIN, inbox.url(aliyun::VENDOR))
        .events([EventKind::FileCompleted])
        .signing(CallbackSigning::Md5(signing_key))
        .build()?;
    aliyun.create(&wanted, Fidelity::Exact).await?;
    story.tell("aliyun", "create", wanted.key().to_string());
    let source = shown(&*aliyun, &wanted.key()).await?;
    story.tell("aliyun", "read back", summary(&source));
    let event = AliyunEvent::file(STREAMING_DOMAIN, APP, STREAM);
    story.tell("aliyun", "deliver", delivered("a file", &mock_aliyun.trigger(event).await));

    // The signing key is readable on Aliyun, so it moves along, to a scheme that proves more. The domain is another one
    // of the same stream, and the receiver has another path for this vendor.
    let signing = source.to_config(None)?.signing().key().cloned().map(CallbackSigning::HmacSha256);
    let moved =
        source.to_config(signing)?.on_domain(INGEST_DOMAIN)?.notifying(&inbox.url(huaweicloud::VENDOR))?;
    let ensured = huaweicloud.ensure(&moved, Fidelity::Exact, &read_back).await?;
    story.tell("huaweicloud", "move", format!("{} as id {}", moved.key(), id(&ensured.stored)));
    let target = shown(&*huaweicloud, &moved.key()).await?;
    story.tell("huaweicloud", "read back", summary(&target));
    for difference in target.differences(&moved) {
        story.tell("huaweicloud", "verify", difference.to_string());
    }

    // Make before break: the source goes only now.
    aliyun.ensure_absent(&wanted.key(), &read_back).await?;
    let left = aliyun.list(None).await?.len();
    story.tell("aliyun", "retire", format!("{left} configs left"));
    let event = HuaweicloudEvent::record_file_complete(INGEST_DOMAIN, APP, STREAM);
    story.tell("huaweicloud", "deliver", delivered("a file", &mock_huaweicloud.trigger(event).await));
    let event = HuaweicloudEvent::record_over(INGEST_DOMAIN, APP, STREAM);
    story.tell("huaweicloud", "deliver", delivered("the end", &mock_huaweicloud.trigger(event).await));
    story.tell("aliyun", "received", received(&mock_aliyun.requests()));
    story.tell("huaweicloud", "received", received(&mock_huaweicloud.requests()));

    story.events = inbox.stop().await?;
    Ok(output::print(arguments.output.output, &story, text)?)
}

/// A receiver with one source for each cloud.
struct Inbox {
    addr: String,
    sink: Arc<MemorySink>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Inbox {
    async fn start(key: &SigningKey) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let policy = || SignaturePolicy::signed([key.clone()]);
        let aliyun = AliyunCallbacks::new(&addr.to_string(), policy()?)?;
        let huaweicloud = HuaweicloudCallbacks::new(SigningScheme::HmacSha256, policy()?);
        let sink = Arc::new(MemorySink::new());
        let receiver = Receiver::builder(Arc::<MemorySink>::clone(&sink))
            .source(Source::new("streaming", path(aliyun::VENDOR), Arc::new(aliyun))?)
            .source(Source::new("ingest", path(huaweicloud::VENDOR), Arc::new(huaweicloud))?)
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(async move {
            receiver.serve(listener, async { drop(stopped.await) }).await;
        });
        Ok(Self { addr: format!("http://{addr}"), sink, stop, serving })
    }

    fn url(&self, vendor: Vendor) -> String {
        format!("{}{}", self.addr, path(vendor))
    }

    /// Everything that was kept.
    async fn stop(self) -> Result<Vec<EventRecord>, Failure> {
        drop(self.stop);
        self.serving.await.map_err(io::Error::from)?;
        Ok(self.sink.records())
    }
}

fn path(vendor: Vendor) -> String {
    format!("/callbacks/{vendor}")
}

fn delivered(what: &str, outcome: &TriggerOutcome) -> String {
    match outcome {
        TriggerOutcome::Delivered(report) => match report.last().and_then(|last| last.status) {
            Some(status) => format!("{what}: answered with {status}"),
            None => format!("{what}: no answer"),
        },
        TriggerOutcome::NotSubscribed => format!("{what}: not subscribed, not sent"),
        TriggerOutcome::NoConfig => format!("{what}: no config, not sent"),
    }
}

fn aliyun_config(mock: &MockAliyun) -> ProviderConfig {
    ProviderConfig::Aliyun(AliyunConfig {
        endpoint: Some(mock.endpoint().into()),
        credentials: access_key(mock.access_key_id(), mock.access_key_secret()),
        ..AliyunConfig::default()
    })
}

fn huaweicloud_config(mock: &MockHuaweicloud) -> ProviderConfig {
    ProviderConfig::Huaweicloud(HuaweicloudConfig {
        endpoint: Some(mock.endpoint().into()),
        iam_endpoint: Some(mock.iam_endpoint().into()),
        // No project is given: IAM says which one the region's is.
        region: Some(mock.region().into()),
        credentials: access_key(mock.access_key(), mock.secret_key()),
        ..HuaweicloudConfig::default()
    })
}

fn access_key(id: &str, secret: &str) -> CredentialsConfig {
    CredentialsConfig::AccessKey { id: id.into(), secret: secret.into(), security_token: None }
}

async fn shown(provider: &dyn RecordCallbackProvider, key: &CallbackKey) -> Result<StoredCallback, Error> {
    let missing = || Error::new(ErrorKind::NotFound, format!("{key} was written and is not there"));
    provider.get(key).await?.ok_or_else(missing)
}

fn received(requests: &[ReceivedRequest]) -> String {
    let refused =
        |request: &&ReceivedRequest| request.code().is_some_and(|code| SIGNATURE_REFUSED.contains(&code));
    let refused = requests.iter().filter(refused).count();
    format!("{} requests, {refused} signatures refused", requests.len())
}

fn id(stored: &StoredCallback) -> String {
    stored.id.as_ref().map_or("-".to_owned(), ToString::to_string)
}

fn summary(stored: &StoredCallback) -> String {
    let url = stored.notify_url.as_deref().unwrap_or("-");
    format!("{} to {url}, {}", stored.events, output::signing(stored))
}

fn text(story: &Story) -> String {
    let rows =
        story.steps.iter().map(|step| [step.cloud.to_owned(), step.action.to_owned(), step.result.clone()]);
    let steps = output::table(&["CLOUD", "ACTION", "RESULT"], rows);
    let rows = (1..).zip(&story.events).map(|(number, record)| output::event(number, record));
    format!("{steps}\n\n{}", output::table(&output::EVENT_HEADER, rows))
}
