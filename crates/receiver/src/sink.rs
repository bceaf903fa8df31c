//! Where verified events go.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use record_callback_core::{Assurance, DedupeKey, RecordEvent, Timestamp, VerifiedEvent};
use serde::{Deserialize, Serialize};

/// A verified event on its way into a sink.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// The name of the source it came to.
    pub source: Arc<str>,
    /// When it arrived.
    pub received_at: Timestamp,
    /// The name of the key that signed it, where keys have names.
    pub key: Option<Arc<str>>,
    /// Tells whether its signature came before, with another body.
    pub signature_reused: bool,
    /// The event.
    pub event: VerifiedEvent,
}

impl Received {
    /// An event of `source` that arrived at `received_at`, about which nothing else is known.
    pub fn new(source: impl Into<Arc<str>>, received_at: Timestamp, event: VerifiedEvent) -> Self {
        Self { source: source.into(), received_at, key: None, signature_reused: false, event }
    }
}

/// An event as a sink keeps it: one JSON object, the same in every sink.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventRecord {
    /// The name of the source it came to.
    pub source: String,
    /// When it arrived.
    pub received_at: Timestamp,
    /// The name of the key that signed it, where keys have names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Tells whether its signature came before, with another body. Clouds that sign no body use one signature for all
    /// events of a second; a forger uses it for longer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub signature_reused: bool,
    /// The first event of the same dedupe key, as the sink numbers its events, when this one says something else.
    /// Which of them the cloud sent cannot be told where it signs no body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflicts_with: Option<String>,
    /// What is proven about it.
    pub assurance: Assurance,
    /// The event.
    #[serde(flatten)]
    pub event: RecordEvent,
}

impl From<Received> for EventRecord {
    fn from(received: Received) -> Self {
        let (event, assurance) = received.event.into_parts();
        Self {
            source: received.source.as_ref().to_owned(),
            received_at: received.received_at,
            key: received.key.as_deref().map(str::to_owned),
            signature_reused: received.signature_reused,
            conflicts_with: None,
            assurance,
            event,
        }
    }
}

impl EventRecord {
    /// What tells the event from others of the same source.
    pub fn dedupe_key(&self) -> Option<DedupeKey> {
        self.event.dedupe_key
    }
}

/// An event, or what a sink keeps of it, in JSON.
pub(crate) fn to_json(event: &impl Serialize) -> Result<String, SinkError> {
    serde_json::to_string(event)
        .map_err(|error| SinkError::unavailable("the event cannot be written as JSON").with_source(error))
}

/// A place where events are kept.
///
/// The sentences below are what the sink suite checks.
#[async_trait]
pub trait EventSink: fmt::Debug + Send + Sync + 'static {
    /// Keeps an event.
    ///
    /// # Contract
    /// - `Ok` only when the event will survive a crash of this process.
    /// - While an event is remembered, another of the same source and dedupe key that
    ///   [says the same](VerifiedEvent::content) is [`Kept::Duplicate`] and not kept again, if this sink
    ///   [recognises duplicates](Self::recognises_duplicates). How long that is, the sink says. Events without a key are
    ///   always new.
    /// - One of the same key that says something else is [`Kept::Conflicting`], and kept with
    ///   [`conflicts_with`](EventRecord::conflicts_with): a forged event that comes first does not hide the real one.
    ///   After [`MAX_CONFLICTS`] for a key, further ones are [`Kept::TooManyConflicts`], and not kept.
    /// - After an error the event may have been kept or not; it can be given again.
    /// - Dropping the future leaves nothing half done.
    async fn keep(&self, received: Received) -> Result<Kept, SinkError>;

    /// Whether an event could be kept now.
    async fn check(&self) -> Result<(), SinkError>;

    /// How many events are kept and not yet taken by every consumer, if the sink knows.
    async fn depth(&self) -> Result<Option<u64>, SinkError>;

    /// Whether duplicates are recognised while the first is remembered, also those of an earlier process. Never changes.
    fn recognises_duplicates(&self) -> bool;

    /// Finishes what was begun. Events given later are refused with [`SinkErrorKind::Closed`].
    async fn close(&self);
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is kept.
    New,
    /// It was kept before, and is remembered.
    Duplicate,
    /// It is kept, beside an event of the same dedupe key that says something else.
    Conflicting,
    /// It is not kept: there are [`MAX_CONFLICTS`] of its dedupe key already.
    TooManyConflicts,
}

/// The number of events of one dedupe key that are kept beside the first.
pub const MAX_CONFLICTS: usize = 8;

/// Why an event was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SinkErrorKind {
    /// There is no room until consumers take events.
    Full,
    /// The store failed.
    Unavailable,
    /// The sink is closed.
    Closed,
}

/// The error of a sink. `Display` is one line without the source and without any secret.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SinkError {
    kind: SinkErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl SinkError {
    /// An error of `kind`. `message` must not contain a secret.
    pub fn new(kind: SinkErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(SinkErrorKind::Unavailable, message)
    }

    pub(crate) fn closed() -> Self {
        Self::new(SinkErrorKind::Closed, "the sink is closed")
    }

    /// Adds the cause. Its text must not contain a secret.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What can be done about it.
    pub fn kind(&self) -> SinkErrorKind {
        self.kind
    }
}

#[cfg(test)]
mod tests {
    use record_callback_core::{RawBody, Vendor};

    use super::*;

    #[test]
    fn a_record_reads_back() {
        let event = RecordEvent::new(Vendor::new("acme"), RawBody::from(bytes::Bytes::from_static(b"{}")));
        let record = EventRecord {
            source: "live".to_owned(),
            received_at: Timestamp::UNIX_EPOCH,
            key: None,
            signature_reused: false,
            conflicts_with: None,
            assurance: Assurance::UNSIGNED,
            event,
        };
        let json = serde_json::to_string(&record).unwrap();
        assert!(
            json.starts_with(r#"{"source":"live","received_at":"1970-01-01T00:00:00Z","assurance":{"#),
            "{json}"
        );
        assert_eq!(serde_json::from_str::<EventRecord>(&json).unwrap(), record);
    }
}
