//! `record-callback demo`: one callback on a mock Aliyun, moved to a mock Huawei Cloud.

use record_callback::http::TokioTimer;
use record_callback::{
    AliyunConfig, CallbackKey, CallbackSigning, CredentialsConfig, Error, ErrorKind, EventKind, Fidelity,
    HuaweicloudConfig, ProviderConfig, ReadBack, RecordCallbackConfig, RecordCallbackProvider,
    RecordCallbackProviderExt, SigningKey, StoredCallback,
};
use record_callback_mock::{MockAliyun, MockHuaweicloud, ReceivedRequest};
use serde::Serialize;

use crate::args::DemoArguments;
use crate::failure::Failure;
use crate::output;

const NOTIFY_URL: &str = "https://callbacks.example.com/recorded";
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

#[derive(Default)]
struct Story(Vec<Step>);

impl Story {
    fn tell(&mut self, cloud: &'static str, action: &'static str, result: impl Into<String>) {
        self.0.push(Step { cloud, action, result: result.into() });
    }
}

pub(crate) async fn run(arguments: DemoArguments) -> Result<(), Failure> {
    let mut story = Story::default();
    let mock_aliyun = MockAliyun::builder().domain(STREAMING_DOMAIN).start().await?;
    let mock_huaweicloud = MockHuaweicloud::builder().domain(INGEST_DOMAIN).start().await?;
    story.tell("aliyun", "start mock", mock_aliyun.endpoint());
    story.tell("huaweicloud", "start mock", mock_huaweicloud.endpoint());
    let aliyun = aliyun(&mock_aliyun).connect()?;
    let huaweicloud = huaweicloud(&mock_huaweicloud).connect()?;
    let read_back = ReadBack::new(TokioTimer);

    let wanted = RecordCallbackConfig::builder(STREAMING_DOMAIN, NOTIFY_URL)
        .events([EventKind::FileCompleted])
        .signing(CallbackSigning::Md5(SigningKey::generate()?))
        .build()?;
    aliyun.create(&wanted, Fidelity::Exact).await?;
    story.tell("aliyun", "create", wanted.key().to_string());
    let source = shown(&*aliyun, &wanted.key()).await?;
    story.tell("aliyun", "read back", summary(&source));

    // The signing key is readable on Aliyun, so it moves along; the domain is another one of the same stream.
    let moved = source.to_config(None)?.on_domain(INGEST_DOMAIN)?;
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
    story.tell("aliyun", "received", received(&mock_aliyun.requests()));
    story.tell("huaweicloud", "received", received(&mock_huaweicloud.requests()));

    Ok(output::print(arguments.output.output, &story.0, |steps| rows(steps))?)
}

fn aliyun(mock: &MockAliyun) -> ProviderConfig {
    ProviderConfig::Aliyun(AliyunConfig {
        endpoint: Some(mock.endpoint().into()),
        credentials: access_key(mock.access_key_id(), mock.access_key_secret()),
        ..AliyunConfig::default()
    })
}

fn huaweicloud(mock: &MockHuaweicloud) -> ProviderConfig {
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

fn rows(steps: &[Step]) -> String {
    let rows = steps.iter().map(|step| [step.cloud.to_owned(), step.action.to_owned(), step.result.clone()]);
    output::table(&["CLOUD", "ACTION", "RESULT"], rows)
}
