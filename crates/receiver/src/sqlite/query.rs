//! Events as they are found in the database.

use record_callback_core::{Assurance, DedupeKey, EventKind, RawBody, RecordEvent, Timestamp};
use rusqlite::{Connection, Row, params};
use serde::Deserialize;

use super::reader::{InboxError, InboxEvent};
use super::{nanos, schema};
use crate::sink::EventRecord;

/// Which events are asked for. All of what is set has to be so; texts have to be equal.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct EventFilter {
    /// The name of the source.
    pub source: Option<String>,
    /// The kind.
    pub kind: Option<EventKind>,
    /// The domain.
    pub domain: Option<String>,
    /// The application.
    pub app: Option<String>,
    /// The stream.
    pub stream: Option<String>,
    /// Arrived then or later.
    pub since: Option<Timestamp>,
    /// Arrived before that.
    pub until: Option<Timestamp>,
}

/// A row of `event`.
pub(super) struct StoredEvent {
    sequence: i64,
    source: String,
    received_at: i64,
    key: Option<[u8; 16]>,
    key_name: Option<String>,
    signature_reused: bool,
    conflicts_with: Option<i64>,
    body: String,
    raw: Vec<u8>,
}

/// The JSON of `event.body`. Its event lacks the dedupe key and the raw body, which have columns.
#[derive(Deserialize)]
struct Body {
    assurance: Assurance,
    event: RecordEvent,
}

/// Up to `max` events after `sequence`, oldest first; what comes before the first that cannot be read.
pub(super) fn after(
    conn: &Connection,
    filter: &EventFilter,
    sequence: i64,
    max: usize,
) -> rusqlite::Result<Vec<StoredEvent>> {
    select(conn, filter, sequence, "ASC", max)
}

/// Up to `max` events, newest first.
pub(super) fn newest(
    conn: &Connection,
    filter: &EventFilter,
    max: usize,
) -> rusqlite::Result<Vec<StoredEvent>> {
    select(conn, filter, 0, "DESC", max)
}

fn select(
    conn: &Connection,
    filter: &EventFilter,
    after: i64,
    order: &str,
    max: usize,
) -> rusqlite::Result<Vec<StoredEvent>> {
    // Each time: the next receiver brings an inbox of version 1 up to date while it is read.
    let new_columns = match schema::version(conn)? {
        1 => "NULL, 0, NULL",
        _ => "key_name, signature_reused, conflicts_with",
    };
    // Read from an end, row by row, and no further than needed. Of a damaged body nothing is known.
    let said = |name: &str, parameter: u8| {
        format!(
            "(?{parameter} IS NULL OR iif(json_valid(body), body ->> '$.event.{name}', NULL) = ?{parameter})"
        )
    };
    let mut select = conn.prepare(&format!(
        "SELECT sequence, source.name, received_at, dedupe_key, {new_columns}, body, raw
         FROM event CROSS JOIN source ON source.id = source_id
         WHERE sequence > ?1 AND (?3 IS NULL OR source.name = ?3)
         AND (?4 IS NULL OR received_at >= ?4) AND (?5 IS NULL OR received_at < ?5)
         AND {} AND {} AND {} AND {} ORDER BY sequence {order} LIMIT ?2",
        said("kind", 6),
        said("domain", 7),
        said("app", 8),
        said("stream", 9),
    ))?;
    let EventFilter { source, kind, domain, app, stream, since, until } = filter;
    let parameters = params![
        after,
        i64::try_from(max).unwrap_or(i64::MAX),
        source,
        since.map(nanos),
        until.map(nanos),
        kind.as_ref().map(ToString::to_string),
        domain,
        app,
        stream,
    ];
    let stored = |row: &Row<'_>| {
        Ok(StoredEvent {
            sequence: row.get(0)?,
            source: row.get(1)?,
            received_at: row.get(2)?,
            key: row.get(3)?,
            key_name: row.get(4)?,
            signature_reused: row.get(5)?,
            conflicts_with: row.get(6)?,
            body: row.get(7)?,
            raw: row.get(8)?,
        })
    };
    readable(select.query_map(parameters, stored)?)
}

/// The events before the first that cannot be read; the error only when there is nothing before it.
pub(super) fn readable<T, E>(events: impl Iterator<Item = Result<T, E>>) -> Result<Vec<T>, E> {
    let mut readable = Vec::new();
    for event in events {
        match event {
            Ok(event) => readable.push(event),
            Err(error) if readable.is_empty() => return Err(error),
            Err(_) => break,
        }
    }
    Ok(readable)
}

impl StoredEvent {
    pub(super) fn decode(self) -> Result<InboxEvent, InboxError> {
        let sequence = self.sequence.cast_unsigned();
        let unreadable = |source| InboxError::Unreadable { sequence, source };
        let Body { assurance, mut event } = serde_json::from_str(&self.body).map_err(unreadable)?;
        event.raw = RawBody::from(bytes::Bytes::from(self.raw));
        event.dedupe_key = self.key.map(DedupeKey::from);
        // Every `i64` of nanoseconds is a time: 1677 to 2262.
        let received_at = Timestamp::from_nanosecond(self.received_at.into()).unwrap_or_default();
        Ok(InboxEvent {
            sequence,
            record: EventRecord {
                source: self.source,
                received_at,
                key: self.key_name,
                signature_reused: self.signature_reused,
                conflicts_with: self.conflicts_with.map(|first| first.to_string()),
                assurance,
                event,
            },
        })
    }
}
