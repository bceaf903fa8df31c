//! The receiver over HTTP: what clouds send and are answered, however badly the connection behaves.

mod support;

mod answers;
mod dialects;
mod end_to_end;
mod events;
mod half_open;
mod limits;
mod metrics;
mod on_demand;
mod own_verifier;
mod peers;
mod properties;
mod refusals;
mod reload;
mod retries;
mod shutdown;
mod signatures;
mod slow;
mod tls;
