use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use record_callback::EventKind;
use record_callback::receiver::EventFilter;

#[derive(Debug, Args)]
pub(crate) struct EventsArguments {
    /// With a number: print that event whole, with its proof in words
    #[arg(value_name = "show", value_parser = ["show"], requires = "id", hide_possible_values = true)]
    pub(crate) show: Option<String>,
    /// The event's number
    #[arg(value_name = "NUMBER", conflicts_with_all = ["consumer", "forget", "follow", "limit", "after", "all", "filter"])]
    pub(crate) id: Option<u64>,
    /// The SQLite inbox; a receiver may be using it
    #[arg(long, value_name = "FILE")]
    pub(crate) inbox: PathBuf,
    /// All events, not only the newest 20
    #[arg(long, conflicts_with_all = ["consumer", "limit"])]
    pub(crate) all: bool,
    /// At most this many events: the newest; with --after or --consumer, the first
    #[arg(long, value_name = "COUNT")]
    pub(crate) limit: Option<u64>,
    /// Only events after this number
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["consumer", "all"])]
    pub(crate) after: Option<u64>,
    #[command(flatten)]
    pub(crate) filter: FilterArguments,
    /// Wait for more events until interrupted
    #[arg(long)]
    pub(crate) follow: bool,
    /// Take events for this consumer: those it has not taken yet, acknowledged once they are printed
    #[arg(long, value_name = "NAME", conflicts_with = "filter")]
    pub(crate) consumer: Option<String>,
    /// Remove this consumer, so that events need not be kept for it
    #[arg(long, value_name = "NAME", conflicts_with_all = ["consumer", "follow", "limit", "after", "all", "filter"])]
    pub(crate) forget: Option<String>,
    /// The deliveries that were refused instead, from the log beside the inbox
    #[arg(long, conflicts_with_all = ["id", "consumer", "forget", "follow", "after", "all", "filter"])]
    pub(crate) refused: bool,
    /// The log of refused deliveries, where it is not beside the inbox
    #[arg(long, value_name = "FILE", requires = "refused")]
    pub(crate) refused_log: Option<PathBuf>,
    /// How to print: a table, one JSON object a line, or CSV
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: EventsFormat,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum EventsFormat {
    #[default]
    #[value(alias = "text")]
    Table,
    Json,
    Csv,
}

/// Which events.
#[derive(Debug, Args)]
#[group(id = "filter", multiple = true)]
pub(crate) struct FilterArguments {
    /// Only events of this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only events of this kind: `file_completed` and so on, or `vendor:NAME`
    #[arg(long)]
    kind: Option<EventKind>,
    /// Only events of this domain
    #[arg(long)]
    domain: Option<String>,
    /// Only events of this application
    #[arg(long)]
    app: Option<String>,
    /// Only events of this stream
    #[arg(long)]
    stream: Option<String>,
    /// Only events that arrived then or later: `2h`, `30m`, `7d` ago, or a time as 2026-12-01T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// Only events that arrived before that
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
}

impl From<&FilterArguments> for EventFilter {
    fn from(arguments: &FilterArguments) -> Self {
        let mut filter = Self::default();
        filter.source.clone_from(&arguments.source);
        filter.kind.clone_from(&arguments.kind);
        filter.domain.clone_from(&arguments.domain);
        filter.app.clone_from(&arguments.app);
        filter.stream.clone_from(&arguments.stream);
        (filter.since, filter.until) = (arguments.since, arguments.until);
        filter
    }
}

/// A time, or how long ago it was.
fn time(text: &str) -> Result<Timestamp, String> {
    let ago = || {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return None,
        };
        let seconds = number.parse::<u32>().ok().map(|number| i64::from(number) * seconds)?;
        Timestamp::now().checked_sub(SignedDuration::from_secs(seconds)).ok()
    };
    let rule = "neither a time as 2026-12-01T08:00:00Z nor how long ago as 30m, 2h or 7d";
    ago().or_else(|| text.parse().ok()).ok_or_else(|| rule.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_given_or_ago() {
        assert_eq!(time("2026-12-01T08:00:00+08:00").unwrap().to_string(), "2026-12-01T00:00:00Z");
        for (text, seconds) in [("0s", 0), ("30m", 1_800), ("2h", 7_200), ("7d", 604_800)] {
            let ago = Timestamp::now().duration_since(time(text).unwrap()).as_secs();
            assert!((seconds - 1..seconds + 60).contains(&ago), "{text}: {ago}");
        }
        for text in ["", "h", "-2h", "2", "2w", "4294967295d", "yesterday", "录"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
