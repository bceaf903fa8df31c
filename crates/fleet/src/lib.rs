//! Fleets of recording callbacks: declared in a manifest, planned, applied within quota, moved between clouds without a
//! moment in which a callback has no config.
//!
//! [`plan`](fn@plan) is a pure function of what is declared ([`Manifest`]), what the clouds show ([`Observed`]) and what is ours
//! ([`State`]). [`apply`](fn@apply) carries a plan out on any
//! [`RecordCallbackProvider`](record_callback_core::RecordCallbackProvider) and notes each step in a [`Journal`] first, such
//! as that of a [`StateFile`]: whatever dies when, planning and applying again goes on from there. Only what the state says
//! is ours is ever changed, and only what is still as it was written, or has the id it had, is deleted. A callback that moves has its new config, read back, before the old one goes.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::sync::Arc;
//!
//! use record_callback_contract::{MemoryProvider, NoWait};
//! use record_callback_core::{ReadBack, RecordCallbackProvider};
//! use record_callback_fleet::{
//!     ApplyOptions, Clouds, Keys, Ledger, ManifestFile, ManifestFormat, Name, PlanInput, StateFile, Targets, apply, plan,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("state.json");
//! let text = r#"
//!     [providers.cloud]
//!     vendor = "memory"
//!
//!     [[callbacks]]
//!     name = "match"
//!     provider = "cloud"
//!     domain = "live.example.com"
//!     notify_url = "https://cb.example.com/recorded"
//! "#;
//! let file = ManifestFile::<BTreeMap<String, String>>::parse(text, ManifestFormat::Toml)?;
//! let (manifest, keys, targets) = (&file.manifest, &Keys::default(), &Targets::All);
//!
//! let provider: Arc<dyn RecordCallbackProvider> = Arc::new(MemoryProvider::full());
//! let clouds = Clouds::new(BTreeMap::from([(Name::new("cloud")?, provider)]));
//! let (journal, state) = StateFile::open(path)?;
//! let mut observed = clouds.observe(PlanInput::slots(manifest, &state, targets)).await;
//! clouds.confirm_missing(&mut observed, state.slots()).await;
//! let observed = &observed;
//! let plan = plan(&PlanInput { manifest, keys, observed, state: &state, targets, drop_kept: false });
//! assert_eq!(plan.counts().create, 1);
//!
//! let ledger = Ledger::new(state, &journal);
//! let report = apply(plan, &clouds, &ledger, &ApplyOptions::new(ReadBack::new(NoWait)), &()).await;
//! assert!(report.is_done());
//! journal.checkpoint(&ledger.into_state())?;
//! # Ok(())
//! # }
//! ```

mod accounts;
mod apply;
mod drift;
mod hint;
mod import;
mod manifest;
mod name;
mod observe;
mod plan;
mod shown;
mod slot;
mod state;
mod switch;

pub use accounts::{Accounts, OtherAccount};
pub use apply::*;
pub use drift::{Drift, DriftKind, drift, drift_slots};
pub use import::{Import, ImportRequest, Skipped, import};
pub use manifest::*;
pub use name::Name;
pub use observe::{Clouds, Observed, Sight};
pub use plan::*;
pub use shown::ShownField;
pub use slot::Slot;
pub use state::*;
pub use switch::{CapabilitiesOf, PreparedSwitch, Staying, SwitchRefusal, SwitchRequest};
