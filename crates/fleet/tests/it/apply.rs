//! What a run leaves behind where random cases seldom come by.

use std::sync::Arc;

use async_trait::async_trait;
use record_callback_core::{Applied, Error};
use record_callback_fleet::{Fate, Gate, Name, State, Tally, Write, Writing};

use crate::fleet::{Fleet, SIGNED, callback};
use crate::world::Fault;

#[test]
fn nothing_goes_while_what_replaces_it_does_not_show() {
    let fleet = Fleet::with(&[callback("a", "full d.com/*", "")]);
    let moved = [callback("a", "full e.com/*", "")];
    let ignored = fleet.after_fault(&moved, 2, Fault::Ignored);
    let again = ["a replace full e.com/* [notify_url, events], delete full d.com/*"];
    assert_eq!(ignored.plans(&moved), again);
}

#[test]
fn what_still_shows_is_not_forgotten() {
    let fleet = Fleet::with(&[callback("a", "full d.com/*", "")]).after_fault(&[], 2, Fault::Ignored);
    assert_eq!(fleet.plans(&[]), ["a delete, delete full d.com/*"]);
}

/// The records of both have all configs of `a`, whoever comes first.
#[test]
fn a_kept_source_is_taken_over_while_its_callback_is_written() {
    for seed in 0..32 {
        let fleet = Fleet::with(&[callback("a", "full d.com/*", "")]);
        let fleet = fleet.then(&[callback("a", "narrow d.com/*", "")], true);
        fleet.world.begin(seed, []);
        let other = "notify_url = 'https://other.example.com'";
        let fleet =
            fleet.then(&[callback("a", "narrow d.com/*", other), callback("b", "full d.com/*", "")], false);
        let configs = |name| fleet.state.entries[&Name::new(name).unwrap()].configs.len();
        assert_eq!((configs("a"), configs("b")), (1, 1), "seed {seed}");
    }
}

#[test]
fn nobody_gives_its_place_away_for_a_config_whose_key_nobody_knows() {
    let other_key = SIGNED.replace("KEY_A", "KEY_B");
    let mut fleet = Fleet::with(&[callback("x", "hiding e.com/*", &other_key)]);
    fleet.state = State::empty().unwrap();
    let fleet = fleet.then(&[callback("a", "hiding d.com/*", SIGNED)], false);
    let moves = [callback("a", "hiding e.com/*", SIGNED), callback("b", "hiding d.com/*", SIGNED)];
    let plan = fleet.plans(&moves);
    assert!(
        plan[0].starts_with("a blocked: there is a config that is not ours, and whether it has"),
        "{plan:?}"
    );
    assert_eq!(plan[1], "b update hiding d.com/* [], after a, from a");
}

#[test]
fn what_may_not_be_ours_is_not_kept_as_a_source() {
    let begun = Fleet::empty().after_fault(&[callback("a", "full d.com/*", "")], 2, Fault::CrashBefore);
    let begun = begun.somebody_writes("full", "d.com", "https://other.example.com");
    let there = [callback("a", "narrow d.com/*", "")];
    assert_eq!(begun.then(&there, true).plans(&there), ["a keep"]);
}

#[test]
fn a_create_that_certainly_failed_leaves_no_note() {
    let a = [callback("a", "full d.com/*", "")];
    let failed = Fleet::empty().after_fault(&a, 2, Fault::FailBefore);
    assert!(failed.state.entries.is_empty());
    assert_eq!(failed.plans(&a), ["a create full d.com/* [notify_url, events]"]);
}

#[test]
fn a_config_that_was_created_counts_although_the_rest_failed() {
    let mut fleet = Fleet::with(&[callback("a", "narrow d.com/*", "")]);
    // Note, create and note, its read, the read of what goes, and its delete.
    let report = fleet.report_after_fault(&[callback("a", "full d.com/*", "")], 6, Fault::FailBefore);
    assert_eq!(report.tally(), Tally { created: 1, failed: 1, ..Tally::default() });
    assert!(report.outcomes[0].wrote == Write::Create && !report.is_done(), "{report:?}");
}

#[test]
fn what_is_blocked_did_not_fail() {
    let report = Fleet::empty().report_after_fault(
        &[callback("a", "narrow d.com/live", ""), callback("b", "full d.com/*", "")],
        0,
        Fault::FailBefore,
    );
    assert_eq!(report.tally(), Tally { created: 1, blocked: 1, ..Tally::default() });
}

/// Lets nothing begin.
#[derive(Debug)]
struct Shut;

#[async_trait]
impl Gate for Shut {
    async fn pass(&self, write: Writing<'_>) -> Option<Result<Option<Applied>, Error>> {
        drop(write);
        None
    }
}

#[test]
fn a_write_that_was_not_begun_leaves_everything_as_it_was() {
    let a = callback("a", "narrow d.com/*", "");
    let mut fleet = Fleet::with(&[a]);
    let before = fleet.state.clone();
    fleet.gate = Some(Arc::new(Shut));
    let changed = callback("a", "narrow d.com/*", "notify_url = 'https://other.example.com'");
    for callbacks in [vec![changed, callback("b", "full d.com/*", "")], Vec::new()] {
        let report = fleet.report_after_fault(&callbacks, 0, Fault::FailBefore);
        assert!(report.outcomes.iter().all(|one| matches!(one.fate, Fate::Unfinished)), "{report:?}");
        assert_eq!(fleet.state, before);
    }
}
