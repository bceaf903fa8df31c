use record_callback_core::{Error, ErrorKind, Result};
use tokio::time::Instant;

use crate::retry::{RetryPolicy, after};

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
/// When a create may have been carried out, `read` decides: what is there counts as created, and
/// only when nothing shows after the policy's delays is `create` called again, as often as the policy has
/// attempts and not after its deadline. Each call and each read has the policy's deadline of its own. A create that is
/// then refused because something exists is settled by `read` too.
pub async fn create_settled<T, C, R>(
    policy: &RetryPolicy,
    create: impl Fn() -> C,
    read: impl Fn() -> R,
) -> Result<T>
where
    C: Future<Output = Result<T>>,
    R: Future<Output = Result<Seen<T>>>,
{
    let until = policy.until();
    let mut maybe_created = false;
    let mut tries = 0;
    loop {
        tries += 1;
        let error = match create().await {
            Ok(created) => return Ok(created),
            Err(error) => error,
        };
        let exists = error.kind() == ErrorKind::AlreadyExists;
        let unsettled = error.maybe_applied() || (exists && maybe_created);
        let error = if maybe_created { error.with_maybe_applied() } else { error };
        if !unsettled {
            return Err(error);
        }
        maybe_created = true;
        // Reads may lag behind writes: look more than once before calling it lost.
        let mut delays = policy.backoff();
        loop {
            match read().await {
                Ok(Seen::Wanted(found)) => return Ok(found),
                Ok(Seen::Other) => return Err(taken(error)),
                Ok(Seen::Nothing) => {}
                Err(_) => return Err(error),
            }
            match delays.next() {
                Some(delay) if after(delay) < until => tokio::time::sleep(delay).await,
                Some(_) => return Err(error),
                None if exists => return Err(error),
                None => break,
            }
        }
        let worth_another = matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout);
        if !worth_another || tries >= policy.in_all() || Instant::now() >= until {
            return Err(error);
        }
    }
}

fn taken(cause: Error) -> Error {
    Error::new(ErrorKind::AlreadyExists, "the answer was lost, and another config is there now")
        .with_source(cause)
}
