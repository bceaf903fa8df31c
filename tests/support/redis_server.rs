//! A Redis of our own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::PATIENCE;

/// Settings of a Redis that has written an event to disk before it says so.
const DURABLE: &[&str] = &["--appendonly", "yes", "--appendfsync", "always"];

/// A `redis-server` with an empty directory and a password; killed when dropped.
#[derive(Debug)]
pub struct RedisServer {
    directory: TempDir,
    settings: Vec<&'static str>,
    address: SocketAddr,
    process: Mutex<Option<Child>>,
}

impl RedisServer {
    /// What its [`url`](Self::url) has and nobody may show.
    pub const PASSWORD: &str = "hush-hush-redis";

    /// Starts one that loses nothing.
    #[must_use]
    pub fn start() -> Self {
        Self::with(DURABLE)
    }

    /// Starts one with `settings` for its command line.
    #[must_use]
    pub fn with(settings: &[&'static str]) -> Self {
        // Between being found and being used, a free port may be taken.
        for _ in 0..10 {
            let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("a port");
            let directory = tempfile::tempdir().expect("a directory");
            let server =
                Self { directory, settings: settings.to_vec(), address: free, process: Mutex::default() };
            if server.run() {
                return server;
            }
        }
        panic!("redis-server did not start");
    }

    /// Starts it again and waits until it answers. `false` when it ended instead.
    pub fn run(&self) -> bool {
        let spawned = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &self.address.port().to_string()])
            .args(["--save", "", "--requirepass", Self::PASSWORD, "--dir"])
            .arg(self.directory.path())
            .args(&self.settings)
            .stdout(Stdio::null())
            .spawn();
        let process = spawned.unwrap_or_else(|error| {
            panic!("these tests need `redis-server` (apt-get install redis): {error}")
        });
        // Whatever happens now, it is ended.
        *self.process() = Some(process);
        let deadline = Instant::now() + PATIENCE;
        while !self.answers() {
            if self.process().as_mut().is_none_or(|process| !matches!(process.try_wait(), Ok(None))) {
                return false;
            }
            assert!(Instant::now() < deadline, "redis-server does not answer");
            sleep(Duration::from_millis(5));
        }
        true
    }

    fn answers(&self) -> bool {
        let Ok(mut connection) = TcpStream::connect(self.address) else { return false };
        let mut answer = [0; 12];
        let ping = format!("AUTH {}\r\nPING\r\n", Self::PASSWORD);
        connection.set_read_timeout(Some(Duration::from_secs(1))).is_ok()
            && connection.write_all(ping.as_bytes()).is_ok()
            && connection.read_exact(&mut answer).is_ok()
            && &answer == b"+OK\r\n+PONG\r\n"
    }

    /// Ends it as a crash does.
    pub fn kill(&self) {
        if let Some(mut process) = self.process().take() {
            // Neither does anything once it has ended.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Where it is, with the password.
    pub fn url(&self) -> String {
        format!("redis://:{}@{}", Self::PASSWORD, self.address)
    }

    fn process(&self) -> MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
