//! Which events are kept, by what tells them apart.
//!
//! Keys are random: an index of all of them would have every event write a page of its own. So the keys of the newest
//! events are held in memory, and go into the `seen` table many at a time and in order. What is only in memory is also
//! in the `event` table, where the next process finds it.
//!
//! A key leads to the number of the first event that had it. Those that contradict the first point to it
//! (`event.conflicts_with`); the key is remembered until the last of them is removed, and keeps the number of the first
//! even when only that one is gone.

use std::collections::HashMap;

use record_callback_core::DedupeKey;
use rusqlite::{Connection, OptionalExtension, Statement};

/// How many keys are in memory before they begin to move: some megabytes, and some keys for each page of a large table.
pub(super) const ENOUGH: usize = 32_768;

/// A source's id, and an event's key.
pub(super) type Key = (i64, [u8; 16]);

pub(super) fn key(source: i64, key: DedupeKey) -> Key {
    (source, *key.as_bytes())
}

/// Keys, and the first event of each.
pub(super) type Firsts = HashMap<Key, i64>;

pub(super) struct Seen<'c> {
    enough: usize,
    fresh: Firsts,
    moving: Option<Moving>,
    /// The keys of all events up to this sequence are in memory or in the table.
    known: i64,
    find: Statement<'c>,
    insert: Statement<'c>,
    newer: Statement<'c>,
    set_moved: Statement<'c>,
}

/// Keys on their way into the table.
struct Moving {
    keys: Firsts,
    /// In the table's order.
    sorted: Vec<Key>,
    next: usize,
    /// When all are in the table, so is every key up to this sequence.
    through: i64,
}

impl<'c> Seen<'c> {
    /// With more than `enough` keys in memory, they begin to move.
    pub(super) fn new(conn: &'c Connection, enough: usize) -> rusqlite::Result<Self> {
        Ok(Self {
            enough,
            fresh: Firsts::new(),
            moving: None,
            known: conn.query_row("SELECT moved_sequence FROM inbox", [], |row| row.get(0))?,
            find: conn.prepare("SELECT sequence FROM seen WHERE source_id = ?1 AND dedupe_key = ?2")?,
            insert: conn.prepare(
                "INSERT OR REPLACE INTO seen (source_id, dedupe_key, sequence) VALUES (?1, ?2, ?3)",
            )?,
            newer: conn.prepare(
                "SELECT source_id, dedupe_key, coalesce(conflicts_with, sequence) FROM event
                 WHERE sequence > ?1 AND dedupe_key IS NOT NULL",
            )?,
            set_moved: conn.prepare("UPDATE inbox SET moved_sequence = max(moved_sequence, ?1)")?,
        })
    }

    /// Learns the keys of events that it was not told about: those from before this process began, and those of a
    /// transaction that was committed though it seemed to fail.
    pub(super) fn catch_up(&mut self, last: i64) -> rusqlite::Result<()> {
        if self.known < last {
            let mut rows = self.newer.query([self.known])?;
            while let Some(row) = rows.next()? {
                self.fresh.insert((row.get(0)?, row.get(1)?), row.get(2)?);
            }
            self.known = last;
        }
        Ok(())
    }

    /// The first event of `key`, if one of that key is kept.
    pub(super) fn first(&mut self, key: &Key) -> rusqlite::Result<Option<i64>> {
        let moving = || self.moving.as_ref().and_then(|moving| moving.keys.get(key));
        match self.fresh.get(key).or_else(moving) {
            Some(first) => Ok(Some(*first)),
            None => self.find.query_row(*key, |row| row.get(0)).optional(),
        }
    }

    /// Events with these keys are kept, up to `last`.
    pub(super) fn add(&mut self, keys: Firsts, last: i64) {
        self.fresh.extend(keys);
        self.known = last;
        if self.moving.is_none() && self.fresh.len() >= self.enough {
            let keys = std::mem::take(&mut self.fresh);
            let mut sorted: Vec<_> = keys.keys().copied().collect();
            sorted.sort_unstable();
            self.moving = Some(Moving { keys, sorted, next: 0, through: last });
        }
    }

    /// Events with these keys are no longer kept.
    pub(super) fn remove(&mut self, keys: &[Key]) {
        for key in keys {
            self.fresh.remove(key);
            if let Some(moving) = &mut self.moving {
                moving.keys.remove(key);
            }
        }
    }

    /// Puts up to `count` keys into the table, within the caller's transaction. How many, to be told to
    /// [`moved`](Self::moved) once that is committed.
    pub(super) fn move_some(&mut self, count: usize) -> rusqlite::Result<usize> {
        let Some(moving) = &self.moving else { return Ok(0) };
        let end = moving.sorted.len().min(moving.next + count);
        for key in &moving.sorted[moving.next..end] {
            // Not those of events that were removed meanwhile.
            if let Some(first) = moving.keys.get(key) {
                self.insert.execute((key.0, key.1, first))?;
            }
        }
        if end == moving.sorted.len() {
            self.set_moved.execute([moving.through])?;
        }
        Ok(end - moving.next)
    }

    pub(super) fn moved(&mut self, count: usize) {
        self.moving.take_if(|moving| {
            moving.next += count;
            moving.next == moving.sorted.len()
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusqlite::{Transaction, TransactionBehavior};

    use super::super::schema::SCHEMA;
    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        /// Keeps those of these keys that are new, and commits or fails.
        Keep(Vec<u8>, bool),
        /// Removes the oldest events, as retention does, and commits or fails.
        Remove(u8, bool),
        /// The process ends, and another begins.
        Reopen,
        /// Keeps an event without being told that it was committed.
        Untold(u8),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let committed = prop::bool::weighted(0.8);
        let step = prop_oneof![
            6 => (prop::collection::vec(0..40_u8, 1..6), committed).prop_map(|(keys, ok)| Step::Keep(keys, ok)),
            2 => (1..6_u8, committed).prop_map(|(count, ok)| Step::Remove(count, ok)),
            1 => Just(Step::Reopen),
            1 => (0..40_u8).prop_map(Step::Untold),
        ];
        prop::collection::vec(step, 1..60)
    }

    fn key(name: u8) -> Key {
        // Neighbouring names are far apart.
        (i64::from(name % 2), [name.wrapping_mul(97); 16])
    }

    fn insert(conn: &Connection, sequence: i64, (source, key): Key) {
        let sql = "INSERT INTO event (sequence, source_id, received_at, dedupe_key, body, raw)
                   VALUES (?1, ?2, 0, ?3, '', '')";
        conn.execute(sql, (sequence, source, key)).unwrap();
    }

    fn begin(conn: &Connection) -> Transaction<'_> {
        Transaction::new_unchecked(conn, TransactionBehavior::Immediate).unwrap()
    }

    proptest! {
        #[test]
        fn a_key_leads_to_its_event_exactly_while_that_is_kept(steps in steps()) {
            let conn = Connection::open_in_memory().unwrap();
            conn.execute_batch(SCHEMA).unwrap();
            conn.execute_batch("INSERT INTO source VALUES (0, 'a'), (1, 'b')").unwrap();
            let mut seen = Seen::new(&conn, 4).unwrap();
            // Sequence and key of what is kept.
            let mut kept: Vec<(i64, Key)> = Vec::new();
            let mut last = 0;
            for step in steps {
                match step {
                    Step::Keep(names, committed) => {
                        let transaction = begin(&conn);
                        seen.catch_up(last).unwrap();
                        let (mut new, mut new_keys, mut sequence) = (Vec::new(), Firsts::new(), last);
                        for key in names.into_iter().map(key) {
                            let first = kept.iter().find(|(_, other)| *other == key).map(|(first, _)| *first);
                            prop_assert_eq!(seen.first(&key).unwrap(), first);
                            if first.is_none() && !new_keys.contains_key(&key) {
                                sequence += 1;
                                new_keys.insert(key, sequence);
                                new.push((sequence, key));
                                insert(&conn, sequence, key);
                            }
                        }
                        let moved = seen.move_some(3).unwrap();
                        if committed {
                            transaction.commit().unwrap();
                            seen.moved(moved);
                            last = sequence;
                            kept.extend(new);
                            seen.add(new_keys, last);
                        }
                    }
                    Step::Remove(count, committed) => {
                        let transaction = begin(&conn);
                        let count = kept.len().min(count.into());
                        let removed: Vec<Key> = kept[..count].iter().map(|(_, key)| *key).collect();
                        for (sequence, (source, key)) in &kept[..count] {
                            conn.execute("DELETE FROM event WHERE sequence = ?1", [sequence]).unwrap();
                            let sql = "DELETE FROM seen WHERE source_id = ?1 AND dedupe_key = ?2";
                            conn.execute(sql, (source, key)).unwrap();
                        }
                        if committed {
                            transaction.commit().unwrap();
                            seen.remove(&removed);
                            kept.drain(..count);
                        }
                    }
                    Step::Reopen => {
                        seen = Seen::new(&conn, 4).unwrap();
                        seen.catch_up(last).unwrap();
                    }
                    Step::Untold(name) => {
                        let key = key(name);
                        if !kept.iter().any(|(_, other)| *other == key) {
                            last += 1;
                            insert(&conn, last, key);
                            kept.push((last, key));
                        }
                    }
                }
            }
            // Nothing is left of what was removed.
            let sql = "SELECT count(*) FROM seen WHERE NOT EXISTS (SELECT 1 FROM event
                       WHERE event.source_id = seen.source_id AND event.dedupe_key = seen.dedupe_key)";
            prop_assert_eq!(conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
        }
    }
}
