//! Domains under whichever name the cloud has them, and domains it does not have.

use record_callback_aliyun::AliyunProvider;
use record_callback_core::{
    AppSelector, CallbackKey, DomainName, ErrorKind, Fidelity, ReadBack, RecordCallbackConfig,
    RecordCallbackProvider, RecordCallbackProviderExt,
};
use record_callback_http::TokioTimer;
use record_callback_mock::{AliyunConfig, AliyunDialect, Dialect, DomainMatching, MockAliyun};

use crate::cloud::{Cloud, Reply};
use crate::{DONE, URL, calls, client_of, described, failure, is, provider};

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

fn of(mock: &MockAliyun) -> AliyunProvider {
    AliyunProvider::new(client_of(mock.endpoint(), mock.access_key_id(), mock.access_key_secret()))
}

fn operations(mock: &MockAliyun) -> Vec<String> {
    mock.requests().iter().filter_map(|request| request.operation().map(str::to_owned)).collect()
}

async fn mock(dialect: AliyunDialect, domains: &[&str]) -> MockAliyun {
    let builder =
        domains.iter().fold(MockAliyun::builder().dialect(dialect), |mock, name| mock.domain(*name));
    builder.start().await.unwrap()
}

#[tokio::test]
async fn every_call_asks_in_the_clouds_spelling() {
    for matching in [DomainMatching::Exact, DomainMatching::IgnoringCase] {
        for (spelling, canonical) in SPELLINGS {
            for registered in [&[][..], &[spelling]] {
                let dialect = AliyunDialect { domain_matching: matching, ..AliyunDialect::default() };
                let mock = mock(dialect, registered).await;
                mock.put_config(AliyunConfig::new(spelling, URL));
                let key = key(canonical);
                let shown = |found: Option<&record_callback_core::StoredCallback>| {
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
                    assert_eq!(mock.config(spelling).unwrap().notify_url, "http://cb.example.com/2");
                    of(&mock).put(&changed, Fidelity::Exact).await.unwrap();
                }
                assert_eq!(mock.configs().len(), 1, "{spelling} {matching:?}");
                let provider = of(&mock);
                provider.delete(&key).await.unwrap();
                assert_eq!(mock.configs(), []);
                if let Ok(name) = DomainName::new(canonical) {
                    provider.create(&config(name.as_str(), URL), Fidelity::Exact).await.unwrap();
                    let created = &mock.configs()[0].domain_name;
                    assert!(matching == DomainMatching::IgnoringCase || created == spelling, "{created}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_name_in_canonical_form_costs_no_further_call() {
    let mock = mock(AliyunDialect::default(), &["live.example.com"]).await;
    mock.put_config(AliyunConfig::new("live.example.com", URL));
    let provider = of(&mock);
    provider.get(&key("live.example.com")).await.unwrap().unwrap();
    provider.list(Some(&DomainName::reported("LIVE.example.com."))).await.unwrap();
    provider.update(&config("LIVE.Example.com.", URL), Fidelity::Exact).await.unwrap();
    provider.delete(&key("live.example.com")).await.unwrap();
    let operations = operations(&mock);
    assert_eq!((operations.len(), operations.contains(&"DescribeLiveUserDomains".to_owned())), (4, false));
}

#[tokio::test]
async fn many_misses_cost_one_list_of_domains() {
    let names: Vec<_> = (0..7).map(|number| format!("d{number}.example.com")).collect();
    let registered: Vec<_> = names.iter().map(String::as_str).collect();
    let mock = mock(AliyunDialect::default(), &registered).await;
    let provider = of(&mock);
    let reads = names.iter().map(|name| {
        let (provider, key) = (provider.clone(), key(name));
        async move { provider.get(&key).await.unwrap() }
    });
    assert_eq!(futures_util::future::join_all(reads).await, vec![None; 7]);
    for name in &names {
        provider.create(&config(name, URL), Fidelity::Exact).await.unwrap();
    }
    let lists = operations(&mock).iter().filter(|name| *name == "DescribeLiveUserDomains").count();
    assert_eq!((lists, mock.requests().len()), (1, 15));
}

#[tokio::test]
async fn a_domain_of_another_account_is_an_error_of_every_call() {
    for (reading, kind) in [
        ("domain_not_found", ErrorKind::DomainNotFound),
        ("config_not_found", ErrorKind::DomainNotFound),
        ("forbidden", ErrorKind::PermissionDenied),
    ] {
        let mut dialect = AliyunDialect::default();
        dialect.choose("unknown_domain", reading).unwrap();
        let mock = mock(dialect, &["live.example.com"]).await;
        let (key, wanted) = (key("foreign.example.com"), config("foreign.example.com", URL));
        let provider = of(&mock);
        let read_back = ReadBack::new(TokioTimer).reads(1);
        for (call, result) in [
            ("get", provider.get(&key).await.map(drop)),
            ("list", provider.list(Some(&key.domain)).await.map(drop)),
            ("create", provider.create(&wanted, Fidelity::Exact).await.map(drop)),
            ("delete", provider.delete(&key).await),
            ("put", provider.put(&wanted, Fidelity::Exact).await.map(drop)),
            ("ensure_absent", provider.ensure_absent(&key, &read_back).await.map(drop)),
        ] {
            let error = result.unwrap_err();
            assert_eq!((error.kind(), error.maybe_applied()), (kind, false), "{call} {reading}: {error}");
            assert_eq!(error.domain(), Some("foreign.example.com"), "{call} {reading}");
        }
        let error = provider.update(&wanted, Fidelity::Exact).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DomainNotFound, "{reading}");
        assert_eq!(provider.list(None).await.unwrap(), []);
    }
}

#[tokio::test]
async fn who_may_not_list_domains_is_told_what_the_cloud_says() {
    for refusal in ["Forbidden", "Brand.New"] {
        let cloud = Cloud::start(move |asked| {
            if asked.target.contains("UserDomains") {
                return failure(400, refusal);
            }
            if is(asked, "Describe") { failure(404, "InvalidConfig.NotFound") } else { Reply::new(200, DONE) }
        });
        let provider = provider(&cloud);
        assert_eq!(provider.get(&key("live.example.com")).await.unwrap(), None);
        provider.create(&config("live.example.com", URL), Fidelity::Exact).await.unwrap();
        assert_eq!(calls(&cloud).len(), 3, "{:?}", calls(&cloud));
    }
}

#[tokio::test]
async fn a_domain_that_goes_while_all_are_listed_is_left_out() {
    for goes in [true, false] {
        let mut lists = 0;
        let cloud = Cloud::start(move |asked| {
            if asked.target.contains("DescribeLiveUserDomains") {
                lists += 1;
                let names = if goes && lists > 1 { &["live"][..] } else { &["live", "gone"] };
                let names: Vec<_> =
                    names.iter().map(|name| format!(r#"{{"DomainName":"{name}.example.com"}}"#)).collect();
                let (count, names) = (names.len(), names.join(","));
                return Reply::new(
                    200,
                    format!(r#"{{"TotalCount":{count},"Domains":{{"PageData":[{names}]}}}}"#),
                );
            }
            if asked.target.contains("DomainName=live") {
                described(None)
            } else {
                failure(404, "InvalidDomain.NotFound")
            }
        });
        match provider(&cloud).list(None).await {
            Ok(listed) => assert_eq!((goes, listed.len()), (true, 1)),
            Err(error) => assert_eq!((goes, error.kind()), (false, ErrorKind::DomainNotFound)),
        }
    }
}
