//! The report of the receiver on each delivery.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use record_callback_core::{RecordEvent, Refusal, Timestamp};

/// Is told of each delivery once it is answered, in the task that answers it: an implementation must not block.
pub trait DeliveryLog: Send + Sync + 'static {
    /// Takes note of an answer.
    fn answered(&self, delivery: &AnsweredDelivery<'_>);
}

/// A delivery, or another request, and what it was answered. `Debug` shows neither the values of headers nor the body:
/// both may have a signature.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct AnsweredDelivery<'a> {
    /// The id in the answer.
    pub request_id: &'a str,
    /// The name of the source it came to. `None`: no source has its path.
    pub source: Option<&'a str>,
    /// The time at which it arrived; for those with a body, at which the body had.
    pub received_at: Timestamp,
    /// The address of the sender, if known: of the connection, or as a proxy that is trusted names it.
    pub sender: Option<IpAddr>,
    /// The request's method.
    pub method: &'a Method,
    /// The request's path, without the query.
    pub path: &'a str,
    /// The status it was answered with.
    pub status: u16,
    /// The outcome.
    pub outcome: DeliveryOutcome,
    /// The word in the answer's body, when it was refused.
    pub reason: Option<&'static str>,
    /// More about it, in a sentence; empty where the reason says all. Without secrets.
    pub problem: &'a str,
    /// The time from its headers to its answer.
    pub took: Duration,
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// The request's body. Empty where it was not read to its end.
    pub body: &'a Bytes,
    /// The event, if its sender was accepted.
    pub event: Option<&'a RecordEvent>,
}

/// The outcome of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeliveryOutcome {
    /// It is kept.
    Kept,
    /// It was kept before.
    Duplicate,
    /// Another event with its dedupe key is kept; it is kept as well, unless there were too many.
    Conflicting,
    /// It was a question, and is answered.
    Asked,
    /// It was refused.
    Refused,
}

impl fmt::Debug for AnsweredDelivery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnsweredDelivery")
            .field("request_id", &self.request_id)
            .field("source", &self.source)
            .field("received_at", &self.received_at)
            .field("status", &self.status)
            .field("outcome", &self.outcome)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

/// The facts found out about a delivery on the way to its answer.
pub(crate) struct Told {
    pub(crate) received_at: Timestamp,
    pub(crate) sender: Option<IpAddr>,
    pub(crate) body: Bytes,
    /// Only where somebody wants to know.
    pub(crate) event: Option<RecordEvent>,
    pub(crate) outcome: DeliveryOutcome,
    pub(crate) problem: String,
}

impl Told {
    pub(crate) fn new(received_at: Timestamp, sender: Option<IpAddr>) -> Self {
        let (body, problem) = (Bytes::new(), String::new());
        Self { received_at, sender, body, event: None, outcome: DeliveryOutcome::Kept, problem }
    }
}

/// More than the reason's word, where there is more to say.
pub(crate) fn problem(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Stale { age } if age.is_negative() => {
            format!("stale: {} s ahead, is the clock right?", age.as_secs().unsigned_abs())
        }
        Refusal::Stale { age } => format!("stale: {} s old, is the clock right?", age.as_secs()),
        Refusal::Malformed { problem } => problem.clone(),
        _ => String::new(),
    }
}
