//! The cloud asks whether to record, and is answered.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use record_callback::aliyun::AliyunCallbacks;
use record_callback::{
    Assurance, EventFields, OnDemandDecider, OnDemandDecision, OnDemandRequest, RecordFormat,
    SignaturePolicy, SigningScheme,
};
use record_callback_mock::{
    AliyunDialect, AliyunSender, Clock, OnDemandReply, OnDemandRequest as Question, SignedHost,
};
use record_callback_receiver::{Limits, MemorySink, Source};

use super::support::{
    ALIYUN, AT, HUAWEICLOUD, KEY, OTHER_KEY, Server, aliyun, huaweicloud, limits, now, signed,
};

/// Answers as it is told and remembers what it was asked.
#[derive(Debug)]
struct Decider {
    answer: Told,
    asked: Mutex<Vec<OnDemandRequest>>,
}

#[derive(Debug)]
enum Told {
    Decide(OnDemandDecision),
    LeaveOpen,
    NeverAnswer,
}

impl Decider {
    fn told(answer: Told) -> Arc<Self> {
        Arc::new(Self { answer, asked: Mutex::default() })
    }
}

#[async_trait]
impl OnDemandDecider for Decider {
    async fn decide(&self, request: &OnDemandRequest) -> Option<OnDemandDecision> {
        self.asked.lock().unwrap().push(request.clone());
        match &self.answer {
            Told::Decide(decision) => Some(decision.clone()),
            Told::LeaveOpen => None,
            Told::NeverAnswer => pending().await,
        }
    }
}

async fn server(limits: Limits, source: impl FnOnce(Source) -> Source) -> Server {
    let memory = Arc::new(MemorySink::new());
    Server::start(&memory, |receiver, host| {
        receiver.source(source(aliyun(host, signed(&[KEY])))).limits(limits).clock(now)
    })
    .await
}

async fn deciding(limits: Limits, decider: &Arc<Decider>, default: OnDemandDecision) -> Server {
    let decider: Arc<dyn OnDemandDecider> = Arc::<Decider>::clone(decider);
    server(limits, |source| source.with_on_demand_decider(decider, default).unwrap()).await
}

fn sender(server: &Server, key: &str, on_demand_signed: bool) -> AliyunSender {
    AliyunSender::new(server.url(ALIYUN))
        .key(key)
        .clock(Clock::fixed(now()))
        .dialect(AliyunDialect { on_demand_signed, ..Default::default() })
}

async fn ask(server: &Server) -> OnDemandReply {
    sender(server, KEY, false).ask_on_demand(&Question::new(AT.0, AT.1, AT.2)).await
}

fn mp4() -> OnDemandDecision {
    let decision = OnDemandDecision::record().with_format(RecordFormat::Mp4).with_format(RecordFormat::Hls);
    decision.with_interval(RecordFormat::Hls, 5).unwrap()
}

#[tokio::test]
async fn the_default_decides_when_nobody_else_does() {
    for (default, records) in
        [(OnDemandDecision::record(), true), (OnDemandDecision::skip(), false), (mp4(), true)]
    {
        let wanted = default.clone();
        let server =
            server(Limits::default(), |source| source.with_on_demand_decision(default).unwrap()).await;
        let reply = ask(&server).await;
        assert_eq!((reply.status, &*reply.problems, reply.truncated), (Some(200), &[][..], false));
        assert_eq!(reply.starts_recording(), records);
        let decision = reply.decision.unwrap();
        let formats = (!wanted.formats().is_empty()).then(|| vec!["mp4".to_owned(), "m3u8".to_owned()]);
        assert_eq!(decision.formats, formats);
        assert_eq!(decision.intervals.get("M3U8"), wanted.intervals().get(&RecordFormat::Hls).map(|_| &5));
    }
}

#[tokio::test]
async fn the_platform_decides_when_it_wants_to_and_in_time() {
    let short = limits(|limits| limits.decision = Duration::from_millis(20));
    for (told, limits, records) in [
        (Told::Decide(mp4()), Limits::default(), true),
        (Told::Decide(OnDemandDecision::skip()), Limits::default(), false),
        (Told::LeaveOpen, Limits::default(), true),
        (Told::NeverAnswer, short, true),
    ] {
        let decider = Decider::told(told);
        let server = deciding(limits, &decider, OnDemandDecision::record()).await;
        let reply = ask(&server).await;
        assert_eq!(reply.problems, [""; 0]);
        assert_eq!(reply.starts_recording(), records, "{decider:?}");
        let is_by_the_platform = matches!(&decider.answer, Told::Decide(decision) if decision.is_record());
        assert_eq!(reply.decision.unwrap().formats.is_some(), is_by_the_platform, "{decider:?}");
        assert_eq!(decider.asked.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn the_platform_is_told_what_is_asked_and_who_proved_to_ask() {
    let proven =
        Assurance::new(Some(SigningScheme::Md5), Some(now()), EventFields::default(), EventFields::default());
    for (is_signed, assurance) in [(false, Assurance::UNSIGNED), (true, proven)] {
        let decider = Decider::told(Told::LeaveOpen);
        let server = deciding(Limits::default(), &decider, OnDemandDecision::record()).await;
        for signed_host in [SignedHost::WithPort, SignedHost::WithoutPort] {
            let question = Question::new("d.example.com", "a&b", "直播 =1").h265().bitrate(800);
            let dialect = AliyunDialect { on_demand_signed: is_signed, signed_host, ..Default::default() };
            let sender = sender(&server, KEY, is_signed).dialect(dialect);
            assert!(sender.ask_on_demand(&question).await.starts_recording());
        }
        for asked in decider.asked.lock().unwrap().iter() {
            let at = (&*asked.domain, &*asked.app, &*asked.stream);
            assert_eq!(at, ("d.example.com", "a&b", "直播 =1"));
            assert_eq!((asked.codec.as_deref(), asked.video_kbps), (Some("h265"), Some(800)));
            assert_eq!(asked.assurance, assurance);
        }
    }
}

#[tokio::test]
async fn nobody_is_asked_by_who_signs_badly_or_asks_nothing() {
    let decider = Decider::told(Told::Decide(mp4()));
    let server = deciding(Limits::default(), &decider, OnDemandDecision::record()).await;
    let question = Question::new(AT.0, AT.1, AT.2);
    let status = async |sender: AliyunSender| sender.ask_on_demand(&question).await.status;
    assert_eq!(status(sender(&server, OTHER_KEY, true)).await, Some(401));
    let late = Clock::fixed(now() + SignedDuration::from_secs(301));
    assert_eq!(status(sender(&server, KEY, true).clock(late)).await, Some(401));

    for query in [
        "",
        "?",
        "?app=a&domain=d",
        "?app=a&domain=d&stream=",
        "?app=a&domain=d&stream=s&stream=t",
        "?app=a&domain=%ff&stream=s",
        "?APP=a&domain=d&stream=s",
    ] {
        server.get(&format!("{ALIYUN}{query}")).await.is_refused(400, "malformed");
    }
    assert!(decider.asked.lock().unwrap().is_empty());
    // What is not needed may be anything.
    let odd = server.get(&format!("{ALIYUN}?app=a&domain=d&stream=s&vbitrate=fast&codec=&more=1")).await;
    assert_eq!(odd.status, 200);
    let asked = decider.asked.lock().unwrap();
    assert_eq!((asked.len(), &asked[0].codec, asked[0].video_kbps), (1, &None, None));
}

#[tokio::test]
async fn who_does_not_sign_is_answered_only_where_that_is_declared() {
    let decider = Decider::told(Told::Decide(mp4()));
    let memory = Arc::new(MemorySink::new());
    let server = Server::start(&memory, |receiver, host| {
        let verifier = AliyunCallbacks::new(host, signed(&[KEY])).unwrap();
        let source = Source::new("aliyun", ALIYUN, Arc::new(verifier)).unwrap();
        let decider: Arc<dyn OnDemandDecider> = Arc::<Decider>::clone(&decider);
        let source = source.with_on_demand_decider(decider, OnDemandDecision::skip()).unwrap();
        receiver.source(source).clock(now)
    })
    .await;
    assert_eq!(ask(&server).await.status, Some(401));
    assert!(decider.asked.lock().unwrap().is_empty());
    let question = Question::new(AT.0, AT.1, AT.2);
    assert!(sender(&server, KEY, true).ask_on_demand(&question).await.starts_recording());
}

#[tokio::test]
async fn an_unsigned_source_answers_everybody() {
    let memory = Arc::new(MemorySink::new());
    let server = Server::start(&memory, |receiver, host| {
        let source = aliyun(host, SignaturePolicy::unsigned());
        receiver.source(source.with_on_demand_decision(OnDemandDecision::record()).unwrap())
    })
    .await;
    let wrong = sender(&server, OTHER_KEY, true);
    assert!(wrong.ask_on_demand(&Question::new(AT.0, AT.1, AT.2)).await.starts_recording());
    assert!(memory.records().is_empty());
}

#[tokio::test]
async fn without_a_decision_questions_are_not_answered() {
    let server = server(Limits::default(), |source| source).await;
    let reply = ask(&server).await;
    assert_eq!((reply.status, reply.decision), (Some(405), None));
    assert_eq!(server.get(ALIYUN).await.header("allow"), Some("POST"));
}

/// A 405 has to name every method there is.
#[tokio::test]
async fn where_questions_are_answered_get_is_a_method_that_is_allowed() {
    let server = server(Limits::default(), |source| {
        source.with_on_demand_decision(OnDemandDecision::record()).unwrap()
    })
    .await;
    let answer = server.ask(super::support::request("PUT", ALIYUN, &[], "")).await;
    answer.is_refused(405, "method");
    assert_eq!(answer.header("allow"), Some("GET, POST"));
}

#[tokio::test]
async fn huaweicloud_does_not_ask() {
    let source = || huaweicloud(SigningScheme::Md5, signed(&[KEY]));
    let refused = source().with_on_demand_decision(OnDemandDecision::record()).unwrap_err();
    assert!(refused.to_string().starts_with("on_demand: "), "{refused}");
    let decider = Decider::told(Told::LeaveOpen);
    assert!(source().with_on_demand_decider(decider, OnDemandDecision::skip()).is_err());

    let memory = Arc::new(MemorySink::new());
    let server = Server::start(&memory, |receiver, _| receiver.source(source())).await;
    server.get(&format!("{HUAWEICLOUD}?app=a&domain=d&stream=s")).await.is_refused(405, "method");
}
