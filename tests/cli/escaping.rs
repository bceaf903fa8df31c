//! Texts from elsewhere do nothing to a terminal and begin no line, whatever prints them and wherever it goes.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use record_callback::text::needs_escaping;
use record_callback_mock::{AliyunConfig, HuaweicloudConfig};

use crate::clouds::Clouds;
use crate::program::{Program, Run, assert_has};
use crate::receive::{OPEN, SQLITE, Setup};
use crate::terminal::answering;

/// Clears the screen, sets a title, forges a row, turns the direction, and hides itself.
const BAD: &str =
    "x\u{1b}[2J\u{1b}]0;owned\u{7}\r\nforged  row\u{85}\u{9b}1A\u{202e}\u{2066}\u{200b}\u{2028}\u{feff}y";
/// The same as it is shown.
const SHOWN: &str =
    r"x\u{1b}[2J\u{1b}]0;owned\u{7}\r\nforged  row\u{85}\u{9b}1A\u{202e}\u{2066}\u{200b}\u{2028}\u{feff}y";

#[track_caller]
fn assert_clean(text: &str) {
    let bad = text.chars().find(|c| *c != '\n' && needs_escaping(*c));
    assert!(bad.is_none(), "{bad:?} in {text:?}");
    assert!(!text.lines().any(|line| line.starts_with("forged")), "{text}");
}

#[track_caller]
fn assert_run_is_clean(run: &Run) {
    assert_clean(&run.stdout);
    assert_clean(&run.stderr);
}

#[test]
fn events_of_anybody_are_a_row_each() {
    let setup = Setup::with(SQLITE, OPEN);
    let receiver = setup.start();
    let to = format!("http://{}/open", receiver.address);
    let sent = ["trigger", "huaweicloud", "file_completed", "--to", &to, "--stream", BAD];
    assert_run_is_clean(&Program::default().run(&sent));
    let inbox = setup.text("inbox.db");
    let events = ["events", "--inbox", &inbox];
    let text = Program::default().run(&events);
    assert_run_is_clean(&text);
    assert_eq!(text.done().lines().count(), 2, "{text:#?}");
    assert_has(&text.stdout, &["x\\u{1"]);
    let whole = Program::default().run(&[&events[..], &["show", "1"]].concat());
    assert_run_is_clean(&whole);
    assert_has(whole.done(), &[SHOWN]);
    let csv = Program::default().run(&[&events[..], &["--output", "csv"]].concat());
    assert_clean(&csv.done().replace('\r', ""));
    assert_has(&csv.stdout, &[SHOWN]);
    let json = Program::default().run(&[&events[..], &["--output", "json"]].concat());
    assert_run_is_clean(&json);
    assert_eq!(json.json()["stream"], BAD);

    // A terminal gets no colours of a sender either.
    let (code, seen) = answering(&Program::default(), &events, "", || ());
    assert_eq!((code, seen.contains('\u{1b}')), (Some(0), false), "{seen:?}");
    setup.stop(receiver);
}

#[test]
fn what_clouds_store_is_shown_as_it_is_and_does_nothing() {
    let clouds = Clouds::start();
    clouds.aliyun.put_config(AliyunConfig {
        domain_name: "live.example.com".into(),
        notify_url: format!("http://cb.example.com/{BAD}"),
        on_demand_url: Some(BAD.into()),
        need_status_notify: false,
        notify_req_auth: false,
        notify_auth_key: None,
    });
    clouds.huaweicloud.put_config(HuaweicloudConfig {
        app: BAD.into(),
        notify_callback_url: Some(BAD.into()),
        notify_event_subscription: vec![BAD.into()],
        ..huaweicloud_config(&clouds)
    });
    for program in [clouds.aliyun(), clouds.huaweicloud()] {
        let list = program.run(&["list"]);
        assert_run_is_clean(&list);
        assert_eq!(list.done().lines().count(), 2, "{list:#?}");
        assert_has(&list.stdout, &[SHOWN]);
        let json = program.run(&["list", "--output", "json"]);
        assert_run_is_clean(&json);
        assert!(json.json()[0]["notify_url"].as_str().is_some_and(|url| url.ends_with(BAD)), "{json:#?}");
    }
    let domain = ["--domain", "live.example.com"];
    for command in
        [&["get"][..], &["delete", "--dry-run"], &["put", "--no-on-demand-url", "--dry-run"], &["delete"]]
    {
        assert_run_is_clean(&clouds.aliyun().run(&[command, &domain].concat()));
    }
}

/// Whatever a config of this cloud has.
fn huaweicloud_config(clouds: &Clouds) -> HuaweicloudConfig {
    let put = ["put", "--domain", "push.example.com", "--notify-url", "https://cb.example.com"];
    clouds.huaweicloud().run(&put).done();
    let config = clouds.huaweicloud.config("push.example.com", "*").expect("a config");
    clouds.huaweicloud().run(&["delete", "--domain", "push.example.com", "--yes"]).done();
    config
}

#[test]
fn what_is_typed_comes_back_in_one_line() {
    let clouds = Clouds::start();
    for arguments in [
        vec!["get", "--domain", BAD],
        vec!["get", "--domain", "live.example.com", "--app", BAD],
        vec!["put", "--domain", "live.example.com", "--notify-url", BAD],
        vec!["put", "--domain", "live.example.com", "--event", BAD],
        vec!["list", "--region", BAD],
        vec!["list", BAD],
        vec![BAD],
        vec!["list", "--output", BAD],
    ] {
        for program in [clouds.aliyun(), clouds.huaweicloud()] {
            let run = program.run(&arguments);
            assert_run_is_clean(&run);
        }
    }
    let run = Program::default().run(&["plan", "--manifest", &format!("/nowhere/{BAD}")]);
    assert_run_is_clean(&run);
    assert_has(run.failed(2), &[SHOWN]);
}

#[test]
fn what_a_receiver_answers_is_told_in_one_line() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let to = format!("http://{}/", listener.local_addr().expect("a bound port"));
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let _ = stream.read(&mut [0; 4096]).expect("a request");
        let head = format!("HTTP/1.1 400 Bad Request\r\ncontent-length: {}\r\n\r\n", BAD.len());
        stream.write_all(&[head.as_bytes(), BAD.as_bytes()].concat()).expect("a client");
    });
    let run = Program::default().run(&["trigger", "huaweicloud", "file_completed", "--to", &to]);
    server.join().expect("no panic");
    assert_run_is_clean(&run);
    assert_has(&run.stdout, &[SHOWN]);
    assert_has(&run.stderr, &[SHOWN]);
}

#[test]
fn logs_are_a_line_an_event() {
    let setup = Setup::with(SQLITE, OPEN);
    let mut command = setup.program.command(&["receive", "--config", &setup.text("receiver.toml"), "-vvv"]);
    command.current_dir(setup.text("."));
    let receiver = record_callback_tests::ReceiverProcess::start(command);
    let to = format!("http://{}/open", receiver.address);
    let sent = ["trigger", "huaweicloud", "file_completed", "--to", &to, "--stream", BAD, "--app", BAD];
    Program::default().run(&sent).done();
    let ended = receiver.process.stop("TERM");
    assert_clean(&ended.stderr);
}
