//! What is ours in the clouds: places, ids, and fingerprints of what was written there. Never a secret.

mod file;
mod fingerprint;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use record_callback_core::{AccountId, ConfigId, Fidelity, Field, StoredCallback};
use serde::{Deserialize, Serialize, Serializer};

pub use file::{StateError, StateFile};
pub use fingerprint::{Fingerprint, Salt, Written};

use crate::name::Name;
use crate::slot::Slot;

/// What a fleet owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// What makes the fingerprints of this state like those of no other.
    pub salt: Salt,
    /// Which cloud each provider was when it was written to, in the caller's words. No secret.
    pub places: BTreeMap<Name, String>,
    /// Whose account each provider's credentials were of when it was written to.
    pub accounts: BTreeMap<Name, AccountId>,
    /// The owned configs, by callback.
    pub entries: BTreeMap<Name, Entry>,
    /// The switch that is under way, if one is.
    pub switch: Option<OpenSwitch>,
}

impl State {
    /// A state that owns nothing. Fails only when the operating system has no randomness to give.
    pub fn empty() -> io::Result<Self> {
        Ok(Self {
            salt: Salt::random()?,
            places: BTreeMap::new(),
            accounts: BTreeMap::new(),
            entries: BTreeMap::new(),
            switch: None,
        })
    }

    /// Carries out what a journal says.
    pub fn take(&mut self, record: Record) {
        match record {
            Record::Config { name, config } => self.own(name, config),
            Record::TakeOver { from, name, config } => {
                self.disown(&from, std::slice::from_ref(&config.slot));
                self.own(name, config);
            }
            Record::Gone { name, slots } => self.disown(&name, &slots),
            Record::Place { provider, place } => drop(self.places.insert(provider, place)),
            Record::Account { provider, account } => drop(self.accounts.insert(provider, account)),
            Record::Switch { switch } => self.switch = switch,
        }
    }

    /// Every owned config, by callback.
    pub fn configs(&self) -> impl Iterator<Item = (&Name, &OwnedConfig)> {
        self.entries.iter().flat_map(|(name, entry)| entry.configs.iter().map(move |config| (name, config)))
    }

    /// The slots of the owned configs.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.configs().map(|(_, config)| &config.slot)
    }

    /// The owned configs of one callback.
    pub fn configs_of(&self, name: &Name) -> &[OwnedConfig] {
        self.entries.get(name).map(|entry| entry.configs.as_slice()).unwrap_or_default()
    }

    /// A provider that is another cloud in `places` than the one that has configs of ours. In that other cloud nothing is
    /// ours, whatever it is called.
    pub fn misplaced<'a>(&'a self, places: &BTreeMap<Name, String>) -> Option<(&'a Name, &'a str)> {
        self.configs().map(|(_, config)| &config.slot.provider).find_map(|provider| {
            let (noted, now) = (self.places.get(provider)?, places.get(provider)?);
            (noted != now).then_some((provider, noted.as_str()))
        })
    }

    fn own(&mut self, name: Name, config: OwnedConfig) {
        let entry = self.entries.remove(&name).unwrap_or_default();
        self.entries.insert(name, entry.with(config));
    }

    fn disown(&mut self, name: &Name, slots: &[Slot]) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.configs.retain(|config| !slots.contains(&config.slot));
            if entry.configs.is_empty() {
                self.entries.remove(name);
            }
        }
    }
}

/// The configs of one callback: one, or more while it moves or a source is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(from = "Vec<OwnedConfig>")]
pub struct Entry {
    /// Never two of one slot.
    pub configs: Vec<OwnedConfig>,
}

impl Entry {
    /// The config in `slot`.
    pub fn in_slot(&self, slot: &Slot) -> Option<&OwnedConfig> {
        self.configs.iter().find(|config| config.slot == *slot)
    }

    /// The same with `config` in its slot.
    #[must_use]
    pub fn with(mut self, config: OwnedConfig) -> Self {
        if let Some(known) = self.configs.iter_mut().find(|known| known.slot == config.slot) {
            *known = config;
        } else {
            self.configs.reserve_exact(1);
            self.configs.push(config);
        }
        self
    }
}

impl From<Vec<OwnedConfig>> for Entry {
    /// Most callbacks have one config, and there may be a million of them: no room to grow is kept.
    fn from(mut configs: Vec<OwnedConfig>) -> Self {
        configs.shrink_to_fit();
        Self { configs }
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.configs)
    }
}

/// A config we own in a cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnedConfig {
    /// Where it is.
    #[serde(flatten)]
    pub slot: Slot,
    /// The vendor's id, where it has ids and has told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<ConfigId>,
    /// How far writing it has come.
    pub standing: Standing,
    /// What was written last.
    pub written: Written,
    /// The contents it may have besides: what was written before updates whose end was not noted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Written>,
    /// True if it is never deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub protect: bool,
    /// Fields of it that the cloud ignored, which was accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<Field>,
}

impl OwnedConfig {
    /// Whether what was written is known: no write of it was interrupted.
    pub fn is_written(&self) -> bool {
        matches!(self.standing, Standing::Current | Standing::Kept)
    }

    /// The fields in which `stored` is nothing that was ever written here, as far as the cloud shows them.
    pub(crate) fn changed(&self, salt: &Salt, stored: &StoredCallback) -> Vec<Field> {
        // A cloud may have ignored what its documents do not promise, and a run that was interrupted did not note that.
        let ignored = |field: &Field| {
            self.ignored.contains(field)
                || !self.is_written() && *field == Field::OnDemandUrl && stored.on_demand_url.is_none()
        };
        let changed = |written: &Written| -> Vec<Field> {
            salt.changed(written, stored).into_iter().filter(|field| !ignored(field)).collect()
        };
        let candidates = self.earlier.iter().map(changed);
        candidates.fold(
            changed(&self.written),
            |fewest, other| if other.len() < fewest.len() { other } else { fewest },
        )
    }

    /// Everything that may be in its slot because of us.
    pub(crate) fn candidates(&self) -> Vec<Written> {
        let mut candidates = self.earlier.clone();
        if !candidates.contains(&self.written) {
            candidates.push(self.written);
        }
        candidates
    }

    /// Returns true if the cloud's ids prove that `stored` is this very config.
    pub(crate) fn is_proven_by_id(&self, stored: &StoredCallback) -> bool {
        self.id.as_ref().zip(stored.id.as_ref()).is_some_and(|(ours, theirs)| ours == theirs)
    }

    /// Whether somebody deleted this config and created `stored` in its place, as far as the cloud's ids tell.
    pub(crate) fn is_replaced_by(&self, stored: &StoredCallback) -> bool {
        self.id.as_ref().zip(stored.id.as_ref()).is_some_and(|(ours, theirs)| ours != theirs)
    }
}

/// How far writing a config has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// A create was begun and its end not noted: it may be there, and then it shows what was to be written.
    Creating,
    /// An update was begun and its end not noted: it has the earlier or the new content.
    Updating,
    /// Written.
    Current,
    /// Written, and left there beside the callback's new place because that was asked for.
    Kept,
    /// Another fleet took it over: it is not ours any more, and neither changed nor deleted.
    Lost,
}

/// A switch to another provider that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenSwitch {
    /// The provider it goes to.
    pub to: Name,
    /// The callbacks, and the provider each comes from.
    pub callbacks: BTreeMap<Name, Name>,
    /// Callbacks that take the whole domain on the target, because it has no room for one app's config.
    #[serde(default)]
    pub winners: Vec<Name>,
    /// How far the target may stray; `None` leaves it to the manifest.
    #[serde(default)]
    pub fidelity: Option<Fidelity>,
    /// What the callbacks had, whose fidelity the switch changes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub earlier_fidelity: BTreeMap<Name, Fidelity>,
    /// Whether the sources stay.
    #[serde(default)]
    pub keep_source: bool,
}

/// One line of the journal: how something is from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// A config of a callback.
    Config {
        /// The callback.
        name: Name,
        /// The config in its slot, as it is from now on.
        config: OwnedConfig,
    },
    /// Configs of a callback that are not ours any more.
    Gone {
        /// The callback.
        name: Name,
        /// Where they were.
        slots: Vec<Slot>,
    },
    /// A config that belongs to another callback from now on.
    TakeOver {
        /// Whose it was.
        from: Name,
        /// Whose it is.
        name: Name,
        /// The config, as it is from now on.
        config: OwnedConfig,
    },
    /// Which cloud a provider is.
    Place {
        /// The provider.
        provider: Name,
        /// The cloud.
        place: String,
    },
    /// Whose account a provider's credentials are of.
    Account {
        /// The provider.
        provider: Name,
        /// The account.
        account: AccountId,
    },
    /// The switch that is under way; none when it is over.
    Switch {
        /// The switch.
        switch: Option<OpenSwitch>,
    },
}

/// Notes records durably, in order.
#[async_trait]
pub trait Journal: fmt::Debug + Send + Sync {
    /// Returns once `record` would survive a crash.
    async fn append(&self, record: &Record) -> io::Result<()>;
}

/// A state and the journal that every change of it goes to first.
#[derive(Debug)]
pub struct Ledger<'a> {
    state: Mutex<State>,
    journal: &'a dyn Journal,
}

impl<'a> Ledger<'a> {
    /// A ledger that begins with `state`.
    pub fn new(state: State, journal: &'a dyn Journal) -> Self {
        Self { state: Mutex::new(state), journal }
    }

    /// The state as it is now. Do not hold it across an `await`.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes `record`, then carries it out.
    pub async fn note(&self, record: Record) -> io::Result<()> {
        self.journal.append(&record).await?;
        self.state().take(record);
        Ok(())
    }

    /// The state at the end.
    pub fn into_state(self) -> State {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
