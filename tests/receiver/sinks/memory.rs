use std::sync::{Arc, Mutex};

use futures_util::future::poll_immediate;
use record_callback_receiver::{EventRecord, EventSink, Kept, MemorySink, SinkErrorKind};

use super::suite::{Store, received, records, run};

/// Memory that outlives its sink.
#[derive(Default)]
struct Memory(Mutex<Arc<MemorySink>>);

impl Store for Memory {
    async fn open(&self) -> Arc<dyn EventSink> {
        let mut sink = self.0.lock().unwrap();
        *sink = Arc::new(MemorySink::with_records(sink.records()));
        Arc::<MemorySink>::clone(&sink)
    }

    async fn kept(&self) -> Vec<EventRecord> {
        self.0.lock().unwrap().records()
    }
}

sink_suite!(Memory::default());

#[test]
fn it_fails_when_told_to() {
    run(async {
        let sink = MemorySink::new();
        for kind in [SinkErrorKind::Full, SinkErrorKind::Unavailable, SinkErrorKind::Closed] {
            sink.fail_with(Some(kind));
            assert_eq!(sink.keep(received("live", 1, Some("key"))).await.unwrap_err().kind(), kind);
            assert_eq!(sink.check().await.unwrap_err().kind(), kind);
            assert_eq!(sink.depth().await.unwrap_err().kind(), kind);
        }
        sink.fail_with(None);
        sink.check().await.unwrap();
        assert_eq!(sink.keep(received("live", 1, Some("key"))).await.unwrap(), Kept::New);
        assert_eq!(sink.depth().await.unwrap(), Some(1));
    });
}

#[test]
fn it_waits_for_events() {
    run(async {
        let sink = MemorySink::new();
        let events = [received("live", 1, Some("key")), received("live", 2, None)];
        let mut two = Box::pin(sink.wait_for(2));
        assert_eq!(poll_immediate(&mut two).await, None);
        sink.keep(events[0].clone()).await.unwrap();
        sink.keep(events[0].clone()).await.unwrap();
        assert_eq!(poll_immediate(&mut two).await, None, "a duplicate does not count");
        sink.keep(events[1].clone()).await.unwrap();
        assert_eq!(two.await, records(&events));
        assert_eq!(sink.wait_for(0).await.len(), 2);
    });
}
