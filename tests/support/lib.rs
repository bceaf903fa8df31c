//! Shared by the tests of this package: every provider on its mock, a wire that loses answers, every fault in every
//! operation, the search for secrets, both clouds of a fleet, a proxy and TLS before a mock, and
//! processes: the program, and a Redis.

pub mod fault_matrix;
#[cfg(unix)]
mod fleet_clouds;
mod lossy_wire;
#[cfg(target_os = "linux")]
mod power;
#[cfg(unix)]
mod process;
mod providers;
mod proxy;
mod random;
#[cfg(unix)]
mod redis_server;
pub mod secrets;
mod tls_front;

#[cfg(unix)]
pub use fleet_clouds::{CALLBACK_KEY, FleetClouds, PlacedConfig, shown};
pub use lossy_wire::LossyWire;
#[cfg(target_os = "linux")]
pub use power::{Loss, PowerDisk, Unsynced, compile_preloaded};
#[cfg(unix)]
pub use process::{Ended, NOBODY, PATIENCE, Process, ROOT, ReceiverProcess, command, wait};
pub use providers::{Cloud, Dialects, Mock, MockCloud};
pub use proxy::{Asked, TunnelProxy};
pub use random::Random;
#[cfg(unix)]
pub use redis_server::RedisServer;
pub use tls_front::{Authority, TlsFront};
