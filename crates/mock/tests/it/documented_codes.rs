//! Every error code that the pages of the operations document can be provoked.

use record_callback_mock::{
    AliyunConfig, AliyunDialect, AliyunFailure, Fault, FaultKind, MockAliyun, MockHuaweicloud, PrivateUrls,
};
use reqwest::Method;
use serde_json::json;

use crate::client::{ALIYUN_TIME, Aliyun, HUAWEICLOUD_TIME, Huaweicloud, clock};

const ADD: &str = "AddLiveRecordNotifyConfig";
const UPDATE: &str = "UpdateLiveRecordNotifyConfig";
const DOMAIN: (&str, &str) = ("DomainName", "live.example.com");
const URL: (&str, &str) = ("NotifyUrl", "https://cb.example.com/n");

/// The account has one domain, with a configuration if there is to be one.
async fn aliyun(is_configured: bool, dialect: AliyunDialect) -> MockAliyun {
    let mock = MockAliyun::builder().clock(clock(ALIYUN_TIME)).dialect(dialect);
    let mock = mock.domain(DOMAIN.1).unsafe_host("Unsafe.example.com").start().await.unwrap();
    if is_configured {
        mock.put_config(AliyunConfig::new(DOMAIN.1, URL.1));
    }
    mock
}

#[tokio::test]
async fn every_code_of_the_pages_of_aliyun_is_provoked() {
    let unsafe_url = |name| (name, "http://unsafe.example.com:8080/n");
    let malformed = |name| (name, "ftp://cb.example.com");
    for (operation, is_configured) in [(ADD, false), (UPDATE, true)] {
        let mock = aliyun(is_configured, AliyunDialect::default()).await;
        let caller = Aliyun::new(&mock);
        for (parameters, code) in [
            ([DOMAIN, malformed("NotifyUrl")].as_slice(), "InvalidNotifyUrl.Malformed"),
            (&[DOMAIN, unsafe_url("NotifyUrl")], "InvalidNotifyUrl.Unsafe"),
            (&[DOMAIN, URL, malformed("OnDemandUrl")], "InvalidOnDemandUrl.Malformed"),
            (&[DOMAIN, URL, unsafe_url("OnDemandUrl")], "InvalidOnDemandUrl.Unsafe"),
        ] {
            assert_eq!(caller.rpc(operation, parameters).await.outcome(), (400, code), "{operation}");
        }
        let refused = caller.rpc(operation, &[DOMAIN, unsafe_url("NotifyUrl")]).await;
        assert_eq!(refused.at("/Message"), "Specified NotifyUrl is not safe.");
        mock.faults().add(Fault::new(FaultKind::Denied));
        assert_eq!(caller.rpc(operation, &[DOMAIN, URL]).await.outcome(), (400, "Forbidden"));
    }

    let mock =
        aliyun(true, AliyunDialect { failure: AliyunFailure::InternalError, ..Default::default() }).await;
    let caller = Aliyun::new(&mock);
    assert_eq!(caller.rpc(ADD, &[DOMAIN, URL]).await.outcome(), (400, "ConfigAlreadyExists"));
    let elsewhere = ("DomainName", "other.example.com");
    assert_eq!(caller.rpc(UPDATE, &[elsewhere, URL]).await.outcome(), (400, "InvalidDomain.NotFound"));
    mock.faults().add(Fault::new(FaultKind::Unavailable));
    assert_eq!(caller.rpc(UPDATE, &[DOMAIN, URL]).await.outcome(), (500, "InternalError"));
    mock.remove_config(DOMAIN.1);
    assert_eq!(caller.rpc(UPDATE, &[DOMAIN, URL]).await.outcome(), (404, "InvalidConfig.NotFound"));
}

#[tokio::test]
async fn private_addresses_are_unsafe_if_the_dialect_says_so() {
    for (private_urls, expected) in [(PrivateUrls::Accepted, None), (PrivateUrls::Refused, Some(400))] {
        let mock = aliyun(true, AliyunDialect { private_urls, ..Default::default() }).await;
        let caller = Aliyun::new(&mock);
        for url in
            ["http://127.0.0.1:8080/n", "http://192.168.0.1/n", "http://localhost/n", "http://[fd00::1]/n"]
        {
            for (parameters, code) in [
                ([DOMAIN, ("NotifyUrl", url)].as_slice(), "InvalidNotifyUrl.Unsafe"),
                (&[DOMAIN, URL, ("OnDemandUrl", url)], "InvalidOnDemandUrl.Unsafe"),
            ] {
                let reply = caller.rpc(UPDATE, parameters).await;
                match expected {
                    Some(status) => assert_eq!(reply.outcome(), (status, code), "{url}"),
                    None => assert_eq!(reply.status, 200, "{url}"),
                }
            }
        }
    }
}

#[tokio::test]
async fn unsafe_hosts_can_be_set_later() {
    let mock = aliyun(true, AliyunDialect::default()).await;
    let caller = Aliyun::new(&mock);
    mock.set_unsafe_hosts(["cb.example.com"]);
    let refused = caller.rpc(UPDATE, &[DOMAIN, URL]).await;
    assert_eq!(refused.outcome(), (400, "InvalidNotifyUrl.Unsafe"));
    let earlier = ("NotifyUrl", "http://unsafe.example.com/n");
    assert_eq!(caller.rpc(UPDATE, &[DOMAIN, earlier]).await.status, 200);
}

#[tokio::test]
async fn the_code_of_the_page_of_huaweicloud_is_provoked() {
    let mock = MockHuaweicloud::builder().clock(clock(HUAWEICLOUD_TIME)).start().await.unwrap();
    let caller = Huaweicloud::new(&mock);
    let id = caller
        .create(&json!({ "publish_domain": "push.example.com", "app": "*" }))
        .await
        .at("/id")
        .to_owned();
    let target = caller.callbacks(&format!("/{id}"));
    let refused = caller.call(Method::PUT, &target, r#"{"publish_domain": "push.example.com"}"#).await;
    assert_eq!(refused.outcome(), (400, "LIVE.100011001"));
}
