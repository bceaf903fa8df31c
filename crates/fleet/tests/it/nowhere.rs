//! For tests in which nothing crashes.

use async_trait::async_trait;
use record_callback_fleet::{
    Clouds, Journal, Keys, Manifest, ManifestFile, ManifestFormat, Plan, PlanInput, Record, State, Targets,
    plan,
};
use serde::de::IgnoredAny;

/// A journal that keeps nothing.
#[derive(Debug)]
pub(crate) struct Nowhere;

#[async_trait]
impl Journal for Nowhere {
    async fn append(&self, _record: &Record) -> std::io::Result<()> {
        Ok(())
    }
}

pub(crate) fn manifest(text: &str) -> Manifest {
    ManifestFile::<IgnoredAny>::parse(text, ManifestFormat::Toml).unwrap().manifest
}

/// The plan for a manifest without keys.
pub(crate) async fn planned(text: &str, clouds: &Clouds, state: &State) -> Plan {
    let (manifest, keys, targets) = (&manifest(text), &Keys::default(), &Targets::All);
    let mut observed = clouds.observe(PlanInput::slots(manifest, state, targets)).await;
    clouds.confirm_missing(&mut observed, state.slots()).await;
    plan(&PlanInput { manifest, keys, observed: &observed, state, targets, drop_kept: false })
}
