use std::collections::{HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use record_callback_receiver::{
    EventRecord, EventSink, ForwardSink, ForwardSinkBuilder, Kept, SinkError, SinkErrorKind,
};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use super::suite::{Store, received, records, run};

const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW: &str = "whsec_bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmU=";

/// What the server does with one delivery.
#[derive(Clone, Copy)]
enum Step {
    Answer(u16),
    /// Asks to wait so many seconds.
    Later(u64),
    /// To this server itself.
    Redirect,
    /// Never answers.
    Hang,
}

#[derive(Default)]
struct Log {
    steps: VecDeque<Step>,
    /// Every delivery: `webhook-id` and `webhook-timestamp`.
    seen: Vec<(String, i64)>,
    kept: Vec<EventRecord>,
}

/// A server that takes events which are signed by one secret, and remembers them.
#[derive(Clone)]
struct Target {
    address: SocketAddr,
    secret: &'static str,
    log: Arc<Mutex<Log>>,
}

impl Target {
    async fn start(secret: &'static str, steps: &[Step]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let log = Log { steps: steps.iter().copied().collect(), ..Log::default() };
        let target = Self { address: listener.local_addr().unwrap(), secret, log: Arc::new(Mutex::new(log)) };
        let router = Router::new().route("/events", post(take)).with_state(target.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        target
    }

    fn sink(&self) -> ForwardSinkBuilder {
        ForwardSink::builder(format!("http://{}/events?token=hush", self.address), OLD.into())
    }

    fn seen(&self) -> Vec<(String, i64)> {
        self.log.lock().unwrap().seen.clone()
    }
}

async fn take(State(target): State<Target>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(problem) = verify(target.secret, &headers, &body) {
        return (StatusCode::UNAUTHORIZED, problem).into_response();
    }
    let step = {
        let mut log = target.log.lock().unwrap();
        let timestamp = text(&headers, "webhook-timestamp").parse().unwrap();
        log.seen.push((text(&headers, "webhook-id").to_owned(), timestamp));
        let step = log.steps.pop_front().unwrap_or(Step::Answer(200));
        if matches!(step, Step::Answer(200..300)) {
            log.kept.push(serde_json::from_slice(&body).unwrap());
        }
        step
    };
    match step {
        Step::Answer(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Step::Later(seconds) => {
            (StatusCode::TOO_MANY_REQUESTS, [("retry-after", seconds.to_string())]).into_response()
        }
        Step::Redirect => (StatusCode::TEMPORARY_REDIRECT, [("location", "/events")]).into_response(),
        Step::Hang => std::future::pending().await,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

/// The check of the Standard Webhooks specification, with HMAC as RFC 2104 describes it: nothing of what signs.
fn verify(secret: &str, headers: &HeaderMap, body: &[u8]) -> Result<(), &'static str> {
    let (id, timestamp) = (text(headers, "webhook-id"), text(headers, "webhook-timestamp"));
    if id.is_empty() || id.contains('.') {
        return Err("id");
    }
    let sent: i64 = timestamp.parse().map_err(|_| "timestamp")?;
    if (Timestamp::now().as_second() - sent).abs() > 300 {
        return Err("too old or too new");
    }
    let mut block = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    block.resize(64, 0);
    let pad = |with: u8| block.iter().map(|byte| byte ^ with).collect::<Vec<u8>>();
    let signed = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
    let inner = Sha256::digest([pad(0x36), signed].concat());
    let outer = Sha256::digest([pad(0x5c), inner.to_vec()].concat());
    let expected = BASE64_STANDARD.encode(outer);
    let mut presented = text(headers, "webhook-signature").split(' ');
    let matches = presented.any(|one| one.split_once(',') == Some(("v1", &expected)));
    matches.then_some(()).ok_or("signature")
}

impl Store for Target {
    async fn open(&self) -> Arc<dyn EventSink> {
        Arc::new(self.sink().build().unwrap())
    }

    async fn kept(&self) -> Vec<EventRecord> {
        self.log.lock().unwrap().kept.clone()
    }
}

sink_suite!(Target::start(OLD, &[]).await);

fn refused(error: &SinkError, message: &str) {
    assert_eq!(error.kind(), SinkErrorKind::Unavailable);
    assert!(error.to_string().contains(message), "{error}");
    let shown = format!("{error:?}");
    assert!(!shown.contains("hush") && !shown.contains("events?"), "{shown}");
}

#[test]
fn what_may_pass_is_tried_again_with_the_same_id_and_a_fresh_time() {
    run(async {
        let steps =
            [Step::Answer(503), Step::Answer(500), Step::Answer(429), Step::Later(0), Step::Answer(204)];
        let target = Target::start(OLD, &steps).await;
        let tick = AtomicI64::new(Timestamp::now().as_second());
        let clock = move || Timestamp::from_second(tick.fetch_add(1, Ordering::Relaxed)).unwrap();
        let sink = target.sink().clock(clock).deadline(Duration::from_secs(60)).build().unwrap();
        let event = received("live", 1, Some("key"));
        assert_eq!(sink.keep(event.clone()).await.unwrap(), Kept::New);
        assert_eq!(target.kept().await, records(&[event]));
        let seen = target.seen();
        assert_eq!(seen.len(), steps.len());
        assert!(seen.iter().all(|(id, _)| *id == seen[0].0));
        assert!(seen.windows(2).all(|pair| pair[1].1 == pair[0].1 + 1), "{seen:?}");
    });
}

#[test]
fn an_attempt_without_an_answer_is_given_up_and_tried_again() {
    run(async {
        let target = Target::start(OLD, &[Step::Hang]).await;
        let patience = Duration::from_millis(500);
        let sink = target.sink().attempt_timeout(patience).deadline(Duration::from_secs(60)).build().unwrap();
        sink.keep(received("live", 1, None)).await.unwrap();
        let seen = target.seen();
        assert_eq!(seen.len(), 2);
        assert_eq!(seen[0].0, seen[1].0, "one event, though it has no key");
    });
}

#[test]
fn what_will_not_pass_is_tried_once() {
    run(async {
        for status in [300, 304, 400, 401, 404, 408, 410, 413, 422] {
            let target = Target::start(OLD, &[Step::Answer(status)]).await;
            let sink = target.sink().deadline(Duration::from_secs(60)).build().unwrap();
            let error = sink.keep(received("live", 1, None)).await.unwrap_err();
            refused(&error, &format!("`{}` answered {status}", target.address));
            assert_eq!(target.seen().len(), 1, "{status}");
        }
        let target = Target::start(OLD, &[Step::Redirect]).await;
        let error = target.sink().build().unwrap().keep(received("live", 1, None)).await.unwrap_err();
        refused(&error, "answered 307");
        assert_eq!(target.seen().len(), 1);
    });
}

#[test]
fn the_deadline_ends_it() {
    run(async {
        let target = Target::start(OLD, &[Step::Answer(503); 1000]).await;
        let sink = target.sink().deadline(Duration::from_millis(400)).build().unwrap();
        refused(&sink.keep(received("live", 1, None)).await.unwrap_err(), "answered 503");
        let attempts = target.seen().len();
        assert!((1..=4).contains(&attempts), "{attempts} with pauses of 100 ms and more");

        let target = Target::start(OLD, &[Step::Hang]).await;
        let sink = target.sink().deadline(Duration::from_millis(200)).build().unwrap();
        refused(&sink.keep(received("live", 1, None)).await.unwrap_err(), "did not take the event in time");

        // Sooner than the deadline there is no use: the error comes at once.
        let target = Target::start(OLD, &[Step::Later(3600)]).await;
        let sink = target.sink().deadline(Duration::from_secs(3600)).build().unwrap();
        refused(&sink.keep(received("live", 1, None)).await.unwrap_err(), "answered 429");
        assert_eq!(target.seen().len(), 1);
    });
}

#[test]
fn a_target_may_ask_to_wait_for_ever() {
    run(async {
        // Not within the first second: only with that, the wait is longer than any duration.
        let target = Target::start(OLD, &[Step::Hang, Step::Later(u64::MAX)]).await;
        let patience = Duration::from_secs(1);
        let sink = target.sink().attempt_timeout(patience).deadline(Duration::from_secs(60)).build().unwrap();
        refused(&sink.keep(received("live", 1, None)).await.unwrap_err(), "answered 429");
        assert_eq!(target.seen().len(), 2);
    });
}

#[test]
fn a_host_that_is_not_there_is_said_without_the_url() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/events?token=hush", listener.local_addr().unwrap());
        let sink =
            ForwardSink::builder(url, OLD.into()).deadline(Duration::from_millis(300)).build().unwrap();
        sink.check().await.unwrap();
        drop(listener);
        refused(&sink.keep(received("live", 1, None)).await.unwrap_err(), "no connection to `127.0.0.1:");
        refused(&sink.check().await.unwrap_err(), "no connection to `127.0.0.1:");
    });
}

#[test]
fn a_delivery_again_has_the_id_of_the_first() {
    run(async {
        let target = Target::start(OLD, &[]).await;
        // The third contradicts the first.
        let given = [
            ("live", 1, Some("a")),
            ("live", 1, Some("a")),
            ("live", 2, Some("a")),
            ("live", 1, Some("b")),
            ("on demand", 1, None),
        ];
        for (source, n, key) in given {
            // Not the same process.
            target.open().await.keep(received(source, n, key)).await.unwrap();
        }
        target.open().await.keep(received("on demand", 1, None)).await.unwrap();
        target.open().await.keep(received("直播", 1, Some("a"))).await.unwrap();
        let ids: Vec<_> = target.seen().into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids[0], ids[1]);
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 6, "{ids:?}");
    });
}

#[test]
fn a_receiver_may_change_from_one_secret_to_the_other() {
    run(async {
        for (secret, new_too, taken) in
            [(OLD, false, true), (OLD, true, true), (NEW, true, true), (NEW, false, false)]
        {
            let target = Target::start(secret, &[]).await;
            let sink = target.sink();
            let sink = if new_too { sink.and_secret(NEW.into()) } else { sink };
            let kept = sink.build().unwrap().keep(received("live", 1, None)).await;
            assert_eq!(kept.is_ok(), taken, "{kept:?}");
            if let Err(error) = kept {
                refused(&error, "answered 401");
            }
        }
    });
}
