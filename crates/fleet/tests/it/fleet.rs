//! A small fleet to make plans for, and plans as lines of text.

use std::sync::Arc;

use record_callback_contract::{MemoryProvider, NoWait};
use record_callback_core::{Fidelity, ReadBack, RecordCallbackConfig, RecordCallbackProvider};
use record_callback_fleet::{
    Action, ApplyOptions, Change, Clouds, End, Fate, Gate, Ledger, Left, Manifest, ManifestFile,
    ManifestFormat, Name, Observed, Plan, PlanInput, Progress, Report, Retirement, Slot, State, Targets,
    apply, plan, plan_destruction,
};
use serde::de::IgnoredAny;
use tokio::runtime::Runtime;

use crate::cloud::Cloud;
use crate::wishes::{PROVIDERS, Secrets};
use crate::world::{Fault, World};

pub(crate) const SIGNED: &str = "signing = { scheme = 'md5', key = { env = 'KEY_A' } }";

/// Three clouds and what a fleet knows of them.
pub(crate) struct Fleet {
    pub(crate) world: Arc<World>,
    all: Vec<Arc<Cloud>>,
    pub(crate) clouds: Clouds,
    pub(crate) runtime: Runtime,
    pub(crate) state: State,
    pub(crate) keys: usize,
    pub(crate) targets: Targets,
    pub(crate) drop_kept: bool,
    pub(crate) gate: Option<Arc<dyn Gate>>,
}

pub(crate) struct Quiet;

impl Progress for Quiet {
    fn ended(&self, _name: &Name, _action: &str, _fate: &Fate) {}
}

/// A callback at `provider domain/app`, with more lines of TOML.
pub(crate) fn callback(name: &str, place: &str, more: &str) -> String {
    let (provider, key) = place.split_once(' ').unwrap();
    let (domain, app) = key.split_once('/').unwrap();
    let url = if more.contains("notify_url") { "" } else { "notify_url = 'https://cb.example.com'\n" };
    format!(
        "[[callbacks]]\nname = '{name}'\nprovider = '{provider}'\ndomain = '{domain}'\napp = '{app}'\n{url}{more}\n"
    )
}

fn manifest(callbacks: &[String]) -> Manifest {
    let providers = PROVIDERS.map(|name| format!("[providers.{name}]\n")).concat();
    let text = providers + &callbacks.concat();
    ManifestFile::<IgnoredAny>::parse(&text, ManifestFormat::Toml).unwrap().manifest
}

impl Fleet {
    pub(crate) fn empty() -> Self {
        let world = Arc::new(World::default());
        let inner = [MemoryProvider::full(), MemoryProvider::key_hiding(), MemoryProvider::narrow()];
        let all = PROVIDERS.into_iter().zip(inner).map(|(name, inner)| Cloud::new(name, inner, &world));
        let all: Vec<_> = all.collect();
        let providers = all.iter().map(|cloud| {
            let provider: Arc<dyn RecordCallbackProvider> = Arc::<Cloud>::clone(cloud);
            (cloud.name.clone(), provider)
        });
        Self {
            clouds: Clouds::new(providers.collect()),
            all,
            world,
            runtime: tokio::runtime::Builder::new_current_thread().build().unwrap(),
            state: State::empty().unwrap(),
            keys: 0,
            targets: Targets::All,
            drop_kept: false,
            gate: None,
        }
    }

    /// A fleet that is as these callbacks say.
    pub(crate) fn with(callbacks: &[String]) -> Self {
        Self::empty().then(callbacks, false)
    }

    /// The same after these were applied.
    pub(crate) fn then(mut self, callbacks: &[String], keep_source: bool) -> Self {
        let plan = self.make_plan(callbacks);
        let ledger = Ledger::new(self.state, &*self.world);
        let options = ApplyOptions { keep_source, ..ApplyOptions::new(ReadBack::new(NoWait)) };
        let report = self.runtime.block_on(apply(plan, &self.clouds, &ledger, &options, &Quiet));
        assert!(report.is_done(), "{report:?}");
        self.state = ledger.into_state();
        self
    }

    /// The same after a run with a fault of the `n`th call or note of its apply; the second is the first write.
    pub(crate) fn after_fault(mut self, callbacks: &[String], n: u64, fault: Fault) -> Self {
        self.run_with_fault(callbacks, n, fault);
        self
    }

    /// The report of a run that does not die; there is no fault where `n` is 0.
    pub(crate) fn report_after_fault(&mut self, callbacks: &[String], n: u64, fault: Fault) -> Report {
        self.run_with_fault(callbacks, n, fault).unwrap()
    }

    fn run_with_fault(&mut self, callbacks: &[String], n: u64, fault: Fault) -> Option<Report> {
        let plan = self.make_plan(callbacks);
        self.world.begin(0, [(n, fault)]);
        let ledger = Ledger::new(self.state.clone(), &*self.world);
        let options = ApplyOptions { gate: self.gate.clone(), ..ApplyOptions::new(ReadBack::new(NoWait)) };
        let report = self.runtime.block_on(async {
            tokio::select! { biased;
                () = self.world.crashed() => None,
                report = apply(plan, &self.clouds, &ledger, &options, &Quiet) => Some(report),
            }
        });
        self.state = ledger.into_state();
        self.world.begin(0, []);
        report
    }

    pub(crate) fn make_plan(&self, callbacks: &[String]) -> Plan {
        self.make_plan_by(plan, callbacks)
    }

    fn make_plan_by(&self, planner: fn(&PlanInput<'_>) -> Plan, callbacks: &[String]) -> Plan {
        let manifest = manifest(callbacks);
        let keys = manifest.keys(&Secrets(self.keys));
        let slots = PlanInput::slots(&manifest, &self.state, &self.targets);
        let observed = self.observe(slots);
        let Self { state, targets, drop_kept, .. } = self;
        let input = PlanInput {
            manifest: &manifest,
            keys: &keys,
            observed: &observed,
            state,
            targets,
            drop_kept: *drop_kept,
        };
        planner(&input)
    }

    /// The contents of the clouds, as every command looks.
    pub(crate) fn observe(&self, slots: impl IntoIterator<Item = Slot>) -> Observed {
        self.runtime.block_on(async {
            let mut observed = self.clouds.observe(slots).await;
            self.clouds.confirm_missing(&mut observed, self.state.slots()).await;
            observed
        })
    }

    /// The steps, a line each.
    pub(crate) fn plans(&self, callbacks: &[String]) -> Vec<String> {
        lines(&self.make_plan(callbacks))
    }

    /// The steps of the removal of everything, a line each.
    pub(crate) fn destruction(&self, callbacks: &[String]) -> Vec<String> {
        lines(&self.make_plan_by(plan_destruction, callbacks))
    }

    pub(crate) fn cloud(&self, provider: &str) -> &MemoryProvider {
        &self.all.iter().find(|cloud| cloud.name.as_str() == provider).unwrap().inner
    }

    /// Somebody else writes a config.
    pub(crate) fn somebody_writes(self, provider: &str, domain: &str, url: &str) -> Self {
        let config = RecordCallbackConfig::builder(domain, url).build().unwrap();
        let cloud = self.cloud(provider);
        self.runtime.block_on(async {
            if cloud.update(&config, Fidelity::Exact).await.is_err() {
                cloud.create(&config, Fidelity::Exact).await.unwrap();
            }
        });
        self
    }

    pub(crate) fn somebody_deletes(self, provider: &str, domain: &str) -> Self {
        let key = RecordCallbackConfig::builder(domain, "https://x.example.com").build().unwrap().key();
        self.runtime.block_on(self.cloud(provider).delete(&key)).unwrap();
        self
    }

    /// The next read fails.
    pub(crate) fn unreadable(self) -> Self {
        self.world.begin(0, [(1, Fault::FailBefore)]);
        self
    }
}

fn lines(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| format!("{} {}", step.name, shown(&step.action))).collect()
}

fn shown(action: &Action) -> String {
    match action {
        Action::Keep(kept) => {
            let flags = [
                (kept.key_unseen, " key_unseen"),
                (kept.not_owned, " not_owned"),
                (kept.source_kept, " source_kept"),
            ];
            flags.into_iter().filter(|(set, _)| *set).fold("keep".to_owned(), |text, (_, flag)| text + flag)
        }
        Action::Create(change) => format!("create {}", change_shown(change)),
        Action::Update(change) => format!("update {}", change_shown(change)),
        Action::Replace(change) => format!("replace {}", change_shown(change)),
        Action::Delete(removal) => {
            removal.retire.iter().fold("delete".to_owned(), |text, one| text + &ended(one))
        }
        Action::Forget(removal) => {
            removal.retire.iter().fold("forget".to_owned(), |text, one| text + &ended(one))
        }
        Action::Blocked(blocked) => format!("blocked: {}", blocked.reason),
    }
}

fn change_shown(change: &Change) -> String {
    let fields: Vec<_> = change.fields.iter().map(|field| field.field.as_str()).collect();
    let mut text = format!("{} [{}]", change.slot, fields.join(", "));
    for one in &change.retire {
        text += &ended(one);
    }
    for (what, name) in [("after", &change.after), ("from", &change.taken_from)] {
        if let Some(name) = name {
            text = format!("{text}, {what} {name}");
        }
    }
    text
}

fn ended(retirement: &Retirement) -> String {
    let Retirement { slot, end, left, changed, .. } = retirement;
    let verb = if *end == End::Delete { "delete" } else { "forget" };
    let fields: Vec<_> = changed.iter().map(|field| field.as_str()).collect();
    let left = match left {
        None if fields.is_empty() => String::new(),
        None => format!(" although others changed {}", fields.join(", ")),
        Some(Left::Gone) => " (gone)".to_owned(),
        Some(Left::Replaced) => " (replaced)".to_owned(),
        Some(Left::Changed) => format!(" (others changed {})", fields.join(", ")),
        Some(Left::NotWritten) => format!(" (not written: {})", fields.join(", ")),
        Some(Left::TakenOver) => " (taken over)".to_owned(),
        Some(Left::Renamed { to }) => format!(" (is {to})"),
    };
    format!(", {verb} {slot}{left}")
}
