//! Aliyun Live: send recording callbacks of one streaming domain somewhere, then look at the delivery log.
//!
//! Run with `cargo run -p record-callback-examples --example aliyun`. It runs on a mock; for the real
//! cloud leave out `endpoint` and `credentials`, and put the access key into the environment.

use std::error::Error;
use std::time::Duration;

use record_callback::aliyun::{AliyunClient, AliyunProvider, NotifyRecordsQuery, Signature};
use record_callback::http::{AccessKey, StaticCredentials, TokioTimer};
use record_callback::{
    CallbackSigning, EventKind, Fidelity, ReadBack, RecordCallbackConfig, RecordCallbackProviderExt,
    SigningKey, Timestamp,
};
use record_callback_mock::MockAliyun;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let cloud = MockAliyun::builder().start().await?;
    let key = AccessKey::new(cloud.access_key_id(), cloud.access_key_secret());
    let client = AliyunClient::builder()
        .endpoint(cloud.endpoint())
        .credentials(StaticCredentials::new(key))
        .signature(Signature::Acs3)
        .build()?;
    let provider = AliyunProvider::new(client);

    // One switch brings all status events: asking for one of them takes `Widen`.
    let wanted = RecordCallbackConfig::builder("live.example.com", "https://cb.example.com/recorded")
        .events([EventKind::FileCompleted, EventKind::RecordingFailed])
        .signing(CallbackSigning::Md5(SigningKey::generate()?))
        .build()?;
    let ensured = provider.ensure(&wanted, Fidelity::Widen, &ReadBack::new(TokioTimer)).await?;
    println!("stored: {}", ensured.stored.events);
    for deviation in &ensured.deviations {
        println!("deviation: {deviation}");
    }

    // What only this vendor has is on its client.
    let now = Timestamp::now();
    let query = NotifyRecordsQuery {
        domain_name: "live.example.com".into(),
        start_time: now - Duration::from_secs(3600),
        end_time: now,
        ..NotifyRecordsQuery::default()
    };
    let log = provider.client().describe_live_record_notify_records(&query).await?;
    println!("deliveries in the last hour: {}", log.total_num);
    Ok(())
}
