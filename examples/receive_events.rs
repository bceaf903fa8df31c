//! Receive callbacks of both vendors in an axum app of your own, and take the events at least once.
//!
//! Run with `cargo run -p record-callback-examples --example receive_events`.

use std::error::Error;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use record_callback::aliyun::AliyunCallbacks;
use record_callback::huaweicloud::HuaweicloudCallbacks;
use record_callback::receiver::{InboxOptions, Receiver, Source, SqliteInbox};
use record_callback::{SignaturePolicy, SigningKey, SigningScheme};
use record_callback_mock::{AliyunEvent, AliyunSender, HuaweicloudEvent, HuaweicloudSender};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;

    // Two keys are active while one is changed for the other.
    let (key, old_key) = (SigningKey::generate()?, SigningKey::generate()?);
    let policy = || SignaturePolicy::signed([key.clone(), old_key.clone()]);
    // Aliyun signs the host of the callback URL. It is configured, never taken from a request.
    let aliyun = AliyunCallbacks::new(&addr.to_string(), policy()?)?;
    let huaweicloud = HuaweicloudCallbacks::new(SigningScheme::HmacSha256, policy()?);

    let directory = tempfile::tempdir()?;
    let inbox = Arc::new(SqliteInbox::open(directory.path().join("inbox.db"), InboxOptions::default())?);
    let receiver = Receiver::builder(inbox.clone())
        .source(Source::new("live", "/callbacks/aliyun", Arc::new(aliyun))?)
        .source(Source::new("push", "/callbacks/huaweicloud", Arc::new(huaweicloud))?)
        .build()?;
    let app = Router::new().route("/", get(|| async { "a platform" })).merge(receiver.router());
    tokio::spawn(async move { axum::serve(listener, app).await });

    // Now the clouds send; here the mock ones do.
    let file = AliyunEvent::file("live.example.com", "app", "match-7");
    let sender = AliyunSender::new(format!("http://{addr}/callbacks/aliyun")).key(old_key.expose());
    for delivery in ["the first", "the same again"] {
        println!("{delivery}: {:?}", sender.send(&file).await.last().and_then(|answer| answer.status));
    }
    let failure =
        HuaweicloudEvent::record_failed("push.example.com", "app", "match-7", "no space in the bucket");
    let sender = HuaweicloudSender::new(format!("http://{addr}/callbacks/huaweicloud")).key(key.expose());
    println!("another: {:?}", sender.send(&failure).await.last().and_then(|answer| answer.status));

    // A consumer is done with an event when it says so; until then it gets it again.
    let reader = inbox.reader()?;
    for event in reader.poll("billing", 100).await? {
        let record = &event.record;
        let kind = record.event.kind.as_ref().map_or("not understood".to_owned(), ToString::to_string);
        let stream = record.event.stream.as_deref().unwrap_or("-");
        println!(
            "{} {}: {kind} of {stream}, proven: {:?}",
            event.sequence, record.source, record.assurance.proven
        );
        reader.ack("billing", event.sequence).await?;
    }
    receiver.close().await;
    Ok(())
}
