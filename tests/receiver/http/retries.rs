//! While the sink fails the cloud is told to come again, and nothing is lost or kept twice.

use std::sync::Arc;

use record_callback::SigningScheme;
use record_callback_mock::{AliyunEvent, AliyunSender, HuaweicloudEvent, HuaweicloudSender};
use record_callback_receiver::{EventSink, MemorySink, SinkErrorKind};

use super::support::{
    ALIYUN, ALIYUN_ACKNOWLEDGEMENT, AT, Failure, HUAWEICLOUD, KEY, Mode, Server, TestSink, aliyun,
    huaweicloud, limits, signed, stubborn,
};

const KINDS: [(SinkErrorKind, &str); 3] = [
    (SinkErrorKind::Full, "full"),
    (SinkErrorKind::Unavailable, "unavailable"),
    (SinkErrorKind::Closed, "closed"),
];

#[tokio::test]
async fn an_event_that_is_not_kept_is_not_acknowledged() {
    for mode in Mode::BOTH {
        let memory = Arc::new(MemorySink::new());
        let server =
            Server::start_as(mode, &memory, |receiver, host| receiver.source(aliyun(host, signed(&[KEY]))))
                .await;
        let sender = AliyunSender::new(server.url(ALIYUN)).key(KEY);
        let delivery = sender.prepare(&AliyunEvent::file(AT.0, AT.1, AT.2));
        for (kind, reason) in KINDS {
            memory.fail_with(Some(kind));
            let answer = server.post(&delivery).await;
            answer.is_refused(503, reason);
            assert!(answer.header("retry-after").unwrap().parse::<u32>().is_ok());
            // Who may not send learns nothing of it.
            let stranger = AliyunSender::new(server.url(ALIYUN));
            let delivery = stranger.prepare(&AliyunEvent::file(AT.0, AT.1, AT.2));
            server.post(&delivery).await.is_refused(401, "not_signed");
        }
        assert!(memory.records().is_empty());
        memory.fail_with(None);
        server.post(&delivery).await.is_acknowledged(ALIYUN_ACKNOWLEDGEMENT);

        memory.close().await;
        server.post(&delivery).await.is_refused(503, "closed");
        assert_eq!(memory.records().len(), 1);
    }
}

#[tokio::test]
async fn the_clouds_next_attempts_succeed_once_the_sink_does() {
    let failures = KINDS.map(|(kind, _)| Failure::Before(kind));
    for failure in failures.into_iter().chain([Failure::AfterKeeping]) {
        let sink = TestSink::failing(3, failure, None);
        let server = Server::start(&sink, |receiver, host| {
            receiver
                .source(aliyun(host, signed(&[KEY])))
                .source(huaweicloud(SigningScheme::HmacSha256, signed(&[KEY])))
        })
        .await;
        let sender = AliyunSender::new(server.url(ALIYUN)).key(KEY).policy(stubborn());
        let report = sender.send(&AliyunEvent::file(AT.0, AT.1, AT.2)).await;
        let statuses: Vec<_> = report.attempts.iter().filter_map(|attempt| attempt.status).collect();
        assert_eq!(statuses, [503, 503, 503, 200], "{failure:?}");

        let sender = HuaweicloudSender::new(server.url(HUAWEICLOUD)).key(KEY).policy(stubborn());
        let report = sender.send(&HuaweicloudEvent::record_over(AT.0, AT.1, AT.2)).await;
        assert!(report.is_acknowledged());
        let sources: Vec<_> = sink.memory.records().into_iter().map(|record| record.source).collect();
        assert_eq!(sources, ["aliyun", "huaweicloud"], "{failure:?}");
    }
}

#[tokio::test]
async fn many_senders_at_once_lose_and_repeat_nothing_while_the_sink_fails_now_and_then() {
    const SENDERS: usize = 20;
    let sink = TestSink::failing(15, Failure::AfterKeeping, None);
    let server = Server::start(&sink, |receiver, host| receiver.source(aliyun(host, signed(&[KEY])))).await;
    // More attempts than there are failures, so that none can run out of them.
    let sender = AliyunSender::new(server.url(ALIYUN)).key(KEY).policy(stubborn().retries(15));
    let send = |n: usize| {
        let sender = sender.clone();
        tokio::spawn(async move { sender.send(&AliyunEvent::file(AT.0, AT.1, format!("s{n}"))).await })
    };
    let mut streams = Vec::new();
    for task in (0..SENDERS).map(send).collect::<Vec<_>>() {
        assert!(task.await.unwrap().is_acknowledged());
        streams.push(format!("s{}", streams.len()));
    }
    let mut kept: Vec<_> =
        sink.memory.wait_for(SENDERS).await.into_iter().filter_map(|record| record.event.stream).collect();
    kept.sort();
    streams.sort();
    assert_eq!(kept, streams);
}

#[tokio::test]
async fn a_sink_that_panics_loses_the_cloud_one_answer_and_nothing_else() {
    for mode in Mode::BOTH {
        let sink = TestSink::failing(2, Failure::Panic, None);
        let server = Server::start_as(mode, &sink, |receiver, host| {
            let limits = limits(|limits| limits.requests = 1);
            receiver.source(aliyun(host, signed(&[KEY]))).limits(limits)
        })
        .await;
        let sender = AliyunSender::new(server.url(ALIYUN)).key(KEY).policy(stubborn());
        let report = sender.send(&AliyunEvent::file(AT.0, AT.1, AT.2)).await;
        let statuses: Vec<_> = report.attempts.iter().map(|attempt| attempt.status).collect();
        assert_eq!(statuses, [None, None, Some(200)]);
        assert_eq!(sink.memory.records().len(), 1);
    }
}
