//! The command line, run as its users run it: another process, real sockets, nothing of our own environment.
//!
//! One file a concern. `program` builds and runs it, `clouds` gives it something to talk to.

// Signals, and the shell of the README.
#![cfg(unix)]

mod authorising;
mod clouds;
mod credentials_docs;
mod demo;
mod doctor;
mod domains;
mod edits;
mod escaping;
mod events;
mod failures;
mod fidelity;
mod fleet;
mod help;
mod markdown;
mod mock;
mod mock_docs;
mod program;
mod readme;
mod receive;
mod receiver_docs;
mod refusals;
mod reload;
mod round_trip;
mod sources;
mod streams;
mod terminal;
mod trigger;
mod usage;
mod variable;
