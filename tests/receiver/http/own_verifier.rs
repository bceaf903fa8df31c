//! A platform's own vendor: the receiver knows nothing but the trait.

use std::sync::Arc;

use axum::http::HeaderMap;
use record_callback::{
    Assurance, CallbackVerifier, DedupeKey, Delivery, EventField, EventFields, EventKind, OnDemandDecision,
    OnDemandProtocol, OnDemandRequest, RawBody, RecordEvent, Refusal, SignatureClaim, SignaturePolicy,
    SigningScheme, Timestamp, Tolerance, Vendor, VerifiedEvent,
};
use record_callback_receiver::{MemorySink, NotUnderstood, Source};
use sha2::{Digest, Sha256};

use super::support::{KEY, Mode, OTHER_KEY, Server, now, request, signed};

const PATH: &str = "/acme";
const COVERED: EventFields = EventFields::of(&[EventField::Kind, EventField::Stream]);

/// Sends `started STREAM` as text, signed with SHA-256 of key, time and body.
#[derive(Debug)]
struct Acme(SignaturePolicy);

impl CallbackVerifier for Acme {
    fn vendor(&self) -> Vendor {
        Vendor::new("acme")
    }

    fn verify(&self, delivery: &Delivery<'_>) -> Result<VerifiedEvent, Refusal> {
        let header = |name| delivery.headers.get(name).and_then(|value| value.to_str().ok());
        let (signature, time) = (header("x-acme-signature"), header("x-acme-time"));
        let claim = SignatureClaim {
            signature,
            time,
            scheme: SigningScheme::HmacSha256,
            proven: COVERED,
            joined: EventFields::default(),
            default_tolerance: Tolerance::seconds(60, 60),
        };
        let digest = |key: &str| digest(key, time.unwrap_or_default(), delivery.body);
        let proof = self.0.prove(&claim, delivery.received_at, |key| [digest(key.expose())])?;
        let text = str::from_utf8(delivery.body)
            .map_err(|_| Refusal::Malformed { problem: "it is not UTF-8".to_owned() })?;
        let mut event = RecordEvent::new(self.vendor(), RawBody::from(delivery.body.clone()));
        if let Some(stream) = text.strip_prefix("started ") {
            event.kind = Some(EventKind::RecordingStarted);
            event.stream = Some(stream.to_owned());
            event.dedupe_key = Some(DedupeKey::of([Some(stream)]));
        }
        Ok(VerifiedEvent::new(event, proof))
    }

    fn acknowledgement(&self) -> &'static str {
        r#"{"thanks":true}"#
    }

    fn on_demand(&self) -> Option<&dyn OnDemandProtocol> {
        Some(self)
    }
}

impl OnDemandProtocol for Acme {
    fn parse(&self, query: &str, _: &HeaderMap, _: Timestamp) -> Result<OnDemandRequest, Refusal> {
        match query.strip_prefix("stream=") {
            Some(stream) => Ok(OnDemandRequest::new("", "", stream, Assurance::UNSIGNED)),
            None => Err(Refusal::Malformed { problem: "it has no stream".to_owned() }),
        }
    }

    fn answer(&self, decision: &OnDemandDecision) -> String {
        format!(r#"{{"go":{}}}"#, decision.is_record())
    }
}

fn digest(key: &str, time: &str, body: &[u8]) -> Vec<u8> {
    Sha256::new().chain_update(key).chain_update(time).chain_update(body).finalize().to_vec()
}

fn delivery(key: &str, at: i64, body: &str) -> String {
    let time = (now().as_second() + at).to_string();
    let digits = digest(key, &time, body.as_bytes()).into_iter().map(|byte| format!("{byte:02x}"));
    let signature = digits.collect::<Vec<_>>().concat();
    request("POST", PATH, &[("x-acme-signature", &signature), ("X-Acme-Time", &time)], body)
}

#[tokio::test]
async fn it_is_received_as_the_others_are() {
    for mode in Mode::BOTH {
        let memory = Arc::new(MemorySink::new());
        let server = Server::start_as(mode, &memory, |receiver, _| {
            let source = Source::new("acme", PATH, Arc::new(Acme(signed(&[KEY, OTHER_KEY])))).unwrap();
            let source = source.with_not_understood(NotUnderstood::Refuse);
            receiver.source(source.with_on_demand_decision(OnDemandDecision::skip()).unwrap()).clock(now)
        })
        .await;
        for (key, stream) in [(KEY, "a"), (OTHER_KEY, "b"), (KEY, "a")] {
            let answer = server.ask(delivery(key, 0, &format!("started {stream}"))).await;
            answer.is_acknowledged(r#"{"thanks":true}"#);
        }
        server.ask(delivery("of another", 0, "started c")).await.is_refused(401, "bad_signature");
        server.ask(delivery(KEY, -61, "started c")).await.is_refused(401, "stale");
        server.ask(request("POST", PATH, &[], "started c")).await.is_refused(401, "not_signed");
        server.ask(delivery(KEY, 0, "went away")).await.is_refused(400, "not_understood");

        let kept: Vec<_> = memory
            .records()
            .into_iter()
            .map(|record| (record.source, record.event.vendor.into_owned(), record.event.stream))
            .collect();
        let expected = |stream: Option<&str>| ("acme".into(), "acme".into(), stream.map(str::to_owned));
        assert_eq!(kept, [expected(Some("a")), expected(Some("b")), expected(None)]);
        let assurance =
            Assurance::new(Some(SigningScheme::HmacSha256), Some(now()), COVERED, EventFields::default());
        assert!(memory.records().iter().all(|record| record.assurance == assurance));

        assert_eq!(server.get("/acme?stream=s").await.body, r#"{"go":false}"#);
        server.get("/acme?s").await.is_refused(400, "malformed");
    }
}

#[tokio::test]
async fn one_that_finds_its_bodies_malformed_is_answered_so() {
    let memory = Arc::new(MemorySink::new());
    let server = Server::start(&memory, |receiver, _| {
        receiver.source(Source::new("acme", PATH, Arc::new(Acme(SignaturePolicy::unsigned()))).unwrap())
    })
    .await;
    let mut bytes = request("POST", PATH, &[], "").replace("length: 0", "length: 1").into_bytes();
    bytes.push(0xff);
    server.ask(bytes).await.is_refused(400, "malformed");
    server.ask(request("POST", PATH, &[], "anything")).await.is_acknowledged(r#"{"thanks":true}"#);
    assert_eq!(memory.records()[0].assurance, Assurance::UNSIGNED);
}
