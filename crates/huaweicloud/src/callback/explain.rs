//! The reasons for which a delivery was taken or refused.

use record_callback_core::{
    Change, Delivery, Explanation, Hints, SignaturePolicy, SignedPart, SigningScheme, Standing, Step, Trial,
};
use record_callback_http::lenient::read_object;

use super::{HuaweicloudCallbacks, event_stands_out, hmac, md5};
use crate::wire::callback::Body;

pub(super) fn explain(
    callbacks: &HuaweicloudCallbacks,
    delivery: &Delivery<'_>,
    hints: &Hints,
) -> Explanation {
    let HuaweicloudCallbacks { scheme, policy } = callbacks;
    let readable = "its body is readable";
    let (body, first) = match read_object::<Body<'_>>(delivery.body) {
        Ok(body) => (body, Step::new(readable, true, "a JSON object")),
        Err(problem) if policy.is_unsigned() => {
            (Body::default(), Step::new(readable, true, format!("{problem}; it is kept all the same")))
        }
        Err(problem) => {
            let steps = vec![Step::new(readable, false, problem)];
            return Explanation { steps, ..Explanation::default() };
        }
    };
    let claim = callbacks.claim(&body);
    let time = claim.time.unwrap_or_default();
    let form = scheme.to_string();
    let (steps, _) = policy.explain(&claim, delivery.received_at, |key| match scheme {
        SigningScheme::Md5 => vec![(form.clone(), md5(key, time).to_vec())],
        _ => vec![(form.clone(), hmac(key, &body.signed()).to_vec())],
    });
    let signed_text = if claim.time.is_none() || policy.is_unsigned() {
        Vec::new()
    } else {
        match scheme {
            SigningScheme::Md5 => {
                vec![SignedPart::key(), SignedPart::new("time", time, Standing::Proven)]
            }
            _ => signed_parts(&body),
        }
    };
    let steps = std::iter::once(first).chain(steps).collect();
    Explanation { steps, signed_text, one_change: Vec::new() }.with_trials(delivery, trials(callbacks, hints))
}

/// The key, and what its HMAC is of.
fn signed_parts(body: &Body<'_>) -> Vec<SignedPart> {
    let certain = if event_stands_out(body) { Standing::Proven } else { Standing::Joined };
    let fields = [
        ("time", certain),
        ("event", certain),
        ("domain", Standing::Joined),
        ("app", Standing::Joined),
        ("stream", Standing::Joined),
        ("file url", Standing::Joined),
        ("file play url", Standing::Joined),
    ];
    let parts = fields.into_iter().zip(body.signed());
    let parts = parts.map(|((field, standing), text)| SignedPart::new(field, text, standing));
    std::iter::once(SignedPart::key()).chain(parts).collect()
}

/// Each differs from `callbacks` in one thing.
fn trials(callbacks: &HuaweicloudCallbacks, hints: &Hints) -> Vec<Trial> {
    let trial = |change, scheme, policy: SignaturePolicy| Trial {
        change,
        digests: policy.keys().len(),
        verifier: Box::new(HuaweicloudCallbacks { scheme, policy }),
    };
    let other = match callbacks.scheme {
        SigningScheme::Md5 => SigningScheme::HmacSha256,
        _ => SigningScheme::Md5,
    };
    let scheme = std::iter::once(trial(Change::Scheme(other), other, callbacks.policy.clone()));
    let changed = callbacks.policy.changed(hints).into_iter();
    scheme.chain(changed.map(|(change, policy)| trial(change, callbacks.scheme, policy))).collect()
}
