//! The reasons for which a delivery was taken or refused.

use record_callback_core::{
    CallbackVerifier, Change, Delivery, Explanation, Hints, SignaturePolicy, SignedPart, Standing, Step,
    Trial,
};
use record_callback_http::lenient::read_object;

use super::{AliyunCallbacks, claim};
use crate::wire::callback::Body;

pub(super) fn explain(callbacks: &AliyunCallbacks, delivery: &Delivery<'_>, hints: &Hints) -> Explanation {
    let claim = match claim(delivery.headers) {
        Ok(claim) => claim,
        Err(refusal) => {
            let steps = vec![Step::new("its headers are readable", false, refusal.to_string())];
            return Explanation { steps, ..Explanation::default() };
        }
    };
    let time = claim.time.unwrap_or_default();
    let (mut steps, form) = callbacks.policy.explain(&claim, delivery.received_at, |key| {
        let names = callbacks.hosts.iter().map(|host| format!("host {host}"));
        names.zip(callbacks.digests(time, key)).collect()
    });
    let is_taken = callbacks.verify(delivery).is_ok();
    if is_taken {
        // The signature does not cover it, so it is kept in any case.
        let detail = match read_object::<Body<'_>>(delivery.body) {
            Ok(_) => "a JSON object; no part of it is signed".to_owned(),
            Err(problem) => format!("{problem}; it is kept all the same"),
        };
        steps.push(Step::new("its body is readable", true, detail));
    }
    let form = form.as_deref().and_then(|form| form.strip_prefix("host "));
    let host = form.or(callbacks.hosts.first().map(String::as_str)).unwrap_or_default();
    let part = |field, text: &str| SignedPart::new(field, text, Standing::Proven);
    let signed_text = if claim.time.is_none() || callbacks.policy.is_unsigned() {
        Vec::new()
    } else {
        vec![
            part("host", host),
            part("separator", "|"),
            part("time", time),
            part("separator", "|"),
            SignedPart::key(),
        ]
    };
    Explanation { steps, signed_text, one_change: Vec::new() }.with_trials(delivery, trials(callbacks, hints))
}

/// Each differs from `callbacks` in one thing. Other hosts first: they are what is wrong most often.
fn trials(callbacks: &AliyunCallbacks, hints: &Hints) -> Vec<Trial> {
    let trial = |change, hosts: &[String], policy: SignaturePolicy| Trial {
        change,
        digests: hosts.len() * policy.keys().len(),
        verifier: Box::new(AliyunCallbacks {
            hosts: hosts.to_vec(),
            policy,
            unsigned_questions: callbacks.unsigned_questions,
        }),
    };
    let policy = &callbacks.policy;
    let hosts = hints.hosts.iter().flat_map(|host| {
        let others = AliyunCallbacks::new(host, policy.clone()).map(|other| other.hosts).unwrap_or_default();
        let others: Vec<_> = others.into_iter().filter(|other| !callbacks.hosts.contains(other)).collect();
        // Each form by itself, so that the one is told that fits.
        others.into_iter().map(|host| trial(Change::Host(host.clone()), &[host], policy.clone()))
    });
    let changed = policy.changed(hints).into_iter();
    hosts.chain(changed.map(|(change, policy)| trial(change, &callbacks.hosts, policy))).collect()
}
