//! Events that contradict a kept one, and inboxes of version 1.

use std::collections::BTreeSet;

use bytes::Bytes;
use record_callback_receiver::{InboxOptions, Kept, Received};

use super::{EventSink, File, keep, kept, small};
use crate::sinks::suite::{records, run, with_body};

/// The claim of a forger, or of the cloud, about file `n` in second `second`.
fn saying(n: usize, second: usize, who: &str) -> Received {
    let body = Bytes::from(format!(r#"{{"file":{n},"url":"https://{who}.example.com/{n}"}}"#));
    with_body("live", second, Some(&n.to_string()), body)
}

/// Forged events come first, after, between and again, over restarts: no real one is hidden.
#[test]
fn a_forged_event_never_hides_the_real_one() {
    const ROUNDS: usize = 64;
    run(async {
        let file = File::new();
        let mut inbox = file.open(InboxOptions::default());
        let mut expected = BTreeSet::new();
        for n in 0..ROUNDS {
            let forgers = ["mallory", "eve", "trudy"];
            let order: &[&str] = match n % 5 {
                0 => &["mallory", "real"],
                1 => &["real", "mallory"],
                2 => &["mallory", "eve", "real", "trudy"],
                3 => &["mallory", "mallory", "real", "mallory", "real"],
                _ => &["real", "mallory", "eve", "trudy", "real"],
            };
            let mut said = BTreeSet::new();
            for (place, who) in order.iter().enumerate() {
                let answer = inbox.keep(saying(n, n + place, who)).await.unwrap();
                let due = match (said.insert(*who), said.len()) {
                    (false, _) => Kept::Duplicate,
                    (true, 1) => Kept::New,
                    (true, _) => Kept::Conflicting,
                };
                assert_eq!(answer, due, "round {n}, {who}");
                if (n + place) % 3 == 0 {
                    if n % 2 == 0 {
                        inbox.close().await;
                    }
                    drop(inbox);
                    inbox = file.open(InboxOptions::default());
                }
            }
            assert!(said.iter().any(|who| forgers.contains(who)));
            expected.extend(said.iter().map(|who| format!("https://{who}.example.com/{n}")));
        }
        let events = file.reader().read_after(0, usize::MAX).await.unwrap();
        let shown: BTreeSet<_> = events
            .iter()
            .map(|event| {
                let raw: serde_json::Value =
                    serde_json::from_slice(event.record.event.raw.as_bytes()).unwrap();
                raw["url"].as_str().unwrap().to_owned()
            })
            .collect();
        let hidden: Vec<_> = expected.difference(&shown).collect();
        assert!(hidden.is_empty(), "{hidden:?}");
        assert_eq!(events.len(), expected.len(), "and none is there twice");
        for event in &events {
            let Some(first) = &event.record.conflicts_with else { continue };
            let first = &events[first.parse::<usize>().unwrap() - 1];
            assert_eq!(first.record.event.dedupe_key, event.record.event.dedupe_key);
            assert_eq!(first.record.conflicts_with, None);
        }
    });
}

/// Contradictions of an event outlive it, and go on being recognised.
#[test]
fn a_key_is_remembered_until_its_last_event_goes() {
    run(async {
        let file = File::new();
        let inbox = file.open(InboxOptions::default());
        let reader = inbox.reader().unwrap();
        keep(&inbox, saying(1, 0, "a")).await;
        assert_eq!(inbox.keep(saying(1, 1, "b")).await.unwrap(), Kept::Conflicting);
        inbox.close().await;
        drop(inbox);
        // Only the first is too old when the third comes; a minute later the second is, too.
        let half_an_hour = || InboxOptions::default().max_age(std::time::Duration::from_secs(1800));
        let inbox = file.open(half_an_hour());
        keep(&inbox, saying(2, 1801, "a")).await;
        super::settled(&inbox).await;
        assert_eq!(kept(&reader).await, [2, 3]);
        assert_eq!(inbox.keep(saying(1, 1801, "b")).await.unwrap(), Kept::Duplicate);
        drop(inbox);
        let inbox = file.open(half_an_hour());
        assert_eq!(inbox.keep(saying(1, 1801, "b")).await.unwrap(), Kept::Duplicate);
        keep(&inbox, saying(3, 1870, "a")).await;
        super::settled(&inbox).await;
        assert_eq!(kept(&reader).await, [3, 4]);
        keep(&inbox, saying(1, 1871, "b")).await;
    });
}

/// An inbox as version 1 made it, with events up to `last` and those up to `moved` in its table of keys.
fn version_1(file: &File, events: &[Received], moved: usize) {
    let conn = file.sql();
    conn.execute_batch(
        "PRAGMA journal_mode = WAL;
         CREATE TABLE inbox (
             id INTEGER PRIMARY KEY CHECK (id = 1), last_sequence INTEGER NOT NULL, moved_sequence INTEGER NOT NULL
         );
         INSERT INTO inbox VALUES (1, 0, 0);
         CREATE TABLE source (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
         CREATE TABLE event (
             sequence INTEGER PRIMARY KEY, source_id INTEGER NOT NULL REFERENCES source,
             received_at INTEGER NOT NULL, dedupe_key BLOB, body TEXT NOT NULL, raw BLOB NOT NULL
         );
         CREATE TABLE seen (
             source_id INTEGER NOT NULL, dedupe_key BLOB NOT NULL, PRIMARY KEY (source_id, dedupe_key)
         ) WITHOUT ROWID;
         CREATE TABLE consumer (name TEXT PRIMARY KEY, cursor INTEGER NOT NULL) WITHOUT ROWID;
         INSERT INTO source VALUES (1, 'live');
         INSERT INTO consumer VALUES ('billing', 2);
         PRAGMA application_id = 1380139625;
         PRAGMA user_version = 1;",
    )
    .unwrap();
    for (n, received) in events.iter().enumerate() {
        let (mut event, assurance) = received.event.clone().into_parts();
        let raw = std::mem::take(&mut event.raw);
        let key = *event.dedupe_key.take().unwrap().as_bytes();
        let body = serde_json::json!({ "assurance": assurance, "event": event }).to_string();
        let at = i64::try_from(received.received_at.as_nanosecond()).unwrap();
        let row = (i64::try_from(n + 1).unwrap(), at, key, body, raw.as_bytes());
        conn.execute("INSERT INTO event VALUES (?1, 1, ?2, ?3, ?4, ?5)", row).unwrap();
        if n < moved {
            conn.execute("INSERT INTO seen VALUES (1, ?1)", [key]).unwrap();
        }
    }
    let numbers = [events.len(), moved].map(|number| i64::try_from(number).unwrap());
    conn.execute("UPDATE inbox SET last_sequence = ?1, moved_sequence = ?2", numbers).unwrap();
}

#[test]
fn an_inbox_of_version_1_opens_and_loses_nothing() {
    run(async {
        let file = File::new();
        let events: Vec<_> = (0..9).map(small).collect();
        version_1(&file, &events, 4);
        let reader = file.reader();
        let read = async || {
            let events = reader.read_after(0, usize::MAX).await.unwrap();
            events.into_iter().map(|event| event.record).collect::<Vec<_>>()
        };
        assert_eq!(read().await, records(&events), "read before any receiver brought it up to date");
        // One that failed halfway: another table has the index's name.
        file.sql().execute_batch("CREATE TABLE conflict (a)").unwrap();
        let error =
            record_callback_receiver::SqliteInbox::open(file.path(), InboxOptions::default()).unwrap_err();
        assert!(
            error.to_string().ends_with("is of version 1 and could not be brought to version 2"),
            "{error}"
        );
        assert_eq!(read().await, records(&events));
        file.sql().execute_batch("DROP TABLE conflict").unwrap();

        let inbox = file.open(InboxOptions::default());
        assert_eq!(read().await, records(&events), "the reader that was open before");
        for event in &events {
            assert_eq!(inbox.keep(event.clone()).await.unwrap(), Kept::Duplicate);
        }
        for n in 0..9 {
            assert_eq!(inbox.keep(saying(n, 20, "b")).await.unwrap(), Kept::Conflicting);
        }
        assert_eq!(inbox.depth().await.unwrap(), Some(16), "the consumer's cursor is where it was");
        let all = read().await;
        for (n, record) in (1..).zip(&all[9..]) {
            assert_eq!(record.conflicts_with, Some(n.to_string()));
        }
        drop(inbox);
        let inbox = file.open(InboxOptions::default());
        assert_eq!(inbox.keep(small(3)).await.unwrap(), Kept::Duplicate);
        assert_eq!(inbox.keep(saying(3, 20, "b")).await.unwrap(), Kept::Duplicate);
    });
}

/// Names of keys and reused signatures are there again when read.
#[test]
fn marks_read_back() {
    run(async {
        let file = File::new();
        let inbox = file.open(InboxOptions::default());
        let mut event = small(1);
        (event.key, event.signature_reused) = (Some("old".into()), true);
        keep(&inbox, event.clone()).await;
        let read = file.reader().read_after(0, 9).await.unwrap();
        assert_eq!(read[0].record, records(&[event])[0]);
    });
}
