//! Fleets of recording callbacks: declared in a manifest, planned, applied within quota, moved between clouds without a
//! moment in which a callback has no config.

mod apply;
mod drift;
mod import;
mod manifest;
mod name;
mod observe;
mod plan;
mod slot;
mod state;
mod switch;

pub use apply::*;
pub use drift::{Drift, DriftKind, DriftedField, drift};
pub use import::{Import, ImportRequest, Skipped, import};
pub use manifest::*;
pub use name::Name;
pub use observe::{Clouds, Observed, Sight};
pub use plan::*;
pub use slot::Slot;
pub use state::*;
pub use switch::{CapabilitiesOf, PreparedSwitch, Staying, SwitchRefusal, SwitchRequest};
