//! Logs on stderr.

use std::io::{self, Write};

use record_callback::text::one_line;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

/// Logs of this project only: what HTTP libraries trace may hold signed URLs.
pub(crate) fn to_stderr(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let ours = Targets::new().with_target("record_callback", level);
    let layer =
        tracing_subscriber::fmt::layer().with_ansi(false).with_writer(|| OneLineEach).with_filter(ours);
    tracing_subscriber::registry().with(layer).init();
}

/// Takes an event a write, as they are formatted, and keeps each to a line of its own: what is logged of senders, clouds
/// and files begins no other, and does nothing to a terminal.
struct OneLineEach;

impl Write for OneLineEach {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = one_line(text.strip_suffix('\n').unwrap_or(&text)).into_owned();
        io::stderr().lock().write_all((line + "\n").as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
