//! Input: two lines, the signature and the time of the headers, and the body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use record_callback::aliyun::AliyunCallbacks;
use record_callback::http::header::{HeaderMap, HeaderValue};
use record_callback::{Assurance, Refusal, SignaturePolicy};
use record_callback_fuzz::{FOREIGN_KEY, HOST, KEY, NEXT_KEY, NOW, age, md5, signed, verify};

const PORT: &str = ":8443";
/// In seconds, before and ahead.
const TOLERANCE: i64 = 300;

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(3, |byte| *byte == b'\n');
    let mut part = || parts.next().unwrap_or_default();
    let (signature, time, body) = (part(), part(), part());
    let headers = headers(signature, time);

    let unsigned = AliyunCallbacks::new(HOST, SignaturePolicy::unsigned()).unwrap();
    let anybody = verify(&unsigned, &headers, body).unwrap();
    assert_eq!(*anybody.assurance(), Assurance::UNSIGNED);
    let without = verify(&unsigned, &HeaderMap::new(), body).unwrap();
    assert_eq!(without, anybody, "headers say nothing when nobody is proven");

    // As it came: taken if and only if the signature is that of a key and the time is recent.
    let host = format!("{HOST}{PORT}");
    let verifier = AliyunCallbacks::new(&host, signed()).unwrap();
    let seen = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let claim = seen("ali-live-signature").zip(seen("ali-live-timestamp"));
    let is_signed = claim.is_some_and(|(signature, time)| {
        let known = [KEY, NEXT_KEY]
            .iter()
            .flat_map(|key| [HOST, &host].map(|host| md5(&[host, "|", time, "|", key])));
        known.into_iter().any(|known| known.eq_ignore_ascii_case(signature))
    });
    let is_recent = |time: &str| age(time).is_some_and(|age| age.abs() <= TOLERANCE);
    let taken = verify(&verifier, &headers, body);
    assert_eq!(taken.is_ok(), is_signed && claim.is_some_and(|(_, time)| is_recent(time)));

    // Signed by who knows a key: what is behind the proof.
    let now = NOW.to_string();
    let mut first = None;
    for key in [KEY, NEXT_KEY] {
        for host in [HOST, &host] {
            let headers = self::headers(md5(&[host, "|", &now, "|", key]).as_bytes(), now.as_bytes());
            let proven = verify(&verifier, &headers, body).unwrap();
            assert!(proven.assurance().is_signed());
            assert_eq!(proven.event().kind, anybody.event().kind);
            if let Some(key) = anybody.dedupe_key() {
                assert_eq!(proven.dedupe_key(), Some(key), "what needs no signed time does not use it");
            }
            // The signatures differ, and with them nothing that is kept.
            let parts = proven.into_parts();
            assert_eq!(*first.get_or_insert_with(|| parts.clone()), parts);
        }
    }

    // The fuzzer's time, signed: only a recent one counts. By somebody else: never.
    if let Some(time) = seen("ali-live-timestamp") {
        let signed = self::headers(md5(&[HOST, "|", time, "|", KEY]).as_bytes(), time.as_bytes());
        match verify(&verifier, &signed, body) {
            Ok(_) => assert!(is_recent(time)),
            Err(Refusal::Stale { age: stale }) => {
                assert_eq!(Some(stale.as_secs()), age(time));
                assert!(!is_recent(time));
            }
            Err(refusal) => {
                assert_eq!(refusal, Refusal::BadSignature);
                assert_eq!(age(time), None);
            }
        }
    }
    let foreign = self::headers(md5(&[HOST, "|", &now, "|", FOREIGN_KEY]).as_bytes(), now.as_bytes());
    assert_eq!(verify(&verifier, &foreign, body).unwrap_err(), Refusal::BadSignature);
    assert_eq!(verify(&verifier, &HeaderMap::new(), body).unwrap_err(), Refusal::NotSigned);
});

/// What no header can be is left out.
fn headers(signature: &[u8], time: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [("ali-live-signature", signature), ("ali-live-timestamp", time)] {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.insert(name, value);
        }
    }
    headers
}
