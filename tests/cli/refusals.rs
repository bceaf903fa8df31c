//! Refused deliveries: the warnings of `receive`, `events --refused`, and `explain`.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{PATIENCE, assert_has};
use crate::receive::{KEY, SIGNED, SQLITE, Setup};

const ALIYUN: &str =
    "[sources.aliyun]\nvendor = 'aliyun'\npath = '/aliyun'\nhost = 'cb.example.com'\nkey_env = 'KEY'\n";
const OTHER: &str = "0therKey0therKey0therKey0therKey";

/// The content of the log of refused deliveries.
fn kept(setup: &Setup) -> Vec<Value> {
    let log = fs::read_to_string(setup.path("inbox.db.refused.jsonl")).unwrap_or_default();
    log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Asks again and again until it is so.
fn until(is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "it never is");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The signatures of all that were refused.
fn signatures(kept: &[Value]) -> Vec<String> {
    let of_headers = kept.iter().flat_map(|kept| kept["headers"].as_array().unwrap().clone());
    let of_headers = of_headers.filter(|header| header[0] == "ali-live-signature");
    let of_headers = of_headers.map(|header| header[1].as_str().unwrap().to_owned());
    let of_bodies = kept.iter().filter_map(|kept| {
        let body: Value = serde_json::from_str(kept["raw"].as_str().or(kept["body"].as_str())?).ok()?;
        Some(body["auth_sign"].as_str()?.to_owned())
    });
    of_headers.chain(of_bodies).collect()
}

#[test]
fn a_refusal_is_warned_of_listed_and_explained() {
    let mut setup = Setup::with(SQLITE, &format!("{ALIYUN}{SIGNED}"));
    setup.program = setup.program.secret("OTHER", OTHER);
    let receiver = setup.start();
    let address = receiver.address;
    let to = |path: &str| format!("http://{address}{path}");
    for (vendor, path, options) in [
        ("aliyun", "/aliyun", &["--key-env", "KEY"][..]),
        ("huaweicloud", "/live", &["--key-env", "OTHER"]),
        ("huaweicloud", "/live", &["--key-env", "KEY", "--sign", "md5"]),
        ("huaweicloud", "/live", &[]),
        ("aliyun", "/nowhere", &[]),
        ("huaweicloud", "/live", &["--key-env", "KEY", "--stream", "a\u{1b}[2J\nb"]),
    ] {
        let sent = ["trigger", vendor, "recording_started", "--to", &to(path)];
        setup.program.run(&[&sent[..], options].concat());
    }
    until(|| kept(&setup).len() == 5);
    let inbox = setup.text("inbox.db");
    let list = setup.program.run(&["events", "--inbox", &inbox, "--refused"]);
    assert_has(
        list.done(),
        &["REFUSED", "bad_signature", "not_signed", "unknown_source", "/nowhere", "127.0.0.1"],
    );
    assert_eq!(list.done().lines().count(), 6);
    let json = setup.program.run(&["events", "--inbox", &inbox, "--refused", "--output", "json"]);
    let listed: Vec<Value> = json.done().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let config = setup.text("receiver.toml");
    let explain = |id: &str| setup.program.run(&["explain", "--config", &config, id]);
    let explained: Vec<_> =
        listed.iter().map(|listed| explain(&listed["id"].as_str().unwrap()[..12])).collect();
    assert_has(
        explained[0].done(),
        &["NO  a key fits", "host cb.example.com", "with host 127.0.0.1 it would: set host", "secret  key"],
    );
    assert_has(explained[1].done(), &["NO  a key fits", "no single change that was tried would have"]);
    assert_has(explained[2].done(), &["NO  a key fits", "with scheme md5 it would: set scheme"]);
    assert_has(explained[3].done(), &["NO  it is signed", "there is no signature and no time"]);
    assert_has(explained[4].done(), &["to /nowhere, where no source is", "404 unknown_source"]);
    let one = explain("1");
    assert_has(
        one.done(),
        &["1: to source live", "kept", "signed by: KEY", "yes a key fits", r"a\u{1b}[2J\nb"],
    );
    assert_has(explain("zzz").failed_with_hint(3), &["there is no delivery `zzz`"]);

    let ended = setup.stop(receiver);
    assert_has(
        &ended.stderr,
        &[
            "401 aliyun: no key fits; with host 127.0.0.1 it would: set host",
            "401 live: no key fits",
            "401 live: not signed",
            "404 no source has the path /nowhere",
        ],
    );
    let found = signatures(&kept(&setup));
    assert!(found.len() >= 2, "{found:?}");
    for run in explained.iter().chain([&list, &json, &one]) {
        setup.program.assert_secret(run);
        assert!(!run.stdout.contains(KEY) && !run.stdout.contains(OTHER));
        assert!(found.iter().all(|signature| !run.stdout.contains(signature)), "{run:#?}");
    }
    assert!(found.iter().all(|signature| !ended.stderr.contains(signature)), "{ended:#?}");
}

#[test]
fn an_event_whose_headers_are_gone_is_explained_from_its_record() {
    let setup = Setup::with(SQLITE, &ALIYUN.replace("cb.example.com", "127.0.0.1"));
    let receiver = setup.start();
    let to = format!("http://{}/aliyun", receiver.address);
    let sent = ["trigger", "aliyun", "recording_started", "--to", &to, "--key-env", "KEY"];
    setup.program.run(&sent).done();
    let explained = setup.program.run(&["explain", "--config", &setup.text("receiver.toml"), "1"]);
    assert_has(
        explained.done(),
        &["proven: sender (md5)", "signed by: KEY", "its headers, which had the signature, are not kept"],
    );
    setup.stop(receiver);
}

#[test]
fn what_strangers_send_does_nothing_to_a_terminal() {
    let setup = Setup::with(SQLITE, SIGNED);
    let receiver = setup.start();
    let mut stream = TcpStream::connect(receiver.address).unwrap();
    let path = format!("/{}", "x".repeat(1000));
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: \u{202e}evil\r\nx-evil: \u{9b}2J\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    until(|| kept(&setup).len() == 1);
    let id = kept(&setup)[0]["id"].as_str().unwrap().to_owned();
    let inbox = setup.text("inbox.db");
    let list = setup.program.run(&["events", "--inbox", &inbox, "--refused"]);
    let explained = setup.program.run(&["explain", "--config", &setup.text("receiver.toml"), &id]);
    let ended = setup.stop(receiver);
    for text in [list.done(), explained.done(), &ended.stderr] {
        assert!(!text.contains(['\u{202e}', '\u{9b}', '\u{1b}']), "{text}");
        assert!(text.contains(&"x".repeat(200)) && !text.contains(&"x".repeat(300)), "{text}");
    }
}

#[cfg(unix)]
#[test]
fn the_log_is_its_owners_and_no_link() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let setup = Setup::with(SQLITE, SIGNED);
    let receiver = setup.start();
    setup.stop(receiver);
    let log = setup.path("inbox.db.refused.jsonl");
    assert_eq!(fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600);
    for named in [false, true] {
        let more = if named { "[refused]\npath = 'linked.jsonl'\n" } else { "" };
        let setup = Setup::with(SQLITE, &format!("{more}{SIGNED}"));
        let target = setup.path("target");
        fs::write(&target, "").unwrap();
        symlink(&target, setup.path(if named { "linked.jsonl" } else { "inbox.db.refused.jsonl" })).unwrap();
        if named {
            assert_has(setup.run().failed_with_hint(2), &["refused.path", "symbolic link"]);
        } else {
            let receiver = setup.start();
            let ended = setup.stop(receiver);
            assert_has(&ended.stderr, &["refused deliveries are not kept", "symbolic link"]);
        }
    }
}
