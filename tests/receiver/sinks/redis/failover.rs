//! Sentinels, a cluster, replicas and TLS.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use record_callback_receiver::{EventSink, Kept, RedisOptions, RedisSink};
use redis::FromRedisValue;

use super::{DURABLE, Node, PASSWORD, PATIENCE};
use crate::sinks::suite::{received, run};

const STREAM: &str = "record-callback:events";

/// Keeps events, each until it is kept, until `stop`; gives the numbers of those that were.
async fn load(sink: Arc<RedisSink>, acknowledged: Arc<Mutex<BTreeSet<usize>>>, stop: Arc<AtomicBool>) {
    let mut n = 0;
    while !stop.load(SeqCst) {
        if sink.keep(received("live", n, Some(&n.to_string()))).await.is_ok() {
            acknowledged.lock().unwrap().insert(n);
            n += 1;
        } else {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Waits until `condition`.
async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn answer<T: FromRedisValue>(node: &Node, words: &[&str]) -> Option<T> {
    node.try_ask(words).await
}

/// That every acknowledged event is in the stream of `node`, once.
async fn assert_kept(node: &Node, acknowledged: &BTreeSet<usize>) {
    let entries: redis::streams::StreamRangeReply =
        answer(node, &["XRANGE", STREAM, "-", "+"]).await.unwrap();
    let mut kept = BTreeSet::new();
    for entry in &entries.ids {
        let json: String = entry.get("event").unwrap();
        let n = json.split("stream-").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
        assert!(kept.insert(n), "{n} is there twice");
    }
    let lost: Vec<_> = acknowledged.difference(&kept).collect();
    println!("acknowledged {}, lost {}, doubled 0", acknowledged.len(), lost.len());
    assert!(lost.is_empty(), "lost: {lost:?}");
}

#[test]
fn a_failover_behind_sentinels_loses_nothing() {
    run(async {
        let nodes: Vec<Node> = (0..3).map(|_| Node::start(DURABLE, &["--masterauth", PASSWORD])).collect();
        for replica in &nodes[1..] {
            let port = nodes[0].port.to_string();
            let _: String = answer(replica, &["REPLICAOF", "127.0.0.1", &port]).await.unwrap();
        }
        let sentinels: Vec<Node> = (0..3).map(|_| Node::sentinel(nodes[0].port)).collect();
        until("replicas are known", async || {
            for sentinel in &sentinels {
                let master: Option<std::collections::HashMap<String, String>> =
                    answer(sentinel, &["SENTINEL", "MASTER", "main"]).await;
                let Some(master) = master else { return false };
                let is = |name: &str, value: &str| master.get(name).is_some_and(|is| is == value);
                if !(is("num-slaves", "2") && is("num-other-sentinels", "2")) {
                    return false;
                }
            }
            let online: String = answer(&nodes[0], &["INFO", "replication"]).await.unwrap_or_default();
            online.matches("state=online").count() == 2
        })
        .await;
        let hosts: Vec<_> = sentinels.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        let url = format!("redis+sentinel://:{PASSWORD}@{}/main", hosts.join(","));
        let sink = RedisSink::connect(&url.into(), RedisOptions::default().replicas(1)).await.unwrap();
        let (sink, acknowledged, stop) = (Arc::new(sink), Arc::default(), Arc::new(AtomicBool::new(false)));
        let loading = tokio::spawn(load(Arc::clone(&sink), Arc::clone(&acknowledged), Arc::clone(&stop)));
        let count = || acknowledged.lock().unwrap().len();
        until("events", async || count() > 50).await;
        let before = count();
        nodes[0].kill();
        until("events after the failover", async || count() > before + 50).await;
        stop.store(true, SeqCst);
        loading.await.unwrap();
        let mut master = None;
        for node in &nodes[1..] {
            let info: String = answer(node, &["INFO", "replication"]).await.unwrap();
            if info.contains("role:master") {
                master = Some(node);
            }
        }
        let acknowledged = acknowledged.lock().unwrap().clone();
        assert_kept(master.unwrap(), &acknowledged).await;
    });
}

#[test]
fn a_cluster_that_loses_a_master_loses_no_event() {
    run(async {
        const CLUSTER: &[&str] = &["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"];
        let settings =
            [CLUSTER, &["--cluster-require-full-coverage", "no", "--masterauth", PASSWORD]].concat();
        let nodes: Vec<Node> = (0..4).map(|_| Node::start(DURABLE, &settings)).collect();
        for (n, node) in nodes[..3].iter().enumerate() {
            let range = [(0, 5460), (5461, 10922), (10923, 16383)][n];
            let range = [range.0.to_string(), range.1.to_string()];
            let _: String = answer(node, &["CLUSTER", "ADDSLOTSRANGE", &range[0], &range[1]]).await.unwrap();
            let _: String =
                answer(node, &["CLUSTER", "SET-CONFIG-EPOCH", &(n + 1).to_string()]).await.unwrap();
        }
        for node in &nodes[1..] {
            let port = node.port.to_string();
            let _: String = answer(&nodes[0], &["CLUSTER", "MEET", "127.0.0.1", &port]).await.unwrap();
        }
        until("the cluster is whole", async || {
            for node in &nodes {
                let info: String = answer(node, &["CLUSTER", "INFO"]).await.unwrap_or_default();
                if !(info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:4")) {
                    return false;
                }
            }
            true
        })
        .await;
        let slot: usize = answer(&nodes[0], &["CLUSTER", "KEYSLOT", STREAM]).await.unwrap();
        let owner = usize::from(slot > 5460) + usize::from(slot > 10922);
        let id: String = answer(&nodes[owner], &["CLUSTER", "MYID"]).await.unwrap();
        until("a replica", async || {
            let _: Option<String> = answer(&nodes[3], &["CLUSTER", "REPLICATE", &id]).await;
            let info: String = answer(&nodes[owner], &["INFO", "replication"]).await.unwrap_or_default();
            info.contains("state=online")
        })
        .await;
        let hosts: Vec<_> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        let url = format!("redis+cluster://:{PASSWORD}@{}", hosts.join(","));
        let options = RedisOptions::default();
        let waiting = RedisSink::connect(&url.clone().into(), options.clone().replicas(1)).await.unwrap();
        let acknowledged: Arc<Mutex<BTreeSet<usize>>> = Arc::default();
        for n in 0..50 {
            assert_eq!(waiting.keep(received("live", n, Some(&n.to_string()))).await.unwrap(), Kept::New);
            acknowledged.lock().unwrap().insert(n);
        }
        nodes[owner].kill();
        let sink = Arc::new(RedisSink::connect(&url.into(), options.timeout(PATIENCE)).await.unwrap());
        for n in 50..100 {
            sink.keep(received("live", n, Some(&n.to_string()))).await.unwrap();
            acknowledged.lock().unwrap().insert(n);
        }
        // The new owner has no replica: it is waited for.
        nodes[3].kill();
        let error = waiting.keep(received("live", 100, Some("100"))).await.unwrap_err();
        assert!(!error.to_string().contains(PASSWORD), "{error}");
        assert!(nodes[3].run());
        assert_eq!(sink.keep(received("live", 100, Some("100"))).await.unwrap(), Kept::New);
        acknowledged.lock().unwrap().insert(100);
        let acknowledged = acknowledged.lock().unwrap().clone();
        assert_kept(&nodes[3], &acknowledged).await;
    });
}

#[test]
fn too_few_replicas_are_said() {
    run(async {
        let node = Node::start(DURABLE, &[]);
        let options = RedisOptions::default().replicas(1).timeout(Duration::from_millis(400));
        let sink = RedisSink::connect(&node.url("redis").into(), options).await.unwrap();
        for _ in 0..2 {
            let error = sink.keep(received("live", 1, Some("1"))).await.unwrap_err();
            assert!(error.to_string().starts_with("0 of 1 replicas"), "{error}");
        }
        assert!(sink.check().await.is_err());
    });
}

#[test]
fn redis_over_tls_is_verified() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let issued = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let path = |name: &str| -> &'static str {
            let path: &Path = &directory.path().join(name);
            Box::leak(path.to_str().unwrap().to_owned().into_boxed_str())
        };
        let (certificate, key) = (path("cert.pem"), path("key.pem"));
        std::fs::write(certificate, issued.cert.pem()).unwrap();
        std::fs::write(key, issued.signing_key.serialize_pem()).unwrap();
        let node = Node::start(
            DURABLE,
            &["--tls-cert-file", certificate, "--tls-key-file", key, "--tls-auth-clients", "no"],
        );
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let _: String = answer(&node, &["CONFIG", "SET", "tls-port", &free.to_string()]).await.unwrap();
        let url = format!("rediss://:{PASSWORD}@127.0.0.1:{free}");
        let options = RedisOptions::default();
        let refused = RedisSink::connect(&url.clone().into(), options.clone()).await.unwrap_err();
        assert!(!refused.to_string().contains(PASSWORD), "{refused}");
        let sink = RedisSink::connect(&url.into(), options.ca(issued.cert.pem())).await.unwrap();
        assert_eq!(sink.keep(received("live", 1, Some("1"))).await.unwrap(), Kept::New);
        sink.check().await.unwrap();
    });
}
