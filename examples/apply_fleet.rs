//! Declares a callback, applies the plan, and applies it again: there is nothing left to do.

use std::collections::BTreeMap;

use record_callback::fleet::{
    ApplyOptions, Clouds, Ledger, ManifestFile, ManifestFormat, PlanInput, StateFile, Targets, apply, plan,
};
use record_callback::http::{FixedEnv, TokioTimer};
use record_callback::{ManifestKeys, ProviderConfig, ReadBack, connect_all};
use record_callback_mock::MockAliyun;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cloud = MockAliyun::builder().start().await?;
    let manifest = format!(
        r#"
        [providers.ali]
        vendor = "aliyun"
        endpoint = "{}"
        credentials = {{ source = "access_key", id = "{}", secret = "{}" }}

        [[callbacks]]
        name = "match"
        provider = "ali"
        domain = "live.example.com"
        notify_url = "https://cb.example.com/recorded"
        signing = {{ scheme = "md5", key = {{ env = "CALLBACK_KEY" }} }}
        "#,
        cloud.endpoint(),
        cloud.access_key_id(),
        cloud.access_key_secret(),
    );
    // `OsEnv` and the manifest's directory, in a program of yours.
    let env = FixedEnv::from_iter([("CALLBACK_KEY", "Abcdefgh12345678Abcdefgh12345678")]);
    let directory = tempfile::tempdir()?;

    let file = ManifestFile::<ProviderConfig>::parse(&manifest, ManifestFormat::Toml)?;
    let manifest = &file.manifest;
    let keys = &manifest.keys(&ManifestKeys::new(env.clone(), directory.path()));
    let clouds = Clouds::new(connect_all(&file.providers, env)?);
    let mut changes = BTreeMap::new();
    for round in ["first", "second"] {
        // Locked for as long as the file is open; on disk before anything is done in a cloud.
        let (file, state) = StateFile::open(directory.path().join("record-callback.state.json"))?;
        let (state, targets) = (&state, &Targets::All);
        let mut observed = clouds.observe(PlanInput::slots(manifest, state, targets)).await;
        clouds.confirm_missing(&mut observed, state.slots()).await;
        let observed = &observed;
        let plan = plan(&PlanInput { manifest, keys, observed, state, targets, drop_kept: false });
        println!("{round}: {}", plan.counts());
        changes.insert(round, plan.counts().changes());

        let ledger = Ledger::new(state.clone(), &file);
        let options = ApplyOptions::new(ReadBack::new(TokioTimer));
        let report = apply(plan, &clouds, &ledger, &options, &()).await;
        file.checkpoint(&ledger.into_state())?;
        assert!(report.is_done(), "{report:?}");
    }
    assert_eq!(changes, BTreeMap::from([("first", 1), ("second", 0)]));
    Ok(())
}
