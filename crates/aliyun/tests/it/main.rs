//! The provider against clouds that behave in ways the documents leave open.
//!
//! No test waits: delays are a millisecond.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod answers;
mod cloud;
mod credential;
mod domains;
mod send;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use record_callback_aliyun::{AliyunClient, AliyunProvider, Signature};
use record_callback_core::{
    ErrorKind, Fidelity, Field, ReadBack, RecordCallbackConfig, RecordCallbackProvider,
    RecordCallbackProviderExt,
};
use record_callback_http::{AccessKey, Clock, Quotas, RetryPolicy, StaticCredentials, TokioTimer};

use crate::cloud::{Asked, Cloud, Reply};

const DONE: &str = r#"{"RequestId":"R"}"#;
const URL: &str = "http://cb.example.com/n";
const ON_DEMAND: &str = "http://cb.example.com/od";

/// 2026-01-01 00:00:00 UTC.
#[derive(Debug)]
struct NewYear;

impl Clock for NewYear {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_second(1_767_225_600).unwrap()
    }
}

fn provider_signing(cloud: &Cloud, signature: Signature) -> AliyunProvider {
    let delay = Duration::from_millis(1);
    let client = AliyunClient::builder()
        .endpoint(cloud.address())
        .signature(signature)
        .credentials(StaticCredentials::new(AccessKey::new("testid", "testsecret")))
        .retry(RetryPolicy::default().delays(delay, delay))
        .quotas(Quotas::unlimited())
        .clock(NewYear)
        .build()
        .unwrap();
    AliyunProvider::new(client)
}

/// A client of a mock cloud.
fn client_of(endpoint: &str, id: &str, secret: &str) -> AliyunClient {
    AliyunClient::builder()
        .endpoint(endpoint)
        .credentials(StaticCredentials::new(AccessKey::new(id, secret)))
        .quotas(Quotas::unlimited())
        .build()
        .unwrap()
}

fn provider(cloud: &Cloud) -> AliyunProvider {
    provider_signing(cloud, Signature::Rpc)
}

fn config(on_demand: bool) -> RecordCallbackConfig {
    let builder = RecordCallbackConfig::builder("live.example.com", URL);
    let builder = if on_demand { builder.on_demand_url(ON_DEMAND) } else { builder };
    builder.build().unwrap()
}

fn failure(status: u16, code: &str) -> Reply {
    Reply::new(status, format!(r#"{{"RequestId":"R","Code":"{code}","Message":"M"}}"#))
}

fn described(on_demand: Option<&str>) -> Reply {
    let on_demand = on_demand.unwrap_or_default();
    Reply::new(
        200,
        format!(
            r#"{{"RequestId":"R","LiveRecordNotifyConfig":{{"DomainName":"live.example.com","NotifyUrl":"{URL}","OnDemandUrl":"{on_demand}","NeedStatusNotify":false,"NotifyReqAuth":false}}}}"#
        ),
    )
}

/// The operations that were called, without `LiveRecordNotifyConfig`, those that send an empty URL with `=`.
fn calls(cloud: &Cloud) -> Vec<String> {
    let name = |asked: &Asked| {
        let action = asked.target.split("Action=").nth(1).unwrap().split("Live").next().unwrap();
        let empty = if sends_empty(asked) { "=" } else { "" };
        format!("{action}{empty}")
    };
    cloud.asked().iter().map(name).collect()
}

fn is(asked: &Asked, action: &str) -> bool {
    asked.target.contains(&format!("Action={action}Live"))
}

fn sends_empty(asked: &Asked) -> bool {
    asked.target.contains("OnDemandUrl=&")
}

/// A cloud that refuses an empty URL with `code`, and keeps the old one if none is sent and `keeps`.
/// Reads lag by `lag`.
fn picky(code: &'static str, keeps: bool, lag: usize) -> Cloud {
    let mut stored = Some(ON_DEMAND);
    let mut late = 0;
    Cloud::start(move |asked| {
        if is(asked, "Update") {
            if sends_empty(asked) {
                return failure(400, code);
            }
            stored = stored.filter(|_| keeps);
            late = lag;
            return Reply::new(200, DONE);
        }
        if late > 0 {
            late -= 1;
            return described(Some(ON_DEMAND));
        }
        described(stored)
    })
}

#[tokio::test]
async fn an_update_is_one_call_that_sends_everything() {
    let cloud = Cloud::start(|_| Reply::new(200, DONE));
    let provider = provider(&cloud);
    let applied = provider.update(&config(false), Fidelity::Exact).await.unwrap();
    assert_eq!(applied.unconfirmed, []);
    provider.update(&config(true), Fidelity::Exact).await.unwrap();
    assert_eq!(calls(&cloud), ["Update=", "Update"]);
    let sent = &cloud.asked()[0].target;
    for parameter in ["DomainName=", "NotifyUrl=", "NeedStatusNotify=false", "NotifyReqAuth=false"] {
        assert!(sent.contains(parameter), "{parameter} {sent}");
    }
}

#[tokio::test]
async fn a_create_clears_nothing() {
    let cloud = Cloud::start(|_| Reply::new(200, DONE));
    provider(&cloud).create(&config(false), Fidelity::Exact).await.unwrap();
    assert!(!cloud.asked()[0].target.contains("OnDemandUrl"));
}

#[tokio::test]
async fn an_update_of_nothing_is_not_found_whatever_is_checked_first() {
    let cloud = Cloud::start(|_| failure(404, "InvalidConfig.NotFound"));
    let error = provider(&cloud).update(&config(false), Fidelity::Exact).await.unwrap_err();
    // The list of domains, too, is asked for what is missing.
    assert_eq!((error.kind(), calls(&cloud).len()), (ErrorKind::NotFound, 2));
    let cloud = Cloud::start(|asked| {
        if sends_empty(asked) {
            failure(400, "InvalidOnDemandUrl.Malformed")
        } else {
            failure(404, "InvalidConfig.NotFound")
        }
    });
    let error = provider(&cloud).update(&config(false), Fidelity::Exact).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_refused_empty_url_is_left_out_read_back_and_remembered() {
    for code in ["InvalidOnDemandUrl.Malformed", "MissingOnDemandUrl", "InvalidParameter", "InvalidUrl.Empty"]
    {
        let cloud = picky(code, false, 2);
        let provider = provider(&cloud);
        let applied = provider.update(&config(false), Fidelity::Exact).await.unwrap();
        assert_eq!(applied.unconfirmed, []);
        provider.clone().update(&config(false), Fidelity::Exact).await.unwrap();
        let read = "Describe".to_owned();
        let update = "Update".to_owned();
        let again = [update, read.clone(), read.clone(), read];
        let expected = [&["Update=".to_owned()][..], &again, &again].concat();
        assert_eq!(calls(&cloud), expected, "{code}");
    }
}

#[tokio::test]
async fn a_url_that_stays_is_not_applied_and_says_what_to_do() {
    let cloud = picky("InvalidOnDemandUrl.Malformed", true, 0);
    let error = provider(&cloud).update(&config(false), Fidelity::Exact).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotApplied);
    assert!(
        error.message().contains("`on_demand_url`") && error.message().contains("create it anew"),
        "{error}"
    );
    let fields: Vec<_> = error.differences().iter().map(|difference| difference.field).collect();
    assert_eq!((fields, error.domain()), (vec![Field::OnDemandUrl], Some("live.example.com")));
    // The rest was applied.
    assert!(error.maybe_applied());
}

#[tokio::test]
async fn a_url_that_stays_is_a_deviation_where_loss_is_accepted() {
    let cloud = picky("InvalidOnDemandUrl.Malformed", true, 0);
    let provider = provider(&cloud);
    let applied = provider.update(&config(false), Fidelity::BestEffort).await.unwrap();
    let expected = "on_demand_url dropped: asked for none, gets http://cb.example.com/od";
    let shown: Vec<_> = applied.deviations.iter().map(ToString::to_string).collect();
    assert_eq!((shown, applied.unconfirmed), (vec![expected.to_owned()], vec![]));
    assert_eq!(
        provider.update(&config(false), Fidelity::Widen).await.unwrap_err().kind(),
        ErrorKind::NotApplied
    );
    // Found out by the update and by reading back, and said once.
    let read_back = ReadBack::new(TokioTimer).reads(1);
    let ensured = provider.ensure(&config(false), Fidelity::BestEffort, &read_back).await.unwrap();
    let shown: Vec<_> = ensured.deviations.iter().map(ToString::to_string).collect();
    assert_eq!(shown, [expected]);
}

#[tokio::test]
async fn what_is_refused_for_something_else_is_not_remembered() {
    let good = Arc::new(AtomicBool::new(false));
    let now_good = Arc::clone(&good);
    let cloud = Cloud::start(move |_| {
        if now_good.load(Ordering::Relaxed) {
            Reply::new(200, DONE)
        } else {
            failure(400, "InvalidParameter")
        }
    });
    let provider = provider(&cloud);
    let error = provider.update(&config(false), Fidelity::Exact).await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidParameter"));
    good.store(true, Ordering::Relaxed);
    provider.update(&config(false), Fidelity::Exact).await.unwrap();
    assert_eq!(calls(&cloud), ["Update=", "Update", "Update="]);
}

#[tokio::test]
async fn reads_that_show_nothing_leave_the_url_unconfirmed() {
    for reads in [404, 403] {
        let cloud = Cloud::start(move |asked| match (is(asked, "Update"), sends_empty(asked)) {
            (true, true) => failure(400, "InvalidOnDemandUrl.Malformed"),
            (true, false) => Reply::new(200, DONE),
            (false, _) => failure(reads, if reads == 404 { "InvalidConfig.NotFound" } else { "Forbidden" }),
        });
        let applied = provider(&cloud).update(&config(false), Fidelity::Exact).await.unwrap();
        assert_eq!(applied.unconfirmed, [Field::OnDemandUrl], "{reads}");
    }
}

#[tokio::test]
async fn a_create_whose_answer_is_not_understood_ends_with_one_config() {
    let cases =
        [200, 403, 404, 502].map(|status| [(true, 0), (true, 6), (false, 0)].map(|case| (status, case)));
    for (status, (carried_out, reads_lag)) in cases.into_iter().flatten() {
        let stored = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&stored);
        let (mut creates, mut reads) = (0, 0);
        let cloud = Cloud::start(move |asked| {
            if is(asked, "Add") {
                creates += 1;
                if count.load(Ordering::Relaxed) > 0 {
                    return failure(400, "ConfigAlreadyExists");
                }
                if creates > 1 || carried_out {
                    count.fetch_add(1, Ordering::Relaxed);
                }
                return if creates == 1 { Reply::new(status, "<html>") } else { Reply::new(200, DONE) };
            }
            reads += 1;
            if count.load(Ordering::Relaxed) > 0 && reads > reads_lag {
                described(None)
            } else {
                failure(404, "InvalidConfig.NotFound")
            }
        });
        provider(&cloud).create(&config(false), Fidelity::Exact).await.unwrap();
        assert_eq!(stored.load(Ordering::Relaxed), 1, "{status} {carried_out} {reads_lag}");
    }
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_by_the_clouds_for_either_signature() {
    const CODES: [&str; 2] = ["InvalidTimeStamp.Expired", "IllegalTimestamp"];
    for (signature, code) in [Signature::Rpc, Signature::Acs3].into_iter().zip(CODES) {
        let cloud = Cloud::start(move |asked| {
            if asked.head.replace("%3A", ":").contains("2026-01-02T05:06:07Z") {
                described(None)
            } else {
                failure(400, code).dated("Fri, 02 Jan 2026 05:06:07 GMT")
            }
        });
        let provider = provider_signing(&cloud, signature);
        let key = config(false).key();
        assert!(provider.get(&key).await.unwrap().is_some());
        assert!(provider.get(&key).await.unwrap().is_some());
        assert_eq!(cloud.asked().len(), 3);
    }
}

#[tokio::test]
async fn a_proxys_page_is_a_passing_fault_but_never_means_not_found() {
    let pages = Mutex::new(vec![200, 502, 429]);
    let cloud = Cloud::start(move |_| match pages.lock().unwrap().pop() {
        Some(status) => Reply::new(status, "<html>"),
        None => described(None),
    });
    assert!(provider(&cloud).get(&config(false).key()).await.unwrap().is_some());
    let cloud = Cloud::start(|_| Reply::new(404, "<html>"));
    let error = provider(&cloud).get(&config(false).key()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
}

#[tokio::test]
async fn a_delete_whose_answer_was_lost_is_done() {
    let mut calls = 0;
    let cloud = Cloud::start(move |_| {
        calls += 1;
        if calls == 1 { Reply::lost() } else { failure(404, "InvalidConfig.NotFound") }
    });
    provider(&cloud).delete(&config(false).key()).await.unwrap();
}

#[tokio::test]
async fn a_delete_of_nothing_is_not_found_whatever_the_status() {
    for status in [302, 400, 404, 500, 503] {
        let cloud = Cloud::start(move |_| failure(status, "InvalidConfig.NotFound"));
        let error = provider(&cloud).delete(&config(false).key()).await.unwrap_err();
        assert_eq!((error.kind(), error.maybe_applied()), (ErrorKind::NotFound, false), "{status}");
    }
}

#[tokio::test]
async fn a_create_of_what_exists_is_refused_whatever_the_status() {
    for status in [400, 409, 500] {
        let cloud = Cloud::start(move |asked| {
            if is(asked, "Add") { failure(status, "ConfigAlreadyExists") } else { described(None) }
        });
        let error = provider(&cloud).create(&config(false), Fidelity::Exact).await.unwrap_err();
        assert_eq!((error.kind(), error.maybe_applied()), (ErrorKind::AlreadyExists, false), "{status}");
    }
}

#[tokio::test]
async fn a_list_ends_when_a_page_brings_nothing_new() {
    let cloud = Cloud::start(|asked| {
        // Should it go on and on, the test fails instead of doing so, too.
        if asked.target.contains("PageNumber=9") {
            return failure(403, "Forbidden");
        }
        Reply::new(
            200,
            r#"{"TotalCount":4294967295,"Domains":{"PageData":[{"DomainName":"live.example.com"}]}}"#,
        )
    });
    let error = provider(&cloud).list(None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.message(), "the cloud listed only 1 of 4294967295 domains");
    assert_eq!(cloud.asked().len(), 2);
}

#[tokio::test]
async fn an_endless_list_ends() {
    for total in ["", r#""TotalCount":4294967295,"#] {
        let mut pages = 0;
        let cloud = Cloud::start(move |asked| {
            assert!(!asked.target.contains("DescribeLiveRecordNotifyConfig"), "{}", asked.target);
            pages += 1;
            let domain = format!(r#"{{"DomainName":"d{pages}.example.com"}}"#);
            Reply::new(200, format!(r#"{{{total}"Domains":{{"PageData":[{domain}]}}}}"#))
        });
        let error = provider(&cloud).list(None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().ends_with("2000 without an end"), "{error}");
        assert_eq!(cloud.asked().len(), 2_000);
    }
}

/// A cloud with these domains by the number of the request for a page, in pages of 50.
fn with_domains(domains: impl Fn(usize) -> Vec<usize> + Send + 'static) -> Cloud {
    let mut requests = 0;
    Cloud::start(move |asked| {
        if asked.target.contains("Action=DescribeLiveRecordNotifyConfig") {
            let name = asked.target.split("DomainName=").nth(1).unwrap().split('&').next().unwrap();
            return Reply::new(200, format!(r#"{{"LiveRecordNotifyConfig":{{"DomainName":"{name}"}}}}"#));
        }
        let all = domains(requests);
        requests += 1;
        let page = asked.target.split("PageNumber=").nth(1).unwrap().split('&').next().unwrap();
        let from = (page.parse::<usize>().unwrap() - 1) * 50;
        let names: Vec<_> = (all.iter().skip(from).take(50))
            .map(|n| format!(r#"{{"DomainName":"d{n}.example.com"}}"#))
            .collect();
        let (count, names) = (all.len(), names.join(","));
        Reply::new(200, format!(r#"{{"TotalCount":{count},"Domains":{{"PageData":[{names}]}}}}"#))
    })
}

/// How many domains were asked for their config, and how many pages were asked for.
fn asked_for(cloud: &Cloud) -> (usize, usize) {
    let names: HashSet<_> = cloud
        .asked()
        .iter()
        .filter_map(|asked| {
            let name = asked.target.split("DomainName=").nth(1)?;
            Some(name.split('&').next()?.to_owned())
        })
        .collect();
    let pages = cloud.asked().iter().filter(|asked| asked.target.contains("PageNumber=")).count();
    (names.len(), pages)
}

#[tokio::test]
async fn no_domain_vanishes_when_another_goes_between_two_pages() {
    let cloud = with_domains(|request| (usize::from(request > 0)..110).collect());
    provider(&cloud).list(None).await.unwrap();
    assert_eq!(asked_for(&cloud), (109, 5));
    let cloud = with_domains(|_| (0..110).collect());
    provider(&cloud).list(None).await.unwrap();
    assert_eq!(asked_for(&cloud), (110, 3));
}

#[tokio::test]
async fn domains_that_never_stay_the_same_are_an_error() {
    let cloud = with_domains(|request| (0..110 + request).collect());
    let error = provider(&cloud).list(None).await.unwrap_err();
    assert_eq!((error.kind(), asked_for(&cloud)), (ErrorKind::Unavailable, (0, 32)));
    assert!(error.message().starts_with("the number of domains changed again and again"), "{error}");
}
