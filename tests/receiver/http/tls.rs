//! The receiver's own TLS: versions, certificates that are replaced, and clients that do not speak it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use record_callback_mock::{AliyunEvent, AliyunSender};
use record_callback_receiver::{Limits, MemorySink, Receiver, Tls};
use record_callback_tests::Authority;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, SupportedProtocolVersion};

use super::support::{ALIYUN, ALIYUN_ACKNOWLEDGEMENT, AT, KEY, aliyun, limits, post, signed, within};

const HOST: &str = "localhost";
const LONG: Duration = Duration::from_secs(600);

/// A receiver that speaks TLS, and what its clients trust.
struct Server {
    authority: Authority,
    tls: Tls,
    sink: Arc<MemorySink>,
    addr: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Server {
    async fn start(limits: Limits) -> Self {
        let (authority, sink) = (Authority::new(), Arc::new(MemorySink::new()));
        let (cert, key) = authority.issue(HOST);
        let tls = Tls::from_pem(cert.as_bytes(), key.as_bytes()).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let receiver =
            Receiver::builder(sink.clone()).source(aliyun(HOST, signed(&[KEY]))).limits(limits).build();
        let (receiver, serving_tls) = (receiver.unwrap(), tls.clone());
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            receiver.serve_tls(listener, &serving_tls, stopped).await;
        });
        Self { authority, tls, sink, addr, stop, serving }
    }

    async fn tcp(&self) -> TcpStream {
        within(TcpStream::connect(self.addr)).await.unwrap()
    }

    async fn connect(&self, versions: &[&'static SupportedProtocolVersion]) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.pem().as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_protocol_versions(versions)
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        let connecting = connector.connect(ServerName::try_from(HOST).unwrap(), self.tcp().await);
        within(connecting).await.unwrap()
    }

    /// The certificate a new connection is shown.
    async fn certificate(&self) -> Vec<u8> {
        shown(&self.connect(rustls::DEFAULT_VERSIONS).await)
    }
}

fn shown(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

/// Sends an event of `stream` and reads the answer.
async fn deliver(connection: &mut TlsStream<TcpStream>, stream: &str) -> String {
    let sender = AliyunSender::new(format!("https://{HOST}{ALIYUN}")).key(KEY);
    let delivery = sender.prepare(&AliyunEvent::file(AT.0, AT.1, stream));
    connection.write_all(post(&delivery).as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(ALIYUN_ACKNOWLEDGEMENT.as_bytes()) {
        let read = within(connection.read_buf(&mut answer)).await.unwrap();
        assert_ne!(read, 0, "{}", String::from_utf8_lossy(&answer));
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn events_are_kept_over_tls_1_2_and_1_3() {
    let server = Server::start(Limits::default()).await;
    for (number, version) in [&rustls::version::TLS12, &rustls::version::TLS13].into_iter().enumerate() {
        let mut connection = server.connect(&[version]).await;
        assert!(deliver(&mut connection, &format!("s{number}")).await.starts_with("HTTP/1.1 200 "));
        assert_eq!(connection.get_ref().1.protocol_version(), Some(version.version));
        assert_eq!(server.sink.records().len(), number + 1);
    }
}

#[tokio::test]
async fn older_versions_are_refused() {
    let server = Server::start(Limits::default()).await;
    // A ClientHello of TLS 1.1: version, random, no session, one cipher suite, no compression, signature algorithms.
    let algorithms = [0, 8, 0, 13, 0, 4, 0, 2, 4, 1];
    let hello = [&[3, 2][..], &[7; 32], &[0, 0, 2, 0, 0x2f, 1, 0], &algorithms].concat();
    let length = u8::try_from(hello.len()).unwrap();
    let record = [&[22, 3, 1, 0, length + 4, 1, 0, 0, length][..], &hello].concat();
    let mut client = server.tcp().await;
    client.write_all(&record).await.unwrap();
    let mut answer = Vec::new();
    within(client.read_to_end(&mut answer)).await.unwrap();
    // An alert: fatal, protocol_version.
    assert_eq!(answer.get(..1), Some(&[21][..]), "{answer:?}");
    assert_eq!(answer.get(5..), Some(&[2, 70][..]), "{answer:?}");
}

#[tokio::test]
async fn plain_http_is_told_at_once_that_this_is_tls() {
    let server = Server::start(limits(|limits| limits.header_timeout = LONG)).await;
    let mut client = server.tcp().await;
    client.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = within(client.read_to_end(&mut answer)).await;
    assert_eq!(answer.first(), Some(&21), "an alert: {answer:?}");
}

#[tokio::test]
async fn who_does_not_finish_the_handshake_keeps_nobody_out() {
    let limits = limits(|limits| {
        limits.connections = 1;
        limits.header_timeout = Duration::from_millis(50);
    });
    let server = Server::start(limits).await;
    let mut silent = server.tcp().await;
    let mut connection = server.connect(rustls::DEFAULT_VERSIONS).await;
    assert!(deliver(&mut connection, "s").await.starts_with("HTTP/1.1 200 "));
    assert_eq!(within(silent.read_to_end(&mut Vec::new())).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn stopping_waits_for_no_handshake() {
    let server = Server::start(limits(|limits| (limits.header_timeout, limits.drain) = (LONG, LONG))).await;
    let mut silent = server.tcp().await;
    // It is accepted once another one is, which came later.
    let mut connection = server.connect(rustls::DEFAULT_VERSIONS).await;
    deliver(&mut connection, "s").await;
    server.stop.send(()).unwrap();
    within(server.serving).await.unwrap();
    assert_eq!(within(silent.read_to_end(&mut Vec::new())).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_new_certificate_is_for_new_connections() {
    let server = Server::start(Limits::default()).await;
    let mut open = server.connect(rustls::DEFAULT_VERSIONS).await;
    let old = shown(&open);
    let (cert, key) = server.authority.issue(HOST);
    server.tls.replace(cert.as_bytes(), key.as_bytes()).unwrap();
    let new = server.certificate().await;
    assert_ne!(new, old);
    assert_eq!(new, CertificateDer::from_pem_slice(cert.as_bytes()).unwrap().to_vec());
    assert!(deliver(&mut open, "s").await.starts_with("HTTP/1.1 200 "));

    let (other_cert, other_key) = server.authority.issue(HOST);
    for (cert, key, field, problem) in [
        (cert.as_str(), other_key.as_str(), "tls.key", "is not the key of the certificate"),
        (&other_cert, &key, "tls.key", "is not the key of the certificate"),
        (&cert[..100], &key, "tls.cert", "ends before its end"),
        ("", &key, "tls.cert", "has no certificate"),
        (&key, &key, "tls.cert", "has no certificate"),
        (&cert, &cert, "tls.key", "has nothing of its kind in it"),
        (&cert, &key.replacen('M', "!", 1), "tls.key", "no Base64"),
    ] {
        let error = server.tls.replace(cert.as_bytes(), key.as_bytes()).unwrap_err();
        assert!(error.field() == field && error.problem().contains(problem), "{error}");
        assert_eq!(server.certificate().await, new);
    }
}
