use std::collections::HashMap;

use async_trait::async_trait;
use record_callback_core::{ContentDigest, DedupeKey};
use tokio::sync::watch;

use crate::sink::{EventRecord, EventSink, Kept, MAX_CONFLICTS, Received, SinkError, SinkErrorKind};

/// Keeps events in memory. For tests only: nothing outlives the process, and nothing is ever removed.
///
/// Recognises duplicates, and numbers events from 1 in the order they came. Can be told to [fail](Self::fail_with).
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
    /// The places of the events of a source and key: the first, and those that contradict it.
    places: HashMap<(String, DedupeKey), Vec<usize>>,
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

    /// Keeps `record`, whose body has `signature_members`, unless it is known.
    fn keep(&mut self, mut record: EventRecord, signature_members: &[&str]) -> Kept {
        let Some(key) = record.dedupe_key() else {
            self.records.push(record);
            return Kept::New;
        };
        let content =
            |record: &EventRecord| ContentDigest::of(record.event.raw.as_bytes(), signature_members);
        let places = self.places.entry((record.source.clone(), key)).or_default();
        let said = content(&record);
        if places.iter().any(|place| content(&self.records[*place]) == said) {
            return Kept::Duplicate;
        }
        if places.len() > MAX_CONFLICTS {
            return Kept::TooManyConflicts;
        }
        let first = places.first().copied();
        places.push(self.records.len());
        record.conflicts_with = first.map(|place| (place + 1).to_string());
        self.records.push(record);
        if first.is_some() { Kept::Conflicting } else { Kept::New }
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
            if let Some(key) = record.dedupe_key() {
                let place = state.records.len();
                state.places.entry((record.source.clone(), key)).or_default().push(place);
            }
            state.records.push(record);
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
        let signature_members = received.event.signature_members();
        let record = EventRecord::from(received);
        let mut kept = Ok(Kept::Duplicate);
        self.state.send_if_modified(|state| {
            kept = state.check().map(|()| state.keep(record, signature_members));
            matches!(kept, Ok(Kept::New | Kept::Conflicting))
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
