//! Whoever reads stdout.

use std::io;

/// Fails with a broken pipe once nobody reads stdout any more, which writing alone would only find out with the next line.
/// Waits forever where that cannot be told, as with files.
#[cfg(unix)]
pub(crate) async fn gone() -> io::Error {
    use std::future::pending;
    use std::os::fd::AsFd;

    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    let watched = io::stdout()
        .as_fd()
        .try_clone_to_owned()
        .and_then(|stdout| AsyncFd::with_interest(stdout, Interest::ERROR));
    let Ok(watched) = watched else { return pending().await };
    match watched.ready(Interest::ERROR).await {
        Ok(_) => io::ErrorKind::BrokenPipe.into(),
        Err(_) => pending().await,
    }
}

#[cfg(not(unix))]
pub(crate) async fn gone() -> io::Error {
    std::future::pending().await
}
