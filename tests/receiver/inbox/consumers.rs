use record_callback_receiver::{Consumer, InboxError, InboxOptions};

use super::{Arc, EventSink, File, InboxReader, SqliteInbox, keep, sequences, small};
use crate::sinks::suite::{records, run};

async fn polled(reader: &InboxReader, consumer: &str, max: usize) -> Vec<u64> {
    sequences(&reader.poll(consumer, max).await.unwrap())
}

fn shown(consumers: &[Consumer]) -> Vec<(&str, u64, u64)> {
    consumers.iter().map(|one| (one.name.as_str(), one.cursor, one.lag)).collect()
}

/// What holds through the inbox's own reader and through one of another process.
async fn take_turns(inbox: &SqliteInbox, reader: &InboxReader) {
    for n in 0..5 {
        keep(inbox, small(n)).await;
    }
    assert!(matches!(reader.ack("a", 1).await, Err(InboxError::UnknownConsumer)));
    let events = reader.poll("a", 2).await.unwrap();
    assert_eq!(sequences(&events), [1, 2]);
    let kept: Vec<_> = events.into_iter().map(|event| event.record).collect();
    assert_eq!(kept, records(&[small(0), small(1)]));
    assert_eq!(polled(reader, "a", 2).await, [1, 2], "given again until acknowledged");

    reader.ack("a", 1).await.unwrap();
    assert_eq!(polled(reader, "a", 9).await, [2, 3, 4, 5]);
    assert_eq!(polled(reader, "b", 9).await, [1, 2, 3, 4, 5], "another consumer, another cursor");
    assert_eq!(inbox.depth().await.unwrap(), Some(5), "the slowest counts");

    reader.ack("a", 4).await.unwrap();
    reader.ack("a", 2).await.unwrap();
    assert_eq!(polled(reader, "a", 9).await, [5], "never backwards");
    for beyond in [6, u64::MAX] {
        let refused = reader.ack("a", beyond).await;
        assert!(
            matches!(refused, Err(InboxError::BeyondLast { sequence, last: 5 }) if sequence == beyond),
            "{refused:?}"
        );
    }
    assert_eq!(shown(&reader.consumers().await.unwrap()), [("a", 4, 1), ("b", 0, 5)]);

    assert!(reader.forget("b").await.unwrap());
    assert!(!reader.forget("b").await.unwrap());
    assert_eq!(inbox.depth().await.unwrap(), Some(1));
    reader.ack("a", 5).await.unwrap();
    assert!(polled(reader, "a", 9).await.is_empty());
    assert_eq!(sequences(&reader.read_after(3, 1).await.unwrap()), [4], "read whoever acknowledged");
}

#[test]
fn every_event_is_given_until_it_is_acknowledged() {
    run(async {
        let file = File::new();
        let inbox = file.open(InboxOptions::default());
        take_turns(&inbox, &inbox.reader().unwrap()).await;
    });
}

#[test]
fn another_process_takes_events_while_the_inbox_is_open() {
    run(async {
        let file = File::new();
        let inbox = file.open(InboxOptions::default());
        take_turns(&inbox, &file.reader()).await;
    });
}

#[test]
fn cursors_outlive_the_process_and_the_inbox_its_writer() {
    run(async {
        let file = File::new();
        let inbox = file.open(InboxOptions::default());
        let reader = inbox.reader().unwrap();
        for n in 0..3 {
            keep(&inbox, small(n)).await;
        }
        assert_eq!(polled(&reader, "a", 9).await, [1, 2, 3]);
        reader.ack("a", 1).await.unwrap();
        inbox.close().await;
        reader.ack("a", 2).await.unwrap();
        drop((inbox, reader));
        assert_eq!(polled(&file.reader(), "a", 9).await, [3]);
        let inbox = file.open(InboxOptions::default());
        assert_eq!(inbox.depth().await.unwrap(), Some(1));
    });
}

#[test]
fn a_reader_sees_whole_events_in_order_while_others_are_written() {
    run(async {
        let file = File::new();
        let inbox = Arc::new(file.open(InboxOptions::default()));
        let reader = file.reader();
        let writer = {
            let inbox = Arc::clone(&inbox);
            tokio::spawn(async move {
                for n in 0..200 {
                    keep(&inbox, small(n)).await;
                }
            })
        };
        let mut seen = Vec::new();
        while seen.len() < 200 {
            seen.extend(reader.read_after(seen.len() as u64, 50).await.unwrap());
        }
        writer.await.unwrap();
        assert_eq!(sequences(&seen), (1..=200).collect::<Vec<_>>());
        let seen: Vec<_> = seen.into_iter().map(|event| event.record).collect();
        assert_eq!(seen, records(&(0..200).map(small).collect::<Vec<_>>()));
    });
}
