//! Receives recording callbacks: verified, normalised, and kept before they are acknowledged.

mod sink;

pub use sink::{EventRecord, EventSink, Kept, Received, SinkError, SinkErrorKind};
