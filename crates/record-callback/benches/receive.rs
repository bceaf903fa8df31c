//! A receiver against a bare axum handler that reads the same body.
//!
//! `cargo bench -p record-callback --features receiver --bench receive`. One thread sends over 64 connections, two serve,
//! and all share the machine; rounds are interleaved. With `-- memory` it keeps a million events instead, and prints
//! how much memory the process has on the way.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a benchmark prints, and may stop"
)]

mod load;
mod ratio;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use axum::serve::ListenerExt;
use hmac::{KeyInit, Mac};
use record_callback::aliyun::AliyunCallbacks;
use record_callback::huaweicloud::HuaweicloudCallbacks;
use record_callback::receiver::{
    EventSink, InboxOptions, Kept, Received, Receiver, SinkError, Source, SqliteInbox,
};
use record_callback::{SignaturePolicy, SigningKey, SigningScheme, Timestamp};

use load::{Outcome, Prepared};

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(1500);
const CONNECTIONS: usize = 64;
const MEMORY_EVENTS: u64 = 1_000_000;
/// Room for all of them.
const INBOX_BYTES: u64 = 8 << 30;
const KEY: &str = "0123456789abcdefghijklmnopqrstuv";

fn main() {
    // Two threads serve; the load has its own.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    if std::env::args().any(|argument| argument == "memory") {
        runtime.block_on(memory());
    } else {
        runtime.block_on(ratios());
    }
}

async fn ratios() {
    let directory = tempfile::tempdir().expect("a directory");
    let inbox = directory.path().join("inbox.db");
    let sink = Arc::new(open(&inbox));
    let servers = [
        (
            "bare axum",
            serve(Router::new().route("/huaweicloud", post(async |_: Bytes| "{}"))).await,
            "/huaweicloud",
        ),
        ("aliyun, verified and discarded", serve(receiver(Arc::new(Discard)).router()).await, "/aliyun"),
        (
            "huaweicloud, verified and discarded",
            serve(receiver(Arc::new(Discard)).router()).await,
            "/huaweicloud",
        ),
        (
            "huaweicloud, kept in SQLite",
            serve(receiver(Arc::<SqliteInbox>::clone(&sink)).router()).await,
            "/huaweicloud",
        ),
    ];
    let mut rounds: [Vec<Vec<f64>>; 3] = Default::default();
    let mut kept = 0;
    for round in 0..=ROUNDS {
        let mut figures: [Vec<f64>; 3] = std::array::from_fn(|_| vec![0.0; servers.len()]);
        for turn in 0..servers.len() {
            // Every other round in reverse, so that no place in the round is an advantage.
            let turn = if round % 2 == 0 { turn } else { servers.len() - 1 - turn };
            let (_, addr, path) = servers[turn];
            let request = request(path);
            let Outcome { answered, per_second, p50, p99 } =
                load::run(addr, &request, CONNECTIONS, |elapsed, _| elapsed >= ROUND).await;
            for (figure, value) in figures.iter_mut().zip([per_second, p50, p99]) {
                figure[turn] = value;
            }
            if turn == servers.len() - 1 {
                kept += answered;
            }
        }
        // The first round opens connections and fills caches.
        if round > 0 {
            for (rounds, figures) in rounds.iter_mut().zip(figures) {
                rounds.push(figures);
            }
        }
    }
    let names = servers.map(|(name, ..)| name);
    for (unit, rounds) in ["events/s", "p50 us", "p99 us"].into_iter().zip(&rounds) {
        ratio::print(unit, &names, rounds);
    }
    let stored = sink.depth().await.expect("an inbox").expect("a number");
    sink.close().await;
    let bytes = std::fs::metadata(&inbox).expect("an inbox").len();
    println!("{kept} events acknowledged, {stored} in the inbox, {} bytes each", bytes / stored);
}

async fn memory() {
    let directory = tempfile::tempdir().expect("a directory");
    let sink = Arc::new(open(&directory.path().join("inbox.db")));
    let addr = serve(receiver(Arc::<SqliteInbox>::clone(&sink)).router()).await;
    let mut kept = 0;
    println!("{kept:>9} events: {:>6} KiB resident", resident());
    while kept < MEMORY_EVENTS {
        // Signed times are good for minutes; each part is signed afresh.
        let part = MEMORY_EVENTS / 10;
        let outcome =
            load::run(addr, &request("/huaweicloud"), CONNECTIONS, move |_, answered| answered >= part).await;
        kept += outcome.answered;
        println!("{kept:>9} events: {:>6} KiB resident, {:.0} events/s", resident(), outcome.per_second);
    }
    sink.close().await;
}

/// Resident memory of this process, the load included.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn open(path: &Path) -> SqliteInbox {
    SqliteInbox::open(path, InboxOptions::default().max_bytes(INBOX_BYTES)).expect("an inbox")
}

fn receiver(sink: Arc<dyn EventSink>) -> Receiver {
    let policy = || SignaturePolicy::signed([SigningKey::new(KEY).expect("a key")]).expect("a key");
    let aliyun = AliyunCallbacks::new("cb.example.com", policy()).expect("a host");
    let huaweicloud = HuaweicloudCallbacks::new(SigningScheme::HmacSha256, policy());
    Receiver::builder(sink)
        .source(Source::new("aliyun", "/aliyun", Arc::new(aliyun)).expect("a source"))
        .source(Source::new("huaweicloud", "/huaweicloud", Arc::new(huaweicloud)).expect("a source"))
        .build()
        .expect("sources")
}

async fn serve(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let addr = listener.local_addr().expect("a bound port");
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    tokio::spawn(async move { axum::serve(listener, router).await.expect("a server") });
    addr
}

/// A delivery to `path`, signed now.
fn request(path: &str) -> Prepared {
    let time = Timestamp::now().as_second();
    if path == "/aliyun" {
        let signature = <md5::Md5 as md5::Digest>::digest(format!("cb.example.com|{time}|{KEY}"));
        let headers =
            format!("ALI-LIVE-TIMESTAMP: {time}\r\nALI-LIVE-SIGNATURE: {}\r\n", hex::encode(signature));
        let body = r#"{"domain":"live.example.com","app":"app1","stream":"s1","uri":"app1/s1/0000000000000000_2017-03-08-23:10:40.flv","duration":69.403,"start_time":1488985786,"stop_time":1488985840,"push_args":{"callback_args1":"value1"}}"#;
        return Prepared::post(path, &headers, body);
    }
    let url = "https://obs.cn-north-4.myhuaweicloud.com/live/record-xxxx-mystream-1589967495/record-push.example.com-live-mystream-1589967495.m3u8";
    let message = format!("{time}RECORD_FILE_COMPLETEpush.example.comlivemystream{url}");
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(KEY.as_bytes()).expect("a key");
    mac.update(message.as_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    let body = format!(
        r#"{{"project_id":"70b76xxxxxx34253880af501cdxxxxxx","job_id":"dc0a1773-b3ae-4b54-0000000000000000","task_id":"51123686-e9f6-4d68-b8d4-9b6d0f4a2f1a","event_type":"RECORD_FILE_COMPLETE","publish_domain":"push.example.com","app":"live","stream":"mystream","record_format":"HLS","download_url":"{url}","asset_id":"1a0d8e9bfae388c21e62aa1e96","file_size":3957964,"record_duration":120,"start_time":"2020-03-08T14:10:25Z","end_time":"2020-03-08T14:12:25Z","width":1280,"height":720,"obs_location":"https://obs.cn-north-4.myhuaweicloud.com","obs_bucket":"mybucket","obs_object":"live/record.m3u8","auth_sign":"{signature}","auth_timestamp":{time}}}"#
    );
    Prepared::post(path, "", &body)
}

/// What verifying and normalising costs, and nothing else.
#[derive(Debug)]
struct Discard;

#[async_trait::async_trait]
impl EventSink for Discard {
    async fn keep(&self, received: Received) -> Result<Kept, SinkError> {
        std::hint::black_box(received);
        Ok(Kept::New)
    }

    async fn check(&self) -> Result<(), SinkError> {
        Ok(())
    }

    async fn depth(&self) -> Result<Option<u64>, SinkError> {
        Ok(None)
    }

    fn recognises_duplicates(&self) -> bool {
        false
    }

    async fn close(&self) {}
}
