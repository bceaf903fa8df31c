use std::io;
use std::sync::Arc;

use record_callback::aliyun::{self, AliyunCallbacks};
use record_callback::huaweicloud::{self, HuaweicloudCallbacks};
use record_callback::receiver::{EventRecord, MemorySink, Receiver, Source};
use record_callback::{SignaturePolicy, SigningKey, SigningScheme, Vendor};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::failure::Failure;

/// A receiver with one source for each cloud.
pub(super) struct Inbox {
    pub(super) addr: String,
    sink: Arc<MemorySink>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Inbox {
    pub(super) async fn start(key: &SigningKey) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let policy = || SignaturePolicy::signed([key.clone()]);
        let aliyun = AliyunCallbacks::new(&addr.to_string(), policy()?)?;
        let huaweicloud = HuaweicloudCallbacks::new(SigningScheme::HmacSha256, policy()?);
        let sink = Arc::new(MemorySink::new());
        let receiver = Receiver::builder(Arc::<MemorySink>::clone(&sink))
            .source(Source::new("streaming", path(aliyun::VENDOR), Arc::new(aliyun))?)
            .source(Source::new("ingest", path(huaweicloud::VENDOR), Arc::new(huaweicloud))?)
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(async move {
            receiver.serve(listener, async { drop(stopped.await) }).await;
        });
        Ok(Self { addr: format!("http://{addr}"), sink, stop, serving })
    }

    pub(super) fn url(&self, vendor: Vendor) -> String {
        format!("{}{}", self.addr, path(vendor))
    }

    /// Everything that was kept.
    pub(super) async fn stop(self) -> Result<Vec<EventRecord>, Failure> {
        drop(self.stop);
        self.serving.await.map_err(io::Error::from)?;
        Ok(self.sink.records())
    }
}

fn path(vendor: Vendor) -> String {
    format!("/callbacks/{vendor}")
}
