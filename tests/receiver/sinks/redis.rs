use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use record_callback_receiver::{EventRecord, EventSink, Kept, RedisOptions, RedisSink, SinkErrorKind};
use redis::streams::StreamRangeReply;
use redis::{FromRedisValue, cmd};
use tempfile::TempDir;

use super::suite::{Store, received, records, run};

mod failover;
mod faults;
mod node;

use self::node::Node;

const DURABLE: &[&str] = &["--appendonly", "yes", "--appendfsync", "always"];
const STREAM: &str = "record-callback:events";
const PASSWORD: &str = "hush";
const PATIENCE: Duration = Duration::from_secs(30);

/// A Redis with an empty directory, and with a password.
struct Server {
    directory: TempDir,
    settings: Vec<&'static str>,
    address: SocketAddr,
    process: Mutex<Option<Child>>,
}

impl Server {
    fn start() -> Self {
        Self::with(DURABLE)
    }

    fn with(settings: &[&'static str]) -> Self {
        // Between being found and being used, a free port may be taken.
        for _ in 0..10 {
            let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let directory = tempfile::tempdir().unwrap();
            let server =
                Self { directory, settings: settings.to_vec(), address: free, process: Mutex::default() };
            if server.run() {
                return server;
            }
        }
        panic!("redis-server did not start");
    }

    /// Starts it and waits until it answers. `false` when it ended instead.
    fn run(&self) -> bool {
        let spawned = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &self.address.port().to_string()])
            .args(["--save", "", "--requirepass", PASSWORD, "--dir"])
            .arg(self.directory.path())
            .args(&self.settings)
            .stdout(Stdio::null())
            .spawn();
        let mut process = spawned.unwrap_or_else(|error| {
            panic!("these tests need `redis-server` (apt-get install redis): {error}")
        });
        let deadline = Instant::now() + PATIENCE;
        let answers = loop {
            if self.answers() {
                break true;
            }
            if process.try_wait().unwrap().is_some() {
                break false;
            }
            assert!(Instant::now() < deadline, "redis-server does not answer");
            sleep(Duration::from_millis(5));
        };
        *self.process.lock().unwrap() = Some(process);
        answers
    }

    fn answers(&self) -> bool {
        let Ok(mut connection) = TcpStream::connect(self.address) else { return false };
        connection.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let mut answer = [0; 12];
        let ping = format!("AUTH {PASSWORD}\r\nPING\r\n");
        connection.write_all(ping.as_bytes()).is_ok()
            && connection.read_exact(&mut answer).is_ok()
            && &answer == b"+OK\r\n+PONG\r\n"
    }

    /// Ends it as a crash does.
    fn kill(&self) {
        if let Some(mut process) = self.process.lock().unwrap().take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    fn url(&self) -> String {
        format!("redis://:{PASSWORD}@{}", self.address)
    }

    async fn sink(&self, options: RedisOptions) -> RedisSink {
        RedisSink::connect(&self.url().into(), options).await.unwrap()
    }

    /// Asks it on a connection of its own.
    async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut command = cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(&mut connection).await.unwrap()
    }

    async fn events(&self, stream: &str) -> Vec<EventRecord> {
        let entries: StreamRangeReply = self.ask(&["XRANGE", stream, "-", "+"]).await;
        let events = entries.ids.iter().map(|entry| {
            assert_eq!(entry.map.len(), 1);
            serde_json::from_str(&entry.get::<String>("event").unwrap()).unwrap()
        });
        events.collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Store for Server {
    async fn open(&self) -> Arc<dyn EventSink> {
        Arc::new(self.sink(RedisOptions::default()).await)
    }

    async fn kept(&self) -> Vec<EventRecord> {
        self.events(STREAM).await
    }
}

sink_suite!(Server::start());

/// Waits until `sink` is ready again.
async fn ready(sink: &RedisSink) {
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = sink.check().await {
        assert!(Instant::now() < deadline, "{error}");
    }
}

#[test]
fn a_redis_that_crashes_loses_and_repeats_nothing() {
    run(async {
        let server = Server::start();
        let sink = server.sink(RedisOptions::default()).await;
        let events = [
            received("live", 1, Some("a")),
            received("live", 2, None),
            received("live", 3, Some("b")),
            received("live", 4, None),
        ];
        for event in &events[..2] {
            assert_eq!(sink.keep(event.clone()).await.unwrap(), Kept::New);
        }
        server.kill();
        for event in &events[2..] {
            let error = sink.keep(event.clone()).await.unwrap_err();
            assert_eq!(error.kind(), SinkErrorKind::Unavailable);
            assert_eq!(error.to_string(), format!("no connection to Redis at `{}`", server.address));
        }
        assert_eq!(sink.check().await.unwrap_err().kind(), SinkErrorKind::Unavailable);
        assert_eq!(sink.depth().await.unwrap_err().kind(), SinkErrorKind::Unavailable);
        assert!(server.run());
        ready(&sink).await;
        assert_eq!(server.events(STREAM).await, records(&events[..2]));
        assert_eq!(sink.keep(events[0].clone()).await.unwrap(), Kept::Duplicate);
        for event in &events[2..] {
            assert_eq!(sink.keep(event.clone()).await.unwrap(), Kept::New);
        }
        assert_eq!(server.events(STREAM).await, records(&events));
    });
}

#[test]
fn an_event_with_a_key_outlasts_a_restart() {
    run(async {
        let server = Server::start();
        let sink = server.sink(RedisOptions::default().timeout(PATIENCE)).await;
        sink.check().await.unwrap();
        server.kill();
        let event = received("live", 1, Some("a"));
        let (kept, ()) = tokio::join!(sink.keep(event.clone()), async {
            assert!(tokio::task::block_in_place(|| server.run()));
        });
        assert_eq!(kept.unwrap(), Kept::New);
        assert_eq!(server.events(STREAM).await, records(&[event]));
    });
}

#[test]
fn a_stream_at_its_limit_is_full_until_entries_are_removed() {
    run(async {
        let server = Server::start();
        let sink = server.sink(RedisOptions::default().stream("{rc}events").max_length(2)).await;
        for n in 0..2 {
            sink.keep(received("live", n, Some(&n.to_string()))).await.unwrap();
        }
        for event in [received("live", 2, Some("2")), received("live", 2, None)] {
            let error = sink.keep(event).await.unwrap_err();
            assert_eq!(error.kind(), SinkErrorKind::Full);
            assert_eq!(error.to_string(), "the stream `{rc}events` is at its limit");
        }
        assert_eq!(sink.keep(received("live", 0, Some("0"))).await.unwrap(), Kept::Duplicate);
        let _: u64 = server.ask(&["XTRIM", "{rc}events", "MAXLEN", "1"]).await;
        // What was refused is not taken for a duplicate.
        assert_eq!(sink.keep(received("live", 2, Some("2"))).await.unwrap(), Kept::New);
        assert_eq!(server.events("{rc}events").await.len(), 2);
    });
}

#[test]
fn redis_without_memory_is_full_and_forgets_nothing() {
    run(async {
        let server = Server::start();
        let sink = server.sink(RedisOptions::default()).await;
        sink.keep(received("live", 1, Some("1"))).await.unwrap();
        let _: () = server.ask(&["CONFIG", "SET", "maxmemory", "1"]).await;
        let error = sink.keep(received("live", 2, Some("2"))).await.unwrap_err();
        assert_eq!(error.kind(), SinkErrorKind::Full, "{error}");
        let _: () = server.ask(&["CONFIG", "SET", "maxmemory", "0"]).await;
        assert_eq!(sink.keep(received("live", 2, Some("2"))).await.unwrap(), Kept::New);
        assert_eq!(sink.keep(received("live", 1, Some("1"))).await.unwrap(), Kept::Duplicate);
    });
}

#[test]
fn an_event_that_could_not_be_added_is_not_remembered() {
    run(async {
        let server = Server::start();
        let sink = server.sink(RedisOptions::default()).await;
        let _: () = server.ask(&["SET", STREAM, "not a stream"]).await;
        let error = sink.keep(received("live", 1, Some("1"))).await.unwrap_err();
        assert_eq!(error.kind(), SinkErrorKind::Unavailable);
        let _: u64 = server.ask(&["DEL", STREAM]).await;
        assert_eq!(sink.keep(received("live", 1, Some("1"))).await.unwrap(), Kept::New);
    });
}

#[test]
fn duplicates_are_told_by_all_receivers_for_a_time() {
    run(async {
        let server = Server::start();
        let options = RedisOptions::default().dedupe_ttl(Duration::from_secs(3600));
        let sinks = [server.sink(options.clone()).await, server.sink(options).await];
        let event = received("live", 1, Some("1"));
        assert_eq!(sinks[0].keep(event.clone()).await.unwrap(), Kept::New);
        assert_eq!(sinks[1].keep(event.clone()).await.unwrap(), Kept::Duplicate);
        let keys: Vec<String> = server.ask(&["KEYS", "{record-callback:events}:seen:live:*"]).await;
        assert_eq!(keys.len(), 1);
        let left: u64 = server.ask(&["PTTL", &keys[0]]).await;
        assert!((1..=3_600_000).contains(&left), "{left}");
        let _: u64 = server.ask(&["PEXPIRE", &keys[0], "0"]).await;
        assert_eq!(sinks[1].keep(event).await.unwrap(), Kept::New);
    });
}

#[test]
fn duplicates_may_be_told_for_longer_than_redis_can_say() {
    run(async {
        let server = Server::start();
        for (n, ttl) in
            [Duration::MAX, Duration::from_millis(i64::MAX.unsigned_abs())].into_iter().enumerate()
        {
            let sink = server.sink(RedisOptions::default().dedupe_ttl(ttl)).await;
            let event = received("live", n, Some(&n.to_string()));
            assert_eq!(sink.keep(event.clone()).await.unwrap(), Kept::New);
            assert_eq!(sink.keep(event).await.unwrap(), Kept::Duplicate);
            assert_eq!(server.events(STREAM).await.len(), n + 1);
        }
    });
}

#[test]
fn depth_is_what_the_slowest_group_has_not_acknowledged() {
    run(async {
        let server = Server::start();
        let sink = server.sink(RedisOptions::default()).await;
        for n in 0..3 {
            sink.keep(received("live", n, None)).await.unwrap();
        }
        assert_eq!(sink.depth().await.unwrap(), Some(3));
        for group in ["fast", "slow"] {
            let _: () = server.ask(&["XGROUP", "CREATE", STREAM, group, "0"]).await;
        }
        let read = ["XREADGROUP", "GROUP", "fast", "me", "COUNT", "2", "NOACK", "STREAMS", STREAM, ">"];
        let _: redis::Value = server.ask(&read).await;
        assert_eq!(sink.depth().await.unwrap(), Some(3));
        let _: u64 = server.ask(&["XGROUP", "DESTROY", STREAM, "slow"]).await;
        assert_eq!(sink.depth().await.unwrap(), Some(1));
        let read = ["XREADGROUP", "GROUP", "fast", "me", "STREAMS", STREAM, ">"];
        let _: redis::Value = server.ask(&read).await;
        assert_eq!(sink.depth().await.unwrap(), Some(1), "read, but not acknowledged");
    });
}

#[test]
fn a_redis_that_would_lose_events_is_refused_unless_allowed() {
    run(async {
        let lossy: [&[&str]; 3] = [
            &["--appendonly", "no"],
            &["--appendonly", "yes", "--appendfsync", "no"],
            &["--appendonly", "yes", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"],
        ];
        for settings in lossy {
            let server = Server::with(settings);
            let error = RedisSink::connect(&server.url().into(), RedisOptions::default()).await.unwrap_err();
            let expected = format!("Redis at `{}` would lose events: ", server.address);
            assert!(error.to_string().starts_with(&expected), "{error}");
            let sink = server.sink(RedisOptions::default().require_persistence(false)).await;
            assert_eq!(sink.keep(received("live", 1, None)).await.unwrap(), Kept::New);
        }
        let server = Server::with(&["--appendonly", "yes", "--appendfsync", "everysec"]);
        server.sink(RedisOptions::default()).await.check().await.unwrap();
        // One that does not tell.
        let _: () = server.ask(&["ACL", "SETUSER", "default", "-config"]).await;
        server.sink(RedisOptions::default()).await.check().await.unwrap();
    });
}

#[test]
fn the_password_is_never_shown() {
    run(async {
        let server = Server::start();
        let sink = server.sink(RedisOptions::default()).await;
        let mut shown = vec![format!("{sink:?}")];
        let wrong = format!("redis://user:{PASSWORD}@{}", server.address);
        for options in [RedisOptions::default(), RedisOptions::default().stream("{")] {
            let error = RedisSink::connect(&wrong.clone().into(), options).await.unwrap_err();
            shown.push(format!("{error} {error:?}"));
        }
        server.kill();
        for error in [
            sink.keep(received("live", 1, Some("1"))).await.unwrap_err(),
            sink.check().await.unwrap_err(),
            RedisSink::connect(&server.url().into(), RedisOptions::default()).await.unwrap_err(),
        ] {
            shown.push(format!("{error} {error:?}"));
        }
        let shown = shown.join("\n");
        assert!(shown.contains(&server.address.to_string()), "{shown}");
        assert!(!shown.contains(PASSWORD), "{shown}");
    });
}
