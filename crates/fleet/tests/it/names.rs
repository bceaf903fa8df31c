//! One account under two names: what looks like two configs is one.

use std::collections::BTreeMap;
use std::sync::Arc;

use record_callback_contract::{MemoryProvider, NoWait};
use record_callback_core::{ReadBack, RecordCallbackProvider};
use record_callback_fleet::{ApplyOptions, Clouds, Ledger, Name, Plan, State, apply};

use crate::nowhere::{Nowhere, planned};

/// Plans and applies callback `a` on `provider`; the plan.
async fn declare(cloud: &Arc<MemoryProvider>, state: &mut State, name: &str, provider: &str) -> Plan {
    let text = format!(
        "[providers.one]\n[providers.two]\n[[callbacks]]\nname = '{name}'\nprovider = '{provider}'\n\
         domain = 'd.com'\nnotify_url = 'https://cb.example.com'\n"
    );
    let account = |text| (Name::new(text).unwrap(), Arc::clone(cloud) as Arc<dyn RecordCallbackProvider>);
    let clouds = Clouds::new(BTreeMap::from(["one", "two"].map(account)));
    let planned = planned(&text, &clouds, state).await;
    let ledger = Ledger::new(state.clone(), &Nowhere);
    let options = ApplyOptions::new(ReadBack::new(NoWait));
    let report = apply(planned.clone(), &clouds, &ledger, &options, &()).await;
    assert!(report.is_done(), "{report:?}");
    *state = ledger.into_state();
    planned
}

async fn a_move_between_names_moves_nothing(cloud: MemoryProvider, renamed: &str) {
    let (cloud, mut state) = (Arc::new(cloud), State::empty().unwrap());
    declare(&cloud, &mut state, "a", "one").await;
    let there = cloud.list(None).await.unwrap();
    for provider in ["two", "one", "two"] {
        declare(&cloud, &mut state, renamed, provider).await;
        assert_eq!(cloud.list(None).await.unwrap(), there, "the config stays as it was");
        assert!(declare(&cloud, &mut state, renamed, provider).await.is_clean());
    }
}

#[tokio::test]
async fn a_provider_that_is_renamed_keeps_its_configs() {
    a_move_between_names_moves_nothing(MemoryProvider::full(), "a").await;
    a_move_between_names_moves_nothing(MemoryProvider::narrow(), "a").await;
}

#[tokio::test]
async fn a_callback_that_is_renamed_together_with_its_provider_keeps_its_config() {
    a_move_between_names_moves_nothing(MemoryProvider::full(), "b").await;
    a_move_between_names_moves_nothing(MemoryProvider::narrow(), "b").await;
}
