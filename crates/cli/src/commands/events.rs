//! `record-callback events`

use std::future::pending;
use std::io::{self, Write};
use std::time::Duration;

use record_callback::receiver::{EventRecord, InboxEvent, InboxReader};
use record_callback::{Error, ErrorKind};
use serde::Serialize;

use super::refused;
use crate::args::{EventsArguments, Format};
use crate::failure::Failure;
use crate::stop::Stop;
use crate::{output, reader};

/// How many events are read at a time.
const PAGE: usize = 500;
/// Between two looks at an inbox that had nothing more.
const PAUSE: Duration = Duration::from_millis(200);
/// Between two pages: long enough for a signal to be heard.
const NO_PAUSE: Duration = Duration::from_millis(1);

/// An event as it is printed.
#[derive(Serialize)]
struct Line<'a> {
    sequence: u64,
    #[serde(flatten)]
    record: &'a EventRecord,
}

pub(crate) async fn run(arguments: EventsArguments) -> Result<(), Failure> {
    if arguments.refused {
        let log = arguments.refused_log.as_deref();
        return refused::list(&arguments.inbox, log, arguments.limit, arguments.output);
    }
    let inbox = InboxReader::open(&arguments.inbox)?;
    if let Some(consumer) = &arguments.forget {
        return if inbox.forget(consumer).await? {
            Ok(())
        } else {
            Err(Failure::Advised {
                error: Error::new(
                    ErrorKind::NotFound,
                    format!("there is no consumer `{consumer}` of this inbox"),
                ),
                hint: "check the name: a consumer is there once it has taken events with `--consumer`"
                    .to_owned(),
            })
        };
    }
    // Otherwise signals end it as they end every program: in the middle.
    let stop = arguments.follow.then(Stop::listen).transpose()?;
    let stopped = async {
        match stop {
            Some(stop) => stop.wait().await,
            None => pending().await,
        }
    };
    tokio::pin!(stopped);
    let gone = reader::gone();
    tokio::pin!(gone);
    let mut last = arguments.after;
    let mut left = arguments.limit.unwrap_or(u64::MAX);
    let mut header = true;
    while left > 0 {
        let max = PAGE.min(left.try_into().unwrap_or(PAGE));
        let events = match &arguments.consumer {
            Some(consumer) => inbox.poll(consumer, max).await?,
            None => inbox.read_after(last, max).await?,
        };
        print(arguments.output, &events, header)?;
        header = false;
        if let Some(event) = events.last() {
            last = event.sequence;
            left -= events.len() as u64;
            // Only what is printed is done with: whoever reads this may have gone meanwhile.
            if let Some(consumer) = &arguments.consumer {
                inbox.ack(consumer, last).await?;
            }
        }
        let is_all = events.len() < max;
        if is_all && !arguments.follow {
            break;
        }
        tokio::select! {
            biased;
            () = &mut stopped => break,
            error = &mut gone => return Err(error.into()),
            () = tokio::time::sleep(if is_all { PAUSE } else { NO_PAUSE }) => {}
        }
    }
    Ok(())
}

fn print(format: Format, events: &[InboxEvent], header: bool) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match format {
        Format::Json => {
            for InboxEvent { sequence, record, .. } in events {
                let line = Line { sequence: *sequence, record };
                writeln!(stdout, "{}", output::json(&line)?)?;
            }
        }
        Format::Text => {
            let header: &[&str] = if header { &output::EVENT_HEADER } else { &[] };
            if !header.is_empty() || !events.is_empty() {
                let rows = events.iter().map(|event| output::event(event.sequence, &event.record));
                writeln!(stdout, "{}", output::table(header, rows))?;
            }
        }
    }
    stdout.flush()
}
