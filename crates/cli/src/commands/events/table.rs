//! Events as a table that fits its terminal: long cells are cut, no line wraps.

use record_callback::receiver::{EventRecord, InboxEvent};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::output::escaped;

/// The width taken when that of the terminal is not known.
const WIDTH: usize = 80;
const GAP: usize = 1;

/// A column: its header, the width that it keeps when there is little room, and whether it goes when all of it is empty.
struct Column {
    header: &'static str,
    least: usize,
    goes: bool,
}

const fn column(header: &'static str, least: usize, goes: bool) -> Column {
    Column { header, least, goes }
}

const COLUMNS: [Column; 10] = [
    column("EVENT", usize::MAX, false),
    column("RECEIVED", usize::MAX, false),
    column("SOURCE", 4, false),
    column("KIND", 7, false),
    column("DOMAIN", 5, false),
    column("STREAM", 5, false),
    column("FILE", 5, true),
    column("DURATION", usize::MAX, true),
    column("SIZE", usize::MAX, true),
    column("MARKS", 8, true),
];

type Row = [String; COLUMNS.len()];

/// The widths of the columns, the same for all pages.
pub(super) struct Layout(Vec<Option<usize>>);

impl Layout {
    /// For `events`; with `more` to come, all columns stay, and have room.
    pub(super) fn of(events: &[InboxEvent], more: bool) -> Self {
        let width = terminal_size::terminal_size().map_or(WIDTH, |(width, _)| width.0.into());
        Self::within(&events.iter().map(row).collect::<Vec<_>>(), more, width)
    }

    fn within(rows: &[Row], more: bool, width: usize) -> Self {
        const USUAL: [usize; COLUMNS.len()] = [6, 14, 8, 17, 20, 16, 24, 8, 8, 17];
        let mut widths: Vec<Option<usize>> = (0..COLUMNS.len())
            .map(|place| {
                let cells = rows.iter().map(|row| row[place].width()).max().unwrap_or_default();
                let is_empty = COLUMNS[place].goes && rows.iter().all(|row| row[place].is_empty());
                match (more, is_empty) {
                    (false, true) => None,
                    (true, _) => Some(cells.max(COLUMNS[place].header.len()).max(USUAL[place])),
                    (false, false) => Some(cells.max(COLUMNS[place].header.len())),
                }
            })
            .collect();
        loop {
            let total: usize = widths.iter().flatten().map(|width| width + GAP).sum::<usize>() - GAP;
            // The widest gives first, and the kind last: cut, kinds look the same.
            let widest = (0..COLUMNS.len())
                .filter(|place| widths[*place].is_some_and(|width| width > COLUMNS[*place].least))
                .max_by_key(|place| (COLUMNS[*place].header != "KIND", widths[*place]));
            match widest {
                Some(place) if total > width => widths[place] = widths[place].map(|width| width - 1),
                _ => return Self(widths),
            }
        }
    }

    pub(super) fn header(&self) -> String {
        self.line(&COLUMNS.map(|column| column.header.to_owned()))
    }

    pub(super) fn event(&self, event: &InboxEvent) -> String {
        self.line(&row(event))
    }

    fn line(&self, cells: &Row) -> String {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(&self.0) {
            let Some(width) = width else { continue };
            let cell = cut(cell, *width);
            let padding = width.saturating_sub(cell.width()) + GAP;
            line.push_str(&cell);
            line.extend(std::iter::repeat_n(' ', padding));
        }
        line.trim_end().to_owned()
    }
}

/// `text` in at most `width` columns.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut left = width.saturating_sub(1);
    for c in text.chars() {
        let Some(rest) = left.checked_sub(c.width().unwrap_or_default()) else { break };
        left = rest;
        cut.push(c);
    }
    cut + "…"
}

fn row(InboxEvent { sequence, record, .. }: &InboxEvent) -> Row {
    let event = &record.event;
    let optional = |text: Option<&str>| text.map_or("-".to_owned(), escaped);
    let file = event.file.as_ref();
    [
        sequence.to_string(),
        record.received_at.strftime("%m-%d %H:%M:%S").to_string(),
        escaped(&record.source),
        event.kind.as_ref().map_or("-".to_owned(), escaped),
        optional(event.domain.as_deref()),
        optional(event.stream.as_deref()),
        file_name(record).map(escaped).unwrap_or_default(),
        file.and_then(|file| file.duration_seconds).map(duration).unwrap_or_default(),
        file.and_then(|file| file.bytes).map(size).unwrap_or_default(),
        marks(record),
    ]
}

/// The last part of the file's address, without what asks for it.
fn file_name(record: &EventRecord) -> Option<&str> {
    let file = record.event.file.as_ref()?;
    let object = || file.storage.as_ref()?.object.as_deref();
    let address = file.url.as_deref().or_else(object).or(file.id.as_deref())?;
    let path = address.split(['?', '#']).next().unwrap_or(address).trim_end_matches('/');
    path.rsplit('/').next().filter(|name| !name.is_empty())
}

/// The things to look at before the event is believed, in a few words.
pub(super) fn marks(record: &EventRecord) -> String {
    let mut marks = Vec::new();
    marks.extend(record.conflicts_with.as_deref().map(|first| format!("conflicts with {}", escaped(first))));
    marks.extend(record.signature_reused.then(|| "reused signature".to_owned()));
    marks.join(", ")
}

/// Seconds as `h:mm:ss`.
pub(super) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || !(0.0..1e9).contains(&seconds) {
        return format!("{seconds} s");
    }
    let seconds = std::time::Duration::from_secs_f64(seconds.round()).as_secs();
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Bytes in the largest unit that leaves a number before the point.
pub(super) fn size(bytes: u64) -> String {
    let (mut unit, mut whole, mut tenths) = ("B", bytes, 0);
    for larger in ["kB", "MB", "GB", "TB", "PB", "EB"] {
        if whole < 1000 {
            break;
        }
        (unit, tenths, whole) = (larger, whole % 1000 / 100, whole / 1000);
    }
    if unit == "B" { format!("{whole} B") } else { format!("{whole}.{tenths} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_read_well() {
        assert_eq!([duration(0.4), duration(69.5), duration(36_061.0)], ["0:00:00", "0:01:10", "10:01:01"]);
        assert_eq!([duration(-1.0), duration(f64::NAN)], ["-1 s", "NaN s"]);
        assert_eq!([size(0), size(999), size(1_000), size(1_250_000)], ["0 B", "999 B", "1.0 kB", "1.2 MB"]);
        assert_eq!(size(u64::MAX), "18.4 EB");
    }

    #[test]
    fn a_line_fits_whatever_is_in_it() {
        let long = |text: &str| text.repeat(40);
        let cells: Row = [
            "1234567".to_owned(),
            "12-01 03:09:37".to_owned(),
            long("s"),
            long("k"),
            long("录制"),
            long("t"),
            long("f"),
            "10:01:01".to_owned(),
            "18.4 EB".to_owned(),
            long("m "),
        ];
        for width in [80, 100, 120, 200] {
            let layout = Layout::within(std::slice::from_ref(&cells), true, width);
            assert!(layout.line(&cells).width() <= width, "{width}: {}", layout.line(&cells));
            assert!(layout.line(&cells).contains('…'));
        }
        let mut cells = cells;
        cells[9].clear();
        let layout = Layout::within(std::slice::from_ref(&cells), false, 80);
        assert!(layout.line(&cells).width() <= 80, "{}", layout.line(&cells));
        assert!(!layout.header().contains("MARKS"), "a column that is empty goes");
    }
}
