//! Fleets on mock and simulated clouds: what calls they take, and what the program leaves when it dies.

mod calls;
mod crash;
mod places;
#[cfg(target_os = "linux")]
mod power;
mod quota;
mod siblings;
mod simulated;
mod support;
