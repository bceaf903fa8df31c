//! Receives recording callbacks: verified, normalised, and kept before they are acknowledged.

mod answer;
#[cfg(feature = "forward")]
mod forward;
#[cfg(any(feature = "forward", feature = "redis"))]
mod gate;
mod jsonl;
mod limits;
mod memory;
mod metrics;
mod receiver;
#[cfg(feature = "redis")]
mod redis;
mod serve;
mod sink;
mod source;
#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(feature = "redis")]
pub use self::redis::{RedisOptions, RedisSink};
#[cfg(feature = "forward")]
pub use forward::{ForwardSink, ForwardSinkBuilder};
pub use jsonl::JsonlSink;
pub use limits::Limits;
pub use memory::MemorySink;
pub use receiver::{Receiver, ReceiverBuilder};
pub use sink::{EventRecord, EventSink, Kept, Received, SinkError, SinkErrorKind};
pub use source::{NotUnderstood, Source};
#[cfg(feature = "sqlite")]
pub use sqlite::{Consumer, InboxError, InboxEvent, InboxOptions, InboxReader, SqliteInbox};
