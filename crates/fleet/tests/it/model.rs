//! Takes a fleet through a case, and watches what it does.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use record_callback_contract::{MemoryProvider, NoWait};
use record_callback_core::{CallbackKey, Fidelity, ReadBack, RecordCallbackConfig, RecordCallbackProvider};
use record_callback_fleet::{
    ApplyOptions, Clouds, Keys, Ledger, Manifest, Name, Observed, Plan, PlanInput, Record, Slot, Standing,
    State, Targets, Wanted, apply, plan,
};

use crate::cloud::Cloud;
use crate::fleet::Quiet;
use crate::generate::{Case, Edit, Outside, Run};
use crate::wishes::{self, PROVIDERS, SECRET, Secrets, Wish};
use crate::world::{Watched, World, has_no_ids};

pub(crate) struct Model {
    pub(crate) world: Arc<World>,
    clouds: Vec<Arc<Cloud>>,
    fleet: Clouds,
    first: State,
    lag: u32,
    wishes: Vec<Wish>,
    secrets: Secrets,
    pub(crate) manifest: Manifest,
    pub(crate) keys: Keys,
}

/// What a run came to.
pub(crate) enum Ran {
    Crashed,
    /// The keys of a provider were of another account.
    Refused,
    Ended(Plan),
}

impl Model {
    pub(crate) fn new(case: &Case) -> Self {
        let world = Arc::new(World::default());
        let inner = [MemoryProvider::full(), MemoryProvider::key_hiding(), MemoryProvider::narrow()];
        let clouds = PROVIDERS
            .into_iter()
            .zip(inner)
            .map(|(name, inner)| Cloud::new(name, inner.with_read_lag(case.lag), &world));
        let clouds: Vec<_> = clouds.collect();
        let providers = clouds.iter().map(|cloud| {
            let provider: Arc<dyn RecordCallbackProvider> = Arc::<Cloud>::clone(cloud);
            (cloud.name.clone(), provider)
        });
        let fleet = Clouds::new(providers.collect()).parallel(case.parallel);
        let (manifest, secrets) = (wishes::manifest(&case.wishes), Secrets(0));
        Self {
            world,
            fleet,
            clouds,
            first: State::empty().unwrap(),
            lag: case.lag,
            wishes: case.wishes.clone(),
            secrets,
            keys: manifest.keys(&secrets),
            manifest,
        }
    }

    /// What a run begins with: all that is durable.
    pub(crate) fn state(&self) -> State {
        let mut state = self.first.clone();
        for record in self.world.things().records.iter().cloned() {
            state.take(record);
        }
        state
    }

    pub(crate) fn edit(&mut self, edits: &[Edit]) {
        for edit in edits {
            edit.carry_out(&mut self.wishes);
            self.secrets.0 += usize::from(matches!(edit, Edit::ChangeKeys));
        }
        self.manifest = wishes::manifest(&self.wishes);
        self.keys = self.manifest.keys(&self.secrets);
        let line = format!("MANIFEST {:?}", self.manifest.callbacks().values().collect::<Vec<_>>());
        self.world.things().trace.push(line);
    }

    fn cloud(&self, provider: &Name) -> &Cloud {
        self.clouds.iter().find(|cloud| cloud.name == *provider).unwrap()
    }

    /// What a callback is to be, and what its provider makes of that; `None` where it cannot be had.
    pub(crate) fn effective(&self, name: &Name) -> Option<(Slot, RecordCallbackConfig)> {
        let callback = self.manifest.callbacks().get(name)?;
        let provider = self.manifest.provider_of(callback)?;
        let wanted = self.manifest.wanted(callback, provider, &self.keys).ok()?;
        let Wanted { config, fidelity, .. } = &wanted;
        let fitted = self.cloud(provider).capabilities().fit(config, *fidelity).ok()?;
        Some((wanted.slot(), fitted.effective))
    }

    /// Where a callback is to be.
    pub(crate) fn place(&self, name: &Name) -> Option<Slot> {
        let callback = self.manifest.callbacks().get(name)?;
        self.manifest.slot_of(callback)
    }

    fn nth_name(&self, i: usize) -> Option<Name> {
        let count = self.manifest.callbacks().len();
        self.manifest.callbacks().keys().nth(i % count.max(1)).cloned()
    }

    /// Somebody else does something to the clouds.
    pub(crate) async fn outside(&self, what: Outside) {
        match what {
            Outside::Delete(i) => {
                let Some((slot, _)) = self.nth_config(i) else { return };
                self.cloud(&slot.provider).inner.delete(&slot.key).await.unwrap();
                self.somebody_wrote("deletes", slot, None);
            }
            Outside::EditUrl(i) => {
                let Some((slot, config)) = self.nth_config(i) else { return };
                let edited = config.notifying(&format!("https://edited.example.com/{i}")).unwrap();
                self.cloud(&slot.provider).inner.update(&edited, Fidelity::BestEffort).await.unwrap();
                self.somebody_wrote("edits", slot, Some(edited));
            }
            Outside::Create { provider, domain, app } => {
                let key =
                    RecordCallbackConfig::builder(wishes::domain(domain, provider), "https://f.example.com")
                        .app(wishes::app(app))
                        .build()
                        .unwrap()
                        .key();
                self.create(&Name::new(PROVIDERS[provider]).unwrap(), &key, None).await;
            }
            Outside::InTheWay(i) => {
                let Some(slot) = self.nth_name(i).and_then(|name| self.place(&name)) else { return };
                self.create(&slot.provider, &slot.key, None).await;
            }
            Outside::AsWanted(i, right_key) => {
                let Some((slot, config)) = self.nth_name(i).and_then(|name| self.effective(&name)) else {
                    return;
                };
                let config = if right_key { config } else { wishes::with_another_key(&config) };
                self.create(&slot.provider, &slot.key, Some(config)).await;
            }
        }
    }

    fn nth_config(&self, i: usize) -> Option<(Slot, RecordCallbackConfig)> {
        let things = self.world.things();
        let (slot, config) = things.configs.iter().nth(i % things.configs.len().max(1))?;
        Some((slot.clone(), config.clone()))
    }

    async fn create(&self, provider: &Name, key: &CallbackKey, config: Option<RecordCallbackConfig>) {
        let own = || {
            RecordCallbackConfig::builder(key.domain.as_str(), "https://foreign.example.com")
                .app(key.app.as_str())
        };
        let config = config.unwrap_or_else(|| own().build().unwrap());
        if let Ok(applied) = self.cloud(provider).inner.create(&config, Fidelity::BestEffort).await {
            let slot = Slot { provider: provider.clone(), key: key.clone() };
            self.somebody_wrote("creates", slot, Some(applied.effective));
        }
    }

    /// Decides whose a config is that somebody else wrote.
    ///
    /// What is in a place that is noted as ours may count as ours, whoever wrote it: a state cannot tell an edit from a
    /// delete and a create. Where it only notes a create that was begun, what differs from that is not ours.
    fn somebody_wrote(&self, what: &str, slot: Slot, now: Option<RecordCallbackConfig>) {
        let state = self.state();
        let note = state.entries.values().find_map(|entry| entry.in_slot(&slot));
        let is_ours = |config: &RecordCallbackConfig| {
            note.is_some_and(|note| {
                let mut shown = state.salt.of_config(config);
                if !self.cloud(&slot.provider).capabilities().signing.key_readable {
                    shown.key = note.written.key;
                    // Such a cloud may name a scheme although nothing is signed.
                    shown.scheme = shown.scheme.filter(|_| note.written.scheme.is_some());
                }
                note.standing != Standing::Creating || shown == note.written
            })
        };
        let mut things = self.world.things();
        things.trace.push(format!("somebody {what} {slot}"));
        match &now {
            // Who edits a config does not become its owner.
            Some(config) if what == "edits" && has_no_ids(&slot) => {
                let config = config.clone();
                return things.changed_by_others(slot, config);
            }
            Some(config) if what == "edits" => {
                if !is_ours(config) && !things.foreign.contains(&slot) {
                    things.disputed.insert(slot.clone());
                }
            }
            Some(config) if is_ours(config) => drop(things.disputed.insert(slot.clone())),
            Some(_) => drop(things.foreign.insert(slot.clone())),
            None => {
                things.foreign.remove(&slot);
                things.disputed.remove(&slot);
            }
        }
        things.watched.retain(|one| one.old.iter().chain(&one.new).all(|(place, _)| *place != slot));
        things.set(slot, now);
    }

    /// Plans and applies once, as far as the run comes.
    pub(crate) async fn run(&self, run: &Run) -> Ran {
        self.let_reads_catch_up().await;
        self.world.things().trace.push(format!("RUN {run:?}"));
        self.world.begin(run.seed, run.faults.iter().copied());
        let state = self.state();
        if let Some(i) = run.exchanged.filter(|i| state.accounts.contains_key(&self.clouds[*i].name)) {
            self.ask_another_account(&self.clouds[i], state).await;
            return Ran::Refused;
        }
        let accounts = self.fleet.accounts().await;
        if !state.other_accounts(&accounts).is_empty() {
            self.world.things().violate("our own account is refused");
        }
        let slots = PlanInput::slots(&self.manifest, &state, &Targets::All);
        let observe = async {
            let mut observed = self.fleet.observe(slots).await;
            self.fleet.confirm_missing(&mut observed, state.slots()).await;
            observed
        };
        let observed = tokio::select! { biased;
            () = self.world.crashed() => return Ran::Crashed,
            observed = observe => observed,
        };
        let plan = self.plan(&state, &observed, run.drop_kept);
        self.watch(&state);
        if let Some(what) = run.between {
            self.outside(what).await;
            // Whoever carries the plan out later sees it.
            self.let_reads_catch_up().await;
        }
        self.world.meddle(run.meddling.iter().copied());
        let options = ApplyOptions {
            max_failures: run.stops_at_first_failure.then_some(1),
            keep_source: run.keep_source,
            ..ApplyOptions::new(ReadBack::new(NoWait))
        };
        let news = state.new_accounts(&accounts, &observed);
        let ledger = Ledger::new(state, &*self.world);
        let applied = async {
            for account in news {
                ledger.note(account).await.ok()?;
            }
            Some(apply(plan.clone(), &self.fleet, &ledger, &options, &Quiet).await)
        };
        let report = tokio::select! { biased;
            () = self.world.crashed() => None,
            report = applied => report,
        };
        self.world.things().watched.clear();
        let Some(report) = report else { return Ran::Crashed };
        let outcomes = serde_json::to_string(&report.outcomes).unwrap();
        self.world.things().trace.push(format!("OUTCOMES {outcomes}"));
        self.no_secret(&outcomes);
        // What failed to be noted may be durable all the same.
        if report.journal_error.is_none() && ledger.into_state() != self.state() {
            self.world.things().violate("the state at the end is not what was noted");
        }
        Ran::Ended(plan)
    }

    /// A run with the keys of another account, up to where every program turns back. What is ours is nowhere to be seen
    /// there; a state that does not know whose it is takes that account for its own no more.
    async fn ask_another_account(&self, cloud: &Cloud, mut state: State) {
        cloud.exchanged.store(true, Ordering::Relaxed);
        let accounts = self.fleet.accounts().await;
        let others = state.other_accounts(&accounts);
        if others.iter().map(|other| &other.provider).ne([&cloud.name]) {
            self.world.things().violate("another account is not told by its name");
        }
        self.world.begin(0, []);
        let slots = PlanInput::slots(&self.manifest, &state, &Targets::All);
        let mut observed = self.fleet.observe(slots).await;
        self.fleet.confirm_missing(&mut observed, state.slots()).await;
        cloud.exchanged.store(false, Ordering::Relaxed);
        state.accounts.clear();
        let is_of_cloud =
            |record: &Record| matches!(record, Record::Account { provider, .. } if *provider == cloud.name);
        if state.owns_at(&cloud.name) && state.new_accounts(&accounts, &observed).iter().any(is_of_cloud) {
            self.world.things().violate("an account that shows nothing of ours is taken for our own");
        }
        self.world.things().refused += 1;
    }

    /// The plan of a moment: made twice, to be the same.
    fn plan(&self, state: &State, observed: &Observed, drop_kept: bool) -> Plan {
        let (manifest, keys) = (&self.manifest, &self.keys);
        let input = PlanInput { manifest, keys, observed, state, targets: &Targets::All, drop_kept };
        let (one, other) = (plan(&input), plan(&input));
        let json = serde_json::to_string(&one).unwrap();
        if one != other || json != serde_json::to_string(&other).unwrap() {
            self.world.things().violate("the same input gives two plans");
        }
        self.world.things().trace.push(format!("PLAN {json}"));
        self.no_secret(&json);
        one
    }

    /// Runs are further apart than the time a write takes to show.
    async fn let_reads_catch_up(&self) {
        for cloud in &self.clouds {
            for _ in 0..=self.lag {
                cloud.inner.list(None).await.unwrap();
            }
        }
    }

    /// Remembers what each callback has when an apply begins.
    fn watch(&self, state: &State) {
        let mut things = self.world.things();
        let mut watched = Vec::new();
        for name in self.manifest.callbacks().keys() {
            let slots = state.entries.get(name).into_iter().flat_map(|entry| &entry.configs);
            let ours = slots.map(|config| &config.slot).filter(|slot| !things.foreign.contains(slot));
            let old: Vec<_> =
                ours.filter_map(|slot| Some((slot.clone(), things.configs.get(slot)?.clone()))).collect();
            if !old.is_empty() {
                watched.push(Watched { name: name.clone(), old, new: self.effective(name) });
            }
        }
        things.watched = watched;
        for (slot, config) in self.manifest.callbacks().keys().filter_map(|name| self.effective(name)) {
            things.ours.entry(slot).or_default().push(config);
        }
    }

    /// Counts the configs that were ours, were changed by others, and are there and nobody's.
    pub(crate) fn count_abandoned(&self) {
        let state = self.state();
        let mut things = self.world.things();
        let is_owned = |slot: &Slot| state.configs().any(|(_, config)| config.slot == *slot);
        let abandoned = things.disputed.iter().filter(|slot| has_no_ids(slot) && !is_owned(slot)).count();
        things.abandoned = abandoned;
    }

    pub(crate) fn no_secret(&self, text: &str) {
        if text.contains(SECRET) {
            self.world.things().violate("a signing key is shown");
        }
    }
}
