//! Providers are called from tasks that any thread runs: every public future is `Send`.

use std::path::PathBuf;
use std::sync::Arc;

use record_callback_core::{Applied, Fidelity, Result, StoredCallback};
use record_callback_http::{
    AccessKey, Call, CredentialFile, CredentialProvider, CredentialSource, Endpoint, Lease, Pipeline, Quotas,
    Renewed, RetryPolicy, Seen, Signed, Used, confirm_dropped, create_settled, read_settled, replaces,
};

use crate::vendor::classify;

fn is_send(_: impl Send) {}

/// The future that a vendor's call is made of.
async fn done<T: Send>(result: Option<Result<T>>) -> Result<T> {
    tokio::task::yield_now().await;
    result.unwrap()
}

/// Checked by the compiler.
fn calls(
    (pipeline, endpoint, quotas): (&Pipeline, &Endpoint, &Quotas),
    (policy, call, applied): (&RetryPolicy, Call<'static>, Applied),
) {
    is_send(pipeline.reach(endpoint));
    is_send(pipeline.send(call, || done::<Signed>(None), classify));
    is_send(quotas.turn("write"));
    is_send(create_settled(policy, || done::<u8>(None), || done::<Seen<u8>>(None)));
    is_send(read_settled(policy, || done::<u8>(None), |_| true));
    is_send(confirm_dropped(policy, || done::<Option<StoredCallback>>(None), applied, Fidelity::Exact));
}

/// Checked by the compiler.
fn credentials(
    (provider, source, key): (&dyn CredentialProvider, &dyn CredentialSource, Arc<AccessKey>),
    (renewed, used): (&Renewed<AccessKey>, &Used<u8>),
) {
    is_send(provider.access_key());
    is_send(provider.examine());
    is_send(source.find());
    is_send(replaces(provider, &key));
    is_send(CredentialFile::read(PathBuf::new()));
    is_send(renewed.get(|| done::<Lease<AccessKey>>(None)));
    is_send(used.send(|| done::<u8>(None), |_| std::future::ready(false)));
}

#[test]
fn every_future_can_be_sent_to_another_thread() {
    let _ = (calls, credentials);
}
