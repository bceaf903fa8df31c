//! Cursors: how far each consumer has come.

use rusqlite::{Connection, OptionalExtension};

/// What a consumer wants written.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// That it exists, at the oldest kept event.
    Register { consumer: String },
    /// That it is done with everything up to `sequence`.
    Ack { consumer: String, sequence: u64 },
    /// That it is no more.
    Forget { consumer: String },
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Changed {
    /// Done, or as it was.
    Done,
    /// There is no such consumer.
    Unknown,
    /// There is no such event yet; this is the last.
    Beyond { last: u64 },
}

/// Makes `change`, within the caller's transaction.
pub(super) fn apply(conn: &Connection, change: &Change) -> rusqlite::Result<Changed> {
    match change {
        Change::Register { consumer } => {
            let start =
                "SELECT ?1, coalesce((SELECT min(sequence) - 1 FROM event), last_sequence) FROM inbox";
            let insert =
                format!("INSERT INTO consumer (name, cursor) {start} WHERE true ON CONFLICT DO NOTHING");
            conn.execute(&insert, [consumer])?;
            Ok(Changed::Done)
        }
        Change::Ack { consumer, sequence } => {
            let Some(cursor) = cursor(conn, consumer)? else { return Ok(Changed::Unknown) };
            let last: i64 = conn.query_row("SELECT last_sequence FROM inbox", [], |row| row.get(0))?;
            let sequence = i64::try_from(*sequence).unwrap_or(i64::MAX);
            if sequence > last {
                return Ok(Changed::Beyond { last: last.cast_unsigned() });
            }
            if sequence > cursor {
                conn.execute("UPDATE consumer SET cursor = ?2 WHERE name = ?1", (consumer, sequence))?;
            }
            Ok(Changed::Done)
        }
        Change::Forget { consumer } => {
            match conn.execute("DELETE FROM consumer WHERE name = ?1", [consumer])? {
                0 => Ok(Changed::Unknown),
                _ => Ok(Changed::Done),
            }
        }
    }
}

/// The last event `consumer` is done with. `None`: not registered.
pub(super) fn cursor(conn: &Connection, consumer: &str) -> rusqlite::Result<Option<i64>> {
    conn.query_row("SELECT cursor FROM consumer WHERE name = ?1", [consumer], |row| row.get(0)).optional()
}
