//! Daemons call the cloud from tasks that any thread runs: every public future is `Send`.

use record_callback_core::{CallbackKey, DomainName, Fidelity, RecordCallbackConfig, RecordCallbackProvider};
use record_callback_huaweicloud::{
    HuaweicloudClient, HuaweicloudProvider, ListQuery, RecordCallbackConfigRequest,
};

fn is_send(_: impl Send) {}

/// Checked by the compiler.
fn client(
    client: &HuaweicloudClient,
    config: &RecordCallbackConfigRequest,
    query: &ListQuery,
    domain: &DomainName,
) {
    is_send(client.create_record_callback_config(config));
    is_send(client.list_record_callback_configs(query));
    is_send(client.show_record_callback_config("id"));
    is_send(client.update_record_callback_config("id", config));
    is_send(client.delete_record_callback_config("id"));
    is_send(client.examine(Some(domain)));
}

/// Checked by the compiler.
fn provider(provider: &HuaweicloudProvider, config: &RecordCallbackConfig, key: &CallbackKey) {
    is_send(provider.get(key));
    is_send(provider.list(None));
    is_send(provider.create(config, Fidelity::Exact));
    is_send(provider.update(config, Fidelity::Exact));
    is_send(provider.delete(key));
}

#[test]
fn every_future_can_be_sent_to_another_thread() {
    let _ = (client, provider);
}
