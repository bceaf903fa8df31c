//! Domains under whichever name the cloud has them, and domains it does not have.

use record_callback_core::{
    AppSelector, CallbackKey, DomainName, ErrorKind, Fidelity, ReadBack, RecordCallbackConfig,
    RecordCallbackProvider, RecordCallbackProviderExt, StoredCallback,
};
use record_callback_http::{AccessKey, Quotas, StaticCredentials, TokioTimer};
use record_callback_huaweicloud::{HuaweicloudClient, HuaweicloudProvider};
use record_callback_mock::{DomainMatching, HuaweicloudConfig, HuaweicloudDialect, MockHuaweicloud};

use crate::cloud::{Cloud, Reply};
use crate::{URL, calls, failure, last, listed, provider};

/// Spellings of a cloud, and the canonical form of each.
const SPELLINGS: [(&str, &str); 4] = [
    ("PUSH.Example.com", "push.example.com"),
    ("push.example.com.", "push.example.com"),
    ("直播.example.com", "xn--z6ut02b.example.com"),
    ("push_1.Example.com", "push_1.example.com"),
];

fn key(domain: &str) -> CallbackKey {
    CallbackKey::new(DomainName::reported(domain), AppSelector::Any)
}

fn config(domain: &str, url: &str) -> RecordCallbackConfig {
    RecordCallbackConfig::builder(domain, url).build().unwrap()
}

fn of(mock: &MockHuaweicloud) -> HuaweicloudProvider {
    let key = AccessKey::new(mock.access_key(), mock.secret_key());
    let client = HuaweicloudClient::builder()
        .endpoint(mock.endpoint())
        .iam_endpoint(mock.iam_endpoint())
        .project_id(mock.project_id())
        .credentials(StaticCredentials::new(key))
        .quotas(Quotas::unlimited())
        .build()
        .unwrap();
    HuaweicloudProvider::new(client)
}

fn operations(mock: &MockHuaweicloud) -> Vec<String> {
    mock.requests().iter().filter_map(|request| request.operation().map(str::to_owned)).collect()
}

async fn mock(dialect: HuaweicloudDialect, domains: &[&str]) -> MockHuaweicloud {
    let builder = MockHuaweicloud::builder().dialect(dialect);
    let builder = domains.iter().fold(builder, |mock, name| mock.domain(*name));
    builder.start().await.unwrap()
}

fn put(mock: &MockHuaweicloud, domain: &str, app: &str) {
    let mut config = HuaweicloudConfig::new(domain, app);
    config.notify_callback_url = Some(URL.into());
    mock.put_config(config);
}

#[tokio::test]
async fn every_call_asks_in_the_clouds_spelling() {
    for matching in [DomainMatching::Exact, DomainMatching::IgnoringCase] {
        for (spelling, canonical) in SPELLINGS {
            for registered in [&[][..], &[spelling]] {
                let dialect =
                    HuaweicloudDialect { domain_matching: matching, ..HuaweicloudDialect::default() };
                let mock = mock(dialect, registered).await;
                put(&mock, spelling, "*");
                let key = key(canonical);
                let shown = |found: Option<&StoredCallback>| {
                    found.map(|found| (found.key.to_string(), found.notify_url.clone().unwrap()))
                };
                let there = |url: &str| Some((format!("{canonical}/*"), url.to_owned()));

                assert_eq!(shown(of(&mock).get(&key).await.unwrap().as_ref()), there(URL), "{spelling}");
                assert_eq!(shown(of(&mock).list(None).await.unwrap().first()), there(URL));
                assert_eq!(shown(of(&mock).list(Some(&key.domain)).await.unwrap().first()), there(URL));
                if let Ok(name) = DomainName::new(canonical) {
                    let changed = config(name.as_str(), "http://cb.example.com/2");
                    let error = of(&mock).create(&changed, Fidelity::Exact).await.unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{spelling} {matching:?}");
                    of(&mock).update(&changed, Fidelity::Exact).await.unwrap();
                    let url = mock.config(spelling, "*").unwrap().notify_callback_url;
                    assert_eq!(url.as_deref(), Some("http://cb.example.com/2"));
                    let provider = of(&mock);
                    provider.list(None).await.unwrap();
                    provider.update(&changed, Fidelity::Exact).await.unwrap();
                    provider.put(&changed, Fidelity::Exact).await.unwrap();
                }
                assert_eq!(mock.configs().len(), 1, "{spelling} {matching:?}");
                let provider = of(&mock);
                provider.delete(&key).await.unwrap();
                assert_eq!(mock.configs(), []);
                if let Ok(name) = DomainName::new(canonical) {
                    provider.create(&config(name.as_str(), URL), Fidelity::Exact).await.unwrap();
                    let created = &mock.configs()[0].publish_domain;
                    assert!(matching == DomainMatching::IgnoringCase || created == spelling, "{created}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_first_config_goes_to_the_domain_as_the_project_spells_it() {
    let mock = mock(HuaweicloudDialect::default(), &["PUSH.Example.com"]).await;
    let wanted = config("push.example.com", URL);
    of(&mock).create(&wanted, Fidelity::Exact).await.unwrap();
    assert!(mock.config("PUSH.Example.com", "*").is_some());
    // One of another app goes beside it.
    let named = RecordCallbackConfig::builder("push.example.com", URL).app("live").build().unwrap();
    of(&mock).put(&named, Fidelity::Exact).await.unwrap();
    assert!(mock.config("PUSH.Example.com", "live").is_some());
    assert_eq!(of(&mock).list(Some(wanted.domain())).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_domain_in_two_spellings_shows_the_configs_of_both() {
    let mock = mock(HuaweicloudDialect::default(), &[]).await;
    put(&mock, "push.example.com", "*");
    put(&mock, "PUSH.Example.com", "live");
    let provider = of(&mock);
    assert_eq!(provider.list(None).await.unwrap().len(), 2);
    let domain = DomainName::new("push.example.com").unwrap();
    assert_eq!(provider.list(Some(&domain)).await.unwrap().len(), 2);
    let named = CallbackKey::new(domain, AppSelector::reported("live"));
    assert!(of(&mock).get(&named).await.unwrap().is_some());
}

#[tokio::test]
async fn a_name_in_canonical_form_costs_no_further_call() {
    let mock = mock(HuaweicloudDialect::default(), &["push.example.com"]).await;
    put(&mock, "push.example.com", "*");
    let provider = of(&mock);
    provider.get(&key("push.example.com")).await.unwrap().unwrap();
    provider.list(Some(&DomainName::reported("PUSH.Example.com"))).await.unwrap();
    provider.update(&config("Push.Example.com.", URL), Fidelity::Exact).await.unwrap();
    provider.delete(&key("push.example.com")).await.unwrap();
    let operations = operations(&mock);
    let count = |wanted: &str| operations.iter().filter(|name| *name == wanted).count();
    // The third for the delete, which looks up the id it deletes.
    assert_eq!((count("ListRecordCallbackConfigs"), count("ShowDomain")), (3, 0), "{operations:?}");
}

#[tokio::test]
async fn many_misses_cost_one_list_of_configs_and_one_of_domains() {
    let names: Vec<_> = (0..7).map(|number| format!("d{number}.example.com")).collect();
    let registered: Vec<_> = names.iter().map(String::as_str).collect();
    let mock = mock(HuaweicloudDialect::default(), &registered).await;
    let provider = of(&mock);
    for name in &names {
        assert_eq!(provider.get(&key(name)).await.unwrap(), None);
    }
    for name in &names {
        provider.create(&config(name, URL), Fidelity::Exact).await.unwrap();
    }
    let count = |wanted: &str| operations(&mock).iter().filter(|name| *name == wanted).count();
    let counts = ["ListRecordCallbackConfigs", "ShowDomain", "CreateRecordCallbackConfig"].map(count);
    assert_eq!(counts, [8, 1, 7]);
}

#[tokio::test]
async fn a_domain_of_another_project_is_an_error_of_every_call() {
    let mock = mock(HuaweicloudDialect::default(), &["push.example.com"]).await;
    let (key, wanted) = (key("foreign.example.com"), config("foreign.example.com", URL));
    let provider = of(&mock);
    let read_back = ReadBack::new(TokioTimer).reads(1);
    for (call, result) in [
        ("get", provider.get(&key).await.map(drop)),
        ("list", provider.list(Some(&key.domain)).await.map(drop)),
        ("create", provider.create(&wanted, Fidelity::Exact).await.map(drop)),
        ("update", provider.update(&wanted, Fidelity::Exact).await.map(drop)),
        ("delete", provider.delete(&key).await),
        ("put", provider.put(&wanted, Fidelity::Exact).await.map(drop)),
        ("ensure_absent", provider.ensure_absent(&key, &read_back).await.map(drop)),
    ] {
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.maybe_applied()), (ErrorKind::DomainNotFound, false), "{call}");
        assert_eq!(error.domain(), Some("foreign.example.com"), "{call}");
    }
    assert_eq!(provider.list(None).await.unwrap(), []);
}

#[tokio::test]
async fn who_may_not_list_domains_is_told_what_the_cloud_says() {
    for refusal in [(401, "LIVE.100011003"), (403, "APIGW.0302"), (404, "APIGW.0101"), (400, "LIVE.9")] {
        let cloud = Cloud::start(move |asked| match last(asked) {
            "domain" => failure(refusal),
            _ if asked.method == "POST" => Reply::new(201, r#"{"id":"a"}"#),
            _ => listed(None),
        });
        let provider = provider(&cloud);
        assert_eq!(provider.get(&key("push.example.com")).await.unwrap(), None);
        assert_eq!(provider.list(Some(&key("push.example.com").domain)).await.unwrap(), []);
        provider.create(&config("push.example.com", URL), Fidelity::Exact).await.unwrap();
        let asked = calls(&cloud).iter().filter(|call| *call == "GET domain").count();
        assert_eq!(asked, 1, "{:?}", calls(&cloud));
    }
}
