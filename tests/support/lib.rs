//! Shared by the tests of this package: every provider on its mock, a wire that loses answers, and processes: the
//! program, and a Redis.

mod lossy_wire;
#[cfg(unix)]
mod process;
mod providers;
#[cfg(unix)]
mod redis_server;

pub use lossy_wire::LossyWire;
#[cfg(unix)]
pub use process::{Ended, PATIENCE, Process, ROOT, ReceiverProcess, command, wait};
pub use providers::{Cloud, Mock, MockCloud};
#[cfg(unix)]
pub use redis_server::RedisServer;
