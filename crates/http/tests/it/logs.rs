//! What a subscriber gets to see.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Once;

use record_callback_http::Safety;
use tracing_subscriber::filter::LevelFilter;

use crate::server::{Server, Step};
use crate::vendor::{Caller, PATH, SECRET, quick};

thread_local! {
    /// What was logged on this thread. A test has a thread of its own, and all its tasks run there.
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Has everything logged from now on, by whatever crate and test.
///
/// One subscriber for the process, set before the first call: `tracing` remembers of each place that
/// logs whether anyone listens, and gets that wrong when subscribers of single threads come and go.
pub(crate) fn capture() {
    static CAPTURE: Once = Once::new();
    CAPTURE.call_once(|| {
        tracing_subscriber::fmt()
            .with_max_level(LevelFilter::TRACE)
            .with_ansi(false)
            .with_writer(|| Log)
            .init();
    });
}

/// All lines logged while a call is answered by `script`.
pub(crate) async fn lines(script: impl IntoIterator<Item = Step>) -> Vec<String> {
    let server = Server::start(script).await;
    let _ = Caller::to(&server, quick().attempts(3)).call(Safety::Repeatable).await;
    taken().lines().map(str::to_owned).collect()
}

/// What was logged on this thread and not taken before.
pub(crate) fn taken() -> String {
    String::from_utf8(LOG.take()).unwrap()
}

fn ours(lines: &[String]) -> Vec<&String> {
    lines.iter().filter(|line| line.contains("record_callback_http")).collect()
}

#[tokio::test]
async fn every_attempt_is_logged_with_what_it_was_for_and_how_it_ended() {
    let said = [("x-code", "Thing.Busy"), ("x-request-id", "R-1")];
    let lines = lines([Step::answer(503, &said, ""), Step::CloseAfterReading, Step::ok("done")]).await;
    let ours = ours(&lines);
    let one = |attempt: u32, says: &str| {
        let this = format!("attempt{{attempt={attempt}");
        let found: Vec<_> = ours.iter().filter(|line| line.contains(&this) && line.contains(says)).collect();
        assert_eq!(found.len(), 1, "{ours:#?}");
        found[0].as_str()
    };
    let first = one(1, "attempt failed");
    for field in [
        r#"call{vendor=acme operation="DoThing" domain="live.example.com"}"#,
        "status=503",
        r#"code="Thing.Busy""#,
        r#"request_id="R-1""#,
        "elapsed_ms=",
        "kind=unavailable",
        "maybe_applied=true",
    ] {
        assert!(first.contains(field), "no {field}: {first}");
    }
    let second = one(2, "attempt failed");
    assert!(second.contains("elapsed_ms=") && !second.contains("status="), "{second}");
    let third = one(3, "attempt succeeded");
    assert!(third.contains("status=200") && third.contains("elapsed_ms="), "{third}");
    let again = ours.iter().filter(|line| line.contains("trying again")).count();
    assert_eq!(again, 2, "{ours:#?}");
}

#[tokio::test]
async fn nothing_logged_shows_the_request() {
    for script in [
        vec![Step::ok("done")],
        vec![Step::status(400)],
        vec![Step::status(503), Step::Truncate, Step::CloseAfterReading],
        vec![Step::CloseBeforeReading, Step::Respond(b"220 this is not HTTP\r\n\r\n".into())],
    ] {
        let lines = lines(script).await;
        assert!(!ours(&lines).is_empty());
        for line in lines {
            assert!(!line.contains(SECRET) && !line.contains(PATH), "{line}");
        }
    }
}
