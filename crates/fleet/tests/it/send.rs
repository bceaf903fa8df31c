//! A daemon holds what the engine does in tasks that any thread runs: every public future is `Send`.

use record_callback_fleet::{
    ApplyOptions, Clouds, ImportRequest, Journal, Keys, Ledger, Manifest, Observed, Plan, Record, Slot,
    State, StateFile, Stop, apply, import,
};

fn is_send(_: impl Send) {}

/// Checked by the compiler.
fn futures(
    (clouds, ledger, file): (&Clouds, &Ledger<'_>, &StateFile),
    (manifest, keys, state): (&Manifest, &Keys, &State),
    (plan, options, stop): (Plan, &ApplyOptions, &Stop),
    (slots, record, request): (Vec<Slot>, Record, &ImportRequest),
) {
    is_send(clouds.observe(slots));
    is_send(async {
        clouds.confirm_missing(&mut Observed::default(), state.slots()).await;
    });
    is_send(apply(plan, clouds, ledger, options, &()));
    is_send(import(manifest, keys, state, clouds, request));
    is_send(file.append(&record));
    is_send(ledger.note(record));
    is_send(stop.wait());
}

#[test]
fn every_future_can_be_sent_to_another_thread() {
    let _ = futures;
}
