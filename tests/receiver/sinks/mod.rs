//! Every sink passes the same suite.

#[macro_use]
pub(crate) mod suite;

mod forward;
mod jsonl;
mod memory;
mod redis;
mod sqlite;
