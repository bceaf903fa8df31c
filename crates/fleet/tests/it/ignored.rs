//! A cloud that ignores what its documents do not promise.

use std::collections::BTreeMap;
use std::sync::Arc;

use record_callback_contract::MemoryProvider;
use record_callback_core::{Fidelity, Field, RecordCallbackProvider};
use record_callback_fleet::{Action, Clouds, Keys, Name, OwnedConfig, Plan, Record, Standing, State};

use crate::nowhere::{manifest, planned};

const MANIFEST: &str = "[providers.cloud]\n[[callbacks]]\nname = 'a'\nprovider = 'cloud'\ndomain = 'd.com'\n\
                        notify_url = 'https://cb.example.com'\non_demand_url = 'https://od.example.com'\n\
                        fidelity = 'best-effort'\n";

/// The plan after a run that died when the cloud had created the config, and before that was noted.
async fn planned_after_a_crash(declared: &str) -> Plan {
    let before = manifest(MANIFEST);
    let (name, provider) = (Name::new("a").unwrap(), Name::new("cloud").unwrap());
    let wanted = before.wanted(&before.callbacks()[&name], &provider, &Keys::default()).unwrap();
    let mut state = State::empty().unwrap();
    let config = OwnedConfig {
        slot: wanted.slot(),
        id: None,
        standing: Standing::Creating,
        written: state.salt.of_config(&wanted.config),
        earlier: Vec::new(),
        protect: false,
        ignored: Vec::new(),
    };
    state.take(Record::Config { name, config });
    let cloud = MemoryProvider::key_hiding().ignoring(Field::OnDemandUrl);
    cloud.create(&wanted.config, Fidelity::BestEffort).await.unwrap();
    let cloud: Arc<dyn RecordCallbackProvider> = Arc::new(cloud);
    let clouds = Clouds::new(BTreeMap::from([(provider, cloud)]));
    planned(declared, &clouds, &state).await
}

#[tokio::test]
async fn what_a_cloud_ignored_does_not_make_a_config_somebody_elses() {
    let again = planned_after_a_crash(MANIFEST).await;
    assert!(matches!(again.steps[0].action, Action::Update(_)), "{again:?}");
    let gone = planned_after_a_crash("[providers.cloud]\n").await;
    assert_eq!(serde_json::to_value(&gone).unwrap()["steps"][0]["retire"][0]["end"], "delete", "{gone:?}");
}
