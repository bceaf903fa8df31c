//! The vendor-neutral heart of record-callback: what a recording callback is,
//! what a provider must do with it, and what can go wrong.
//!
//! Nothing in this crate does I/O. Vendor crates implement
//! [`RecordCallbackProvider`]; platforms call it through
//! [`RecordCallbackProviderExt`] and never meet a vendor's words.
//!
//! ```
//! use record_callback_core::{EventKind, RecordCallbackConfig};
//!
//! let config = RecordCallbackConfig::builder("Live.Example.com.", "https://cb.example.com/recorded")
//!     .events([EventKind::FileCompleted, EventKind::RecordingFailed])
//!     .build()?;
//! assert_eq!(config.domain().as_str(), "live.example.com");
//!
//! let refused = RecordCallbackConfig::builder("live.example.com", "ftp://cb.example.com").build();
//! assert_eq!(
//!     refused.unwrap_err().to_string(),
//!     "notify_url: the scheme is `ftp` (rule: an absolute http or https URL with a host, no user info, no whitespace)",
//! );
//! # Ok::<(), record_callback_core::InvalidConfig>(())
//! ```

mod account;
mod app;
mod assurance;
mod callback_url;
mod capability;
mod config;
mod dedupe;
mod domain;
mod error;
mod event;
mod explanation;
mod ext;
mod fidelity;
mod on_demand;
mod provider;
mod record_event;
#[cfg(test)]
mod send;
mod signing;
mod stored;
pub mod text;
mod verification;

pub use account::AccountId;
pub use app::{AppName, AppSelector};
pub use assurance::{Assurance, EventField, EventFields};
pub use callback_url::CallbackUrl;
pub use capability::{Capabilities, DomainRole, EventSupport, OnDemandSupport, SigningSupport};
pub use config::{CallbackKey, ConfigId, ExposedConfig, RecordCallbackConfig, RecordCallbackConfigBuilder};
pub use dedupe::{ContentDigest, DedupeKey};
pub use domain::DomainName;
pub use error::{Error, ErrorKind, Field, InvalidConfig, Result};
pub use event::{EventKind, EventSet, EventSetIter};
pub use explanation::{Change, Explanation, Hints, Outcome, SignedPart, Standing, Step, Trial};
pub use ext::{Ensured, PutAction, PutReport, ReadBack, RecordCallbackProviderExt, Rounds, Timer};
pub use fidelity::{Deviation, DeviationKind, Fidelity, Fitted};
pub use on_demand::{OnDemandDecider, OnDemandDecision, OnDemandProtocol, OnDemandRequest, RecordFormat};
pub use provider::{Applied, RecordCallbackProvider, Vendor};
pub use record_event::{RawBody, RecordEvent, RecordedFile, RecordingError, Storage};
pub use signing::{CallbackSigning, SigningKey, SigningScheme};
pub use stored::{Difference, DifferenceKind, StoredCallback, StoredKey, StoredSigning};
pub use verification::{
    CallbackVerifier, Delivery, Proof, Refusal, SignatureClaim, SignaturePolicy, Tolerance, VerifiedEvent,
};

/// The time type of [`StoredCallback`], re-exported so that callers need no version of their own.
pub use jiff::{SignedDuration, Timestamp};
