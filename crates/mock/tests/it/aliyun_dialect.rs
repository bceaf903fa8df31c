//! What each reading of Aliyun's pages changes.

use std::{collections::HashSet, time::Duration};

use jiff::SignedDuration;
use record_callback_mock::{
    AliyunConfig, AliyunDialect, AliyunOmitted, AliyunOperation, AliyunThrottling, BooleanRequests, Denial,
    Dialect, EmptyOnDemandUrl, ErrorFormat, FieldOrder, KeyWithoutAuth, MockAliyun, NotFoundStatus,
    NotifyUrlOnUpdate, RequestIds, RetryAfter, UnknownDomain,
};

use crate::client::{ALIYUN_TIME, Aliyun, Reply, clock};

const ADD: &str = "AddLiveRecordNotifyConfig";
const UPDATE: &str = "UpdateLiveRecordNotifyConfig";
const DESCRIBE: &str = "DescribeLiveRecordNotifyConfig";
const DELETE: &str = "DeleteLiveRecordNotifyConfig";
const NAME: &str = "live.example.com";
const DOMAIN: (&str, &str) = ("DomainName", NAME);
const URL: (&str, &str) = ("NotifyUrl", "https://new.example.com");
const KEY: &str = "testkeyyourkey12";

async fn with(dialect: AliyunDialect) -> MockAliyun {
    MockAliyun::builder().clock(clock(ALIYUN_TIME)).dialect(dialect).start().await.unwrap()
}

/// A configuration with a value other than the default in every field.
fn full() -> AliyunConfig {
    AliyunConfig {
        on_demand_url: Some("http://old.example.com/od".to_owned()),
        need_status_notify: true,
        notify_req_auth: true,
        notify_auth_key: Some(KEY.to_owned()),
        ..AliyunConfig::new(NAME, "http://old.example.com")
    }
}

#[tokio::test]
async fn updates_keep_what_they_leave_out() {
    let mock = with(AliyunDialect { omitted_on_update: AliyunOmitted::Kept, ..Default::default() }).await;
    let caller = Aliyun::new(&mock);
    assert_eq!(caller.rpc(UPDATE, &[DOMAIN, URL]).await.outcome(), (404, "InvalidConfig.NotFound"));
    mock.put_config(full());
    assert_eq!(caller.rpc(UPDATE, &[DOMAIN, URL]).await.status, 200);
    let notify_url = URL.1.to_owned();
    assert_eq!(mock.config(NAME), Some(AliyunConfig { notify_url, ..full() }));

    let off = [DOMAIN, URL, ("NeedStatusNotify", "false"), ("NotifyReqAuth", "no"), ("OnDemandUrl", "")];
    assert_eq!(caller.rpc(UPDATE, &off).await.status, 200);
    assert_eq!(mock.config(NAME), Some(AliyunConfig::new(NAME, URL.1)), "what is given counts");
    let no_key = caller.rpc(UPDATE, &[DOMAIN, URL, ("NotifyReqAuth", "yes")]).await;
    assert_eq!(no_key.outcome(), (400, "InvalidParameter"));
}

#[tokio::test]
async fn updates_may_lack_the_url() {
    for (omitted_on_update, url) in
        [(AliyunOmitted::Cleared, ""), (AliyunOmitted::Kept, "http://old.example.com")]
    {
        let notify_url_on_update = NotifyUrlOnUpdate::Optional;
        let mock =
            with(AliyunDialect { omitted_on_update, notify_url_on_update, ..Default::default() }).await;
        mock.put_config(full());
        let caller = Aliyun::new(&mock);
        assert_eq!(caller.rpc(UPDATE, &[DOMAIN]).await.status, 200);
        assert_eq!(mock.config(NAME).unwrap().notify_url, url);
        assert_eq!(caller.rpc(ADD, &[DOMAIN]).await.outcome(), (400, "MissingNotifyUrl"));
    }
}

#[tokio::test]
async fn an_empty_on_demand_url_clears_or_is_malformed() {
    for (empty_on_demand_url, outcome) in [
        (EmptyOnDemandUrl::Clears, (200, "")),
        (EmptyOnDemandUrl::Refused, (400, "InvalidOnDemandUrl.Malformed")),
    ] {
        let mock = with(AliyunDialect { empty_on_demand_url, ..Default::default() }).await;
        mock.put_config(full());
        let reply = Aliyun::new(&mock).rpc(UPDATE, &[DOMAIN, URL, ("OnDemandUrl", "")]).await;
        assert_eq!(reply.outcome(), outcome);
        assert_eq!(mock.config(NAME).unwrap().on_demand_url.is_none(), outcome.0 == 200);
    }
}

#[tokio::test]
async fn the_key_of_a_switched_off_authentication_is_kept() {
    let mock = with(AliyunDialect { key_without_auth: KeyWithoutAuth::Kept, ..Default::default() }).await;
    let caller = Aliyun::new(&mock);
    let added = caller.rpc(ADD, &[DOMAIN, URL, ("NotifyReqAuth", "no"), ("NotifyAuthKey", KEY)]).await;
    assert_eq!(added.status, 200);
    let shown = caller.rpc(DESCRIBE, &[DOMAIN]).await;
    assert_eq!(shown.at("/LiveRecordNotifyConfig/NotifyAuthKey"), KEY);
}

#[tokio::test]
async fn booleans_are_read_as_the_dialect_says() {
    const TRUE_FALSE: &[&str] = &["true", "True", "false", "False"];
    const YES_NO: &[&str] = &["yes", "no"];
    for (boolean_requests, accepted, refused) in
        [(BooleanRequests::TrueFalse, TRUE_FALSE, YES_NO), (BooleanRequests::YesNo, YES_NO, TRUE_FALSE)]
    {
        let mock = with(AliyunDialect { boolean_requests, ..Default::default() }).await;
        mock.put_config(full());
        let caller = Aliyun::new(&mock);
        for parameter in ["NeedStatusNotify", "NotifyReqAuth"] {
            for (texts, outcome) in [(accepted, (200, "")), (refused, (400, "InvalidParameter"))] {
                for text in texts {
                    let parameters = [DOMAIN, URL, (parameter, text), ("NotifyAuthKey", KEY)];
                    assert_eq!(caller.rpc(UPDATE, &parameters).await.outcome(), outcome, "{text}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_missing_configuration_may_be_a_bad_request() {
    let dialect = AliyunDialect { not_found_status: NotFoundStatus::BadRequest, ..Default::default() };
    let mock = with(dialect).await;
    let caller = Aliyun::new(&mock);
    for action in [UPDATE, DESCRIBE, DELETE] {
        assert_eq!(caller.rpc(action, &[DOMAIN, URL]).await.outcome(), (400, "InvalidConfig.NotFound"));
    }
}

#[tokio::test]
async fn a_foreign_domain_is_refused_as_the_dialect_says() {
    use UnknownDomain as Unknown;
    for (unknown_domain, denial, outcome) in [
        (Unknown::DomainNotFound, Denial::BadRequest, (404, "InvalidDomain.NotFound")),
        (Unknown::ConfigNotFound, Denial::BadRequest, (404, "InvalidConfig.NotFound")),
        (Unknown::Forbidden, Denial::BadRequest, (400, "Forbidden")),
        (Unknown::Forbidden, Denial::Unauthorized, (401, "Forbidden")),
        (Unknown::Forbidden, Denial::ForbiddenRam, (403, "Forbidden.RAM")),
    ] {
        let dialect = AliyunDialect { unknown_domain, denial, ..Default::default() };
        let mock = MockAliyun::builder()
            .clock(clock(ALIYUN_TIME))
            .domain("other.example.com")
            .dialect(dialect)
            .start()
            .await
            .unwrap();
        let caller = Aliyun::new(&mock);
        for action in [ADD, DESCRIBE, DELETE] {
            assert_eq!(caller.rpc(action, &[DOMAIN, URL]).await.outcome(), outcome, "{action}");
        }
        let updated = caller.rpc(UPDATE, &[DOMAIN, URL]).await;
        assert_eq!(updated.outcome(), (400, "InvalidDomain.NotFound"), "the page says so");
    }
}

#[tokio::test]
async fn throttling_says_what_the_dialect_says() {
    for (throttling, retry_after, status, header) in [
        (AliyunThrottling::BadRequest, RetryAfter::Absent, 400, ""),
        (AliyunThrottling::TooManyRequests, RetryAfter::Sent, 429, "700"),
        (AliyunThrottling::ServiceUnavailable, RetryAfter::Sent, 503, "700"),
    ] {
        let clock = clock(ALIYUN_TIME);
        let mock = MockAliyun::builder()
            .clock(clock.clone())
            .quota(AliyunOperation::DeleteLiveRecordNotifyConfig, 1, Duration::from_secs(1))
            .dialect(AliyunDialect { throttling, retry_after, ..Default::default() })
            .start()
            .await
            .unwrap();
        let caller = Aliyun::new(&mock);
        assert_eq!(caller.rpc(DELETE, &[DOMAIN]).await.header("x-acs-retry-after"), "");
        clock.advance(SignedDuration::from_millis(300));
        let throttled = caller.rpc(DELETE, &[DOMAIN]).await;
        assert_eq!(throttled.outcome(), (status, "Throttling.User"));
        assert_eq!(throttled.header("x-acs-retry-after"), header);
    }
}

#[tokio::test]
async fn errors_may_come_in_xml_whatever_is_asked() {
    let mock = with(AliyunDialect { error_format: ErrorFormat::Xml, ..Default::default() }).await;
    let caller = Aliyun::new(&mock);
    let xml = |reply: &Reply| {
        reply.header("content-type").starts_with("text/xml")
            && reply.text.contains("<Code>InvalidConfig.NotFound</Code>")
    };
    assert!(xml(&caller.rpc(DESCRIBE, &[DOMAIN]).await));
    assert!(xml(&caller.acs3(DESCRIBE, &[DOMAIN], &[], &[]).await));
    mock.put_config(full());
    assert!(caller.rpc(DESCRIBE, &[DOMAIN]).await.json.is_object(), "successes come as asked");
}

#[tokio::test]
async fn request_ids_need_not_be_uuids() {
    for (request_ids, length) in [(RequestIds::Uuid, 36), (RequestIds::Opaque, 35)] {
        let mock = with(AliyunDialect { request_ids, ..Default::default() }).await;
        let reply = Aliyun::new(&mock).rpc(DESCRIBE, &[DOMAIN]).await;
        assert_eq!(reply.at("/RequestId").len(), length);
        assert_eq!(reply.at("/RequestId"), reply.header("x-acs-request-id"));
    }
}

#[tokio::test]
async fn fields_may_come_in_any_order() {
    let mock = with(AliyunDialect { field_order: FieldOrder::Random, ..Default::default() }).await;
    mock.put_config(full());
    let caller = Aliyun::new(&mock);
    for (format, open, close) in [("JSON", '"', '"'), ("XML", '<', '>')] {
        let mut orders = HashSet::new();
        for _ in 0..40 {
            let text = caller.rpc(DESCRIBE, &[DOMAIN, ("Format", format)]).await.text;
            let at = |name: &str| text.find(&format!("{open}{name}{close}")).unwrap();
            let mut names = ["DomainName", "NotifyUrl", "OnDemandUrl", "NotifyAuthKey"];
            names.sort_by_key(|name| at(name));
            orders.insert(names);
        }
        assert!(orders.len() > 3, "{format}: {}", orders.len());
    }
}

#[tokio::test]
async fn describe_sees_changes_late() {
    let clock = clock(ALIYUN_TIME);
    let dialect = AliyunDialect { read_lag_milliseconds: 40, ..Default::default() };
    let mock = MockAliyun::builder().clock(clock.clone()).dialect(dialect).start().await.unwrap();
    let caller = Aliyun::new(&mock);
    let wait = |milliseconds| clock.advance(SignedDuration::from_millis(milliseconds));
    let notify_url = async || {
        let shown = caller.rpc(DESCRIBE, &[DOMAIN]).await;
        (shown.status, shown.at("/LiveRecordNotifyConfig/NotifyUrl").to_owned())
    };

    assert_eq!(caller.rpc(ADD, &[DOMAIN, URL]).await.status, 200);
    assert_eq!(notify_url().await.0, 404);
    assert_eq!(mock.configs().len(), 1, "the test sees it at once");
    assert_eq!(caller.rpc(ADD, &[DOMAIN, URL]).await.outcome(), (400, "ConfigAlreadyExists"));
    wait(39);
    assert_eq!(notify_url().await.0, 404);
    wait(1);
    assert_eq!(notify_url().await, (200, URL.1.to_owned()));

    mock.put_config(full());
    assert_eq!(notify_url().await.1, URL.1, "changes from outside come late as well");
    wait(40);
    assert_eq!(notify_url().await.1, full().notify_url);
    assert_eq!(caller.rpc(DELETE, &[DOMAIN]).await.status, 200);
    assert_eq!(notify_url().await.0, 200);
    assert_eq!(caller.rpc(DELETE, &[DOMAIN]).await.outcome(), (404, "InvalidConfig.NotFound"));
}

#[tokio::test]
async fn a_configuration_lives_in_every_dialect() {
    for (name, dialect) in AliyunDialect::pairwise() {
        let clock = clock(ALIYUN_TIME);
        let flag = if dialect.boolean_requests == BooleanRequests::TrueFalse { "true" } else { "yes" };
        let mock = MockAliyun::builder().clock(clock.clone()).dialect(dialect).start().await.unwrap();
        let caller = Aliyun::new(&mock);
        let all = [DOMAIN, URL, ("NotifyReqAuth", flag), ("NotifyAuthKey", KEY)];
        for action in [ADD, UPDATE, DESCRIBE, DELETE] {
            assert_eq!(caller.rpc(action, &all).await.status, 200, "{name}: {action}");
            clock.advance(SignedDuration::from_millis(40));
        }
    }
}
