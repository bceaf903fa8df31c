//! The receiver's sinks: one suite for all of them, and what only one of them does.

mod http;
mod inbox;
#[cfg(unix)]
mod kill;
#[cfg(target_os = "linux")]
mod power;
#[cfg(target_os = "linux")]
mod ready;
mod sinks;
