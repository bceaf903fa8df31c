//! A Redis that refuses, and then heals.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use record_callback_receiver::{EventSink, Kept, RedisOptions, RedisSink, SinkErrorKind};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::{DURABLE, PATIENCE, STREAM, Server, ready};
use crate::sinks::suite::{received, run};

/// Answers each connection as it was when it was made, or, without `sticky`, as it is now.
async fn fake(refusal: Arc<Mutex<Option<&'static str>>>, sticky: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&refusal), sticky));
        }
    });
    url
}

async fn serve(stream: TcpStream, refusal: Arc<Mutex<Option<&'static str>>>, sticky: bool) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut refused = *refusal.lock().unwrap();
    loop {
        let command = command(&mut stream).await?;
        if !sticky || refused.is_none() {
            refused = *refusal.lock().unwrap();
        }
        let answer = match (command[0].as_str(), refused) {
            ("HELLO", _) => "%1\r\n$5\r\nproto\r\n:3\r\n".to_owned(),
            ("EVALSHA", Some(refused)) => format!("-{refused} no\r\n"),
            ("EVALSHA", None) => "$3\r\nnew\r\n".to_owned(),
            ("CONFIG", _) => {
                let value = match command[2].as_str() {
                    "appendonly" => "yes",
                    "appendfsync" => "always",
                    "maxmemory" => "0",
                    _ => "noeviction",
                };
                let name = &command[2];
                format!("%1\r\n${}\r\n{name}\r\n${}\r\n{value}\r\n", name.len(), value.len())
            }
            _ => "+OK\r\n".to_owned(),
        };
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}

async fn command(stream: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let number = async |stream: &mut BufReader<TcpStream>| -> Option<usize> {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        line.trim().get(1..)?.parse().ok()
    };
    let mut words = Vec::new();
    for _ in 0..number(stream).await? {
        let mut word = vec![0; number(stream).await? + 2];
        stream.read_exact(&mut word).await.ok()?;
        words.push(String::from_utf8_lossy(&word[..word.len() - 2]).into_owned());
    }
    Some(words)
}

#[test]
fn a_refusal_lasts_no_longer_than_it_has_to() {
    run(async {
        // Those of a server that is not the one stay with the connection; the others heal on it, or on a new one.
        for (code, sticky) in [
            ("READONLY", true),
            ("LOADING", true),
            ("MASTERDOWN", true),
            ("NOAUTH", true),
            ("CLUSTERDOWN", true),
            ("NOREPLICAS", true),
            ("NOPERM", true),
            ("MISCONF", true),
            ("NEVERHEARD", true),
            ("OOM", false),
        ] {
            let refusal = Arc::new(Mutex::new(None));
            let url = fake(Arc::clone(&refusal), sticky).await;
            let options = RedisOptions::default().timeout(Duration::from_millis(400));
            let sink = RedisSink::connect(&url.into(), options).await.unwrap();
            assert_eq!(sink.keep(received("live", 1, Some("1"))).await.unwrap(), Kept::New);
            *refusal.lock().unwrap() = Some(code);
            let error = sink.keep(received("live", 2, Some("2"))).await.unwrap_err();
            let kind = if code == "OOM" { SinkErrorKind::Full } else { SinkErrorKind::Unavailable };
            assert_eq!(error.kind(), kind, "{code}: {error}");
            assert!(sink.check().await.is_err(), "{code}");
            *refusal.lock().unwrap() = None;
            ready(&sink).await;
            assert_eq!(sink.keep(received("live", 2, Some("2"))).await.unwrap(), Kept::New, "{code}");
        }
    });
}

#[test]
fn settings_that_lose_events_are_noticed_at_run_time() {
    run(async {
        let server = Server::start();
        let sink = server.sink(RedisOptions::default()).await;
        let set = async |name: &str, value: &str| {
            let _: () = server.ask(&["CONFIG", "SET", name, value]).await;
        };
        set("maxmemory", "200mb").await;
        for (name, lossy, good) in [
            ("appendonly", "no", "yes"),
            ("appendfsync", "no", "always"),
            ("maxmemory-policy", "allkeys-lru", "noeviction"),
            ("maxmemory-policy", "volatile-lru", "noeviction"),
        ] {
            set(name, lossy).await;
            let error = sink.check().await.unwrap_err();
            assert!(error.to_string().contains("would lose events"), "{name}: {error}");
            let deadline = Instant::now() + PATIENCE;
            while sink.keep(received("live", 1, Some("1"))).await.is_ok() {
                assert!(Instant::now() < deadline, "{name} {lossy}");
            }
            set(name, good).await;
            sink.check().await.unwrap();
            sink.keep(received("live", 1, Some("1"))).await.unwrap();
        }
    });
}

#[test]
fn settings_are_looked_at_after_a_reconnect() {
    run(async {
        let mut server = Server::with(DURABLE);
        let sink = server.sink(RedisOptions::default()).await;
        sink.keep(received("live", 1, Some("1"))).await.unwrap();
        server.kill();
        server.settings = vec!["--appendonly", "no"];
        assert!(server.run());
        let error = sink.keep(received("live", 2, Some("2"))).await.unwrap_err();
        assert!(error.to_string().contains("would lose events"), "{error}");
    });
}

#[test]
fn readiness_sees_what_keeping_sees() {
    run(async {
        let server = Server::start();
        let sink = server.sink(RedisOptions::default().max_length(2)).await;
        let _: () = server.ask(&["SET", STREAM, "no stream"]).await;
        assert_eq!(
            sink.check().await.unwrap_err().to_string(),
            format!("Redis at `{}` answered WRONGTYPE", server.address)
        );
        let _: u64 = server.ask(&["DEL", STREAM]).await;
        sink.check().await.unwrap();
        let _: () = server.ask(&["CONFIG", "SET", "maxmemory", "1"]).await;
        assert_eq!(sink.check().await.unwrap_err().kind(), SinkErrorKind::Full);
        let _: () = server.ask(&["CONFIG", "SET", "maxmemory", "0"]).await;
        sink.check().await.unwrap();
        let _: () = server.ask(&["ACL", "SETUSER", "default", "-xadd"]).await;
        // Inside a script, Redis 7.0 has no code of its own for that.
        assert_eq!(sink.check().await.unwrap_err().kind(), SinkErrorKind::Unavailable);
        let _: () = server.ask(&["ACL", "SETUSER", "default", "+xadd"]).await;
        ready(&sink).await;
        for n in 0..2 {
            sink.keep(received("live", n, None)).await.unwrap();
        }
        assert_eq!(sink.check().await.unwrap_err().kind(), SinkErrorKind::Full);
    });
}

#[test]
fn readiness_leaves_no_entry_and_no_gap() {
    run(async {
        let server = Server::start();
        let sink = server.sink(RedisOptions::default()).await;
        sink.check().await.unwrap();
        let _: () = server.ask(&["XGROUP", "CREATE", STREAM, "group", "0"]).await;
        for n in 0..3 {
            sink.keep(received("live", n, None)).await.unwrap();
            sink.check().await.unwrap();
        }
        assert_eq!(server.events(STREAM).await.len(), 3);
        assert_eq!(sink.depth().await.unwrap(), Some(3));
        let read = ["XREADGROUP", "GROUP", "group", "me", "COUNT", "2", "NOACK", "STREAMS", STREAM, ">"];
        let _: redis::Value = server.ask(&read).await;
        sink.check().await.unwrap();
        assert_eq!(sink.depth().await.unwrap(), Some(1), "not the length of the stream");
    });
}

#[test]
fn a_key_of_the_older_version_tells_duplicates() {
    run(async {
        let server = Server::start();
        let sink = server.sink(RedisOptions::default()).await;
        sink.keep(received("live", 1, Some("1"))).await.unwrap();
        let keys: Vec<String> = server.ask(&["KEYS", "*:seen:live:*"]).await;
        let _: () = server.ask(&["SET", &keys[0], "1700000000000-0"]).await;
        assert_eq!(sink.keep(received("live", 2, Some("1"))).await.unwrap(), Kept::Duplicate);
    });
}
