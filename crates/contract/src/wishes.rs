//! What to ask a provider for, worked out from its capabilities: wishes it fulfils
//! exactly, and wishes it must bend or refuse.

use record_callback_core::{
    CallbackSigning, Capabilities, EventKind, EventSet, InvalidConfig, OnDemandSupport, SigningKey,
    SigningScheme,
};

/// Every scheme the model has, weakest first.
const SCHEMES: [SigningScheme; 2] = [SigningScheme::Md5, SigningScheme::HmacSha256];
/// The lengths of key the model allows, whatever the vendor.
const SHORTEST_KEY: usize = 16;
const LONGEST_KEY: usize = 128;
/// The length that both built-in vendors take.
const USUAL_KEY: usize = 32;

/// All that can be delivered; asking for it gives exactly it.
pub(crate) fn all_events(capabilities: &Capabilities) -> EventSet {
    let support = &capabilities.events;
    let groups = support.groups.iter().flatten();
    support.always.iter().chain(&support.selectable).chain(groups).cloned().collect()
}

/// As few events as can be had; asking for them gives exactly them.
pub(crate) fn few_events(capabilities: &Capabilities) -> EventSet {
    let all = all_events(capabilities);
    let first = [EventKind::FileCompleted].into_iter().find(|kind| all.contains(kind));
    let mut events: EventSet = first.or_else(|| all.iter().next().cloned()).into_iter().collect();
    // What comes on top may itself be in a group that brings more.
    loop {
        let delivered = capabilities.events.delivered(&events);
        if delivered == events {
            return events;
        }
        events = delivered;
    }
}

/// An event that is delivered, but never alone.
pub(crate) fn widened_event(capabilities: &Capabilities) -> Option<EventKind> {
    let alone = |kind: &EventKind| capabilities.events.delivered(&EventSet::from([kind.clone()])).len() == 1;
    all_events(capabilities).iter().find(|kind| !alone(kind)).cloned()
}

/// An event that is not delivered.
pub(crate) fn lost_event(capabilities: &Capabilities) -> Option<EventKind> {
    let all = all_events(capabilities);
    let foreign = (!capabilities.events.vendor_named).then(|| EventKind::Vendor("NOBODY_SENDS_THIS".into()));
    EventKind::known().find(|kind| !all.contains(kind)).or(foreign)
}

/// A scheme the vendor lacks, where it can sign at all.
pub(crate) fn missing_scheme(capabilities: &Capabilities) -> Option<SigningScheme> {
    let schemes = &capabilities.signing.schemes;
    SCHEMES.into_iter().find(|scheme| !schemes.is_empty() && !schemes.contains(scheme))
}

/// Whether a wish for everything loses something.
pub(crate) fn loses(capabilities: &Capabilities) -> bool {
    lost_event(capabilities).is_some()
        || missing_scheme(capabilities).is_some()
        || capabilities.on_demand_url == OnDemandSupport::Unsupported
}

/// The shortest and the longest key that both the model and the vendor allow.
pub(crate) fn key_lengths(capabilities: &Capabilities) -> [usize; 2] {
    let taken = &capabilities.signing.key_length;
    [SHORTEST_KEY.max(*taken.start()), LONGEST_KEY.min(*taken.end())]
}

/// A length of key the model allows and the vendor refuses.
pub(crate) fn refused_key_length(capabilities: &Capabilities) -> Option<usize> {
    let [shortest, longest] = key_lengths(capabilities);
    [shortest - 1, longest + 1].into_iter().find(|length| (SHORTEST_KEY..=LONGEST_KEY).contains(length))
}

/// A key of `length` characters; another one for each `letter`.
pub(crate) fn key_of_length(letter: char, length: usize) -> Result<SigningKey, InvalidConfig> {
    SigningKey::new(letter.to_string().repeat(length))
}

/// A key the vendor takes; another one for each `letter`.
pub(crate) fn key(capabilities: &Capabilities, letter: char) -> Result<SigningKey, InvalidConfig> {
    let [shortest, longest] = key_lengths(capabilities);
    key_of_length(letter, USUAL_KEY.clamp(shortest, longest))
}

/// The strongest signing there is with a key of `letter`; none where callbacks cannot be signed.
pub(crate) fn signing(capabilities: &Capabilities, letter: char) -> Result<CallbackSigning, InvalidConfig> {
    let Some(scheme) = capabilities.signing.schemes.last() else { return Ok(CallbackSigning::Disabled) };
    Ok(CallbackSigning::with(*scheme, key(capabilities, letter)?))
}
