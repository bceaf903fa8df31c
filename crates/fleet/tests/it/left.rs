//! A domain that left the account, among so many that a list of all is what is read.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::mem::take;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use record_callback_contract::{MemoryProvider, NoWait};
use record_callback_core::{
    AccountId, Applied, CallbackKey, Capabilities, DomainName, Fidelity, ReadBack, RecordCallbackConfig,
    RecordCallbackProvider, Result, StoredCallback, Vendor,
};
use record_callback_fleet::{
    Action, ApplyOptions, Clouds, DriftKind, Ledger, Plan, State, Targets, apply, drift, drift_slots,
};

use crate::nowhere::{Nowhere, planned};

/// An account that `d0.com` can leave, and the reads that were made of it.
#[derive(Debug)]
struct Account {
    inner: MemoryProvider,
    without: MemoryProvider,
    has_left: Mutex<bool>,
    reads: Mutex<Vec<String>>,
}

impl Account {
    fn has_left(&self) -> bool {
        *self.has_left.lock().unwrap()
    }

    fn reads(&self) -> Vec<String> {
        take(&mut self.reads.lock().unwrap())
    }
}

#[async_trait]
impl RecordCallbackProvider for Account {
    fn vendor(&self) -> Vendor {
        self.inner.vendor()
    }

    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    async fn account(&self) -> Result<Option<AccountId>> {
        Ok(None)
    }

    async fn get(&self, key: &CallbackKey) -> Result<Option<StoredCallback>> {
        self.reads.lock().unwrap().push(format!("get {}", key.domain));
        let left = self.has_left() && key.domain.as_str() == "d0.com";
        if left { self.without.get(key).await } else { self.inner.get(key).await }
    }

    async fn list(&self, domain: Option<&DomainName>) -> Result<Vec<StoredCallback>> {
        self.reads.lock().unwrap().push(format!("list {domain:?}"));
        let mut all = self.inner.list(domain).await?;
        all.retain(|stored| !self.has_left() || stored.key.domain.as_str() != "d0.com");
        Ok(all)
    }

    async fn create(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Applied> {
        self.inner.create(config, fidelity).await
    }

    async fn update(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Applied> {
        self.inner.update(config, fidelity).await
    }

    async fn delete(&self, key: &CallbackKey) -> Result<()> {
        self.inner.delete(key).await
    }
}

/// The manifest of ten callbacks, and of none.
fn manifests() -> [String; 2] {
    let none = "[providers.cloud]\n".to_owned();
    let mut ten = none.clone();
    for i in 0..10 {
        let url = "https://cb.example.com";
        let place = format!("provider = 'cloud'\ndomain = 'd{i}.com'\nnotify_url = '{url}'");
        writeln!(ten, "[[callbacks]]\nname = 'c{i}'\n{place}").unwrap();
    }
    [ten, none]
}

/// The account and its fleet of ten callbacks, applied.
async fn applied() -> (Arc<Account>, Clouds, State) {
    let account = Arc::new(Account {
        inner: MemoryProvider::full(),
        without: MemoryProvider::full().with_domains([]),
        has_left: Mutex::new(false),
        reads: Mutex::default(),
    });
    let provider: Arc<dyn RecordCallbackProvider> = Arc::<Account>::clone(&account);
    let clouds = Clouds::new(BTreeMap::from([("cloud".parse().unwrap(), provider)]));
    let state = State::empty().unwrap();
    let plan = planned(&manifests()[0], &clouds, &state).await;
    let state = carried_out(plan, &clouds, state).await;
    assert_eq!(state.entries.len(), 10);
    account.reads();
    (account, clouds, state)
}

async fn carried_out(plan: Plan, clouds: &Clouds, state: State) -> State {
    let ledger = Ledger::new(state, &Nowhere);
    apply(plan, clouds, &ledger, &ApplyOptions::new(ReadBack::new(NoWait)), &()).await;
    ledger.into_state()
}

/// The drift that is seen, as the command looks.
async fn drifted(clouds: &Clouds, state: &State) -> Vec<DriftKind> {
    let mut observed = clouds.observe(drift_slots(state, &Targets::All)).await;
    clouds.confirm_missing(&mut observed, state.slots()).await;
    drift(state, &observed, &Targets::All).into_iter().map(|one| one.kind).collect()
}

#[tokio::test]
async fn where_all_is_there_a_list_is_all_that_is_read() {
    let (account, clouds, state) = applied().await;
    for text in manifests() {
        planned(&text, &clouds, &state).await;
        assert_eq!(account.reads(), ["list None"]);
    }
    assert_eq!(drifted(&clouds, &state).await, []);
    assert_eq!(account.reads(), ["list None"]);
}

#[tokio::test]
async fn a_domain_that_left_the_account_is_blocked_not_forgotten() {
    let (account, clouds, mut state) = applied().await;
    *account.has_left.lock().unwrap() = true;
    for (text, others) in manifests().iter().zip(["keep", "delete"]) {
        let plan = planned(text, &clouds, &state).await;
        assert_eq!(account.reads(), ["list None", "get d0.com"]);
        let counts = plan.counts();
        assert_eq!((counts.blocked, counts.forget, counts.create), (1, 0, 0), "{others}: {counts}");
        let Action::Blocked(blocked) = &plan.steps[0].action else { panic!("{:?}", plan.steps[0]) };
        assert!(blocked.reason.ends_with("(domain not found)"), "{blocked:?}");
        let drift = drifted(&clouds, &state).await;
        let unreadable = |one: &DriftKind| matches!(one, DriftKind::Unreadable { .. });
        assert!(drift.len() == 1 && drift.iter().all(unreadable), "{drift:?}");
        state = carried_out(plan, &clouds, state).await;
        assert!(state.entries.contains_key(&"c0".parse().unwrap()), "{others}");
        account.reads();
    }
    assert_eq!(state.entries.len(), 1);
}

/// Between the plan and its deletions, too.
#[tokio::test]
async fn a_domain_that_leaves_after_the_plan_is_not_forgotten() {
    let (account, clouds, state) = applied().await;
    let plan = planned(&manifests()[1], &clouds, &state).await;
    assert_eq!(plan.counts().delete, 10);
    *account.has_left.lock().unwrap() = true;
    let state = carried_out(plan, &clouds, state).await;
    assert_eq!(state.entries.keys().map(ToString::to_string).collect::<Vec<_>>(), ["c0"]);
}

/// A config that somebody deleted is asked for once more, and then gone.
#[tokio::test]
async fn what_was_deleted_is_gone_when_asked_for_again() {
    let (account, clouds, state) = applied().await;
    let key = state.slots().next().unwrap().key.clone();
    account.inner.delete(&key).await.unwrap();
    let plan = planned(&manifests()[1], &clouds, &state).await;
    assert_eq!(account.reads(), ["list None", "get d0.com"]);
    let counts = plan.counts();
    assert_eq!((counts.forget, counts.delete, counts.blocked), (1, 9, 0), "{counts}");
    assert_eq!(drifted(&clouds, &state).await, [DriftKind::Missing]);
}
