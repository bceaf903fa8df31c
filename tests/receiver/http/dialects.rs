//! Whichever way the clouds mean what their pages leave open, what they send is understood — or refused, where the
//! receiver says so.

use std::sync::Arc;

use jiff::SignedDuration;
use record_callback::{EventFields, SigningScheme};
use record_callback_mock::{
    AbsentUrls, AliyunDialect, AliyunEvent, AliyunSender, AuthTimestamp, Clock, HuaweicloudDialect,
    HuaweicloudEvent, HuaweicloudSender, RetrySignature, SignType, SignedHost,
};
use record_callback_receiver::{MemorySink, SinkErrorKind};

use super::events::{JOINED, PROVEN};
use super::support::{
    ALIYUN, AT, Failure, HUAWEICLOUD, KEY, Server, TestSink, aliyun, answer_of, huaweicloud, now, once,
    signed, stubborn,
};

#[tokio::test]
async fn aliyun_signs_the_host_with_its_port_or_without() {
    for signed_host in [SignedHost::WithPort, SignedHost::WithoutPort] {
        let memory = Arc::new(MemorySink::new());
        let server =
            Server::start(&memory, |receiver, host| receiver.source(aliyun(host, signed(&[KEY])))).await;
        let sender = AliyunSender::new(server.url(ALIYUN))
            .key(KEY)
            .policy(once())
            .dialect(AliyunDialect { signed_host, ..Default::default() });
        let report = sender.send(&AliyunEvent::file(AT.0, AT.1, AT.2)).await;
        assert_eq!(answer_of(&report).0, Some(200), "{signed_host:?}");
        assert!(memory.records()[0].assurance.is_signed());
    }
}

#[tokio::test]
async fn the_host_is_the_configured_one_whatever_a_request_says() {
    let memory = Arc::new(MemorySink::new());
    let server =
        Server::start(&memory, |receiver, _| receiver.source(aliyun("cb.example.com", signed(&[KEY])))).await;
    let event = AliyunEvent::file(AT.0, AT.1, AT.2);
    // As through a proxy that answers for the name.
    let through = AliyunSender::new(format!("https://CB.example.com{ALIYUN}")).key(KEY);
    assert_eq!(server.post(&through.prepare(&event)).await.status, 200);
    let astray = AliyunSender::new(server.url(ALIYUN)).key(KEY);
    server.post(&astray.prepare(&event)).await.is_refused(401, "bad_signature");
}

/// What a mock of Huawei Cloud sends in each of its dialects, and whether it was accepted.
async fn huaweicloud_sends(
    event: &HuaweicloudEvent,
    sign_type: SignType,
    dialect: HuaweicloudDialect,
) -> Option<u16> {
    let memory = Arc::new(MemorySink::new());
    let (scheme, [proven, joined]) = match sign_type {
        SignType::Md5 => (SigningScheme::Md5, [EventFields::default(); 2]),
        SignType::HmacSha256 => (SigningScheme::HmacSha256, [PROVEN, JOINED]),
    };
    let server =
        Server::start(&memory, |receiver, _| receiver.source(huaweicloud(scheme, signed(&[KEY]))).clock(now))
            .await;
    let lifetime = SignedDuration::from_secs(dialect.auth_lifetime_seconds.into());
    let sender = HuaweicloudSender::new(server.url(HUAWEICLOUD))
        .key(KEY)
        .sign_type(sign_type)
        .clock(Clock::fixed(now()))
        .policy(once())
        .dialect(dialect);
    let report = sender.send(event).await;
    let (status, _) = answer_of(&report);
    let records = memory.records();
    assert_eq!(records.len(), usize::from(status == Some(200)));
    for record in records {
        let assurance = record.assurance;
        assert_eq!((assurance.scheme, assurance.proven, assurance.joined), (Some(scheme), proven, joined));
        assert_eq!(assurance.signed_at, Some(now() + lifetime));
    }
    status
}

#[tokio::test]
async fn huaweicloud_writes_the_time_as_a_number_or_a_text_and_means_now_or_later() {
    let event = HuaweicloudEvent::record_over(AT.0, AT.1, AT.2);
    for sign_type in [SignType::Md5, SignType::HmacSha256] {
        for auth_timestamp in [AuthTimestamp::Number, AuthTimestamp::Text] {
            for (auth_lifetime_seconds, status) in [(0, 200), (3600, 200), (86_400, 200), (86_401, 401)] {
                let dialect =
                    HuaweicloudDialect { auth_timestamp, auth_lifetime_seconds, ..Default::default() };
                let sent = huaweicloud_sends(&event, sign_type, dialect.clone()).await;
                assert_eq!(sent, Some(status), "{sign_type:?} {dialect:?}");
            }
        }
    }
}

/// That absent URLs add nothing is what the receiver documents; where the cloud means something else, it refuses.
#[tokio::test]
async fn huaweicloud_signs_nothing_in_place_of_absent_urls() {
    let over = HuaweicloudEvent::record_over(AT.0, AT.1, AT.2);
    let file = HuaweicloudEvent::record_file_complete(AT.0, AT.1, AT.2);
    let with_both = file.clone().play_url("https://vod.example.com/a.m3u8");
    for (event, sign_type, absent_urls, status) in [
        (&over, SignType::HmacSha256, AbsentUrls::Empty, 200),
        (&file, SignType::HmacSha256, AbsentUrls::Empty, 200),
        (&with_both, SignType::HmacSha256, AbsentUrls::Empty, 200),
        (&over, SignType::HmacSha256, AbsentUrls::Null, 401),
        (&file, SignType::HmacSha256, AbsentUrls::Null, 401),
        (&with_both, SignType::HmacSha256, AbsentUrls::Null, 200),
        (&over, SignType::Md5, AbsentUrls::Null, 200),
    ] {
        let dialect = HuaweicloudDialect { absent_urls, ..Default::default() };
        let sent = huaweicloud_sends(event, sign_type, dialect).await;
        assert_eq!(sent, Some(status), "{} {sign_type:?} {absent_urls:?}", event.event_type());
    }
}

#[tokio::test]
async fn the_scheme_is_the_configured_one_whatever_a_delivery_looks_like() {
    let event = HuaweicloudEvent::record_over(AT.0, AT.1, AT.2);
    for (scheme, sign_type) in
        [(SigningScheme::Md5, SignType::HmacSha256), (SigningScheme::HmacSha256, SignType::Md5)]
    {
        let memory = Arc::new(MemorySink::new());
        let server =
            Server::start(&memory, |receiver, _| receiver.source(huaweicloud(scheme, signed(&[KEY])))).await;
        let sender = HuaweicloudSender::new(server.url(HUAWEICLOUD)).key(KEY).sign_type(sign_type);
        server.post(&sender.prepare(&event)).await.is_refused(401, "bad_signature");
    }
}

/// An event is kept, the cloud is not told, and tries again.
async fn aliyun_tries_again(event: &AliyunEvent, retry_signature: RetrySignature) -> usize {
    let clock = Clock::fixed(now());
    let sink = TestSink::failing(1, Failure::AfterKeeping, Some(clock.clone()));
    let server =
        Server::start(&sink, |receiver, host| receiver.source(aliyun(host, signed(&[KEY]))).clock(now)).await;
    let sender = AliyunSender::new(server.url(ALIYUN))
        .key(KEY)
        .clock(clock)
        .policy(stubborn())
        .dialect(AliyunDialect { retry_signature, ..Default::default() });
    let report = sender.send(event).await;
    let statuses: Vec<_> = report.attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!(statuses, [Some(503), Some(200)], "{retry_signature:?}");
    sink.memory.records().len()
}

#[tokio::test]
async fn what_aliyun_sends_again_is_recognised_where_something_tells() {
    use RetrySignature::{Kept, Renewed};
    let file = AliyunEvent::file(AT.0, AT.1, AT.2);
    let bare = AliyunEvent::record_paused(AT.0, AT.1, AT.2);
    let timed = bare.clone().time(now());
    for (event, retry_signature, kept) in [
        (&file, Kept, 1),
        (&file, Renewed, 1),
        (&timed, Kept, 1),
        (&timed, Renewed, 1),
        (&bare, Kept, 1),
        // Nothing tells it from a second pause: better twice than lost.
        (&bare, Renewed, 2),
    ] {
        assert_eq!(aliyun_tries_again(event, retry_signature).await, kept, "{event:?} {retry_signature:?}");
    }
}

async fn huaweicloud_tries_again(event: &HuaweicloudEvent, retry_signature: RetrySignature) -> usize {
    let clock = Clock::fixed(now());
    let sink = TestSink::failing(1, Failure::AfterKeeping, Some(clock.clone()));
    let server = Server::start(&sink, |receiver, _| {
        receiver.source(huaweicloud(SigningScheme::HmacSha256, signed(&[KEY]))).clock(now)
    })
    .await;
    let sender = HuaweicloudSender::new(server.url(HUAWEICLOUD))
        .key(KEY)
        .clock(clock)
        .policy(stubborn())
        .dialect(HuaweicloudDialect { retry_signature, ..Default::default() });
    let report = sender.send(event).await;
    let statuses: Vec<_> = report.attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!(statuses, [Some(503), Some(200)], "{retry_signature:?}");
    sink.memory.records().len()
}

#[tokio::test]
async fn what_huaweicloud_sends_again_is_recognised_where_something_tells() {
    use RetrySignature::{Kept, Renewed};
    let file = HuaweicloudEvent::record_file_complete(AT.0, AT.1, AT.2);
    let over = HuaweicloudEvent::record_over(AT.0, AT.1, AT.2);
    let failed = HuaweicloudEvent::record_failed(AT.0, AT.1, AT.2, "pull failed");
    let of_2021 = over.clone().without_task_id();
    for (event, retry_signature, kept) in [
        (&file, Kept, 1),
        (&file, Renewed, 1),
        (&over, Kept, 1),
        (&over, Renewed, 1),
        (&failed, Kept, 1),
        (&of_2021, Kept, 1),
        // A task may fail twice with the same text, and a recording without an id may end twice.
        (&failed, Renewed, 2),
        (&of_2021, Renewed, 2),
    ] {
        let found = huaweicloud_tries_again(event, retry_signature).await;
        assert_eq!(found, kept, "{} {retry_signature:?}", event.event_type());
    }
}

#[tokio::test]
async fn a_kept_signature_that_grows_too_old_while_the_cloud_tries_is_refused_and_a_renewed_one_is_not() {
    for (retry_signature, status) in [(RetrySignature::Kept, 401), (RetrySignature::Renewed, 200)] {
        let clock = Clock::fixed(now());
        let failure = Failure::Before(SinkErrorKind::Full);
        // Each failure takes 7 of the 10 seconds that are tolerated.
        let sink = TestSink::failing(2, failure, Some(clock.clone()));
        let receivers = clock.clone();
        let server = Server::start(&sink, |receiver, host| {
            let policy = signed(&[KEY]).with_tolerance(record_callback::Tolerance::seconds(10, 10));
            receiver.source(aliyun(host, policy)).clock(move || receivers.now())
        })
        .await;
        let sender = AliyunSender::new(server.url(ALIYUN))
            .key(KEY)
            .clock(clock)
            .policy(stubborn())
            .dialect(AliyunDialect { retry_signature, ..Default::default() });
        let report = sender.send(&AliyunEvent::file(AT.0, AT.1, AT.2)).await;
        let statuses: Vec<_> = report.attempts.iter().filter_map(|attempt| attempt.status).collect();
        assert_eq!(statuses, [503, 503, status], "{retry_signature:?}");
    }
}
