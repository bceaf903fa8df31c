//! What each fault does to the bytes and to what is stored.

use std::io::ErrorKind;
use std::time::Duration;

use jiff::SignedDuration;
use record_callback_mock::{AliyunConfig, Clock, Fault, FaultKind, MockAliyun, MockHuaweicloud};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::{ALIYUN_TIME, Aliyun, clock, http};

const ADD: &str = "AddLiveRecordNotifyConfig";
const PARAMETERS: [(&str, &str); 2] =
    [("DomainName", "live.example.com"), ("NotifyUrl", "https://cb.example.com/n")];
const SOON: Duration = Duration::from_secs(10);

async fn start() -> MockAliyun {
    MockAliyun::builder().clock(clock(ALIYUN_TIME)).start().await.unwrap()
}

/// What comes back for an `Add` on a connection of its own, until it ends: the bytes, and how it ended.
async fn add(mock: &MockAliyun) -> (String, Result<(), ErrorKind>) {
    let url = Aliyun::new(mock).rpc_url(ADD, &PARAMETERS);
    let host = mock.endpoint().trim_start_matches("http://");
    let target = url.strip_prefix(mock.endpoint()).unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!("POST {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let end = loop {
        let mut buffer = [0; 4096];
        match timeout(SOON, stream.read(&mut buffer)).await.unwrap() {
            Ok(0) => break Ok(()),
            Ok(length) => bytes.extend_from_slice(&buffer[..length]),
            Err(error) => break Err(error.kind()),
        }
    };
    (String::from_utf8(bytes).unwrap(), end)
}

fn announced(answer: &str) -> usize {
    let (head, _) = answer.split_once("\r\n\r\n").unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    length.parse().unwrap()
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

#[tokio::test]
async fn a_reset_comes_before_or_after_the_call_is_carried_out() {
    for (fault, is_stored) in [
        (Fault::new(FaultKind::Reset), false),
        (Fault::new(FaultKind::Reset).after(), true),
        (Fault::new(FaultKind::ResetInRequest), false),
        (Fault::new(FaultKind::ResetInRequest).after(), false),
    ] {
        let mock = start().await;
        mock.faults().add(fault.clone());
        let (answer, end) = add(&mock).await;
        assert_eq!((answer.as_str(), end), ("", Err(ErrorKind::ConnectionReset)), "{fault:?}");
        assert_eq!(mock.config("live.example.com").is_some(), is_stored, "{fault:?}");
        let request = &mock.requests()[0];
        assert_eq!((request.operation(), request.fault()), (Some(ADD), Some(fault.kind.name())));
        assert_eq!(request.status(), 0);
        assert_eq!((mock.faults().struck(), mock.faults().to_come().len()), (1, 0));
    }
}

#[tokio::test]
async fn answers_of_something_in_between_replace_the_clouds() {
    let status = |status, retry_after: Option<&str>| FaultKind::Status {
        status,
        retry_after: retry_after.map(str::to_owned),
    };
    let to = "http://127.0.0.1:9".to_owned();
    for (kind, head, body_begins) in [
        (status(520, None), "HTTP/1.1 520 ", ""),
        (
            status(429, Some("Fri, 31 Dec 9999 23:59:59 GMT")),
            "retry-after: Fri, 31 Dec 9999 23:59:59 GMT",
            "",
        ),
        (FaultKind::Page { status: 502 }, "content-type: text/html", "<!DOCTYPE html>"),
        (FaultKind::Large { bytes: 3 }, "HTTP/1.1 200 ", "   "),
        (FaultKind::Redirect { status: 307, location: to }, "location: http://127.0.0.1:9/?AccessKeyId=", ""),
    ] {
        for after in [false, true] {
            let mock = start().await;
            let fault = Fault::new(kind.clone());
            mock.faults().add(if after { fault.after() } else { fault });
            let (answer, end) = add(&mock).await;
            assert!(answer.contains(head) && body(&answer).starts_with(body_begins), "{kind:?}: {answer}");
            assert_eq!(end, Ok(()));
            assert_eq!(mock.config("live.example.com").is_some(), after, "{kind:?}");
        }
    }
}

#[tokio::test]
async fn refusals_are_the_clouds_and_carry_nothing_out() {
    for (kind, status, code) in [
        (FaultKind::Throttled, 400, "Throttling.User"),
        (FaultKind::Denied, 400, "Forbidden"),
        (FaultKind::Unavailable, 503, "ServiceUnavailable"),
        (FaultKind::TokenExpired, 400, "InvalidSecurityToken.Expired"),
    ] {
        let mock = start().await;
        mock.faults().add(Fault::new(kind).after());
        let reply = Aliyun::new(&mock).rpc(ADD, &PARAMETERS).await;
        assert_eq!(reply.outcome(), (status, code));
        assert!(mock.configs().is_empty(), "{code}");
        assert_eq!(Aliyun::new(&mock).rpc(ADD, &PARAMETERS).await.outcome(), (200, ""));
    }
}

#[tokio::test]
async fn the_clouds_own_answer_can_be_cut_or_spoilt() {
    let whole = body(&add(&start().await).await.0).len();
    for kind in [FaultKind::CloseInAnswer, FaultKind::ResetInAnswer] {
        let mock = start().await;
        mock.faults().add(Fault::new(kind.clone()));
        let (answer, end) = add(&mock).await;
        assert_eq!((announced(&answer), body(&answer).len()), (whole, whole / 2), "{kind:?}");
        assert_eq!(end.is_err(), kind == FaultKind::ResetInAnswer, "{kind:?}: {end:?}");
        assert!(mock.config("live.example.com").is_some());
    }
    for (kind, length) in [(FaultKind::Truncate, whole / 2), (FaultKind::Garble, whole + 1)] {
        let mock = start().await;
        mock.faults().add(Fault::new(kind.clone()));
        let (answer, end) = add(&mock).await;
        assert_eq!((announced(&answer), body(&answer).len(), end), (length, length, Ok(())), "{kind:?}");
        assert!(serde_json::from_str::<serde_json::Value>(body(&answer)).is_err(), "{answer}");
        assert!(mock.config("live.example.com").is_some());
    }
    let mock = start().await;
    mock.faults().add(Fault::new(FaultKind::MediaType { media_type: "image/png".to_owned() }));
    assert!(add(&mock).await.0.contains("content-type: image/png\r\n"));
}

#[tokio::test]
async fn an_answer_can_come_a_byte_at_a_time_or_twice() {
    let mock = start().await;
    mock.faults().add(Fault::new(FaultKind::Drip { pause_ms: 1 }));
    let (answer, end) = add(&mock).await;
    assert_eq!((body(&answer).len(), end), (announced(&answer), Ok(())));

    let mock = start().await;
    mock.faults().add(Fault::new(FaultKind::Twice));
    let (answers, _) = add(&mock).await;
    let (first, second) = answers.split_at(answers.len() / 2);
    assert_eq!(first, second);
    assert!(first.starts_with("HTTP/1.1 200 ") && first.ends_with('}'), "{answers}");
}

#[tokio::test]
async fn a_stalled_call_ends_with_the_client_or_the_mock() {
    let mock = start().await;
    mock.faults().add(Fault::new(FaultKind::Stall).times(2));
    let url = Aliyun::new(&mock).rpc_url(ADD, &PARAMETERS);
    let patient = http().post(&url).timeout(Duration::from_millis(50)).send().await;
    assert!(patient.unwrap_err().is_timeout());
    let waiting = tokio::spawn(http().post(&url).send());
    while mock.faults().struck() < 2 {
        tokio::task::yield_now().await;
    }
    timeout(Duration::from_secs(3), mock.shutdown()).await.expect("a stalled call does not hold it up");
    assert!(waiting.await.unwrap().is_err());
}

#[tokio::test]
async fn connections_are_refused_until_they_are_taken_again() {
    let mock = start().await;
    let client = http();
    let url = || Aliyun::new(&mock).rpc_url("DescribeLiveUserDomains", &[]);
    assert_eq!(client.post(url()).send().await.unwrap().status(), 200);
    mock.refuse_connections().await.unwrap();
    // The connection that was there is gone, too.
    assert!(client.post(url()).send().await.unwrap_err().is_connect());
    mock.refuse_connections().await.unwrap();
    mock.accept_connections().await.unwrap();
    assert_eq!(client.post(url()).send().await.unwrap().status(), 200);
    mock.refuse_connections().await.unwrap();
    mock.shutdown().await;
}

#[tokio::test]
async fn keys_can_be_rotated_and_taken_away() {
    let mock = start().await;
    let old = Aliyun::new(&mock);
    mock.put_access_key(mock.access_key_id(), "another-secret");
    assert_eq!(old.rpc(ADD, &PARAMETERS).await.outcome(), (400, "SignatureDoesNotMatch"));
    let new = Aliyun { secret: "another-secret".to_owned(), ..Aliyun::new(&mock) };
    assert_eq!(new.rpc(ADD, &PARAMETERS).await.outcome(), (200, ""));
    assert!(mock.remove_access_key(mock.access_key_id()));
    assert!(!mock.remove_access_key(mock.access_key_id()));
    assert_eq!(new.rpc(ADD, &PARAMETERS).await.outcome(), (404, "InvalidAccessKeyId.NotFound"));
}

#[tokio::test]
async fn every_answer_is_dated_by_the_clouds_clock() {
    let ahead = Clock::fixed("2026-01-02T03:04:05Z".parse().unwrap());
    let aliyun = MockAliyun::builder().clock(ahead.clone()).start().await.unwrap();
    let huaweicloud = MockHuaweicloud::builder().clock(ahead).start().await.unwrap();
    huaweicloud.clock().advance(SignedDuration::from_hours(1));
    for endpoint in [aliyun.endpoint(), huaweicloud.endpoint(), huaweicloud.iam_endpoint()] {
        let answer = http().get(endpoint).send().await.unwrap();
        assert_eq!(answer.headers()["date"], "Fri, 02 Jan 2026 04:04:05 GMT");
    }
    aliyun.faults().add(Fault::new(FaultKind::Page { status: 503 }));
    let answer = http().get(aliyun.endpoint()).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["date"]),
        (503, &"Fri, 02 Jan 2026 04:04:05 GMT".parse().unwrap())
    );
}

#[tokio::test]
async fn faults_of_iam_are_its_own() {
    let mock = MockHuaweicloud::builder().start().await.unwrap();
    mock.iam_faults().add(Fault::new(FaultKind::Denied).operation("KeystoneListProjects"));
    let projects = format!("{}/v3/projects", mock.iam_endpoint());
    assert_eq!(http().get(mock.endpoint()).send().await.unwrap().status(), 404);
    assert_eq!(http().get(&projects).send().await.unwrap().status(), 403);
    assert_eq!(http().get(&projects).send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn debug_shows_kinds_and_no_request() {
    let mock = start().await;
    mock.put_config(AliyunConfig::new("live.example.com", "https://cb.example.com/n"));
    mock.faults().add(Fault::new(FaultKind::Reset).until_cleared());
    assert_eq!(format!("{:?}", mock.faults()), r#"["reset"]"#);
    assert!(add(&mock).await.1.is_err());
    let shown = format!("{:?}", mock.requests());
    assert!(shown.contains("fault: Some(\"reset\")") && !shown.contains("Signature"), "{shown}");

    let key = mock.issue_temporary_access_key();
    let shown = format!("{key:?} {mock:?}");
    for secret in [key.secret.as_str(), &key.security_token, mock.access_key_secret()] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
