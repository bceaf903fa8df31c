//! Answers about something else than was asked, and codes nobody documented.

use record_callback_core::{ErrorKind, Fidelity, RecordCallbackProvider, RecordCallbackProviderExt};

use crate::cloud::{Asked, Cloud, Reply};
use crate::{calls, config, failure, last, listed, provider, shown};

fn page(config: &str) -> Reply {
    Reply::new(200, format!(r#"{{"total":1,"callback_config":[{config}]}}"#))
}

/// The answer that is shown, with `from` replaced by `to`.
fn altered(from: &str, to: &str) -> String {
    shown("a", "").replace(from, to)
}

#[tokio::test]
async fn a_list_of_another_domain_is_never_believed() {
    let cloud = Cloud::start(|_| page(&altered("push.example.com", "other.example.com")));
    let provider = provider(&cloud);
    let key = config().key();
    for result in [
        provider.get(&key).await.map(drop),
        provider.list(Some(&key.domain)).await.map(drop),
        provider.update(&config(), Fidelity::Exact).await.map(drop),
        provider.delete(&key).await,
        provider.put(&config(), Fidelity::Exact).await.map(drop),
    ] {
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.maybe_applied()), (ErrorKind::Protocol, false));
        assert_eq!(
            error.to_string(),
            "huaweicloud ListRecordCallbackConfigs push.example.com: asked about the domain `push.example.com`, the cloud \
             answered about `other.example.com` (protocol error)"
        );
    }
    assert_eq!(calls(&cloud).len(), 5, "an answer is not asked for again");
}

#[tokio::test]
async fn a_list_of_another_app_is_refused_where_one_was_asked_for() {
    let cloud = Cloud::start(|_| page(&altered(r#""app":"*""#, r#""app":"other""#)));
    let mut key = config().key();
    // `*` may mean any app.
    assert_eq!(provider(&cloud).get(&key).await.unwrap(), None);
    key.app = record_callback_core::AppSelector::reported("live");
    let error = provider(&cloud).get(&key).await.unwrap_err();
    assert_eq!(error.message(), "asked about the app `live`, the cloud answered about `other`");
}

#[tokio::test]
async fn a_config_with_another_id_is_never_believed() {
    let cloud = Cloud::start(|asked| match (asked.method.as_str(), last(asked)) {
        ("GET", "callbacks") => listed(Some("a")),
        _ => Reply::new(200, shown("b\u{1b}", "").replace('\u{1b}', r"\u001b[2J")),
    });
    let provider = provider(&cloud);
    let key = config().key();
    provider.list(None).await.unwrap();
    let error = provider.get(&key).await.unwrap_err();
    assert_eq!((error.kind(), error.domain()), (ErrorKind::Protocol, Some("push.example.com")));
    assert_eq!(error.message(), "asked about the id `a`, the cloud answered about `b [2J`");
    let error = provider.update(&config(), Fidelity::Exact).await.unwrap_err();
    assert_eq!((error.kind(), error.maybe_applied()), (ErrorKind::Protocol, true));
    assert_eq!(calls(&cloud), ["GET callbacks", "GET a", "PUT a"]);
}

#[tokio::test]
async fn the_echo_of_a_write_is_compared_too() {
    for (from, to) in [("push.example.com", "other.example.com"), (r#""app":"*""#, r#""app":"other""#)] {
        let answer = move |asked: &Asked| match asked.method.as_str() {
            "GET" => listed(None),
            _ => Reply::new(201, altered(from, to)),
        };
        let cloud = Cloud::start(answer);
        let error = provider(&cloud).create(&config(), Fidelity::Exact).await.unwrap_err();
        assert_eq!((error.kind(), error.maybe_applied()), (ErrorKind::Protocol, true), "{error}");
        assert_eq!(calls(&cloud).iter().filter(|call| call.starts_with("POST")).count(), 1);
        let cloud = Cloud::start(move |asked| match asked.method.as_str() {
            "GET" => listed(Some("a")),
            _ => Reply::new(200, altered(from, to)),
        });
        let error = provider(&cloud).update(&config(), Fidelity::Exact).await.unwrap_err();
        assert_eq!((error.kind(), error.maybe_applied()), (ErrorKind::Protocol, true), "{error}");
        assert_eq!(calls(&cloud), ["GET callbacks", "PUT a"]);
    }
}

#[tokio::test]
async fn another_spelling_of_the_domain_is_no_other_domain() {
    for domain in ["PUSH.Example.com", "push.example.com."] {
        let cloud = Cloud::start(move |_| page(&altered("push.example.com", domain)));
        let found = provider(&cloud).get(&config().key()).await.unwrap().unwrap();
        assert_eq!(found.key, config().key());
    }
}

#[tokio::test]
async fn no_update_follows_a_conflict_nobody_documented() {
    let cloud = Cloud::start(|asked| match asked.method.as_str() {
        "GET" => listed(None),
        _ => failure((409, "LIVE.999999999")),
    });
    let error = provider(&cloud).put(&config(), Fidelity::Exact).await.unwrap_err();
    assert_eq!((error.kind(), error.maybe_applied()), (ErrorKind::Conflict, false));
    assert!(!calls(&cloud).iter().any(|call| call.starts_with("PUT")), "{:?}", calls(&cloud));
}

#[tokio::test]
async fn an_undocumented_404_is_no_missing_config() {
    let cloud = Cloud::start(|_| failure((404, "LIVE.999999999")));
    let provider = provider(&cloud);
    let key = config().key();
    assert_eq!(provider.get(&key).await.unwrap_err().kind(), ErrorKind::Protocol);
    assert_eq!(provider.delete(&key).await.unwrap_err().kind(), ErrorKind::Protocol);
    assert_eq!(provider.put(&config(), Fidelity::Exact).await.unwrap_err().kind(), ErrorKind::Protocol);
}

#[tokio::test]
async fn busy_is_no_value_to_correct() {
    let cloud = Cloud::start(|asked| match asked.method.as_str() {
        "GET" => listed(None),
        _ => failure((400, "SystemBusy")),
    });
    let error = provider(&cloud).create(&config(), Fidelity::Exact).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Protocol, Some("SystemBusy")));
    assert!(!error.kind().hint().contains("correct"), "{}", error.kind().hint());
}
