//! Whatever is sent, there is an answer or an end to the connection, and the receiver works on.

use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use record_callback::{OnDemandDecision, SignaturePolicy, SigningScheme};
use record_callback_mock::{AliyunEvent, AliyunSender};
use record_callback_receiver::{MemorySink, Source};
use tokio::runtime::{Builder, Runtime};

use super::support::{
    ALIYUN, ALIYUN_ACKNOWLEDGEMENT, AT, HUAWEICLOUD, KEY, Server, aliyun, huaweicloud, limits, poll, signed,
};

const OPEN: &str = "/open";

struct World {
    runtime: Runtime,
    memory: Arc<MemorySink>,
    server: Server,
}

impl World {
    /// Two signed sources and one that anybody may send to.
    fn new(header_timeout: Duration) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let memory = Arc::new(MemorySink::new());
        let server = runtime.block_on(Server::start(&memory, |receiver, host| {
            let open = record_callback::huaweicloud::HuaweicloudCallbacks::new(
                SigningScheme::HmacSha256,
                SignaturePolicy::unsigned(),
            );
            let asked = aliyun(host, signed(&[KEY]));
            receiver
                .source(asked.with_on_demand_decision(OnDemandDecision::record()).unwrap())
                .source(huaweicloud(SigningScheme::HmacSha256, signed(&[KEY])))
                .source(Source::new("open", OPEN, Arc::new(open)).unwrap())
                .limits(limits(|limits| {
                    (limits.body, limits.header_timeout) = (300, header_timeout);
                    limits.body_timeout = header_timeout;
                }))
        }));
        Self { runtime, memory, server }
    }

    /// Everything that is answered to `bytes` until the connection ends.
    fn send(&self, bytes: &[u8]) -> Vec<u8> {
        self.runtime.block_on(async {
            let mut connection = self.server.connect().await;
            connection.write(bytes).await;
            connection.read_to_end().await
        })
    }

    /// That the receiver is alive, and nobody without the key got anything into its signed sources.
    fn is_well(&self) {
        assert!(self.memory.records().iter().all(|record| record.source == "open"));
        self.runtime.block_on(async {
            let sender = AliyunSender::new(self.server.url(ALIYUN)).key(KEY);
            let delivery = sender.prepare(&AliyunEvent::file(AT.0, AT.1, AT.2));
            let answer = poll(async || {
                let mut connection = self.server.try_connect().await.ok()?;
                connection.write(super::support::post(&delivery)).await;
                connection.answer().await
            });
            answer.await.is_acknowledged(ALIYUN_ACKNOWLEDGEMENT);
        });
    }
}

fn check(cases: u32, strategy: &impl Strategy<Value = Vec<u8>>, test: impl Fn(&[u8]) -> Result<(), String>) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(strategy, |bytes| {
            test(&bytes)
                .map_err(|problem| TestCaseError::fail(format!("{problem}\nto {}", bytes.escape_ascii())))
        })
        .unwrap();
}

/// The status of the one answer there is.
fn status(answer: &[u8]) -> Option<u16> {
    let text = str::from_utf8(answer).ok()?;
    let first = text.strip_prefix("HTTP/1.1 ").or_else(|| text.strip_prefix("HTTP/1.0 "))?;
    first.get(..3)?.parse().ok().filter(|status| (100..600).contains(status))
}

fn any_path() -> impl Strategy<Value = String> {
    let known = [ALIYUN, HUAWEICLOUD, OPEN, "/healthz", "/readyz", "/metrics", "/"];
    let known = proptest::sample::select(known.map(str::to_owned).to_vec());
    prop_oneof![
        4 => (known, "([?][!-\"$-;=-~]{0,60})?").prop_map(|(path, query)| path + &query),
        1 => "/[!-\"$-;=-~]{0,40}",
    ]
}

fn any_header() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("ali-live-signature".to_owned()),
        Just("ALI-LIVE-TIMESTAMP".to_owned()),
        Just("content-type".to_owned()),
        Just("host".to_owned()),
        Just("x-forwarded-for".to_owned()),
        "x-[a-zA-Z0-9_.!#$%&'*+^`|~-]{1,20}",
    ];
    (name, "[ -~\u{80}-\u{ff}]{0,40}").prop_map(|(name, value)| format!("{name}: {value}\r\n"))
}

fn any_body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..320),
        "\\{(\"(event_type|event|app|auth_sign|auth_timestamp|publish_domain|file_size|task_id)\":\
         (\"[a-zA-Z0-9_\\\\/]{0,8}\"|-?[0-9]{0,20}(\\.[0-9]e9)?|null|\\[\\[|\\{\\}),?){0,6}\\}"
            .prop_map(String::into_bytes),
    ]
}

fn well_formed() -> impl Strategy<Value = Vec<u8>> {
    let method = prop_oneof![
        4 => Just("POST".to_owned()),
        2 => Just("GET".to_owned()),
        1 => "[A-Z]{1,12}".prop_filter("a tunnel is no request", |method| method != "CONNECT"),
    ];
    (method, any_path(), vec(any_header(), 0..8), any_body(), any::<bool>()).prop_map(
        |(method, path, headers, body, chunked)| {
            let mut request = format!("{method} {path} HTTP/1.1\r\n{}", headers.concat()).into_bytes();
            request.extend(b"connection: close\r\n");
            if chunked {
                request.extend(b"transfer-encoding: chunked\r\n\r\n");
                for chunk in body.chunks(7) {
                    request.extend(format!("{:x}\r\n", chunk.len()).bytes());
                    request.extend([chunk, b"\r\n"].concat());
                }
                request.extend(b"0\r\n\r\n");
            } else {
                request.extend(format!("content-length: {}\r\n\r\n", body.len()).bytes());
                request.extend(body);
            }
            request
        },
    )
}

#[test]
fn any_well_formed_request_has_an_answer() {
    let world = World::new(Duration::from_secs(600));
    check(96, &well_formed(), |request| {
        let answer = world.send(request);
        match status(&answer) {
            Some(200 | 400 | 401 | 404 | 405 | 413) => Ok(()),
            other => Err(format!("{other:?}: {}", answer.escape_ascii())),
        }
    });
    world.is_well();
}

#[test]
fn anything_else_has_an_answer_or_an_end() {
    let world = World::new(Duration::from_millis(100));
    let bytes = prop_oneof![
        vec(any::<u8>(), 0..200),
        // Well-formed but for one place, and cut off anywhere.
        (well_formed(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut request, at, byte)| {
            let at = at.index(request.len());
            request[at] = byte;
            request
        }),
        (well_formed(), any::<prop::sample::Index>()).prop_map(|(mut request, at)| {
            request.truncate(at.index(request.len()));
            request
        }),
        "(POST|GET|PRI|get) [ -~]{0,20} ?HTTP/[0-9.]{1,3}(\r\n|\n)([ -~]{0,20}(:|\r\n|\n)){0,8}(\r\n\r\n)?"
            .prop_map(String::into_bytes),
    ];
    check(64, &bytes, |bytes| {
        let answer = world.send(bytes);
        if answer.is_empty() || status(&answer).is_some() {
            Ok(())
        } else {
            Err(answer.escape_ascii().to_string())
        }
    });
    world.is_well();
}
