//! One host that holds as many half-open connections as it can, and a cloud that sends meanwhile.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use record_callback_mock::{AliyunEvent, AliyunSender};
use record_callback_tests::{ReceiverProcess, command};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::support::{ALIYUN, AT, KEY, post};

const DELIVERIES: usize = 40;
/// Before Aliyun gives up, with room for the way.
const PROMISE: Duration = Duration::from_secs(4);
/// Before a connection that was closed is opened again. Attackers and receiver share this machine.
const AGAIN: Duration = Duration::from_millis(500);
/// Deliveries of [`DELIVERIES`] that may be late all the same: the machine may be busy with something else. It was more
/// than half of them when half-open connections were waited for.
const TOLERATED: usize = 4;
const PATIENCE: Duration = Duration::from_secs(60);

/// The program with default settings and 1024 open files.
fn start(directory: &std::path::Path) -> ReceiverProcess {
    let config = directory.join("receiver.toml");
    let source = format!("vendor = 'aliyun'\npath = '{ALIYUN}'\nhost = 'cb.example.com'\nkey_env = 'KEY'");
    let sink = "[sink]\nkind = 'sqlite'\npath = 'inbox.db'";
    fs::write(&config, format!("addr = '127.0.0.1:0'\n{sink}\n[sources.live]\n{source}\n")).unwrap();
    let program = command();
    let mut limited = Command::new("/bin/sh");
    limited.args(["-c", "ulimit -n 1024; exec \"$0\" receive --config \"$1\""]);
    limited.arg(program.get_program()).arg(config).env_clear().env("KEY", KEY);
    ReceiverProcess::start(limited)
}

/// Keeps a connection that sends half a head, and another one once it is closed.
async fn hold(address: SocketAddr, held: watch::Sender<usize>) {
    loop {
        if let Ok(mut stream) = TcpStream::connect(address).await {
            let _ = stream.write_all(b"POST / HTTP/1.1\r\nhost: a\r\n").await;
            held.send_modify(|held| *held += 1);
            let _ = stream.read(&mut [0; 1]).await;
        }
        sleep(AGAIN).await;
    }
}

/// One delivery on a connection of its own, from another address than the attacker's.
async fn deliver(address: SocketAddr, request: &str) -> Duration {
    let started = Instant::now();
    let delivering = async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let mut stream = socket.connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
    };
    timeout(PATIENCE, delivering).await.expect("an answer");
    started.elapsed()
}

async fn run(attackers: usize) {
    let directory = tempfile::tempdir().unwrap();
    let receiver = start(directory.path());
    let address = receiver.address;
    let (held, mut holding) = watch::channel(0);
    let mut attack = JoinSet::new();
    for _ in 0..attackers {
        attack.spawn(hold(address, held.clone()));
    }
    timeout(PATIENCE, holding.wait_for(|held| *held >= attackers)).await.unwrap().unwrap();
    let sender = AliyunSender::new(format!("http://cb.example.com{ALIYUN}")).key(KEY);
    let mut took = Vec::new();
    for number in 0..DELIVERIES {
        let event = AliyunEvent::file(AT.0, AT.1, format!("stream-{number}"));
        took.push(deliver(address, &post(&sender.prepare(&event))).await);
    }
    took.sort_unstable();
    let late = took.iter().filter(|took| **took > PROMISE).count();
    let (median, worst) = (took[DELIVERIES / 2], took[DELIVERIES - 1]);
    println!("{attackers} half-open: median {median:?}, worst {worst:?}, {late} of {DELIVERIES} late");
    assert!(late <= TOLERATED && median < PROMISE, "with {attackers} half-open connections: {took:?}");
    attack.shutdown().await;
    let ended = receiver.process.stop("TERM");
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let warnings = ended.stderr.lines().filter(|line| line.contains("open files")).count();
    assert_eq!(warnings, 1, "{}", ended.stderr);
}

/// Both one after the other: together they would wait for each other's connections.
#[test]
fn one_host_does_not_keep_deliveries_waiting() {
    let limits = getrlimit(Resource::Nofile);
    let files = limits.maximum.unwrap_or(u64::MAX).min(10_000);
    assert!(files > 5_000, "this test needs 5 000 open files (ulimit -Hn)");
    setrlimit(Resource::Nofile, Rlimit { current: Some(files), ..limits }).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        run(1_500).await;
        run(4_600).await;
    });
}
