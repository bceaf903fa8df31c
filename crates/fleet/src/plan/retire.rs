//! The end of the configs that a callback gives up.

use record_callback_core::{Field, StoredCallback};

use super::decide::Planner;
use super::{Action, Blocked, End, Left, Reason, Retirement};
use crate::name::Name;
use crate::observe::Sight;
use crate::shown::ShownField;
use crate::slot::Slot;
use crate::state::{OwnedConfig, Standing};

/// The reason why a config cannot go now, and what to do about it.
type Refusal = (String, &'static str);

impl Planner<'_> {
    /// The configs of a callback that go once it has `slot`; all of them where it is to have none.
    pub(super) fn retirements(&self, name: &Name, slot: Option<&Slot>) -> Result<Vec<Retirement>, Action> {
        let configs = self.input.state.configs_of(name);
        let mut retire = Vec::new();
        for config in configs.iter().filter(|config| Some(&config.slot) != slot) {
            let kept = config.standing == Standing::Kept && slot.is_some() && !self.input.drop_kept;
            if kept || self.holders.wanting(&config.slot).is_some_and(|other| self.takes(other, name)) {
                continue;
            }
            let reason = match slot {
                Some(slot) => Reason::Moved { to: slot.clone() },
                None if self.destroys.is_some() => Reason::Destroyed,
                None => Reason::NotDeclared,
            };
            let retirement = self.retirement(config, reason).and_then(|retirement| match retirement.end {
                End::Delete => self.unless_protected(name, config, retirement),
                End::Forget => Ok(retirement),
            });
            let blocked = |(reason, hint)| Blocked::by(slot.or(Some(&config.slot)).cloned(), reason, hint);
            retire.push(retirement.map_err(blocked)?);
        }
        Ok(retire)
    }

    /// Of a callback that is declared the manifest says whether it is protected, of others the note does.
    fn unless_protected(
        &self,
        name: &Name,
        config: &OwnedConfig,
        retirement: Retirement,
    ) -> Result<Retirement, Refusal> {
        let manifest = self.destroys.unwrap_or(self.input.manifest);
        let declared = manifest.callbacks().get(name).map(|callback| manifest.is_protected(callback));
        if !declared.unwrap_or(config.protect) {
            return Ok(retirement);
        }
        let (slot, reason) = (&config.slot, "would be deleted, and it is protected");
        let hint = match (&retirement.reason, declared) {
            (Reason::Moved { .. }, _) => "leave the callback where it is, or set `protect = false` for it",
            (_, Some(_)) => "set `protect = false` for it, if it is to go",
            (_, None) => "declare it again with `protect = false` and apply that first, if it is to go",
        };
        Err((format!("its config in {slot} {reason}"), hint))
    }

    fn retirement(&self, config: &OwnedConfig, reason: Reason) -> Result<Retirement, Refusal> {
        let slot = &config.slot;
        let wanting = [slot.clone()].into_iter().chain(self.other_names(slot)).find_map(|place| {
            let other = self.holders.wanting(&place)?;
            Some((other, place))
        });
        if let Some((other, _)) = wanting.as_ref().filter(|(other, _)| !self.input.targets.contains(other)) {
            let reason =
                format!("callback `{other}` is to have what is in {slot}, and is not among the targets");
            return Err((reason, "plan both callbacks together"));
        }
        let retirement = |left: Option<Left>, changed, shows| Retirement {
            slot: slot.clone(),
            end: if left.is_some() { End::Forget } else { End::Delete },
            reason,
            left,
            changed,
            shows,
            unplanned: false,
        };
        match self.input.observed.sight(slot) {
            Sight::UnknownProvider => {
                let provider = &slot.provider;
                let reason = format!(
                    "its config in {slot} cannot be retired: the manifest has no provider `{provider}`"
                );
                Err((reason, "declare that provider again until the config is gone"))
            }
            // Whether it is ours shows only when it can be read.
            Sight::Unreadable(error) => {
                let reason = format!("whether its config in {slot} is still ours cannot be read: {error}");
                Err((reason, error.kind().hint()))
            }
            Sight::Nothing => Ok(retirement(Some(Left::Gone), Vec::new(), Vec::new())),
            Sight::Config(stored) => {
                let (left, changed) = self.standing_of(config, stored, wanting.map(|(_, place)| place));
                Ok(retirement(left, changed, ShownField::all(stored, config)))
            }
        }
    }

    /// The reason why a config that is there is left alone, if it is, and the fields that somebody else changed.
    fn standing_of(
        &self,
        config: &OwnedConfig,
        stored: &StoredCallback,
        wanted: Option<Slot>,
    ) -> (Option<Left>, Vec<Field>) {
        let changed = config.changed(&self.input.state.salt, stored);
        let is_renamed = |place: &Slot| !config.is_replaced_by(stored) && self.is_same(&config.slot, place);
        let renamed = wanted.filter(is_renamed).map(|to| Left::Renamed { to });
        let left = renamed.or_else(|| config.abandoned(stored, &changed));
        (left, changed)
    }
}

impl OwnedConfig {
    /// The reason why what is in its slot is not ours to delete, if it is not, given the fields that were `changed`.
    ///
    /// An id proves that it is the config we wrote, whoever changed it since. Without ids nothing tells an edit from a
    /// delete and a create, and what others wrote is theirs.
    pub(crate) fn abandoned(&self, stored: &StoredCallback, changed: &[Field]) -> Option<Left> {
        match self.standing {
            Standing::Lost => Some(Left::TakenOver),
            _ if self.is_replaced_by(stored) => Some(Left::Replaced),
            _ if changed.is_empty() || self.is_proven_by_id(stored) => None,
            Standing::Creating => Some(Left::NotWritten),
            _ => Some(Left::Changed),
        }
    }
}
