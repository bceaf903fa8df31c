use record_callback_core::{Applied, Deviation, Error, ErrorKind, Fidelity, Field, Result, StoredCallback};
use tokio::time::{Instant, timeout_at};

use crate::retry::{RetryPolicy, after, is_transient};

/// What reading back after a create shows.
#[derive(Debug)]
pub enum Seen<T> {
    /// The config that was to be created.
    Wanted(T),
    /// Another config in its place.
    Other,
    /// No config.
    Nothing,
}

/// Creates something once, whatever answers are lost on the way.
///
/// When a create may have been carried out, `read` decides: what is there counts as created, and only when nothing
/// shows after the policy's delays is `create` called again, as often as the policy has attempts, not before the cloud
/// allows it and not after the deadline. What comes of a further create is settled by `read` too; when it was refused
/// because something exists, reads go on longer, for those lag. Nothing begins after the deadline but one read of what
/// used it up, and all ends one attempt after it.
pub async fn create_settled<T, C, R>(
    policy: &RetryPolicy,
    create: impl Fn() -> C,
    read: impl Fn() -> R,
) -> Result<T>
where
    C: Future<Output = Result<T>>,
    R: Future<Output = Result<Seen<T>>>,
{
    let (until, end) = (policy.until(), policy.end());
    let mut unsettled: Option<Error> = None;
    let mut tries = 0;
    loop {
        tries += 1;
        let error = match timeout_at(end, create()).await {
            Ok(Ok(created)) => return Ok(created),
            Ok(Err(error)) => error.with_maybe_applied_if(unsettled.is_some()),
            Err(_) => return Err(unsettled.unwrap_or_else(late)),
        };
        if !error.maybe_applied() {
            return Err(error);
        }
        let exists = error.kind() == ErrorKind::AlreadyExists;
        let not_before = after(error.retry_after().unwrap_or_default());
        // Reads may lag behind writes: look more than once before calling it lost, or another's.
        let mut delays = if exists { policy.looks() } else { policy.backoff() };
        loop {
            let seen = match timeout_at(end, read()).await {
                Ok(Ok(Seen::Wanted(found))) => return Ok(found),
                Ok(Err(failed)) if !is_transient(&failed) => return Err(error),
                Ok(seen) => seen,
                Err(_) => return Err(error),
            };
            match (delays.next(), seen) {
                (Some(delay), _) if after(delay) < until => tokio::time::sleep(delay).await,
                (_, Ok(Seen::Other)) => return Err(taken(error)),
                (None, Ok(_)) if !exists => break,
                _ => return Err(error),
            }
        }
        let next = not_before.max(Instant::now());
        if !is_transient(&error) || tries >= policy.in_all() || next >= until {
            return Err(error);
        }
        tokio::time::sleep_until(next).await;
        unsettled = Some(error);
    }
}

/// Reads until `settled` holds for what is there, again after each of the policy's delays, for reads may lag behind
/// writes. What the last read found if it never holds; no read begins after the policy's deadline.
pub async fn read_settled<T, R>(
    policy: &RetryPolicy,
    read: impl Fn() -> R,
    settled: impl Fn(&T) -> bool,
) -> Result<T>
where
    R: Future<Output = Result<T>>,
{
    let until = policy.until();
    let mut delays = policy.backoff();
    loop {
        let found = read().await?;
        match delays.next() {
            Some(delay) if !settled(&found) && after(delay) < until => tokio::time::sleep(delay).await,
            _ => return Ok(found),
        }
    }
}

/// Reads back whether an update dropped the on-demand URL its config does not have, where it could not be cleared with an
/// empty text, and adds what that shows to what was `applied`. The URL is unconfirmed where nobody can tell: the update
/// itself was accepted, whatever becomes of the reads.
///
/// When the earlier URL still shows after the policy's delays, that is a deviation if `fidelity` accepts one, else
/// `NotApplied`.
pub async fn confirm_dropped<R>(
    policy: &RetryPolicy,
    read: impl Fn() -> R,
    mut applied: Applied,
    fidelity: Fidelity,
) -> Result<Applied>
where
    R: Future<Output = Result<Option<StoredCallback>>>,
{
    let field = Field::OnDemandUrl;
    let dropped =
        |found: &Option<StoredCallback>| found.as_ref().is_some_and(|found| found.on_demand_url.is_none());
    let Ok(Some(found)) = read_settled(policy, read, dropped).await else {
        applied.unconfirmed.push(field);
        return Ok(applied);
    };
    let mut differences = found.changes(&applied.effective);
    differences.retain(|difference| difference.field == field);
    let deviations: Vec<_> = differences.iter().cloned().map(Deviation::ignored).collect();
    if deviations.iter().all(|deviation| fidelity.accepts(deviation.kind)) {
        applied.deviations.extend(deviations);
        return Ok(applied);
    }
    let message = format!(
        "the cloud refuses an empty `{field}` and keeps the earlier one when none is given; to drop it, delete the config and create it anew"
    );
    Err(Error::new(ErrorKind::NotApplied, message)
        .with_domain(applied.effective.domain().as_str())
        .with_differences(differences)
        .with_maybe_applied())
}

/// What became of a delete: done, too, when an earlier attempt, whose answer was lost, is why there is nothing.
pub fn delete_settled<T>(result: Result<T>) -> Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound && error.maybe_applied() => Ok(()),
        result => result.map(drop),
    }
}

fn late() -> Error {
    Error::new(ErrorKind::Timeout, "the deadline was over before the create ended").with_maybe_applied()
}

fn taken(cause: Error) -> Error {
    // Perhaps it is ours, and the cloud stores it differently.
    let message = "the answer was lost, and a config that differs from the wanted one is there now";
    Error::new(ErrorKind::AlreadyExists, message).with_source(cause).with_maybe_applied()
}
