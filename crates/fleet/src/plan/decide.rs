use std::collections::BTreeSet;

use record_callback_core::{
    CallbackUrl, Difference, DifferenceKind, Field, Fitted, RecordCallbackConfig, StoredCallback,
};

use super::holders::{Handover, Holders};
use super::{
    Action, Blocked, Change, End, FieldChange, Kept, Plan, Removal, Retirement, Step, Targets, Write,
};
use crate::hint;
use crate::manifest::{Declaration, Keys, Manifest, Wanted};
use crate::name::Name;
use crate::observe::{Observed, Sight};
use crate::slot::Slot;
use crate::state::{Entry, OwnedConfig, Standing, State, Written};

/// What a plan is made of.
#[derive(Debug, Clone, Copy)]
pub struct PlanInput<'a> {
    /// What is declared.
    pub manifest: &'a Manifest,
    /// The signing keys it refers to.
    pub keys: &'a Keys,
    /// The content of [`PlanInput::slots`] in the clouds, with what they [lack of ours](crate::Clouds::confirm_missing)
    /// confirmed.
    pub observed: &'a Observed,
    /// What is ours.
    pub state: &'a State,
    /// Which callbacks it is about.
    pub targets: &'a Targets,
    /// Whether the sources that earlier switches kept go now.
    pub drop_kept: bool,
}

impl PlanInput<'_> {
    /// The slots a plan needs to see: where the callbacks are to be, and where they are if that is another place.
    pub fn slots<'s>(
        manifest: &'s Manifest,
        state: &'s State,
        targets: &'s Targets,
    ) -> impl Iterator<Item = Slot> + use<'s> {
        let declared = manifest.callbacks().values().filter(|callback| targets.contains(&callback.name));
        let entries = state.entries.iter().filter(|(name, _)| targets.contains(name));
        let elsewhere = entries.flat_map(move |(name, entry)| {
            let wanted = manifest.callbacks().get(name).and_then(|callback| manifest.slot_of(callback));
            let slots = entry.configs.iter().map(|config| &config.slot);
            slots.filter(move |slot| Some(*slot) != wanted.as_ref()).cloned()
        });
        declared.filter_map(|callback| manifest.slot_of(callback)).chain(elsewhere)
    }
}

/// What has to be done, callback by callback. The same input always gives the same plan.
pub fn plan(input: &PlanInput<'_>) -> Plan {
    let callbacks = input.manifest.callbacks();
    let gone = input.state.entries.keys().filter(|name| !callbacks.contains_key(*name));
    let names: BTreeSet<&Name> =
        callbacks.keys().chain(gone).filter(|name| input.targets.contains(name)).collect();
    let planner = Planner { input, holders: Holders::new(input.manifest, input.state), destroys: None };
    let steps = names.into_iter().filter_map(|name| {
        let action = match callbacks.get(name) {
            Some(callback) => planner.declared(callback),
            None => planner.not_declared(name)?,
        };
        Some(Step { name: name.clone(), action })
    });
    let mut steps: Vec<Step> = steps.collect();
    wait_for_nobody_who_stays(&mut steps);
    Plan { steps }
}

/// The removal of everything that is ours of the targets, whether it is declared or not.
///
/// A config that is protected, by the manifest, or by the state where it is not declared, is blocked.
pub fn plan_destruction(input: &PlanInput<'_>) -> Plan {
    let nothing_declared = Manifest { providers: input.manifest.providers.clone(), ..Manifest::default() };
    let destroys = Some(input.manifest);
    let input = &PlanInput { manifest: &nothing_declared, ..*input };
    let planner = Planner { input, holders: Holders::new(input.manifest, input.state), destroys };
    let names = input.state.entries.keys().filter(|name| input.targets.contains(name));
    let steps =
        names.filter_map(|name| Some(Step { name: name.clone(), action: planner.not_declared(name)? }));
    Plan { steps: steps.collect() }
}

/// Who has moved already, in a run that was interrupted, does nothing more that could be waited for.
fn wait_for_nobody_who_stays(steps: &mut [Step]) {
    let waited_for: BTreeSet<Name> =
        steps.iter_mut().filter_map(after).filter_map(|after| after.clone()).collect();
    let kept = steps.iter().filter(|step| matches!(step.action, Action::Keep(_)));
    let kept: BTreeSet<Name> =
        kept.map(|step| &step.name).filter(|name| waited_for.contains(*name)).cloned().collect();
    for after in steps.iter_mut().filter_map(after) {
        after.take_if(|holder| kept.contains(holder));
    }
}

fn after(step: &mut Step) -> Option<&mut Option<Name>> {
    match &mut step.action {
        Action::Create(change) | Action::Update(change) | Action::Replace(change) => Some(&mut change.after),
        Action::Keep(_) | Action::Delete(_) | Action::Forget(_) | Action::Blocked(_) => None,
    }
}

pub(super) struct Planner<'a> {
    pub(super) input: &'a PlanInput<'a>,
    pub(super) holders: Holders<'a>,
    /// The manifest, where everything is to go although it declares it.
    pub(super) destroys: Option<&'a Manifest>,
}

/// A config of ours in the slot a callback is to have.
#[derive(Clone, Copy)]
struct Ours<'a> {
    config: &'a OwnedConfig,
    taken_from: Option<&'a Name>,
    after: Option<&'a Name>,
}

impl Planner<'_> {
    fn declared(&self, callback: &Declaration) -> Action {
        let PlanInput { manifest, keys, observed, .. } = self.input;
        let Some(provider) = manifest.provider_of(callback) else {
            return Blocked::by(None, "provider: is missing", "give the callback or the defaults a provider");
        };
        let slot = manifest.slot_on(callback, provider);
        let wanted = match manifest.wanted(callback, provider, keys) {
            Ok(wanted) => wanted,
            Err(problem) => return Blocked::invalid(slot, &problem),
        };
        let slot = wanted.slot();
        let Some(view) = observed.view(provider) else {
            let reason = format!("provider `{provider}` is not connected");
            return Blocked::by(Some(slot), reason, "declare the provider in the manifest");
        };
        let fitted = match view.capabilities.fit(&wanted.config, wanted.fidelity) {
            Ok(fitted) => fitted,
            Err(error) => {
                let error = error.with_vendor(view.vendor);
                let hint = hint::of_unfit(&view.capabilities, &wanted.config);
                return Blocked::by(Some(slot), error.to_string(), hint);
            }
        };
        let ours = match self.ours(&callback.name, &slot) {
            Ok(ours) => ours,
            Err(blocked) => return blocked,
        };
        let retire = match self.retirements(&callback.name, Some(&slot)) {
            Ok(retire) => retire,
            Err(blocked) => return blocked,
        };
        self.decide(&callback.name, wanted, fitted, ours, retire)
    }

    fn not_declared(&self, name: &Name) -> Option<Action> {
        match self.retirements(name, None) {
            // Others take them all over.
            Ok(retire) if retire.is_empty() => None,
            Ok(retire) if retire.iter().any(|one| one.end == End::Delete) => {
                Some(Action::Delete(Box::new(Removal { retire })))
            }
            Ok(retire) => Some(Action::Forget(Box::new(Removal { retire }))),
            Err(blocked) => Some(blocked),
        }
    }

    /// What is ours in `slot`, its own or another callback's.
    fn ours(&self, name: &Name, slot: &Slot) -> Result<Option<Ours<'_>>, Action> {
        if let Some(config) = self.entry(name).and_then(|entry| entry.in_slot(slot)) {
            return Ok(Some(Ours { config, taken_from: None, after: None }));
        }
        let renamed = self
            .other_names(slot)
            .find_map(|place| self.entry(name)?.in_slot(&place).filter(|_| self.is_same(&place, slot)));
        if let Some(config) = renamed {
            return Ok(Some(Ours { config, taken_from: None, after: None }));
        }
        let refuse = |reason: String, hint: &str| Err(Blocked::by(Some(slot.clone()), reason, hint));
        match self.holders.handover(name, slot) {
            None => Ok(None),
            Some(Handover::Now(holder, config)) => {
                Ok(Some(Ours { config, taken_from: Some(holder), after: None }))
            }
            Some(Handover::After(holder, config)) if self.input.targets.contains(holder) => {
                Ok(Some(Ours { config, taken_from: Some(holder), after: Some(holder) }))
            }
            Some(Handover::After(holder, _)) => refuse(
                format!("callback `{holder}` still has this place, and is not among the targets"),
                "plan both callbacks together",
            ),
            Some(Handover::Exchange(holder)) => refuse(
                format!("callback `{holder}` has this place, and waits for the place this callback has"),
                "give one of them another place first, or exchange their names instead",
            ),
        }
    }

    fn decide(
        &self,
        name: &Name,
        wanted: Wanted,
        fitted: Fitted,
        ours: Option<Ours<'_>>,
        retire: Vec<Retirement>,
    ) -> Action {
        let slot = wanted.slot();
        let Fitted { effective, deviations } = fitted;
        let deletes = retire.iter().any(|retirement| retirement.end == End::Delete);
        let mut not_owned = false;
        let written = self.input.state.salt.of_config(&effective);
        let sight = self.input.observed.sight(&slot);
        let ours = ours
            .filter(|ours| !matches!(&sight, Sight::Config(stored) if ours.config.is_replaced_by(stored)));
        let (write, fields, unseen) = match sight {
            Sight::UnknownProvider => {
                return Blocked::by(
                    Some(slot),
                    "the provider is not connected",
                    "declare it in the manifest",
                );
            }
            Sight::Unreadable(error) => {
                return Blocked::by(Some(slot), format!("it cannot be read: {error}"), error.kind().hint());
            }
            Sight::Nothing => (Write::Create, all_fields(&effective), self.unseen(&slot, &effective)),
            Sight::Config(stored) => match ours {
                Some(ours) if self.is_ours(ours.config, stored) => {
                    let (fields, unseen) = compare(stored, &effective, &written, ours.config);
                    (if fields.is_empty() { Write::Nothing } else { Write::Update }, fields, unseen)
                }
                Some(Ours { config: OwnedConfig { standing: Standing::Lost, .. }, .. }) => {
                    return Blocked::by(Some(slot), LOST, TAKE_BACK);
                }
                Some(_) => {
                    let reason = "a run that was interrupted began to create this config, and what is there now is not \
                                  what it was to write: it may not be ours";
                    return Blocked::by(Some(slot), reason, TAKE_OVER);
                }
                None => {
                    let leaves = deletes || self.hands_over(name, &slot);
                    if let Some(blocked) = foreign(&slot, stored, &effective, leaves) {
                        return blocked;
                    }
                    not_owned = true;
                    let unseen = hidden(&stored.differences(&effective)).collect();
                    (Write::Nothing, Vec::new(), unseen)
                }
            },
        };
        let taken_from = ours.and_then(|ours| ours.taken_from);
        let noted = ours.is_none_or(|ours| is_noted(ours.config, &written, wanted.protect));
        let was_protected = ours.is_some_and(|ours| ours.config.protect);
        if write == Write::Nothing && retire.is_empty() && taken_from.is_none() && noted {
            let key_unseen = unseen.contains(&Field::SigningKey);
            return Action::Keep(Kept { key_unseen, not_owned, source_kept: self.source_kept(name, &slot) });
        }
        let id = match self.input.observed.sight(&slot) {
            Sight::Config(stored) if ours.is_some() => stored.id.clone(),
            _ => None,
        };
        let renamed_from = ours.map(|ours| &ours.config.slot).filter(|place| **place != slot);
        let change = Box::new(Change {
            slot: slot.clone(),
            write,
            fields,
            deviations,
            unseen,
            retire,
            after: ours.and_then(|ours| ours.after).cloned(),
            renamed_from: renamed_from.cloned(),
            taken_from: taken_from.cloned(),
            id,
            protect: Some(wanted.protect).filter(|protect| *protect != was_protected),
            wanted,
            effective,
        });
        match write {
            _ if deletes => Action::Replace(change),
            Write::Create => Action::Create(change),
            Write::Update | Write::Nothing => Action::Update(change),
        }
    }

    /// What the cloud will not show of a config that is not there yet.
    fn unseen(&self, slot: &Slot, effective: &RecordCallbackConfig) -> Vec<Field> {
        let hides = |provider| {
            let view = self.input.observed.view(provider);
            view.is_some_and(|view| !view.capabilities.signing.key_readable)
        };
        let unseen = effective.signing().key().filter(|_| hides(&slot.provider));
        unseen.map(|_| Field::SigningKey).into_iter().collect()
    }

    /// Tells if what is in an owned slot may be written over. Of a create that may not have happened, only what it was
    /// to write may; else the callback is declared there, and what others changed of it is written again.
    fn is_ours(&self, owned: &OwnedConfig, stored: &StoredCallback) -> bool {
        match owned.standing {
            _ if owned.is_replaced_by(stored) => false,
            Standing::Lost => false,
            Standing::Creating => owned.changed(&self.input.state.salt, stored).is_empty(),
            Standing::Updating | Standing::Current | Standing::Kept => true,
        }
    }

    /// The same domain and app on other providers of the same vendor.
    pub(super) fn other_names<'s>(&'s self, slot: &'s Slot) -> impl Iterator<Item = Slot> + 's {
        let vendor = |name: &Name| self.input.observed.view(name).map(|view| view.vendor);
        let others = self.input.manifest.providers().iter().filter(move |other| {
            **other != slot.provider && vendor(other).is_some() && vendor(other) == vendor(&slot.provider)
        });
        others.map(|other| Slot { provider: other.clone(), key: slot.key.clone() })
    }

    /// Whether two slots on providers of one vendor show one config: the manifest has two names for one account.
    ///
    /// A cloud without ids has one config for a domain, whoever asks.
    pub(super) fn is_same(&self, one: &Slot, other: &Slot) -> bool {
        let observed = self.input.observed;
        match (observed.sight(one), observed.sight(other)) {
            (Sight::Config(one), Sight::Config(other)) => one.key == other.key && one.id == other.id,
            _ => false,
        }
    }

    /// Whether a config of `name` goes to another callback once `name` has `slot`.
    fn hands_over(&self, name: &Name, slot: &Slot) -> bool {
        let configs = self.input.state.configs_of(name);
        configs.iter().any(|config| {
            let other = self.holders.wanting(&config.slot).filter(|_| config.slot != *slot);
            config.standing != Standing::Kept
                && other.is_some_and(|other| self.takes(other, name))
                && !matches!(self.input.observed.sight(&config.slot), Sight::Nothing)
        })
    }

    /// Whether `other` takes a slot of `name` over in this plan.
    pub(super) fn takes(&self, other: &Name, name: &Name) -> bool {
        other != name && self.input.targets.contains(other)
    }

    fn source_kept(&self, name: &Name, slot: &Slot) -> bool {
        self.input.state.configs_of(name).iter().any(|config| config.slot != *slot)
    }

    fn entry(&self, name: &Name) -> Option<&Entry> {
        self.input.state.entries.get(name)
    }
}

const LOST: &str = "it is lost to another fleet, which took it over";
const TAKE_BACK: &str = "drop it from this manifest, or take it back with `import --take-over`";
const TAKE_OVER: &str = "take it over with `import`, or delete it";

/// Whether our note of a config that is as wanted says so too. One that does not has to be corrected: what it says
/// decides later whether a config is ours, stays, or drifted.
fn is_noted(owned: &OwnedConfig, written: &Written, protect: bool) -> bool {
    owned.standing == Standing::Current && owned.written == *written && owned.protect == protect
}

/// The fields to be written, and those that will not be seen again.
fn compare(
    stored: &StoredCallback,
    effective: &RecordCallbackConfig,
    written: &Written,
    owned: &OwnedConfig,
) -> (Vec<FieldChange>, Vec<Field>) {
    let differences = stored.differences(effective);
    let unseen: Vec<Field> = hidden(&differences).filter(|_| effective.signing().key().is_some()).collect();
    let is_written = |field| match field {
        Field::NotifyUrl => written.notify_url == owned.written.notify_url,
        Field::OnDemandUrl => written.on_demand_url == owned.written.on_demand_url,
        Field::Events => written.events == owned.written.events,
        Field::Signing => written.scheme == owned.written.scheme,
        _ => written.key == owned.written.key,
    };
    let key_known = match owned.standing {
        Standing::Current | Standing::Kept => owned.written.key == written.key,
        // What is shown was written together with the key; but who else may have written it?
        Standing::Creating => owned.written.key.is_none() && written.key.is_none(),
        Standing::Updating | Standing::Lost => false,
    };
    let fields = differences.into_iter().filter_map(|difference| {
        let Difference { field, stored, wanted, kind } = difference;
        // Asked for before, ignored by the cloud, and accepted so.
        if owned.ignored.contains(&field) && is_written(field) {
            return None;
        }
        let from = match kind {
            DifferenceKind::Changed => stored,
            DifferenceKind::CannotBeReadBack if key_known => return None,
            DifferenceKind::CannotBeReadBack => match (owned.standing, owned.written.key) {
                (Standing::Creating | Standing::Updating, _) => "unknown, its last write was interrupted",
                (_, Some(_)) => "another key was written",
                (_, None) => "no key was written",
            }
            .to_owned(),
        };
        Some(FieldChange { field, from: Some(from), to: wanted })
    });
    (fields.collect(), unseen)
}

/// Why a config that is not ours is in the way, if it is.
fn foreign(
    slot: &Slot,
    stored: &StoredCallback,
    effective: &RecordCallbackConfig,
    leaves: bool,
) -> Option<Action> {
    let is_changed = |difference: &Difference| difference.kind == DifferenceKind::Changed;
    let (changed, hidden): (Vec<_>, Vec<_>) = stored.differences(effective).into_iter().partition(is_changed);
    let unsure = leaves && effective.signing().key().is_some() && !hidden.is_empty();
    if changed.is_empty() && !unsure {
        return None;
    }
    let mut reason = "there is a config that is not ours".to_owned();
    if changed.is_empty() {
        reason.push_str(", and whether it has the given signing key cannot be read back");
    }
    for difference in changed {
        reason.push_str("; ");
        reason.push_str(&difference.to_string());
    }
    Some(Blocked::by(Some(slot.clone()), reason, TAKE_OVER))
}

fn hidden(differences: &[Difference]) -> impl Iterator<Item = Field> {
    let hidden = differences.iter().filter(|d| d.kind == DifferenceKind::CannotBeReadBack);
    hidden.map(|difference| difference.field)
}

/// Every field of a config that is not there yet.
fn all_fields(config: &RecordCallbackConfig) -> Vec<FieldChange> {
    let url = |url: &CallbackUrl| url.without_query();
    let fields = [
        (Field::NotifyUrl, Some(url(config.notify_url()))),
        (Field::OnDemandUrl, config.on_demand_url().map(url)),
        (Field::Events, Some(config.events().to_string())),
        (Field::Signing, config.signing().scheme().map(|scheme| scheme.to_string())),
        (Field::SigningKey, config.signing().key().map(|_| "the given key".to_owned())),
    ];
    let fields =
        fields.into_iter().filter_map(|(field, to)| Some(FieldChange { field, from: None, to: to? }));
    fields.collect()
}
