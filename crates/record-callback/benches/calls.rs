//! A full update call over loopback against a bare `reqwest` call to the same server.
//!
//! `cargo bench -p record-callback --bench calls`. Client and server share the machine; rounds are interleaved.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a benchmark prints, and may stop")]

mod ratio;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use axum::routing::any;
use axum::serve::ListenerExt;
use record_callback::aliyun::{AliyunClient, RecordNotifyConfig, Signature};
use record_callback::http::{AccessKey, Quotas, StaticCredentials};
use record_callback::huaweicloud::{HuaweicloudClient, RecordCallbackConfigRequest};
use reqwest::RequestBuilder;

const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_millis(700);
const URL: &str = "https://callbacks.example.com/recordings/live/notify";
const KEY: &str = "Abcdefgh12345678Abcdefgh12345678";

const ACS3_HEADERS: [(&str, &str); 6] = [
    ("x-acs-action", "UpdateLiveRecordNotifyConfig"),
    ("x-acs-content-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("x-acs-date", "2026-01-02T03:04:05Z"),
    ("x-acs-signature-nonce", "0123456789abcdef0123456789abcdef"),
    ("x-acs-version", "2016-11-01"),
    (
        "authorization",
        "ACS3-HMAC-SHA256 Credential=LTAI5tExampleExampleExam,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,Signature=0000000000000000000000000000000000000000000000000000000000000000",
    ),
];

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let server = Server::start();
    for concurrency in [1, 64] {
        println!("{concurrency} at a time");
        aliyun(&server, Signature::Rpc, "aliyun RPC", concurrency).await;
        aliyun(&server, Signature::Acs3, "aliyun ACS3", concurrency).await;
        huaweicloud(&server, concurrency).await;
    }
}

/// A server that reads every request and answers the same, on a thread of its own.
struct Server {
    endpoint: String,
    accepted: Arc<AtomicUsize>,
}

impl Server {
    fn start() -> Self {
        let accepted = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&accepted);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let endpoint = format!("http://{}", listener.local_addr().expect("a bound port"));
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
                let listener = listener.tap_io(move |stream| {
                    let _ = stream.set_nodelay(true);
                    counter.fetch_add(1, Ordering::Relaxed);
                });
                let router = Router::new().fallback(any(answer));
                axum::serve(listener, router).await.expect("a server");
            });
        });
        Self { endpoint, accepted }
    }
}

async fn answer(_body: axum::body::Bytes) -> impl axum::response::IntoResponse {
    ([(CONTENT_TYPE, "application/json")], r#"{"RequestId":"16A96B9A-F203-4EC5-8E43-CB92E68F4CD8"}"#)
}

/// Calls a second, from `concurrency` tasks that call one after the other.
async fn throughput<C, F>(concurrency: usize, call: C) -> f64
where
    C: Fn() -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let start = Instant::now();
    let tasks: Vec<_> = (0..concurrency)
        .map(|_| {
            let call = call.clone();
            tokio::spawn(async move {
                let mut calls = 0_u32;
                while start.elapsed() < ROUND {
                    call().await;
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    let mut calls = 0;
    for task in tasks {
        calls += task.await.expect("a call succeeds");
    }
    f64::from(calls) / start.elapsed().as_secs_f64()
}

/// Compares `ours` with the bare request, and with that under the timeout that ours has by default.
async fn compare<B, O, F>(server: &Server, name: &str, concurrency: usize, request: B, ours: O)
where
    B: Fn() -> RequestBuilder + Clone + Send + 'static,
    O: Fn() -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let bare = {
        let request = request.clone();
        move || send(request())
    };
    let with_timeout = move || send(request().timeout(Duration::from_secs(10)));
    let mut rounds = Vec::new();
    let mut accepted = 0;
    for round in 0..=ROUNDS {
        let mut figures = vec![0.0; 3];
        // Every other round in reverse, so that no place in the round is an advantage.
        for turn in 0..3 {
            let turn = if round % 2 == 0 { turn } else { 2 - turn };
            let before = server.accepted.load(Ordering::Relaxed);
            figures[turn] = match turn {
                0 => throughput(concurrency, bare.clone()).await,
                1 => throughput(concurrency, with_timeout.clone()).await,
                _ => throughput(concurrency, ours.clone()).await,
            };
            if turn == 2 {
                accepted += server.accepted.load(Ordering::Relaxed) - before;
            }
        }
        // The first round opens connections and fills caches.
        if round > 0 {
            rounds.push(figures);
        }
    }
    ratio::print("calls/s", &["bare reqwest", "reqwest with a timeout", name], &rounds);
    println!("connections of {name}: {accepted} in all rounds\n");
}

async fn aliyun(server: &Server, signature: Signature, name: &str, concurrency: usize) {
    let parameters = if signature == Signature::Rpc { 28 } else { 14 };
    let client = AliyunClient::builder()
        .endpoint(&server.endpoint)
        .credentials(StaticCredentials::new(AccessKey::new("LTAI5tExampleExampleExam", "testsecret")))
        .signature(signature)
        .quotas(Quotas::unlimited())
        .build()
        .expect("options");
    let config = Arc::new(RecordNotifyConfig {
        domain_name: "live.example.com".into(),
        notify_url: Some(URL.into()),
        on_demand_url: Some("https://callbacks.example.com/on-demand".into()),
        need_status_notify: Some(true),
        notify_req_auth: Some(true),
        notify_auth_key: Some(KEY.into()),
    });
    // The bare call sends as many bytes as the one it stands for.
    let url: Arc<str> = format!("{}/?{}", server.endpoint, "Parameter=Value%3A&".repeat(parameters)).into();
    let bare_client = bare_client();
    let bare = move || {
        let mut request = bare_client.post(&*url).header(ACCEPT, "application/json");
        if signature == Signature::Acs3 {
            for (name, value) in ACS3_HEADERS {
                request = request.header(name, value);
            }
        }
        request
    };
    let ours = move || {
        let (client, config) = (client.clone(), Arc::clone(&config));
        async move { drop(client.update_live_record_notify_config(&config).await.expect("a call")) }
    };
    compare(server, name, concurrency, bare, ours).await;
}

async fn huaweicloud(server: &Server, concurrency: usize) {
    let project = "0123456789abcdef0123456789abcdef";
    let client = HuaweicloudClient::builder()
        .endpoint(&server.endpoint)
        .project_id(project)
        .credentials(StaticCredentials::new(AccessKey::new("AKEXAMPLE0000000001", "testsecret")))
        .quotas(Quotas::unlimited())
        .build()
        .expect("options");
    let config = Arc::new(RecordCallbackConfigRequest {
        publish_domain: "push.example.com".into(),
        app: "*".into(),
        notify_callback_url: Some(URL.into()),
        notify_event_subscription: Some(vec!["RECORD_FILE_COMPLETE".into(), "RECORD_NEW_FILE_START".into()]),
        on_demand_callback_url: None,
        sign_type: Some("HMACSHA256".into()),
        key: Some(KEY.into()),
    });
    let id = "e2fe84def7e476651034ec4b9e92bc30";
    let url: Arc<str> = format!("{}/v1/{project}/record/callbacks/{id}", server.endpoint).into();
    let body = serde_json::to_vec(&*config).expect("JSON");
    let bare_client = bare_client();
    let bare = move || {
        bare_client
            .put(&*url)
            .header(CONTENT_TYPE, "application/json")
            .header("x-project-id", project)
            .header("x-sdk-date", "20240102T030405Z")
            .header(AUTHORIZATION, "SDK-HMAC-SHA256 Access=AKEXAMPLE0000000001, SignedHeaders=content-type;host;x-project-id;x-sdk-date, Signature=0000000000000000000000000000000000000000000000000000000000000000")
            .body(body.clone())
    };
    let ours = move || {
        let (client, config) = (client.clone(), Arc::clone(&config));
        async move { drop(client.update_record_callback_config(id, &config).await.expect("a call")) }
    };
    compare(server, "huaweicloud SDK-HMAC", concurrency, bare, ours).await;
}

fn bare_client() -> reqwest::Client {
    let agent = concat!("record-callback/", env!("CARGO_PKG_VERSION"));
    reqwest::Client::builder().no_proxy().user_agent(agent).build().expect("a client")
}

async fn send(request: RequestBuilder) {
    let response = request.send().await.expect("an answer");
    response.bytes().await.expect("a body");
}
