//! The threads that connections are served on.
//!
//! Reading an endless row of `1xx` answers, hyper keeps its thread for seconds at a time. On a thread of the caller's runtime
//! nobody else would look at the clock meanwhile, and no deadline would hold.

use std::sync::OnceLock;

use record_callback_core::Result;
use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};
use tokio::task::JoinSet;

use super::broken_off;

/// One may be kept by a hostile cloud.
const THREADS: usize = 2;

/// Runs `exchange` on threads of its own; dropped with this future.
///
/// A runtime of one thread keeps all on that thread: so its caller chose it, and so the paused clock of a test needs it.
pub(super) async fn apart<T: Send + 'static>(
    exchange: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let flavor = Handle::try_current().map(|runtime| runtime.runtime_flavor());
    let is_shared = !matches!(flavor, Ok(RuntimeFlavor::MultiThread));
    let Some(runtime) = threads().filter(|_| !is_shared) else { return exchange.await };
    let mut task = JoinSet::new();
    task.spawn_on(exchange, runtime.handle());
    match task.join_next().await {
        Some(Ok(result)) => result,
        _ => Err(broken_off()),
    }
}

/// Those of this process; none where it may have no more.
fn threads() -> Option<&'static Runtime> {
    static THREADS_OF_CONNECTIONS: OnceLock<Option<Runtime>> = OnceLock::new();
    let begin = || {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(THREADS).thread_name("record-callback-http").enable_all().build().ok()
    };
    THREADS_OF_CONNECTIONS.get_or_init(begin).as_ref()
}
