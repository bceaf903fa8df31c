use std::collections::BTreeMap;

use record_callback_core::{Difference, Error, ErrorKind, Fidelity, Field, RecordCallbackConfig};

use super::run::Run;
use crate::observe::{Observed, Sight};
use crate::slot::Slot;

/// What a slot is to show.
pub(super) enum Expected<'a> {
    /// This config.
    Config(&'a RecordCallbackConfig, Fidelity),
    /// None.
    Nothing,
}

/// What reading back a slot found.
pub(super) enum Verified {
    /// What was expected, but for what the cloud ignored where that is accepted.
    AsExpected(Vec<Difference>),
    /// Something else until the last read.
    Not(Error),
}

impl Run<'_> {
    /// Reads `slots` back together until they show what is expected; reads may lag behind writes.
    pub(super) async fn verify(&self, slots: BTreeMap<Slot, Expected<'_>>) -> BTreeMap<Slot, Verified> {
        let mut verified = BTreeMap::new();
        let mut left: Vec<_> = slots.into_iter().collect();
        let mut rounds = self.options.read_back.rounds();
        while !left.is_empty() {
            let observed = self.clouds.observe(left.iter().map(|(slot, _)| slot.clone())).await;
            let another = rounds.another();
            left.retain(|(slot, expected)| match self.judge(slot, expected, &observed) {
                Verified::AsExpected(ignored) if ignored.is_empty() => {
                    verified.insert(slot.clone(), Verified::AsExpected(ignored));
                    false
                }
                // Only the last read tells what a cloud ignores.
                _ => true,
            });
            if left.is_empty() {
                break;
            }
            if !another.await {
                for (slot, expected) in left {
                    let result = self.judge(&slot, &expected, &observed);
                    verified.insert(slot, result);
                }
                break;
            }
        }
        verified
    }

    fn judge(&self, slot: &Slot, expected: &Expected<'_>, observed: &Observed) -> Verified {
        let not_applied = |message: String, differences: Vec<Difference>| {
            let mut error = Error::new(ErrorKind::NotApplied, message)
                .with_domain(slot.key.domain.as_str())
                .with_differences(differences);
            if let Some(provider) = self.clouds.get(&slot.provider) {
                error = error.with_vendor(provider.vendor());
            }
            Verified::Not(error)
        };
        match (observed.sight(slot), expected) {
            (Sight::Config(stored), Expected::Config(wanted, fidelity)) => {
                let ignored = stored.changes(wanted);
                // Documents leave open only whether a cloud keeps this one. Anything else that differs somebody changed,
                // and taking it for ignored would hide that for good.
                let may_be_ignored = |difference: &Difference| {
                    difference.field == Field::OnDemandUrl && stored.on_demand_url.is_none()
                };
                let is_accepted = *fidelity == Fidelity::BestEffort && ignored.iter().all(may_be_ignored);
                if ignored.is_empty() || is_accepted {
                    return Verified::AsExpected(ignored);
                }
                let list = ignored.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                not_applied(format!("written, but the cloud shows {list}"), ignored)
            }
            (Sight::Nothing, Expected::Config(..)) => {
                not_applied("written, but the cloud does not show it".to_owned(), Vec::new())
            }
            (Sight::Nothing, Expected::Nothing) => Verified::AsExpected(Vec::new()),
            (Sight::Config(_), Expected::Nothing) => {
                not_applied("deleted, but the cloud still shows it".to_owned(), Vec::new())
            }
            (Sight::Unreadable(error), _) => Verified::Not(
                Error::new(error.kind(), format!("written, but it cannot be read back: {error}"))
                    .with_maybe_applied(),
            ),
            (Sight::UnknownProvider, _) => {
                let message = format!("provider `{}` is not connected", slot.provider);
                Verified::Not(Error::new(ErrorKind::InvalidConfig, message))
            }
        }
    }
}
