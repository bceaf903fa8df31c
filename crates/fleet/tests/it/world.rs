//! What the clouds and the journal of a case share: what is there, whose it is, and what goes wrong when.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use record_callback_core::{RecordCallbackConfig, StoredCallback};
use record_callback_fleet::{Journal, Name, Record, Slot};
use tokio::sync::Notify;

use crate::wishes::{NARROW, serves};

/// What happens to a call or to an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails and has done nothing.
    FailBefore,
    /// It is done, but fails, and nobody can tell.
    FailAfter,
    /// It is said to be done and is not; only creates and deletes.
    Ignored,
    /// The run dies right before it.
    CrashBefore,
    /// The run dies right after it.
    CrashAfter,
}

/// A callback that had a config when an apply began, and must have one at every moment of it.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) name: Name,
    /// What was there for it.
    pub(crate) old: Vec<(Slot, RecordCallbackConfig)>,
    /// What is to be there.
    pub(crate) new: Option<(Slot, RecordCallbackConfig)>,
}

#[derive(Debug, Default)]
pub(crate) struct Things {
    /// What the clouds really have, hidden keys included.
    pub(crate) configs: BTreeMap<Slot, RecordCallbackConfig>,
    /// Places whose config is not ours.
    pub(crate) foreign: BTreeSet<Slot>,
    /// Places whose config may count as ours or not: nobody can know. Ours that was edited before its create was noted to
    /// be over; one of somebody else where ours was.
    pub(crate) disputed: BTreeSet<Slot>,
    /// The configs that this fleet wrote, or was to write, in each place, by which they are known where there are no
    /// ids.
    pub(crate) ours: BTreeMap<Slot, Vec<RecordCallbackConfig>>,
    /// Places that somebody changed during a run which has not read them since.
    pub(crate) unread: BTreeSet<Slot>,
    /// Numbers of the calls before which somebody changes a config of that cloud.
    meddling: BTreeSet<u64>,
    /// The number of times somebody changed a config.
    pub(crate) meddled: usize,
    /// The number of configs that others had changed, and that are there when all is settled.
    pub(crate) abandoned: usize,
    /// What is durable.
    pub(crate) records: Vec<Record>,
    pub(crate) watched: Vec<Watched>,
    pub(crate) trace: Vec<String>,
    pub(crate) violations: Vec<String>,
    pub(crate) writes: usize,
    /// Runs that were refused for the account of their keys.
    pub(crate) refused: usize,
    seed: u64,
    calls: u64,
    faults: BTreeMap<u64, Fault>,
    /// What went wrong.
    pub(crate) injected: Vec<Fault>,
    crashed: bool,
}

#[derive(Debug, Default)]
pub(crate) struct World {
    things: Mutex<Things>,
    crash: Notify,
}

impl World {
    pub(crate) fn things(&self) -> MutexGuard<'_, Things> {
        self.things.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a run with these faults, by the number of the call or append they hit.
    pub(crate) fn begin(&self, seed: u64, faults: impl IntoIterator<Item = (u64, Fault)>) {
        let mut things = self.things();
        (things.seed, things.calls, things.crashed) = (seed, 0, false);
        things.faults = faults.into_iter().collect();
        things.meddling.clear();
        things.unread.clear();
    }

    /// Has somebody change configs before these calls of the run that has begun.
    pub(crate) fn meddle(&self, calls: impl IntoIterator<Item = u64>) {
        self.things().meddling.extend(calls);
    }

    /// A config of `provider` that somebody changes before the next call, if somebody does.
    pub(crate) fn is_meddled_with(&self, provider: &Name) -> Option<(Slot, RecordCallbackConfig)> {
        let mut things = self.things();
        let next = things.calls + 1;
        if !things.meddling.remove(&next) {
            return None;
        }
        let configs: Vec<_> = things.configs.iter().filter(|(slot, _)| slot.provider == *provider).collect();
        let at = usize::try_from(next).unwrap_or_default() % configs.len().max(1);
        configs.get(at).map(|(slot, config)| ((*slot).clone(), (*config).clone()))
    }

    /// Notes that somebody changed a config while a run was under way.
    pub(crate) fn meddled_with(&self, slot: Slot, now: RecordCallbackConfig) {
        let mut things = self.things();
        things.trace.push(format!("somebody changes {slot}"));
        things.unread.insert(slot.clone());
        things.changed_by_others(slot, now);
    }

    /// Notes what a read showed.
    pub(crate) fn read(&self, provider: &Name, shown: &[StoredCallback]) {
        let mut things = self.things();
        for stored in shown {
            let slot = Slot { provider: provider.clone(), key: stored.key.clone() };
            let is_as_it_is = things.configs.get(&slot).is_some_and(|config| stored.shows(config));
            if is_as_it_is {
                things.unread.remove(&slot);
            }
        }
    }

    /// Returns once the run is dead.
    pub(crate) async fn crashed(&self) {
        // An earlier run may have left a notification behind.
        while !self.things().crashed {
            self.crash.notified().await;
        }
    }

    /// Waits for the turn of a call or an append, and tells what happens to it.
    pub(crate) async fn arrive(&self, what: &str) -> Option<Fault> {
        self.pause().await;
        let fault = {
            let mut things = self.things();
            things.calls += 1;
            let calls = things.calls;
            let fault = things.faults.remove(&calls);
            if let Some(fault) = fault {
                things.injected.push(fault);
                things.trace.push(format!("{fault:?} of {what}"));
            }
            things.crashed |= fault == Some(Fault::CrashBefore);
            fault
        };
        self.unless_crashed().await;
        fault
    }

    /// Lets the answer arrive, unless the run dies before.
    pub(crate) async fn leave(&self, fault: Option<Fault>) {
        if fault == Some(Fault::CrashAfter) {
            self.things().crashed = true;
        }
        self.unless_crashed().await;
        self.pause().await;
    }

    /// Once the run is dead nothing of it moves: other calls that are under way have no effect any more.
    async fn unless_crashed(&self) {
        if self.things().crashed {
            self.crash.notify_one();
            std::future::pending::<()>().await;
        }
    }

    /// Lets others go first, a few times: that is how tasks come in every order.
    async fn pause(&self) {
        let turns = {
            let mut things = self.things();
            things.seed = things.seed.wrapping_mul(6_364_136_223_846_793_005);
            things.seed >> 62
        };
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        self.unless_crashed().await;
    }

    /// Notes what a cloud has in `slot` from now on, and what is wrong with that.
    pub(crate) fn wrote(&self, what: &str, slot: Slot, now: Option<RecordCallbackConfig>) {
        let mut things = self.things();
        things.writes += 1;
        things.trace.push(format!("{what} {slot}"));
        if things.foreign.contains(&slot) {
            things.violate(&format!("{what} of {slot}, which is not ours"));
        }
        if what == "delete" && has_no_ids(&slot) && !things.unread.contains(&slot) && !things.is_ours(&slot) {
            things.violate(&format!("delete of {slot}, which others changed"));
        }
        things.disputed.remove(&slot);
        things.unread.remove(&slot);
        things.set(slot, now);
        let configs = &things.configs;
        let is_there = |(slot, config): &(Slot, RecordCallbackConfig)| {
            configs.get(slot).is_some_and(|there| serves(there, config))
        };
        let bare = things.watched.iter().find(|one| !one.old.iter().chain(&one.new).any(is_there));
        if let Some(bare) = bare.map(|one| one.name.clone()) {
            things.violate(&format!("{bare} has neither its old nor its new config"));
        }
    }
}

/// Returns true if only its content tells whose a config is.
pub(crate) fn has_no_ids(slot: &Slot) -> bool {
    slot.provider.as_str() == NARROW
}

impl Things {
    /// Returns true if what is in `slot` was written by this fleet, or is what that was to write.
    fn is_ours(&self, slot: &Slot) -> bool {
        let ours = self.ours.get(slot).map(Vec::as_slice).unwrap_or_default();
        self.configs.get(slot).is_none_or(|config| ours.contains(config))
    }

    pub(crate) fn changed_by_others(&mut self, slot: Slot, now: RecordCallbackConfig) {
        self.meddled += 1;
        if !self.foreign.contains(&slot) {
            self.disputed.insert(slot.clone());
        }
        self.watched.retain(|one| one.old.iter().chain(&one.new).all(|(place, _)| *place != slot));
        self.set(slot, Some(now));
    }

    pub(crate) fn set(&mut self, slot: Slot, now: Option<RecordCallbackConfig>) {
        match now {
            Some(config) => drop(self.configs.insert(slot, config)),
            None => drop(self.configs.remove(&slot)),
        }
    }

    pub(crate) fn violate(&mut self, what: &str) {
        self.trace.push(format!("VIOLATION: {what}"));
        self.violations.push(what.to_owned());
    }
}

/// What was appended is durable, whatever becomes of the run.
#[async_trait]
impl Journal for World {
    async fn append(&self, record: &Record) -> io::Result<()> {
        let lost = || Err(io::Error::other("injected"));
        let fault = self.arrive("append").await;
        if fault == Some(Fault::FailBefore) {
            return lost();
        }
        {
            let mut things = self.things();
            let note = serde_json::to_string(record)?;
            things.trace.push(format!("note {note}"));
            things.records.push(record.clone());
        }
        self.leave(fault).await;
        if fault == Some(Fault::FailAfter) { lost() } else { Ok(()) }
    }
}
