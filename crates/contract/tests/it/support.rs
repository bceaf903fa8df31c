use std::sync::Arc;

use async_trait::async_trait;
use record_callback_contract::{Faults, Harness, MemoryProvider, NoWait};
use record_callback_core::{Capabilities, DomainName, EventKind, EventSet, RecordCallbackProvider, Timer};

use crate::mutant::{Mutant, Stranger};

/// A fresh provider for each behaviour, and no waiting.
pub(crate) struct Fresh<F>(pub(crate) F);

#[async_trait]
impl<F, P> Harness for Fresh<F>
where
    F: Fn() -> P + Send + Sync,
    P: RecordCallbackProvider,
{
    async fn provider(&self) -> Arc<dyn RecordCallbackProvider> {
        Arc::new(self.0())
    }

    fn domains(&self) -> [DomainName; 2] {
        domains()
    }

    fn timer(&self) -> Arc<dyn Timer> {
        Arc::new(NoWait)
    }
}

/// One provider for all behaviours, as with a real account.
pub(crate) struct Shared(pub(crate) Arc<dyn RecordCallbackProvider>);

#[async_trait]
impl Harness for Shared {
    async fn provider(&self) -> Arc<dyn RecordCallbackProvider> {
        Arc::clone(&self.0)
    }

    fn domains(&self) -> [DomainName; 2] {
        domains()
    }

    fn timer(&self) -> Arc<dyn Timer> {
        Arc::new(NoWait)
    }
}

/// As [`Shared`], with a connection that can lose answers, and another account.
pub(crate) struct Faulty(pub(crate) Arc<Mutant>);

#[async_trait]
impl Harness for Faulty {
    async fn provider(&self) -> Arc<dyn RecordCallbackProvider> {
        Arc::<Mutant>::clone(&self.0)
    }

    fn domains(&self) -> [DomainName; 2] {
        domains()
    }

    fn timer(&self) -> Arc<dyn Timer> {
        Arc::new(NoWait)
    }

    fn foreign_domain(&self) -> Option<DomainName> {
        Some(DomainName::reported("foreign.example.com"))
    }

    fn faults(&self) -> Option<&dyn Faults> {
        Some(&*self.0)
    }

    fn other_account(&self) -> Option<Arc<dyn RecordCallbackProvider>> {
        Some(Arc::new(Stranger::of(&self.0)))
    }
}

pub(crate) fn domains() -> [DomainName; 2] {
    ["one.example.com", "two.example.com"].map(DomainName::reported)
}

/// A cloud of odd abilities: nothing can be signed, events come in chains, ids but no apps.
pub(crate) fn unsigned() -> MemoryProvider {
    MemoryProvider::new(unsigned_capabilities())
}

pub(crate) fn unsigned_capabilities() -> Capabilities {
    let mut capabilities = MemoryProvider::narrow().capabilities().clone();
    capabilities.events.always = EventSet::default();
    capabilities.events.groups = vec![
        EventSet::from([EventKind::FileCompleted, EventKind::FileStarted]),
        EventSet::from([EventKind::FileStarted, EventKind::RecordingEnded]),
    ];
    capabilities.signing.schemes.clear();
    capabilities.ids = true;
    capabilities
}
