//! Shared by the tests of this package: every provider on its mock, and a wire that loses answers.

mod lossy_wire;
mod providers;

pub use lossy_wire::LossyWire;
pub use providers::{Cloud, Mock, MockCloud};
