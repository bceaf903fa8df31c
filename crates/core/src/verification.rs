use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::assurance::{Assurance, EventFields};
use crate::dedupe::{ContentDigest, DedupeKey};
use crate::error::{Field, InvalidConfig};
use crate::explanation::{Explanation, Hints};
use crate::on_demand::OnDemandProtocol;
use crate::provider::Vendor;
use crate::record_event::RecordEvent;
use crate::signing::{SigningKey, SigningScheme};

/// One HTTP request of a cloud, as it arrived. `Debug` shows neither the values of headers nor the body: both may have
/// a signature, which is good for more than one delivery.
#[derive(Clone, Copy)]
pub struct Delivery<'a> {
    /// The request's headers. `Host` is the sender's word and must not be believed.
    pub headers: &'a HeaderMap,
    /// The request's body.
    pub body: &'a Bytes,
    /// When it arrived, by the receiver's clock.
    pub received_at: Timestamp,
}

impl fmt::Debug for Delivery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("headers", &self.headers.keys().map(HeaderName::as_str).collect::<Vec<_>>())
            .field("body", &format_args!("{} bytes", self.body.len()))
            .field("received_at", &self.received_at)
            .finish()
    }
}

/// What one vendor sends: verified and put into neutral words.
///
/// Pure: no clock, no I/O, no panic whatever arrives.
pub trait CallbackVerifier: fmt::Debug + Send + Sync + 'static {
    /// The vendor's name.
    fn vendor(&self) -> Vendor;

    /// Verifies a delivery and normalises it.
    ///
    /// A body nobody understands is an event without a [`kind`](RecordEvent::kind) when its sender is proven or the
    /// source is declared unsigned.
    fn verify(&self, delivery: &Delivery<'_>) -> Result<VerifiedEvent, Refusal>;

    /// The body the vendor documents for an answer of status 200, a JSON object.
    fn acknowledgement(&self) -> &'static str;

    /// How the vendor asks whether to record, if it does.
    fn on_demand(&self) -> Option<&dyn OnDemandProtocol>;

    /// Tells why a delivery is taken or refused, and which single change would have made it right. For people, after
    /// the answer: it may compute up to 64 digests, and must never be told to the sender.
    ///
    /// By default what [`verify`](Self::verify) says.
    fn explain(&self, delivery: &Delivery<'_>, _hints: &Hints) -> Explanation {
        Explanation::of_verdict(&self.verify(delivery))
    }

    /// Its keys, as [`Hints`] for what other sources refuse. Empty by default.
    fn keys(&self) -> &[SigningKey] {
        &[]
    }

    /// Digests of what a signature is accepted by, each over the vendor, the scheme, whatever else is part of every
    /// signature, and one key: [`SignaturePolicy::accepted`] gives them. Verifiers that have one in common accept each
    /// other's deliveries. Not to be shown: a guessed key could be checked against them.
    ///
    /// Empty by default, and where anybody may send.
    fn accepts(&self) -> Vec<[u8; 32]> {
        Vec::new()
    }
}

/// An event of a sender that proved to know the key, or of a source that is declared unsigned.
///
/// Needs a [`Proof`], which only [`SignaturePolicy`] gives. That it is the proof for this event is the word of the
/// [`CallbackVerifier`] that joined them.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifiedEvent {
    event: RecordEvent,
    assurance: Assurance,
    signature: Option<ProvenSignature>,
    signature_members: &'static [&'static str],
}

impl VerifiedEvent {
    /// Joins an event and the proof for it.
    pub fn new(event: RecordEvent, proof: Proof) -> Self {
        let Proof { assurance, signature } = proof;
        Self { event, assurance, signature, signature_members: &[] }
    }

    /// Names the members of the body's JSON object that hold the signature and its time. They are no part of the event's
    /// [content](Self::content). Without it, all of the body is.
    #[must_use]
    pub fn with_signature_members(mut self, names: &'static [&'static str]) -> Self {
        self.signature_members = names;
        self
    }

    /// The event.
    pub fn event(&self) -> &RecordEvent {
        &self.event
    }

    /// What is proven about it.
    pub fn assurance(&self) -> &Assurance {
        &self.assurance
    }

    /// The place of the key that signed it, in the order the policy was given its keys. `None`: the source is unsigned.
    pub fn signed_by(&self) -> Option<usize> {
        self.signature.as_ref().map(|signature| signature.key)
    }

    /// The signature, to tell whether it was used before. Never to be shown: it may still be valid.
    pub fn signature(&self) -> Option<&[u8; 32]> {
        self.signature.as_ref().map(|signature| &signature.digest)
    }

    /// The last moment at which its signature is accepted. `None`: the source is unsigned.
    pub fn signature_valid_until(&self) -> Option<Timestamp> {
        self.signature.as_ref().map(|signature| signature.valid_until)
    }

    /// The digest of all it says: of the body without its signature.
    pub fn content(&self) -> ContentDigest {
        ContentDigest::of(self.event.raw.as_bytes(), self.signature_members)
    }

    /// The members of the body that are no part of its [content](Self::content).
    pub fn signature_members(&self) -> &'static [&'static str] {
        self.signature_members
    }

    /// What tells it from other events; see [`RecordEvent::dedupe_key`].
    pub fn dedupe_key(&self) -> Option<DedupeKey> {
        self.event.dedupe_key
    }

    /// The event and what is proven about it.
    pub fn into_parts(self) -> (RecordEvent, Assurance) {
        (self.event, self.assurance)
    }
}

/// Who may send: those who know one of the keys, or anybody.
#[derive(Debug, Clone)]
pub struct SignaturePolicy {
    /// Empty when the source is unsigned.
    pub(crate) keys: Vec<SigningKey>,
    pub(crate) tolerance: Option<Tolerance>,
    /// Never of a source: tried to explain what was refused.
    pub(crate) is_in_milliseconds: bool,
}

impl SignaturePolicy {
    /// Only who knows one of `keys`. Several are active while a key is changed.
    ///
    /// # Errors
    /// When there is no key, or an empty one: a source without has to be declared [`unsigned`](Self::unsigned).
    pub fn signed(keys: impl IntoIterator<Item = SigningKey>) -> Result<Self, InvalidConfig> {
        let keys: Vec<_> = keys.into_iter().collect();
        if keys.is_empty() || keys.iter().any(|key| key.expose().is_empty()) {
            let rule = "at least one key, or a source declared unsigned";
            return Err(InvalidConfig::new(Field::SigningKey, "is missing", rule));
        }
        Ok(Self { keys, tolerance: None, is_in_milliseconds: false })
    }

    /// Anybody. Events say so ([`Assurance::UNSIGNED`]).
    pub fn unsigned() -> Self {
        Self { keys: Vec::new(), tolerance: None, is_in_milliseconds: false }
    }

    /// Sets how far the signed time may be from the receiver's. Without it the vendor's default holds.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: Tolerance) -> Self {
        self.tolerance = Some(tolerance);
        self
    }

    /// The answer of [`CallbackVerifier::accepts`] for this policy, with the vendor's `forms` of what it signs for
    /// every delivery: the spellings of a host, say.
    pub fn accepted(
        &self,
        vendor: Vendor,
        scheme: SigningScheme,
        forms: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Vec<[u8; 32]> {
        let scheme = scheme.to_string();
        let digest = |form: &str, key: &SigningKey| {
            let parts = [vendor.as_str(), &scheme, form, key.expose()];
            // Lengths keep `ab` + `c` and `a` + `bc` apart.
            let hash = parts.iter().fold(Sha256::new(), |hash, part| {
                hash.chain_update((part.len() as u64).to_be_bytes()).chain_update(part)
            });
            hash.finalize().into()
        };
        let of_form = |form: &str| self.keys.iter().map(|key| digest(form, key)).collect::<Vec<_>>();
        forms.into_iter().flat_map(|form| of_form(form.as_ref())).collect()
    }

    /// Whether anybody may send.
    pub fn is_unsigned(&self) -> bool {
        self.keys.is_empty()
    }

    /// Checks `claim`, if this policy wants a signature.
    ///
    /// `digests` gives what the signature may be for one key. All of them are computed and compared in constant time,
    /// whichever matches. The signed time counts only once the signature is proven.
    pub fn prove<'k, D, I>(
        &'k self,
        claim: &SignatureClaim<'_>,
        now: Timestamp,
        digests: impl Fn(&'k SigningKey) -> I,
    ) -> Result<Proof, Refusal>
    where
        D: AsRef<[u8]>,
        I: IntoIterator<Item = D>,
    {
        if self.is_unsigned() {
            return Ok(Proof { assurance: Assurance::UNSIGNED, signature: None });
        }
        let (Some(signature), Some(time)) = (claim.signature, claim.time) else {
            return Err(Refusal::NotSigned);
        };
        let mut presented = [0; MAX_DIGEST];
        let presented = presented.get_mut(..signature.len() / 2).ok_or(Refusal::BadSignature)?;
        hex::decode_to_slice(signature, presented).map_err(|_| Refusal::BadSignature)?;
        let mut matching = u32::MAX;
        for (index, key) in (0..).zip(&self.keys) {
            let matches = digests(key)
                .into_iter()
                .fold(Choice::from(0), |matches, digest| matches | digest.as_ref().ct_eq(&*presented));
            matching.conditional_assign(&index, matches);
        }
        let key = usize::try_from(matching).ok().filter(|key| *key < self.keys.len());
        let key = key.ok_or(Refusal::BadSignature)?;
        let signed_at = self.read_time(time).ok_or(Refusal::BadSignature)?;
        let age = now.duration_since(signed_at);
        let tolerance = self.tolerance.unwrap_or(claim.default_tolerance);
        if age > tolerance.past || age < -tolerance.future {
            return Err(Refusal::Stale { age });
        }
        let assurance = Assurance::new(Some(claim.scheme), Some(signed_at), claim.proven, claim.joined);
        let mut digest = [0; MAX_DIGEST];
        digest[..presented.len()].copy_from_slice(presented);
        let valid_until = signed_at.checked_add(tolerance.past).unwrap_or(Timestamp::MAX);
        Ok(Proof { assurance, signature: Some(ProvenSignature { key, digest, valid_until }) })
    }

    pub(crate) fn read_time(&self, text: &str) -> Option<Timestamp> {
        if !self.is_in_milliseconds {
            return unix_seconds(text);
        }
        // Fewer digits are seconds, which are not to be read as a time of 1970.
        let digits = text.len() >= 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        Timestamp::from_millisecond(digits.then(|| text.parse().ok())??).ok()
    }
}

/// The longest digest of a [`SigningScheme`], in bytes.
const MAX_DIGEST: usize = 32;

/// Digits and nothing else: what is signed is the text, and `+1` or ` 1` would be other texts of the same time.
pub(crate) fn unix_seconds(text: &str) -> Option<Timestamp> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    Timestamp::from_second(digits.then(|| text.parse().ok())??).ok()
}

/// What a delivery says about its own signature, which `Debug` does not show.
#[derive(Clone, Copy)]
pub struct SignatureClaim<'a> {
    /// The signature, in hex of either case.
    pub signature: Option<&'a str>,
    /// The signed time, in decimal Unix seconds.
    pub time: Option<&'a str>,
    /// The scheme, by configuration: the sender has no say in it.
    pub scheme: SigningScheme,
    /// The fields the signature covers each on its own ([`Assurance::proven`]).
    pub proven: EventFields,
    /// The fields it covers as one text ([`Assurance::joined`]).
    pub joined: EventFields,
    /// How far the signed time may be off, unless [configured](SignaturePolicy::with_tolerance).
    pub default_tolerance: Tolerance,
}

impl fmt::Debug for SignatureClaim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignatureClaim")
            .field("is_signed", &self.signature.is_some())
            .field("time", &self.time)
            .field("scheme", &self.scheme)
            .field("proven", &self.proven)
            .field("joined", &self.joined)
            .field("default_tolerance", &self.default_tolerance)
            .finish()
    }
}

/// How far a signed time may be from the receiver's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tolerance {
    /// How old it may be. Deliveries that are tried again may carry the time of the first attempt.
    pub past: SignedDuration,
    /// How far ahead it may be, for clocks that differ and for times that are meant as an expiry.
    pub future: SignedDuration,
}

impl Tolerance {
    /// A tolerance in whole seconds.
    pub const fn seconds(past: u32, future: u32) -> Self {
        let (past, future) = (past as i64, future as i64);
        Self { past: SignedDuration::from_secs(past), future: SignedDuration::from_secs(future) }
    }
}

/// That a delivery satisfies a [`SignaturePolicy`].
#[derive(Debug)]
#[must_use]
pub struct Proof {
    assurance: Assurance,
    signature: Option<ProvenSignature>,
}

/// A signature by one of the keys. It is good for more than one delivery, so `Debug` does not show it.
#[derive(Clone, PartialEq)]
struct ProvenSignature {
    key: usize,
    digest: [u8; MAX_DIGEST],
    valid_until: Timestamp,
}

impl fmt::Debug for ProvenSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProvenSignature").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Proof {
    /// What is proven.
    pub fn assurance(&self) -> &Assurance {
        &self.assurance
    }
}

/// Why a delivery is not an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The source wants a signature and there is none.
    #[error("the delivery is not signed")]
    NotSigned,
    /// The signature is not by one of the keys.
    #[error("the signature is not by one of the source's keys")]
    BadSignature,
    /// The signature is right, but its time is outside the [`Tolerance`].
    #[error("the signature's time is {} away, which is more than is tolerated", seconds(*.age))]
    Stale {
        /// How old the signed time is; negative when it is ahead.
        age: SignedDuration,
    },
    /// The body cannot be read, and with it whatever it proves.
    #[error("the body is not what this vendor sends: {problem}")]
    Malformed {
        /// What is wrong with it, without any of it.
        problem: String,
    },
}

fn seconds(duration: SignedDuration) -> String {
    format!("{} s", duration.as_secs())
}

impl Refusal {
    /// One word for logs and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotSigned => "not_signed",
            Self::BadSignature => "bad_signature",
            Self::Stale { .. } => "stale",
            Self::Malformed { .. } => "malformed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record_event::RawBody;

    const NOW: i64 = 1_767_323_045;
    const WINDOW: Tolerance = Tolerance::seconds(300, 60);

    fn keys(names: &[&str]) -> SignaturePolicy {
        SignaturePolicy::signed(names.iter().map(|name| SigningKey::reported(*name))).unwrap()
    }

    fn claim<'a>(signature: Option<&'a str>, time: Option<&'a str>) -> SignatureClaim<'a> {
        let (proven, joined) = (EventFields::default(), EventFields::default());
        let scheme = SigningScheme::Md5;
        SignatureClaim { signature, time, scheme, proven, joined, default_tolerance: WINDOW }
    }

    /// The "digest" of a key is the key itself.
    fn prove(policy: &SignaturePolicy, claim: &SignatureClaim<'_>) -> Result<Proof, Refusal> {
        let now = Timestamp::from_second(NOW).unwrap();
        policy.prove(claim, now, |key| [key.expose().as_bytes().to_vec()])
    }

    fn at(seconds: i64) -> Result<Proof, Refusal> {
        prove(&keys(&["k1"]), &claim(Some(&hex::encode("k1")), Some(&seconds.to_string())))
    }

    #[test]
    fn every_key_counts_while_it_is_there_and_in_either_case() {
        let time = NOW.to_string();
        for (signed_with, good) in [("k1", true), ("kN", true), ("k3", false), ("", false), ("k1k", false)] {
            let signature = hex::encode(signed_with);
            for signature in [signature.clone(), signature.to_uppercase()] {
                let proof = prove(&keys(&["k1", "kN"]), &claim(Some(&signature), Some(&time)));
                assert_eq!(proof.is_ok(), good, "{signed_with}");
            }
        }
        assert!(SignaturePolicy::signed([]).is_err());
        let keys = [SigningKey::reported("k1"), SigningKey::reported("")];
        assert!(SignaturePolicy::signed(keys).is_err());
    }

    #[test]
    fn the_key_that_signed_is_told() {
        let policy = keys(&["k1", "k2", "k3"]);
        for (place, key) in ["k1", "k2", "k3"].into_iter().enumerate() {
            let proof = prove(&policy, &claim(Some(&hex::encode(key)), Some(&NOW.to_string()))).unwrap();
            let event = VerifiedEvent::new(RecordEvent::new(Vendor::new("acme"), RawBody::default()), proof);
            assert_eq!(event.signed_by(), Some(place));
            assert_eq!(event.signature().map(|signature| &signature[..2]), Some(key.as_bytes()));
            assert!(!format!("{event:?}").contains(&format!("{:?}", key.as_bytes())));
        }
    }

    #[test]
    fn a_signature_that_is_no_hex_or_too_long_is_bad() {
        for signature in ["zz", "6b3", &hex::encode([7; 33]), &hex::encode("k1").repeat(1000)] {
            let refused = prove(&keys(&["k1"]), &claim(Some(signature), Some("1767323045"))).unwrap_err();
            assert_eq!(refused, Refusal::BadSignature, "{signature}");
        }
    }

    #[test]
    fn the_time_may_be_off_by_the_tolerance_and_no_more() {
        for off in [0, -300, 60] {
            let proof = at(NOW + off).unwrap();
            assert_eq!(proof.assurance().signed_at, Timestamp::from_second(NOW + off).ok());
        }
        for off in [-301, 61] {
            let refused = at(NOW + off).unwrap_err();
            assert_eq!(refused, Refusal::Stale { age: SignedDuration::from_secs(-off) });
        }
        let wide = Tolerance { past: SignedDuration::from_secs(301), ..WINDOW };
        let time = (NOW - 301).to_string();
        let signature = hex::encode("k1");
        let claim = claim(Some(&signature), Some(&time));
        assert!(prove(&keys(&["k1"]).with_tolerance(wide), &claim).is_ok());
    }

    #[test]
    fn a_time_that_is_no_plain_number_is_bad_even_when_signed() {
        for time in ["", "+1767323045", " 1767323045", "1767323045.0", "99999999999999999999", "now"] {
            let refused = prove(&keys(&["k1"]), &claim(Some(&hex::encode("k1")), Some(time))).unwrap_err();
            assert_eq!(refused, Refusal::BadSignature, "{time}");
        }
    }

    #[test]
    fn a_stale_time_is_said_only_to_who_knows_the_key() {
        let refused = prove(&keys(&["k1"]), &claim(Some(&hex::encode("no")), Some("1"))).unwrap_err();
        assert_eq!(refused, Refusal::BadSignature);
    }

    #[test]
    fn without_signature_or_time_nothing_is_proven_and_unsigned_sources_say_so() {
        let signature = hex::encode("k1");
        for claim in [claim(None, Some("1")), claim(Some(&signature), None), claim(None, None)] {
            assert_eq!(prove(&keys(&["k1"]), &claim).unwrap_err(), Refusal::NotSigned);
            let proof = prove(&SignaturePolicy::unsigned(), &claim).unwrap();
            assert_eq!(proof.assurance(), &Assurance::UNSIGNED);
        }
    }
}
