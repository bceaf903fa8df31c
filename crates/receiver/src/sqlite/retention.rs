//! What may be removed, and when there is no room.
//!
//! Only the oldest events are ever removed, so that what is kept stays one unbroken run of sequences.

use std::time::Duration;

use rusqlite::{Connection, Statement};

use super::seen::Key;

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
    /// When the newest event arrived that was given last: the only clock there is.
    now: Option<i64>,
    checked_at: Option<i64>,
    /// The last step removed something, or there is too much: there may be more.
    pending: bool,
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
                "SELECT sequence FROM event WHERE sequence BETWEEN ?1 AND ?2 AND received_at >= ?3
                 ORDER BY sequence LIMIT 1",
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
            now: None,
            checked_at: None,
            pending: false,
        })
    }

    /// Notes when the newest event of a batch arrived.
    pub(super) fn note(&mut self, received_at: i64) {
        self.now = Some(received_at);
        let since = self.checked_at.map(|checked_at| received_at.saturating_sub(checked_at));
        // A clock that was set back must not put it off.
        if since.is_none_or(|since| !(0..INTERVAL_NANOS).contains(&since)) {
            self.checked_at = Some(received_at);
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

    /// Removes some of what may be removed, within the caller's transaction. The keys of which nothing is left.
    pub(super) fn step(&mut self) -> rusqlite::Result<Vec<Key>> {
        self.pending = false;
        let Bounds { oldest: Some(oldest), last, acked } = self.bounds()? else { return Ok(Vec::new()) };
        let end = acked.unwrap_or(last).min(oldest + STEP - 1);
        let over = acked.is_some() && self.is_over()?;
        let end = if over { end } else { self.last_old(oldest, end)? };
        if oldest > end {
            return Ok(Vec::new());
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
        Ok(keys)
    }

    /// The end of the run of events from `oldest` to `end` that are too old.
    fn last_old(&mut self, oldest: i64, end: i64) -> rusqlite::Result<i64> {
        let Some(now) = self.now else { return Ok(oldest - 1) };
        let young = now.saturating_sub(self.max_age_nanos);
        let mut found = self.first_young.query([oldest, end, young])?;
        Ok(match found.next()? {
            Some(row) => row.get::<_, i64>(0)? - 1,
            None => end,
        })
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
