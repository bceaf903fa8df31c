//! The contract suite on every provider: the in-memory reference in three shapes, and both vendors
//! with every way of authorising requests, on their mocks over real HTTP.
//!
//! Each behaviour is a test of its own name, with a cloud of its own. Which behaviours a cloud must show is
//! decided by its capabilities; for each that does not apply, the suite has one for the opposite case.
//!
//! Then the suite runs in every dialect of the clouds, one by one and in pairs; there, a dialect is one test.

mod dialects;
mod limited;

use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use libtest_mimic::{Arguments, Failed, Trial};
use record_callback::http::TokioTimer;
use record_callback::{AccountId, DomainName, RecordCallbackProvider, Timer};
use record_callback_contract::{Behaviour, Faults, Harness, MemoryProvider, NoWait, Verdict, behaviours};
use record_callback_mock::{Fault, FaultKind};
use record_callback_tests::{Cloud, Dialects, MockCloud};

use crate::limited::Limited;

/// Both vendors' words for creates, updates and deletes.
const WRITES: [&str; 6] = [
    "AddLiveRecordNotifyConfig",
    "UpdateLiveRecordNotifyConfig",
    "DeleteLiveRecordNotifyConfig",
    "CreateRecordCallbackConfig",
    "UpdateRecordCallbackConfig",
    "DeleteRecordCallbackConfig",
];

/// More configs than one page of either cloud holds.
const MORE_THAN_A_PAGE: usize = 101;

#[derive(Clone)]
enum Subject {
    Memory(&'static str, fn() -> MemoryProvider),
    Mock(Cloud, Dialects),
}

impl Subject {
    fn name(&self) -> &'static str {
        match self {
            Self::Memory(name, _) => name,
            Self::Mock(cloud, _) => cloud.name(),
        }
    }
}

fn subjects() -> impl Iterator<Item = Subject> {
    let memory = [
        Subject::Memory("memory_full", MemoryProvider::full),
        Subject::Memory("memory_narrow", MemoryProvider::narrow),
        Subject::Memory("memory_key_hiding", MemoryProvider::key_hiding),
    ];
    memory.into_iter().chain(Cloud::ALL.map(|cloud| Subject::Mock(cloud, Dialects::default())))
}

/// One subject, with a new cloud for every behaviour.
struct FreshCloud {
    subject: Subject,
    /// The domains as the cloud has them.
    spellings: [&'static str; 2],
    running: Mutex<Option<Arc<MockCloud>>>,
}

impl FreshCloud {
    fn new(subject: Subject) -> Self {
        Self { subject, spellings: ["one.example.com", "two.example.com"], running: Mutex::default() }
    }

    fn running(&self) -> Option<Arc<MockCloud>> {
        self.running.lock().unwrap().clone()
    }

    fn fail(&self, fault: Fault) {
        self.running().expect("a behaviour asks for its provider first").mock.faults().add(fault);
    }
}

#[async_trait]
impl Harness for FreshCloud {
    async fn provider(&self) -> Arc<dyn RecordCallbackProvider> {
        match &self.subject {
            Subject::Memory(_, provider) => Arc::new(provider().with_account(account("ours"))),
            Subject::Mock(cloud, dialects) => {
                let cloud = Arc::new(cloud.start_in(&self.domains(), dialects).await);
                let provider = Limited::new(Arc::clone(&cloud.provider), dialects);
                *self.running.lock().unwrap() = Some(cloud);
                Arc::new(provider)
            }
        }
    }

    fn domains(&self) -> [DomainName; 2] {
        self.spellings.map(DomainName::reported)
    }

    fn foreign_domain(&self) -> Option<DomainName> {
        let mock = matches!(self.subject, Subject::Mock(..));
        mock.then(|| DomainName::reported("foreign.example.com"))
    }

    fn timer(&self) -> Arc<dyn Timer> {
        match &self.subject {
            Subject::Mock(_, dialects) if dialects.lag() => Arc::new(TokioTimer),
            _ => Arc::new(NoWait),
        }
    }

    fn first_pause(&self) -> Duration {
        Duration::from_millis(10)
    }

    fn more_than_a_page(&self) -> usize {
        MORE_THAN_A_PAGE
    }

    fn other_account(&self) -> Option<Arc<dyn RecordCallbackProvider>> {
        match &self.subject {
            // A cloud of its own, as that of another account is.
            Subject::Memory(_, provider) => Some(Arc::new(provider().with_account(account("theirs")))),
            Subject::Mock(..) => self.running().map(|running| Arc::clone(&running.other)),
        }
    }

    fn faults(&self) -> Option<&dyn Faults> {
        matches!(self.subject, Subject::Mock(..)).then_some(self)
    }
}

fn account(id: &str) -> AccountId {
    AccountId::new(id).expect("an id")
}

#[async_trait]
impl Faults for FreshCloud {
    async fn lose_next_answer(&self) {
        // Of the write: a provider may read first. What is not struck meets the behaviour's own cleaning up.
        for write in WRITES {
            self.fail(Fault::new(FaultKind::Reset).after().operation(write));
        }
    }

    async fn throttle_next_call(&self) {
        self.fail(Fault::new(FaultKind::Throttled));
    }

    async fn deny_next_call(&self) {
        self.fail(Fault::new(FaultKind::Denied));
    }
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut trials = Vec::new();
    for subject in subjects() {
        let harness = FreshCloud::new(subject.clone());
        let capabilities = runtime.block_on(harness.provider()).capabilities().clone();
        let applying = behaviours().iter().filter(|behaviour| behaviour.applies(&capabilities, &harness));
        trials.extend(applying.map(|behaviour| trial(subject.clone(), behaviour)));
    }
    trials.extend(dialects::trials());
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(subject: Subject, behaviour: &'static Behaviour) -> Trial {
    let name = format!("{}::{}", subject.name(), behaviour.name());
    let run = move || -> Result<(), Failed> {
        let harness = FreshCloud::new(subject.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        match runtime.block_on(behaviour.run(&harness)) {
            Verdict::Passed => Ok(()),
            Verdict::Failed(failure) => Err(failure.to_string().into()),
            Verdict::Skipped(condition) => Err(format!("did not run: {condition}").into()),
        }
    };
    Trial::test(name, run)
}
