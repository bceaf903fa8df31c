//! `record-callback receive` while its files change, and on SIGHUP.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use record_callback_mock::{HuaweicloudEvent, HuaweicloudSender};
use record_callback_tests::{Authority, PATIENCE, ReceiverProcess};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::program::assert_has;
use crate::receive::{KEY, OPEN, SIGNED, SQLITE, Setup};

const NEW_KEY: &str = "R0tatedR0tatedR0tatedR0tatedR0ta";
const BY_FILE: &str = "[sources.live]\nvendor = 'huaweicloud'\npath = '/live'\nkey_file = 'live.key'\n";
const TLS: &str = "[tls]\ncert = 'chain.pem'\nkey = 'key.pem'\n";

/// A setup with more secrets that nothing may show.
fn setup(toml: &str, secrets: &[&str]) -> Setup {
    let mut setup = Setup::with(SQLITE, toml);
    for (number, secret) in secrets.iter().enumerate() {
        setup.program = setup.program.secret(&format!("UNUSED_{number}"), secret);
    }
    setup
}

impl Setup {
    /// Only its owner can read it.
    fn write(&self, name: &str, text: &str) {
        // As whole as most programs write, and readers do not see half of it.
        let (new, path) = (self.path("new"), self.path(name));
        fs::write(&new, text).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(new, path).unwrap();
    }

    fn configure(&self, toml: &str) {
        self.write("receiver.toml", &format!("addr = '127.0.0.1:0'\n[sink]\n{SQLITE}\n{toml}"));
    }

    /// Tells whether an event of `stream` is taken that is signed with the key in the variable.
    fn takes(&self, receiver: &ReceiverProcess, path: &str, variable: &str) -> bool {
        let to = format!("http://{}{path}", receiver.address);
        let run = self.program.run(&[
            "trigger",
            "huaweicloud",
            "recording_ended",
            "--to",
            &to,
            "--key-env",
            variable,
        ]);
        self.program.assert_secret(&run);
        run.code == Some(0)
    }
}

/// Asks until it is so.
#[track_caller]
fn wait_until(mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "it never is so");
        sleep(Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sighup_under_load_fails_no_delivery() {
    let setup = setup(SIGNED, &[]);
    let mut receiver = ReceiverProcess::start(setup.command(&["-v"]));
    let url = format!("http://{}/live", receiver.address);
    let (done, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let senders: Vec<_> = (0..2)
        .map(|lane| {
            let (url, done, sent) = (url.clone(), Arc::clone(&done), Arc::clone(&sent));
            tokio::spawn(async move {
                let sender = HuaweicloudSender::new(url).key(KEY);
                for number in 0.. {
                    let stream = format!("s-{lane}-{number}");
                    let report = sender
                        .send(&HuaweicloudEvent::record_file_complete("live.example.com", "app", &stream))
                        .await;
                    assert!(report.is_acknowledged(), "{report:?}");
                    sent.fetch_add(1, Ordering::Relaxed);
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                }
            })
        })
        .collect();
    for round in 0..20 {
        let before = sent.load(Ordering::Relaxed);
        let more = if round % 2 == 0 { OPEN } else { "" };
        setup.configure(&format!("{SIGNED}{more}"));
        receiver.process.signal("HUP");
        let line = tokio::task::block_in_place(|| receiver.process.complaint());
        assert!(line.contains("sources and keys are read again"), "{line}");
        tokio::task::block_in_place(|| wait_until(|| sent.load(Ordering::Relaxed) > before));
    }
    done.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.await.unwrap();
    }
    setup.stop(receiver);
    let inbox = setup.text("inbox.db");
    let kept = setup.program.run(&["events", "--inbox", &inbox, "--all", "--output", "json"]);
    assert_eq!(kept.done().lines().count(), sent.load(Ordering::Relaxed));
}

/// The beginning of warnings of refused deliveries.
const REFUSALS: &str = "receiver::refusals: ";

/// The next warning that is not of a refused delivery.
fn complaint(receiver: &mut ReceiverProcess) -> String {
    loop {
        let line = receiver.process.complaint();
        if !line.contains(REFUSALS) {
            return line;
        }
    }
}

#[test]
fn a_key_is_changed_by_its_file_without_a_restart() {
    let setup = setup(BY_FILE, &[NEW_KEY]);
    setup.write("live.key", &format!("{KEY}\n"));
    let receiver = setup.start();
    assert!(setup.takes(&receiver, "/live", "KEY"));
    assert!(!setup.takes(&receiver, "/live", "UNUSED_0"));

    // Both, then the new one only.
    setup.write("next.key", NEW_KEY);
    setup.configure(&BY_FILE.replace("'live.key'", "['live.key', 'next.key']"));
    wait_until(|| setup.takes(&receiver, "/live", "UNUSED_0"));
    assert!(setup.takes(&receiver, "/live", "KEY"));
    setup.write("live.key", &format!("{NEW_KEY}\n"));
    wait_until(|| !setup.takes(&receiver, "/live", "KEY"));
    assert!(setup.takes(&receiver, "/live", "UNUSED_0"));
    let ended = setup.stop(receiver);
    let refusals = ended.stderr.lines().filter(|line| line.contains(REFUSALS)).count();
    assert_eq!(refusals, ended.stderr.lines().count(), "{ended:#?}");
}

#[test]
fn what_is_wrong_is_told_once_and_changes_nothing() {
    let setup = setup(SIGNED, &[NEW_KEY]);
    let mut receiver = setup.start();
    let lacking = BY_FILE.replace("live]", "more]").replace("/live", "/more");
    let overlapping = format!("{SIGNED}{}", SIGNED.replace("live]", "more]").replace("/live", "/more"));
    for (toml, complaints) in [
        ("[sources.live]\nkey = 'R0tatedR0tatedR0tatedR0tatedR0ta'".to_owned(), &["receiver.toml: line"][..]),
        (format!("{SIGNED}{lacking}"), &["source more has no key: file `live.key`", "live.key"]),
        (overlapping, &["sources live and more accept the same deliveries", "shares_keys_with"]),
    ] {
        setup.configure(&toml);
        let line = complaint(&mut receiver);
        assert_has(&line, &["WARN", "not reloaded, the sources and keys from before stay: "]);
        assert_has(&line, complaints);
        assert!(setup.takes(&receiver, "/live", "KEY") && !setup.takes(&receiver, "/more", "KEY"));
    }
    // What was lacking comes.
    setup.configure(&format!("{SIGNED}{lacking}"));
    assert_has(&complaint(&mut receiver), &["source more has no key"]);
    setup.write("live.key", NEW_KEY);
    wait_until(|| setup.takes(&receiver, "/more", "UNUSED_0"));
    setup.stop(receiver);
}

#[test]
fn what_needs_a_restart_is_named_and_the_rest_is_taken() {
    let setup = setup(SIGNED, &[]);
    let mut receiver = setup.start();
    let sink = "kind = 'jsonl'\npath = 'other'";
    let toml = format!("addr = '127.0.0.1:1'\n[sink]\n{sink}\n[limits]\nrequests = 7\n{SIGNED}{OPEN}{TLS}");
    setup.write("receiver.toml", &toml);
    receiver.process.signal("HUP");
    let line = receiver.process.complaint();
    assert_has(&line, &["WARN", "restart needed for: addr, sink, limits, tls"]);
    assert!(setup.takes(&receiver, "/open", "KEY"));
    assert!(!setup.path("other").exists());
    setup.stop(receiver);
}

#[test]
fn a_silence_is_told_once_and_its_end_too() {
    let setup = setup(&format!("{SIGNED}expect_within = '1s'\n{OPEN}"), &[]);
    let mut receiver = ReceiverProcess::start(setup.command(&["-v"]));
    let line = receiver.process.complaint();
    assert_has(&line, &["WARN", "live: no event for ", "(expected within 1s)"]);
    assert!(setup.takes(&receiver, "/live", "KEY"));
    assert_has(&receiver.process.complaint(), &["INFO", "live: an event again, after "]);
    setup.stop(receiver);
}

#[test]
fn sources_with_one_key_may_be_declared() {
    let shared = SIGNED.replace("live]", "more]").replace("/live", "/more");
    let setup = setup(&format!("{SIGNED}shares_keys_with = ['more']\n{shared}"), &[]);
    let receiver = setup.start();
    assert!(setup.takes(&receiver, "/live", "KEY") && setup.takes(&receiver, "/more", "KEY"));
    setup.stop(receiver);
}

#[test]
fn a_key_file_everybody_can_read_is_warned_of() {
    let setup = setup(BY_FILE, &[]);
    setup.write("live.key", KEY);
    fs::set_permissions(setup.path("live.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let mut receiver = setup.start();
    let line = receiver.process.complaint();
    assert_has(&line, &["WARN", "everybody on this machine can read the key file live.key", "chmod 600"]);
    // Once, however often it is read.
    setup.configure(&format!("{BY_FILE}{OPEN}"));
    wait_until(|| setup.takes(&receiver, "/open", "KEY"));
    let ended = setup.stop(receiver);
    assert_eq!(ended.stderr.lines().filter(|line| !line.contains(REFUSALS)).count(), 1, "{ended:#?}");
}

/// The certificate a new connection is shown.
async fn certificate(authority: &Authority, receiver: &ReceiverProcess) -> Vec<u8> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let tcp = tokio::net::TcpStream::connect(receiver.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

fn der(pem: &str) -> Vec<u8> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
}

/// A line of the key, which nothing may show.
fn line_of(pem: &str) -> &str {
    pem.lines().nth(1).unwrap()
}

#[tokio::test]
async fn a_certificate_is_replaced_while_it_serves() {
    let authority = Authority::new();
    let [(cert, key), (next_cert, next_key)] = [(); 2].map(|()| authority.issue("localhost"));
    let setup = setup(&format!("{TLS}{OPEN}"), &[line_of(&key), line_of(&next_key)]);
    setup.write("chain.pem", &cert);
    setup.write("key.pem", &key);
    let mut receiver = setup.start();
    assert_has(&receiver.ready_line, &[&format!("https://{}/open", receiver.address)]);
    assert_eq!(certificate(&authority, &receiver).await, der(&cert));

    // One file of the two is no use yet.
    setup.write("chain.pem", &next_cert);
    let line = receiver.process.complaint();
    assert_has(&line, &["WARN", "not reloaded, the certificate from before stays: tls.key", "key.pem"]);
    assert_has(&line, &["is not the key of the certificate"]);
    assert_eq!(certificate(&authority, &receiver).await, der(&cert));
    setup.write("key.pem", &next_key);
    receiver.process.signal("HUP");
    let deadline = Instant::now() + PATIENCE;
    while certificate(&authority, &receiver).await != der(&next_cert) {
        assert!(Instant::now() < deadline, "the certificate is not replaced");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    setup.stop(receiver);
}

#[test]
fn tls_that_cannot_be_is_refused_at_the_start() {
    let authority = Authority::new();
    let [(cert, key), (_, other)] = [(); 2].map(|()| authority.issue("localhost"));
    for (chain, secret, complaints) in [
        (None, Some(&key), ["tls.cert: ", "chain.pem: No such file"]),
        (Some(&cert), None, ["tls.key: ", "key.pem: No such file"]),
        (Some(&cert), Some(&other), ["tls.key: ", "key.pem: is not the key of the certificate"]),
        (Some(&key), Some(&key), ["tls.cert: ", "chain.pem: has no certificate"]),
        (Some(&cert), Some(&cert), ["tls.key: ", "key.pem: has nothing of its kind in it"]),
    ] {
        let setup = setup(&format!("{TLS}{OPEN}"), &[line_of(&key), line_of(&other)]);
        for (name, text) in [("chain.pem", chain), ("key.pem", secret)] {
            if let Some(text) = text {
                setup.write(name, text);
            }
        }
        let run = setup.run();
        assert_has(run.failed_with_hint(2), &complaints);
        assert!(!setup.path("inbox.db").exists());
    }
}
