use std::collections::HashSet;

use async_trait::async_trait;
use record_callback_core::DedupeKey;
use tokio::sync::watch;

use crate::sink::{EventRecord, EventSink, Kept, Received, SinkError, SinkErrorKind};

/// Keeps events in memory. For tests only: nothing outlives the process, and nothing is ever removed.
///
/// Recognises duplicates. Can be told to [fail](Self::fail_with).
///
/// ```
/// use std::sync::Arc;
/// use record_callback_receiver::{EventSink, MemorySink};
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let memory = Arc::new(MemorySink::new());
/// let sink: Arc<dyn EventSink> = memory.clone(); // for the receiver under test
/// # sink.check().await?;
/// assert!(memory.wait_for(0).await.is_empty());
/// # Ok::<(), record_callback_receiver::SinkError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct MemorySink {
    state: watch::Sender<State>,
}

#[derive(Debug, Default)]
struct State {
    records: Vec<EventRecord>,
    keys: HashSet<(String, DedupeKey)>,
    failing: Option<SinkErrorKind>,
    closed: bool,
}

impl State {
    fn check(&self) -> Result<(), SinkError> {
        let closed = self.closed.then_some(SinkErrorKind::Closed);
        match closed.or(self.failing) {
            Some(SinkErrorKind::Closed) => Err(SinkError::closed()),
            Some(kind) => Err(SinkError::new(kind, "the sink was told to fail")),
            None => Ok(()),
        }
    }

    fn keep(&mut self, record: EventRecord) -> Kept {
        if let Some(key) = record.dedupe_key()
            && !self.keys.insert((record.source.clone(), key))
        {
            return Kept::Duplicate;
        }
        self.records.push(record);
        Kept::New
    }
}

impl Default for MemorySink {
    fn default() -> Self {
        Self::new()
    }
}

impl MemorySink {
    /// An empty sink.
    pub fn new() -> Self {
        Self::with_records([])
    }

    /// A sink that kept `records` before.
    pub fn with_records(records: impl IntoIterator<Item = EventRecord>) -> Self {
        let mut state = State::default();
        for record in records {
            state.keep(record);
        }
        Self { state: watch::Sender::new(state) }
    }

    /// What is kept, oldest first.
    pub fn records(&self) -> Vec<EventRecord> {
        self.state.borrow().records.clone()
    }

    /// Waits until at least `n` events are kept, and gives all of them. Has no time limit of its own.
    pub async fn wait_for(&self, n: usize) -> Vec<EventRecord> {
        // Cannot fail: the sender is `self`.
        let _ = self.state.subscribe().wait_for(|state| state.records.len() >= n).await;
        self.records()
    }

    /// Fails every later call with `kind`, until told otherwise with `None`.
    pub fn fail_with(&self, kind: Option<SinkErrorKind>) {
        self.state.send_modify(|state| state.failing = kind);
    }
}

#[async_trait]
impl EventSink for MemorySink {
    async fn keep(&self, received: Received) -> Result<Kept, SinkError> {
        let record = EventRecord::from(received);
        let mut kept = Ok(Kept::Duplicate);
        self.state.send_if_modified(|state| {
            kept = state.check().map(|()| state.keep(record));
            matches!(kept, Ok(Kept::New))
        });
        kept
    }

    async fn check(&self) -> Result<(), SinkError> {
        self.state.borrow().check()
    }

    async fn depth(&self) -> Result<Option<u64>, SinkError> {
        let state = self.state.borrow();
        state.check().map(|()| u64::try_from(state.records.len()).ok())
    }

    fn recognises_duplicates(&self) -> bool {
        true
    }

    async fn close(&self) {
        self.state.send_modify(|state| state.closed = true);
    }
}
