//! The provider against clouds that behave in ways the documents leave open.
//!
//! No test waits: delays are a millisecond.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod answers;
mod cloud;
mod credential_chain;
mod credential_choice;
mod credential_failures;
mod credential_lifetime;
mod credential_sources;
mod credential_world;
mod domains;
mod send;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use record_callback_core::{
    CallbackSigning, ErrorKind, Fidelity, Field, RecordCallbackConfig, RecordCallbackProvider, SigningKey,
};
use record_callback_http::{AccessKey, Clock, Quotas, RetryPolicy, StaticCredentials};
use record_callback_huaweicloud::{HuaweicloudClient, HuaweicloudClientBuilder, HuaweicloudProvider};

use crate::cloud::{Asked, Cloud, Reply};

const URL: &str = "http://cb.example.com/n";
const ON_DEMAND: &str = "http://cb.example.com/od";
const KEY: &str = "0123456789abcdefghijklmnopqrstuv";
/// What clouds answer for an id they do not know.
const GONE: [(u16, &str); 3] = [(404, "LIVE.103011019"), (400, "LIVE.103011019"), (400, "LIVE.100011001")];

/// 2026-01-01 00:00:00 UTC.
#[derive(Debug)]
struct NewYear;

impl Clock for NewYear {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_second(1_767_225_600).unwrap()
    }
}

fn builder(cloud: &Cloud) -> HuaweicloudClientBuilder {
    let delay = Duration::from_millis(1);
    HuaweicloudClient::builder()
        .endpoint(cloud.address())
        .iam_endpoint(cloud.address())
        .project_id("p1")
        .credentials(StaticCredentials::new(AccessKey::new("testid", "testsecret")))
        .retry(RetryPolicy::default().delays(delay, delay))
        .quotas(Quotas::unlimited())
        .clock(NewYear)
}

fn provider(cloud: &Cloud) -> HuaweicloudProvider {
    HuaweicloudProvider::new(builder(cloud).build().unwrap())
}

fn config() -> RecordCallbackConfig {
    RecordCallbackConfig::builder("push.example.com", URL).build().unwrap()
}

fn failure((status, code): (u16, &str)) -> Reply {
    Reply::new(status, format!(r#"{{"error_code":"{code}","error_msg":"M"}}"#))
}

fn shown(id: &str, on_demand: &str) -> String {
    format!(
        r#"{{"id":"{id}","publish_domain":"push.example.com","app":"*","notify_callback_url":"{URL}","notify_event_subscription":["RECORD_FILE_COMPLETE"],"on_demand_callback_url":"{on_demand}","sign_type":"HMACSHA256"}}"#
    )
}

fn listed(id: Option<&str>) -> Reply {
    listed_with("", id)
}

fn listed_with(on_demand: &str, id: Option<&str>) -> Reply {
    let configs = id.map(|id| shown(id, on_demand)).unwrap_or_default();
    Reply::new(200, format!(r#"{{"total":{},"callback_config":[{configs}]}}"#, u8::from(id.is_some())))
}

/// Method and last segment of the path of each request.
fn calls(cloud: &Cloud) -> Vec<String> {
    cloud.asked().iter().map(|asked| format!("{} {}", asked.method, last(asked))).collect()
}

fn last(asked: &Asked) -> &str {
    asked.target.split('?').next().unwrap().rsplit('/').next().unwrap()
}

/// What empty texts a request has: `u` for the URL, `k` for the key.
fn empties(asked: &Asked) -> String {
    let has = |field: &str, letter| asked.body.contains(&format!(r#""{field}":"""#)).then_some(letter);
    [has("on_demand_callback_url", 'u'), has("key", 'k')].into_iter().flatten().collect()
}

/// What empty texts each update has.
fn updates(cloud: &Cloud) -> Vec<String> {
    cloud.asked().iter().filter(|asked| asked.method == "PUT").map(empties).collect()
}

/// A cloud that lists the ids of `listings` one after the other, the last again and again, and knows that one only:
/// to a request with another it answers `gone`. Of the first `lost` writes it carries out, it gives no answer.
fn moving(listings: &[Option<&'static str>], gone: (u16, &'static str), lost: usize) -> Cloud {
    let listings = Mutex::new(listings.iter().rev().copied().collect::<Vec<_>>());
    let mut lost = lost;
    let mut deleted = false;
    Cloud::start(move |asked| {
        let mut listings = listings.lock().unwrap();
        let current = listings[0].filter(|_| !deleted);
        if asked.method == "GET" && last(asked) == "callbacks" {
            let next = if listings.len() > 1 { listings.pop().unwrap() } else { current };
            return listed(next);
        }
        if current != Some(last(asked)) {
            return failure(gone);
        }
        deleted |= asked.method == "DELETE";
        if asked.method != "GET" && lost > 0 {
            lost -= 1;
            return Reply::lost();
        }
        Reply::new(200, if asked.method == "GET" { shown("b", "") } else { String::new() })
    })
}

#[tokio::test]
async fn an_id_that_is_gone_is_looked_up_again_whatever_the_cloud_says() {
    for gone in GONE {
        let cloud = moving(&[Some("a"), Some("b")], gone, 0);
        let provider = provider(&cloud);
        let key = config().key();
        assert_eq!(provider.list(None).await.unwrap()[0].id.as_ref().unwrap().as_str(), "a");
        assert_eq!(provider.get(&key).await.unwrap().unwrap().id.unwrap().as_str(), "b", "{gone:?}");
        assert_eq!(calls(&cloud), ["GET callbacks", "GET a", "GET callbacks"]);

        let cloud = moving(&[Some("a"), Some("b")], gone, 0);
        let provider = self::provider(&cloud);
        provider.list(None).await.unwrap();
        let applied = provider.update(&config(), Fidelity::Exact).await.unwrap();
        assert_eq!(applied.id.unwrap().as_str(), "b", "{gone:?}");
        provider.delete(&key).await.unwrap();
        assert_eq!(calls(&cloud).last().unwrap(), "DELETE b");
    }
}

#[tokio::test]
async fn what_is_gone_for_good_is_not_found() {
    for gone in GONE {
        for known in [true, false] {
            let cloud = moving(&[Some("a"), None], gone, 0);
            let provider = provider(&cloud);
            provider.list(None).await.unwrap();
            if !known {
                provider.get(&config().key()).await.unwrap();
            }
            let error = if known {
                provider.update(&config(), Fidelity::Exact).await.unwrap_err()
            } else {
                provider.delete(&config().key()).await.unwrap_err()
            };
            assert_eq!(
                (error.kind(), error.domain()),
                (ErrorKind::NotFound, Some("push.example.com")),
                "{gone:?}"
            );
            assert!(!error.maybe_applied());
        }
    }
}

#[tokio::test]
async fn a_refusal_of_a_known_id_that_is_still_listed_is_the_callers() {
    let cloud = Cloud::start(|asked| match asked.method.as_str() {
        "GET" => listed(Some("a")),
        _ => failure((400, "LIVE.103011016")),
    });
    let provider = provider(&cloud);
    provider.list(None).await.unwrap();
    let error = provider.delete(&config().key()).await.unwrap_err();
    assert_eq!(error.code(), Some("LIVE.103011016"));
    assert_eq!(calls(&cloud), ["GET callbacks", "GET callbacks", "DELETE a"]);
}

#[tokio::test]
async fn a_delete_looks_up_the_id_it_deletes() {
    let mut lists = 0;
    // Deleted and created anew behind our back; a delete of what is gone succeeds.
    let cloud = Cloud::start(move |asked| {
        if asked.method != "GET" {
            return Reply::new(204, "");
        }
        lists += 1;
        listed(Some(if lists > 1 { "b" } else { "a" }))
    });
    let provider = provider(&cloud);
    provider.list(None).await.unwrap();
    provider.delete(&config().key()).await.unwrap();
    assert_eq!(calls(&cloud), ["GET callbacks", "GET callbacks", "DELETE b"]);
}

#[tokio::test]
async fn a_delete_of_what_was_just_created_is_done_while_lists_lag() {
    let cloud = Cloud::start(|asked| match (asked.method.as_str(), last(asked)) {
        ("GET", "callbacks") => listed(None),
        ("GET", _) => Reply::new(200, shown("a", "")),
        ("POST", _) => Reply::new(201, r#"{"id":"a"}"#),
        _ => Reply::new(204, ""),
    });
    let provider = provider(&cloud);
    provider.create(&config(), Fidelity::Exact).await.unwrap();
    provider.delete(&config().key()).await.unwrap();
    let expected = ["GET callbacks", "POST callbacks", "GET callbacks", "GET a", "DELETE a"];
    assert_eq!(calls(&cloud), expected);
}

#[tokio::test]
async fn a_lost_answer_to_a_list_is_no_delete() {
    let mut lists = 0;
    let cloud = Cloud::start(move |_| {
        lists += 1;
        if lists == 1 { Reply::lost() } else { failure((404, "LIVE.103011019")) }
    });
    let error = provider(&cloud).delete(&config().key()).await.unwrap_err();
    assert_eq!((error.kind(), error.maybe_applied()), (ErrorKind::DomainNotFound, false));
}

#[tokio::test]
async fn a_delete_whose_answer_was_lost_is_done_also_while_lists_lag() {
    for gone in GONE {
        for known in [true, false] {
            for lag in [0, 2] {
                // Shown by the first list, and by some more after it is gone.
                let listings: Vec<_> = std::iter::repeat_n(Some("b"), 1 + lag).chain([Some("b")]).collect();
                let cloud = moving(&listings, gone, 1);
                let provider = provider(&cloud);
                if known {
                    provider.list(None).await.unwrap();
                }
                provider.delete(&config().key()).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_delete_of_what_is_gone_is_not_found_whatever_the_status() {
    for status in [302, 400, 404, 500, 503] {
        // Listed, known or not, but not there.
        for listings in [&[Some("a"), None][..], &[Some("a"), Some("a"), None]] {
            let cloud = moving(listings, (status, "LIVE.103011019"), 0);
            let provider = provider(&cloud);
            provider.list(None).await.unwrap();
            let error = provider.delete(&config().key()).await.unwrap_err();
            assert_eq!((error.kind(), error.maybe_applied()), (ErrorKind::NotFound, false), "{status}");
        }
    }
}

#[tokio::test]
async fn an_update_sends_empty_texts_for_what_is_absent_but_may_be_stored_and_a_create_sends_none() {
    let cloud = Cloud::start(|asked| match asked.method.as_str() {
        "GET" => listed(Some("a")),
        _ => Reply::new(201, r#"{"id":"a"}"#),
    });
    let provider = provider(&cloud);
    provider.create(&config(), Fidelity::Exact).await.unwrap();
    let applied = provider.update(&config(), Fidelity::Exact).await.unwrap();
    assert_eq!(applied.unconfirmed, [Field::SigningKey]);
    let full = RecordCallbackConfig::builder("push.example.com", URL)
        .on_demand_url(ON_DEMAND)
        .signing(CallbackSigning::Md5(SigningKey::new(KEY).unwrap()))
        .build()
        .unwrap();
    provider.update(&full, Fidelity::Exact).await.unwrap();
    // That it shows none yet may be for reads that lag.
    provider.list(None).await.unwrap();
    provider.update(&config(), Fidelity::Exact).await.unwrap();
    provider.update(&config(), Fidelity::Exact).await.unwrap();
    let sent: Vec<_> = cloud.asked().iter().map(|asked| (asked.method.clone(), empties(asked))).collect();
    let expected =
        [("GET", ""), ("POST", ""), ("PUT", "k"), ("PUT", ""), ("GET", ""), ("PUT", "uk"), ("PUT", "k")];
    assert_eq!(sent, expected.map(|(method, empties)| (method.to_owned(), empties.to_owned())));
}

/// A cloud that refuses updates with these empty texts; it lists an on-demand URL, and shows it `shows` times.
fn refusing(refused: &'static str, shows: usize) -> Cloud {
    let mut shows = shows;
    Cloud::start(move |asked| match asked.method.as_str() {
        "GET" if last(asked) == "callbacks" => listed_with(ON_DEMAND, Some("a")),
        "GET" => {
            let on_demand = if shows > 0 { ON_DEMAND } else { "" };
            shows = shows.saturating_sub(1);
            Reply::new(200, shown("a", on_demand))
        }
        _ if empties(asked).contains(|c| refused.contains(c)) => failure((400, "LIVE.100011001")),
        _ => Reply::new(200, ""),
    })
}

#[tokio::test]
async fn refused_empty_texts_are_left_out_one_by_one_and_remembered() {
    let on_demand = RecordCallbackConfig::builder("push.example.com", URL).on_demand_url(ON_DEMAND).build();
    let on_demand = on_demand.unwrap();
    for (refused, first, then, reads) in [
        ("k", &["uk", "u"][..], ["", "", "u"], 0),
        ("u", &["uk", "u", "k"], ["k", "k", "k"], 3),
        ("uk", &["uk", "u", "k", ""], ["", "", ""], 3),
    ] {
        let cloud = refusing(refused, 2);
        let provider = provider(&cloud);
        provider.list(None).await.unwrap();
        let applied = provider.update(&config(), Fidelity::Exact).await.unwrap();
        assert_eq!(applied.unconfirmed, [Field::SigningKey], "{refused}");
        for config in [config(), on_demand.clone(), config()] {
            provider.clone().update(&config, Fidelity::Exact).await.unwrap();
        }
        assert_eq!(updates(&cloud), [first, &then].concat(), "{refused}");
        let shows = calls(&cloud).iter().filter(|call| *call == "GET a").count();
        // The last update reads once more; the one before the URL was sent again has nothing to read for.
        assert_eq!(shows, if reads > 0 { reads + 1 } else { 0 }, "{refused}");
    }
}

#[tokio::test]
async fn where_no_on_demand_url_shows_none_is_cleared() {
    let cloud = Cloud::start(|asked| match asked.method.as_str() {
        "GET" => listed(Some("a")),
        _ if !empties(asked).is_empty() => failure((400, "LIVE.100011001")),
        _ => Reply::new(200, ""),
    });
    let provider = provider(&cloud);
    for _ in 0..2 {
        let applied = provider.update(&config(), Fidelity::Exact).await.unwrap();
        assert_eq!(applied.unconfirmed, [Field::SigningKey]);
    }
    assert_eq!(calls(&cloud), ["GET callbacks", "PUT a", "PUT a", "PUT a"]);
    assert_eq!(updates(&cloud), ["k", "", ""]);
}

#[tokio::test]
async fn an_on_demand_url_that_shows_later_is_cleared() {
    for listed_later in [true, false] {
        let mut lists = 0;
        let cloud = Cloud::start(move |asked| match asked.method.as_str() {
            "GET" if last(asked) == "callbacks" => {
                lists += 1;
                listed_with(if lists > 1 { ON_DEMAND } else { "" }, Some("a"))
            }
            "GET" => Reply::new(200, shown("a", ON_DEMAND)),
            _ => Reply::new(200, ""),
        });
        let provider = provider(&cloud);
        provider.list(None).await.unwrap();
        if listed_later {
            provider.list(None).await.unwrap();
        } else {
            provider.get(&config().key()).await.unwrap();
        }
        provider.update(&config(), Fidelity::Exact).await.unwrap();
        assert_eq!(updates(&cloud), ["uk"], "{listed_later}");
    }
}

#[tokio::test]
async fn an_on_demand_url_whose_update_got_no_answer_is_cleared() {
    let mut updates_left = 4;
    let cloud = Cloud::start(move |asked| match asked.method.as_str() {
        "GET" => listed(Some("a")),
        _ if updates_left > 0 => {
            updates_left -= 1;
            Reply::lost()
        }
        _ => Reply::new(200, ""),
    });
    let provider = provider(&cloud);
    let on_demand = RecordCallbackConfig::builder("push.example.com", URL).on_demand_url(ON_DEMAND);
    let error = provider.update(&on_demand.build().unwrap(), Fidelity::Exact).await.unwrap_err();
    assert!(error.maybe_applied());
    provider.update(&config(), Fidelity::Exact).await.unwrap();
    assert_eq!(updates(&cloud).last().unwrap(), "uk");
}

#[tokio::test]
async fn a_refusal_nobody_understands_may_be_for_an_empty_text() {
    let cloud = Cloud::start(|asked| match asked.method.as_str() {
        "GET" => listed_with(ON_DEMAND, Some("a")),
        _ if empties(asked).contains('k') => Reply::new(400, "{\"error_code\":"),
        _ => Reply::new(200, ""),
    });
    provider(&cloud).update(&config(), Fidelity::Exact).await.unwrap();
    assert_eq!(empties(cloud.asked().last().unwrap()), "u");
}

#[tokio::test]
async fn a_refused_empty_text_is_left_out_where_the_other_is_given() {
    let signing = CallbackSigning::Md5(SigningKey::new(KEY).unwrap());
    let base = || RecordCallbackConfig::builder("push.example.com", URL);
    for (config, first) in [(base().on_demand_url(ON_DEMAND), "k"), (base().signing(signing), "u")] {
        let cloud = refusing("uk", 0);
        provider(&cloud).update(&config.build().unwrap(), Fidelity::Exact).await.unwrap();
        assert_eq!(updates(&cloud), [first, ""]);
    }
}

#[tokio::test]
async fn an_on_demand_url_that_stays_is_not_applied_and_says_what_to_do() {
    let cloud = refusing("u", 99);
    let error = provider(&cloud).update(&config(), Fidelity::Exact).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotApplied);
    assert!(
        error.message().contains("`on_demand_url`") && error.message().contains("create it anew"),
        "{error}"
    );
    let fields: Vec<_> = error.differences().iter().map(|difference| difference.field).collect();
    assert_eq!((fields, error.domain()), (vec![Field::OnDemandUrl], Some("push.example.com")));
    // The rest was applied.
    assert!(error.maybe_applied());
    let applied = provider(&cloud).update(&config(), Fidelity::BestEffort).await.unwrap();
    assert_eq!(applied.unconfirmed, [Field::SigningKey]);
    let fields: Vec<_> = applied.deviations.iter().map(|deviation| deviation.field).collect();
    assert_eq!(fields, [Field::OnDemandUrl]);
}

#[tokio::test]
async fn what_is_refused_for_something_else_is_not_remembered() {
    let good = Arc::new(AtomicBool::new(false));
    let now_good = Arc::clone(&good);
    let cloud = Cloud::start(move |asked| match asked.method.as_str() {
        "GET" => listed_with(ON_DEMAND, Some("a")),
        _ if now_good.load(Ordering::Relaxed) => Reply::new(200, ""),
        _ => failure((400, "LIVE.100011001")),
    });
    let provider = provider(&cloud);
    let error = provider.update(&config(), Fidelity::Exact).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::InvalidConfig, Some("LIVE.100011001")));
    good.store(true, Ordering::Relaxed);
    provider.update(&config(), Fidelity::Exact).await.unwrap();
    assert_eq!(empties(cloud.asked().last().unwrap()), "uk");
}

#[tokio::test]
async fn a_created_id_is_looked_up_while_lists_lag() {
    let mut reads = 0;
    let cloud = Cloud::start(move |asked| {
        if asked.method == "POST" {
            return Reply::new(201, "");
        }
        reads += 1;
        listed((reads > 3).then_some("a"))
    });
    let applied = provider(&cloud).create(&config(), Fidelity::Exact).await.unwrap();
    assert_eq!(applied.id.unwrap().as_str(), "a");
    let cloud = Cloud::start(|asked| if asked.method == "POST" { Reply::new(201, "") } else { listed(None) });
    let applied = provider(&cloud).create(&config(), Fidelity::Exact).await.unwrap();
    assert_eq!((applied.id, calls(&cloud).len()), (None, 6));
}

#[tokio::test]
async fn offsets_that_count_pages_are_found_out_and_remembered() {
    let cloud = Cloud::start(|asked| {
        let offset = asked.target.split("offset=").nth(1).unwrap().split('&').next().unwrap();
        let from = offset.parse::<usize>().unwrap() * 100;
        let configs: Vec<_> = (from..(from + 100).min(250))
            .map(|n| format!(r#"{{"id":"i{n}","publish_domain":"d{n}.example.com","app":"*"}}"#))
            .collect();
        Reply::new(200, format!(r#"{{"total":250,"callback_config":[{}]}}"#, configs.join(",")))
    });
    let provider = provider(&cloud);
    assert_eq!(provider.list(None).await.unwrap().len(), 250);
    assert_eq!(calls(&cloud).len(), 4);
    assert_eq!(provider.clone().list(None).await.unwrap().len(), 250);
    assert_eq!(calls(&cloud).len(), 7);
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_by_the_clouds_but_not_for_tokens() {
    let start = || {
        Cloud::start(|asked| {
            if asked.head.contains("20260102T050607Z") {
                listed(None)
            } else {
                failure((401, "APIGW.0301")).dated("Fri, 02 Jan 2026 05:06:07 GMT")
            }
        })
    };
    let cloud = start();
    let provider = provider(&cloud);
    provider.list(None).await.unwrap();
    provider.list(None).await.unwrap();
    assert_eq!(cloud.asked().len(), 3);
    let cloud = start();
    let provider = HuaweicloudProvider::new(builder(&cloud).token("some-token").build().unwrap());
    assert_eq!(provider.list(None).await.unwrap_err().kind(), ErrorKind::Unauthenticated);
    assert_eq!(cloud.asked().len(), 1);
}

#[tokio::test]
async fn a_wrong_signature_with_the_right_time_is_refused_once() {
    let cloud = Cloud::start(|_| failure((401, "APIGW.0301")).dated("Thu, 01 Jan 2026 00:00:30 GMT"));
    assert_eq!(provider(&cloud).list(None).await.unwrap_err().kind(), ErrorKind::Unauthenticated);
    assert_eq!(cloud.asked().len(), 1);
}

#[tokio::test]
async fn a_page_with_a_success_in_its_status_is_no_delete() {
    let mut pages = 1;
    let cloud = Cloud::start(move |asked| {
        if asked.method == "GET" {
            return listed(Some("a"));
        }
        pages -= 1;
        if pages == 0 { Reply::new(200, "<html>") } else { Reply::new(204, "") }
    });
    provider(&cloud).delete(&config().key()).await.unwrap();
    assert_eq!(calls(&cloud), ["GET callbacks", "DELETE a", "DELETE a"]);
}

#[tokio::test]
async fn a_create_that_was_carried_out_before_the_cloud_failed_is_done() {
    // The cloud's own failure, and a page of somebody in between.
    for body in [r#"{"error_code":"LIVE.103011021","error_msg":"M"}"#, "<html>"] {
        let mut stored = None;
        let cloud = Cloud::start(move |asked| {
            if asked.method == "GET" {
                return listed(stored);
            }
            let reply = if stored.is_none() { body } else { r#"{"error_code":"LIVE.103011018"}"# };
            stored = Some("a");
            Reply::new(400, reply)
        });
        let created = RecordCallbackConfig::builder("push.example.com", URL)
            .signing(CallbackSigning::HmacSha256(SigningKey::new(KEY).unwrap()))
            .build()
            .unwrap();
        let applied = provider(&cloud).create(&created, Fidelity::Exact).await.unwrap();
        assert_eq!(applied.id.unwrap().as_str(), "a");
        assert_eq!(calls(&cloud), ["GET callbacks", "POST callbacks", "GET callbacks"], "{body}");
    }
}
