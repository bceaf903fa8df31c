//! Consoles and daemons examine clouds in tasks that any thread runs: every public future is `Send`.

use crate::http::FixedEnv;
use crate::{DomainName, ProviderConfig};

fn is_send(_: impl Send) {}

/// Checked by the compiler.
fn examining(config: &ProviderConfig, domain: &DomainName) {
    is_send(config.examine(Some(domain)));
    is_send(config.examine_in(FixedEnv::default(), Some(domain)));
}

#[test]
fn every_future_can_be_sent_to_another_thread() {
    let _ = examining;
}
