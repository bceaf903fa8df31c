//! What deliveries of both clouds share: when a callback is sent again, and what is reported.

use std::time::Duration;

use record_callback_mock::{AliyunEvent, AliyunSender, DeliveryPolicy, DeliveryReport};
use tokio::net::TcpListener;

use crate::receiver::{Reaction, Receiver};

/// The documented policy without its pauses, with time enough for a busy computer.
pub(crate) fn hurried() -> DeliveryPolicy {
    DeliveryPolicy::aliyun().pause(Duration::ZERO).timeout(Duration::from_secs(60))
}

async fn send(url: &str, policy: DeliveryPolicy) -> DeliveryReport {
    let event = AliyunEvent::file("live.example.com", "app", "stream");
    AliyunSender::new(url).policy(policy).send(&event).await
}

fn statuses(report: &DeliveryReport) -> Vec<Option<u16>> {
    report.attempts.iter().map(|attempt| attempt.status).collect()
}

#[tokio::test]
async fn one_answer_of_200_is_the_end() {
    let receiver = Receiver::start().await;
    let report = send(&receiver.url("/hook"), hurried()).await;
    assert!(report.is_acknowledged());
    assert_eq!(report.url, receiver.url("/hook"));
    assert_eq!(statuses(&report), [Some(200)]);
    assert_eq!(report.attempts[0].body, r#"{"Code":0,"Msg":"Success"}"#);
    assert_eq!(report.attempts[0].problem, None);
    receiver.only();
}

#[tokio::test]
async fn without_an_answer_the_number_of_attempts_is_bounded() {
    let receiver = Receiver::reacting(|_, _| Reaction::Hold).await;
    for retries in [0, 2] {
        let policy = hurried().timeout(Duration::from_millis(30)).retries(retries);
        let report = send(&receiver.url("/"), policy).await;
        assert_eq!(report.attempts.len(), 1 + usize::try_from(retries).unwrap());
        for attempt in &report.attempts {
            assert_eq!((attempt.status, attempt.problem.as_deref()), (None, Some("timeout")));
        }
        assert!(!report.is_acknowledged());
    }
}

#[tokio::test]
async fn a_broken_connection_is_a_reason_to_send_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let closing = tokio::spawn(async move {
        loop {
            drop(listener.accept().await.unwrap());
        }
    });
    let report = send(&url, hurried()).await;
    closing.abort();
    assert_eq!(report.attempts.len(), 6, "the documented 5 retries");
    for attempt in &report.attempts {
        let problem = attempt.problem.as_deref().unwrap();
        assert!(problem.contains("connection") && !problem.contains(&url), "{problem}");
    }
}

#[tokio::test]
async fn server_errors_are_a_reason_only_with_the_option() {
    for (retry, sent) in [(false, vec![Some(503)]), (true, vec![Some(503), Some(500), Some(200)])] {
        let receiver = Receiver::reacting(|before, _| Reaction::status([503, 500, 200, 200][before])).await;
        let report = send(&receiver.url("/"), hurried().retry_on_server_errors(retry)).await;
        assert_eq!(statuses(&report), sent);
        assert_eq!(report.is_acknowledged(), retry);
        assert_eq!(receiver.received().len(), sent.len());
    }
    let policy =
        DeliveryPolicy::huaweicloud().pause(Duration::ZERO).timeout(Duration::from_secs(60)).retries(1);
    let receiver = Receiver::reacting(|_, _| Reaction::status(500)).await;
    assert_eq!(statuses(&send(&receiver.url("/"), policy).await), [Some(500), Some(500)]);
}

#[tokio::test]
async fn other_statuses_are_no_acknowledgement_and_no_reason() {
    for status in [201, 204, 404, 429] {
        let receiver = Receiver::reacting(move |_, _| Reaction::status(status)).await;
        let report = send(&receiver.url("/"), hurried().retry_on_server_errors(true)).await;
        assert_eq!((statuses(&report), report.is_acknowledged()), (vec![Some(status)], false));
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Receiver::start().await;
    let to = elsewhere.url("/");
    let receiver = Receiver::reacting(move |_, _| Reaction::Redirect(to.clone())).await;
    let report = send(&receiver.url("/"), hurried()).await;
    assert_eq!((statuses(&report), report.is_acknowledged()), (vec![Some(307)], false));
    assert!(elsewhere.received().is_empty());
}

#[tokio::test]
async fn a_long_answer_is_cut_off() {
    let receiver = Receiver::reacting(|_, _| Reaction::Answer(200, "x".repeat(100_000))).await;
    let report = send(&receiver.url("/"), hurried()).await;
    assert!(report.is_acknowledged());
    assert_eq!(report.attempts[0].body.len(), 64 * 1024);
}

#[tokio::test]
async fn what_is_no_url_is_tried_once() {
    for url in ["", "not a url", "ftp://cb.example.com", "http://"] {
        let report = send(url, hurried()).await;
        assert_eq!(statuses(&report), [None], "{url}");
        assert!(report.attempts[0].problem.is_some(), "{url}");
    }
}
