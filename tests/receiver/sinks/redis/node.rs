//! One of several `redis-server` processes.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use redis::{FromRedisValue, cmd};
use tempfile::TempDir;

use super::{PASSWORD, PATIENCE};

/// A `redis-server` of its own directory; killed when dropped.
pub(crate) struct Node {
    directory: TempDir,
    arguments: Vec<String>,
    pub(crate) port: u16,
    is_sentinel: bool,
    process: Mutex<Option<Child>>,
}

impl Node {
    pub(crate) fn start(settings: &[&str], more: &[&str]) -> Self {
        Self::begin(false, |_| {
            let own = ["--save", "", "--requirepass", PASSWORD, "--repl-diskless-sync-delay", "0"];
            [&own, settings, more].concat().into_iter().map(str::to_owned).collect()
        })
    }

    /// One that watches the master at `port`, called `main`.
    pub(crate) fn sentinel(port: u16) -> Self {
        Self::begin(true, |directory| {
            let file = directory.path().join("sentinel.conf");
            let text = format!(
                "sentinel monitor main 127.0.0.1 {port} 2\nsentinel auth-pass main {PASSWORD}\n\
                 sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 5000\n"
            );
            std::fs::write(&file, text).unwrap();
            vec![file.to_str().unwrap().to_owned(), "--sentinel".to_owned()]
        })
    }

    fn begin(is_sentinel: bool, arguments: impl Fn(&TempDir) -> Vec<String>) -> Self {
        // Between being found and being used, a free port may be taken. The bus of a cluster is 10 000 above.
        for _ in 0..20 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if port > 55_000 {
                continue;
            }
            let directory = tempfile::tempdir().unwrap();
            let arguments = arguments(&directory);
            let node = Self { directory, arguments, port, is_sentinel, process: Mutex::default() };
            if node.run() {
                return node;
            }
        }
        panic!("redis-server did not start");
    }

    /// Starts it and waits until it takes connections. `false` when it ended instead.
    pub(crate) fn run(&self) -> bool {
        let mut command = Command::new("redis-server");
        // The file of a Sentinel comes first.
        command.args(&self.arguments).args(["--bind", "127.0.0.1", "--port", &self.port.to_string()]);
        command.arg("--dir").arg(self.directory.path()).stdout(Stdio::null());
        let process = command.spawn();
        *self.process.lock().unwrap() = Some(process.unwrap_or_else(|error| {
            panic!("these tests need `redis-server` (apt-get install redis): {error}")
        }));
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let mut process = self.process.lock().unwrap();
            if process.as_mut().is_none_or(|process| !matches!(process.try_wait(), Ok(None))) {
                return false;
            }
            assert!(Instant::now() < deadline, "redis-server does not answer");
            drop(process);
            sleep(Duration::from_millis(5));
        }
        true
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(&self) {
        if let Some(mut process) = self.process.lock().unwrap().take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    pub(crate) fn url(&self, scheme: &str) -> String {
        let login = if self.is_sentinel { String::new() } else { format!(":{PASSWORD}@") };
        format!("{scheme}://{login}127.0.0.1:{}", self.port)
    }

    /// Asks it on a connection of its own. `None` for a refusal.
    pub(crate) async fn try_ask<T: FromRedisValue>(&self, words: &[&str]) -> Option<T> {
        let client = redis::Client::open(self.url("redis")).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.ok()?;
        let mut command = cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(&mut connection).await.ok()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}
