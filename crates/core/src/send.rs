//! Daemons call clouds from tasks that any thread runs: every public future is `Send`.

use crate::{
    AppName, CallbackKey, DomainName, Fidelity, OnDemandDecider, OnDemandRequest, ReadBack,
    RecordCallbackConfig, RecordCallbackProvider, RecordCallbackProviderExt, Rounds,
};

fn is_send(_: impl Send) {}

/// Checked by the compiler.
fn providers(
    (provider, config, key): (&dyn RecordCallbackProvider, &RecordCallbackConfig, &CallbackKey),
    (domain, app, read_back): (&DomainName, &AppName, &ReadBack),
) {
    is_send(provider.get(key));
    is_send(provider.list(Some(domain)));
    is_send(provider.create(config, Fidelity::Exact));
    is_send(provider.update(config, Fidelity::Exact));
    is_send(provider.delete(key));
    is_send(provider.put(config, Fidelity::Exact));
    is_send(provider.ensure(config, Fidelity::Exact, read_back));
    is_send(provider.ensure_absent(key, read_back));
    is_send(provider.resolve(domain, app));
}

/// Checked by the compiler.
fn others(rounds: &mut Rounds, decider: &dyn OnDemandDecider, request: &OnDemandRequest) {
    is_send(rounds.another());
    is_send(decider.decide(request));
}

#[test]
fn every_future_can_be_sent_to_another_thread() {
    let _ = (providers, others);
}
