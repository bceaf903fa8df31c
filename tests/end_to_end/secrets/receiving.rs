//! What receives: everything that holds keys, and deliveries over HTTP that are accepted and refused.

use std::fs;

use record_callback::aliyun::AliyunCallbacks;
use record_callback::http::Body;
use record_callback::huaweicloud::HuaweicloudCallbacks;
use record_callback::receiver::{
    EventRecord, EventSink, InboxOptions, JsonlSink, Limits, MemorySink, NotUnderstood, Received, Receiver,
    SinkErrorKind, Source, SqliteInbox, Tls,
};
use record_callback::{
    CallbackVerifier, EventFields, OnDemandDecision, Proof, SignatureClaim, SignaturePolicy, SigningScheme,
    SourceConfig, Timestamp, Tolerance, VerifiedEvent,
};
use record_callback_mock::{
    AliyunEvent, AliyunSender, Clock, Delivery, DeliveryPolicy, HuaweicloudEvent, HuaweicloudSender,
    OnDemandRequest, SignType,
};
use record_callback_tests::Authority;

use super::*;

const APP: &str = "live";
const STREAM: &str = "stream";
/// Of nothing.
const SIGNATURE: &str = "5d41402abc4b2a76b9719d911017c592";
/// More than any event of these tests has.
const LONGEST_BODY: usize = 4096;

fn policy(keys: &[&str]) -> SignaturePolicy {
    SignaturePolicy::signed(keys.iter().map(|key| SigningKey::new(*key).unwrap())).unwrap()
}

/// The clouds' ways to sign, and what they send.
#[derive(Clone, Copy)]
enum Way {
    Aliyun,
    Huaweicloud(SignType),
}

impl Way {
    const ALL: [Self; 3] =
        [Self::Aliyun, Self::Huaweicloud(SignType::Md5), Self::Huaweicloud(SignType::HmacSha256)];

    fn name(self) -> &'static str {
        match self {
            Self::Aliyun => "aliyun",
            Self::Huaweicloud(SignType::Md5) => "huaweicloud-md5",
            Self::Huaweicloud(SignType::HmacSha256) => "huaweicloud",
        }
    }

    fn verifier(self, host: &str, policy: SignaturePolicy) -> Arc<dyn CallbackVerifier> {
        let scheme = match self {
            Self::Aliyun => {
                return Arc::new(AliyunCallbacks::new(host, policy).unwrap().with_unsigned_questions());
            }
            Self::Huaweicloud(SignType::Md5) => SigningScheme::Md5,
            Self::Huaweicloud(SignType::HmacSha256) => SigningScheme::HmacSha256,
        };
        Arc::new(HuaweicloudCallbacks::new(scheme, policy))
    }

    fn source(self, host: &str, policy: SignaturePolicy) -> Source {
        let source = Source::new(self.name(), format!("/{}", self.name()), self.verifier(host, policy));
        let source = source.unwrap().with_not_understood(NotUnderstood::Refuse);
        match self {
            Self::Aliyun => source.with_on_demand_decision(OnDemandDecision::record()).unwrap(),
            Self::Huaweicloud(_) => source,
        }
    }

    /// A delivery of an event with [`RAW`] in a field nobody knows, signed with `key` at a time.
    fn prepare(self, url: &str, key: Option<&str>, clock: Clock, shown: &mut Shown) -> Delivery {
        let delivery = match self {
            Self::Aliyun => {
                let sender = AliyunSender::new(url).clock(clock);
                let sender = if let Some(key) = key { sender.key(key) } else { sender };
                shown.debug("a sender", &sender);
                sender.prepare(&AliyunEvent::file(DOMAIN, APP, STREAM).with("undocumented", RAW))
            }
            Self::Huaweicloud(sign_type) => {
                let sender = HuaweicloudSender::new(url).sign_type(sign_type).clock(clock);
                let sender = if let Some(key) = key { sender.key(key) } else { sender };
                shown.debug("a sender", &sender);
                let event = HuaweicloudEvent::record_file_complete(DOMAIN, APP, STREAM);
                sender.prepare(&event.with("undocumented", RAW))
            }
        };
        shown.debug("a delivery of a mock", &delivery);
        delivery
    }
}

/// The proofs of a delivery.
fn learn(secrets: &mut Secrets, delivery: &Delivery) {
    let headers = delivery.headers.iter();
    secrets.add_used_by("", headers.map(|(name, value)| (name.to_ascii_lowercase(), value.clone())));
    secrets.add_body(&delivery.body);
}

/// What a verifier makes of a delivery it accepts.
pub(crate) fn received(secrets: &mut Secrets, shown: &mut Shown) -> Received {
    received_by(Way::Huaweicloud(SignType::HmacSha256), secrets, shown)
}

fn received_by(way: Way, secrets: &mut Secrets, shown: &mut Shown) -> Received {
    let delivery = way.prepare("http://127.0.0.1/", Some(KEY), Clock::system(), shown);
    learn(secrets, &delivery);
    let header =
        |(name, value): (&str, String)| (name.parse().unwrap(), value.parse::<HeaderValue>().unwrap());
    let headers: HeaderMap = delivery.headers.into_iter().map(header).collect();
    let (body, received_at) = (Body::from(delivery.body), Timestamp::now());
    let delivery = record_callback::Delivery { headers: &headers, body: &body, received_at };
    shown.debug("a delivery as it arrived", &delivery);
    let event = way.verifier("127.0.0.1", policy(&[KEY])).verify(&delivery).unwrap();
    Received::new(way.name(), received_at, event)
}

/// A receiver of all there is, served on a port of its own.
pub(crate) struct Receiving {
    address: SocketAddr,
    receiver: Receiver,
    task: JoinHandle<()>,
}

impl Receiving {
    pub(crate) async fn start(sink: Arc<dyn EventSink>, shown: &mut Shown) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut limits = Limits::default();
        limits.body = LONGEST_BODY;
        let sources = Way::ALL.map(|way| way.source(&address.to_string(), policy(&[KEY, OTHER_KEY])));
        let builder = sources.into_iter().fold(Receiver::builder(sink).limits(limits), |builder, source| {
            shown.debug("a source", &source);
            builder.source(source)
        });
        shown.debug("a receiver's builder", &builder);
        let receiver = builder.build().unwrap();
        shown.debug("a receiver", &receiver);
        let serving = receiver.clone();
        let task = tokio::spawn(async move { serving.serve(listener, std::future::pending()).await });
        Self { address, receiver, task }
    }

    fn url(&self, way: Way) -> String {
        format!("http://{}/{}", self.address, way.name())
    }

    /// The whole answer to a request with a foreign secret in its headers.
    async fn ask(
        &self,
        what: &str,
        method: &str,
        target: &str,
        delivery: &Delivery,
        shown: &mut Shown,
    ) -> u16 {
        let mut text =
            format!("{method} {target} HTTP/1.1\r\nhost: {HEADER}.example.com\r\ncookie: {HEADER}\r\n");
        for (name, value) in &delivery.headers {
            writeln!(text, "{name}: {value}\r").unwrap();
        }
        let (body, length) = (&delivery.body, delivery.body.len());
        write!(text, "connection: close\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        shown.text(what, answer);
        status
    }

    /// What those see who watch the receiver.
    pub(crate) async fn watch(&self, shown: &mut Shown) {
        let nothing = Delivery { url: String::new(), headers: Vec::new(), body: String::new() };
        for target in ["/metrics", "/readyz", "/healthz", &format!("/{URL_SECRET}?{URL_SECRET}={KEY}")] {
            self.ask("what watchers see", "GET", target, &nothing, shown).await;
        }
        shown.debug("a receiver", &self.receiver);
    }

    /// Delivers one event of every way, signed; every answer has to have this status.
    pub(crate) async fn deliver(&self, status: u16, shown: &mut Shown, secrets: &mut Secrets) {
        for way in Way::ALL {
            let delivery = way.prepare(&self.url(way), Some(KEY), Clock::system(), shown);
            learn(secrets, &delivery);
            let target = format!("/{}", way.name());
            let answered = self.ask("a delivery's answer", "POST", &target, &delivery, shown).await;
            assert_eq!(answered, status, "{}", way.name());
        }
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A way to deliver: its name, who signs when, what is done to the body, and how it is answered, by Aliyun and others.
type Case = (&'static str, Option<&'static str>, Signed, fn(&str) -> String, [u16; 2]);

#[derive(Clone, Copy, PartialEq)]
enum Signed {
    Now,
    Yesterday,
}

fn as_it_is(body: &str) -> String {
    body.to_owned()
}

const CASES: [Case; 13] = [
    ("the key", Some(KEY), Signed::Now, as_it_is, [200; 2]),
    ("the other key", Some(OTHER_KEY), Signed::Now, as_it_is, [200; 2]),
    ("a wrong key", Some(NOT_OURS), Signed::Now, as_it_is, [401; 2]),
    ("no key", None, Signed::Now, as_it_is, [401; 2]),
    ("stale", Some(KEY), Signed::Yesterday, as_it_is, [401; 2]),
    ("cut", Some(KEY), Signed::Now, |body| body[..body.len() - 4].to_owned(), [400; 2]),
    (
        "cut in the field",
        Some(KEY),
        Signed::Now,
        |body| body[..body.find(RAW).unwrap() + 20].to_owned(),
        [400; 2],
    ),
    ("twice", Some(KEY), Signed::Now, |body| format!("{{\"app\":\"{RAW}\",{}", &body[1..]), [400; 2]),
    ("a bad escape", Some(KEY), Signed::Now, |body| body.replace(RAW, &format!("{RAW}\\q{RAW}")), [400; 2]),
    ("a bad domain", Some(KEY), Signed::Now, |body| body.replace(STREAM, "\\ud800"), [400; 2]),
    ("a text", Some(KEY), Signed::Now, |body| json!(body).to_string(), [400; 2]),
    ("in a list", Some(KEY), Signed::Now, |body| format!("[{body}]"), [400; 2]),
    (
        "too large",
        Some(KEY),
        Signed::Now,
        |body| body.to_owned() + &RAW.repeat(LONGEST_BODY / RAW.len()),
        [413; 2],
    ),
];

/// A day before now.
fn yesterday() -> Clock {
    Clock::fixed(Timestamp::from_second(Timestamp::now().as_second() - 86_400).unwrap())
}

#[test]
fn nothing_is_shown_by_deliveries_accepted_or_refused() {
    let expected = ["record_callback_receiver::", "delivery refused", "event not kept", "question refused"];
    watched_with(&expected, async |shown, secrets| {
        let sink = Arc::new(MemorySink::new());
        let receiving = Receiving::start(sink.clone(), shown).await;
        for way in Way::ALL {
            let (url, target) = (receiving.url(way), format!("/{}", way.name()));
            for (name, key, signed, change, answers) in CASES {
                let what = format!("{} with {name}", way.name());
                let clock = if signed == Signed::Now { Clock::system() } else { yesterday() };
                let mut delivery = way.prepare(&url, key, clock, shown);
                learn(secrets, &delivery);
                delivery.body = change(&delivery.body);
                // The second time it is a duplicate, where it was accepted.
                for _ in 0..2 {
                    let status = receiving.ask(&what, "POST", &target, &delivery, shown).await;
                    assert_eq!(status, answers[usize::from(!matches!(way, Way::Aliyun))], "{what}");
                }
                let status = receiving.ask(&what, "PUT", &target, &delivery, shown).await;
                assert_eq!(status, 405, "{what}");
                for query in [
                    format!("domain={DOMAIN}&app={APP}&stream={STREAM}&token={URL_SECRET}"),
                    format!("domain={URL_SECRET}&{KEY}={URL_SECRET}&app={RAW}&app={RAW}"),
                    format!("app={URL_SECRET}%ff&{KEY}"),
                ] {
                    receiving.ask(&what, "GET", &format!("{target}?{query}"), &delivery, shown).await;
                }
            }
        }
        for kind in [SinkErrorKind::Full, SinkErrorKind::Unavailable, SinkErrorKind::Closed] {
            sink.fail_with(Some(kind));
            receiving.deliver(503, shown, secrets).await;
            receiving.watch(shown).await;
        }
        sink.fail_with(None);
        receiving.watch(shown).await;
        shown.debug("a sink", &sink);

        // What is kept is the whole body, with all that is searched for elsewhere.
        let records = sink.records();
        assert!(records.len() >= 2 * Way::ALL.len(), "{}", records.len());
        for record in &records {
            shown.debug("a record", record);
            let kept = str::from_utf8(record.event.raw.as_bytes()).unwrap();
            let mut planted = Shown::default();
            planted.text("planted", kept);
            assert!(!planted.leaks(secrets).is_empty(), "{kept}");
        }
        assert!(records.iter().any(|record| {
            let whole: serde_json::Value =
                serde_json::from_slice(record.event.raw.as_bytes()).unwrap_or_default();
            let signature = whole["auth_sign"].as_str();
            signature.is_some_and(|signature| {
                secrets.find(signature).is_some_and(|(whose, ..)| whose == "signature")
            })
        }));
    });
}

#[test]
fn the_search_finds_what_proves_a_delivery() {
    let (mut shown, mut secrets) = (Shown::default(), canaries());
    for way in Way::ALL {
        let delivery = way.prepare("http://127.0.0.1/", Some(KEY), Clock::system(), &mut shown);
        let headers = format!("{:?}", delivery.headers);
        assert!(secrets.find(&headers).is_none(), "{headers}");
        learn(&mut secrets, &delivery);
        let leaking = if matches!(way, Way::Aliyun) { headers } else { delivery.body.replace(RAW, "") };
        let (whose, form, _) = secrets.find(&leaking).unwrap();
        assert_eq!((whose, form), ("signature", "itself"));
        let mut planted = Shown::default();
        planted.debug("planted", &delivery.body);
        assert!(planted.leaks(&secrets)[0].starts_with("planted shows the "));
    }
    shown.assert_hides(&secrets);
}

fn claim(signature: Option<&str>) -> SignatureClaim<'_> {
    SignatureClaim {
        signature,
        time: Some("1767323045"),
        scheme: SigningScheme::Md5,
        proven: EventFields::default(),
        joined: EventFields::default(),
        default_tolerance: Tolerance::seconds(1, 1),
    }
}

#[test]
fn nothing_is_shown_by_what_receives() {
    let (mut shown, mut secrets) = (Shown::default(), canaries());
    secrets.add("signature", SIGNATURE);
    for policy in [policy(&[KEY]), policy(&[KEY, OTHER_KEY]).with_tolerance(Tolerance::seconds(1, 2))] {
        shown.debug("a policy", &policy);
        for way in Way::ALL {
            shown.debug("a verifier", &way.verifier("cb.example.com", policy.clone()));
            shown.debug("a source", &way.source("cb.example.com", policy.clone()));
        }
        for signature in [None, Some(SIGNATURE), Some(KEY)] {
            let refused = policy.prove(&claim(signature), Timestamp::now(), |key| [key.expose().to_owned()]);
            shown.error("a policy's refusal", &refused.unwrap_err());
            shown.debug("a claim", &claim(signature));
        }
    }
    for host in ["cb.example.com/", "", "cb.example.com:x"] {
        shown.error("a verifier's refusal", &AliyunCallbacks::new(host, policy(&[KEY])).unwrap_err());
    }
    let source = || Way::Aliyun.source("cb.example.com", policy(&[KEY]));
    let builder = || Receiver::builder(Arc::new(MemorySink::new()));
    shown.error("a receiver's refusal", &builder().build().unwrap_err());
    shown.error("a receiver's refusal", &builder().source(source()).source(source()).build().unwrap_err());
    let huaweicloud = Way::Huaweicloud(SignType::Md5).source("", policy(&[KEY]));
    let refused = huaweicloud.with_on_demand_decision(OnDemandDecision::record());
    shown.error("a source's refusal", &refused.unwrap_err());

    for way in Way::ALL {
        let received = received_by(way, &mut secrets, &mut shown);
        shown.debug("what was received", &received);
    }
    let received = received(&mut secrets, &mut shown);
    shown.debug("a verified event", &received.event);
    let verified: &VerifiedEvent = &received.event;
    shown.debug("an event's parts", &(verified.event(), verified.assurance(), verified.dedupe_key()));
    shown.text("an assurance", serde_json::to_string(verified.assurance()).unwrap());
    let proof: Result<Proof, _> =
        SignaturePolicy::unsigned().prove(&claim(Some(SIGNATURE)), Timestamp::now(), |_| [[0; 1]; 0]);
    shown.debug("a proof", &proof);
    let record = EventRecord::from(received);
    shown.debug("a record", &record);

    // A record that is damaged where it is kept.
    let json = serde_json::to_string(&record).unwrap();
    assert!(json.contains(RAW) && json.contains("auth_sign"), "{json}");
    let at = json.find(RAW).unwrap();
    let damaged = [
        json[..at + 15].to_owned(),
        json.replace(RAW, &format!("{RAW}\\q")),
        json.replace("\"raw\":", "\"raw\":1,\"raw\":"),
        json.replace("\"raw\":\"", &format!("\"raw\":{{\"base64\":\"{RAW}?\"}},\"more\":\"")),
        json.replace("\"raw\":\"", &format!("\"raw\":[\"{RAW}\"],\"more\":\"")),
    ];
    for json in damaged {
        shown.error("a damaged record", &serde_json::from_str::<EventRecord>(&json).unwrap_err());
    }
    shown.assert_hides(&secrets);
}

fn source_of(keys: &[&str]) -> Arc<dyn CallbackVerifier> {
    Way::Aliyun.verifier("cb.example.com", policy(keys))
}

#[test]
fn nothing_is_shown_by_tls() {
    let (mut shown, mut secrets) = (Shown::default(), Secrets::default());
    let [(cert, key), (_, other)] = [(); 2].map(|()| Authority::new().issue("localhost"));
    for pem in [&key, &other] {
        pem.lines()
            .filter(|line| !line.starts_with('-'))
            .for_each(|line| secrets.add("a line of a key", line));
    }
    let tls = Tls::from_pem(cert.as_bytes(), key.as_bytes()).unwrap();
    shown.debug("TLS", &tls);
    let broken = [key.replacen('M', "!", 1), key.replace("-----END", ""), key.replacen("MI", "MA", 1), other];
    for key in broken {
        shown.error("a key that cannot be", &Tls::from_pem(cert.as_bytes(), key.as_bytes()).unwrap_err());
        shown.error("a key that is refused", &tls.replace(cert.as_bytes(), key.as_bytes()).unwrap_err());
        shown.error("a key in place of a certificate", &tls.replace(key.as_bytes(), b"").unwrap_err());
    }
    shown.assert_hides(&secrets);
}

#[test]
fn nothing_is_shown_by_the_config_of_a_source() {
    let (mut shown, secrets) = (Shown::default(), canaries());
    let with = |rest: &str| {
        toml::from_str::<SourceConfig>(&format!(
            "vendor = 'aliyun'\npath = '/n'\nhost = 'cb.example.com'\n{rest}"
        ))
    };
    let signed = with("key_env = ['FIRST', 'SECOND']").unwrap();
    shown.debug("a source's config", &signed);
    let env = FixedEnv::from_iter([("FIRST", KEY), ("SECOND", OTHER_KEY)]);
    shown.debug("a source", &signed.source_in("live", &env).unwrap());
    let unsigned = with("key_env = 'FIRST'\nunsigned = true").unwrap();
    shown.error("a source that is signed and unsigned", &unsigned.source_in("live", &env).unwrap_err());
    for first in [
        String::new(),
        KEY[..12].to_owned(),
        KEY.repeat(5),
        format!("{KEY} {OTHER_KEY}"),
        format!("{KEY}\n{OTHER_KEY}"),
        format!("{KEY}é"),
        format!("\"{KEY}\""),
        webhook_secret(WEBHOOK_KEY),
    ] {
        for env in [
            FixedEnv::from_iter([("FIRST", first.as_str())]),
            FixedEnv::from_iter([("FIRST", first.as_str()), ("SECOND", KEY)]),
            FixedEnv::from_iter([("FIRST", KEY), ("SECOND", first.as_str())]),
        ] {
            shown.error("an odd key", &signed.source_in("live", &env).unwrap_err());
            shown.debug("an environment", &env);
        }
    }
    for field in ["scheme = 'hmac_sha256'", "host = ''"] {
        let config = json!({
            "vendor": "huaweicloud", "path": "/n", "key_env": "FIRST", "host": field.contains("host").then_some(""),
        });
        let foreign = match field {
            "host = ''" => serde_json::from_value::<SourceConfig>(config).unwrap(),
            _ => with(&format!("key_env = 'FIRST'\n{field}")).unwrap(),
        };
        shown.error("a foreign field", &foreign.source_in("live", &env).unwrap_err());
    }
    let directory = tempfile::tempdir().unwrap();
    let by_file = with("key_file = ['first', 'second']\nshares_keys_with = ['other']").unwrap();
    fs::write(directory.path().join("second"), OTHER_KEY).unwrap();
    for (content, is_key) in [
        (format!("{KEY}\n"), true),
        (KEY[..12].to_owned(), false),
        (format!("{KEY}\n\n"), false),
        (format!("{KEY}\n{OTHER_KEY}\n"), false),
        (format!("\"{KEY}\""), false),
        (KEY.repeat(500), false),
    ] {
        fs::write(directory.path().join("first"), content).unwrap();
        match by_file.source_from("live", &env, directory.path()) {
            Ok(source) => {
                assert!(is_key);
                shown.debug("a source with keys from files", &source);
                let overlapping = Source::new("second", "/other", source_of(&[KEY, OTHER_KEY])).unwrap();
                let builder = Receiver::builder(Arc::new(MemorySink::new()));
                let built = builder.source(source.clone()).source(overlapping.clone()).build();
                shown.error("an overlap", &built.unwrap_err());
                let receiver = Receiver::builder(Arc::new(MemorySink::new())).source(overlapping.clone());
                let receiver = receiver.build().unwrap();
                let refused = receiver.replace_sources(vec![source, overlapping]);
                shown.error("an overlap that is refused later", &refused.unwrap_err());
                shown.debug("a receiver", &receiver);
            }
            Err(error) => {
                assert!(!is_key, "{error}");
                shown.error("an odd key in a file", &error);
            }
        }
    }
    // Where a key does not belong. (The TOML library shows the line, so `message` is what may be shown.)
    for rest in
        [format!("key = '{KEY}'"), format!("keys = ['{KEY}']"), format!("key_env = {{ FIRST = '{KEY}' }}")]
    {
        let refused = with(&rest).unwrap_err();
        shown.text("a key in a source's config", refused.message());
    }
    shown.assert_hides(&secrets);
}

#[test]
fn nothing_is_shown_when_clouds_deliver_what_they_were_told() {
    let expected = ["record_callback_receiver::", "record_callback_mock::", "operation="];
    watched_with(&expected, async |shown, secrets| {
        for right in [true, false] {
            let sink = Arc::new(MemorySink::new());
            let receiving = Receiving::start(sink.clone(), shown).await;
            let attempts = DeliveryPolicy::huaweicloud().retries(1).pause(Duration::from_millis(1));
            let config = |path: &str| {
                let url = format!("http://{}/{path}?token={URL_SECRET}", receiving.address);
                let key = SigningKey::new(if right { KEY } else { LONG_KEY_OF_32 }).unwrap();
                let builder = RecordCallbackConfig::builder(DOMAIN, &url).on_demand_url(&url);
                let builder = builder.events([EventKind::FileCompleted, EventKind::RecordingFailed]);
                builder.signing(CallbackSigning::HmacSha256(key)).build().unwrap()
            };
            let builder =
                MockAliyun::builder().access_key(ID, SECRET).domain(DOMAIN).delivery(attempts.clone());
            shown.debug("a mock's builder", &builder);
            let mock = builder.start().await.unwrap();
            let provider = connect(Cloud::AliyunRpc, mock.endpoint(), "", "", shown);
            provider.put(&config("aliyun"), Fidelity::BestEffort).await.unwrap();
            let outcome =
                mock.trigger(AliyunEvent::file(DOMAIN, APP, STREAM).with("undocumented", RAW)).await;
            assert_eq!(outcome.is_acknowledged(), right, "{outcome:?}");
            without_url(shown, &format!("{outcome:?}"));
            let reply = mock.ask_on_demand(&OnDemandRequest::new(DOMAIN, APP, STREAM)).await;
            without_url(shown, &format!("{:?}", reply.unwrap()));

            let builder =
                MockHuaweicloud::builder().access_key(ID, SECRET).project_id(PROJECT).delivery(attempts);
            shown.debug("a mock's builder", &builder);
            let mock = builder.start().await.unwrap();
            let provider = connect(Cloud::HuaweicloudKey, mock.endpoint(), mock.iam_endpoint(), "", shown);
            provider.put(&config("huaweicloud"), Fidelity::BestEffort).await.unwrap();
            let event = HuaweicloudEvent::record_file_complete(DOMAIN, APP, STREAM).with("undocumented", RAW);
            let outcome = mock.trigger(event).await;
            assert_eq!(outcome.is_acknowledged(), right, "{outcome:?}");
            without_url(shown, &format!("{outcome:?}"));

            receiving.watch(shown).await;
            assert_eq!(sink.records().len(), if right { 2 } else { 0 });
            for record in sink.records() {
                secrets.add_body(str::from_utf8(record.event.raw.as_bytes()).unwrap());
                shown.debug("a record", &record);
            }
        }
    });
}

/// A key of no source.
const LONG_KEY_OF_32: &str = "Zq4Xw8Lr1Tn6Vb3Yk9Mc5Ps2Gd7Hf0Ja";

/// What a mock reports, but for the URL it was told to send to, which is no secret of its own.
fn without_url(shown: &mut Shown, report: &str) {
    shown.text("a mock's report", report.replace(&format!("?token={URL_SECRET}"), ""));
}

#[test]
fn nothing_is_shown_by_sinks_on_disk() {
    watched_with(&["record_callback_receiver::"], async |shown, secrets| {
        let directory = tempfile::tempdir().unwrap();
        let jsonl = directory.path().join("events.jsonl");
        let inbox = directory.path().join("events.db");
        let sqlite = SqliteInbox::open(&inbox, InboxOptions::default()).unwrap();
        let reader = sqlite.reader().unwrap();
        let sinks: [Arc<dyn EventSink>; 2] = [Arc::new(JsonlSink::file(&jsonl).unwrap()), Arc::new(sqlite)];
        for sink in sinks {
            let receiving = Receiving::start(sink.clone(), shown).await;
            receiving.deliver(200, shown, secrets).await;
            receiving.deliver(200, shown, secrets).await;
            receiving.watch(shown).await;
            shown.debug("a sink", &sink);
            sink.close().await;
            let refused = sink.keep(received(secrets, shown)).await;
            shown.error("a closed sink", &refused.unwrap_err());
            receiving.deliver(503, shown, secrets).await;
        }
        let events = reader.read_after(0, 10).await.unwrap();
        assert_eq!(events.len(), 2 * Way::ALL.len());
        shown.debug("an inbox", &(&reader, events, reader.consumers().await.unwrap()));
        let lines = std::fs::read_to_string(&jsonl).unwrap();
        assert!(lines.contains(RAW) && lines.contains("auth_sign"), "{lines}");
        shown.error("no inbox", &SqliteInbox::open(&jsonl, InboxOptions::default()).unwrap_err());
        shown.error("no file", &JsonlSink::file(directory.path()).unwrap_err());
    });
}
