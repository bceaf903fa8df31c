//! The four operations on Aliyun's recording-callback configurations.

use record_callback_mock::{AliyunConfig, AliyunDialect, BooleanAnswers, MockAliyun};
use serde_json::json;

use crate::client::{ALIYUN_TIME, Aliyun, Reply, clock};

const ADD: &str = "AddLiveRecordNotifyConfig";
const UPDATE: &str = "UpdateLiveRecordNotifyConfig";
const DESCRIBE: &str = "DescribeLiveRecordNotifyConfig";
const DELETE: &str = "DeleteLiveRecordNotifyConfig";
const DOMAIN: (&str, &str) = ("DomainName", "live.example.com");
const URL: (&str, &str) = ("NotifyUrl", "https://cb.example.com/n?a=1");
const KEY: (&str, &str) = ("NotifyAuthKey", "testkeyyourkey12");

async fn start() -> MockAliyun {
    MockAliyun::builder().clock(clock(ALIYUN_TIME)).start().await.unwrap()
}

async fn describe(caller: &Aliyun<'_>) -> Reply {
    caller.rpc(DESCRIBE, &[DOMAIN]).await
}

#[tokio::test]
async fn a_configuration_lives_from_add_to_delete() {
    let mock = start().await;
    let caller = Aliyun::new(&mock);
    assert_eq!(describe(&caller).await.outcome(), (404, "InvalidConfig.NotFound"));

    let all = [
        DOMAIN,
        URL,
        ("OnDemandUrl", "http://cb.example.com/od"),
        ("NeedStatusNotify", "true"),
        ("NotifyReqAuth", "true"),
        KEY,
    ];
    let added = caller.rpc(ADD, &all).await;
    assert_eq!(added.status, 200);
    assert_eq!(added.json, json!({ "RequestId": added.header("x-acs-request-id") }));
    let again = caller.rpc(ADD, &all).await;
    assert_eq!(again.outcome(), (400, "ConfigAlreadyExists"));
    assert_eq!(again.at("/Message"), "Config has already exist.");

    assert_eq!(
        describe(&caller).await.json["LiveRecordNotifyConfig"],
        json!({
            "DomainName": "live.example.com",
            "NotifyUrl": "https://cb.example.com/n?a=1",
            "OnDemandUrl": "http://cb.example.com/od",
            "NeedStatusNotify": true,
            "NotifyReqAuth": true,
            "NotifyAuthKey": "testkeyyourkey12",
        })
    );

    assert_eq!(caller.rpc(DELETE, &[DOMAIN]).await.status, 200);
    let gone = caller.rpc(DELETE, &[DOMAIN]).await;
    assert_eq!(gone.outcome(), (404, "InvalidConfig.NotFound"));
    assert_eq!(gone.at("/Message"), "Config does not exist.");
    let operations: Vec<_> =
        mock.requests().iter().map(|request| request.operation().unwrap().to_owned()).collect();
    assert_eq!(operations, [DESCRIBE, ADD, ADD, DESCRIBE, DELETE, DELETE]);
}

#[tokio::test]
async fn update_replaces_every_field() {
    let mock = start().await;
    let caller = Aliyun::new(&mock);
    assert_eq!(caller.rpc(UPDATE, &[DOMAIN, URL]).await.outcome(), (404, "InvalidConfig.NotFound"));
    mock.put_config(AliyunConfig {
        on_demand_url: Some("http://cb.example.com/od".to_owned()),
        need_status_notify: true,
        notify_req_auth: true,
        notify_auth_key: Some("testkeyyourkey12".to_owned()),
        ..AliyunConfig::new("live.example.com", "http://cb.example.com/old")
    });

    assert_eq!(caller.rpc(UPDATE, &[DOMAIN, URL]).await.status, 200);
    assert_eq!(mock.configs(), [AliyunConfig::new("live.example.com", "https://cb.example.com/n?a=1")]);
    let shown = describe(&caller).await;
    assert_eq!(shown.at("/LiveRecordNotifyConfig/OnDemandUrl"), "");
    assert_eq!(shown.at("/LiveRecordNotifyConfig/NotifyAuthKey"), "");
}

#[tokio::test]
async fn the_key_of_a_switched_off_authentication_is_dropped() {
    let mock = start().await;
    let reply = Aliyun::new(&mock).rpc(ADD, &[DOMAIN, URL, ("NotifyReqAuth", "no"), KEY]).await;
    assert_eq!(reply.status, 200);
    assert_eq!(mock.config("live.example.com").unwrap().notify_auth_key, None);
}

#[tokio::test]
async fn booleans_are_read_the_way_the_pages_and_the_sdks_write_them() {
    let mock = start().await;
    let caller = Aliyun::new(&mock);
    mock.put_config(AliyunConfig::new("live.example.com", "http://cb.example.com"));
    for (text, value) in
        [("true", true), ("True", true), ("yes", true), ("false", false), ("False", false), ("no", false)]
    {
        let parameters = [DOMAIN, URL, ("NeedStatusNotify", text), ("NotifyReqAuth", text), KEY];
        assert_eq!(caller.rpc(UPDATE, &parameters).await.status, 200, "{text}");
        let stored = mock.config("live.example.com").unwrap();
        assert_eq!((stored.need_status_notify, stored.notify_req_auth), (value, value));
    }
    for text in ["1", "TRUE", "on", ""] {
        let reply = caller.rpc(UPDATE, &[DOMAIN, URL, ("NeedStatusNotify", text)]).await;
        assert_eq!(reply.outcome(), (400, "InvalidParameter"), "{text}");
        assert!(reply.at("/Message").contains("NeedStatusNotify"));
    }
}

#[tokio::test]
async fn answers_write_booleans_as_the_dialect_says() {
    for (boolean_answers, on, off) in [
        (BooleanAnswers::Bool, json!(true), json!(false)),
        (BooleanAnswers::TrueFalseText, json!("true"), json!("false")),
        (BooleanAnswers::YesNo, json!("yes"), json!("no")),
    ] {
        let dialect = AliyunDialect { boolean_answers, ..Default::default() };
        let mock = MockAliyun::builder().clock(clock(ALIYUN_TIME)).dialect(dialect).start().await.unwrap();
        mock.put_config(AliyunConfig {
            need_status_notify: true,
            ..AliyunConfig::new("live.example.com", "http://cb.example.com")
        });
        let shown = &describe(&Aliyun::new(&mock)).await.json["LiveRecordNotifyConfig"];
        assert_eq!((&shown["NeedStatusNotify"], &shown["NotifyReqAuth"]), (&on, &off));
    }
}

#[tokio::test]
async fn parameters_are_checked() {
    let mock = start().await;
    let caller = Aliyun::new(&mock);
    for (action, parameters, code) in [
        (ADD, vec![URL], "MissingDomainName"),
        (ADD, vec![("DomainName", ""), URL], "MissingDomainName"),
        (ADD, vec![DOMAIN], "MissingNotifyUrl"),
        (UPDATE, vec![DOMAIN], "MissingNotifyUrl"),
        (DESCRIBE, vec![], "MissingDomainName"),
        (DELETE, vec![], "MissingDomainName"),
        (ADD, vec![DOMAIN, ("NotifyUrl", "ftp://cb.example.com")], "InvalidNotifyUrl.Malformed"),
        (ADD, vec![DOMAIN, ("NotifyUrl", "cb.example.com")], "InvalidNotifyUrl.Malformed"),
        (ADD, vec![DOMAIN, ("NotifyUrl", "http://")], "InvalidNotifyUrl.Malformed"),
        (ADD, vec![DOMAIN, ("NotifyUrl", " http://cb.example.com")], "InvalidNotifyUrl.Malformed"),
        (ADD, vec![DOMAIN, ("NotifyUrl", "http://cb.example.com/a b")], "InvalidNotifyUrl.Malformed"),
        (ADD, vec![DOMAIN, ("NotifyUrl", "http://cb.example.com/a\nb")], "InvalidNotifyUrl.Malformed"),
        (UPDATE, vec![DOMAIN, URL, ("OnDemandUrl", "od")], "InvalidOnDemandUrl.Malformed"),
        (ADD, vec![DOMAIN, URL, ("NotifyReqAuth", "true")], "InvalidParameter"),
        (
            ADD,
            vec![DOMAIN, URL, ("NotifyReqAuth", "true"), ("NotifyAuthKey", "tooshort1234567")],
            "InvalidParameter",
        ),
        (ADD, vec![DOMAIN, URL, ("NotifyAuthKey", "not-alphanumeric1")], "InvalidParameter"),
        (ADD, vec![DOMAIN, URL, ("NotifyAuthKey", "a23456789012345678901234567890123")], "InvalidParameter"),
    ] {
        assert_eq!(caller.rpc(action, &parameters).await.outcome(), (400, code), "{action} {parameters:?}");
    }
    assert!(mock.configs().is_empty());
    let message = caller.rpc(ADD, &[DOMAIN, ("NotifyUrl", "x")]).await;
    assert_eq!(message.at("/Message"), "Specified NotifyUrl is invalid.");
    let message = caller.rpc(ADD, &[DOMAIN]).await;
    assert_eq!(message.at("/Message"), "NotifyUrl is mandatory for this action.");
}

#[tokio::test]
async fn once_a_domain_is_registered_there_are_no_others() {
    let mock = MockAliyun::builder()
        .clock(clock(ALIYUN_TIME))
        .domain("live.example.com")
        .ingest_domain("push.example.com")
        .start()
        .await
        .unwrap();
    let caller = Aliyun::new(&mock);
    assert_eq!(caller.rpc(ADD, &[DOMAIN, URL]).await.status, 200);
    for domain in ["other.example.com", "push.example.com", "LIVE.example.com"] {
        let name = ("DomainName", domain);
        for (action, status, message) in [
            (ADD, 404, "The domain provided does not exist in our records."),
            (UPDATE, 400, "Specified Domain is invalid."),
            (DESCRIBE, 404, "The domain provided does not exist in our records."),
            (DELETE, 404, "The domain provided does not exist in our records."),
        ] {
            let reply = caller.rpc(action, &[name, URL]).await;
            assert_eq!(reply.outcome(), (status, "InvalidDomain.NotFound"), "{action} {domain}");
            assert_eq!(reply.at("/Message"), message);
        }
    }
}

#[tokio::test]
async fn configurations_can_change_from_outside() {
    let mock = start().await;
    let caller = Aliyun::new(&mock);
    mock.put_config(AliyunConfig::new("live.example.com", "http://one.example.com"));
    mock.put_config(AliyunConfig::new("live.example.com", "http://two.example.com"));
    assert_eq!(describe(&caller).await.at("/LiveRecordNotifyConfig/NotifyUrl"), "http://two.example.com");
    assert_eq!(mock.remove_config("live.example.com").unwrap().notify_url, "http://two.example.com");
    assert_eq!(mock.remove_config("live.example.com"), None);
    assert_eq!(describe(&caller).await.status, 404);
}
