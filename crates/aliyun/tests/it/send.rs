//! Daemons call the cloud from tasks that any thread runs: every public future is `Send`.

use record_callback_aliyun::{
    AliyunClient, AliyunProvider, CliProfileCredentials, NotifyRecordsQuery, RecordNotifyConfig,
    UserDomainsQuery,
};
use record_callback_core::{CallbackKey, DomainName, Fidelity, RecordCallbackConfig, RecordCallbackProvider};
use record_callback_http::CredentialProvider;

fn is_send(_: impl Send) {}

/// Checked by the compiler.
fn client(
    (client, config): (&AliyunClient, &RecordNotifyConfig),
    (domains, records): (&UserDomainsQuery, &NotifyRecordsQuery),
    (domain, profile): (&DomainName, &CliProfileCredentials),
) {
    is_send(client.add_live_record_notify_config(config));
    is_send(client.update_live_record_notify_config(config));
    is_send(client.describe_live_record_notify_config(domain.as_str()));
    is_send(client.delete_live_record_notify_config(domain.as_str()));
    is_send(client.describe_live_user_domains(domains));
    is_send(client.describe_live_record_notify_records(records));
    is_send(client.examine(Some(domain)));
    is_send(profile.access_key());
}

/// Checked by the compiler.
fn provider(provider: &AliyunProvider, config: &RecordCallbackConfig, key: &CallbackKey) {
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
