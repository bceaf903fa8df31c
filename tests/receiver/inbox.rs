//! The `SQLite` inbox: consumers, retention, and what goes wrong with files.

mod conflicts;
mod consumers;
mod failures;
mod model;
mod retention;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use record_callback_receiver::{
    EventSink, InboxEvent, InboxOptions, InboxReader, Kept, Received, SqliteInbox,
};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::sinks::suite::{received, with_body};

/// An inbox in a directory of its own.
pub(crate) struct File(TempDir);

impl File {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("inbox.db")
    }

    pub(crate) fn open(&self, options: InboxOptions) -> SqliteInbox {
        SqliteInbox::open(self.path(), options).unwrap()
    }

    pub(crate) fn reader(&self) -> InboxReader {
        InboxReader::open(self.path()).unwrap()
    }

    /// Another program at the same file.
    fn sql(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }
}

/// An event of 4 KiB with a key.
fn big(n: usize) -> Received {
    with_body("live", n, Some(&n.to_string()), Bytes::from(vec![b'x'; 4096]))
}

fn small(n: usize) -> Received {
    received("live", n, Some(&n.to_string()))
}

async fn keep(inbox: &SqliteInbox, event: Received) {
    assert_eq!(inbox.keep(event).await.unwrap(), Kept::New);
}

/// What retention is doing is done before a later call is answered.
async fn settled(inbox: &SqliteInbox) -> u64 {
    inbox.depth().await.unwrap();
    inbox.depth().await.unwrap().unwrap()
}

fn sequences(events: &[InboxEvent]) -> Vec<u64> {
    events.iter().map(|event| event.sequence).collect()
}

async fn kept(reader: &InboxReader) -> Vec<u64> {
    sequences(&reader.read_after(0, usize::MAX).await.unwrap())
}
