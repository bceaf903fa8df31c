//! What the fuzz targets share: keys, a clock that stands still, and what holds for whatever was verified.

mod cloud;

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use record_callback::http::Body;
use record_callback::http::header::HeaderMap;
use record_callback::receiver::{EventRecord, Received};
use record_callback::{
    CallbackVerifier, Delivery, Refusal, SignaturePolicy, SigningKey, Timestamp, VerifiedEvent,
};
use sha2::Sha256;

pub use cloud::{Cloud, DOMAIN, SIGNING_KEY, Scripted, check_words, credentials, once, operate};

pub const KEY: &str = "0123456789abcdefghijklmnopqrstuv";
/// The second key of a policy, as while a key is changed.
pub const NEXT_KEY: &str = "vutsrqponmlkjihgfedcba9876543210";
/// No policy has it.
pub const FOREIGN_KEY: &str = "0123456789abcdefghijklmnopqrstuw";
pub const HOST: &str = "cb.example.com";

/// The receiver's time, in Unix seconds.
pub const NOW: i64 = 1_767_323_045;

/// Only who knows [`KEY`] or [`NEXT_KEY`].
pub fn signed() -> SignaturePolicy {
    SignaturePolicy::signed([KEY, NEXT_KEY].map(|key| SigningKey::new(key).unwrap())).unwrap()
}

pub fn md5(parts: &[&str]) -> String {
    hex(&parts.iter().fold(Md5::new(), Digest::chain_update).finalize())
}

pub fn hmac_sha256(key: &str, message: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    hex(&mac.chain_update(message).finalize().into_bytes())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// How old a signed time is in seconds, if it is one a policy takes: digits, within what a timestamp can be.
pub fn age(time: &str) -> Option<i64> {
    let digits = !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit());
    let signed_at = Timestamp::from_second(digits.then(|| time.parse().ok())??).ok()?;
    Some(NOW - signed_at.as_second())
}

/// Verifies a delivery, twice, and checks what holds for every event.
pub fn verify(
    verifier: &dyn CallbackVerifier,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<VerifiedEvent, Refusal> {
    let bytes = Body::copy_from_slice(body);
    let received_at = Timestamp::from_second(NOW).unwrap();
    let delivery = Delivery { headers, body: &bytes, received_at };
    let outcome = verifier.verify(&delivery);
    assert_eq!(outcome, verifier.verify(&delivery), "once so and once so");
    if let Ok(verified) = &outcome {
        assert_eq!(verified.event().raw.as_bytes(), body);
        assert_eq!(verified.event().vendor, verifier.vendor().as_str());
        assert_eq!(verified.dedupe_key(), verified.event().dedupe_key);
        let received = Received::new("live", received_at, verified.clone());
        let record = EventRecord::from(received);
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<EventRecord>(&json).unwrap(), record, "{json}");
        assert!(!json.contains('\n'), "{json}");
    }
    outcome
}
