//! The reader of stdout.

use std::io;

/// Fails with a broken pipe once nobody reads stdout any more, which writing alone would only find out with the next line.
#[cfg(unix)]
pub(crate) async fn gone() -> io::Error {
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    /// Between two looks.
    const PAUSE: Duration = Duration::from_millis(200);

    loop {
        let stdout = io::stdout();
        // Errors and hang-ups are reported without being asked for.
        let mut watched = [PollFd::new(&stdout, PollFlags::empty())];
        if poll(&mut watched, Some(&Timespec::default())).is_ok_and(|changed| changed > 0) {
            return io::ErrorKind::BrokenPipe.into();
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(not(unix))]
pub(crate) async fn gone() -> io::Error {
    std::future::pending().await
}
