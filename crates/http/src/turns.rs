//! Calls that wait for their turn in a quota, and can be told not to begin any more.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use record_callback_core::{Error, ErrorKind, Result};
use reqwest::Method;
use tokio::sync::watch;

tokio::task_local! {
    static CALL: Arc<Admission>;
}

/// The operations that wait for their turn in any [quota](crate::Quotas), for whoever shows progress or wants to stop.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use std::sync::Arc;
///
/// use record_callback_http::Turns;
///
/// let turns = Arc::new(Turns::default());
/// turns.close();
/// // Nothing waits for a turn here, so it is carried out.
/// let done = turns.admit(async { Ok("done") }).await;
/// assert_eq!(done.transpose()?, Some("done"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Turns {
    closed: watch::Sender<bool>,
    waiting: AtomicUsize,
}

impl Default for Turns {
    fn default() -> Self {
        Self { closed: watch::Sender::new(false), waiting: AtomicUsize::new(0) }
    }
}

/// One operation that was admitted.
#[derive(Debug)]
struct Admission {
    turns: Arc<Turns>,
    /// True if something was sent that may have changed something.
    committed: AtomicBool,
    refused: AtomicBool,
}

impl Turns {
    /// Carries `operation` out; `None` if it was still to wait for a turn when this was [closed](Self::close), and had
    /// sent nothing that may have changed something.
    pub async fn admit<T>(self: &Arc<Self>, operation: impl Future<Output = Result<T>>) -> Option<Result<T>> {
        let (turns, committed, refused) = (Arc::clone(self), AtomicBool::new(false), AtomicBool::new(false));
        let admission = Arc::new(Admission { turns, committed, refused });
        let result = CALL.scope(Arc::clone(&admission), operation).await;
        (result.is_ok() || !admission.refused.load(Ordering::Relaxed)).then_some(result)
    }

    /// Has operations that have not begun end, and later ones not begin.
    pub fn close(&self) {
        self.closed.send_replace(true);
    }

    /// The number of the operations that wait for a turn.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// Counts a call as waiting until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Admission {
    async fn wait(&self, turn: impl Future<Output = ()>) -> Result<()> {
        let _waiting = Waiting::begin(&self.turns.waiting);
        if self.committed.load(Ordering::Relaxed) {
            turn.await;
            return Ok(());
        }
        let mut closed = self.turns.closed.subscribe();
        let is_open = tokio::select! { biased;
            // The sender is there as long as this is: it never ends otherwise.
            _ = closed.wait_for(|closed| *closed) => false,
            () = turn => true,
        };
        if is_open {
            return Ok(());
        }
        self.refused.store(true, Ordering::Relaxed);
        Err(Error::new(
            ErrorKind::Unavailable,
            "not sent: it was to stop before the call had its turn in the quota",
        ))
    }
}

/// Waits for `turn`, unless the operation that it is of must not begin any more.
pub(crate) async fn wait(turn: impl Future<Output = ()>) -> Result<()> {
    if let Ok(admission) = CALL.try_with(Arc::clone) {
        return admission.wait(turn).await;
    }
    turn.await;
    Ok(())
}

/// Notes that a request goes out, or that what was sent may have been carried out.
pub(crate) fn commit(method: Option<&Method>) {
    let is_read = method.is_some_and(|method| *method == Method::GET);
    if !is_read {
        let _ = CALL.try_with(|admission| admission.committed.store(true, Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn who_waits_is_counted_and_sent_away() {
        let turns = Arc::new(Turns::default());
        let waits = turns.admit(wait(pending()));
        let closes = async {
            while turns.waiting() == 0 {
                tokio::task::yield_now().await;
            }
            turns.close();
        };
        let (waited, ()) = tokio::join!(waits, closes);
        assert!(waited.is_none(), "{waited:?}");
        assert_eq!(turns.waiting(), 0);
    }

    #[tokio::test]
    async fn who_has_written_something_goes_on() {
        let turns = Arc::new(Turns::default());
        turns.close();
        let operation = async {
            commit(Some(&Method::PUT));
            wait(async {}).await
        };
        assert!(matches!(turns.admit(operation).await, Some(Ok(()))));
        let read_only = async {
            commit(Some(&Method::GET));
            wait(async {}).await
        };
        assert!(turns.admit(read_only).await.is_none());
        assert!(wait(async {}).await.is_ok(), "nothing else is held up");
    }
}
