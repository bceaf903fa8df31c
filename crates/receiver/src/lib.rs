//! Receives recording callbacks: verified, normalised, and kept before they are acknowledged.
//!
//! A [`Source`] is a path and a vendor's verifier. A [`Receiver`] has some and an [`EventSink`]: the cloud is answered
//! with 200 once the sink has the event, and with 503 while it cannot. Whether a cloud then tries again is UNVERIFIED:
//! Aliyun documents it after timeouts, Huawei Cloud not at all. What is delivered twice is kept once where the sink
//! recognises it. Features add sinks: `sqlite` (default), `redis`,
//! `forward`; without any there are [`JsonlSink`], [`MemorySink`] for tests, and your own. The feature `tls` lets the
//! receiver speak TLS itself.
//!
//! ```
//! use std::sync::Arc;
//!
//! use record_callback_core::{EventKind, SignaturePolicy, SigningKey};
//! use record_callback_mock::{AliyunEvent, AliyunSender};
//! use record_callback_receiver::{MemorySink, Receiver, Source};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let addr = listener.local_addr()?;
//! let key = SigningKey::generate()?;
//! let aliyun = record_callback_aliyun::AliyunCallbacks::new(
//!     "127.0.0.1", // the host of the callback URL: the cloud signs it
//!     SignaturePolicy::signed([key.clone()])?,
//! )?;
//! let sink = Arc::new(MemorySink::new());
//! let receiver = Receiver::builder(sink.clone())
//!     .source(Source::new("live", "/callbacks/aliyun", Arc::new(aliyun))?)
//!     .build()?;
//! tokio::spawn(async move { axum::serve(listener, receiver.router()).await });
//!
//! let cloud = AliyunSender::new(format!("http://{addr}/callbacks/aliyun")).key(key.expose());
//! assert!(cloud.send(&AliyunEvent::file("live.example.com", "app", "stream")).await.is_acknowledged());
//! let records = sink.records();
//! assert_eq!(records[0].event.kind, Some(EventKind::FileCompleted));
//! assert!(records[0].assurance.is_signed());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod admin;
mod answer;
mod connections;
mod contradictions;
mod delivery_log;
mod explain;
#[cfg(feature = "forward")]
mod forward;
#[cfg(any(feature = "forward", feature = "redis"))]
mod gate;
mod jsonl;
mod limits;
mod memory;
mod metrics;
mod peer;
mod receiver;
#[cfg(feature = "redis")]
mod redis;
mod refusals;
mod refused_delivery;
mod refused_log;
mod room;
#[cfg(test)]
mod send;
mod serve;
mod silence;
mod sink;
mod source;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "tls")]
mod tls;
mod used_signatures;

#[cfg(feature = "redis")]
pub use self::redis::{RedisOptions, RedisSink};
pub use delivery_log::{AnsweredDelivery, DeliveryLog, DeliveryOutcome};
pub use explain::explain;
#[cfg(feature = "forward")]
pub use forward::{ForwardSink, ForwardSinkBuilder};
pub use jsonl::JsonlSink;
pub use limits::Limits;
pub use memory::MemorySink;
pub use peer::{ForwardedHeader, Proxies};
pub use receiver::{Receiver, ReceiverBuilder};
pub use refused_delivery::RefusedDelivery;
pub use refused_log::RefusedLog;
pub use sink::{EventRecord, EventSink, Kept, MAX_CONFLICTS, Received, SinkError, SinkErrorKind};
pub use source::{NotUnderstood, Source};
#[cfg(feature = "sqlite")]
pub use sqlite::{Consumer, EventFilter, InboxError, InboxEvent, InboxOptions, InboxReader, SqliteInbox};
#[cfg(feature = "tls")]
pub use tls::Tls;
