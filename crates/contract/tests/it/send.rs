//! Any runtime may run the suite: its futures are `Send`.

use record_callback_contract::{Behaviour, Harness, run};

fn is_send(_: impl Send) {}

/// Checked by the compiler.
fn futures(harness: &dyn Harness, behaviour: &Behaviour) {
    is_send(run(harness));
    is_send(behaviour.run(harness));
}

#[test]
fn every_future_can_be_sent_to_another_thread() {
    let _ = futures;
}
