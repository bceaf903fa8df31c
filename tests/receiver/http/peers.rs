//! Peers: how many connections each may hold, which is taken for the sender, and which may ask how the receiver is.

use std::collections::HashSet;
use std::future::pending;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use record_callback::SignaturePolicy;
use record_callback_receiver::{
    AnsweredDelivery, DeliveryLog, ForwardedHeader, MemorySink, Proxies, Receiver, ReceiverBuilder,
};
use tokio::net::TcpListener;

use super::support::{ALIYUN, Connection, Server, aliyun, limits, request};

#[derive(Default)]
struct Senders(Mutex<Vec<Option<IpAddr>>>);

impl DeliveryLog for Senders {
    fn answered(&self, delivery: &AnsweredDelivery<'_>) {
        self.0.lock().unwrap().push(delivery.sender);
    }
}

/// Two connections of one peer at most.
async fn two_each(build: impl FnOnce(ReceiverBuilder) -> ReceiverBuilder) -> Server {
    Server::start(&Arc::new(MemorySink::new()), |receiver, host| {
        let receiver = receiver.limits(limits(|limits| limits.connections_per_peer = 2));
        build(receiver.source(aliyun(host, SignaturePolicy::unsigned())))
    })
    .await
}

async fn half_open(server: &Server) -> Connection {
    let mut connection = server.connect().await;
    connection.write("POST / HTTP/1.1\r\nhost: a\r\n").await;
    connection
}

fn post(headers: &[(&str, &str)]) -> String {
    request("POST", ALIYUN, headers, "{}")
}

#[tokio::test]
async fn a_peer_with_its_share_loses_its_oldest_connection() {
    let server = two_each(|receiver| receiver).await;
    let (mut first, mut second) = (half_open(&server).await, half_open(&server).await);
    assert_eq!(server.ask(post(&[])).await.status, 200);
    first.closed().await;
    // The second still waits for the rest of its head, and is answered.
    second.write("content-length: 0\r\n\r\n").await;
    second.answer().await.expect("an answer").is_refused(404, "unknown_source");
}

#[tokio::test]
async fn connections_of_a_trusted_proxy_are_not_limited_by_peer() {
    let proxies = Proxies::new(["127.0.0.0/8"], ForwardedHeader::XForwardedFor).unwrap();
    let server = two_each(|receiver| receiver.proxies(proxies)).await;
    let mut held = Vec::new();
    for _ in 0..10 {
        held.push(half_open(&server).await);
    }
    assert_eq!(server.ask(post(&[])).await.status, 200);
    for mut connection in held {
        connection.write("content-length: 0\r\n\r\n").await;
        connection.answer().await.expect("an answer").is_refused(404, "unknown_source");
    }
}

#[tokio::test]
async fn only_a_trusted_proxy_names_the_sender() {
    let named = [("x-forwarded-for", "192.0.2.1, 203.0.113.9")];
    for (trusted, sender) in [(&["127.0.0.1"][..], "203.0.113.9"), (&["10.0.0.0/8"], "127.0.0.1")] {
        let senders = Arc::new(Senders::default());
        let log = Arc::<Senders>::clone(&senders);
        let proxies = Proxies::new(trusted, ForwardedHeader::XForwardedFor).unwrap();
        let server = two_each(|receiver| receiver.proxies(proxies).delivery_log(log)).await;
        assert_eq!(server.ask(post(&named)).await.status, 200);
        assert_eq!(*senders.0.lock().unwrap(), [Some(sender.parse().unwrap())]);
    }
}

#[tokio::test]
async fn callbacks_and_admin_paths_have_listeners_of_their_own() {
    let listen = async || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (public, admin) = (listen().await, listen().await);
    let (public_address, admin_address) = (public.local_addr().unwrap(), admin.local_addr().unwrap());
    let receiver = Receiver::builder(Arc::new(MemorySink::new()))
        .source(aliyun("127.0.0.1", SignaturePolicy::unsigned()))
        .build()
        .unwrap();
    let of_admin = receiver.clone();
    tokio::spawn(async move { receiver.serve(public, pending()).await });
    tokio::spawn(async move { of_admin.serve_admin(admin, pending()).await });
    let ask = async |address, method: &str, path: &str| {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let mut connection = Connection::over(stream);
        connection.write(request(method, path, &[], "{}")).await;
        connection.answer().await.expect("an answer")
    };
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(ask(admin_address, "GET", path).await.status, 200, "{path}");
        ask(public_address, "GET", path).await.is_refused(404, "unknown_source");
    }
    assert_eq!(ask(public_address, "POST", ALIYUN).await.status, 200);
    ask(admin_address, "POST", ALIYUN).await.is_refused(404, "unknown_source");
}

#[tokio::test]
async fn request_ids_have_nothing_in_common() {
    let server = two_each(|receiver| receiver).await;
    let mut ids = HashSet::new();
    for _ in 0..50 {
        let answer = server.ask(post(&[])).await;
        let id = answer.header("x-request-id").expect("an id").to_owned();
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        ids.insert(id);
    }
    assert_eq!(ids.len(), 50);
    // The version of a random id is always there; nothing else is.
    let common = (0..32).filter(|at| ids.iter().map(|id| &id[*at..=*at]).collect::<HashSet<_>>().len() == 1);
    assert_eq!(common.count(), 1);
}
