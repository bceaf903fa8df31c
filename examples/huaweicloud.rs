//! Huawei Cloud Live: one callback for an app, another for all other apps of an ingest domain.
//!
//! Run with `cargo run -p record-callback-examples --example huaweicloud`. It runs on a mock; for the real
//! cloud give the region only, and put the access key into the environment.

use std::error::Error;

use record_callback::http::{AccessKey, StaticCredentials};
use record_callback::huaweicloud::{HuaweicloudClient, HuaweicloudProvider};
use record_callback::{
    AppName, CallbackSigning, DomainName, EventKind, Fidelity, RecordCallbackConfig,
    RecordCallbackProviderExt, SigningKey,
};
use record_callback_mock::MockHuaweicloud;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let cloud = MockHuaweicloud::builder().start().await?;
    let key = AccessKey::new(cloud.access_key(), cloud.secret_key());
    let client = HuaweicloudClient::builder()
        .endpoint(cloud.endpoint())
        .iam_endpoint(cloud.iam_endpoint())
        .region(cloud.region())
        .credentials(StaticCredentials::new(key))
        .build()?;
    let provider = HuaweicloudProvider::new(client);

    let domain = DomainName::new("push.example.com")?;
    for (app, path) in [("vip", "vip"), ("*", "everything-else")] {
        let config = RecordCallbackConfig::builder(domain.as_str(), format!("https://cb.example.com/{path}"))
            .app(app)
            .events([EventKind::FileCompleted, EventKind::RecordingEnded])
            .signing(CallbackSigning::HmacSha256(SigningKey::generate()?))
            .build()?;
        let report = provider.put(&config, Fidelity::Exact).await?;
        println!("{:?} {}", report.action, config.key());
        for field in report.applied.unconfirmed {
            println!("  {field} cannot be read back on this cloud");
        }
    }

    for app in ["vip", "sports"] {
        let governing = provider.resolve(&domain, &AppName::new(app)?).await?.ok_or("no config")?;
        println!("streams of {app} are reported to {}", governing.notify_url.unwrap_or_default());
    }
    Ok(())
}
