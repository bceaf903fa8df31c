use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use record_callback_core::Capabilities;

use crate::behaviours::{
    account, capabilities, create, delete, domains, ext, fidelity, get, list, signing, update,
};
use crate::bench::Bench;
use crate::failure::Failure;
use crate::harness::Harness;
use crate::need::{self, Need};
use crate::report::{Outcome, Report, Verdict};

/// One sentence of the contract, as a test.
pub struct Behaviour {
    name: &'static str,
    need: &'static Need,
    check: for<'a> fn(&'a Bench<'a>) -> BoxFuture<'a, Result<(), Failure>>,
}

impl Behaviour {
    /// The sentence, in `snake_case`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether the sentence is about a provider with these capabilities, tested by this harness.
    pub fn applies(&self, capabilities: &Capabilities, harness: &dyn Harness) -> bool {
        self.need.is_met(capabilities, harness)
    }

    /// Tests a provider of `harness`, and deletes what that created.
    ///
    /// [`Verdict::Skipped`] when the behaviour does not apply.
    pub async fn run(&self, harness: &dyn Harness) -> Verdict {
        let provider = harness.provider().await;
        if !self.applies(provider.capabilities(), harness) {
            return Verdict::Skipped(self.need.condition);
        }
        let bench = match Bench::new(harness, provider).await {
            Ok(bench) => bench,
            Err(failure) => return Verdict::Failed(failure),
        };
        // The bench is not used after a panic but for deleting.
        let checked = AssertUnwindSafe((self.check)(&bench)).catch_unwind().await;
        let checked = checked.unwrap_or_else(|_| Err(Failure::new("the provider panicked")));
        match (checked, bench.clean_up().await) {
            (Ok(()), Ok(())) => Verdict::Passed,
            (Err(failure), Ok(())) | (Ok(()), Err(failure)) => Verdict::Failed(failure),
            (Err(failure), Err(left)) => Verdict::Failed(failure.and(&left)),
        }
    }
}

impl std::fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Behaviour").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Tests every behaviour, one after the other.
pub async fn run(harness: &dyn Harness) -> Report {
    let vendor = harness.provider().await.vendor();
    let mut outcomes = Vec::new();
    for behaviour in behaviours() {
        outcomes.push(Outcome { name: behaviour.name, verdict: behaviour.run(harness).await });
    }
    Report { vendor, outcomes }
}

/// Every behaviour, in the order of [`run`].
pub fn behaviours() -> &'static [Behaviour] {
    BEHAVIOURS
}

/// `module { sentence: NEED, … }`: the function is named as the sentence.
macro_rules! behaviours {
    ($($module:ident { $($name:ident: $need:ident,)* })*) => {
        &[$($(Behaviour {
            name: stringify!($name),
            need: &need::$need,
            check: |bench| Box::pin($module::$name(bench)),
        },)*)*]
    };
}

static BEHAVIOURS: &[Behaviour] = behaviours! {
    capabilities {
        capabilities_never_change: NOTHING,
        capabilities_agree_with_create: NOTHING,
        refusals_name_the_vendor_and_the_domain: NOTHING,
    }
    account {
        the_account_is_the_same_each_time: NOTHING,
        another_account_is_told_apart: OTHER_ACCOUNT,
        another_account_sees_none_of_our_configs: OTHER_ACCOUNT,
        another_account_changes_none_of_our_configs: OTHER_ACCOUNT,
    }
    get {
        get_of_a_missing_config_is_none: NOTHING,
        get_shows_every_field: NOTHING,
        get_shows_urls_exactly_as_written: NOTHING,
        get_of_a_named_app_does_not_fall_back_to_the_wildcard: NAMED_APPS,
        get_of_the_wildcard_does_not_fall_back_to_a_named_app: NAMED_APPS,
        get_tells_similar_app_names_apart: NAMED_APPS,
        get_of_a_named_app_is_unsupported_where_only_the_wildcard_exists: ONLY_ANY_APP,
        each_config_has_an_id_of_its_own: IDS,
        no_config_has_an_id_where_the_vendor_has_none: NO_IDS,
    }
    list {
        list_of_a_domain_without_configs_is_empty: NOTHING,
        list_of_a_domain_has_its_configs_only: NOTHING,
        list_of_everything_has_the_configs_of_every_domain: NOTHING,
        list_shows_what_get_shows: NOTHING,
        list_reads_all_pages_and_has_each_config_once: NAMED_APPS,
    }
    create {
        create_never_replaces_an_existing_config: NOTHING,
        create_refuses_an_identical_config_too: NOTHING,
        create_reports_what_it_stored: NOTHING,
        of_two_concurrent_creates_exactly_one_wins: NOTHING,
        create_of_a_named_app_leaves_the_wildcard_alone: NAMED_APPS,
        create_of_a_named_app_is_unsupported_where_only_the_wildcard_exists: ONLY_ANY_APP,
        create_settles_a_lost_answer_by_reading_back: FAULTS,
        create_that_is_throttled_is_made_again: FAULTS,
        create_that_is_denied_is_refused_and_creates_nothing: FAULTS,
        create_stores_an_on_demand_url: ON_DEMAND,
        create_exact_refuses_an_on_demand_url_where_there_are_none: NO_ON_DEMAND,
    }
    fidelity {
        create_exact_refuses_with_every_deviation_named_and_stores_nothing: LOSS,
        create_widen_refuses_loss_and_stores_nothing: LOSS,
        create_best_effort_reports_every_loss_and_stores_the_rest: LOSS,
        create_exact_takes_everything_where_every_wish_can_be_fulfilled: NO_LOSS,
        create_widen_accepts_more_events_and_reports_them: WIDENING,
        create_exact_refuses_more_events_and_stores_nothing: WIDENING,
        create_exact_takes_each_event_alone_where_each_is_switched_alone: NO_WIDENING,
        create_never_stores_a_config_without_events: NOTHING,
        update_exact_refuses_with_every_deviation_named_and_changes_nothing: LOSS,
        update_best_effort_reports_every_loss_and_stores_the_rest: LOSS,
    }
    signing {
        every_scheme_is_stored_with_keys_of_the_shortest_and_longest_length: SIGNING,
        a_key_of_a_length_the_vendor_refuses_is_invalid_and_stores_nothing: KEY_LIMITS,
        a_missing_scheme_falls_back_to_the_strongest_and_never_to_unsigned: MISSING_SCHEME,
        signing_is_unsupported_where_callbacks_cannot_be_signed: NO_SIGNING,
        a_readable_key_is_known_and_confirmed: READABLE_KEYS,
        a_hidden_key_is_never_known_and_never_confirmed: HIDDEN_KEYS,
        no_signing_key_shows_in_errors_or_debug: SIGNING,
    }
    update {
        update_of_a_missing_config_is_not_found_and_creates_nothing: NOTHING,
        update_replaces_every_field: NOTHING,
        update_clears_fields_the_new_config_does_not_set: NOTHING,
        update_switches_signing_on_and_to_another_key_and_off: SIGNING,
        update_is_idempotent: NOTHING,
        update_reports_what_it_stored: NOTHING,
        update_leaves_other_domains_alone: NOTHING,
        update_leaves_other_configs_of_the_domain_alone: NAMED_APPS,
        update_does_not_fall_back_to_another_app: NAMED_APPS,
        update_of_a_named_app_is_unsupported_where_only_the_wildcard_exists: ONLY_ANY_APP,
    }
    delete {
        delete_removes_the_config_and_it_can_be_created_again: NOTHING,
        delete_of_a_missing_config_is_not_found: NOTHING,
        delete_that_lost_its_answer_is_done: FAULTS,
        delete_leaves_other_domains_alone: NOTHING,
        delete_leaves_other_configs_of_the_domain_alone: NAMED_APPS,
        delete_does_not_fall_back_to_another_app: NAMED_APPS,
        delete_of_a_named_app_is_unsupported_where_only_the_wildcard_exists: ONLY_ANY_APP,
    }
    domains {
        a_domain_in_another_spelling_is_the_same_domain: NOTHING,
        a_domain_the_account_lacks_is_an_error_of_every_call: FOREIGN_DOMAIN,
    }
    ext {
        put_creates_then_replaces_and_is_idempotent: NOTHING,
        ensure_shows_what_was_asked: NOTHING,
        ensure_tells_whether_an_undocumented_on_demand_url_was_kept: ON_DEMAND_PERHAPS,
        ensure_absent_says_whether_the_config_was_there: NOTHING,
        resolve_prefers_the_exact_app_then_the_wildcard_and_never_merges: NAMED_APPS,
        resolve_takes_the_wildcard_where_there_is_nothing_else: ONLY_ANY_APP,
    }
};
