//! The reasons for which a source takes or refuses a delivery, with what is known of all sources.

use http::header::HOST;
use record_callback_core::{Change, Delivery, Explanation, Hints};

use crate::source::Source;

/// The most other sources that are asked.
const MAX_OTHERS: usize = 64;

/// Explains why the source `name` takes or refuses `delivery`, and which single change would have made it right: another
/// host (the request's own, or one of `hosts`), a key of another source, another source altogether, and what its
/// [verifier](record_callback_core::CallbackVerifier::explain) finds. `None` when no source has the name.
///
/// For people, and never an answer to the sender. It computes up to 64 digests, and asks up to 64 other sources.
pub fn explain(
    sources: &[Source],
    name: &str,
    delivery: &Delivery<'_>,
    hosts: &[String],
) -> Option<Explanation> {
    let source = sources.iter().find(|source| source.name() == name)?;
    Some(explain_for(source, sources.iter(), delivery, hosts))
}

pub(crate) fn explain_for<'a>(
    source: &Source,
    sources: impl Iterator<Item = &'a Source> + Clone,
    delivery: &Delivery<'_>,
    hosts: &[String],
) -> Explanation {
    let others = sources.filter(|other| other.name() != source.name()).take(MAX_OTHERS);
    let of_request = delivery.headers.get(HOST).and_then(|host| host.to_str().ok());
    let keys = others.clone().flat_map(|other| {
        let named = |index| format!("{} of source {}", other.shown_key_name(index), other.name());
        other.verifier.keys().iter().enumerate().map(move |(index, key)| (named(index), key.clone()))
    });
    let hints = Hints {
        hosts: of_request.map(str::to_owned).into_iter().chain(hosts.iter().cloned()).collect(),
        keys: keys.collect(),
    };
    let mut explanation = source.verifier.explain(delivery, &hints);
    if !explanation.is_taken() {
        let signed = others.filter(|other| !other.verifier.keys().is_empty());
        let taking = signed.filter(|other| other.verifier.verify(delivery).is_ok());
        let taking: Vec<_> = taking.map(|other| Change::Source(other.name().to_owned())).collect();
        if !taking.is_empty() {
            // The same thing, said better.
            explanation.one_change.retain(|change| !matches!(change, Change::Key(_)));
            explanation.one_change.splice(0..0, taking);
        }
    }
    explanation
}
