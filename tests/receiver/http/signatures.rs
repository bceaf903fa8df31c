//! Signatures that come again with another body, and the keys they are by.

use std::sync::Arc;

use record_callback::SigningScheme;
use record_callback_mock::{AliyunEvent, AliyunSender, Clock, HuaweicloudEvent, HuaweicloudSender, SignType};
use record_callback_receiver::MemorySink;

use super::metrics::Metrics;
use super::support::{
    ALIYUN, AT, HUAWEICLOUD, KEY, OTHER_KEY, Server, aliyun, huaweicloud, now, request, signed,
};

#[tokio::test]
async fn a_forged_body_with_a_seen_signature_is_marked() {
    let sink = Arc::new(MemorySink::new());
    let server = Server::start(&sink, |builder, host| {
        builder.clock(now).with_admin_paths().source(aliyun(host, signed(&[KEY])))
    })
    .await;
    let sender = AliyunSender::new(server.url(ALIYUN)).key(KEY).clock(Clock::fixed(now()));
    let real = sender.prepare(&AliyunEvent::file(AT.0, AT.1, AT.2));
    let headers: Vec<_> = real.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let forged = request("POST", ALIYUN, &headers, &real.body.replace("app1", "app2"));
    for post in [super::support::post(&real), super::support::post(&real), forged] {
        assert_eq!(server.ask(post).await.status, 200);
    }
    let marks: Vec<_> = sink.records().iter().map(|record| record.signature_reused).collect();
    assert_eq!(marks, [false, true]);
    let metrics = Metrics::read(&server).await;
    metrics.is("signature_reused_total", "source=\"aliyun\"", 1);
}

#[tokio::test]
async fn the_key_that_signed_is_kept_and_counted() {
    let sink = Arc::new(MemorySink::new());
    let source = huaweicloud(SigningScheme::HmacSha256, signed(&[KEY, OTHER_KEY])).with_key_names(["NEW"]);
    let server =
        Server::start(&sink, |builder, _| builder.clock(now).with_admin_paths().source(source)).await;
    for (number, key) in [KEY, OTHER_KEY, OTHER_KEY].into_iter().enumerate() {
        let sender = HuaweicloudSender::new(server.url(HUAWEICLOUD))
            .key(key)
            .sign_type(SignType::HmacSha256)
            .clock(Clock::fixed(now()));
        let event = HuaweicloudEvent::record_file_complete(AT.0, AT.1, format!("s{number}"));
        assert!(sender.send(&event).await.is_acknowledged());
    }
    let records = sink.records();
    let keys: Vec<_> = records.iter().map(|record| record.key.as_deref().unwrap()).collect();
    assert_eq!(keys, ["NEW", "key 2", "key 2"]);
    let metrics = Metrics::read(&server).await;
    for (key, count) in [("NEW", 1), ("key 2", 2)] {
        metrics.is("keyed_total", &format!("source=\"huaweicloud\",key=\"{key}\""), count);
    }
}

#[tokio::test]
async fn two_signature_headers_are_refused_as_malformed() {
    let sink = Arc::new(MemorySink::new());
    let server = Server::start(&sink, |builder, host| {
        builder.clock(now).with_admin_paths().source(aliyun(host, signed(&[KEY])))
    })
    .await;
    let sender = AliyunSender::new(server.url(ALIYUN)).key(KEY).clock(Clock::fixed(now()));
    let real = sender.prepare(&AliyunEvent::file(AT.0, AT.1, AT.2));
    let headers: Vec<_> = real.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    for twice in ["ALI-LIVE-SIGNATURE", "ALI-LIVE-TIMESTAMP"] {
        let again = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(twice)).unwrap();
        let headers = [&headers[..], &[*again]].concat();
        server.ask(request("POST", ALIYUN, &headers, &real.body)).await.is_refused(400, "malformed");
    }
    assert!(sink.records().is_empty());
}
