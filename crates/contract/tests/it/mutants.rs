use std::collections::BTreeSet;
use std::sync::Arc;

use record_callback_contract::{Behaviour, Failure, MemoryProvider, Verdict, behaviours};
use record_callback_core::RecordCallbackProvider;

use crate::mutant::{Fault, Mutant};
use crate::support::{Faulty, unsigned};

/// A fault, the cloud it is put into, and the behaviours that notice.
type Case = (Fault, fn(Fault) -> Mutant, &'static [&'static str]);

/// Faults that are noticed by these behaviours and no others.
const PRECISELY_CAUGHT: &[Case] = &[
    (
        Fault::None,
        claiming_short_keys,
        &["a_key_of_a_length_the_vendor_refuses_is_invalid_and_stores_nothing"],
    ),
    (Fault::None, claiming_hidden_keys, &["a_hidden_key_is_never_known_and_never_confirmed"]),
    (Fault::ChangesCapabilitiesAfterAWrite, full, &["capabilities_never_change"]),
    (Fault::OmitsVendorAndDomain, full, &["refusals_name_the_vendor_and_the_domain"]),
    (Fault::PutsTheKeyIntoErrors, full, &["no_signing_key_shows_in_errors_or_debug"]),
    (Fault::ChangesTheAccount, full, &["the_account_is_the_same_each_time"]),
    (Fault::TakesAnotherAccountForItsOwn, full, &["another_account_is_told_apart"]),
    (Fault::ShowsConfigsToOthers, full, &["another_account_sees_none_of_our_configs"]),
    (Fault::LetsOthersChangeConfigs, full, &["another_account_changes_none_of_our_configs"]),
    (
        Fault::FallsBackToWildcardInGet,
        full,
        &[
            "get_of_a_named_app_does_not_fall_back_to_the_wildcard",
            "delete_leaves_other_configs_of_the_domain_alone",
            "resolve_prefers_the_exact_app_then_the_wildcard_and_never_merges",
        ],
    ),
    (
        Fault::FallsBackToNamedInGet,
        full,
        &[
            "get_of_the_wildcard_does_not_fall_back_to_a_named_app",
            "delete_leaves_other_configs_of_the_domain_alone",
        ],
    ),
    (Fault::DecodesUrls, full, &["get_shows_urls_exactly_as_written"]),
    (Fault::DecodesAppNames, full, &["get_tells_similar_app_names_apart"]),
    (
        Fault::ReadsWildcardForNamed,
        narrow,
        &["get_of_a_named_app_is_unsupported_where_only_the_wildcard_exists"],
    ),
    (
        Fault::OmitsIds,
        full,
        &["each_config_has_an_id_of_its_own", "create_settles_a_lost_answer_by_reading_back"],
    ),
    (
        Fault::RepeatsIds,
        full,
        &["each_config_has_an_id_of_its_own", "create_settles_a_lost_answer_by_reading_back"],
    ),
    (
        Fault::InventsIds,
        narrow,
        &["no_config_has_an_id_where_the_vendor_has_none", "create_settles_a_lost_answer_by_reading_back"],
    ),
    (Fault::HidesKeys, full, &["a_readable_key_is_known_and_confirmed"]),
    (Fault::ComparesDomainsLiterally, full, &["a_domain_in_another_spelling_is_the_same_domain"]),
    (Fault::FindsNothingInForeignDomains, full, &["a_domain_the_account_lacks_is_an_error_of_every_call"]),
    (Fault::ListsOnePage, full, &["list_reads_all_pages_and_has_each_config_once"]),
    (Fault::ListsSomeTwice, full, &["list_reads_all_pages_and_has_each_config_once"]),
    (
        Fault::ListsEveryDomain,
        full,
        &[
            "list_of_a_domain_without_configs_is_empty",
            "list_of_a_domain_has_its_configs_only",
            "update_of_a_missing_config_is_not_found_and_creates_nothing",
            "a_domain_the_account_lacks_is_an_error_of_every_call",
        ],
    ),
    (Fault::ListsOneDomainOnly, full, &["list_of_everything_has_the_configs_of_every_domain"]),
    (Fault::ListsWithoutSigning, full, &["list_shows_what_get_shows"]),
    (
        Fault::ReplacesInCreate,
        full,
        &[
            "create_never_replaces_an_existing_config",
            "create_refuses_an_identical_config_too",
            "of_two_concurrent_creates_exactly_one_wins",
        ],
    ),
    (Fault::AcceptsIdenticalCreate, full, &["create_refuses_an_identical_config_too"]),
    (Fault::RacesInCreate, full, &["of_two_concurrent_creates_exactly_one_wins"]),
    (
        Fault::DropsWildcardInCreateOfNamed,
        full,
        &[
            "list_reads_all_pages_and_has_each_config_once",
            "create_of_a_named_app_leaves_the_wildcard_alone",
            "update_leaves_other_configs_of_the_domain_alone",
            "delete_leaves_other_configs_of_the_domain_alone",
            "resolve_prefers_the_exact_app_then_the_wildcard_and_never_merges",
        ],
    ),
    (
        Fault::CreatesWildcardForNamed,
        narrow,
        &[
            "capabilities_agree_with_create",
            "create_of_a_named_app_is_unsupported_where_only_the_wildcard_exists",
        ],
    ),
    (
        Fault::MisreportsCreate,
        full,
        &[
            "capabilities_agree_with_create",
            "create_reports_what_it_stored",
            "create_exact_takes_everything_where_every_wish_can_be_fulfilled",
            "create_never_stores_a_config_without_events",
            "ensure_shows_what_was_asked",
        ],
    ),
    (Fault::ForgetsOnDemandUrl, key_hiding, &["ensure_tells_whether_an_undocumented_on_demand_url_was_kept"]),
    (Fault::LosesAnswers, full, &["create_settles_a_lost_answer_by_reading_back"]),
    (Fault::GivesUpWhenThrottled, full, &["create_that_is_throttled_is_made_again"]),
    (Fault::DoesWhatIsDenied, full, &["create_that_is_denied_is_refused_and_creates_nothing"]),
    (Fault::TakesDenialForSomethingElse, full, &["create_that_is_denied_is_refused_and_creates_nothing"]),
    (Fault::RepeatsLostCreates, full, &["create_settles_a_lost_answer_by_reading_back"]),
    (Fault::RepeatsLostDeletes, full, &["delete_that_lost_its_answer_is_done"]),
    (
        Fault::NamesOneDeviation,
        narrow,
        &[
            "create_exact_refuses_with_every_deviation_named_and_stores_nothing",
            "create_widen_refuses_loss_and_stores_nothing",
            "update_exact_refuses_with_every_deviation_named_and_changes_nothing",
        ],
    ),
    (
        Fault::StoresWhatItRefuses,
        narrow,
        &[
            "capabilities_agree_with_create",
            "create_exact_refuses_an_on_demand_url_where_there_are_none",
            "create_exact_refuses_with_every_deviation_named_and_stores_nothing",
            "create_widen_refuses_loss_and_stores_nothing",
            "create_exact_refuses_more_events_and_stores_nothing",
        ],
    ),
    (
        Fault::LosesWhenWidening,
        narrow,
        &["capabilities_agree_with_create", "create_widen_refuses_loss_and_stores_nothing"],
    ),
    (
        Fault::RefusesToWiden,
        narrow,
        &["capabilities_agree_with_create", "create_widen_accepts_more_events_and_reports_them"],
    ),
    (
        Fault::WidensUnasked,
        narrow,
        &["capabilities_agree_with_create", "create_exact_refuses_more_events_and_stores_nothing"],
    ),
    (
        Fault::ReportsNoDeviations,
        narrow,
        &[
            "create_best_effort_reports_every_loss_and_stores_the_rest",
            "create_widen_accepts_more_events_and_reports_them",
            "create_never_stores_a_config_without_events",
            "update_best_effort_reports_every_loss_and_stores_the_rest",
            "a_missing_scheme_falls_back_to_the_strongest_and_never_to_unsigned",
        ],
    ),
    (
        Fault::PairsPauseAndResume,
        full,
        &[
            "capabilities_agree_with_create",
            "create_exact_takes_each_event_alone_where_each_is_switched_alone",
        ],
    ),
    (Fault::PretendsToDeliver, key_hiding, &["create_never_stores_a_config_without_events"]),
    (
        Fault::DropsSilentlyInUpdate,
        narrow,
        &[
            "update_exact_refuses_with_every_deviation_named_and_changes_nothing",
            "update_best_effort_reports_every_loss_and_stores_the_rest",
        ],
    ),
    (
        Fault::FallsBackToUnsigned,
        narrow,
        &[
            "capabilities_agree_with_create",
            "create_exact_refuses_with_every_deviation_named_and_stores_nothing",
            "create_widen_refuses_loss_and_stores_nothing",
            "create_best_effort_reports_every_loss_and_stores_the_rest",
            "update_exact_refuses_with_every_deviation_named_and_changes_nothing",
            "update_best_effort_reports_every_loss_and_stores_the_rest",
            "a_missing_scheme_falls_back_to_the_strongest_and_never_to_unsigned",
        ],
    ),
    (Fault::TakesAnySigning, unsigned_cloud, &["signing_is_unsupported_where_callbacks_cannot_be_signed"]),
    (Fault::ConfirmsKeys, key_hiding, &["a_hidden_key_is_never_known_and_never_confirmed"]),
    (Fault::ConfirmsNothing, full, &["a_readable_key_is_known_and_confirmed"]),
    (
        Fault::SignsWithTheStrongestScheme,
        full,
        &[
            "every_scheme_is_stored_with_keys_of_the_shortest_and_longest_length",
            "update_switches_signing_on_and_to_another_key_and_off",
        ],
    ),
    (Fault::CreatesInUpdate, narrow, &["update_of_a_missing_config_is_not_found_and_creates_nothing"]),
    (Fault::KeepsOnDemandUrlInUpdate, full, &["update_clears_fields_the_new_config_does_not_set"]),
    (
        Fault::KeepsSigningInUpdate,
        full,
        &[
            "update_replaces_every_field",
            "update_clears_fields_the_new_config_does_not_set",
            "update_switches_signing_on_and_to_another_key_and_off",
        ],
    ),
    (
        Fault::RefusesEqualUpdate,
        full,
        &["capabilities_never_change", "update_is_idempotent", "put_creates_then_replaces_and_is_idempotent"],
    ),
    (Fault::MisreportsUpdate, full, &["update_reports_what_it_stored", "ensure_shows_what_was_asked"]),
    (Fault::UpdatesTheWholeDomain, full, &["update_leaves_other_configs_of_the_domain_alone"]),
    (Fault::UpdatesEveryDomain, narrow, &["update_leaves_other_domains_alone"]),
    (Fault::FallsBackInUpdate, full, &["update_does_not_fall_back_to_another_app"]),
    (
        Fault::UpdatesWildcardForNamed,
        narrow,
        &["update_of_a_named_app_is_unsupported_where_only_the_wildcard_exists"],
    ),
    (
        Fault::AcceptsDeleteOfMissing,
        full,
        &[
            "delete_of_a_missing_config_is_not_found",
            "delete_does_not_fall_back_to_another_app",
            "a_domain_the_account_lacks_is_an_error_of_every_call",
            "ensure_absent_says_whether_the_config_was_there",
        ],
    ),
    (Fault::DeletesTheWholeDomain, full, &["delete_leaves_other_configs_of_the_domain_alone"]),
    (Fault::DeletesEveryDomain, narrow, &["delete_leaves_other_domains_alone"]),
    (Fault::FallsBackInDelete, full, &["delete_does_not_fall_back_to_another_app"]),
    (
        Fault::DeletesWildcardForNamed,
        narrow,
        &["delete_of_a_named_app_is_unsupported_where_only_the_wildcard_exists"],
    ),
    (
        Fault::RemembersDeletedConfigs,
        full,
        &["capabilities_agree_with_create", "delete_removes_the_config_and_it_can_be_created_again"],
    ),
];

/// Faults so broad that other behaviours stumble over them as well.
const WIDELY_CAUGHT: &[Case] = &[
    (
        Fault::FailsGetOfMissing,
        narrow,
        &["get_of_a_missing_config_is_none", "resolve_takes_the_wildcard_where_there_is_nothing_else"],
    ),
    (Fault::FailsListOfNothing, full, &["list_of_a_domain_without_configs_is_empty"]),
    (
        Fault::ForgetsOnDemandUrl,
        full,
        &[
            "get_shows_every_field",
            "create_stores_an_on_demand_url",
            "create_exact_takes_everything_where_every_wish_can_be_fulfilled",
        ],
    ),
    (
        Fault::DropsSilently,
        narrow,
        &[
            "create_exact_refuses_with_every_deviation_named_and_stores_nothing",
            "create_exact_refuses_an_on_demand_url_where_there_are_none",
            "create_exact_refuses_more_events_and_stores_nothing",
        ],
    ),
];

fn full(fault: Fault) -> Mutant {
    Mutant::new(MemoryProvider::full(), fault)
}

fn narrow(fault: Fault) -> Mutant {
    Mutant::new(MemoryProvider::narrow(), fault)
}

fn key_hiding(fault: Fault) -> Mutant {
    Mutant::new(MemoryProvider::key_hiding(), fault)
}

fn unsigned_cloud(fault: Fault) -> Mutant {
    Mutant::new(unsigned(), fault)
}

/// Claims to refuse keys that it takes.
fn claiming_short_keys(fault: Fault) -> Mutant {
    let cloud = MemoryProvider::full();
    let mut claimed = cloud.capabilities().clone();
    claimed.signing.key_length = 16..=32;
    Mutant::claiming(claimed, cloud, fault)
}

/// Claims to hide keys that it shows.
fn claiming_hidden_keys(fault: Fault) -> Mutant {
    let cloud = MemoryProvider::full();
    let mut claimed = cloud.capabilities().clone();
    claimed.signing.key_readable = false;
    Mutant::claiming(claimed, cloud, fault)
}

/// The behaviours that fail, with a fresh mutant for each.
async fn failures(make: impl Fn() -> Mutant) -> Vec<(&'static str, Failure)> {
    let mut failures = Vec::new();
    for behaviour in behaviours() {
        if let Verdict::Failed(failure) = behaviour.run(&Faulty(Arc::new(make()))).await {
            failures.push((behaviour.name(), failure));
        }
    }
    failures
}

#[tokio::test]
async fn each_fault_is_caught_by_the_behaviours_it_breaks_and_no_others() {
    let mut mistaken = Vec::new();
    for (fault, cloud, expected) in PRECISELY_CAUGHT {
        let failures = failures(|| cloud(*fault)).await;
        let found: BTreeSet<_> = failures.iter().map(|(name, _)| *name).collect();
        let expected: BTreeSet<_> = expected.iter().copied().collect();
        if found != expected {
            mistaken.push(format!("{fault:?}: expected {expected:?}, {failures:#?}"));
        }
    }
    assert!(mistaken.is_empty(), "{}", mistaken.join("\n"));
}

#[tokio::test]
async fn broad_faults_are_caught_at_least_by_the_behaviours_they_are_named_after() {
    for (fault, cloud, expected) in WIDELY_CAUGHT {
        let failures = failures(|| cloud(*fault)).await;
        for name in *expected {
            assert!(failures.iter().any(|(found, _)| found == name), "{fault:?}: {name} passed");
        }
    }
}

#[test]
fn every_behaviour_is_known_to_catch_a_fault() {
    let catching: BTreeSet<_> =
        PRECISELY_CAUGHT.iter().chain(WIDELY_CAUGHT).flat_map(|(_, _, names)| *names).copied().collect();
    let all: BTreeSet<_> = behaviours().iter().map(Behaviour::name).collect();
    assert_eq!(all.len(), behaviours().len(), "a name is used twice");
    assert_eq!(catching, all);
}
