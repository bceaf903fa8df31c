//! Verifies and reads what Live sends to the callback URL.

use hmac::Mac;
use md5::{Digest, Md5};
use record_callback_core::{
    CallbackVerifier, Delivery, EventField, EventFields, Explanation, Hints, OnDemandProtocol, RawBody,
    Refusal, SignatureClaim, SignaturePolicy, SigningKey, SigningScheme, Tolerance, Vendor, VerifiedEvent,
};
use record_callback_http::lenient::read_object;

use crate::VENDOR;
use crate::translate;
use crate::wire::callback::{self as wire, Body};

mod explain;

/// What an HMAC covers beside the event, in the order it is joined.
const JOINED: EventFields = EventFields::of(&[
    EventField::Domain,
    EventField::App,
    EventField::Stream,
    EventField::FileUrl,
    EventField::FilePlayUrl,
]);
const KIND: EventFields = EventFields::of(&[EventField::Kind]);

/// The documents call the signed time an expiry, of undocumented lifetime; in their samples it is the time of
/// sending. UNVERIFIED. Both must pass.
const TOLERANCE: Tolerance = Tolerance::seconds(600, 24 * 60 * 60);

/// Verifies and reads the recording callbacks of Huawei Cloud Live.
///
/// The signature is in the body (page `iLive-live/live_01_0011` of 2026-01-08):
///
/// - [`SigningScheme::HmacSha256`] covers event, domain, app, stream and both URLs, joined without separators. Where
///   the event begins and ends is proven by the characters it has. Where the others end and the next begins is not
///   ([`Assurance::joined`](record_callback_core::Assurance::joined)): `live` + `stream` and `lives` + `tream` have the
///   same signature. With an event of other characters than `A-Z_`, or a domain that does not begin with a lower-case
///   letter or a digit, the event is only joined, too. That absent fields add nothing to what is signed is UNVERIFIED.
/// - [`SigningScheme::Md5`] covers the time only: who has seen one delivery can send any event until it is too old.
///
/// The signed time may be 600 s old and 24 h ahead, unless the policy says otherwise. The documents call it an expiry
/// without saying of which lifetime, and their samples show the time of sending; UNVERIFIED.
#[derive(Debug, Clone)]
pub struct HuaweicloudCallbacks {
    scheme: SigningScheme,
    policy: SignaturePolicy,
}

impl HuaweicloudCallbacks {
    /// Deliveries signed as the callback's config has it; the sender has no say in the scheme.
    ///
    /// Any other scheme than [`SigningScheme::Md5`] is taken for [`SigningScheme::HmacSha256`]. With an unsigned policy
    /// the scheme does not matter.
    pub fn new(scheme: SigningScheme, policy: SignaturePolicy) -> Self {
        let scheme = match scheme {
            SigningScheme::Md5 => scheme,
            _ => SigningScheme::HmacSha256,
        };
        Self { scheme, policy }
    }

    fn claim<'a>(&self, body: &'a Body<'_>) -> SignatureClaim<'a> {
        let (proven, joined) = match self.scheme {
            SigningScheme::Md5 => (EventFields::default(), EventFields::default()),
            _ if event_stands_out(body) => (KIND, JOINED),
            _ => (EventFields::default(), JOINED.union(KIND)),
        };
        SignatureClaim {
            signature: body.auth_sign.get(),
            time: body.auth_timestamp.get(),
            scheme: self.scheme,
            proven,
            joined,
            default_tolerance: TOLERANCE,
        }
    }
}

impl CallbackVerifier for HuaweicloudCallbacks {
    fn vendor(&self) -> Vendor {
        VENDOR
    }

    fn verify(&self, delivery: &Delivery<'_>) -> Result<VerifiedEvent, Refusal> {
        let body: Body<'_> = match read_object(delivery.body) {
            Err(problem) if !self.policy.is_unsigned() => return Err(Refusal::Malformed { problem }),
            body => body.unwrap_or_default(),
        };
        let claim = self.claim(&body);
        let time = body.auth_timestamp.get();
        let now = delivery.received_at;
        let proof = match self.scheme {
            SigningScheme::Md5 => {
                self.policy.prove(&claim, now, |key| [md5(key, time.unwrap_or_default())])?
            }
            _ => self.policy.prove(&claim, now, |key| [hmac(key, &body.signed())])?,
        };
        let time = time.filter(|_| proof.assurance().is_signed());
        let raw = RawBody::from(delivery.body.clone());
        let event = VerifiedEvent::new(translate::callback::event(body, raw, time), proof);
        Ok(event.with_signature_members(wire::SIGNATURE_MEMBERS))
    }

    fn acknowledgement(&self) -> &'static str {
        wire::ACKNOWLEDGEMENT
    }

    /// Always `None`: that Live asks, is mentioned, but not how.
    fn on_demand(&self) -> Option<&dyn OnDemandProtocol> {
        None
    }

    fn explain(&self, delivery: &Delivery<'_>, hints: &Hints) -> Explanation {
        explain::explain(self, delivery, hints)
    }

    fn keys(&self) -> &[SigningKey] {
        self.policy.keys()
    }

    /// Neither host nor path is part of a signature: the scheme and the key decide.
    fn accepts(&self) -> Vec<[u8; 32]> {
        self.policy.accepted(VENDOR, self.scheme, [""])
    }
}

fn md5(key: &SigningKey, time: &str) -> [u8; 16] {
    Md5::new().chain_update(key.expose()).chain_update(time).finalize().into()
}

fn hmac(key: &SigningKey, parts: &[&str]) -> [u8; 32] {
    let mut mac = crate::sign::keyed(key.expose());
    for part in parts {
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().into()
}

/// Whether the joined text says where the event is: digits of the time, then `A-Z_`, then neither.
fn event_stands_out(body: &Body<'_>) -> bool {
    let event = body.event_type.get().unwrap_or_default().as_bytes();
    let domain = body.publish_domain.get().unwrap_or_default().as_bytes();
    let event_is_certain = event.first().is_some_and(u8::is_ascii_uppercase)
        && event.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_');
    event_is_certain && domain.first().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
