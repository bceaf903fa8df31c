//! Whatever is done in whatever order, the inbox does what a list would.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::SignedDuration;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use record_callback_receiver::{
    EventRecord, InboxError, InboxEvent, InboxOptions, Kept, MAX_CONFLICTS, SinkErrorKind, SqliteInbox,
};

use super::{EventSink, File, InboxReader, keep, settled, small};
use crate::sinks::suite::{at, run, with_body};

const MAX_AGE: u64 = 20;

#[derive(Debug, Clone)]
enum Step {
    Keep { later: usize, key: Option<u8>, says: u8, times: usize },
    Poll { consumer: u8, max: usize },
    Ack { consumer: u8, ahead: u64 },
    Forget { consumer: u8 },
    Reopen { close: bool },
}

fn step() -> impl Strategy<Value = Step> {
    let consumer = 0..3_u8;
    prop_oneof![
        8 => (0..8_usize, option::weighted(0.6, 0..12_u8), 0..12_u8, 1..6_usize)
            // Every other event says what nearly all of its key say.
            .prop_map(|(later, key, says, times)| Step::Keep { later, key, says: says.saturating_sub(2), times }),
        4 => (consumer.clone(), 0..8_usize).prop_map(|(consumer, max)| Step::Poll { consumer, max }),
        4 => (consumer.clone(), 0..6_u64).prop_map(|(consumer, ahead)| Step::Ack { consumer, ahead }),
        1 => consumer.prop_map(|consumer| Step::Forget { consumer }),
        1 => any::<bool>().prop_map(|close| Step::Reopen { close }),
    ]
}

#[derive(Default)]
struct Model {
    /// Every event there ever was; sequence 1 comes first.
    events: Vec<EventRecord>,
    /// How many of them are removed.
    removed: usize,
    cursors: BTreeMap<u8, u64>,
    seconds: usize,
}

impl Model {
    fn last(&self) -> u64 {
        self.events.len() as u64
    }

    fn acked(&self) -> Option<u64> {
        self.cursors.values().min().copied()
    }

    /// The outcome that `record` has to have, and the first event that it contradicts.
    fn expect(&self, record: &EventRecord) -> (Kept, Option<String>) {
        let same_key = |one: &&EventRecord| one.dedupe_key() == record.dedupe_key();
        let kept: Vec<_> = self.events[self.removed..].iter().filter(same_key).collect();
        if record.dedupe_key().is_none() || kept.is_empty() {
            return (Kept::New, None);
        }
        if kept.iter().any(|one| one.event.raw == record.event.raw) {
            return (Kept::Duplicate, None);
        }
        let conflicts = kept.iter().filter(|one| one.conflicts_with.is_some()).count();
        if conflicts >= MAX_CONFLICTS {
            return (Kept::TooManyConflicts, None);
        }
        // The newest run of the key: an older one is removed as a whole before its key is new again.
        let number = |one: &EventRecord| {
            self.events.iter().rposition(|other| other == one).map(|n| (n + 1).to_string())
        };
        (Kept::Conflicting, kept[0].conflicts_with.clone().or_else(|| number(kept[0])))
    }

    fn after(&self, sequence: u64, max: usize) -> Vec<(u64, EventRecord)> {
        (1..)
            .zip(&self.events)
            .filter(|(n, _)| *n > sequence)
            .take(max)
            .map(|(n, e)| (n, e.clone()))
            .collect()
    }

    fn depth(&self) -> u64 {
        self.last() - self.acked().unwrap_or(self.removed as u64)
    }

    /// Takes over what the inbox removed, if it was allowed to.
    fn remove(&mut self, kept: &[(u64, EventRecord)]) {
        let removed = self.events.len() - kept.len();
        assert!(removed >= self.removed, "nothing comes back");
        assert_eq!(kept, self.after(removed as u64, usize::MAX), "the newest are kept");
        let newest = at(self.seconds);
        let max_age = SignedDuration::from_secs(MAX_AGE.cast_signed());
        for (sequence, event) in (1..).zip(&self.events).skip(self.removed).take(removed - self.removed) {
            let old = newest.duration_since(event.received_at) > max_age;
            match self.acked() {
                Some(acked) => assert!(sequence <= acked, "{sequence} was not acknowledged"),
                None => assert!(old, "{sequence} is young"),
            }
        }
        self.removed = removed;
    }
}

fn plain(events: Vec<InboxEvent>) -> Vec<(u64, EventRecord)> {
    events.into_iter().map(|event| (event.sequence, event.record)).collect()
}

async fn do_step(step: &Step, model: &mut Model, inbox: &SqliteInbox, reader: &InboxReader) {
    match step {
        Step::Keep { later, key, says, times } => {
            for _ in 0..*times {
                model.seconds += later;
                let body = Bytes::from(vec![b'a' + says; 3000]);
                let key = key.map(|key| key.to_string());
                let event = with_body("live", model.seconds, key.as_deref(), body);
                let mut record = EventRecord::from(event.clone());
                let (expected, conflicts_with) = model.expect(&record);
                match inbox.keep(event).await {
                    Ok(kept) => {
                        assert_eq!(kept, expected);
                        if matches!(kept, Kept::New | Kept::Conflicting) {
                            record.conflicts_with = conflicts_with;
                            model.events.push(record);
                        }
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), SinkErrorKind::Full);
                        assert!(
                            matches!(expected, Kept::New | Kept::Conflicting),
                            "{expected:?} needs no room"
                        );
                        let removable = model.acked().is_some_and(|acked| acked > model.removed as u64);
                        assert!(!removable, "there was something to remove");
                    }
                }
                settled(inbox).await;
                model.remove(&plain(reader.read_after(0, usize::MAX).await.unwrap()));
            }
        }
        Step::Poll { consumer, max } => {
            let cursor = *model.cursors.entry(*consumer).or_insert(model.removed as u64);
            let events = reader.poll(&consumer.to_string(), *max).await.unwrap();
            assert_eq!(plain(events), model.after(cursor, *max));
        }
        Step::Ack { consumer, ahead } => {
            let last = model.last();
            let acked = match model.cursors.get(consumer) {
                Some(cursor) => cursor.saturating_sub(1) + ahead,
                None => *ahead,
            };
            match (model.cursors.get_mut(consumer), reader.ack(&consumer.to_string(), acked).await) {
                (None, Err(InboxError::UnknownConsumer)) => {}
                (Some(_), Err(InboxError::BeyondLast { .. })) => assert!(acked > last),
                (Some(cursor), Ok(())) if acked <= last => *cursor = acked.max(*cursor),
                (cursor, answer) => panic!("cursor {cursor:?}, last {last}, ack of {acked}: {answer:?}"),
            }
        }
        Step::Forget { consumer } => {
            let was = model.cursors.remove(consumer).is_some();
            assert_eq!(reader.forget(&consumer.to_string()).await.unwrap(), was);
        }
        Step::Reopen { .. } => {}
    }
}

async fn follow(steps: &[Step], options: &InboxOptions) {
    let (file, mut model) = (File::new(), Model::default());
    let mut inbox = file.open(options.clone());
    // By turns the inbox's own reader and one of another process.
    let mut readers = [inbox.reader().unwrap(), file.reader()];
    for (n, step) in steps.iter().enumerate() {
        if let Step::Reopen { close } = step {
            if *close {
                inbox.close().await;
            }
            drop(inbox);
            inbox = file.open(options.clone());
            readers = [inbox.reader().unwrap(), file.reader()];
        }
        do_step(step, &mut model, &inbox, &readers[n % 2]).await;
        assert_eq!(settled(&inbox).await, model.depth(), "{step:?}");
        model.remove(&plain(readers[n % 2].read_after(0, usize::MAX).await.unwrap()));
        let consumers = readers[n % 2].consumers().await.unwrap();
        let cursors = consumers.iter().map(|one| (one.name.parse().unwrap(), one.cursor)).collect();
        assert_eq!(model.cursors, cursors);
    }
}

#[test]
fn an_inbox_does_what_a_list_would() {
    let config = ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() };
    let strategy = (vec(step(), 1..30), any::<bool>());
    let checked = TestRunner::new(config).run(&strategy, |(steps, roomy)| {
        let max_bytes = if roomy { 1 << 30 } else { 80 * 1024 };
        let options = InboxOptions::default().max_age(Duration::from_secs(MAX_AGE)).max_bytes(max_bytes);
        run(follow(&steps, &options));
        Ok(())
    });
    if let Err(failure) = checked {
        panic!("{failure}");
    }
}

/// More keys than are held in memory: those that moved to their table are found there, also by the next process.
#[test]
fn what_was_kept_long_ago_is_recognised() {
    const EVENTS: usize = 44_000;
    const CALLERS: usize = 64;
    const SAMPLE: usize = 1_000;
    run(async {
        let file = File::new();
        let inbox = Arc::new(file.open(InboxOptions::default()));
        let callers = (0..CALLERS).map(|caller| {
            let inbox = Arc::clone(&inbox);
            tokio::spawn(async move {
                for n in (caller..EVENTS).step_by(CALLERS) {
                    keep(&inbox, small(n)).await;
                }
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.unwrap();
        }
        let moved: i64 = file.sql().query_row("SELECT count(*) FROM seen", [], |row| row.get(0)).unwrap();
        assert!((1_000..44_000).contains(&moved), "{moved} keys moved");
        for n in (0..EVENTS).step_by(EVENTS / SAMPLE) {
            assert_eq!(inbox.keep(small(n)).await.unwrap(), Kept::Duplicate, "{n}");
        }
        inbox.close().await;
        let inbox = file.open(InboxOptions::default());
        for n in (0..EVENTS).step_by(EVENTS / SAMPLE) {
            assert_eq!(inbox.keep(small(n)).await.unwrap(), Kept::Duplicate, "{n}");
        }
        assert_eq!(inbox.depth().await.unwrap(), Some(EVENTS as u64));
    });
}
