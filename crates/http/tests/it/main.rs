//! The pipeline over real sockets, against a server that answers by a script, and what settles
//! creates whose answer is lost.
//!
//! No test waits: delays are a millisecond, and longer waits run on paused time.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod attempts;
mod bodies;
mod clock;
mod deadlines;
mod failures;
mod logs;
mod network;
mod retry_after;
mod secrets;
mod send;
mod server;
mod settle;
mod spellings;
mod vendor;
