//! The drift of configs, and what is said of a key that there is none of.

use std::collections::BTreeSet;

use record_callback_fleet::{DriftKind, Slot, Targets, drift, drift_slots};

use crate::fleet::{Fleet, SIGNED, callback};

/// The fields that drifted, and how they are.
fn drifted(fleet: &Fleet) -> Vec<(String, String)> {
    let slots: BTreeSet<Slot> = drift_slots(&fleet.state, &Targets::All);
    let observed = fleet.observe(slots);
    let drift = drift(&fleet.state, &observed, &Targets::All);
    let fields = drift.into_iter().flat_map(|one| match one.kind {
        DriftKind::Changed { fields } => fields,
        DriftKind::Missing | DriftKind::Unreadable { .. } => Vec::new(),
    });
    fields.map(|field| (field.field.as_str().to_owned(), field.now)).collect()
}

#[test]
fn another_key_is_one_that_is_there() {
    const URL: &str = "https://cb.example.com";
    let changed = |now: &str| vec![("signing.key".to_owned(), now.to_owned())];
    let unsigned =
        Fleet::with(&[callback("a", "narrow d.com/*", SIGNED)]).somebody_writes("narrow", "d.com", URL);
    let disabled = ("signing".to_owned(), "disabled".to_owned());
    assert_eq!(drifted(&unsigned), [vec![disabled], changed("no key")].concat());

    let mut fleet = Fleet::with(&[callback("a", "narrow d.com/*", SIGNED)]);
    let before = fleet.state.clone();
    fleet.keys = 1;
    fleet = fleet.then(&[callback("a", "narrow d.com/*", SIGNED)], false);
    fleet.state = before;
    assert_eq!(drifted(&fleet), changed("another key"));

    // Nobody can tell where it is hidden.
    let hidden = Fleet::with(&[callback("a", "hiding d.com/*", "")]);
    assert_eq!(drifted(&hidden.somebody_writes("hiding", "d.com", URL)), []);
}
