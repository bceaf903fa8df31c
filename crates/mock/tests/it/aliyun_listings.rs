//! Aliyun's two listings: domains and delivered callbacks.

use record_callback_mock::{AliyunConfig, AliyunNotifyRecord, MockAliyun};
use serde_json::Value;

use crate::client::{ALIYUN_TIME, Aliyun, Reply, clock};

const DOMAINS: &str = "DescribeLiveUserDomains";
const RECORDS: &str = "DescribeLiveRecordNotifyRecords";

fn names(reply: &Reply) -> Vec<&str> {
    let page = reply.json["Domains"]["PageData"].as_array().unwrap();
    page.iter().map(|domain| domain["DomainName"].as_str().unwrap()).collect()
}

async fn with_domains() -> MockAliyun {
    MockAliyun::builder()
        .clock(clock(ALIYUN_TIME))
        .domain("a.live.example.com")
        .domain("b.live.example.com")
        .domain("live.example.org")
        .ingest_domain("push.example.com")
        .start()
        .await
        .unwrap()
}

#[tokio::test]
async fn domains_are_filtered() {
    let mock = with_domains().await;
    let caller = Aliyun::new(&mock);
    let (a, b, org, push) =
        ("a.live.example.com", "b.live.example.com", "live.example.org", "push.example.com");
    for (parameters, found) in [
        (vec![], vec![a, b, org, push]),
        (vec![("LiveDomainType", "liveVideo")], vec![a, b, org]),
        (vec![("LiveDomainType", "liveEdge")], vec![push]),
        (vec![("DomainName", "live")], vec![a, b, org]),
        (vec![("DomainName", "live"), ("DomainSearchType", "fuzzy_match")], vec![a, b, org]),
        (vec![("DomainName", "live"), ("DomainSearchType", "pre_match")], vec![org]),
        (vec![("DomainName", "example.com"), ("DomainSearchType", "suf_match")], vec![a, b, push]),
        (vec![("DomainName", "live.example.org"), ("DomainSearchType", "full_match")], vec![org]),
        (vec![("DomainName", "live.example"), ("DomainSearchType", "full_match")], vec![]),
        (vec![("DomainStatus", "online"), ("RegionName", "cn-shanghai")], vec![a, b, org, push]),
        (vec![("DomainStatus", "offline")], vec![]),
        (vec![("RegionName", "ap-southeast-1")], vec![]),
    ] {
        let reply = caller.rpc(DOMAINS, &parameters).await;
        assert_eq!(names(&reply), found, "{parameters:?}");
        assert_eq!(reply.json["TotalCount"], found.len());
    }
    let first = &caller.rpc(DOMAINS, &[]).await.json["Domains"]["PageData"][0];
    for (field, value) in [
        ("LiveDomainType", "liveVideo"),
        ("LiveDomainStatus", "online"),
        ("RegionName", "cn-shanghai"),
        ("Cname", "a.live.example.com.w.alikunlun.com"),
        ("GmtCreated", ALIYUN_TIME),
        ("GmtModified", ALIYUN_TIME),
    ] {
        assert_eq!(first[field], value);
    }
}

#[tokio::test]
async fn domains_come_in_pages() {
    let mock = with_domains().await;
    let caller = Aliyun::new(&mock);
    let page = async |number, size| {
        let reply = caller.rpc(DOMAINS, &[("PageNumber", number), ("PageSize", size)]).await;
        (
            reply.json["TotalCount"].clone(),
            names(&reply).len(),
            names(&reply).first().map(|name| (*name).to_owned()),
        )
    };
    assert_eq!(page("1", "3").await, (4.into(), 3, Some("a.live.example.com".to_owned())));
    assert_eq!(page("2", "3").await, (4.into(), 1, Some("push.example.com".to_owned())));
    assert_eq!(page("3", "3").await, (4.into(), 0, None));

    let default = caller.rpc(DOMAINS, &[]).await;
    assert_eq!((&default.json["PageNumber"], &default.json["PageSize"]), (&1.into(), &20.into()));
    assert_eq!(caller.rpc(DOMAINS, &[("PageSize", "50")]).await.status, 200);
    for parameter in [("PageSize", "51"), ("PageSize", "0"), ("PageNumber", "0"), ("PageNumber", "x")] {
        assert_eq!(
            caller.rpc(DOMAINS, &[parameter]).await.outcome(),
            (400, "InvalidParameter"),
            "{parameter:?}"
        );
    }
}

#[tokio::test]
async fn domain_filters_out_of_range_or_not_modelled_are_refused() {
    let mock = with_domains().await;
    let caller = Aliyun::new(&mock);
    for (parameter, code) in [
        (("LiveDomainType", "livevideo"), "InvalidParameter"),
        (("DomainSearchType", "exact"), "InvalidParameter"),
        (("DomainStatus", "gone"), "InvalidParameter"),
        (("ResourceGroupId", "rg-x"), "NotModelledByMock"),
        (("Tag.1.Key", "k"), "NotModelledByMock"),
    ] {
        assert_eq!(caller.rpc(DOMAINS, &[parameter]).await.outcome(), (400, code), "{parameter:?}");
    }
}

#[tokio::test]
async fn without_registered_domains_those_with_a_configuration_are_listed() {
    let mock = MockAliyun::builder().clock(clock(ALIYUN_TIME)).start().await.unwrap();
    let caller = Aliyun::new(&mock);
    assert!(names(&caller.rpc(DOMAINS, &[]).await).is_empty());
    mock.put_config(AliyunConfig::new("live.example.com", "http://cb.example.com"));
    assert_eq!(names(&caller.rpc(DOMAINS, &[("LiveDomainType", "liveVideo")]).await), ["live.example.com"]);
}

fn record(notify_time: &str) -> AliyunNotifyRecord {
    AliyunNotifyRecord::new("live.example.com", "http://cb.example.com", notify_time.parse().unwrap())
}

/// The required parameters, with `more` replacing or adding some.
fn parameters<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let required = [
        ("DomainName", "live.example.com"),
        ("StartTime", "2026-01-01T00:00:00Z"),
        ("EndTime", "2026-01-02T00:00:00Z"),
        ("PageNumber", "1"),
        ("PageSize", "20"),
    ];
    let replaced = |name: &str| more.iter().any(|(other, _)| *other == name);
    required.into_iter().filter(|(name, _)| !replaced(name)).chain(more.iter().copied()).collect()
}

#[tokio::test]
async fn records_are_filtered_and_come_in_pages() {
    let mock = MockAliyun::builder().clock(clock(ALIYUN_TIME)).start().await.unwrap();
    for record in [
        record("2026-01-01T00:00:00Z"),
        AliyunNotifyRecord { app_name: "other".to_owned(), ..record("2026-01-01T01:00:00Z") },
        AliyunNotifyRecord { stream_name: "other".to_owned(), ..record("2026-01-01T02:00:00Z") },
        AliyunNotifyRecord {
            succeeded: false,
            description: "timeout".to_owned(),
            storage_type: Some("oss".to_owned()),
            ..record("2026-01-02T00:00:00Z")
        },
        record("2026-01-02T00:00:01Z"),
        AliyunNotifyRecord { domain_name: "else.example.com".to_owned(), ..record("2026-01-01T03:00:00Z") },
    ] {
        mock.add_notify_record(record);
    }
    let caller = Aliyun::new(&mock);
    for (more, hours) in [
        (vec![], vec!["01T00", "01T01", "01T02", "02T00"]),
        (vec![("AppName", "app")], vec!["01T00", "01T02", "02T00"]),
        (vec![("StreamName", "other")], vec!["01T02"]),
        (vec![("Status", "failed")], vec!["02T00"]),
        (vec![("Status", "success"), ("AppName", "other")], vec!["01T01"]),
        (vec![("StorageType", "oss")], vec!["02T00"]),
        (vec![("StorageType", "vod")], vec![]),
        (vec![("StorageType", "all"), ("RegionId", "cn-shanghai")], vec!["01T00", "01T01", "01T02", "02T00"]),
        (vec![("StartTime", "2026-01-01T01:30:00Z")], vec!["01T02", "02T00"]),
    ] {
        let reply = caller.rpc(RECORDS, &parameters(&more)).await;
        let list = reply.json["CallbackList"].as_array().unwrap();
        let found: Vec<&str> =
            list.iter().map(|record| &record["NotifyTime"].as_str().unwrap()[8..13]).collect();
        assert_eq!(found, hours, "{more:?}");
    }

    let second = caller.rpc(RECORDS, &parameters(&[("PageSize", "3"), ("PageNumber", "2")])).await.json;
    for (field, value) in [("Code", 0), ("PageNum", 2), ("PageSize", 3), ("TotalNum", 4), ("TotalPage", 2)]
        .map(|(f, v)| (f, Value::from(v)))
    {
        assert_eq!(second[field], value);
    }
    assert_eq!(second["Msg"], "ok");
    let last = &second["CallbackList"][0];
    for (field, value) in [
        ("DomainName", "live.example.com"),
        ("AppName", "app"),
        ("StreamName", "stream"),
        ("NotifyUrl", "http://cb.example.com"),
        ("NotifyType", "file_created"),
        ("NotifyContent", "{}"),
        ("NotifyHeader", r#"{"Content-Type":["application/json; charset=utf-8"]}"#),
        ("NotifyResponse", r#"{"Code":0,"Msg":"Success"}"#),
        ("NotifyResult", "failed"),
        ("Description", "timeout"),
        ("StorageType", "oss"),
    ] {
        assert_eq!(last[field], value, "{field}");
    }
}

#[tokio::test]
async fn parameters_of_the_record_listing_are_checked() {
    let mock =
        MockAliyun::builder().clock(clock(ALIYUN_TIME)).domain("live.example.com").start().await.unwrap();
    let caller = Aliyun::new(&mock);
    for (parameter, code) in [
        (("DomainName", ""), "MissingDomainName"),
        (("StartTime", ""), "MissingStartTime"),
        (("EndTime", ""), "MissingEndTime"),
        (("PageNumber", ""), "MissingPageNumber"),
        (("PageSize", ""), "MissingPageSize"),
        (("StartTime", "2026-01-01 00:00:00"), "InvalidParameter"),
        (("EndTime", "2026-01-01T00:00:00Z"), "InvalidParameter"),
        (("StartTime", "2025-12-26T03:04:04Z"), "InvalidParameter"),
        (("PageSize", "501"), "InvalidParameter"),
        (("Status", "ok"), "InvalidParameter"),
        (("StorageType", "disk"), "InvalidParameter"),
    ] {
        let reply = caller.rpc(RECORDS, &parameters(&[parameter])).await;
        assert_eq!(reply.outcome(), (400, code), "{parameter:?}");
    }
    let oldest = [("StartTime", "2025-12-26T03:04:05Z"), ("PageSize", "500")];
    assert_eq!(caller.rpc(RECORDS, &parameters(&oldest)).await.status, 200);
    let unknown = caller.rpc(RECORDS, &parameters(&[("DomainName", "x.example.com")])).await;
    assert_eq!(unknown.outcome(), (404, "InvalidDomain.NotFound"));
}
