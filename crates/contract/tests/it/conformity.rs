use std::collections::BTreeSet;
use std::sync::Arc;

use record_callback_contract::{Behaviour, MemoryProvider, Report, Verdict, behaviours, run};
use record_callback_core::{
    CallbackSigning, Fidelity, Field, RecordCallbackConfig, RecordCallbackProvider,
    RecordCallbackProviderExt, SigningKey,
};

use crate::mutant::{Fault, Mutant};
use crate::support::{Faulty, Fresh, Shared, domains, unsigned};

/// Clouds that between them have and lack every ability.
const CLOUDS: [fn() -> MemoryProvider; 4] =
    [MemoryProvider::full, MemoryProvider::narrow, MemoryProvider::key_hiding, unsigned];

fn passed(report: &Report) -> BTreeSet<&'static str> {
    let passed = report.outcomes.iter().filter(|outcome| outcome.verdict == Verdict::Passed);
    passed.map(|outcome| outcome.name).collect()
}

#[tokio::test]
async fn the_memory_provider_keeps_its_contract_whatever_its_abilities() {
    for cloud in CLOUDS {
        run(&Fresh(cloud)).await.assert_passed();
    }
}

#[tokio::test]
async fn every_behaviour_is_about_one_of_these_clouds() {
    let mut seen = BTreeSet::new();
    for cloud in CLOUDS {
        let report = run(&Faulty(Arc::new(Mutant::new(cloud(), Fault::None)))).await;
        report.assert_passed();
        seen.extend(passed(&report));
    }
    let all: BTreeSet<_> = behaviours().iter().map(Behaviour::name).collect();
    assert_eq!(seen, all);
}

#[tokio::test]
async fn one_provider_can_serve_all_behaviours_and_is_left_empty() {
    let cloud = Arc::new(MemoryProvider::full());
    let report = run(&Shared(Arc::<MemoryProvider>::clone(&cloud))).await;
    report.assert_passed();
    assert!(cloud.list(None).await.unwrap().is_empty());
}

#[tokio::test]
async fn writes_may_show_late() {
    run(&Fresh(|| MemoryProvider::full().with_read_lag(2))).await.assert_passed();
    run(&Shared(Arc::new(MemoryProvider::narrow().with_read_lag(2)))).await.assert_passed();
}

#[tokio::test]
async fn an_undocumented_on_demand_url_may_be_ignored() {
    run(&Fresh(|| MemoryProvider::key_hiding().ignoring(Field::OnDemandUrl))).await.assert_passed();
}

#[tokio::test]
async fn a_documented_field_may_not_be_ignored() {
    for field in [Field::NotifyUrl, Field::OnDemandUrl, Field::Events, Field::Signing, Field::SigningKey] {
        let report = run(&Fresh(|| MemoryProvider::full().ignoring(field))).await;
        assert!(!passed(&report).contains("get_shows_every_field"), "{field}: {report}");
    }
}

#[tokio::test]
async fn configs_that_were_there_before_are_left_alone() {
    let cloud = Arc::new(MemoryProvider::full());
    let config = RecordCallbackConfig::builder(domains()[0].as_str(), "https://cb.example.com").build();
    let mine = cloud.put(&config.unwrap(), Fidelity::Exact).await.unwrap();
    let report = run(&Shared(Arc::<MemoryProvider>::clone(&cloud))).await;
    assert!(passed(&report).is_empty(), "{report}");
    let (_, failure) = report.failures().next().unwrap();
    assert!(failure.to_string().contains("only works on domains without any"), "{failure}");
    let left = cloud.list(None).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].differences(&mine.applied.effective), []);
}

#[tokio::test]
async fn a_failed_behaviour_leaves_nothing_behind() {
    for fault in [Fault::StoresWhatItRefuses, Fault::CreatesInUpdate, Fault::ListsOnePage] {
        let cloud = Arc::new(Mutant::new(MemoryProvider::key_hiding(), fault));
        let report = run(&Faulty(Arc::clone(&cloud))).await;
        assert!(!report.passed(), "{fault:?}");
        assert!(cloud.list(None).await.unwrap().is_empty(), "{fault:?}");
    }
}

#[tokio::test]
async fn a_panic_fails_the_behaviour_and_leaves_nothing_behind() {
    let cloud = Arc::new(Mutant::new(MemoryProvider::full(), Fault::PanicsInUpdate));
    let report = run(&Faulty(Arc::clone(&cloud))).await;
    let (name, failure) = report.failures().last().unwrap();
    assert_eq!(failure.to_string(), "the provider panicked", "{name}");
    assert!(cloud.list(None).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_report_says_what_failed_and_why_something_was_skipped() {
    let report = run(&Fresh(|| Mutant::new(MemoryProvider::narrow(), Fault::DecodesUrls))).await;
    let text = report.to_string();
    assert!(text.contains("FAILED   get_shows_urls_exactly_as_written: the config of"), "{text}");
    assert!(
        text.contains("skipped  each_config_has_an_id_of_its_own: only where configs have ids"),
        "{text}"
    );
    assert!(text.contains("ok       update_is_idempotent\n"), "{text}");
    assert!(text.contains("1 failed"), "{text}");
}

#[tokio::test]
#[should_panic(expected = "get_shows_urls_exactly_as_written: the config of")]
async fn a_failed_report_ends_the_test() {
    run(&Fresh(|| Mutant::new(MemoryProvider::full(), Fault::DecodesUrls))).await.assert_passed();
}

#[tokio::test]
async fn debug_of_the_memory_provider_shows_neither_urls_nor_keys() {
    let key = SigningKey::generate().unwrap();
    let config = RecordCallbackConfig::builder("live.example.com", "https://cb.example.com/?token=s3cr3t")
        .signing(CallbackSigning::Md5(key.clone()))
        .build()
        .unwrap();
    let cloud = MemoryProvider::full();
    cloud.create(&config, Fidelity::Exact).await.unwrap();
    let text = format!("{cloud:?}");
    assert!(text.contains("configs: 1"), "{text}");
    assert!(!text.contains("s3cr3t") && !text.contains(key.expose()), "{text}");
}
