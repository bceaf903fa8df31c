use std::error::Error as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::{join_all, poll_immediate};
use record_callback_receiver::{InboxError, InboxOptions, Kept, SinkError, SinkErrorKind};

use super::{Arc, EventSink, File, InboxReader, Path, SqliteInbox, keep, kept, sequences, small};
use crate::sinks::suite::{records, run};

fn impatient() -> InboxOptions {
    InboxOptions::default().busy_timeout(Duration::ZERO)
}

fn text(error: &SinkError) -> String {
    let source = error.source().map(|source| format!(": {source}"));
    format!("{error}{}", source.unwrap_or_default())
}

fn refused(path: &Path) -> String {
    let (writer, reader) = (SqliteInbox::open(path, InboxOptions::default()), InboxReader::open(path));
    let (writer, reader) = (writer.unwrap_err(), reader.unwrap_err());
    assert_eq!((writer.kind(), reader.kind()), (SinkErrorKind::Unavailable, SinkErrorKind::Unavailable));
    assert_eq!(text(&writer), text(&reader));
    assert!(writer.to_string().contains(path.to_str().unwrap()), "{writer}");
    text(&writer)
}

#[test]
fn what_is_no_inbox_is_refused_and_left_as_it_is() {
    let file = File::new();
    let diary = "no database, and longer than the header of one, which has a hundred bytes or so ".repeat(9);
    fs::write(file.path(), &diary).unwrap();
    assert!(refused(&file.path()).contains("no SQLite database"));
    assert_eq!(fs::read_to_string(file.path()).unwrap(), diary);

    let file = File::new();
    file.sql().execute_batch("CREATE TABLE event (id)").unwrap();
    let before = fs::read(file.path()).unwrap();
    assert!(refused(&file.path()).contains("another program's database"));
    assert_eq!(fs::read(file.path()).unwrap(), before);

    let file = File::new();
    assert!(refused(&file.path().join("no/such/directory")).contains("cannot be opened"));
    let directory = file.path().parent().unwrap().to_owned();
    assert!(
        text(&SqliteInbox::open(&directory, impatient()).unwrap_err()).contains("it is not a regular file")
    );
    assert!(text(&InboxReader::open(&directory).unwrap_err()).contains("cannot be opened"));
    assert!(InboxReader::open(file.path()).is_err(), "a reader makes no file");
    assert!(!file.path().exists());
}

#[test]
fn a_newer_version_is_refused() {
    run(async {
        let file = File::new();
        let inbox = file.open(InboxOptions::default());
        inbox.close().await;
        file.sql().execute_batch("PRAGMA user_version = 3").unwrap();
        assert!(refused(&file.path()).contains("is of version 3; this program knows versions up to 2"));
    });
}

#[test]
fn it_fails_while_another_process_holds_the_file_and_works_again() {
    run(async {
        let file = File::new();
        let inbox = file.open(impatient());
        let other = file.sql();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        for _ in 0..2 {
            let error = inbox.keep(small(0)).await.unwrap_err();
            assert_eq!(error.kind(), SinkErrorKind::Unavailable);
            assert!(text(&error).contains("locked"), "{}", text(&error));
        }
        assert_eq!(inbox.check().await.unwrap_err().kind(), SinkErrorKind::Unavailable);
        other.execute_batch("ROLLBACK").unwrap();
        inbox.check().await.unwrap();
        keep(&inbox, small(0)).await;
        assert_eq!(kept(&file.reader()).await, [1]);
    });
}

#[test]
fn when_one_write_of_a_batch_fails_the_whole_batch_does_and_can_be_given_again() {
    run(async {
        let file = File::new();
        let inbox = file.open(InboxOptions::default());
        keep(&inbox, small(0)).await;
        let other = file.sql();
        // In the middle of the transaction, as a full disk would.
        other
            .execute_batch(
                "CREATE TRIGGER broken AFTER INSERT ON event WHEN NEW.sequence % 3 = 0
                 BEGIN SELECT RAISE(FAIL, 'the disk is broken'); END",
            )
            .unwrap();
        // Held back until all have come, so that they share transactions.
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        // Of another source, whose row is rolled back with them.
        let events: Vec<_> =
            (0..50).map(|n| crate::sinks::suite::received("another", n, Some(&n.to_string()))).collect();
        let mut begun: Vec<_> = events.iter().map(|event| inbox.keep(event.clone())).collect();
        for keep in &mut begun {
            assert!(poll_immediate(keep).await.is_none());
        }
        other.execute_batch("COMMIT").unwrap();
        let answers = join_all(begun).await;
        let failed = answers.iter().filter(|answer| answer.is_err()).count();
        assert!(failed >= 48, "{failed}");
        for error in answers.into_iter().filter_map(Result::err) {
            assert_eq!(error.kind(), SinkErrorKind::Unavailable);
            assert!(text(&error).contains("the disk is broken"), "{}", text(&error));
        }
        assert_eq!(kept(&file.reader()).await.len(), 51 - failed);
        assert_eq!(inbox.keep(small(0)).await.unwrap(), Kept::Duplicate);

        other.execute_batch("DROP TRIGGER broken").unwrap();
        inbox.check().await.unwrap();
        let again = join_all(events.iter().map(|event| inbox.keep(event.clone()))).await;
        let new = again.iter().filter(|kept| matches!(kept, Ok(Kept::New))).count();
        assert_eq!(new, failed);
        assert_eq!(kept(&file.reader()).await, (1..=51).collect::<Vec<_>>());
    });
}

#[test]
fn check_tries_the_disk_each_time() {
    run(async {
        let file = File::new();
        let inbox = file.open(InboxOptions::default());
        let other = file.sql();
        other
            .execute_batch(
                "CREATE TRIGGER broken AFTER UPDATE ON inbox BEGIN SELECT RAISE(FAIL, 'the disk is broken'); END",
            )
            .unwrap();
        for _ in 0..2 {
            assert!(text(&inbox.check().await.unwrap_err()).contains("the disk is broken"));
        }
        other.execute_batch("DROP TRIGGER broken").unwrap();
        inbox.check().await.unwrap();
        inbox.check().await.unwrap();
        keep(&inbox, small(0)).await;
    });
}

/// Where an open file cannot be moved, this cannot happen.
#[cfg(unix)]
#[test]
fn nothing_is_kept_where_nobody_would_find_it() {
    run(async {
        let file = File::new();
        let inbox = file.open(InboxOptions::default());
        keep(&inbox, small(0)).await;
        let away = file.path().with_extension("away");
        fs::rename(file.path(), &away).unwrap();
        let error = inbox.keep(small(1)).await.unwrap_err();
        assert_eq!(error.kind(), SinkErrorKind::Unavailable);
        assert!(error.to_string().ends_with("is gone") && error.source().is_some(), "{}", text(&error));
        assert!(text(&inbox.check().await.unwrap_err()).contains("is gone"));

        fs::write(file.path(), "").unwrap();
        assert!(text(&inbox.keep(small(1)).await.unwrap_err()).contains("another file is in its place"));

        fs::rename(&away, file.path()).unwrap();
        inbox.check().await.unwrap();
        keep(&inbox, small(1)).await;
        assert_eq!(kept(&file.reader()).await, [1, 2]);
    });
}

#[cfg(unix)]
#[test]
fn nothing_is_kept_without_the_log() {
    run(async {
        let file = File::new();
        let inbox = file.open(InboxOptions::default());
        keep(&inbox, small(0)).await;
        let log = PathBuf::from(format!("{}-wal", file.path().display()));
        fs::rename(&log, log.with_extension("away")).unwrap();
        assert!(text(&inbox.keep(small(1)).await.unwrap_err()).contains("inbox.db-wal"));
        assert!(text(&inbox.check().await.unwrap_err()).contains("is gone"));
        fs::rename(log.with_extension("away"), &log).unwrap();
        inbox.check().await.unwrap();
        keep(&inbox, small(1)).await;
    });
}

/// Another receiver could start; so the check says it once, and the lock is taken again.
#[cfg(unix)]
#[test]
fn a_lost_lock_is_said_and_taken_again() {
    run(async {
        let file = File::new();
        let inbox = file.open(impatient());
        let lock = PathBuf::from(format!("{}.lock", file.path().display()));
        fs::remove_file(&lock).unwrap();
        assert!(text(&inbox.check().await.unwrap_err()).contains("its lock file was removed or replaced"));
        inbox.check().await.unwrap();
        SqliteInbox::open(file.path(), impatient()).unwrap_err();
        fs::remove_file(&lock).unwrap();
        keep(&inbox, small(0)).await;
        SqliteInbox::open(file.path(), impatient()).unwrap_err();

        // Another one was faster: this one keeps nothing until that one ends, and then knows what it kept.
        fs::remove_file(&lock).unwrap();
        let other = file.open(impatient());
        for _ in 0..2 {
            assert!(
                text(&inbox.keep(small(1)).await.unwrap_err()).contains("another receiver holds the new one")
            );
            assert!(text(&inbox.check().await.unwrap_err()).contains("another receiver holds the new one"));
        }
        keep(&other, small(1)).await;
        other.close().await;
        inbox.check().await.unwrap_err();
        inbox.check().await.unwrap();
        assert_eq!(inbox.keep(small(1)).await.unwrap(), Kept::Duplicate);
        keep(&inbox, small(2)).await;
        assert_eq!(kept(&file.reader()).await, [1, 2, 3]);
    });
}

#[cfg(unix)]
#[test]
fn links_and_files_that_others_write_are_refused() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    run(async {
        let refused = |path: &Path| text(&SqliteInbox::open(path, impatient()).unwrap_err());
        let file = File::new();
        let link = file.path().with_extension("link");
        symlink(file.path(), &link).unwrap();
        assert!(refused(&link).contains("it is a symbolic link"), "dangling");
        assert!(!file.path().exists());
        for beside in ["-wal", "-shm", ".lock"] {
            let beside = PathBuf::from(format!("{}{beside}", file.path().display()));
            symlink(file.path().with_extension("victim"), &beside).unwrap();
            assert!(refused(&file.path()).contains("it is a symbolic link"));
            fs::remove_file(&beside).unwrap();
        }
        let inbox = file.open(impatient());
        inbox.close().await;
        assert!(refused(&link).contains("it is a symbolic link"));
        let mode = |mode| fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
        for others_write in [0o620, 0o602, 0o666] {
            mode(others_write);
            assert!(refused(&file.path()).contains("others may write to it"));
        }
        mode(0o644);
        drop(file.open(impatient()));
    });
}

#[test]
fn a_copy_of_the_files_has_every_event_that_was_answered() {
    run(async {
        let file = File::new();
        let inbox = Arc::new(file.open(InboxOptions::default()));
        let mut events = Vec::new();
        for round in 0..5 {
            let new: Vec<_> = (round * 20..round * 20 + 20).map(small).collect();
            join_all(new.iter().map(|event| keep(&inbox, event.clone()))).await;
            events.extend(new);

            // What a crash leaves: the log was not copied into the database, nothing was closed.
            let crashed = File::new();
            for suffix in ["", "-wal"] {
                let name = |path: &Path| format!("{}{suffix}", path.display());
                fs::copy(name(&file.path()), name(&crashed.path())).unwrap();
            }
            let inbox = crashed.open(InboxOptions::default());
            let found = crashed.reader().read_after(0, usize::MAX).await.unwrap();
            let mut found: Vec<_> = found.into_iter().map(|event| event.record).collect();
            found.sort_by_key(|record| record.received_at);
            assert_eq!(found, records(&events));
            for event in &events {
                assert_eq!(inbox.keep(event.clone()).await.unwrap(), Kept::Duplicate);
            }
            keep(&inbox, small(1000)).await;
        }
    });
}

#[test]
fn calls_that_wait_share_a_transaction() {
    run(async {
        let file = File::new();
        let inbox = file.open(InboxOptions::default());
        let other = file.sql();
        other
            .execute_batch(
                "CREATE TABLE written (last);
                 CREATE TRIGGER written AFTER UPDATE ON inbox
                 BEGIN INSERT INTO written VALUES (NEW.last_sequence); END;
                 BEGIN IMMEDIATE",
            )
            .unwrap();
        let mut begun: Vec<_> = (0..300).map(|n| inbox.keep(small(n))).collect();
        for keep in &mut begun {
            assert!(poll_immediate(keep).await.is_none());
        }
        other.execute_batch("COMMIT").unwrap();
        for kept in join_all(begun).await {
            assert_eq!(kept.unwrap(), Kept::New);
        }
        let written: i64 = other.query_row("SELECT count(*) FROM written", [], |row| row.get(0)).unwrap();
        assert!((1..=3).contains(&written), "{written} transactions");
        assert_eq!(kept(&file.reader()).await.len(), 300);
    });
}

#[test]
fn closing_keeps_everything_that_was_begun_in_one_file() {
    run(async {
        let file = File::new();
        let inbox = file.open(InboxOptions::default());
        let other = file.sql();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut begun: Vec<_> = (0..300).map(|n| inbox.keep(small(n))).collect();
        for keep in &mut begun {
            assert!(poll_immediate(keep).await.is_none());
        }
        let mut close = Box::pin(inbox.close());
        assert!(poll_immediate(&mut close).await.is_none());
        other.execute_batch("COMMIT").unwrap();
        close.await;
        for kept in join_all(begun).await {
            assert_eq!(kept.unwrap(), Kept::New);
        }
        drop(other);
        let copy = File::new();
        fs::copy(file.path(), copy.path()).unwrap();
        assert_eq!(kept(&copy.reader()).await.len(), 300, "without the log");
        assert_eq!(inbox.keep(small(0)).await.unwrap_err().kind(), SinkErrorKind::Closed);
        assert_eq!(inbox.depth().await.unwrap_err().kind(), SinkErrorKind::Closed);
    });
}

#[test]
fn one_receiver_at_a_time_keeps_events() {
    run(async {
        let file = File::new();
        let inbox = file.open(impatient());
        let refused = |path: &Path| {
            let error = SqliteInbox::open(path, impatient()).unwrap_err();
            assert_eq!(error.kind(), SinkErrorKind::Unavailable);
            assert!(
                error.to_string().starts_with("another receiver writes to the inbox"),
                "{}",
                text(&error)
            );
        };
        refused(&file.path());
        #[cfg(unix)]
        {
            // The same file by another way.
            let link = file.path().parent().unwrap().join("link");
            std::os::unix::fs::symlink(file.path().parent().unwrap(), &link).unwrap();
            refused(&link.join("inbox.db"));
        }
        // Who was refused takes nothing away from the other.
        keep(&inbox, small(0)).await;
        let reader = file.reader();
        assert_eq!(reader.poll("a", 9).await.unwrap().len(), 1);
        reader.ack("a", 1).await.unwrap();
        inbox.close().await;
        let next = file.open(impatient());
        assert_eq!(next.keep(small(0)).await.unwrap(), Kept::Duplicate);
        refused(&file.path());
    });
}

#[test]
fn a_receiver_waits_for_the_one_before_it_to_end() {
    run(async {
        let file = File::new();
        let inbox = file.open(InboxOptions::default());
        let path = file.path();
        let next = tokio::task::spawn_blocking(move || SqliteInbox::open(path, InboxOptions::default()));
        tokio::time::sleep(Duration::from_millis(50)).await;
        keep(&inbox, small(0)).await;
        drop(inbox);
        let next = next.await.unwrap().unwrap();
        assert_eq!(next.keep(small(0)).await.unwrap(), Kept::Duplicate);
    });
}

#[test]
fn what_nobody_waits_for_any_more_is_not_written() {
    run(async {
        let file = File::new();
        let inbox = file.open(InboxOptions::default());
        let other = file.sql();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut given_up: Vec<_> = (0..3).map(|n| inbox.keep(small(n))).collect();
        for keep in &mut given_up {
            assert!(poll_immediate(keep).await.is_none());
        }
        // By now the writer has them, and waits for the other process.
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(given_up);
        other.execute_batch("COMMIT").unwrap();
        keep(&inbox, small(1)).await;
        let events = file.reader().read_after(0, usize::MAX).await.unwrap();
        let events: Vec<_> = events.into_iter().map(|event| event.record).collect();
        assert_eq!(events, records(&[small(1)]));
    });
}

#[cfg(unix)]
#[test]
fn the_files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    run(async {
        let file = File::new();
        let inbox = file.open(InboxOptions::default());
        keep(&inbox, small(0)).await;
        let files: Vec<_> =
            fs::read_dir(file.path().parent().unwrap()).unwrap().map(|file| file.unwrap()).collect();
        assert_eq!(files.len(), 4, "the database, its log, its index and the lock: {files:?}");
        for file in files {
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
        }
    });
}

#[test]
fn what_comes_before_an_event_that_cannot_be_read_is_given() {
    run(async {
        let body = "UPDATE event SET body = '{' WHERE sequence = 3";
        let key = "UPDATE event SET dedupe_key = x'00' WHERE sequence = 3";
        for damage in [body, key] {
            let file = File::new();
            let inbox = file.open(InboxOptions::default());
            for n in 0..5 {
                keep(&inbox, small(n)).await;
            }
            file.sql().execute_batch(damage).unwrap();
            let reader = file.reader();
            assert_eq!(sequences(&reader.poll("a", 9).await.unwrap()), [1, 2], "the first poll");
            assert_eq!(sequences(&reader.poll("a", 9).await.unwrap()), [1, 2]);
            assert_eq!(sequences(&reader.read_after(1, 9).await.unwrap()), [2]);
            reader.ack("a", 2).await.unwrap();
            let error = reader.poll("a", 9).await.unwrap_err();
            assert_eq!(
                matches!(error, InboxError::Unreadable { sequence: 3, .. }),
                damage == body,
                "{error:?}"
            );
            reader.ack("a", 3).await.unwrap();
            assert_eq!(sequences(&reader.poll("a", 9).await.unwrap()), [4, 5], "passed over");
        }
    });
}
