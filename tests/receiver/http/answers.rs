//! What is answered to what nobody should send, and to what was sent before.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use jiff::SignedDuration;
use record_callback::{SignaturePolicy, SigningScheme, Tolerance};
use record_callback_mock::{
    AliyunEvent, AliyunSender, Clock, Delivery, HuaweicloudEvent, HuaweicloudSender, SignType,
};
use record_callback_receiver::{EventSink, MemorySink, NotUnderstood, Receiver};

use super::support::{
    ALIYUN, ALIYUN_ACKNOWLEDGEMENT, AT, Answer, HUAWEICLOUD, HUAWEICLOUD_ACKNOWLEDGEMENT, KEY, Mode,
    OTHER_KEY, OWN_FALLBACK, Server, aliyun, huaweicloud, limits, now, request, signed,
};

async fn both_clouds(mode: Mode, memory: &Arc<MemorySink>) -> Server {
    Server::start_as(mode, memory, |receiver, host| {
        receiver
            .source(aliyun(host, signed(&[KEY])))
            .source(huaweicloud(SigningScheme::HmacSha256, signed(&[KEY])))
            .limits(limits(|limits| limits.body = 1000))
            .clock(now)
    })
    .await
}

fn from_aliyun(server: &Server, key: Option<&str>) -> Delivery {
    let sender = AliyunSender::new(server.url(ALIYUN)).clock(Clock::fixed(now()));
    let sender = key.into_iter().fold(sender, AliyunSender::key);
    sender.prepare(&AliyunEvent::file(AT.0, AT.1, AT.2))
}

fn from_huaweicloud(server: &Server, key: Option<&str>) -> Delivery {
    let sender = HuaweicloudSender::new(server.url(HUAWEICLOUD)).clock(Clock::fixed(now()));
    let sender = key.into_iter().fold(sender, HuaweicloudSender::key);
    sender.prepare(&HuaweicloudEvent::record_over(AT.0, AT.1, AT.2))
}

#[tokio::test]
async fn who_does_not_know_the_key_is_refused() {
    for mode in Mode::BOTH {
        let memory = Arc::new(MemorySink::new());
        let server = both_clouds(mode, &memory).await;
        for prepare in [from_aliyun, from_huaweicloud] {
            server.post(&prepare(&server, None)).await.is_refused(401, "not_signed");
            server.post(&prepare(&server, Some(OTHER_KEY))).await.is_refused(401, "bad_signature");
        }

        let mut half = from_aliyun(&server, Some(KEY));
        half.headers.retain(|(name, _)| *name != "ALI-LIVE-TIMESTAMP");
        server.post(&half).await.is_refused(401, "not_signed");
        // The signature of another moment.
        let mut moved = from_aliyun(&server, Some(KEY));
        for (name, value) in &mut moved.headers {
            if *name == "ALI-LIVE-TIMESTAMP" {
                *value = (now().as_second() + 1).to_string();
            }
        }
        server.post(&moved).await.is_refused(401, "bad_signature");
        // A field under the signature is changed.
        let mut forged = from_huaweicloud(&server, Some(KEY));
        forged.body = forged.body.replace("RECORD_OVER", "RECORD_FAILED");
        server.post(&forged).await.is_refused(401, "bad_signature");
        assert!(memory.records().is_empty());
    }
}

#[tokio::test]
async fn a_signature_is_good_for_a_while_before_and_after_its_time() {
    let memory = Arc::new(MemorySink::new());
    let narrow = |keys| signed(keys).with_tolerance(Tolerance::seconds(10, 5));
    let server = Server::start(&memory, |receiver, host| {
        receiver
            .source(aliyun(host, signed(&[KEY])))
            .source(huaweicloud(SigningScheme::Md5, narrow(&[KEY])))
            .clock(now)
    })
    .await;
    let at = |off: i64| Clock::fixed(now() + SignedDuration::from_secs(off));
    for (off, good) in [(-301, false), (-300, true), (300, true), (301, false)] {
        let sender = AliyunSender::new(server.url(ALIYUN)).key(KEY).clock(at(off));
        let answer = server.post(&sender.prepare(&AliyunEvent::file(AT.0, AT.1, AT.2))).await;
        expect(&answer, good, ALIYUN_ACKNOWLEDGEMENT);
    }
    for (off, good) in [(-11, false), (-10, true), (5, true), (6, false)] {
        let sender =
            HuaweicloudSender::new(server.url(HUAWEICLOUD)).key(KEY).sign_type(SignType::Md5).clock(at(off));
        let answer = server.post(&sender.prepare(&HuaweicloudEvent::record_start(AT.0, AT.1, AT.2))).await;
        expect(&answer, good, HUAWEICLOUD_ACKNOWLEDGEMENT);
    }
    assert_eq!(memory.records().len(), 4);
}

fn expect(answer: &Answer, good: bool, acknowledgement: &str) {
    if good {
        answer.is_acknowledged(acknowledgement);
    } else {
        answer.is_refused(401, "stale");
    }
}

#[tokio::test]
async fn other_paths_are_unknown_to_the_receivers_own_server_and_the_hosts_business_elsewhere() {
    let memory = Arc::new(MemorySink::new());
    let served = both_clouds(Mode::Served, &memory).await;
    let mounted = both_clouds(Mode::Mounted, &memory).await;
    for path in ["/", "/callbacks", "/callbacks/aliyun/", "/callbacks/ALIYUN", "//callbacks/aliyun", "/own"] {
        served.get(path).await.is_refused(404, "unknown_source");
        served.ask(request("POST", path, &[], "{}")).await.is_refused(404, "unknown_source");
        if path != "/own" {
            let answer = mounted.get(path).await;
            assert_eq!((answer.status, &*answer.body), (404, OWN_FALLBACK), "{path}");
        }
    }
    // A query is no part of the path.
    let query = request("POST", "/callbacks/aliyun?a=b", &[], "{}");
    served.ask(query).await.is_refused(401, "not_signed");
    assert_eq!(mounted.get("/own").await.body, "the platform's own page");
    for own in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(served.get(own).await.status, 200, "{own}");
        assert_eq!(mounted.get(own).await.body, OWN_FALLBACK, "{own}");
    }
}

#[tokio::test]
async fn other_methods_are_refused() {
    for mode in Mode::BOTH {
        let memory = Arc::new(MemorySink::new());
        let server = both_clouds(mode, &memory).await;
        for path in [ALIYUN, HUAWEICLOUD] {
            for method in ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"] {
                let answer = server.ask(request(method, path, &[], "{}")).await;
                answer.is_refused(405, "method");
                assert_eq!(answer.header("allow"), Some("POST"));
            }
        }
        assert!(memory.records().is_empty());
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_malformed() {
    let memory = Arc::new(MemorySink::new());
    let server = both_clouds(Mode::Served, &memory).await;
    // Huawei Cloud's signature is in the body.
    for body in ["", "no JSON", "[1]", r#"{"app":"a","app":"b"}"#] {
        server.ask(request("POST", HUAWEICLOUD, &[], body)).await.is_refused(400, "malformed");
    }
    // Aliyun's is not: a stranger learns nothing, and what comes from the cloud is kept.
    server.ask(request("POST", ALIYUN, &[], "no JSON")).await.is_refused(401, "not_signed");
    assert!(memory.records().is_empty());
}

#[tokio::test]
async fn a_body_that_breaks_off_or_is_badly_chunked_is_not_an_event() {
    let memory = Arc::new(MemorySink::new());
    let server =
        Server::start(&memory, |receiver, host| receiver.source(aliyun(host, SignaturePolicy::unsigned())))
            .await;
    let mut connection = server.connect().await;
    connection
        .write(format!(
            "POST {ALIYUN} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{{}}\r\nZZ\r\n"
        ))
        .await;
    if let Some(answer) = connection.answer().await {
        answer.is_refused(400, "broken");
    }
    let mut connection = server.connect().await;
    connection.write(format!("POST {ALIYUN} HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n{{}}")).await;
    drop(connection);
    server.ask(request("POST", ALIYUN, &[], "{}")).await.is_acknowledged(ALIYUN_ACKNOWLEDGEMENT);
    assert_eq!(memory.records().len(), 1);
}

#[tokio::test]
async fn what_was_sent_before_is_acknowledged_and_kept_once() {
    for mode in Mode::BOTH {
        let memory = Arc::new(MemorySink::new());
        let server = both_clouds(mode, &memory).await;
        let aliyun = from_aliyun(&server, Some(KEY));
        let huaweicloud = from_huaweicloud(&server, Some(KEY));
        for _ in 0..3 {
            server.post(&aliyun).await.is_acknowledged(ALIYUN_ACKNOWLEDGEMENT);
            server.post(&huaweicloud).await.is_acknowledged(HUAWEICLOUD_ACKNOWLEDGEMENT);
        }
        assert_eq!(memory.records().len(), 2);
    }
}

#[tokio::test]
async fn what_nobody_understands_is_kept_as_it_came_and_answered_as_configured() {
    for (not_understood, refused) in [(NotUnderstood::Accept, false), (NotUnderstood::Refuse, true)] {
        let memory = Arc::new(MemorySink::new());
        let server = Server::start(&memory, |receiver, host| {
            receiver
                .source(aliyun(host, signed(&[KEY])).with_not_understood(not_understood))
                .source(
                    huaweicloud(SigningScheme::Md5, SignaturePolicy::unsigned())
                        .with_not_understood(not_understood),
                )
                .clock(now)
        })
        .await;
        let bodies = ["no JSON at all", "", r#"{"template":"of the customer's own"}"#];
        for body in bodies {
            let mut delivery = from_aliyun(&server, Some(KEY));
            delivery.body = body.to_owned();
            let answers = [
                (server.post(&delivery).await, ALIYUN_ACKNOWLEDGEMENT),
                (server.ask(request("POST", HUAWEICLOUD, &[], body)).await, HUAWEICLOUD_ACKNOWLEDGEMENT),
            ];
            for (answer, acknowledgement) in answers {
                if refused {
                    answer.is_refused(400, "not_understood");
                } else {
                    answer.is_acknowledged(acknowledgement);
                }
            }
        }
        let records = memory.records();
        let raw: Vec<_> =
            records.iter().map(|record| str::from_utf8(record.event.raw.as_bytes()).unwrap()).collect();
        assert_eq!(raw, bodies.map(|body| [body, body]).concat());
        assert!(records.iter().all(|record| record.event.kind.is_none()));
        // Understood events are answered as ever.
        server.post(&from_aliyun(&server, Some(KEY))).await.is_acknowledged(ALIYUN_ACKNOWLEDGEMENT);
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_are_kept_as_they_came() {
    let memory = Arc::new(MemorySink::new());
    let server =
        Server::start(&memory, |receiver, host| receiver.source(aliyun(host, SignaturePolicy::unsigned())))
            .await;
    let mut bytes = request("POST", ALIYUN, &[], "").replace("length: 0", "length: 4").into_bytes();
    bytes.extend([0xff, 0, 0x80, b'\n']);
    server.ask(bytes).await.is_acknowledged(ALIYUN_ACKNOWLEDGEMENT);
    assert_eq!(memory.records()[0].event.raw.as_bytes(), [0xff, 0, 0x80, b'\n']);
}

/// A refusal says which one it is, and nothing of what was sent or should have been.
#[tokio::test]
async fn answers_differ_in_their_ids_and_tell_nothing() {
    let memory = Arc::new(MemorySink::new());
    let server = both_clouds(Mode::Served, &memory).await;
    let secret = "marker1";
    let tell_tale = |method, path: &str| {
        let path = format!("{path}?{secret}=1");
        request(method, &path, &[(secret, secret), ("ali-live-signature", secret)], secret)
    };
    let mut answers = Vec::new();
    for path in [ALIYUN, HUAWEICLOUD, "/nowhere"] {
        for method in ["GET", "POST", secret] {
            answers.push(server.ask(tell_tale(method, path)).await);
        }
    }
    let long = "x".repeat(1001);
    answers.push(server.ask(request("POST", ALIYUN, &[], &long)).await);
    for prepare in [from_aliyun, from_huaweicloud] {
        for key in [None, Some(KEY), Some(OTHER_KEY)] {
            answers.push(server.post(&prepare(&server, key)).await);
        }
    }
    // On one connection, too.
    let mut connection = server.connect().await;
    for _ in 0..3 {
        connection.write(tell_tale("POST", ALIYUN)).await;
        answers.push(connection.answer().await.unwrap());
    }

    let mut ids = HashSet::new();
    for answer in answers {
        assert!(ids.insert(answer.header("x-request-id").expect("an id").to_owned()), "{answer:?}");
        let text = format!("{answer:?}");
        for found in [secret, KEY, OTHER_KEY, AT.0] {
            assert!(!text.contains(found), "{text}");
        }
        let body: serde_json::Map<_, _> = serde_json::from_str(&answer.body).unwrap();
        if answer.status != 200 {
            assert_eq!(body.keys().collect::<Vec<_>>(), ["error"]);
        }
    }
}

#[tokio::test]
async fn routes_work_below_a_prefix_and_with_other_routes_beside_them() {
    let memory = Arc::new(MemorySink::new());
    let sink: Arc<dyn EventSink> = Arc::<MemorySink>::clone(&memory);
    let receiver = Receiver::builder(sink)
        .source(aliyun("cb.example.com", signed(&[KEY])))
        .source(huaweicloud(SigningScheme::HmacSha256, signed(&[KEY])))
        .clock(now)
        .build()
        .unwrap();
    let state = "of the platform".to_owned();
    let app = Router::new()
        .nest("/hooks", receiver.router().with_state(()))
        .route("/own", get(async |State(state): State<String>| state))
        .with_state(state);
    let server = Server::of(app).await;
    let sender = AliyunSender::new(format!("https://cb.example.com/hooks{ALIYUN}"));
    let delivery = sender.key(KEY).clock(Clock::fixed(now())).prepare(&AliyunEvent::file(AT.0, AT.1, AT.2));
    server.post(&delivery).await.is_acknowledged(ALIYUN_ACKNOWLEDGEMENT);
    assert_eq!(server.get("/own").await.body, "of the platform");
    assert_eq!(server.get(ALIYUN).await.status, 404);
    server.get(&format!("/hooks{HUAWEICLOUD}")).await.is_refused(405, "method");
    assert_eq!(memory.records().len(), 1);
}
