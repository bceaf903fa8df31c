//! Manifests of many callbacks, and what it takes to apply them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;

use async_trait::async_trait;
use record_callback::fleet::{
    ApplyOptions, Clouds, Journal, KeyReference, Keys, Ledger, Manifest, ManifestFile, ManifestFormat, Name,
    Plan, PlanInput, Record, Report, State, Targets, apply, plan,
};
use record_callback::http::TokioTimer;
use record_callback::{InvalidConfig, ReadBack, SigningKey};
use record_callback_tests::CALLBACK_KEY;
use serde::de::IgnoredAny;

/// A journal for runs that do not crash.
#[derive(Debug)]
struct Forgetful;

#[async_trait]
impl Journal for Forgetful {
    async fn append(&self, _record: &Record) -> io::Result<()> {
        Ok(())
    }
}

/// The same key for every reference.
fn one_key(_: &KeyReference) -> Result<SigningKey, InvalidConfig> {
    SigningKey::new(CALLBACK_KEY)
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

/// `count` callbacks on provider `cloud`, each on a domain of its own, signed with `scheme` if one is given.
pub(crate) fn manifest(count: usize, scheme: Option<&str>, path: &str) -> Manifest {
    let mut text = "[providers.cloud]\n[defaults]\nprovider = \"cloud\"\n".to_owned();
    if let Some(scheme) = scheme {
        writeln!(text, "signing = {{ scheme = \"{scheme}\", key = {{ env = \"KEY\" }} }}")
            .expect("text grows");
    }
    for number in 0..count {
        writeln!(
            text,
            "[[callbacks]]\nname = \"c{number}\"\ndomain = \"d{number}.example.com\"\n\
             notify_url = \"https://cb.example.com/{path}/{number}\""
        )
        .expect("text grows");
    }
    let file = ManifestFile::<IgnoredAny>::parse(&text, ManifestFormat::Toml);
    file.expect("a manifest").manifest
}

/// What is declared, and what is ours.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) manifest: Manifest,
    keys: Keys,
    state: State,
}

impl Fleet {
    pub(crate) fn new(manifest: Manifest) -> Self {
        let keys = manifest.keys(&one_key);
        Self { manifest, keys, state: State::empty().expect("randomness") }
    }

    pub(crate) fn declare(&mut self, manifest: Manifest) {
        self.keys = manifest.keys(&one_key);
        self.manifest = manifest;
    }

    pub(crate) async fn plan(&self, clouds: &Clouds) -> Plan {
        let targets = &Targets::All;
        let mut observed = clouds.observe(PlanInput::slots(&self.manifest, &self.state, targets)).await;
        clouds.confirm_missing(&mut observed, self.state.slots()).await;
        let Self { manifest, keys, state } = self;
        plan(&PlanInput { manifest, keys, observed: &observed, state, targets, drop_kept: false })
    }

    pub(crate) async fn apply(&mut self, plan: Plan, clouds: &Clouds) -> Report {
        let journal = Forgetful;
        let ledger = Ledger::new(self.state.clone(), &journal);
        let options = ApplyOptions::new(ReadBack::new(TokioTimer));
        let report = apply(plan, clouds, &ledger, &options, &()).await;
        self.state = ledger.into_state();
        report
    }
}

pub(crate) fn clouds(provider: impl record_callback::RecordCallbackProvider) -> Clouds {
    let provider: std::sync::Arc<dyn record_callback::RecordCallbackProvider> = std::sync::Arc::new(provider);
    Clouds::new(BTreeMap::from([(name("cloud"), provider)]))
}
