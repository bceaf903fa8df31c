//! What a plan says, one case a row: what is there already, what is declared, and the steps.

use std::collections::BTreeSet;

use record_callback_fleet::{Action, Name, State, Targets};

use crate::fleet::{Fleet, SIGNED, callback};
use crate::world::Fault;

#[test]
fn what_is_not_there_is_created() {
    assert_eq!(
        Fleet::empty()
            .plans(&[callback("a", "full d.com/live", SIGNED), callback("b", "narrow d.com/*", "")]),
        [
            "a create full d.com/live [notify_url, events, signing, signing.key]",
            "b create narrow d.com/* [notify_url, events]"
        ]
    );
}

#[test]
fn what_was_deleted_by_others_is_created_again() {
    let a = [callback("a", "full d.com/*", "")];
    let fleet = Fleet::with(&a).somebody_deletes("full", "d.com");
    assert_eq!(fleet.plans(&a), ["a create full d.com/* [notify_url, events]"]);
}

#[test]
fn each_field_that_differs_is_updated() {
    let fleet = Fleet::with(&[callback("a", "full d.com/*", SIGNED)]);
    for (fields, more) in [
        ("notify_url", format!("{SIGNED}\nnotify_url = 'https://other.example.com'")),
        ("on_demand_url", format!("{SIGNED}\non_demand_url = 'https://od.example.com'")),
        ("events", format!("{SIGNED}\nevents = ['file_started']")),
        ("signing", SIGNED.replace("md5", "hmac_sha256")),
        ("signing.key", SIGNED.replace("KEY_A", "KEY_B")),
        ("signing", String::new()),
    ] {
        let plan = fleet.plans(&[callback("a", "full d.com/*", &more)]);
        assert_eq!(plan, [format!("a update full d.com/* [{fields}]")], "{more}");
    }
}

#[test]
fn what_others_edited_is_written_again() {
    let a = [callback("a", "full d.com/*", "")];
    let fleet = Fleet::with(&a).somebody_writes("full", "d.com", "https://edited.example.com");
    assert_eq!(fleet.plans(&a), ["a update full d.com/* [notify_url]"]);
}

#[test]
fn what_is_as_declared_is_kept_also_with_a_hidden_key() {
    let callbacks = [
        callback("a", "full d.com/*", SIGNED),
        callback("b", "hiding d.com/*", SIGNED),
        callback("c", "hiding e.com/*", ""),
    ];
    assert_eq!(Fleet::with(&callbacks).plans(&callbacks), ["a keep", "b keep key_unseen", "c keep"]);
}

#[test]
fn a_key_that_changed_is_noticed_although_it_is_hidden() {
    let callbacks = [callback("a", "hiding d.com/*", SIGNED)];
    let mut fleet = Fleet::with(&callbacks);
    fleet.keys = 1;
    assert_eq!(fleet.plans(&callbacks), ["a update hiding d.com/* [signing.key]"]);
    let unsigned = [callback("a", "hiding d.com/*", "")];
    assert_eq!(fleet.plans(&unsigned), ["a update hiding d.com/* [signing.key]"]);
}

#[test]
fn a_config_that_others_created_anew_is_not_ours() {
    let callbacks = [callback("a", "hiding d.com/*", "")];
    let fleet = Fleet::with(&callbacks).somebody_deletes("hiding", "d.com");
    let same = fleet.somebody_writes("hiding", "d.com", "https://cb.example.com");
    assert_eq!(same.plans(&callbacks), ["a keep key_unseen not_owned"]);
    assert_eq!(same.plans(&[]), ["a forget, forget hiding d.com/* (replaced)"]);
    let other = same.somebody_deletes("hiding", "d.com");
    let other = other.somebody_writes("hiding", "d.com", "https://other.example.com");
    let [plan] = &other.plans(&callbacks)[..] else { panic!("one step") };
    assert!(plan.contains("blocked") && plan.contains("not ours"), "{plan}");
}

const OTHER: &str = "https://other.example.com";

#[test]
fn what_others_changed_is_not_deleted_without_an_id() {
    let fleet = Fleet::with(&[callback("a", "narrow d.com/*", SIGNED)]);
    let fleet = fleet.somebody_writes("narrow", "d.com", OTHER);
    let changed = "forget narrow d.com/* (others changed notify_url, signing, signing.key)";
    assert_eq!(fleet.plans(&[]), [format!("a forget, {changed}")]);
    let moved = fleet.plans(&[callback("a", "full d.com/*", "")]);
    assert_eq!(moved, [format!("a create full d.com/* [notify_url, events], {changed}")]);
    // As long as it is declared there it is ours, and written again.
    let plan = fleet.plans(&[callback("a", "narrow d.com/*", "")]);
    assert_eq!(plan, ["a update narrow d.com/* [notify_url]"]);
}

#[test]
fn what_others_changed_is_deleted_where_an_id_proves_it_ours() {
    for provider in ["full", "hiding"] {
        let fleet = Fleet::with(&[callback("a", &format!("{provider} d.com/*"), "")]);
        let fleet = fleet.somebody_writes(provider, "d.com", OTHER);
        let expected = format!("a delete, delete {provider} d.com/* although others changed notify_url");
        assert_eq!(fleet.plans(&[]), [expected]);
    }
}

#[test]
fn what_a_restored_state_does_not_know_is_not_deleted() {
    let a = |url: &str| [callback("a", "narrow d.com/*", &format!("notify_url = '{url}'"))];
    let mut fleet = Fleet::with(&a("https://old.example.com"));
    let old = fleet.state.clone();
    fleet = fleet.then(&a("https://new.example.com"), false);
    fleet.state = old;
    assert_eq!(fleet.plans(&[]), ["a forget, forget narrow d.com/* (others changed notify_url)"]);
}

#[test]
fn both_contents_of_an_interrupted_update_are_ours() {
    let a = |url: &str| [callback("a", "narrow d.com/*", &format!("notify_url = '{url}'"))];
    for fault in [Fault::CrashBefore, Fault::CrashAfter] {
        let fleet = Fleet::with(&a("https://old.example.com"));
        let fleet = fleet.after_fault(&a("https://new.example.com"), 2, fault);
        assert_eq!(fleet.plans(&[]), ["a delete, delete narrow d.com/*"], "{fault:?}");
        let fleet = fleet.after_fault(&a("https://newer.example.com"), 2, fault);
        assert_eq!(fleet.plans(&[]), ["a delete, delete narrow d.com/*"], "{fault:?}");
        let fleet = fleet.somebody_writes("narrow", "d.com", OTHER);
        assert_eq!(
            fleet.plans(&[]),
            ["a forget, forget narrow d.com/* (others changed notify_url)"],
            "{fault:?}"
        );
    }
}

#[test]
fn what_is_protected_is_blocked_before_it_goes() {
    let protected = |place| callback("a", place, "protect = true");
    let fleet = Fleet::with(&[protected("full d.com/*")]);
    assert_eq!(fleet.plans(&[protected("full d.com/*")]), ["a keep"]);
    let reason = "a blocked: its config in full d.com/* would be deleted, and it is protected";
    assert_eq!(fleet.plans(&[protected("full e.com/*")]), [reason]);
    // The state remembers it.
    assert_eq!(fleet.plans(&[]), [reason]);
    assert_eq!(fleet.destruction(&[]), [reason]);
    assert_eq!(fleet.destruction(&[protected("full d.com/*")]), [reason]);
    let unprotected = [callback("a", "full d.com/*", "")];
    assert_eq!(fleet.plans(&unprotected), ["a update full d.com/* []"]);
    assert_eq!(fleet.then(&unprotected, false).plans(&[]), ["a delete, delete full d.com/*"]);
}

#[test]
fn a_destruction_is_of_all_that_is_ours_and_nothing_else() {
    let a = callback("a", "narrow d.com/*", "");
    let b = callback("b", "full d.com/*", "");
    let fleet = Fleet::with(&[a.clone(), b.clone()]).somebody_writes("full", "e.com", OTHER);
    let fleet = fleet.somebody_writes("narrow", "d.com", OTHER);
    let declared = [a, b, callback("c", "full e.com/*", "")];
    assert_eq!(
        fleet.destruction(&declared),
        ["a forget, forget narrow d.com/* (others changed notify_url)", "b delete, delete full d.com/*"]
    );
}

#[test]
fn what_moves_is_there_before_it_goes_here() {
    let fleet = Fleet::with(&[callback("a", "full d.com/*", "")]);
    for place in ["full e.com/*", "full d.com/live", "narrow d.com/*"] {
        let expected = format!("a replace {place} [notify_url, events], delete full d.com/*");
        assert_eq!(fleet.plans(&[callback("a", place, "")]), [expected]);
    }
}

#[test]
fn what_is_gone_is_not_deleted_but_forgotten() {
    let fleet = Fleet::with(&[callback("a", "full d.com/*", "")]);
    let fleet = fleet.somebody_deletes("full", "d.com");
    assert_eq!(fleet.plans(&[]), ["a forget, forget full d.com/* (gone)"]);
    let moved = fleet.plans(&[callback("a", "full e.com/*", "")]);
    assert_eq!(moved, ["a create full e.com/* [notify_url, events], forget full d.com/* (gone)"]);
}

#[test]
fn what_is_not_declared_any_more_is_deleted() {
    let (a, b) = (callback("a", "full d.com/*", ""), callback("b", "narrow d.com/*", ""));
    let fleet = Fleet::with(&[a.clone(), b]);
    assert_eq!(fleet.plans(&[a]), ["a keep", "b delete, delete narrow d.com/*"]);
}

#[test]
fn a_config_of_others_is_kept_if_equal_and_else_in_the_way() {
    let fleet = Fleet::empty().somebody_writes("full", "d.com", "https://cb.example.com");
    let fleet = fleet.somebody_writes("full", "e.com", "https://other.example.com");
    let fleet = fleet.somebody_writes("hiding", "d.com", "https://cb.example.com");
    let callbacks = [
        callback("a", "full d.com/*", ""),
        callback("b", "full e.com/*", ""),
        callback("c", "hiding d.com/*", ""),
    ];
    assert_eq!(
        fleet.plans(&callbacks),
        [
            "a keep not_owned",
            "b blocked: there is a config that is not ours; notify_url: stored https://other.example.com, wanted \
             https://cb.example.com",
            "c keep key_unseen not_owned",
        ]
    );
    assert_eq!(fleet.plans(&[]), [""; 0]);
}

#[test]
fn what_cannot_be_had_or_known_is_blocked() {
    let missing = SIGNED.replace("KEY_A", "KEY_MISSING");
    for (place, more, reason) in [
        (
            "narrow d.com/live",
            "",
            "app: `live` cannot have a config of its own here; only `*` can (unsupported)",
        ),
        ("narrow d.com/*", "on_demand_url = 'https://od.example.com'", "(fidelity is exact) (unsupported)"),
        ("full d.com/*", &missing, "signing.key: is not set (rule: a variable that is set)"),
    ] {
        let plan = Fleet::empty().plans(&[callback("a", place, more)]);
        assert!(
            plan.len() == 1 && plan[0].starts_with("a blocked: ") && plan[0].ends_with(reason),
            "{plan:?}"
        );
    }
    let plan = Fleet::empty().unreadable().plans(&[callback("a", "full d.com/*", "")]);
    assert_eq!(plan, ["a blocked: it cannot be read: injected (unavailable)"]);
}

#[test]
fn what_cannot_be_read_is_not_deleted() {
    let a = [callback("a", "full d.com/*", "")];
    let blocked =
        "a blocked: whether its config in full d.com/* is still ours cannot be read: injected (unavailable)";
    assert_eq!(Fleet::with(&a).unreadable().plans(&[]), [blocked]);
    let begun = Fleet::empty().after_fault(&a, 2, Fault::CrashBefore);
    assert_eq!(begun.unreadable().plans(&[]), [blocked]);
}

#[test]
fn what_another_callback_is_to_have_is_not_deleted_without_it() {
    let mut fleet = Fleet::with(&[callback("old", "full d.com/*", "")]);
    fleet.targets = Targets::Only([Name::new("old").unwrap()].into());
    let [plan] = &fleet.plans(&[callback("new", "full d.com/*", "")])[..] else { panic!("one step") };
    assert!(plan.contains("blocked: callback `new` is to have what is in full d.com/*"), "{plan}");
}

#[test]
fn a_create_that_may_have_happened_is_ours_only_as_it_was_to_be() {
    let a = [callback("a", "full d.com/*", "")];
    let done = Fleet::empty().after_fault(&a, 2, Fault::CrashAfter);
    // To note that it is done.
    assert_eq!(done.plans(&a), ["a update full d.com/* []"]);
    assert_eq!(done.plans(&[]), ["a delete, delete full d.com/*"]);
    let edited = done.somebody_writes("full", "d.com", "https://edited.example.com");
    assert!(edited.plans(&a)[0].starts_with("a blocked: a run that was interrupted began"));
    assert_eq!(edited.plans(&[]), ["a forget, forget full d.com/* (not written: notify_url)"]);
    let signed = [callback("a", "hiding d.com/*", SIGNED)];
    let hidden = Fleet::empty().after_fault(&signed, 2, Fault::CrashAfter);
    assert_eq!(hidden.plans(&signed), ["a update hiding d.com/* [signing.key]"]);
}

#[test]
fn an_update_that_may_have_happened_is_made_again_where_its_key_is_hidden() {
    let of = |key: &str| [callback("a", "hiding d.com/*", &SIGNED.replace("KEY_A", key))];
    let begun = Fleet::with(&of("KEY_A")).after_fault(&of("KEY_B"), 2, Fault::CrashBefore);
    for key in ["KEY_A", "KEY_B"] {
        assert_eq!(begun.plans(&of(key)), ["a update hiding d.com/* [signing.key]"]);
    }
}

#[test]
fn a_rename_takes_the_config_over_in_place() {
    let fleet = Fleet::with(&[callback("a", "full d.com/*", "")]);
    assert_eq!(fleet.plans(&[callback("b", "full d.com/*", "")]), ["b update full d.com/* [], from a"]);
    let other = callback("b", "full d.com/*", "notify_url = 'https://other.example.com'");
    assert_eq!(fleet.plans(&[other]), ["b update full d.com/* [notify_url], from a"]);
}

#[test]
fn in_a_chain_each_waits_for_who_has_its_place() {
    let fleet = Fleet::with(&[callback("a", "full d.com/*", ""), callback("b", "full e.com/*", "")]);
    let chain = [
        callback("a", "full e.com/*", ""),
        callback("b", "full f.com/*", ""),
        callback("c", "full d.com/*", ""),
    ];
    let expected = [
        "a update full e.com/* [], after b, from b",
        "b create full f.com/* [notify_url, events]",
        "c update full d.com/* [], after a, from a",
    ];
    assert_eq!(fleet.plans(&chain), expected);
    // Who has moved already is not waited for.
    let moved = fleet.then(&chain[1..2], false);
    assert_eq!(moved.plans(&chain)[1..], ["b keep", "c create full d.com/* [notify_url, events]"]);
}

#[test]
fn who_moved_before_the_run_died_is_not_waited_for() {
    let fleet = Fleet::with(&[callback("a", "full d.com/*", "")]);
    let moves = [callback("a", "full e.com/*", ""), callback("b", "full d.com/*", "")];
    // Note, create and note of `a`, its read, and then the note of `b`.
    let fleet = fleet.after_fault(&moves, 5, Fault::CrashBefore);
    assert_eq!(fleet.plans(&moves), ["a keep source_kept", "b update full d.com/* [], from a"]);
}

#[test]
fn an_exchange_is_blocked_for_both() {
    let fleet = Fleet::with(&[callback("a", "full d.com/*", ""), callback("b", "full e.com/*", "")]);
    let plan = fleet.plans(&[callback("a", "full e.com/*", ""), callback("b", "full d.com/*", "")]);
    let reason = |name: &str| {
        format!("blocked: callback `{name}` has this place, and waits for the place this callback has")
    };
    assert_eq!(plan, [format!("a {}", reason("b")), format!("b {}", reason("a"))]);
}

#[test]
fn a_kept_source_stays_until_it_is_dropped_or_not_declared() {
    let there = [callback("a", "narrow d.com/*", "")];
    let mut fleet = Fleet::with(&[callback("a", "full d.com/*", "")]).then(&there, true);
    assert_eq!(fleet.plans(&there), ["a keep source_kept"]);
    assert_eq!(fleet.plans(&[]), ["a delete, delete full d.com/*, delete narrow d.com/*"]);
    let back = fleet.plans(&[callback("a", "full d.com/*", "")]);
    assert_eq!(back, ["a replace full d.com/* [], delete narrow d.com/*"]);
    // Others need not wait for it.
    let taken = fleet.plans(&[there[0].clone(), callback("b", "full d.com/*", "")]);
    assert_eq!(taken, ["a keep source_kept", "b update full d.com/* [], from a"]);
    fleet.drop_kept = true;
    assert_eq!(fleet.plans(&there), ["a replace narrow d.com/* [], delete full d.com/*"]);
}

#[test]
fn without_a_state_nothing_is_deleted_or_overwritten() {
    let callbacks = [callback("a", "full d.com/*", ""), callback("b", "full e.com/*", "")];
    let mut fleet = Fleet::with(&callbacks);
    fleet.state = State::empty().unwrap();
    let other = callback("a", "full d.com/*", "notify_url = 'https://other.example.com'");
    let plan = fleet.plans(&[other]);
    assert!(
        plan.len() == 1 && plan[0].starts_with("a blocked: there is a config that is not ours"),
        "{plan:?}"
    );
    assert_eq!(fleet.plans(&callbacks), ["a keep not_owned", "b keep not_owned"]);
}

#[test]
fn a_plan_is_about_its_targets_only() {
    let (a, b) = (callback("a", "full d.com/*", ""), callback("b", "full e.com/*", ""));
    let mut fleet = Fleet::with(&[a, b]);
    fleet.targets = Targets::Only(BTreeSet::from([Name::new("c").unwrap()]));
    let c = callback("c", "full f.com/*", "");
    assert_eq!(fleet.plans(&[c]), ["c create full f.com/* [notify_url, events]"]);
    let moves = [callback("a", "full g.com/*", ""), callback("c", "full d.com/*", "")];
    let plan = fleet.plans(&moves);
    assert_eq!(plan, ["c blocked: callback `a` still has this place, and is not among the targets"]);
}

#[test]
fn a_hint_names_a_fidelity_only_where_that_helps() {
    let hint = |place: &str, more: &str| {
        let plan = Fleet::empty().make_plan(&[callback("a", place, more)]);
        match &plan.steps[0].action {
            Action::Blocked(blocked) => blocked.hint.clone(),
            other => panic!("{other:?}"),
        }
    };
    let events = |event: &str| format!("events = ['file_completed', '{event}']");
    for (place, more, expected) in [
        ("narrow d.com/live", String::new(), "declare `app = \"*\"` for this provider"),
        ("narrow d.com/*", events("recording_paused"), "accept it with the fidelity `widen`"),
        ("narrow d.com/*", events("file_started"), "accept it with the fidelity `best-effort`"),
        ("narrow d.com/live", events("file_started"), "declare `app = \"*\"` for this provider"),
        (
            "full d.com/*",
            "signing = { scheme = 'md5', key = { env = 'KEY_MISSING' } }".to_owned(),
            "correct the",
        ),
    ] {
        let hint = hint(place, &more);
        assert!(hint.starts_with(expected), "{place} {more}: {hint}");
    }
}

#[test]
fn many_deletions_are_above_a_tenth_or_a_providers_last() {
    let callbacks = |names: std::ops::Range<usize>, provider: &str| -> Vec<String> {
        names.map(|i| callback(&format!("{provider}{i}"), &format!("{provider} d{i}.com/*"), "")).collect()
    };
    let all =
        |many: usize, others: usize| [callbacks(0..many, "full"), callbacks(0..others, "narrow")].concat();
    for (before, after, count, are_many) in [
        ((3, 0), (2, 0), 1, false),
        ((3, 0), (1, 0), 2, true),
        ((19, 1), (17, 1), 2, false),
        ((19, 1), (16, 1), 3, true),
        ((19, 1), (19, 0), 1, true),
        ((1, 0), (0, 0), 1, true),
    ] {
        let fleet = Fleet::with(&all(before.0, before.1));
        let deletions = fleet.make_plan(&all(after.0, after.1)).deletions(&fleet.state);
        assert_eq!((deletions.count, deletions.are_many()), (count, are_many), "{before:?} {after:?}");
    }
    // What moves is not lost, and what others changed is not deleted.
    let fleet = Fleet::with(&[callback("a", "narrow d.com/*", "")]);
    let moved = fleet.make_plan(&[callback("a", "full d.com/*", "")]).deletions(&fleet.state);
    assert!(moved.count == 0 && !moved.are_many(), "{moved:?}");
    let fleet = fleet.somebody_writes("narrow", "d.com", OTHER);
    assert_eq!(fleet.make_plan(&[]).deletions(&fleet.state).count, 0);
}

#[test]
fn what_goes_is_shown_without_an_unused_scheme() {
    let shown = |provider: &str, more: &str| {
        let fleet = Fleet::with(&[callback("a", &format!("{provider} d.com/*"), more)]);
        let plan = serde_json::to_value(fleet.make_plan(&[])).unwrap();
        let shows = plan["steps"][0]["retire"][0]["shows"].as_array().unwrap().clone();
        shows.iter().find(|one| one["field"] == "signing").unwrap()["now"].as_str().unwrap().to_owned()
    };
    assert_eq!(shown("hiding", SIGNED), "md5 (key hidden)");
    assert!(shown("hiding", "").starts_with("disabled"));
    assert_eq!(shown("full", ""), "disabled");
    assert_eq!(shown("full", SIGNED), "md5");
}
