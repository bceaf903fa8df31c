//! The scripts that Redis runs, each in one step.

/// Keeps an event, unless it is known.
///
/// One script, so that nothing can come between its steps. The event goes first: a key without its event would have the
/// cloud's next delivery taken for a duplicate, and the event lost.
///
/// A key that tells duplicates holds the id of its first entry and, behind spaces, the digests of what the kept ones
/// say. One of an older version has the id only.
///
/// A duplicate writes its key again when replicas are waited for: `WAIT` counts up to the last write of its
/// connection, and the first delivery may have been another's.
pub(super) const KEEP: &str = r#"
local stream, seen = KEYS[1], KEYS[2]
local head, tail, ttl, most = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local said, conflicts, waits = ARGV[5], tonumber(ARGV[6]), ARGV[7] == '1'
local known = seen and redis.call('GET', seen)
local first, digests
if known then
    first, digests = string.match(known, '^(%S*) ?(.*)$')
    if digests == '' or string.find(digests, said, 1, true) then
        if waits then redis.call('SET', seen, known, 'KEEPTTL') end
        return 'duplicate'
    end
    if (#digests + 1) / (#said + 1) > conflicts then return 'too-many' end
end
if most and redis.call('XLEN', stream) >= most then return 'full' end
if known then
    local event = head .. '"conflicts_with":"' .. first .. '",' .. tail
    redis.call('XADD', stream, '*', 'event', event)
    redis.call('SET', seen, known .. ' ' .. said, 'KEEPTTL')
    return 'conflicting'
end
local id = redis.call('XADD', stream, '*', 'event', head .. tail)
if seen then redis.call('SET', seen, id .. ' ' .. said, 'PX', ttl) end
return 'new'
"#;

/// Does what keeping does, and leaves no entry.
///
/// An entry that is added and deleted at the end of the stream would make Redis forget how far groups are behind
/// (`XINFO GROUPS` gives no `lag` across a deleted entry). So one is offered that goes before every other: Redis looks
/// at everything else, and then refuses its id. A stream that never had an entry takes it; there it is deleted, and is
/// before all that may come.
pub(super) const PROBE: &str = r"
local stream, seen, most = KEYS[1], KEYS[2], tonumber(ARGV[1])
local added = redis.pcall('XADD', stream, '0-1', 'event', '')
if type(added) == 'table' and added.err then
    if not string.find(added.err, 'equal or smaller', 1, true) then return added end
else
    redis.call('XDEL', stream, added)
end
redis.call('SET', seen, '', 'PX', 1)
if most and redis.call('XLEN', stream) >= most then return 'full' end
return 'new'
";

/// The member of a record that only Redis can fill in, as it is when empty. It cannot be inside a text, where quotes
/// have backslashes.
const MEMBER: &str = r#""conflicts_with":"","#;

/// The text before and behind that member.
pub(super) fn around_conflict(json: &str) -> Option<(&str, &str)> {
    json.split_once(MEMBER)
}

#[cfg(test)]
mod tests {
    use record_callback_core::{Assurance, RawBody, RecordEvent, Timestamp, Vendor};

    use super::*;
    use crate::sink::EventRecord;

    #[test]
    fn a_record_without_a_conflict_is_what_is_left() {
        let body = RawBody::from(bytes::Bytes::from_static(br#"{"conflicts_with":"",}"#));
        let mut record = EventRecord {
            source: MEMBER.to_owned(),
            received_at: Timestamp::UNIX_EPOCH,
            key: Some(MEMBER.to_owned()),
            signature_reused: true,
            conflicts_with: Some(String::new()),
            assurance: Assurance::UNSIGNED,
            event: RecordEvent::new(Vendor::new("acme"), body),
        };
        let json = serde_json::to_string(&record).unwrap();
        let (head, tail) = around_conflict(&json).unwrap();
        record.conflicts_with = None;
        assert_eq!(format!("{head}{tail}"), serde_json::to_string(&record).unwrap());
        record.conflicts_with = Some("1-0".to_owned());
        let filled = format!(r#"{head}"conflicts_with":"1-0",{tail}"#);
        assert_eq!(filled, serde_json::to_string(&record).unwrap());
    }
}
