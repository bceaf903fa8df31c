//! Every event of both clouds arrives once, in neutral words, with what is proven about it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use record_callback::{
    Assurance, EventField, EventFields, EventKind, RecordEvent, RecordedFile, SignaturePolicy, SigningScheme,
    Timestamp,
};
use record_callback_mock::{AliyunEvent, AliyunSender, Clock, HuaweicloudEvent, HuaweicloudSender, SignType};
use record_callback_receiver::{EventRecord, MemorySink};

use super::support::{
    ALIYUN, ALIYUN_ACKNOWLEDGEMENT, AT, HUAWEICLOUD, HUAWEICLOUD_ACKNOWLEDGEMENT, KEY, Mode, Server, aliyun,
    answer_of, huaweicloud, now, once, signed,
};

pub(super) const PROVEN: EventFields = EventFields::of(&[EventField::Kind]);
pub(super) const JOINED: EventFields = EventFields::of(&[
    EventField::Domain,
    EventField::App,
    EventField::Stream,
    EventField::FileUrl,
    EventField::FilePlayUrl,
]);

const MINUTE: Duration = Duration::from_secs(60);

fn start() -> Timestamp {
    "2017-03-08T15:09:46Z".parse().unwrap()
}

fn end() -> Timestamp {
    "2017-03-08T15:10:46Z".parse().unwrap()
}

/// Checks what every event of `AT` has in common, and gives its kind.
fn kind_of(record: &EventRecord, source: &str, assurance: Assurance, body: &str) -> EventKind {
    let event = &record.event;
    assert_eq!((&*record.source, &*event.vendor), (source, source));
    assert_eq!(record.received_at, now());
    assert_eq!(record.assurance, assurance);
    let at = [&event.domain, &event.app, &event.stream].map(|name| name.as_deref().unwrap());
    assert_eq!(at, [AT.0, AT.1, AT.2]);
    assert_eq!(str::from_utf8(event.raw.as_bytes()).unwrap(), body);
    event.kind.clone().unwrap()
}

fn error_of(event: &RecordEvent) -> Option<(Option<&str>, Option<&str>)> {
    event.error.as_ref().map(|error| (error.code.as_deref(), error.message.as_deref()))
}

fn object_of(file: &RecordedFile) -> Option<&str> {
    file.storage.as_ref()?.object.as_deref()
}

fn aliyun_events() -> Vec<(AliyunEvent, EventKind)> {
    let (domain, app, stream) = AT;
    vec![
        (
            AliyunEvent::file(domain, app, stream)
                .recorded(start(), MINUTE)
                .push_arg("callback_user", "42 & \"more\""),
            EventKind::FileCompleted,
        ),
        (AliyunEvent::record_started(domain, app, stream).time(end()), EventKind::RecordingStarted),
        (AliyunEvent::record_paused(domain, app, stream), EventKind::RecordingPaused),
        (AliyunEvent::record_resumed(domain, app, stream), EventKind::RecordingResumed),
        (
            AliyunEvent::record_error(domain, app, stream, "BucketNotFound", "Bucket not found"),
            EventKind::RecordingFailed,
        ),
        (
            AliyunEvent::transformat_error(domain, app, stream, "PermissionDenied", "not authorized"),
            EventKind::TranscodeFailed,
        ),
        (AliyunEvent::record_force_transcode_fail(domain, app, stream), EventKind::TranscodeFailed),
        (AliyunEvent::status("record_later", domain, app, stream), EventKind::Vendor("record_later".into())),
    ]
}

#[tokio::test]
async fn every_event_of_aliyun() {
    for mode in Mode::BOTH {
        for key in [Some(KEY), None] {
            let memory = Arc::new(MemorySink::new());
            let policy = key.map_or_else(SignaturePolicy::unsigned, |key| signed(&[key]));
            let server = Server::start_as(mode, &memory, |receiver, host| {
                receiver.source(aliyun(host, policy)).clock(now)
            })
            .await;
            let mut sender = AliyunSender::new(server.url(ALIYUN)).policy(once()).clock(Clock::fixed(now()));
            let mut assurance = Assurance::UNSIGNED;
            if let Some(key) = key {
                sender = sender.key(key);
                assurance = Assurance::new(
                    Some(SigningScheme::Md5),
                    Some(now()),
                    EventFields::default(),
                    EventFields::default(),
                );
            }
            let events = aliyun_events();
            for (event, _) in &events {
                assert_eq!(answer_of(&sender.send(event).await), (Some(200), ALIYUN_ACKNOWLEDGEMENT));
            }

            let records = memory.records();
            assert_eq!(records.len(), events.len());
            for (record, (event, kind)) in records.iter().zip(&events) {
                assert_eq!(kind_of(record, "aliyun", assurance, &event.body().to_string()), *kind);
                assert_eq!((&record.event.task_id, &record.event.job_id), (&None, &None));
            }
            let [file, started, paused, _, failed, not_converted, ..] = records.as_slice() else {
                panic!("{records:?}")
            };
            let arguments = BTreeMap::from([("callback_user".to_owned(), "42 & \"more\"".to_owned())]);
            assert_eq!(file.event.push_arguments, arguments);
            let recorded = file.event.file.as_ref().unwrap();
            assert_eq!((recorded.started_at, recorded.ended_at), (Some(start()), Some(end())));
            assert_eq!((recorded.duration_seconds, recorded.format.as_deref()), (Some(60.0), Some("flv")));
            assert_eq!(object_of(recorded), events[0].0.body()["uri"].as_str());
            assert_eq!((started.event.occurred_at, paused.event.occurred_at), (Some(end()), None));
            assert_eq!((&paused.event.file, error_of(&paused.event)), (&None, None));
            assert_eq!(error_of(&failed.event), Some((Some("BucketNotFound"), Some("Bucket not found"))));
            assert_eq!(
                error_of(&not_converted.event),
                Some((Some("PermissionDenied"), Some("not authorized")))
            );
            assert!(object_of(not_converted.event.file.as_ref().unwrap()).is_some());
        }
    }
}

fn huaweicloud_events() -> Vec<(HuaweicloudEvent, EventKind)> {
    let (domain, app, stream) = AT;
    vec![
        (HuaweicloudEvent::record_start(domain, app, stream), EventKind::RecordingStarted),
        (
            HuaweicloudEvent::record_new_file_start(domain, app, stream).task_id("t").job_id("j"),
            EventKind::FileStarted,
        ),
        (
            HuaweicloudEvent::record_file_complete(domain, app, stream)
                .recorded(start(), MINUTE)
                .task_id("t")
                .job_id("j")
                .with("asset_id", "a")
                .play_url("https://vod.example.com/直播.m3u8"),
            EventKind::FileCompleted,
        ),
        (HuaweicloudEvent::record_file_complete(domain, app, stream), EventKind::FileCompleted),
        (HuaweicloudEvent::record_over(domain, app, stream).task_id("t"), EventKind::RecordingEnded),
        (
            HuaweicloudEvent::record_failed(domain, app, stream, "OBS upload failed"),
            EventKind::RecordingFailed,
        ),
        (
            HuaweicloudEvent::record_over(domain, app, stream).with("event_type", "RECORD_LATER"),
            EventKind::Vendor("RECORD_LATER".into()),
        ),
    ]
}

/// With the schemes Huawei Cloud has, and without any.
async fn every_event_of_huaweicloud_signed(mode: Mode, sign_type: Option<SignType>) {
    let memory = Arc::new(MemorySink::new());
    let (scheme, [proven, joined]) = match sign_type {
        Some(SignType::Md5) => (SigningScheme::Md5, [EventFields::default(); 2]),
        _ => (SigningScheme::HmacSha256, [PROVEN, JOINED]),
    };
    let policy = sign_type.map_or_else(SignaturePolicy::unsigned, |_| signed(&[KEY]));
    let server = Server::start_as(mode, &memory, |receiver, _| {
        receiver.source(huaweicloud(scheme, policy)).clock(now)
    })
    .await;
    let mut sender = HuaweicloudSender::new(server.url(HUAWEICLOUD))
        .policy(once())
        .clock(Clock::fixed(now()))
        .project_id("p");
    let mut assurance = Assurance::UNSIGNED;
    if let Some(sign_type) = sign_type {
        sender = sender.key(KEY).sign_type(sign_type);
        assurance = Assurance::new(Some(scheme), Some(now()), proven, joined);
    }
    let events = huaweicloud_events();
    for (event, _) in &events {
        assert_eq!(answer_of(&sender.send(event).await), (Some(200), HUAWEICLOUD_ACKNOWLEDGEMENT));
    }

    let records = memory.records();
    assert_eq!(records.len(), events.len());
    for (record, (event, kind)) in records.iter().zip(&events) {
        let body = sender.prepare(event).body;
        assert_eq!(kind_of(record, "huaweicloud", assurance, &body), *kind, "{sign_type:?}");
        let text = |field: &str| event.body()[field].as_str();
        assert_eq!(record.event.task_id.as_deref(), text("task_id"));
        assert_eq!(record.event.job_id.as_deref(), text("job_id"));
        assert_eq!(error_of(&record.event), text("error_message").map(|message| (None, Some(message))));
    }
    let [started, _, complete, ..] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(started.event.file, None);
    let (file, body) = (complete.event.file.as_ref().unwrap(), events[2].0.body());
    assert_eq!(file.url.as_deref(), body["download_url"].as_str());
    assert_eq!(file.play_url.as_deref(), Some("https://vod.example.com/直播.m3u8"));
    assert_eq!((file.id.as_deref(), file.format.as_deref()), (Some("a"), Some("hls")));
    assert_eq!((file.bytes, file.duration_seconds), (Some(15_000_000), Some(60.0)));
    assert_eq!((file.started_at, file.ended_at), (Some(start()), Some(end())));
    assert_eq!((file.width, file.height), (Some(1280), Some(720)));
    assert_eq!(object_of(file), body["obs_object"].as_str());
    let storage = file.storage.as_ref().unwrap();
    assert_eq!(storage.bucket.as_deref(), Some("mock-recordings"));
    assert_eq!(storage.location.as_deref(), body["obs_location"].as_str());
}

#[tokio::test]
async fn every_event_of_huaweicloud() {
    for mode in Mode::BOTH {
        for sign_type in [None, Some(SignType::Md5), Some(SignType::HmacSha256)] {
            every_event_of_huaweicloud_signed(mode, sign_type).await;
        }
    }
}

#[tokio::test]
async fn one_receiver_has_sources_of_both_clouds_and_tells_them_apart() {
    let memory = Arc::new(MemorySink::new());
    let server = Server::start(&memory, |receiver, host| {
        receiver
            .source(aliyun(host, signed(&[KEY])))
            .source(huaweicloud(SigningScheme::HmacSha256, SignaturePolicy::unsigned()))
    })
    .await;
    let event = AliyunEvent::file(AT.0, AT.1, AT.2);
    let sender = AliyunSender::new(server.url(ALIYUN)).key(KEY);
    server.post(&sender.prepare(&event)).await.is_acknowledged(ALIYUN_ACKNOWLEDGEMENT);

    // To the other's path it is an event as well, one that nobody understands.
    let astray = AliyunSender::new(server.url(HUAWEICLOUD)).key(KEY);
    server.post(&astray.prepare(&event)).await.is_acknowledged(HUAWEICLOUD_ACKNOWLEDGEMENT);
    let kept: Vec<_> =
        memory.records().into_iter().map(|record| (record.source, record.event.kind)).collect();
    assert_eq!(
        kept,
        [("aliyun".to_owned(), Some(EventKind::FileCompleted)), ("huaweicloud".to_owned(), None)]
    );
}
