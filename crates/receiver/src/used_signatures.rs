//! Signatures that were used, for as long as they are accepted.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use record_callback_core::{Timestamp, VerifiedEvent};

/// The number of those remembered, 10 MiB. Beyond it the oldest is forgotten.
const MAX_SIGNATURES: usize = 65_536;

/// By the source that took it.
type Signature = (Arc<str>, [u8; 32]);

/// Remembers which signature came with which body, to tell when it comes again with another one. In memory only: after a
/// restart nothing is known to be used.
#[derive(Default)]
pub(crate) struct UsedSignatures {
    used: Mutex<Used>,
    /// Of bodies. Its key is random, so that nobody makes a body of the same hash.
    hasher: RandomState,
}

#[derive(Default)]
struct Used {
    bodies: HashMap<Signature, u64>,
    /// The oldest first.
    order: VecDeque<(Signature, Timestamp)>,
}

impl UsedSignatures {
    /// Tells whether the signature of `event` came before with another body, and remembers it.
    pub(crate) fn is_reused(&self, source: &Arc<str>, event: &VerifiedEvent, now: Timestamp) -> bool {
        let (Some(signature), Some(until)) = (event.signature(), event.signature_valid_until()) else {
            return false;
        };
        let body = self.hasher.hash_one(event.event().raw.as_bytes());
        let signature = (Arc::clone(source), *signature);
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(first) = used.bodies.get(&signature) {
            return *first != body;
        }
        while let Some((_, until)) = used.order.front()
            && (*until < now || used.order.len() >= MAX_SIGNATURES)
        {
            if let Some((oldest, _)) = used.order.pop_front() {
                used.bodies.remove(&oldest);
            }
        }
        used.bodies.insert(signature.clone(), body);
        used.order.push_back((signature, until));
        false
    }
}

#[cfg(test)]
mod tests {
    use record_callback_core::{
        Assurance, EventFields, RawBody, RecordEvent, SignatureClaim, SignaturePolicy, SigningKey,
        SigningScheme, Tolerance, Vendor,
    };

    use super::*;

    const NOW: i64 = 1_767_323_045;

    /// An event whose "signature" is the key that signed it, valid for 60 s.
    fn event(signature: &str, at: i64, body: &str) -> VerifiedEvent {
        let policy = SignaturePolicy::signed([SigningKey::reported(signature)]).unwrap();
        let hex = signature.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        let claim = SignatureClaim {
            signature: Some(&hex),
            time: Some(&at.to_string()),
            scheme: SigningScheme::Md5,
            proven: EventFields::default(),
            joined: EventFields::default(),
            default_tolerance: Tolerance::seconds(60, 60),
        };
        let now = Timestamp::from_second(at).unwrap();
        let proof = policy.prove(&claim, now, |key| [key.expose().as_bytes().to_vec()]).unwrap();
        let body = RawBody::from(bytes::Bytes::from(body.to_owned()));
        VerifiedEvent::new(RecordEvent::new(Vendor::new("acme"), body), proof)
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn another_body_of_one_signature_is_told() {
        let (used, live, other) = (UsedSignatures::default(), Arc::from("live"), Arc::from("other"));
        let is_reused = |source, body| used.is_reused(source, &event("s1", NOW, body), at(NOW));
        assert!(!is_reused(&live, r#"{"a":1}"#));
        assert!(!is_reused(&live, r#"{"a":1}"#), "the same again");
        assert!(is_reused(&live, r#"{"a":2}"#));
        assert!(is_reused(&live, r#"{"a":2}"#), "the forged one again");
        assert!(!is_reused(&other, r#"{"a":2}"#), "of another source");
        assert!(!used.is_reused(&live, &event("s2", NOW, r#"{"a":2}"#), at(NOW)));
    }

    #[test]
    fn signatures_are_forgotten_once_they_are_not_valid() {
        let (used, live) = (UsedSignatures::default(), Arc::from("live"));
        used.is_reused(&live, &event("s1", NOW, "1"), at(NOW));
        used.is_reused(&live, &event("s2", NOW + 60, "1"), at(NOW + 60));
        assert_eq!(used.used.lock().unwrap().order.len(), 2);
        used.is_reused(&live, &event("s3", NOW + 61, "1"), at(NOW + 61));
        let used = used.used.lock().unwrap();
        assert_eq!((used.order.len(), used.bodies.len()), (2, 2));
        assert!(!used.bodies.keys().any(|(_, signature)| signature.starts_with(b"s1")));
    }

    #[test]
    fn only_so_many_signatures_are_remembered() {
        let (used, live) = (UsedSignatures::default(), Arc::from("live"));
        for number in 0..MAX_SIGNATURES + 10 {
            used.is_reused(&live, &event(&format!("s{number}"), NOW, "1"), at(NOW));
        }
        let remembered = used.used.lock().unwrap().order.len();
        assert_eq!(remembered, MAX_SIGNATURES);
        assert!(!used.is_reused(&live, &event("s0", NOW, "2"), at(NOW)), "forgotten");
        assert!(used.is_reused(&live, &event("s1000", NOW, "2"), at(NOW)));
    }

    #[test]
    fn unsigned_events_reuse_nothing() {
        let claim = SignatureClaim {
            signature: None,
            time: None,
            scheme: SigningScheme::Md5,
            proven: EventFields::default(),
            joined: EventFields::default(),
            default_tolerance: Tolerance::seconds(60, 60),
        };
        let event = |body: &'static str| {
            let proof = SignaturePolicy::unsigned().prove(&claim, at(NOW), |_| [[0; 16]]).unwrap();
            assert_eq!(*proof.assurance(), Assurance::UNSIGNED);
            let body = RawBody::from(bytes::Bytes::from(body));
            VerifiedEvent::new(RecordEvent::new(Vendor::new("acme"), body), proof)
        };
        let (used, live) = (UsedSignatures::default(), Arc::from("live"));
        assert!(!used.is_reused(&live, &event("1"), at(NOW)) && !used.is_reused(&live, &event("2"), at(NOW)));
    }
}
