//! `record-callback trigger`

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use record_callback::EventKind;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::Barrier;

use crate::program::{Program, Run, assert_has};
use crate::receive::{KEY, OPEN, SIGNED, SQLITE, Setup};

/// A server in this process that answers everything with one status, some requests at a time.
struct Target {
    url: String,
    state: Arc<TargetState>,
    /// After the server: it runs on it.
    _runtime: Runtime,
}

struct TargetState {
    status: StatusCode,
    /// Answers wait until so many are there.
    together: Barrier,
    now: AtomicUsize,
    most: AtomicUsize,
    bodies: Mutex<Vec<Value>>,
}

impl Target {
    fn start(status: u16, together: usize) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let state = Arc::new(TargetState {
            status: StatusCode::from_u16(status).expect("a status"),
            together: Barrier::new(together),
            now: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            bodies: Mutex::default(),
        });
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let url = format!("http://{}/cb", listener.local_addr().expect("a bound port"));
        let router = Router::new().route("/cb", post(take)).with_state(Arc::clone(&state));
        runtime.spawn(async move { axum::serve(listener, router).await.expect("a server") });
        Self { url, state, _runtime: runtime }
    }

    /// The value of `field` in every body, sorted.
    fn all(&self, field: &str) -> Vec<String> {
        let bodies = self.state.bodies.lock().expect("no panic");
        let mut all: Vec<_> = bodies.iter().map(|body| body[field].as_str().unwrap().to_owned()).collect();
        all.sort();
        all
    }
}

async fn take(State(target): State<Arc<TargetState>>, body: String) -> (StatusCode, &'static str) {
    let now = target.now.fetch_add(1, Ordering::SeqCst) + 1;
    target.most.fetch_max(now, Ordering::SeqCst);
    target.bodies.lock().expect("no panic").push(serde_json::from_str(&body).expect("JSON"));
    target.together.wait().await;
    target.now.fetch_sub(1, Ordering::SeqCst);
    (target.status, "the body of the answer")
}

fn trigger(arguments: &[&str]) -> Run {
    Program::default().secret("KEY", KEY).run(&[&["trigger"], arguments].concat())
}

/// Asserts exit code 1 with a complaint about what is not acknowledged; gives the report.
#[track_caller]
fn unacknowledged(run: &Run, complaint: &str) -> String {
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert_has(&run.stderr, &["error: ", complaint, "hint: "]);
    run.stdout.clone()
}

#[test]
fn a_report_says_what_became_of_it() {
    let target = Target::start(200, 1);
    let sent = ["huaweicloud", "file_completed", "--to", &target.url];
    assert_eq!(trigger(&sent).done(), "1 sent, 1 acknowledged, 1 attempts\n");
    let json = trigger(&[&sent[..], &["--count", "3", "--output", "json"]].concat()).json();
    let expected = serde_json::json!({ "sent": 3, "acknowledged": 3, "attempts": 3, "problems": [] });
    assert_eq!(json, expected);
    assert_eq!(target.all("stream"), ["stream", "stream-1", "stream-2", "stream-3"]);
}

#[test]
fn what_is_not_acknowledged_is_a_failure_with_a_report() {
    let target = Target::start(404, 1);
    for vendor in ["aliyun", "huaweicloud"] {
        let sent = [vendor, "file_completed", "--to", &target.url, "--count", "2"];
        let report = unacknowledged(&trigger(&sent), "2 of 2 callbacks were not acknowledged");
        let expected = "2 sent, 0 acknowledged, 2 attempts\nproblem: status 404: the body of the answer\n";
        assert_eq!(report, expected);
        assert_has(
            &trigger(&sent).stderr,
            &["status 404: the body of the answer\nhint: no callbacks are taken at that path"],
        );
        let run = trigger(&[&sent[..], &["--output", "json"]].concat());
        let report: Value = serde_json::from_str(&unacknowledged(&run, "2 of 2")).unwrap();
        assert_eq!(report["problems"], serde_json::json!(["status 404: the body of the answer"]));
    }
    let report = unacknowledged(&trigger(&["aliyun", "file_completed", "--to", "nowhere"]), "1 of 1");
    assert_has(&report, &["1 sent, 0 acknowledged, 1 attempts\nproblem: "]);
}

#[test]
fn a_host_that_is_not_there_is_tried_again_as_the_cloud_does() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/cb?token=hush", listener.local_addr().unwrap());
    drop(listener);
    let run = trigger(&["huaweicloud", "file_completed", "--to", &url]);
    let report = unacknowledged(&run, "1 of 1 callbacks were not acknowledged");
    assert_has(&report, &["1 sent, 0 acknowledged, 6 attempts\nproblem: the connection failed", "refused"]);
    assert!(!format!("{run:?}").replace(&url, "").contains("hush"), "{run:#?}");
}

#[test]
fn so_many_are_sent_and_so_many_at_a_time() {
    let target = Target::start(200, 3);
    let sent = ["huaweicloud", "recording_ended", "--to", &target.url, "--stream", "match"];
    let run = trigger(&[&sent[..], &["--count", "12", "--concurrency", "3"]].concat());
    assert_eq!(run.done(), "12 sent, 12 acknowledged, 12 attempts\n");
    assert_eq!(target.state.most.load(Ordering::SeqCst), 3);
    let mut streams: Vec<_> = (1..=12).map(|n| format!("match-{n}")).collect();
    streams.sort();
    assert_eq!(target.all("stream"), streams);
    let mut tasks = target.all("task_id");
    tasks.dedup();
    assert_eq!(tasks.len(), 12, "events of their own");
}

#[test]
fn every_event_of_a_cloud_can_be_sent_and_others_are_unsupported() {
    let target = Target::start(200, 1);
    let all = EventKind::known().map(|kind| kind.to_string());
    let (mut aliyun, mut huaweicloud) = (Vec::new(), Vec::new());
    for event in all.chain(["vendor:SOMETHING".to_owned()]) {
        for (vendor, sent) in [("aliyun", &mut aliyun), ("huaweicloud", &mut huaweicloud)] {
            let run = trigger(&[vendor, &event, "--to", &target.url]);
            match run.code {
                Some(0) => sent.push(event.clone()),
                _ => assert_has(run.failed_with_hint(4), &["this cloud does not send", &event]),
            }
        }
    }
    let aliyun_only = ["recording_paused", "recording_resumed", "transcode_failed"];
    let huaweicloud_only = ["file_started", "recording_ended"];
    for event in ["file_completed", "recording_started", "recording_failed", "vendor:SOMETHING"] {
        assert!([&aliyun, &huaweicloud].iter().all(|sent| sent.iter().any(|sent| sent == event)), "{event}");
    }
    for (events, sent, not_sent) in
        [(&aliyun_only[..], &aliyun, &huaweicloud), (&huaweicloud_only, &huaweicloud, &aliyun)]
    {
        for event in events.iter().map(ToString::to_string) {
            assert!(sent.contains(&event) && !not_sent.contains(&event), "{event}");
        }
    }
    assert_eq!(target.state.bodies.lock().unwrap().len(), aliyun.len() + huaweicloud.len());
}

#[test]
fn what_is_typed_wrong_is_refused_before_anything_is_sent() {
    let target = Target::start(200, 1);
    let to = ["--to", &target.url];
    let huaweicloud = [&["huaweicloud", "file_completed"], &to[..]].concat();
    let aliyun = [&["aliyun", "file_completed"], &to[..]].concat();
    let unset = "--key-env: UNSET is not set";
    for (arguments, code, complaints) in [
        (huaweicloud[..2].to_vec(), 2, &["--to <URL>"][..]),
        ([&["tencent", "file_completed"], &to[..]].concat(), 2, &["'tencent'", "aliyun, huaweicloud"]),
        ([&["aliyun", "file_done"], &to[..]].concat(), 2, &["`file_done` is not an event"]),
        ([&huaweicloud[..], &["--sign", "md5"]].concat(), 2, &["--key-env <NAME>"]),
        ([&huaweicloud[..], &["--key-env", "UNSET"]].concat(), 2, &[unset]),
        ([&huaweicloud[..], &["--domain", "-"]].concat(), 2, &["--domain"]),
        ([&huaweicloud[..], &["--count", "many"]].concat(), 2, &["--count"]),
        (
            [&aliyun[..], &["--key-env", "KEY", "--sign", "hmac-sha256"]].concat(),
            4,
            &["aliyun signs callbacks with md5 only"],
        ),
    ] {
        assert_has(trigger(&arguments).failed_with_hint(code), complaints);
    }
    let program = Program::default().secret("SHORT", "t00short");
    let run = program.run(&[&["trigger"], &huaweicloud[..], &["--key-env", "SHORT"]].concat());
    assert_has(run.failed_with_hint(2), &["signing.key: has 8 characters"]);
    assert!(target.state.bodies.lock().unwrap().is_empty());
}

#[test]
fn a_receiver_takes_what_is_signed_by_its_key() {
    // Aliyun signs the host with its port.
    let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let aliyun =
        format!("[sources.a]\nvendor = 'aliyun'\npath = '/a'\nhost = '{addr}'\nkey_env = ['OTHER', 'KEY']\n");
    let md5 = SIGNED.replace("live", "md5") + "scheme = 'md5'\n";
    let toml = format!("addr = '{addr}'\n[sink]\n{SQLITE}\n{aliyun}{SIGNED}{md5}{OPEN}");
    let mut setup = Setup::of(&toml);
    setup.program = setup.program.secret("OTHER", "0therKey0therKey0therKey0therKey");
    let receiver = setup.start();
    let to = |path: &str| format!("http://{addr}{path}");
    for (vendor, path, options, taken) in [
        ("aliyun", "/a", &["--key-env", "KEY"][..], true),
        ("aliyun", "/a", &["--key-env", "OTHER", "--sign", "md5"], true),
        ("aliyun", "/a", &[], false),
        ("huaweicloud", "/live", &["--key-env", "KEY"], true),
        ("huaweicloud", "/live", &["--key-env", "KEY", "--sign", "md5"], false),
        ("huaweicloud", "/live", &["--key-env", "OTHER"], false),
        ("huaweicloud", "/live", &[], false),
        ("huaweicloud", "/md5", &["--key-env", "KEY", "--sign", "md5"], true),
        ("huaweicloud", "/md5", &["--key-env", "KEY"], false),
        ("huaweicloud", "/open", &[], true),
        ("huaweicloud", "/open", &["--key-env", "KEY"], true),
    ] {
        let sent = ["trigger", vendor, "recording_started", "--to", &to(path)];
        let run = setup.program.run(&[&sent[..], options].concat());
        if taken {
            assert_eq!(run.done(), "1 sent, 1 acknowledged, 1 attempts\n");
        } else {
            let report = unacknowledged(&run, "1 of 1 callbacks were not acknowledged: status 401: ");
            let (word, hint) = if options.is_empty() {
                ("not_signed", "hint: the receiver wants a signature")
            } else {
                ("bad_signature", "hint: the receiver does not take the signature")
            };
            assert_has(&report, &[&format!("problem: status 401: {word}\n")]);
            assert_has(&run.stderr, &[hint]);
            assert!(!run.stderr.contains("network"), "{run:#?}");
        }
    }
    setup.stop(receiver);
}

#[test]
fn it_explains_itself() {
    let run = trigger(&["--help"]);
    let options =
        ["--to", "--key-env", "--sign", "--domain", "--app", "--stream", "--count", "--concurrency"];
    assert_has(run.done(), &["Usage: record-callback trigger", "<VENDOR>", "<EVENT>", "--output"]);
    assert_has(run.done(), &options);
}
