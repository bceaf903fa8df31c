//! `record-callback drift`

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use record_callback_mock::{AliyunConfig, HuaweicloudConfig};
use record_callback_tests::Process;
use serde_json::Value;

use super::{Fleet, MATCHES, STATE, TRAINING, eventually};

impl Fleet {
    fn at_aliyun(&self) -> AliyunConfig {
        self.clouds.aliyun.config("live.example.com").expect("a config")
    }

    fn at_huaweicloud(&self) -> HuaweicloudConfig {
        self.clouds.huaweicloud.config("training.example.com", "sports").expect("a config")
    }

    /// Somebody changes what is at Aliyun, and deletes what is at Huawei Cloud.
    fn meddle(&self) {
        let theirs = AliyunConfig {
            notify_url: "https://other.example.com/theirs?token=hush".to_owned(),
            need_status_notify: true,
            notify_auth_key: Some("Th31rK3yTh31rK3y".to_owned()),
            ..self.at_aliyun()
        };
        self.clouds.aliyun.put_config(theirs);
        self.clouds.huaweicloud.remove_config(&self.at_huaweicloud().id).expect("it was there");
    }
}

#[test]
fn what_changed_and_what_is_gone_is_found() {
    let mut fleet = Fleet::of(&[MATCHES, TRAINING].concat());
    fleet.program = fleet.program.secret("THEIR_KEY", "Th31rK3yTh31rK3y");
    fleet.run(&["drift"]);
    fleet.program.run(&["apply", "--yes"]).done();
    fleet.run(&["drift"]);
    fleet.run(&["drift", "--target", "matches", "--output", "json"]);
    fleet.meddle();
    fleet.run(&["drift"]);
    fleet.run(&["drift", "--output", "json"]);
    fleet.run(&["drift", "--target", "training"]);
    // It only looks.
    assert_eq!(fleet.clouds.configs().len(), 1);
    fleet.program.run(&["apply", "--yes"]).done();
    assert_eq!(fleet.run(&["drift"]).code, Some(0));
    fleet.is("drift");
}

#[test]
fn what_cannot_be_read_is_no_drift_and_no_success() {
    let mut fleet = Fleet::applied(&[MATCHES, TRAINING].concat());
    let program = fleet.program.clone().secret("HUAWEICLOUD_SDK_SK", "n0tTheSecret");
    fleet.run_as(&program, &["drift"]);
    fleet.run_as(&program, &["drift", "--output", "json"]);
    fleet.clouds.aliyun.remove_config("live.example.com").expect("it was there");
    fleet.run_as(&program, &["drift"]);
    fleet.is("drift_unreadable");
}

#[test]
fn errors_exit_with_1_because_2_is_drift() {
    let mut fleet = Fleet::of(MATCHES);
    assert_eq!(fleet.run(&["drift"]).code, Some(1), "nothing drifts from a state that is not there");
    fleet.program.run(&["apply", "--yes"]).done();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = listener.local_addr().expect("a bound port").to_string();
    for wrong in [
        &["--target", "nobody"][..],
        &["--manifest", "missing.toml"],
        &["--watch", "0"],
        &["--metrics-addr", "127.0.0.1:0"],
        &["--watch", "1", "--metrics-addr", &taken],
    ] {
        assert_eq!(fleet.run(&[&["drift"], wrong].concat()).code, Some(1), "{wrong:?}");
    }
    fleet.is("drift_errors");
}

/// Status line, content type and body of what is at `path`.
fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("UTF-8");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let kept = |line: &&str| line.starts_with("HTTP/") || line.starts_with("content-type");
    let head: Vec<&str> = head.lines().filter(kept).collect();
    format!("{}\n\n{body}", head.join("\n"))
}

/// `/metrics` without the values that differ from run to run, and in an order: that of labels has none.
fn metrics(address: &str) -> String {
    const DIFFER: [&str; 3] = ["last_check_timestamp_seconds", "check_duration_seconds", "checks_total"];
    let line = |line: &str| match line.rsplit_once(' ') {
        Some((name, value)) if DIFFER.iter().any(|one| name == format!("record_callback_fleet_{one}")) => {
            assert!(value.parse::<f64>().is_ok_and(|value| value > 0.0), "{line}");
            format!("{name} VALUE\n")
        }
        _ => format!("{line}\n"),
    };
    let mut lines: Vec<String> = get(address, "/metrics").lines().map(line).collect();
    let is_labelled = |line: &String| line.contains('{');
    lines
        .chunk_by_mut(|one, other| is_labelled(one) && is_labelled(other))
        .for_each(<[String]>::sort_unstable);
    lines.concat()
}

impl Fleet {
    fn tell_lines(&mut self, watch: &mut Process, count: usize) {
        for _ in 0..count {
            let line = watch.line();
            self.tell(&line);
        }
    }

    fn tell_answer(&mut self, path: &str, answer: &str) {
        self.tell(&format!("--- GET {path}\n{answer}"));
    }
}

#[test]
fn a_watch_tells_when_drift_comes_and_goes_and_ends_when_told() {
    let mut fleet = Fleet::applied(&[MATCHES, TRAINING].concat());
    fleet.program = fleet.program.secret("THEIR_KEY", "Th31rK3yTh31rK3y");
    let (aliyun, huaweicloud) = (fleet.at_aliyun(), fleet.at_huaweicloud());
    let arguments = ["drift", "--watch", "1", "--metrics-addr", "127.0.0.1:0"];
    let mut watch = fleet.spawn(&arguments);
    let ready = watch.line();
    fleet.tell(&ready);
    let ready: Value = serde_json::from_str(&ready).expect("JSON");
    let address = ready["addr"].as_str().and_then(|addr| addr.strip_prefix("http://")).expect("an address");
    fleet.tell_lines(&mut watch, 1);
    for path in ["/healthz", "/nothing"] {
        fleet.tell_answer(path, &get(address, path));
    }
    fleet.tell_answer("/metrics", &metrics(address));

    fleet.clouds.aliyun.put_config(AliyunConfig {
        notify_url: "https://other.example.com/theirs?token=hush".to_owned(),
        ..fleet.at_aliyun()
    });
    fleet.tell_lines(&mut watch, 3);
    fleet.clouds.huaweicloud.remove_config(&huaweicloud.id).expect("it was there");
    fleet.tell_lines(&mut watch, 4);
    fleet.tell_answer("/metrics", &metrics(address));
    fleet.clouds.aliyun.put_config(aliyun);
    fleet.tell_lines(&mut watch, 3);
    fleet.clouds.huaweicloud.put_config(huaweicloud);
    fleet.tell_lines(&mut watch, 1);
    assert!(metrics(address).contains("record_callback_fleet_drifted{kind=\"missing\"} 0\n"));

    // A state that cannot be read fails a check, and does not end the watch.
    let state = fleet.read(STATE);
    fleet.write(STATE, "{");
    let failed = "record_callback_fleet_failed_checks_total 0\n";
    eventually("a failed check", || !metrics(address).contains(failed));
    fleet.write(STATE, &state);

    watch.signal("TERM");
    let ended = watch.end();
    fleet.program.assert_secret(&ended);
    assert_eq!((ended.code, ended.stdout.as_slice()), (Some(0), [].as_slice()), "{ended:#?}");
    assert!(ended.stderr.contains("could not look for drift"), "{ended:#?}");
    fleet.is("drift_watch");
}

#[test]
fn a_watch_in_json_tells_every_round() {
    let mut fleet = Fleet::applied(MATCHES);
    let mut watch = fleet.spawn(&["drift", "--watch", "1", "--output", "json"]);
    fleet.tell_lines(&mut watch, 1);
    fleet.clouds.aliyun.remove_config("live.example.com").expect("it was there");
    let mut line = watch.line();
    while line.contains("\"drift\":[]") {
        line = watch.line();
    }
    fleet.tell(&line);
    let ended = watch.stop("INT");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:#?}");
    fleet.is("drift_watch_in_json");
}
