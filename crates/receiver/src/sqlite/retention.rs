//! What may be removed, and when there is no room.
//!
//! Only the oldest events are ever removed, so that what is kept stays one unbroken run of sequences.

use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, Statement};

use super::seen::Key;
use super::trusted_time::{JUMP_NANOS, TrustedTime};

/// How many events one step removes: more than a batch adds, and few enough not to keep callers waiting.
const STEP: i64 = 512;

/// How long, by the events' time, retention by age may be put off.
const INTERVAL_NANOS: i64 = 1_000_000_000;

pub(super) struct Retention<'c> {
    max_age_nanos: i64,
    max_pages: i64,
    page_count: Statement<'c>,
    free_pages: Statement<'c>,
    bounds: Statement<'c>,
    first_young: Statement<'c>,
    keys: Statement<'c>,
    remove: Statement<'c>,
    remove_key: Statement<'c>,
    next_right: Statement<'c>,
    last_right: Statement<'c>,
    time: TrustedTime,
    checked_at: Option<i64>,
    /// The last step removed something, or there is too much: there may be more.
    pending: bool,
}

/// Events that were removed.
pub(super) struct Removed {
    oldest: i64,
    end: i64,
    why: Why,
    /// The keys of which nothing is left.
    pub(super) keys: Vec<Key>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Age,
    Room,
}

/// Tells which events were removed, at most a line a second.
#[derive(Debug, Default)]
pub(super) struct Log {
    untold: Option<(i64, i64, Why)>,
    told: Option<Instant>,
}

impl Log {
    pub(super) fn note(&mut self, removed: &Removed) {
        match &mut self.untold {
            Some((_, end, why)) if *why == removed.why => *end = removed.end,
            _ => {
                self.tell();
                self.untold = Some((removed.oldest, removed.end, removed.why));
            }
        }
        if self.told.is_none_or(|told| told.elapsed() >= Duration::from_secs(1)) {
            self.tell();
        }
    }

    /// Tells what was not told yet.
    pub(super) fn tell(&mut self) {
        let Some((first, last, why)) = self.untold.take() else { return };
        let why = match why {
            Why::Age => "older than the inbox keeps events",
            Why::Room => "taken by every consumer, and the inbox needs room",
        };
        tracing::info!(count = last - first + 1, first, last, why, "events removed from the inbox");
        self.told = Some(Instant::now());
    }
}

/// What is kept, as sequences.
struct Bounds {
    oldest: Option<i64>,
    last: i64,
    /// What the slowest consumer is done with. `None`: nobody is registered.
    acked: Option<i64>,
}

impl<'c> Retention<'c> {
    pub(super) fn new(conn: &'c Connection, max_age: Duration, max_bytes: u64) -> rusqlite::Result<Self> {
        let page_size: i64 = conn.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        let newest = "SELECT received_at FROM event ORDER BY sequence DESC LIMIT 1";
        let newest = conn.query_row(newest, [], |row| row.get(0)).optional()?;
        Ok(Self {
            max_age_nanos: i64::try_from(max_age.as_nanos()).unwrap_or(i64::MAX),
            max_pages: i64::try_from(max_bytes).unwrap_or(i64::MAX) / page_size,
            page_count: conn.prepare("PRAGMA page_count")?,
            free_pages: conn.prepare("PRAGMA freelist_count")?,
            bounds: conn.prepare(
                "SELECT (SELECT min(sequence) FROM event), last_sequence, (SELECT min(cursor) FROM consumer)
                 FROM inbox",
            )?,
            first_young: conn.prepare(
                "SELECT sequence FROM event WHERE sequence BETWEEN ?1 AND ?2 AND received_at BETWEEN ?3 AND ?4
                 ORDER BY sequence LIMIT 1",
            )?,
            next_right: conn.prepare(
                "SELECT received_at FROM event WHERE sequence > ?1 AND received_at <= ?2 ORDER BY sequence LIMIT 1",
            )?,
            last_right: conn.prepare(
                "SELECT sequence FROM event WHERE sequence BETWEEN ?1 AND ?2 AND received_at <= ?3
                 ORDER BY sequence DESC LIMIT 1",
            )?,
            keys: conn.prepare(
                "SELECT source_id, dedupe_key FROM event
                 WHERE sequence BETWEEN ?1 AND ?2 AND dedupe_key IS NOT NULL AND NOT EXISTS (
                     SELECT 1 FROM event AS other
                     WHERE other.conflicts_with = coalesce(event.conflicts_with, event.sequence)
                     AND other.sequence > ?2
                 )",
            )?,
            remove: conn.prepare("DELETE FROM event WHERE sequence BETWEEN ?1 AND ?2")?,
            remove_key: conn.prepare("DELETE FROM seen WHERE source_id = ?1 AND dedupe_key = ?2")?,
            time: TrustedTime::new(newest, Instant::now()),
            checked_at: None,
            pending: false,
        })
    }

    /// Notes that an event arrived, which was at `at`.
    pub(super) fn note(&mut self, received_at: i64, at: Instant) {
        self.time.note(received_at, at);
        let Some(now) = self.time.now() else { return };
        let since = self.checked_at.map(|checked_at| now.saturating_sub(checked_at));
        // A clock that was set back must not put it off.
        if since.is_none_or(|since| !(0..INTERVAL_NANOS).contains(&since)) {
            self.checked_at = Some(now);
            self.pending = true;
        }
    }

    /// Whether a [`step`](Self::step) is wanted.
    pub(super) fn is_pending(&self) -> bool {
        self.pending
    }

    /// Puts retention off, because it failed.
    pub(super) fn put_off(&mut self) {
        self.pending = false;
    }

    /// Whether there is too much, and nothing of it may be removed.
    pub(super) fn is_full(&mut self) -> rusqlite::Result<bool> {
        if !self.is_over()? {
            return Ok(false);
        }
        self.pending = true;
        let bounds = self.bounds()?;
        Ok(bounds.oldest.is_none_or(|oldest| bounds.acked.is_none_or(|acked| acked < oldest)))
    }

    /// How many events the slowest consumer has before it; without consumers, how many are kept.
    pub(super) fn depth(&mut self) -> rusqlite::Result<u64> {
        let Bounds { oldest, last, acked } = self.bounds()?;
        let before = acked.or(oldest.map(|oldest| oldest - 1)).unwrap_or(last);
        Ok(u64::try_from(last - before).unwrap_or_default())
    }

    /// Removes some of what may be removed, within the caller's transaction.
    pub(super) fn step(&mut self) -> rusqlite::Result<Option<Removed>> {
        self.pending = false;
        let Bounds { oldest: Some(oldest), last, acked } = self.bounds()? else { return Ok(None) };
        let end = acked.unwrap_or(last).min(oldest + STEP - 1);
        let over = acked.is_some() && self.is_over()?;
        let end = if over { end } else { self.last_old(oldest, end)? };
        if oldest > end {
            return Ok(None);
        }
        let keys = self.keys.query_map([oldest, end], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut keys = keys.collect::<rusqlite::Result<Vec<Key>>>()?;
        // Neighbours one after the other: they share pages.
        keys.sort_unstable();
        for key in &keys {
            self.remove_key.execute(*key)?;
        }
        self.remove.execute([oldest, end])?;
        self.pending = true;
        let why = if over { Why::Room } else { Why::Age };
        Ok(Some(Removed { oldest, end, why, keys }))
    }

    /// The end of the run of events from `oldest` to `end` that are too old. `oldest - 1`: none is.
    fn last_old(&mut self, oldest: i64, end: i64) -> rusqlite::Result<i64> {
        let Some(now) = self.time.now() else { return Ok(oldest - 1) };
        let young = now.saturating_sub(self.max_age_nanos);
        // An event from the future came while the clock was wrong: it is as old as the next that is not, at least.
        let right = now.saturating_add(JUMP_NANOS);
        let found =
            self.first_young.query_row([oldest, end, young, right], |row| row.get::<_, i64>(0)).optional()?;
        let end = found.map_or(end, |found| found - 1);
        if found.is_none() {
            let next = self.next_right.query_row([end, right], |row| row.get::<_, i64>(0)).optional()?;
            if next.is_some_and(|next| next < young) {
                return Ok(end);
            }
        }
        let last_right = self.last_right.query_row([oldest, end, right], |row| row.get(0)).optional()?;
        Ok(last_right.unwrap_or(oldest - 1))
    }

    fn is_over(&mut self) -> rusqlite::Result<bool> {
        let pages: i64 = self.page_count.query_row([], |row| row.get(0))?;
        let free: i64 = self.free_pages.query_row([], |row| row.get(0))?;
        Ok(pages - free > self.max_pages)
    }

    fn bounds(&mut self) -> rusqlite::Result<Bounds> {
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Bounds { oldest: row.get(0)?, last: row.get(1)?, acked: row.get(2)? })
        };
        self.bounds.query_row([], read)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::schema::SCHEMA;
    use super::*;

    const SECOND: i64 = 1_000_000_000;
    const HOUR: i64 = 3_600 * SECOND;
    const MAX_AGE: i64 = 24 * HOUR;

    /// Seconds since the event before, and how many days the clock is ahead when this one arrives.
    fn readings() -> impl Strategy<Value = Vec<(u64, i64)>> {
        let ahead = prop_oneof![9 => Just(0), 1 => 1..400_i64];
        let after = prop_oneof![4 => 0..90_u64, 4 => 600..20_000_u64, 1 => 20_000..200_000_u64];
        prop::collection::vec((after, ahead), 1..60)
    }

    proptest! {
            /// A wrong reading at any place, a new process at any place: what goes is old by the right clock.
            #[test]
            fn only_what_is_really_old_is_removed(readings in readings(), restart in 1..20_usize) {
                let conn = Connection::open_in_memory().unwrap();
                conn.execute_batch(SCHEMA).unwrap();
    conn.execute_batch("INSERT INTO source VALUES (0, 'live')").unwrap();
                let max_age = Duration::from_nanos(MAX_AGE.unsigned_abs());
                let mut retention = Retention::new(&conn, max_age, 1 << 30).unwrap();
                let start = Instant::now();
                let (mut passed, mut arrived, mut removed, mut was_wrong) = (0, Vec::new(), 0, false);
                for (n, (after, ahead)) in readings.into_iter().enumerate() {
                    passed += after;
                    let now = i64::try_from(passed).unwrap() * SECOND;
                    // Two wrong ones that agree for a minute would be believed.
                    let ahead = if was_wrong { 0 } else { ahead };
                    was_wrong = ahead > 0;
                    arrived.push(now);
                    let sequence = i64::try_from(arrived.len()).unwrap();
                    let read = now + ahead * 24 * HOUR;
                    let sql = "INSERT INTO event (sequence, source_id, received_at, body, raw) VALUES (?1, 0, ?2, '', '')";
                    conn.execute(sql, (sequence, read)).unwrap();
                    conn.execute("UPDATE inbox SET last_sequence = ?1", [sequence]).unwrap();
                    if n % restart == restart - 1 {
                        retention = Retention::new(&conn, max_age, 1 << 30).unwrap();
                    }
                    retention.note(read, start + Duration::from_secs(passed));
                    while retention.is_pending() {
                        retention.step().unwrap();
                    }
                    let oldest: i64 = conn
                        .query_row("SELECT coalesce(min(sequence), ?1 + 1) FROM event", [sequence], |row| row.get(0))
                        .unwrap();
                    while removed < usize::try_from(oldest - 1).unwrap() {
                        prop_assert!(now - arrived[removed] > MAX_AGE, "event {} of {sequence}", removed + 1);
                        removed += 1;
                    }
                }
            }
        }

    #[test]
    fn one_wrong_reading_neither_removes_nor_stops_anything() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(SCHEMA).unwrap();
        conn.execute_batch("INSERT INTO source VALUES (0, 'live')").unwrap();
        let start = Instant::now();
        let mut retention =
            Retention::new(&conn, Duration::from_nanos(MAX_AGE.unsigned_abs()), 1 << 30).unwrap();
        let mut arrive = |sequence: i64, read: i64, passed: i64| {
            let sql =
                "INSERT INTO event (sequence, source_id, received_at, body, raw) VALUES (?1, 0, ?2, '', '')";
            conn.execute(sql, (sequence, read)).unwrap();
            conn.execute("UPDATE inbox SET last_sequence = ?1", [sequence]).unwrap();
            retention.note(read, start + Duration::from_nanos(passed.unsigned_abs()));
            while retention.is_pending() {
                retention.step().unwrap();
            }
            conn.query_row("SELECT min(sequence) FROM event", [], |row| row.get::<_, i64>(0)).unwrap()
        };
        for n in 1..=102 {
            assert_eq!(arrive(n, n * SECOND, n * SECOND), 1);
        }
        assert_eq!(arrive(103, 40 * 24 * HOUR, 103 * SECOND), 1, "40 days ahead, once");
        assert_eq!(arrive(104, 104 * SECOND, 104 * SECOND), 1);
        let later = MAX_AGE + 104 * SECOND;
        assert_eq!(arrive(105, later, later), 103, "at least as old as the next");
        assert_eq!(arrive(106, later + 2 * SECOND, later + 2 * SECOND), 105);
    }
}
