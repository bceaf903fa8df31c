//! What happens while a confirmation is awaited.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use record_callback_contract::{MemoryProvider, NoWait};
use record_callback_core::{
    CallbackKey, DomainName, Fidelity, ReadBack, RecordCallbackConfig, RecordCallbackProvider,
};
use record_callback_fleet::{ApplyOptions, Clouds, Confirmation, Ledger, Name, Slot, State, apply};

use crate::nowhere::{Nowhere, planned};

/// Confirms, and meanwhile somebody puts a config of their own in the place of the source.
#[derive(Debug)]
struct Replacing(Arc<MemoryProvider>);

#[async_trait]
impl Confirmation for Replacing {
    async fn confirm(&self, _name: &Name, from: &[Slot], _to: &Slot) -> Result<(), String> {
        self.0.delete(&from[0].key).await.unwrap();
        let theirs = RecordCallbackConfig::builder("d.com", "https://theirs.example.com").build().unwrap();
        self.0.create(&theirs, Fidelity::Exact).await.unwrap();
        Ok(())
    }
}

#[tokio::test]
async fn a_source_that_somebody_replaced_meanwhile_stays() {
    let source = Arc::new(MemoryProvider::full());
    let target: Arc<dyn RecordCallbackProvider> = Arc::new(MemoryProvider::narrow());
    let named = |text| Name::new(text).unwrap();
    let clouds = Clouds::new(BTreeMap::from([
        (named("source"), Arc::clone(&source) as Arc<dyn RecordCallbackProvider>),
        (named("target"), target),
    ]));
    let mut state = State::empty().unwrap();
    let mut options = ApplyOptions::new(ReadBack::new(NoWait));
    // Another domain there: the two clouds of this test are of one vendor.
    for provider in ["source", "target"] {
        let text = format!(
            "[providers.source]\n[providers.target]\n[[callbacks]]\nname = 'a'\nprovider = '{provider}'\n\
             domain = {{ source = 'd.com', target = 'e.com' }}\nnotify_url = 'https://cb.example.com'\n"
        );
        let planned = planned(&text, &clouds, &state).await;
        let ledger = Ledger::new(state.clone(), &Nowhere);
        let report = apply(planned, &clouds, &ledger, &options, &()).await;
        assert!(report.is_done(), "{report:?}");
        state = ledger.into_state();
        options.confirmation = Some(Arc::new(Replacing(Arc::clone(&source))));
    }
    let key = CallbackKey::any_app(DomainName::new("d.com").unwrap());
    let left = source.get(&key).await.unwrap().expect("it is not ours to delete");
    assert_eq!(left.notify_url.as_deref(), Some("https://theirs.example.com"));
    assert!(state.entries[&named("a")].configs.iter().all(|config| config.slot.provider == named("target")));
}
