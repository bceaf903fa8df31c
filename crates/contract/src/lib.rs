//! The behaviour suite any [`RecordCallbackProvider`] must pass, and
//! [`MemoryProvider`], the in-memory provider that shows what passing looks like.
//!
//! Each [`Behaviour`] is one sentence of the trait's documentation, turned into a
//! test. A provider that passes them all may be used wherever the built-in ones are.
//!
//! # Testing a provider
//!
//! Tell the suite where to get a provider, two domains to work on, and how to wait:
//!
//! ```
//! use std::sync::Arc;
//!
//! use async_trait::async_trait;
//! use record_callback_contract::{Harness, MemoryProvider, NoWait, run};
//! use record_callback_core::{DomainName, RecordCallbackProvider, Timer};
//!
//! struct Mine;
//!
//! #[async_trait]
//! impl Harness for Mine {
//!     async fn provider(&self) -> Arc<dyn RecordCallbackProvider> {
//!         Arc::new(MemoryProvider::full()) // your provider here
//!     }
//!     fn domains(&self) -> [DomainName; 2] {
//!         ["one.example.com", "two.example.com"].map(DomainName::reported)
//!     }
//!     fn timer(&self) -> Arc<dyn Timer> {
//!         Arc::new(NoWait) // a timer that really waits, for a cloud
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let report = run(&Mine).await;
//! println!("{report}");
//! report.assert_passed();
//! # }
//! ```
//!
//! To see each behaviour as a test of its own, register [`behaviours()`] with a test
//! runner and call [`Behaviour::run`].
//!
//! # What is tested
//!
//! The suite asks for nothing a provider's [`Capabilities`] do not offer. Where an
//! ability is missing, another behaviour applies instead and tests that it is refused
//! correctly; what did not apply is in the [`Report`], with the reason. One thing is
//! beyond it: which events only the vendor knows, where
//! [`EventSupport::vendor_named`](record_callback_core::EventSupport::vendor_named) is set.
//!
//! A behaviour starts on two domains without configs, and refuses to run on others:
//! it may be pointed at a real account without endangering what is configured there.
//! Afterwards it deletes what it created, also when it failed or the provider panicked,
//! though not when its future is dropped.
//!
//! [`Capabilities`]: record_callback_core::Capabilities
//! [`RecordCallbackProvider`]: record_callback_core::RecordCallbackProvider

mod behaviour;
mod behaviours;
mod bench;
mod failure;
mod harness;
mod memory;
mod need;
mod report;
mod wishes;

pub use behaviour::{Behaviour, behaviours, run};
pub use failure::Failure;
pub use harness::{Faults, Harness, NoWait};
pub use memory::MemoryProvider;
pub use report::{Outcome, Report, Verdict};
