//! Sources that are replaced while deliveries arrive, sources that overlap, and sources that are silent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use jiff::SignedDuration;
use record_callback::SigningScheme;
use record_callback_mock::{Clock, HuaweicloudEvent, HuaweicloudSender};
use record_callback_receiver::{MemorySink, Receiver, Source};

use super::metrics::Metrics;
use super::support::{
    ALIYUN, AT, HUAWEICLOUD, KEY, OTHER_KEY, Server, TestSink, aliyun, answer_of, huaweicloud, now, post,
    request, signed, within,
};

const HMAC: SigningScheme = SigningScheme::HmacSha256;

fn with(keys: &[&str]) -> Source {
    huaweicloud(HMAC, signed(keys))
}

/// Another one with the same name, path or key, or with none of them.
fn named(name: &str, path: &str, scheme: SigningScheme, keys: &[&str]) -> Source {
    use record_callback::huaweicloud::HuaweicloudCallbacks;
    Source::new(name, path, Arc::new(HuaweicloudCallbacks::new(scheme, signed(keys)))).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replacing_sources_under_load_loses_no_delivery() {
    let sink = Arc::new(MemorySink::new());
    let (server, receiver) = Server::with_receiver(&sink, |builder, _| builder.source(with(&[KEY]))).await;
    let url = server.url(HUAWEICLOUD);
    let (done, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let senders: Vec<_> = (0..3)
        .map(|lane| {
            let (url, done, sent) = (url.clone(), Arc::clone(&done), Arc::clone(&sent));
            tokio::spawn(async move {
                // The last one's key comes and goes: it may be refused, but not lost.
                let (key, may_be_refused) = if lane == 2 { (OTHER_KEY, true) } else { (KEY, false) };
                let sender = HuaweicloudSender::new(url).key(key);
                let mut number = 0;
                while !done.load(Ordering::Relaxed) || number == 0 {
                    let event =
                        HuaweicloudEvent::record_file_complete(AT.0, AT.1, format!("s-{lane}-{number}"));
                    let report = sender.send(&event).await;
                    let is_acknowledged = report.is_acknowledged();
                    assert!(
                        is_acknowledged || (may_be_refused && answer_of(&report).0 == Some(401)),
                        "{report:?}"
                    );
                    number += 1;
                    sent.fetch_add(usize::from(is_acknowledged), Ordering::Relaxed);
                }
            })
        })
        .collect();
    for round in 0..50 {
        // KEY is valid before and after each.
        let keys: &[&str] = [&[KEY, OTHER_KEY][..], &[OTHER_KEY, KEY], &[KEY]][round % 3];
        receiver.replace_sources(vec![with(keys)]).unwrap();
        let before = sent.load(Ordering::Relaxed);
        within(async {
            while sent.load(Ordering::Relaxed) == before {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    done.store(true, Ordering::Relaxed);
    for sender in senders {
        within(sender).await.unwrap();
    }
    // Those that were acknowledged, and no other.
    let sent = sent.load(Ordering::Relaxed);
    assert_eq!(sink.records().len(), sent);
    let metrics = Metrics::read(&server).await;
    metrics.is("events_total", "source=\"huaweicloud\"", u32::try_from(sent).unwrap());
}

#[tokio::test]
async fn a_delivery_in_flight_ends_with_the_source_it_began_with() {
    let sink = TestSink::blocked();
    let (server, receiver) = Server::with_receiver(&sink, |builder, _| builder.source(with(&[KEY]))).await;
    let sender = HuaweicloudSender::new(server.url(HUAWEICLOUD)).key(KEY);
    let delivery = sender.prepare(&HuaweicloudEvent::record_file_complete(AT.0, AT.1, AT.2));
    let mut in_flight = server.connect().await;
    in_flight.write(post(&delivery)).await;
    sink.wait_for_calls(1).await;
    receiver.replace_sources(vec![named("other", "/other", HMAC, &[OTHER_KEY])]).unwrap();
    sink.let_through(1);
    assert_eq!(in_flight.answer().await.unwrap().status, 200);
    // The source is gone, for the same connection too.
    in_flight.write(post(&delivery)).await;
    in_flight.answer().await.unwrap().is_refused(404, "unknown_source");
    assert_eq!(sink.memory.records().len(), 1);
}

#[tokio::test]
async fn a_refused_replacement_changes_nothing() {
    let sink = Arc::new(MemorySink::new());
    let (server, receiver) = Server::with_receiver(&sink, |builder, _| builder.source(with(&[KEY]))).await;
    for (sources, problem) in [
        (vec![], "sources: there are none"),
        (vec![with(&[OTHER_KEY]), with(&[KEY])], "`huaweicloud` names two sources"),
        (
            vec![with(&[OTHER_KEY]), named("b", "/b", HMAC, &[OTHER_KEY])],
            "sources huaweicloud and b accept the same deliveries",
        ),
    ] {
        let error = receiver.replace_sources(sources).unwrap_err().to_string();
        assert!(error.contains(problem) && !error.contains(OTHER_KEY), "{error}");
        let sender = HuaweicloudSender::new(server.url(HUAWEICLOUD)).key(KEY);
        let report = sender.send(&HuaweicloudEvent::record_file_complete(AT.0, AT.1, problem)).await;
        assert!(report.is_acknowledged(), "{report:?}");
    }
}

fn build(sources: &[Source]) -> Result<(), String> {
    let builder = Receiver::builder(Arc::new(MemorySink::new()));
    let builder = sources.iter().cloned().fold(builder, record_callback_receiver::ReceiverBuilder::source);
    builder.build().map(drop).map_err(|error| error.to_string())
}

#[test]
fn sources_that_accept_the_same_are_refused_unless_one_says_so() {
    use record_callback::aliyun::AliyunCallbacks;
    let at = |name: &str, host: &str, keys: &[&str]| {
        let verifier = AliyunCallbacks::new(host, signed(keys)).unwrap();
        Source::new(name, format!("/{name}"), Arc::new(verifier)).unwrap()
    };
    let md5 = SigningScheme::Md5;
    let overlapping = [
        // Both are signed by the host without its port, in some reading of the documents.
        [at("a", "cb.example.com:8443", &[KEY]), at("b", "CB.example.com", &[OTHER_KEY, KEY])],
        [at("a", "bücher.example", &[KEY]), at("b", "xn--bcher-kva.example", &[KEY])],
        [named("a", "/a", HMAC, &[KEY]), named("b", "/b", HMAC, &[KEY])],
        [named("a", "/a", md5, &[KEY, OTHER_KEY]), named("b", "/b", md5, &[OTHER_KEY])],
    ];
    for [a, b] in overlapping {
        let problem = build(&[a.clone(), b.clone()]).unwrap_err();
        assert!(problem.contains("sources a and b accept the same deliveries"), "{problem}");
        assert!(problem.contains("shares_keys_with"), "{problem}");
        assert!(!problem.contains(KEY) && !problem.contains(OTHER_KEY), "{problem}");
        build(&[a.clone().shares_keys_with("b"), b.clone()]).unwrap();
        build(&[a.clone(), b.clone().shares_keys_with("a")]).unwrap();
        // Each pair needs its own word.
        let c = named("c", "/c", HMAC, &[KEY]).shares_keys_with("b");
        assert!(build(&[a, b, c]).is_err());
    }
    let open = |name: &str| huaweicloud_unsigned(name);
    let distinct = [
        [at("a", "a.example.com", &[KEY]), at("b", "b.example.com", &[KEY])],
        [named("a", "/a", HMAC, &[KEY]), named("b", "/b", md5, &[KEY])],
        [at("a", "a.example.com", &[KEY]), named("b", "/b", md5, &[KEY])],
        [open("a"), open("b")],
        [open("a"), named("b", "/b", HMAC, &[KEY])],
    ];
    for sources in distinct {
        build(&sources).unwrap();
    }
    for name in ["nobody", "a"] {
        let problem = build(&[named("a", "/a", HMAC, &[KEY]).shares_keys_with(name)]).unwrap_err();
        assert!(problem.contains(&format!("of source a is `{name}`")), "{problem}");
    }
}

fn huaweicloud_unsigned(name: &str) -> Source {
    use record_callback::huaweicloud::HuaweicloudCallbacks;
    let verifier = HuaweicloudCallbacks::new(HMAC, record_callback::SignaturePolicy::unsigned());
    Source::new(name, format!("/{name}"), Arc::new(verifier)).unwrap()
}

#[tokio::test]
async fn a_silent_source_is_told_until_it_sends_again() {
    const SILENT: &str = "source_silent";
    const LABELS: &str = "source=\"huaweicloud\"";
    let (sink, clock) = (Arc::new(MemorySink::new()), Clock::fixed(now()));
    let expecting = || with(&[KEY]).with_expected_interval(Duration::from_secs(6 * 60 * 60));
    let time = clock.clone();
    let (server, receiver) = Server::with_receiver(&sink, |builder, host| {
        builder.source(expecting()).source(aliyun(host, signed(&[OTHER_KEY]))).clock(move || time.now())
    })
    .await;
    let send = async |stream: &str| {
        let sender = HuaweicloudSender::new(server.url(HUAWEICLOUD)).key(KEY).clock(clock.clone());
        let report = sender.send(&HuaweicloudEvent::record_file_complete(AT.0, AT.1, stream)).await;
        assert!(report.is_acknowledged(), "{report:?}");
    };
    let is_silent = async |expected| {
        let metrics = Metrics::read(&server).await;
        metrics.is(SILENT, LABELS, expected);
        assert!(!metrics.has(SILENT, "source=\"aliyun\""));
        assert_eq!(server.get("/readyz").await.status, 200);
        metrics
    };
    let metrics = is_silent(0).await;
    assert!(!metrics.has("last_event_timestamp_seconds", LABELS));
    clock.advance(SignedDuration::from_hours(6));
    is_silent(0).await;
    clock.advance(SignedDuration::from_secs(1));
    is_silent(1).await;
    // A delivery that is refused is no event.
    assert_eq!(server.ask(request("POST", HUAWEICLOUD, &[], "{}")).await.status, 401);
    is_silent(1).await;
    send("a").await;
    let metrics = is_silent(0).await;
    let at = u32::try_from(clock.now().as_second()).unwrap();
    metrics.is("last_event_timestamp_seconds", LABELS, at);

    // The silence goes on when its source is replaced, and is over when nothing is expected any more.
    clock.advance(SignedDuration::from_hours(4));
    receiver.replace_sources(vec![expecting()]).unwrap();
    clock.advance(SignedDuration::from_hours(3));
    is_silent(1).await;
    receiver.replace_sources(vec![with(&[KEY])]).unwrap();
    assert!(!Metrics::read(&server).await.has(SILENT, LABELS));
    receiver.replace_sources(vec![expecting()]).unwrap();
    is_silent(1).await;
    receiver.replace_sources(vec![named("other", ALIYUN, HMAC, &[OTHER_KEY])]).unwrap();
    assert!(!Metrics::read(&server).await.has(SILENT, LABELS));
}
