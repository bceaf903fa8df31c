//! A cloud in virtual time: it takes time to answer, counts calls as an account's quota does, and refuses too many.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use record_callback::http::Quotas;
use record_callback::{
    AccountId, Applied, CallbackKey, Capabilities, DomainName, Error, ErrorKind, Fidelity,
    RecordCallbackConfig, RecordCallbackProvider, Result, StoredCallback, Vendor,
};
use record_callback_contract::MemoryProvider;
use tokio::time::{Instant, sleep};

/// How long the cloud takes to answer.
pub(crate) const ROUND_TRIP: Duration = Duration::from_millis(80);

/// The quota of one operation, or of all: no window of its length, wherever it begins, may have more calls.
#[derive(Debug)]
struct Window {
    calls: usize,
    length: Duration,
    recent: VecDeque<Instant>,
}

/// What was called, and how often that was too much.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) writes: usize,
    pub(crate) reads: usize,
    pub(crate) throttled: usize,
}

#[derive(Debug)]
struct Account {
    writes: Window,
    /// `None` where reads count as writes do.
    reads: Option<Window>,
    calls: Calls,
}

/// A provider that waits for its turn as the vendors' clients do.
#[derive(Debug, Clone)]
pub(crate) struct Simulated {
    memory: Arc<MemoryProvider>,
    quotas: Quotas,
    account: Arc<Mutex<Account>>,
    separate_reads: bool,
}

impl Simulated {
    /// A cloud with one quota for each kind of call: so many writes and reads a second.
    pub(crate) fn per_second(
        capabilities: &Capabilities,
        quotas: Quotas,
        writes: usize,
        reads: usize,
    ) -> Self {
        let second = Duration::from_secs(1);
        Self::new(capabilities, quotas, Window::new(writes, second), Some(Window::new(reads, second)))
    }

    /// A cloud that counts all calls together.
    pub(crate) fn per_minute(capabilities: &Capabilities, quotas: Quotas, calls: usize) -> Self {
        Self::new(capabilities, quotas, Window::new(calls, Duration::from_secs(60)), None)
    }

    fn new(capabilities: &Capabilities, quotas: Quotas, writes: Window, reads: Option<Window>) -> Self {
        let separate_reads = reads.is_some();
        let account = Account { writes, reads, calls: Calls::default() };
        Self {
            memory: Arc::new(MemoryProvider::new(capabilities.clone())),
            quotas,
            account: Arc::new(Mutex::new(account)),
            separate_reads,
        }
    }

    pub(crate) fn calls(&self) -> Calls {
        self.account.lock().unwrap_or_else(PoisonError::into_inner).calls
    }

    async fn call(&self, write: bool) -> Result<()> {
        self.quotas.turn(if write || !self.separate_reads { "write" } else { "read" }).await;
        let throttled = {
            let mut account = self.account.lock().unwrap_or_else(PoisonError::into_inner);
            let account = &mut *account;
            *(if write { &mut account.calls.writes } else { &mut account.calls.reads }) += 1;
            let reads = account.reads.as_mut().filter(|_| !write);
            let allowed = reads.unwrap_or(&mut account.writes).take(Instant::now());
            account.calls.throttled += usize::from(!allowed);
            !allowed
        };
        sleep(ROUND_TRIP).await;
        if throttled {
            return Err(Error::new(ErrorKind::Throttled, "too many calls"));
        }
        Ok(())
    }
}

impl Window {
    fn new(calls: usize, length: Duration) -> Self {
        Self { calls, length, recent: VecDeque::new() }
    }

    fn take(&mut self, now: Instant) -> bool {
        while self.recent.front().is_some_and(|first| now.duration_since(*first) >= self.length) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        self.recent.len() <= self.calls
    }
}

#[async_trait]
impl RecordCallbackProvider for Simulated {
    fn vendor(&self) -> Vendor {
        self.memory.vendor()
    }

    fn capabilities(&self) -> &Capabilities {
        self.memory.capabilities()
    }

    async fn account(&self) -> Result<Option<AccountId>> {
        self.memory.account().await
    }

    async fn get(&self, key: &CallbackKey) -> Result<Option<StoredCallback>> {
        self.call(false).await?;
        self.memory.get(key).await
    }

    async fn list(&self, domain: Option<&DomainName>) -> Result<Vec<StoredCallback>> {
        let found = self.memory.list(domain).await?;
        // A page a call.
        let page = self.capabilities().list_page.unwrap_or(1) as usize;
        for _ in 0..found.len().div_ceil(page).max(1) {
            self.call(false).await?;
        }
        Ok(found)
    }

    async fn create(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Applied> {
        self.call(true).await?;
        self.memory.create(config, fidelity).await
    }

    async fn update(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Applied> {
        self.call(true).await?;
        self.memory.update(config, fidelity).await
    }

    async fn delete(&self, key: &CallbackKey) -> Result<()> {
        self.call(true).await?;
        self.memory.delete(key).await
    }
}
