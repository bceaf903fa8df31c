use std::time::Duration;

use record_callback_receiver::{InboxOptions, Kept, SinkErrorKind};

use super::{EventSink, File, big, keep, kept, settled, small};
use crate::sinks::suite::run;

const MINUTE: usize = 60;

fn an_hour() -> InboxOptions {
    InboxOptions::default().max_age(Duration::from_secs(3600))
}

fn small_file() -> InboxOptions {
    InboxOptions::default().max_bytes(256 * 1024)
}

#[test]
fn without_consumers_age_alone_counts() {
    run(async {
        let file = File::new();
        let inbox = file.open(an_hour());
        for n in [0, MINUTE, 59 * MINUTE, 60 * MINUTE] {
            keep(&inbox, small(n)).await;
        }
        assert_eq!(settled(&inbox).await, 4, "an hour is not more than an hour");
        keep(&inbox, small(60 * MINUTE + 1)).await;
        assert_eq!(settled(&inbox).await, 4);
        assert_eq!(kept(&file.reader()).await, [2, 3, 4, 5]);
        // What is gone is forgotten: the same event is new.
        keep(&inbox, small(0)).await;
    });
}

#[test]
fn what_somebody_has_not_acknowledged_is_never_too_old() {
    run(async {
        let file = File::new();
        let inbox = file.open(an_hour());
        let reader = inbox.reader().unwrap();
        for n in 0..4 {
            keep(&inbox, small(n)).await;
        }
        for consumer in ["fast", "slow"] {
            assert_eq!(reader.poll(consumer, 9).await.unwrap().len(), 4);
        }
        reader.ack("fast", 4).await.unwrap();
        reader.ack("slow", 1).await.unwrap();
        keep(&inbox, small(1000 * MINUTE)).await;
        settled(&inbox).await;
        assert_eq!(kept(&reader).await, [1, 2, 3, 4, 5], "the clock is not believed yet");
        keep(&inbox, small(1001 * MINUTE)).await;
        settled(&inbox).await;
        assert_eq!(kept(&reader).await, [2, 3, 4, 5, 6]);
        reader.forget("slow").await.unwrap();
        keep(&inbox, small(1002 * MINUTE)).await;
        settled(&inbox).await;
        assert_eq!(kept(&reader).await, [5, 6, 7]);
    });
}

#[test]
fn a_clock_that_jumps_ahead_removes_nothing() {
    run(async {
        let file = File::new();
        let inbox = file.open(an_hour());
        for n in 0..102 {
            keep(&inbox, small(n)).await;
        }
        keep(&inbox, small(40 * 24 * 60 * MINUTE)).await;
        assert_eq!(settled(&inbox).await, 103);
        // Nor does the next process believe it.
        inbox.close().await;
        let inbox = file.open(an_hour());
        keep(&inbox, small(40 * 24 * 60 * MINUTE + 59)).await;
        keep(&inbox, small(103)).await;
        assert_eq!(settled(&inbox).await, 105);
        assert_eq!(kept(&file.reader()).await, (1..=105).collect::<Vec<_>>());
    });
}

#[test]
fn an_acknowledged_event_that_is_young_stays() {
    run(async {
        let file = File::new();
        let inbox = file.open(an_hour());
        let reader = inbox.reader().unwrap();
        keep(&inbox, small(0)).await;
        reader.poll("a", 1).await.unwrap();
        reader.ack("a", 1).await.unwrap();
        keep(&inbox, small(MINUTE)).await;
        settled(&inbox).await;
        assert_eq!(kept(&reader).await, [1, 2]);
        assert_eq!(inbox.keep(small(0)).await.unwrap(), Kept::Duplicate);
    });
}

#[test]
fn more_than_one_step_is_removed_though_nothing_more_arrives() {
    run(async {
        let file = File::new();
        let inbox = file.open(an_hour());
        futures_util::future::join_all((0..1500).map(|n| keep(&inbox, small(n % 50 * 1500 + n)))).await;
        // Days later, by a clock that a minute of events agrees with.
        keep(&inbox, small(1_000_000)).await;
        keep(&inbox, small(1_000_060)).await;
        while settled(&inbox).await > 2 {}
        assert_eq!(kept(&file.reader()).await, [1501, 1502]);
    });
}

#[test]
fn a_sequence_is_never_used_again() {
    run(async {
        let file = File::new();
        let inbox = file.open(InboxOptions::default().max_age(Duration::ZERO));
        let reader = inbox.reader().unwrap();
        keep(&inbox, small(0)).await;
        keep(&inbox, small(10)).await;
        assert_eq!(inbox.keep(small(10)).await.unwrap(), Kept::Duplicate, "and leaves no gap");
        keep(&inbox, small(20)).await;
        assert_eq!(settled(&inbox).await, 1);
        file.sql().execute("DELETE FROM event", []).unwrap();
        inbox.close().await;
        let inbox = file.open(InboxOptions::default());
        assert_eq!(inbox.depth().await.unwrap(), Some(0));
        keep(&inbox, small(30)).await;
        assert_eq!(kept(&reader).await, [4]);
        assert_eq!(reader.poll("late", 9).await.unwrap().len(), 1);
    });
}

#[test]
fn a_full_inbox_says_so_until_consumers_take_events() {
    run(async {
        let file = File::new();
        let inbox = file.open(small_file());
        let reader = inbox.reader().unwrap();
        assert_eq!(reader.poll("a", 1).await.unwrap(), []);
        let mut held = 0;
        while inbox.keep(big(held)).await.is_ok_and(|kept| kept == Kept::New) {
            held += 1;
            assert!(held < 100, "there is a limit");
        }
        assert!(held > 20, "{held}");
        for _ in 0..3 {
            assert_eq!(inbox.keep(big(1000)).await.unwrap_err().kind(), SinkErrorKind::Full);
        }
        assert_eq!(inbox.check().await.unwrap_err().kind(), SinkErrorKind::Full);
        assert_eq!(inbox.keep(big(0)).await.unwrap(), Kept::Duplicate, "a duplicate needs no room");
        assert_eq!(kept(&reader).await.len(), held, "nothing unacknowledged was removed");

        reader.ack("a", 10).await.unwrap();
        inbox.check().await.unwrap();
        keep(&inbox, big(1000)).await;
        settled(&inbox).await;
        let kept = kept(&reader).await;
        assert_eq!(kept, (11..=held as u64 + 1).collect::<Vec<_>>());
    });
}

#[test]
fn a_full_inbox_without_consumers_gives_nothing_up() {
    run(async {
        let file = File::new();
        let inbox = file.open(small_file());
        let mut held = 0;
        while inbox.keep(big(held)).await.is_ok() {
            held += 1;
            assert!(held < 100);
        }
        settled(&inbox).await;
        let reader = file.reader();
        assert_eq!(kept(&reader).await.len(), held);
        inbox.close().await;
        // Somebody gave it more room.
        let inbox = file.open(InboxOptions::default());
        keep(&inbox, big(held)).await;
        assert_eq!(kept(&reader).await.len(), held + 1);
    });
}

#[test]
fn the_file_does_not_grow_while_consumers_keep_up() {
    run(async {
        let file = File::new();
        let inbox = file.open(small_file());
        let reader = inbox.reader().unwrap();
        let mut most = 0;
        for round in 0..60 {
            // By fives: the 60 rounds are three times what there is room for.
            futures_util::future::join_all((0..5).map(|n| keep(&inbox, big(round * 5 + n)))).await;
            let events = reader.poll("a", 100).await.unwrap();
            reader.ack("a", events.last().unwrap().sequence).await.unwrap();
            most = most.max(kept(&reader).await.len());
        }
        let pages: u32 = file.sql().query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        assert!(pages * 4096 < 2 * 256 * 1024, "{pages} pages");
        assert!(most >= 20, "no more is removed than has to be: {most}");
        assert_eq!(inbox.depth().await.unwrap(), Some(0));
    });
}
