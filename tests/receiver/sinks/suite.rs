//! What [`EventSink`] promises, behaviour by behaviour.
//!
//! `sink_suite!(store)` in a module of its own makes a test of each; `store` is an expression for a new, empty store
//! and may await.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{join_all, poll_immediate};
use jiff::SignedDuration;
use record_callback::{
    DedupeKey, EventField, EventFields, EventKind, RawBody, RecordEvent, RecordedFile, RecordingError,
    SignatureClaim, SignaturePolicy, SigningKey, SigningScheme, Timestamp, Tolerance, Vendor, VerifiedEvent,
};
use record_callback_receiver::{EventRecord, EventSink, Kept, MAX_CONFLICTS, Received, SinkErrorKind};
use tokio::runtime::Builder;
use tokio::task::{JoinSet, yield_now};

/// A place where a sink keeps events, which outlives the sink.
pub(crate) trait Store {
    /// A sink on this store, as a new process would open it. One is open at a time.
    async fn open(&self) -> Arc<dyn EventSink>;

    /// What is kept, oldest first, read without the help of the sink, which may be open.
    async fn kept(&self) -> Vec<EventRecord>;
}

macro_rules! sink_suite {
    ($store:expr) => {
        sink_suite!(
            $store;
            a_new_sink_is_ready_and_holds_nothing,
            events_read_back_equal_and_in_order_after_reopening,
            an_event_is_readable_from_outside_once_it_is_answered,
            an_event_is_kept_though_the_sink_is_never_closed,
            a_delivery_again_is_recognised_or_kept,
            a_delivery_again_after_reopening_is_recognised_or_kept,
            what_contradicts_a_kept_event_is_kept_beside_it,
            a_contradiction_is_recognised_after_reopening,
            contradictions_of_one_key_are_bounded,
            contradictions_given_at_once_are_bounded,
            sources_do_not_collide,
            events_without_a_key_are_always_new,
            of_one_key_given_at_once_one_is_new,
            many_writers_lose_and_repeat_nothing,
            a_dropped_future_leaves_nothing_half_done,
            close_finishes_what_was_begun_and_refuses_what_comes_later,
            any_body_is_kept_byte_for_byte,
            awkward_texts_are_kept,
        );
    };
    ($store:expr; $($behaviour:ident,)*) => {$(
        #[test]
        fn $behaviour() {
            $crate::sinks::suite::run(async { $crate::sinks::suite::$behaviour(&$store).await });
        }
    )*};
}

pub(crate) fn run(test: impl Future<Output = ()>) {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(test);
}

/// Event number `n` of `source`. Odd ones are signed.
pub(crate) fn received(source: &str, n: usize, key: Option<&str>) -> Received {
    let body = format!(r#"{{"n":{n},"text":"a \"quoted\" 录制"}}"#);
    with_body(source, n, key, Bytes::from(body))
}

pub(crate) fn with_body(source: &str, n: usize, key: Option<&str>, body: Bytes) -> Received {
    let mut event = RecordEvent::new(Vendor::new("acme"), RawBody::from(body));
    event.kind = Some(EventKind::FileCompleted);
    event.domain = Some("live.example.com".to_owned());
    event.stream = Some(format!("stream-{n}"));
    event.occurred_at = Some(at(n));
    let mut file = RecordedFile::default();
    file.bytes = Some(u64::MAX);
    file.duration_seconds = Some(69.5);
    event.file = Some(file);
    event.dedupe_key = key.map(|key| DedupeKey::of([Some(key)]));
    verified(source, n, event)
}

/// `event` as it came to `source` in second `n`.
pub(crate) fn verified(source: &str, n: usize, event: RecordEvent) -> Received {
    let policy = match n % 2 {
        0 => SignaturePolicy::unsigned(),
        _ => SignaturePolicy::signed([SigningKey::reported("key")]).unwrap(),
    };
    let claim = SignatureClaim {
        signature: Some("6b6579"),
        time: Some("1767323045"),
        scheme: SigningScheme::HmacSha256,
        proven: EventFields::of(&[EventField::Kind]),
        joined: EventFields::of(&[EventField::Domain, EventField::FileUrl]),
        default_tolerance: Tolerance { past: SignedDuration::ZERO, future: SignedDuration::ZERO },
    };
    let now = Timestamp::from_second(1_767_323_045).unwrap();
    // The "digest" of a key is the key itself.
    let proof = policy.prove(&claim, now, |key| [key.expose().as_bytes().to_vec()]).unwrap();
    Received::new(source, at(n), VerifiedEvent::new(event, proof))
}

/// Second `n`, and some nanoseconds: no sink may round.
pub(crate) fn at(n: usize) -> Timestamp {
    Timestamp::new(1_767_323_045 + i64::try_from(n).unwrap(), 123_456_789).unwrap()
}

pub(crate) fn records(received: &[Received]) -> Vec<EventRecord> {
    received.iter().cloned().map(EventRecord::from).collect()
}

/// How often each is there, whatever the order.
fn counted(records: &[EventRecord]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for record in records {
        *counts.entry(serde_json::to_string(record).unwrap()).or_default() += 1;
    }
    counts
}

async fn keep_all(sink: &Arc<dyn EventSink>, events: &[Received]) {
    for event in events {
        assert_eq!(sink.keep(event.clone()).await.unwrap(), Kept::New, "{event:?}");
    }
}

/// What a delivery that was kept before has to be for `sink`.
fn again(sink: &Arc<dyn EventSink>) -> Kept {
    if sink.recognises_duplicates() { Kept::Duplicate } else { Kept::New }
}

pub(crate) async fn a_new_sink_is_ready_and_holds_nothing(store: &impl Store) {
    let sink = store.open().await;
    sink.check().await.unwrap();
    assert!(matches!(sink.depth().await.unwrap(), None | Some(0)));
    assert_eq!(store.kept().await, []);
}

pub(crate) async fn events_read_back_equal_and_in_order_after_reopening(store: &impl Store) {
    let events: Vec<_> =
        (0..20).map(|n| received("live", n, (n % 3 != 0).then_some(&*format!("{n}")))).collect();
    for events in events.chunks(7) {
        let sink = store.open().await;
        keep_all(&sink, events).await;
        sink.close().await;
    }
    assert_eq!(store.kept().await, records(&events));
    let sink = store.open().await;
    sink.check().await.unwrap();
    assert_eq!(store.kept().await, records(&events));
}

pub(crate) async fn an_event_is_readable_from_outside_once_it_is_answered(store: &impl Store) {
    let sink = store.open().await;
    let events: Vec<_> = (0..5).map(|n| received("live", n, Some(&n.to_string()))).collect();
    for n in 0..events.len() {
        keep_all(&sink, &events[n..=n]).await;
        assert_eq!(store.kept().await, records(&events[..=n]));
    }
}

pub(crate) async fn an_event_is_kept_though_the_sink_is_never_closed(store: &impl Store) {
    let events: Vec<_> = (0..5).map(|n| received("live", n, Some(&n.to_string()))).collect();
    let sink = store.open().await;
    keep_all(&sink, &events[..3]).await;
    drop(sink);
    let sink = store.open().await;
    keep_all(&sink, &events[3..]).await;
    drop(sink);
    assert_eq!(store.kept().await, records(&events));
}

pub(crate) async fn a_delivery_again_is_recognised_or_kept(store: &impl Store) {
    let sink = store.open().await;
    let first = signed_in_body(1, r#"{"stream":"s","files":[1,2],"sign":"a"}"#);
    // Signed again, a second later, and written in another way: what counts is all it says.
    let second = signed_in_body(2, r#"{"sign": "b", "files": [1, 2], "stream": "s"}"#);
    assert_eq!(sink.keep(first.clone()).await.unwrap(), Kept::New);
    assert_eq!(sink.keep(first.clone()).await.unwrap(), again(&sink));
    assert_eq!(sink.keep(second.clone()).await.unwrap(), again(&sink));
    sink.close().await;
    let kept = match again(&sink) {
        Kept::Duplicate => vec![first],
        _ => vec![first.clone(), first, second],
    };
    assert_eq!(store.kept().await, records(&kept));
}

/// An event of the key `key` whose body holds its signature.
fn signed_in_body(n: usize, body: &'static str) -> Received {
    let mut received = with_body("live", n, Some("key"), Bytes::from_static(body.as_bytes()));
    received.event = received.event.with_signature_members(&["sign"]);
    received
}

/// The outcome that an event has to have for `sink` when it contradicts a kept one.
fn contradiction(sink: &Arc<dyn EventSink>) -> Kept {
    if sink.recognises_duplicates() { Kept::Conflicting } else { Kept::New }
}

/// The records of what is kept of one key, each with the right mark: all but the first contradict the first.
async fn marked(store: &impl Store, recognised: bool) -> Vec<EventRecord> {
    let mut kept = store.kept().await;
    let mut first = None;
    for (n, record) in kept.iter_mut().enumerate() {
        let with = record.conflicts_with.take();
        assert_eq!(with.is_some(), recognised && n > 0, "{n}: {with:?}");
        if let Some(with) = with {
            assert_eq!(first.get_or_insert_with(|| with.clone()), &with);
        }
    }
    kept
}

pub(crate) async fn what_contradicts_a_kept_event_is_kept_beside_it(store: &impl Store) {
    let sink = store.open().await;
    let recognised = sink.recognises_duplicates();
    let [forged, real] = [received("live", 1, Some("key")), received("live", 2, Some("key"))];
    assert_eq!(sink.keep(forged.clone()).await.unwrap(), Kept::New);
    assert_eq!(sink.keep(real.clone()).await.unwrap(), contradiction(&sink));
    if recognised {
        for event in [&real, &forged, &real] {
            assert_eq!(sink.keep(event.clone()).await.unwrap(), Kept::Duplicate);
        }
    }
    // Another source's, and another key's, contradict nothing.
    let others = [received("other", 3, Some("key")), received("live", 4, Some("another"))];
    keep_all(&sink, &others).await;
    sink.close().await;
    let [third, fourth] = others;
    let kept = store.kept().await;
    assert_eq!(kept[2..], records(&[third, fourth]));
    let mut one_key = kept[..2].to_vec();
    assert_eq!(one_key[0].conflicts_with, None);
    assert_eq!(one_key[1].conflicts_with.take().is_some(), recognised);
    assert_eq!(one_key, records(&[forged, real]));
}

pub(crate) async fn a_contradiction_is_recognised_after_reopening(store: &impl Store) {
    let events: Vec<_> = (1..=3).map(|n| received("live", n, Some("key"))).collect();
    let mut recognised = true;
    for (n, event) in events.iter().enumerate() {
        let sink = store.open().await;
        recognised = sink.recognises_duplicates();
        if recognised {
            for before in &events[..n] {
                assert_eq!(sink.keep(before.clone()).await.unwrap(), Kept::Duplicate);
            }
        }
        let expected = if n == 0 { Kept::New } else { contradiction(&sink) };
        assert_eq!(sink.keep(event.clone()).await.unwrap(), expected);
        sink.close().await;
    }
    assert_eq!(marked(store, recognised).await, records(&events));
}

pub(crate) async fn contradictions_of_one_key_are_bounded(store: &impl Store) {
    let sink = store.open().await;
    if !sink.recognises_duplicates() {
        return;
    }
    let events: Vec<_> = (0..MAX_CONFLICTS + 4).map(|n| received("live", n, Some("key"))).collect();
    for (n, event) in events.iter().enumerate() {
        let expected = match n {
            0 => Kept::New,
            1..=MAX_CONFLICTS => Kept::Conflicting,
            _ => Kept::TooManyConflicts,
        };
        assert_eq!(sink.keep(event.clone()).await.unwrap(), expected, "{n}");
    }
    // What is kept is still recognised, and what is not kept is not.
    for (n, event) in events.iter().enumerate() {
        let expected = if n <= MAX_CONFLICTS { Kept::Duplicate } else { Kept::TooManyConflicts };
        assert_eq!(sink.keep(event.clone()).await.unwrap(), expected, "{n}");
    }
    sink.close().await;
    assert_eq!(marked(store, true).await, records(&events[..=MAX_CONFLICTS]));
}

pub(crate) async fn contradictions_given_at_once_are_bounded(store: &impl Store) {
    const CONTENTS: usize = 16;
    let sink = store.open().await;
    if !sink.recognises_duplicates() {
        return;
    }
    let mut callers = JoinSet::new();
    for n in 0..4 * CONTENTS {
        let sink = Arc::clone(&sink);
        callers.spawn(async move { sink.keep(received("live", n % CONTENTS, Some("key"))).await.unwrap() });
    }
    let answers = callers.join_all().await;
    let count = |wanted| answers.iter().filter(|kept| **kept == wanted).count();
    assert_eq!((count(Kept::New), count(Kept::Conflicting)), (1, MAX_CONFLICTS), "{answers:?}");
    let kept = marked(store, true).await;
    assert_eq!((kept.len(), counted(&kept).len()), (MAX_CONFLICTS + 1, MAX_CONFLICTS + 1));
}

pub(crate) async fn a_delivery_again_after_reopening_is_recognised_or_kept(store: &impl Store) {
    let event = received("live", 1, Some("key"));
    let sink = store.open().await;
    keep_all(&sink, std::slice::from_ref(&event)).await;
    sink.close().await;
    let sink = store.open().await;
    assert_eq!(sink.keep(event.clone()).await.unwrap(), again(&sink));
    sink.close().await;
    let times = if sink.recognises_duplicates() { 1 } else { 2 };
    assert_eq!(store.kept().await, records(&vec![event; times]));
}

pub(crate) async fn sources_do_not_collide(store: &impl Store) {
    // Names that would run into the key, or into each other, if they were just joined with it.
    let sources = ["live", "live:", "live:key", "Live", "li", "", "录制", "a/b", "*"];
    let events: Vec<_> = sources.iter().map(|source| received(source, 1, Some("key"))).collect();
    let sink = store.open().await;
    keep_all(&sink, &events).await;
    for event in &events {
        assert_eq!(sink.keep(event.clone()).await.unwrap(), again(&sink));
    }
    if sink.recognises_duplicates() {
        assert_eq!(store.kept().await, records(&events));
    }
}

pub(crate) async fn events_without_a_key_are_always_new(store: &impl Store) {
    let event = received("live", 1, None);
    for _ in 0..2 {
        let sink = store.open().await;
        keep_all(&sink, &vec![event.clone(); 3]).await;
        sink.close().await;
    }
    assert_eq!(store.kept().await, records(&vec![event; 6]));
}

pub(crate) async fn of_one_key_given_at_once_one_is_new(store: &impl Store) {
    let sink = store.open().await;
    let mut callers = JoinSet::new();
    for _ in 0..64 {
        let sink = Arc::clone(&sink);
        callers.spawn(async move { sink.keep(received("live", 1, Some("key"))).await.unwrap() });
    }
    let answers = callers.join_all().await;
    let new = answers.iter().filter(|kept| **kept == Kept::New).count();
    assert_eq!(new, if sink.recognises_duplicates() { 1 } else { 64 });
    assert_eq!(store.kept().await.len(), new);
}

pub(crate) async fn many_writers_lose_and_repeat_nothing(store: &impl Store) {
    const WRITERS: usize = 64;
    const EVENTS: usize = 30;
    let sink = store.open().await;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let sink = Arc::clone(&sink);
        writers.spawn(async move {
            for n in 0..EVENTS {
                let n = writer * EVENTS + n;
                let key = (!n.is_multiple_of(4)).then(|| n.to_string());
                let kept = sink.keep(received("live", n, key.as_deref())).await.unwrap();
                assert_eq!(kept, Kept::New, "{n}");
            }
        });
    }
    writers.join_all().await;
    let kept = store.kept().await;
    assert_eq!(kept.len(), WRITERS * EVENTS);
    assert_eq!(counted(&kept).len(), WRITERS * EVENTS, "each once");
    // The order between writers is open; that of one writer is not.
    for writer in 0..WRITERS {
        let own = at(writer * EVENTS)..at((writer + 1) * EVENTS);
        let times = kept.iter().map(|record| record.received_at).filter(|time| own.contains(time));
        assert!(times.is_sorted(), "writer {writer}");
    }
}

pub(crate) async fn a_dropped_future_leaves_nothing_half_done(store: &impl Store) {
    const EVENTS: usize = 60;
    let sink = store.open().await;
    let events: Vec<_> = (0..EVENTS).map(|n| received("live", n, Some(&n.to_string()))).collect();
    for (n, event) in events.iter().enumerate() {
        // From "never polled" to "probably kept": the task yields `n` times before the future is dropped.
        let patience = async {
            for _ in 0..n {
                yield_now().await;
            }
        };
        tokio::select! {
            biased;
            () = patience => {}
            kept = sink.keep(event.clone()) => { kept.unwrap(); }
        }
    }
    for event in &events {
        let kept = sink.keep(event.clone()).await.unwrap();
        assert!(sink.recognises_duplicates() || kept == Kept::New);
    }
    sink.close().await;
    let (kept, given) = (counted(&store.kept().await), counted(&records(&events)));
    assert!(kept.keys().eq(given.keys()), "whole events, and all of them");
    let most = if sink.recognises_duplicates() { 1 } else { 2 };
    assert!(kept.values().all(|times| (1..=most).contains(times)), "{kept:?}");
}

pub(crate) async fn close_finishes_what_was_begun_and_refuses_what_comes_later(store: &impl Store) {
    let sink = store.open().await;
    let events: Vec<_> = (0..64).map(|n| received("live", n, Some(&n.to_string()))).collect();
    let mut begun: Vec<_> = events.iter().map(|event| sink.keep(event.clone())).collect();
    let mut answers = vec![None; events.len()];
    for (answer, keep) in answers.iter_mut().zip(&mut begun) {
        *answer = poll_immediate(keep).await.map(|kept| kept.map_err(|error| error.kind()));
    }
    // Whether one that was begun is kept or refused is open until it is answered.
    let waiting = async {
        for (answer, keep) in answers.iter_mut().zip(begun) {
            if answer.is_none() {
                *answer = Some(keep.await.map_err(|error| error.kind()));
            }
        }
    };
    tokio::join!(sink.close(), waiting);
    let kept = counted(&store.kept().await);
    for (event, answer) in events.iter().zip(answers) {
        let times = kept.get(&serde_json::to_string(&EventRecord::from(event.clone())).unwrap());
        match answer.unwrap() {
            Ok(answer) => assert_eq!((answer, times), (Kept::New, Some(&1))),
            Err(kind) => assert_eq!(kind, SinkErrorKind::Closed),
        }
    }
    let later = join_all((100..110).map(|n| sink.keep(received("live", n, None)))).await;
    for answer in later {
        assert_eq!(answer.unwrap_err().kind(), SinkErrorKind::Closed);
    }
    assert_eq!(sink.check().await.unwrap_err().kind(), SinkErrorKind::Closed);
    sink.close().await;
    assert_eq!(counted(&store.kept().await), kept);
}

pub(crate) async fn any_body_is_kept_byte_for_byte(store: &impl Store) {
    let every_byte: Vec<u8> = (0..=255).collect();
    let bodies: Vec<Vec<u8>> = vec![
        Vec::new(),
        vec![0],
        vec![0xff, 0xfe, 0, b'\n', b'\r', b'"'],
        b"{\"base64\": \"AA==\"}".to_vec(),
        b"{\"a\":1}\n{\"a\":2}\n".to_vec(),
        every_byte.repeat(256),
        "录".repeat(64 * 1024 / 3).into_bytes(),
        vec![b'"'; 64 * 1024],
    ];
    let events: Vec<_> = bodies
        .into_iter()
        .enumerate()
        .map(|(n, body)| with_body("live", n, Some(&n.to_string()), body.into()))
        .collect();
    let sink = store.open().await;
    keep_all(&sink, &events).await;
    sink.close().await;
    assert_eq!(store.kept().await, records(&events));
}

pub(crate) async fn awkward_texts_are_kept(store: &impl Store) {
    let texts = [
        "",
        " ",
        "'; DROP TABLE event; --",
        "\"\\\"",
        "line\r\nline\n",
        "nul\0in the middle",
        "\u{1f3a5}\u{feff}\u{200b}\u{2028}",
        "\u{7f}\u{1b}[31m",
        "%s%n${HOME}",
        "null",
    ];
    let events: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(n, text)| {
            let text = Some((*text).to_owned());
            let Received { event, .. } = received("", n, Some(&n.to_string()));
            let (mut event, _) = event.into_parts();
            event.kind = None;
            (event.domain, event.app, event.stream) = (text.clone(), text.clone(), text.clone());
            (event.task_id, event.job_id) = (text.clone(), text.clone());
            let (mut error, mut file) = (RecordingError::default(), RecordedFile::default());
            (error.code, error.message, file.url) = (text.clone(), text.clone(), text.clone());
            (event.error, event.file) = (Some(error), Some(file));
            event.push_arguments = text.iter().map(|text| (text.clone(), text.clone())).collect();
            verified(text.as_deref().unwrap_or_default(), n, event)
        })
        .collect();
    let sink = store.open().await;
    keep_all(&sink, &events).await;
    sink.close().await;
    assert_eq!(store.kept().await, records(&events));
}
