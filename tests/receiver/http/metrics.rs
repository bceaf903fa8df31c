//! What operators see: health, readiness, metrics.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use record_callback::{OnDemandDecision, SigningScheme};
use record_callback_mock::{AliyunEvent, AliyunSender, HuaweicloudEvent, HuaweicloudSender, OnDemandRequest};
use record_callback_receiver::{EventSink, Kept, MemorySink, Received, SinkError, SinkErrorKind, Source};
use tokio::time::sleep;

use super::support::{
    ALIYUN, AT, Answer, HUAWEICLOUD, KEY, OTHER_KEY, Server, aliyun, huaweicloud, limits, poll, request,
    signed,
};

/// Samples by name and labels, as they are written.
#[derive(Debug)]
pub(super) struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    /// Reads the text and checks what `OpenMetrics` demands of it, as far as the receiver uses it.
    fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{answer:?}");
        let content_type = answer.header("content-type").unwrap();
        assert_eq!(content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
        let text = answer.body.strip_suffix("# EOF\n").expect("the end");
        let mut samples = BTreeMap::new();
        let mut family = (String::new(), String::new());
        for line in text.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                let mut words = comment.splitn(3, ' ');
                let (keyword, name, rest) =
                    (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
                match keyword {
                    "HELP" => family = (name.to_owned(), String::new()),
                    "TYPE" => {
                        assert_eq!(name, family.0, "{line}");
                        rest.clone_into(&mut family.1);
                    }
                    _ => panic!("{line}"),
                }
                continue;
            }
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let name = sample.split('{').next().unwrap();
            let suffixes: &[&str] = match &*family.1 {
                "counter" => &["_total"],
                "gauge" => &[""],
                "histogram" => &["_sum", "_count", "_bucket"],
                _ => panic!("{family:?}"),
            };
            assert!(name.strip_prefix(&*family.0).is_some_and(|suffix| suffixes.contains(&suffix)), "{line}");
            assert!(samples.insert(sample.to_owned(), value.parse().unwrap()).is_none(), "{line}");
        }
        Self(samples)
    }

    pub(super) async fn read(server: &Server) -> Self {
        Self::of(&server.get("/metrics").await)
    }

    fn value(&self, name: &str, labels: &str) -> f64 {
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        *self.0.get(&format!("record_callback_{name}{labels}")).unwrap_or(&0.0)
    }

    pub(super) fn has(&self, name: &str, labels: &str) -> bool {
        self.0.contains_key(&format!("record_callback_{name}{{{labels}}}"))
    }

    pub(super) fn is(&self, name: &str, labels: &str, expected: u32) {
        let value = self.value(name, labels);
        assert!((value - f64::from(expected)).abs() < f64::EPSILON, "{name} {labels}: {value} in {self:#?}");
    }

    fn of_source(&self, source: &str, [received, events, duplicates, asked]: [u32; 4]) {
        let labels = format!("source=\"{source}\"");
        self.is("deliveries_total", &labels, received);
        self.is("events_total", &labels, events);
        self.is("duplicates_total", &labels, duplicates);
        self.is("on_demand_total", &labels, asked);
    }

    fn refused(&self, source: &str, reasons: &[(&str, u32)]) {
        let prefix = format!("record_callback_refused_total{{source=\"{source}\"");
        let found = self.0.keys().filter(|sample| sample.starts_with(&prefix)).count();
        assert_eq!(found, reasons.len(), "{self:#?}");
        for (reason, count) in reasons {
            self.is("refused_total", &format!("source=\"{source}\",reason=\"{reason}\""), *count);
        }
    }
}

async fn both_clouds(memory: &Arc<MemorySink>) -> Server {
    Server::start(memory, |receiver, host| {
        receiver
            .source(aliyun(host, signed(&[KEY])).with_on_demand_decision(OnDemandDecision::record()).unwrap())
            .source(huaweicloud(SigningScheme::HmacSha256, signed(&[KEY])))
            .limits(limits(|limits| limits.body = 2000))
    })
    .await
}

#[tokio::test]
async fn everything_is_counted_where_it_belongs() {
    let memory = Arc::new(MemorySink::new());
    let server = both_clouds(&memory).await;
    let none = Metrics::read(&server).await;
    none.of_source("aliyun", [0; 4]);
    none.of_source("huaweicloud", [0; 4]);
    none.refused("aliyun", &[]);
    none.is("handling_seconds_count", "", 0);
    none.is("unknown_source_total", "", 0);
    none.is("sink_depth", "", 0);

    let url = server.url(ALIYUN);
    let file = AliyunEvent::file(AT.0, AT.1, AT.2);
    let sender = AliyunSender::new(&url).key(KEY);
    for _ in 0..3 {
        assert_eq!(server.post(&sender.prepare(&file)).await.status, 200);
    }
    let paused = AliyunEvent::record_paused(AT.0, AT.1, AT.2);
    assert_eq!(server.post(&sender.prepare(&paused)).await.status, 200);
    for (bad, times) in [(AliyunSender::new(&url), 2), (AliyunSender::new(&url).key(OTHER_KEY), 3)] {
        for _ in 0..times {
            assert_eq!(server.post(&bad.prepare(&file)).await.status, 401);
        }
    }
    assert_eq!(server.ask(request("PUT", ALIYUN, &[], "")).await.status, 405);
    let ask = OnDemandRequest::new(AT.0, AT.1, AT.2);
    assert!(sender.ask_on_demand(&ask).await.starts_recording());
    assert_eq!(server.get(ALIYUN).await.status, 400);
    memory.fail_with(Some(SinkErrorKind::Full));
    assert_eq!(server.post(&sender.prepare(&paused)).await.status, 503);
    memory.fail_with(None);

    let over = HuaweicloudSender::new(server.url(HUAWEICLOUD)).key(KEY);
    let over = over.prepare(&HuaweicloudEvent::record_over(AT.0, AT.1, AT.2));
    for _ in 0..2 {
        assert_eq!(server.post(&over).await.status, 200);
    }
    assert_eq!(server.ask(request("POST", HUAWEICLOUD, &[], "no JSON")).await.status, 400);
    assert_eq!(server.ask(request("POST", HUAWEICLOUD, &[], &"x".repeat(2001))).await.status, 413);
    // What comes to no source is counted without its path.
    assert_eq!(server.get("/elsewhere").await.status, 404);
    assert_eq!(server.ask(request("POST", "/nowhere", &[], "{}")).await.status, 404);

    let metrics = poll(async || {
        let metrics = Metrics::read(&server).await;
        (metrics.value("sink_depth", "") > 0.0).then_some(metrics)
    })
    .await;
    metrics.is("verified_total", "source=\"aliyun\"", 5);
    metrics.is("verified_total", "source=\"huaweicloud\"", 2);
    metrics.is("unknown_source_total", "", 2);
    metrics.of_source("aliyun", [10, 2, 2, 1]);
    metrics.refused(
        "aliyun",
        &[("not_signed", 2), ("bad_signature", 3), ("method", 1), ("malformed", 1), ("full", 1)],
    );
    metrics.of_source("huaweicloud", [4, 1, 1, 0]);
    metrics.refused("huaweicloud", &[("malformed", 1), ("too_large", 1)]);
    metrics.is("sink_depth", "", 3);
    metrics.is("handling_seconds_count", "", 17);
    let buckets: Vec<_> = metrics.0.iter().filter(|(sample, _)| sample.contains("seconds_bucket")).collect();
    assert!(buckets.len() > 5);
    metrics.is("handling_seconds_bucket", "le=\"+Inf\"", 17);
    assert!(buckets.iter().all(|(_, count)| **count <= 17.0));
    assert!(metrics.value("handling_seconds_sum", "") > 0.0);
}

#[tokio::test]
async fn a_sources_name_is_a_label_as_it_is_and_others_are_refused() {
    let memory = Arc::new(MemorySink::new());
    let verifier = || {
        let policy = record_callback::SignaturePolicy::unsigned();
        Arc::new(record_callback::huaweicloud::HuaweicloudCallbacks::new(SigningScheme::Md5, policy))
    };
    for name in ["a\"b", "a\\", "a\nb", "a}", "", "é", &"a".repeat(65)] {
        assert!(Source::new(name, "/a", verifier()).is_err(), "{name}");
    }
    let longest = "Z.9_-".repeat(13)[..64].to_owned();
    let server = Server::start(&memory, |receiver, _| {
        receiver.source(Source::new(&longest, "/a", verifier()).unwrap())
    })
    .await;
    assert_eq!(server.ask(request("POST", "/a", &[], "{}")).await.status, 200);
    Metrics::read(&server).await.of_source(&longest, [1, 1, 0, 0]);
}

#[tokio::test]
async fn it_is_healthy_while_it_runs_and_ready_while_the_sink_is() {
    let memory = Arc::new(MemorySink::new());
    let server = both_clouds(&memory).await;
    let ready = server.get("/readyz").await;
    assert_eq!((ready.status, &*ready.body), (200, "ready\n"));
    for (kind, reason) in [(SinkErrorKind::Unavailable, "unavailable"), (SinkErrorKind::Full, "full")] {
        memory.fail_with(Some(kind));
        // What the sink said last holds for a while.
        let refused =
            poll(async || Some(server.get("/readyz").await).filter(|answer| answer.body.contains(reason)));
        refused.await.is_refused(503, reason);
        let healthy = server.get("/healthz").await;
        assert_eq!((healthy.status, &*healthy.body), (200, "ok\n"));
        // Of a sink that fails there are metrics all the same, without a depth.
        let metrics = Metrics::read(&server).await;
        metrics.of_source("aliyun", [0; 4]);
        assert!(!metrics.0.contains_key("record_callback_sink_depth"), "{metrics:#?}");
    }
    memory.fail_with(None);
    poll(async || Some(server.get("/readyz").await).filter(|answer| answer.status == 200)).await;
    let depth = async || Metrics::read(&server).await.0.remove("record_callback_sink_depth");
    poll(depth).await;
}

/// Says how often it was asked.
#[derive(Debug, Default)]
struct Asked {
    checks: AtomicUsize,
    depths: AtomicUsize,
}

#[async_trait]
impl EventSink for Asked {
    async fn keep(&self, _: Received) -> Result<Kept, SinkError> {
        Ok(Kept::New)
    }

    async fn check(&self) -> Result<(), SinkError> {
        self.checks.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(20)).await;
        Err(SinkError::new(SinkErrorKind::Unavailable, "as told"))
    }

    async fn depth(&self) -> Result<Option<u64>, SinkError> {
        self.depths.fetch_add(1, Ordering::Relaxed);
        Ok(None)
    }

    fn recognises_duplicates(&self) -> bool {
        false
    }

    async fn close(&self) {}
}

/// Anybody may ask.
#[tokio::test]
async fn the_sink_is_not_asked_each_time() {
    let sink = Arc::new(Asked::default());
    let server = Server::start(&sink, |receiver, host| receiver.source(aliyun(host, signed(&[KEY])))).await;
    let started = Instant::now();
    let mut connections = Vec::new();
    for _ in 0..30 {
        let mut connection = server.connect().await;
        connection.write(request("GET", "/readyz", &[], "")).await;
        connection.write(request("GET", "/metrics", &[], "")).await;
        connections.push(connection);
    }
    for connection in &mut connections {
        connection.answer().await.unwrap().is_refused(503, "unavailable");
        let metrics = Metrics::of(&connection.answer().await.unwrap());
        assert!(!metrics.0.contains_key("record_callback_sink_depth"), "{metrics:#?}");
    }
    // Once each, unless the machine is slow.
    let most = 1 + usize::try_from(started.elapsed().as_secs()).unwrap();
    for asked in [&sink.checks, &sink.depths] {
        assert!((1..=most).contains(&asked.load(Ordering::Relaxed)), "{sink:?}");
    }
}
