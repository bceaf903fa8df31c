//! A line for each delivery, for somebody who watches.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use record_callback::receiver::{AnsweredDelivery, DeliveryLog};
use record_callback::text::one_line;

/// The most lines that wait for the terminal; more are left out.
const QUEUE: usize = 256;
/// Names are strangers' text.
const MAX_NAME: usize = 40;

/// Writes a line for each delivery to stderr.
pub(crate) struct TerminalLines(SyncSender<String>);

impl TerminalLines {
    /// Begins, if stderr is a terminal.
    pub(crate) fn start() -> io::Result<Vec<Arc<dyn DeliveryLog>>> {
        if !io::stderr().is_terminal() {
            return Ok(Vec::new());
        }
        let (lines, written) = sync_channel::<String>(QUEUE);
        thread::Builder::new().name("terminal lines".to_owned()).spawn(move || {
            for line in written {
                // Nobody may be there to read it.
                let _ = writeln!(io::stderr(), "{line}");
            }
        })?;
        Ok(vec![Arc::new(Self(lines))])
    }
}

impl DeliveryLog for TerminalLines {
    fn answered(&self, delivery: &AnsweredDelivery<'_>) {
        // A terminal that is too slow misses some.
        let _ = self.0.try_send(line(delivery));
    }
}

/// `03:04:05 200 live file_completed live.example.com/app/stream app/stream.m3u8`
fn line(delivery: &AnsweredDelivery<'_>) -> String {
    let time = delivery.received_at.strftime("%H:%M:%S").to_string();
    let mut words = vec![time, delivery.status.to_string(), shown(delivery.source.unwrap_or(delivery.path))];
    if let Some(event) = delivery.event {
        words.push(event.kind.as_ref().map_or("not_understood".to_owned(), |kind| shown(&kind.to_string())));
        let place = [&event.domain, &event.app, &event.stream];
        let place: Vec<_> = place.into_iter().flatten().map(|name| shown(name)).collect();
        words.push(place.join("/"));
        let file = event.file.as_ref();
        let object = file.and_then(|file| file.storage.as_ref()?.object.as_deref());
        words.extend(object.or(file.and_then(|file| file.url.as_deref())).map(shown));
    }
    words.extend(delivery.reason.map(str::to_owned));
    if !delivery.problem.is_empty() {
        words.push(one_line(delivery.problem).into_owned());
    }
    words.retain(|word| !word.is_empty());
    words.join(" ")
}

/// The beginning of a name, on one line.
fn shown(name: &str) -> String {
    let beginning: String = name.chars().take(MAX_NAME).collect();
    let more = if beginning.len() < name.len() { "…" } else { "" };
    format!("{}{more}", one_line(&beginning))
}
