//! Answers about something else than was asked, and codes nobody documented.

use record_callback_aliyun::NotifyRecordsQuery;
use record_callback_core::{ErrorKind, Fidelity, RecordCallbackProvider, RecordCallbackProviderExt};

use crate::cloud::{Cloud, Reply};
use crate::{DONE, calls, config, failure, is, provider};

fn about(domain: &str) -> Reply {
    let domain = serde_json::to_string(domain).unwrap();
    Reply::new(
        200,
        format!(r#"{{"LiveRecordNotifyConfig":{{"DomainName":{domain},"NotifyUrl":"http://h"}}}}"#),
    )
}

#[tokio::test]
async fn an_answer_about_another_domain_is_never_believed() {
    let cloud = Cloud::start(|_| about("other.example.com"));
    let provider = provider(&cloud);
    let key = config(false).key();
    for result in [
        provider.get(&key).await.map(drop),
        provider.list(Some(&key.domain)).await.map(drop),
        provider.put(&config(false), Fidelity::Exact).await.map(drop),
    ] {
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.domain()), (ErrorKind::Protocol, Some("live.example.com")));
        assert_eq!(
            error.to_string(),
            "aliyun DescribeLiveRecordNotifyConfig live.example.com: asked about the domain `live.example.com`, the cloud \
             answered about `other.example.com` (protocol error)"
        );
    }
    assert_eq!(calls(&cloud).len(), 3, "an answer is not asked for again");
}

#[tokio::test]
async fn another_spelling_of_the_domain_is_no_other_domain() {
    for domain in ["LIVE.Example.com", "live.example.com.", ""] {
        let cloud = Cloud::start(move |_| about(domain));
        let found = provider(&cloud).get(&config(false).key()).await.unwrap().unwrap();
        assert_eq!(found.key, config(false).key());
    }
}

#[tokio::test]
async fn the_name_of_another_domain_is_escaped_and_holds_no_secret() {
    // What is signed with the key is a secret of the request.
    let cloud = Cloud::start(|asked| {
        let signature = asked.target.split("Signature=").nth(1).unwrap().split('&').next().unwrap();
        about(&format!("x\u{1b}[2J\n{signature}"))
    });
    let error = provider(&cloud).get(&config(false).key()).await.unwrap_err();
    let signature = cloud.asked()[0].target.split("Signature=").nth(1).unwrap().to_owned();
    let said = format!("{error} {error:?}");
    assert!(!said.contains(&signature) && said.contains("[redacted]"), "{said}");
    assert!(!said.contains(char::is_control), "{said}");
}

#[tokio::test]
async fn a_delivery_log_of_another_domain_is_refused() {
    let cloud = Cloud::start(|_| {
        Reply::new(
            200,
            r#"{"Code":0,"CallbackList":[{"DomainName":"LIVE.example.com"},{"DomainName":"other"}]}"#,
        )
    });
    let query =
        NotifyRecordsQuery { domain_name: "live.example.com".into(), ..NotifyRecordsQuery::default() };
    let error = provider(&cloud).client().describe_live_record_notify_records(&query).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.message().ends_with("answered about `other`"), "{error}");
}

#[tokio::test]
async fn no_update_follows_a_conflict_nobody_documented() {
    let cloud = Cloud::start(|asked| {
        if is(asked, "Add") {
            failure(409, "OperationConflict")
        } else {
            failure(404, "InvalidConfig.NotFound")
        }
    });
    let error = provider(&cloud).put(&config(false), Fidelity::Exact).await.unwrap_err();
    assert_eq!((error.kind(), error.maybe_applied()), (ErrorKind::Conflict, false));
    assert!(!calls(&cloud).iter().any(|call| call.starts_with("Update")), "{:?}", calls(&cloud));
}

#[tokio::test]
async fn an_undocumented_404_is_no_missing_config() {
    let cloud = Cloud::start(|_| failure(404, "Brand.New"));
    let provider = provider(&cloud);
    let key = config(false).key();
    assert_eq!(provider.get(&key).await.unwrap_err().kind(), ErrorKind::Protocol);
    assert_eq!(provider.delete(&key).await.unwrap_err().kind(), ErrorKind::Protocol);
    assert_eq!(provider.put(&config(false), Fidelity::Exact).await.unwrap_err().kind(), ErrorKind::Protocol);
}

#[tokio::test]
async fn busy_is_no_value_to_correct() {
    let cloud =
        Cloud::start(
            |asked| {
                if is(asked, "Add") { failure(400, "SystemBusy") } else { Reply::new(200, DONE) }
            },
        );
    let error = provider(&cloud).create(&config(true), Fidelity::Exact).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Protocol, Some("SystemBusy")));
    assert!(!error.kind().hint().contains("correct"), "{}", error.kind().hint());
}
