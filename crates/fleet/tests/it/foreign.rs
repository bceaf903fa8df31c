//! A fleet that is asked with the keys of another account.

use std::sync::Arc;

use record_callback_contract::MemoryProvider;
use record_callback_core::RecordCallbackProvider;
use record_callback_fleet::Clouds;

use crate::fleet::{Fleet, callback};
use crate::wishes::PROVIDERS;

#[test]
fn nothing_is_forgotten_because_the_account_lacks_the_domain() {
    for place in ["full d.com/*", "narrow d.com/*"] {
        let owned = [callback("a", place, "")];
        let mut fleet = Fleet::with(&owned);
        let clouds = PROVIDERS.map(|name| {
            let cloud: Arc<dyn RecordCallbackProvider> = Arc::new(MemoryProvider::full().with_domains([]));
            (name.parse().unwrap(), cloud)
        });
        fleet.clouds = Clouds::new(clouds.into());
        for wanted in [&[][..], &owned] {
            let plan = fleet.plans(wanted);
            assert!(
                plan.len() == 1
                    && plan[0].starts_with("a blocked: ")
                    && plan[0].ends_with("(domain not found)"),
                "{plan:?}"
            );
        }
    }
}
