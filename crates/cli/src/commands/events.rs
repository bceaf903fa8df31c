//! `record-callback events`

mod csv;
mod show;
mod table;

use std::future::pending;
use std::io::{self, Write};
use std::time::Duration;

use record_callback::receiver::{EventFilter, EventRecord, InboxEvent, InboxReader};
use record_callback::{Error, ErrorKind, InvalidConfig};
use serde::Serialize;

use super::refused;

use crate::args::{EventsArguments, EventsFormat, Format};
use crate::failure::Failure;
use crate::stop::Stop;
use crate::{output, reader};

/// The number of events shown when nothing says how many.
const NEWEST: u64 = 20;
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
        let format = match arguments.output {
            EventsFormat::Table => Format::Text,
            EventsFormat::Json => Format::Json,
            EventsFormat::Csv => {
                let rule = "`table` or `json` with --refused";
                return Err(InvalidConfig::new("--output", "is `csv`", rule).into());
            }
        };
        return refused::list(&arguments.inbox, log, arguments.limit, format);
    }
    let inbox = InboxReader::open(&arguments.inbox)?;
    if let Some(id) = arguments.id {
        return show_one(&inbox, id, arguments.output).await;
    }
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
    let filter = EventFilter::from(&arguments.filter);
    let mut printer = Printer { format: arguments.output, layout: None, is_begun: false, shown: 0 };
    let mut left = arguments.limit.unwrap_or(u64::MAX);
    let mut last = arguments.after.unwrap_or_default();
    if arguments.after.is_none() && arguments.consumer.is_none() && !arguments.all {
        last = inbox.extent().await?.1;
        let max = usize::try_from(arguments.limit.unwrap_or(NEWEST)).unwrap_or(usize::MAX);
        let newest = inbox.newest(&filter, max).await?;
        printer.print(&newest, arguments.follow)?;
        last = newest.last().map_or(last, |event| event.sequence.max(last));
        left -= newest.len() as u64;
        if !arguments.follow {
            left = 0;
        }
    }
    while left > 0 {
        let max = PAGE.min(left.try_into().unwrap_or(PAGE));
        // Before the events: what comes in between is read by the next look.
        let seen = inbox.extent().await?.1;
        let events = match &arguments.consumer {
            Some(consumer) => inbox.poll(consumer, max).await?,
            None => inbox.matching_after(&filter, last, max).await?,
        };
        let is_all = events.len() < max;
        printer.print(&events, arguments.follow || !is_all)?;
        if let Some(event) = events.last() {
            last = event.sequence;
            left -= events.len() as u64;
            // Only what is printed is done with: whoever reads this may have gone meanwhile.
            if let Some(consumer) = &arguments.consumer {
                inbox.ack(consumer, last).await?;
            }
        }
        if is_all && !arguments.follow {
            break;
        }
        if is_all && filter != EventFilter::default() {
            // None of these matches: they are not looked at again.
            last = last.max(seen);
        }
        tokio::select! {
            biased;
            () = &mut stopped => break,
            error = &mut gone => return Err(error.into()),
            () = tokio::time::sleep(if is_all { PAUSE } else { NO_PAUSE }) => {}
        }
    }
    if printer.shown == 0 && !arguments.follow && arguments.consumer.is_none() && arguments.limit != Some(0) {
        output::complain(&nothing(inbox.extent().await?.0, &arguments, &filter))?;
    }
    Ok(())
}

/// Says why nothing was shown.
fn nothing(kept: u64, arguments: &EventsArguments, filter: &EventFilter) -> String {
    match (kept, arguments.after, *filter == EventFilter::default()) {
        (0, ..) => "the inbox has no events".to_owned(),
        (_, Some(after), true) => format!("no event after {after}; the inbox has {kept}"),
        _ => format!("no event matches; {kept} without the filter"),
    }
}

async fn show_one(inbox: &InboxReader, id: u64, format: EventsFormat) -> Result<(), Failure> {
    let Some(event) = inbox.event(id).await? else {
        let (kept, last) = inbox.extent().await?;
        let hint = if kept == 0 {
            "the inbox has no events".to_owned()
        } else {
            format!("the inbox has events {} to {last}", last - kept + 1)
        };
        let error = Error::new(ErrorKind::NotFound, format!("there is no event {id} in this inbox"));
        return Err(Failure::Advised { error, hint });
    };
    if format == EventsFormat::Table {
        let text = show::text(&event).map_err(io::Error::from)?;
        writeln!(io::stdout(), "{text}")?;
    } else {
        Printer { format, layout: None, is_begun: false, shown: 0 }.print(&[event], false)?;
    }
    Ok(())
}

/// Prints events page by page, as one table.
struct Printer {
    format: EventsFormat,
    /// Of a table, once its header is printed.
    layout: Option<table::Layout>,
    is_begun: bool,
    shown: usize,
}

impl Printer {
    /// Prints a page, behind which there may be `more`.
    fn print(&mut self, events: &[InboxEvent], more: bool) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        match self.format {
            EventsFormat::Json => {
                for InboxEvent { sequence, record, .. } in events {
                    let line = Line { sequence: *sequence, record };
                    writeln!(stdout, "{}", output::json(&line)?)?;
                }
            }
            EventsFormat::Csv => {
                // A header comes first, whatever there is.
                if !std::mem::replace(&mut self.is_begun, true) {
                    writeln!(stdout, "{}\r", csv::HEADER)?;
                }
                for event in events {
                    writeln!(stdout, "{}\r", csv::line(event))?;
                }
            }
            EventsFormat::Table => {
                if self.layout.is_none() && (more || !events.is_empty()) {
                    let layout = table::Layout::of(events, more);
                    writeln!(stdout, "{}", layout.header())?;
                    self.layout = Some(layout);
                }
                if let Some(layout) = &self.layout {
                    for event in events {
                        writeln!(stdout, "{}", layout.event(event))?;
                    }
                }
            }
        }
        self.shown += events.len();
        stdout.flush()
    }
}
