//! The receiver over HTTP: what clouds send and are answered, however badly the connection behaves.

mod support;

mod answers;
mod dialects;
mod end_to_end;
mod events;
mod limits;
mod metrics;
mod on_demand;
mod own_verifier;
mod properties;
mod reload;
mod retries;
mod shutdown;
mod slow;
mod tls;
