//! Verifies and reads what Live sends to the callback URL and asks at the on-demand URL.

use http::HeaderMap;
use jiff::Timestamp;
use md5::{Digest, Md5};
use record_callback_core::{
    Assurance, CallbackVerifier, Delivery, EventFields, Explanation, Hints, InvalidConfig, OnDemandDecision,
    OnDemandProtocol, OnDemandRequest, Proof, RawBody, Refusal, SignatureClaim, SignaturePolicy, SigningKey,
    SigningScheme, Tolerance, Vendor, VerifiedEvent,
};
use record_callback_http::lenient::read_object;

use crate::VENDOR;
use crate::translate;
use crate::wire::callback as wire;

mod explain;

/// Ours; the documents only say that the time should be recent.
const TOLERANCE: Tolerance = Tolerance::seconds(300, 300);

/// Verifies and reads the recording callbacks of Aliyun Live.
///
/// The signature is in the headers `ALI-LIVE-SIGNATURE` and `ALI-LIVE-TIMESTAMP`, an MD5 of the callback URL's host, the
/// time and the key
/// (<https://www.alibabacloud.com/help/en/live/user-guide/usage-notes-for-callback-authentication>).
/// It covers nothing of the body: who has seen one delivery can send any event until the signed time is too old. Have
/// callbacks sent over https.
///
/// The signed time may be 300 s off, before or ahead, unless the policy says otherwise. The number is ours: the vendor
/// only says "recent".
///
/// Streams that were published before a key was changed are signed with the old one until they are published again:
/// keep both in the policy for as long.
#[derive(Debug, Clone)]
pub struct AliyunCallbacks {
    /// What the vendor may mean by the host.
    hosts: Vec<String>,
    policy: SignaturePolicy,
    unsigned_questions: bool,
}

impl AliyunCallbacks {
    /// Deliveries to the callback URL whose host is `host`, as the callback's config has it: `cb.example.com` or
    /// `cb.example.com:8443`. What a request says about its host is not asked.
    ///
    /// All forms of the host are accepted, with and without the port, with upper-case letters and a final dot, in
    /// Unicode and in A-labels: which of them the vendor signs is UNVERIFIED.
    ///
    /// # Errors
    /// When `host` is not a host with an optional port.
    pub fn new(host: &str, policy: SignaturePolicy) -> Result<Self, InvalidConfig> {
        let refuse = |problem: &str| {
            Err(InvalidConfig::new("host", problem, "the callback URL's host, with its port if it has one"))
        };
        let is_foreign = |c: char| c.is_whitespace() || c.is_control() || r"/\@?#|".contains(c);
        if host.contains(is_foreign) {
            return refuse("has a character no host has");
        }
        let name = match host.rsplit_once(':') {
            Some((name, port)) if is_digits(port) && port.parse::<u16>().is_ok() => name,
            _ => host,
        };
        let is_bracketed = name.starts_with('[') && name.ends_with(']');
        if name.is_empty() || (name.contains(':') && !is_bracketed) {
            return refuse(if host.is_empty() { "is empty" } else { "is not a host" });
        }
        let port = &host[name.len()..];
        let mut hosts = Vec::new();
        for name in spellings(name) {
            for candidate in [format!("{name}{port}"), name] {
                if !hosts.contains(&candidate) {
                    hosts.push(candidate);
                }
            }
        }
        Ok(Self { hosts, policy, unsigned_questions: false })
    }

    /// Declares that anybody may ask whether to record. What is answered is then no secret, and who decides is asked by
    /// anybody; events stay signed.
    ///
    /// Whether the vendor signs its questions is UNVERIFIED. Those that have a signature are verified in any case.
    #[must_use]
    pub fn with_unsigned_questions(mut self) -> Self {
        self.unsigned_questions = true;
        self
    }

    fn prove(&self, headers: &HeaderMap, now: Timestamp) -> Result<Proof, Refusal> {
        let claim = claim(headers)?;
        self.policy.prove(&claim, now, |key| self.digests(claim.time.unwrap_or_default(), key))
    }

    /// What the signature may be for one key: the documents do not say whether the port belongs to the host.
    fn digests<'a>(&'a self, time: &'a str, key: &'a SigningKey) -> impl Iterator<Item = [u8; 16]> + 'a {
        self.hosts.iter().map(move |host| {
            let parts = [host, "|", time, "|", key.expose()];
            parts.into_iter().fold(Md5::new(), Digest::chain_update).finalize().into()
        })
    }
}

/// The spellings a client may write for the host `name`: as it is, and what it makes of it to look it up.
fn spellings(name: &str) -> Vec<String> {
    let (unicode, result) = idna::domain_to_unicode(name.trim_end_matches('.'));
    let mut spellings = vec![name.to_owned(), name.to_lowercase()];
    if let Ok(ascii) = idna::domain_to_ascii(name) {
        spellings.push(ascii.trim_end_matches('.').to_owned());
        spellings.push(ascii);
    }
    spellings.extend(result.is_ok().then_some(unicode));
    spellings
}

fn claim(headers: &HeaderMap) -> Result<SignatureClaim<'_>, Refusal> {
    Ok(SignatureClaim {
        signature: text(headers, wire::SIGNATURE)?,
        time: text(headers, wire::TIMESTAMP)?,
        scheme: SigningScheme::Md5,
        proven: EventFields::default(),
        joined: EventFields::default(),
        default_tolerance: TOLERANCE,
    })
}

/// The value of a header. Of two it is not known which the sender, or a proxy, goes by.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let value = values.next();
    if values.next().is_some() {
        return Err(Refusal::Malformed {
            problem: format!("there are two {} headers", name.to_ascii_uppercase()),
        });
    }
    Ok(value.and_then(|value| value.to_str().ok()))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

impl CallbackVerifier for AliyunCallbacks {
    fn vendor(&self) -> Vendor {
        VENDOR
    }

    fn verify(&self, delivery: &Delivery<'_>) -> Result<VerifiedEvent, Refusal> {
        // The body has no part in it, so it need not be read for those who do not know the key.
        let proof = self.prove(delivery.headers, delivery.received_at)?;
        let body = read_object(delivery.body).unwrap_or_default();
        let raw = RawBody::from(delivery.body.clone());
        let event = translate::callback::event(body, raw, proof.assurance().signed_at);
        Ok(VerifiedEvent::new(event, proof))
    }

    fn acknowledgement(&self) -> &'static str {
        wire::ACKNOWLEDGEMENT
    }

    fn on_demand(&self) -> Option<&dyn OnDemandProtocol> {
        Some(self)
    }

    fn explain(&self, delivery: &Delivery<'_>, hints: &Hints) -> Explanation {
        explain::explain(self, delivery, hints)
    }

    fn keys(&self) -> &[SigningKey] {
        self.policy.keys()
    }

    fn accepts(&self) -> Vec<[u8; 32]> {
        self.policy.accepted(VENDOR, SigningScheme::Md5, &self.hosts)
    }
}

/// <https://www.alibabacloud.com/help/en/live/on-demand-recording>
///
/// Whether the vendor signs its questions is UNVERIFIED. One that has a signature's headers must be signed well, if the
/// policy wants signatures; one that has none is taken as [`Assurance::UNSIGNED`].
impl OnDemandProtocol for AliyunCallbacks {
    fn parse(&self, query: &str, headers: &HeaderMap, now: Timestamp) -> Result<OnDemandRequest, Refusal> {
        let malformed = |problem: String| Refusal::Malformed { problem };
        let is_signed = headers.contains_key(wire::SIGNATURE) || headers.contains_key(wire::TIMESTAMP);
        let assurance = if is_signed || !self.unsigned_questions {
            *self.prove(headers, now)?.assurance()
        } else {
            Assurance::UNSIGNED
        };
        let question = wire::read_question(query).map_err(malformed)?;
        let (Some(domain), Some(app), Some(stream)) = (question.domain, question.app, question.stream) else {
            return Err(malformed("it lacks `domain`, `app` or `stream`".to_owned()));
        };
        let mut request = OnDemandRequest::new(domain, app, stream, assurance);
        request.codec = question.codec.map(Into::into);
        request.video_kbps =
            question.vbitrate.filter(|text| is_digits(text)).and_then(|text| text.parse().ok());
        Ok(request)
    }

    fn answer(&self, decision: &OnDemandDecision) -> String {
        wire::answer(decision)
    }
}

#[cfg(test)]
mod tests;
