//! Move a callback from one vendor to the other, knowing what is lost before anything happens.
//!
//! Run with `cargo run -p record-callback-examples --example switch_provider`.

use std::error::Error;

use record_callback::http::TokioTimer;
use record_callback::{
    CallbackSigning, EventKind, Fidelity, ProviderConfig, ReadBack, RecordCallbackConfig,
    RecordCallbackProviderExt, SigningKey,
};
use record_callback_mock::{MockAliyun, MockHuaweicloud};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let aliyun = MockAliyun::builder().start().await?;
    let huaweicloud = MockHuaweicloud::builder().start().await?;
    // A platform keeps these texts in its settings.
    let source: ProviderConfig = toml::from_str(&format!(
        r#"
        vendor = "aliyun"
        endpoint = "{}"
        credentials = {{ source = "access_key", id = "{}", secret = "{}" }}
        "#,
        aliyun.endpoint(),
        aliyun.access_key_id(),
        aliyun.access_key_secret(),
    ))?;
    let target: ProviderConfig = toml::from_str(&format!(
        r#"
        vendor = "huaweicloud"
        endpoint = "{}"
        project_id = "{}"
        credentials = {{ source = "access_key", id = "{}", secret = "{}" }}
        "#,
        huaweicloud.endpoint(),
        huaweicloud.project_id(),
        huaweicloud.access_key(),
        huaweicloud.secret_key(),
    ))?;
    let (source, target) = (source.connect()?, target.connect()?);

    let old = RecordCallbackConfig::builder("live.example.com", "https://cb.example.com/recorded")
        .events([EventKind::FileCompleted, EventKind::RecordingPaused])
        .signing(CallbackSigning::Md5(SigningKey::generate()?))
        .build()?;
    source.put(&old, Fidelity::Widen).await?;

    // The clouds key by different domains of the same stream.
    let stored = source.get(&old.key()).await?.ok_or("not stored")?;
    let new = stored.to_config(None)?.on_domain("push.example.com")?;

    // Ask first: the same data decides what a write would refuse.
    for lost in target.capabilities().fit(&new, Fidelity::BestEffort)?.deviations {
        println!("will not move: {lost}");
    }
    let read_back = ReadBack::new(TokioTimer);
    let moved = target.ensure(&new, Fidelity::BestEffort, &read_back).await?;
    println!("on {}: {}", target.vendor(), moved.stored.events);

    // Make before break.
    let retired = source.ensure_absent(&old.key(), &read_back).await?;
    println!("retired on {}: {retired}", source.vendor());
    Ok(())
}
