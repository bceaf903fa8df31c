use std::sync::Arc;

use record_callback_receiver::{EventRecord, EventSink, InboxOptions};

use super::suite::Store;
use crate::inbox::File;

impl Store for File {
    async fn open(&self) -> Arc<dyn EventSink> {
        Arc::new(File::open(self, InboxOptions::default()))
    }

    async fn kept(&self) -> Vec<EventRecord> {
        let events = self.reader().read_after(0, usize::MAX).await.unwrap();
        events.into_iter().map(|event| event.record).collect()
    }
}

sink_suite!(File::new());
