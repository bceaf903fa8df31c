//! Which providers a behaviour is about. Most needs are one of two or three alternatives of
//! which every provider meets one, so that a missing ability is tested for its refusal instead.

use record_callback_core::{Capabilities, OnDemandSupport};

use crate::harness::Harness;
use crate::wishes;

/// A condition on the provider under test.
pub(crate) struct Need {
    /// The condition in words, to follow "only where".
    pub(crate) condition: &'static str,
    met: fn(&Capabilities, &dyn Harness) -> bool,
}

impl Need {
    const fn new(condition: &'static str, met: fn(&Capabilities, &dyn Harness) -> bool) -> Self {
        Self { condition, met }
    }

    pub(crate) fn is_met(&self, capabilities: &Capabilities, harness: &dyn Harness) -> bool {
        (self.met)(capabilities, harness)
    }
}

pub(crate) static NOTHING: Need = Need::new("a provider is tested", |_, _| true);

pub(crate) static NAMED_APPS: Need = Need::new("a config can be for one app", |c, _| c.named_apps);
pub(crate) static ONLY_ANY_APP: Need = Need::new("every config is for `*`", |c, _| !c.named_apps);

pub(crate) static IDS: Need = Need::new("configs have ids", |c, _| c.ids);
pub(crate) static NO_IDS: Need = Need::new("configs have no ids", |c, _| !c.ids);

pub(crate) static SIGNING: Need = Need::new("callbacks can be signed", |c, _| !c.signing.schemes.is_empty());
pub(crate) static NO_SIGNING: Need =
    Need::new("callbacks cannot be signed", |c, _| c.signing.schemes.is_empty());
pub(crate) static READABLE_KEYS: Need =
    Need::new("signing keys can be read", |c, h| SIGNING.is_met(c, h) && c.signing.key_readable);
pub(crate) static HIDDEN_KEYS: Need =
    Need::new("signing keys are hidden", |c, h| SIGNING.is_met(c, h) && !c.signing.key_readable);
// Without these two nothing is refused: every length and every scheme is in the tests of `SIGNING`.
pub(crate) static KEY_LIMITS: Need = Need::new("some length of signing key is refused", |c, h| {
    SIGNING.is_met(c, h) && wishes::refused_key_length(c).is_some()
});
pub(crate) static MISSING_SCHEME: Need =
    Need::new("a signing scheme is missing", |c, _| wishes::missing_scheme(c).is_some());

pub(crate) static ON_DEMAND: Need =
    Need::new("on-demand URLs are documented", |c, _| c.on_demand_url == OnDemandSupport::Documented);
pub(crate) static ON_DEMAND_PERHAPS: Need =
    Need::new("on-demand URLs are undocumented", |c, _| c.on_demand_url == OnDemandSupport::Undocumented);
pub(crate) static NO_ON_DEMAND: Need =
    Need::new("there are no on-demand URLs", |c, _| c.on_demand_url == OnDemandSupport::Unsupported);

pub(crate) static WIDENING: Need =
    Need::new("some event never comes alone", |c, _| wishes::widened_event(c).is_some());
pub(crate) static NO_WIDENING: Need =
    Need::new("every event is switched alone", |c, _| wishes::widened_event(c).is_none());
pub(crate) static LOSS: Need = Need::new("some wish cannot be fulfilled", |c, _| wishes::loses(c));
pub(crate) static NO_LOSS: Need = Need::new("every wish can be fulfilled", |c, _| !wishes::loses(c));

pub(crate) static FAULTS: Need =
    Need::new("the harness can disturb calls", |_, harness| harness.faults().is_some());
pub(crate) static OTHER_ACCOUNT: Need =
    Need::new("the harness has another account", |_, harness| harness.other_account().is_some());

pub(crate) static FOREIGN_DOMAIN: Need =
    Need::new("a domain is named that the account lacks", |_, harness| harness.foreign_domain().is_some());

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;
    use record_callback_core::{DomainName, RecordCallbackProvider, Timer};

    use super::*;
    use crate::{MemoryProvider, NoWait};

    struct Memory;

    #[async_trait]
    impl Harness for Memory {
        async fn provider(&self) -> Arc<dyn RecordCallbackProvider> {
            Arc::new(MemoryProvider::full())
        }

        fn domains(&self) -> [DomainName; 2] {
            ["one.example.com", "two.example.com"].map(DomainName::reported)
        }

        fn timer(&self) -> Arc<dyn Timer> {
            Arc::new(NoWait)
        }
    }

    /// What a provider lacks is tested for its refusal, not passed over.
    #[test]
    fn of_each_alternative_every_provider_meets_exactly_one_need() {
        let mut unsigned = MemoryProvider::full().capabilities().clone();
        unsigned.signing.schemes.clear();
        let clouds = [
            MemoryProvider::full(),
            MemoryProvider::narrow(),
            MemoryProvider::key_hiding(),
            MemoryProvider::new(unsigned),
        ];
        let alternatives: [&[&Need]; 7] = [
            &[&NAMED_APPS, &ONLY_ANY_APP],
            &[&IDS, &NO_IDS],
            &[&SIGNING, &NO_SIGNING],
            &[&READABLE_KEYS, &HIDDEN_KEYS, &NO_SIGNING],
            &[&ON_DEMAND, &ON_DEMAND_PERHAPS, &NO_ON_DEMAND],
            &[&WIDENING, &NO_WIDENING],
            &[&LOSS, &NO_LOSS],
        ];
        for cloud in &clouds {
            for needs in alternatives {
                let met: Vec<_> = needs
                    .iter()
                    .filter(|need| need.is_met(cloud.capabilities(), &Memory))
                    .map(|need| need.condition)
                    .collect();
                assert_eq!(met.len(), 1, "{met:?} of {cloud:?}");
            }
        }
    }
}
