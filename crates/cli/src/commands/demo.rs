//! `record-callback demo`: one callback on a mock Aliyun, moved to a mock Huawei Cloud, and what both deliver.

mod fleet;
mod inbox;

use std::collections::BTreeMap;

use record_callback::fleet::Name;
use record_callback::receiver::EventRecord;
use record_callback::{
    AliyunConfig, CredentialsConfig, HuaweicloudConfig, ProviderConfig, SigningKey, StoredCallback, aliyun,
    huaweicloud,
};
use record_callback_mock::{
    AliyunEvent, HuaweicloudEvent, MockAliyun, MockHuaweicloud, ReceivedRequest, TriggerOutcome,
};
use serde::Serialize;

use self::fleet::Fleet;
use self::inbox::Inbox;
use crate::args::DemoArguments;
use crate::failure::Failure;
use crate::output;

/// What the manifest calls its providers and its callback.
const ALIYUN: &str = "aliyun";
const HUAWEICLOUD: &str = "huaweicloud";
const CALLBACK: &str = "match";
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
    let signing_key = SigningKey::generate()?;
    let inbox = Inbox::start(&signing_key).await?;
    story.tell("-", "start receiver", &inbox.addr);
    let configs = BTreeMap::from([
        (Name::new(ALIYUN)?, aliyun_config(&mock_aliyun)),
        (Name::new(HUAWEICLOUD)?, huaweicloud_config(&mock_huaweicloud)),
    ]);
    let directory = tempfile::tempdir()?;
    let mut fleet = Fleet::new(&manifest(&inbox), &configs, signing_key, directory.path())?;

    let plan = fleet.plan().await;
    story.tell("-", "plan", plan.counts().to_string());
    fleet.apply(plan).await?;
    let source = fleet.stored(ALIYUN).await?;
    story.tell("aliyun", "apply", source.key.to_string());
    story.tell("aliyun", "read back", summary(&source));
    let event = AliyunEvent::file(STREAMING_DOMAIN, APP, STREAM);
    story.tell("aliyun", "deliver", delivered("a file", &mock_aliyun.trigger(event).await));

    // The same stream has another domain there, the receiver another path, and the signature proves more.
    fleet.switch(HUAWEICLOUD)?;
    let plan = fleet.plan().await;
    story.tell("-", "plan", plan.counts().to_string());
    fleet.apply(plan).await?;
    let target = fleet.stored(HUAWEICLOUD).await?;
    story.tell("huaweicloud", "switch", format!("{} as id {}", target.key, id(&target)));
    story.tell("huaweicloud", "read back", summary(&target));
    // Make before break: it went only when the new one was there.
    story.tell("aliyun", "retired", format!("{} configs left", mock_aliyun.configs().len()));
    let event = HuaweicloudEvent::record_file_complete(INGEST_DOMAIN, APP, STREAM);
    story.tell("huaweicloud", "deliver", delivered("a file", &mock_huaweicloud.trigger(event).await));
    let event = HuaweicloudEvent::record_over(INGEST_DOMAIN, APP, STREAM);
    story.tell("huaweicloud", "deliver", delivered("the end", &mock_huaweicloud.trigger(event).await));
    let plan = fleet.plan().await;
    story.tell("-", "plan", plan.counts().to_string());
    story.tell("aliyun", "received", received(&mock_aliyun.requests()));
    story.tell("huaweicloud", "received", received(&mock_huaweicloud.requests()));

    story.events = inbox.stop().await?;
    Ok(output::print(arguments.output.output, &story, text)?)
}

/// One callback that both clouds can have.
fn manifest(inbox: &Inbox) -> String {
    let (aliyun, huaweicloud) = (inbox.url(aliyun::VENDOR), inbox.url(huaweicloud::VENDOR));
    format!(
        r#"
        [providers.{ALIYUN}]
        [providers.{HUAWEICLOUD}]

        [[callbacks]]
        name = "{CALLBACK}"
        provider = "{ALIYUN}"
        domain = {{ {ALIYUN} = "{STREAMING_DOMAIN}", {HUAWEICLOUD} = "{INGEST_DOMAIN}" }}
        notify_url = {{ {ALIYUN} = "{aliyun}", {HUAWEICLOUD} = "{huaweicloud}" }}
        signing = {{ scheme = {{ {ALIYUN} = "md5", {HUAWEICLOUD} = "hmac_sha256" }}, key = {{ env = "KEY" }} }}
        "#
    )
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
