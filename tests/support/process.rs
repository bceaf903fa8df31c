//! Processes of the program: built once, run without a shell, ended by whoever started them.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use record_callback::http::{Env, OsEnv};
use serde_json::Value;

/// The directory of the workspace.
pub const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// How long a process may take to start, to say something, or to end once it should, before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Set while coverage is measured; without it the profile would land in the current directory.
const COVERAGE: &str = "LLVM_PROFILE_FILE";
/// Between two looks at a process that should end.
const MOMENT: Duration = Duration::from_millis(5);

/// The executable, built on first use: cargo gives `CARGO_BIN_EXE_*` to tests of the same package only.
///
/// No package is named, so that it is the one `cargo build` makes: another one would take turns with it at
/// the same path while tests run it.
fn executable() -> &'static PathBuf {
    static EXECUTABLE: OnceLock<PathBuf> = OnceLock::new();
    EXECUTABLE.get_or_init(|| {
        let cargo = OsEnv.var("CARGO").unwrap_or_else(|| env!("CARGO").to_owned());
        let built = Command::new(cargo)
            .args(["build", "--bin", "record-callback", "--message-format=json"])
            .current_dir(ROOT)
            .output()
            .expect("cargo runs");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let messages = String::from_utf8(built.stdout).expect("UTF-8");
        messages.lines().find_map(executable_of).expect("cargo names the executable")
    })
}

/// The path in cargo's message about the executable; other messages have none.
fn executable_of(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let ours = message["reason"] == "compiler-artifact" && message["target"]["name"] == "record-callback";
    message["executable"].as_str().filter(|_| ours).map(PathBuf::from)
}

/// Where nobody listens.
pub const NOBODY: &str = "http://127.0.0.1:9";

/// `record-callback` with nothing of our own environment, and no metadata service to ask.
#[must_use]
pub fn command() -> Command {
    let mut command = Command::new(executable());
    command.env_clear();
    command.env("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true");
    command.env("RECORD_CALLBACK_HUAWEICLOUD_METADATA_ENDPOINT", NOBODY);
    if let Some(file) = OsEnv.var(COVERAGE) {
        command.env(COVERAGE, file);
    }
    command
}

/// How `child` ended; it must do so before `limit` is over, and is killed if it does not.
#[track_caller]
pub fn wait(child: &mut Child, limit: Duration) -> ExitStatus {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().expect("a child of ours") {
            return status;
        }
        if Instant::now() > deadline {
            child.kill().expect("a child of ours");
            panic!("process {} did not end in {limit:?}", child.id());
        }
        thread::sleep(MOMENT);
    }
}

/// A process that runs in the background; killed when dropped, unless it has ended.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdout: Receiver<String>,
    complaints: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
}

/// How a [`Process`] ended.
#[derive(Debug)]
pub struct Ended {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it printed and nobody has read.
    pub stdout: Vec<String>,
    /// Everything it complained about.
    pub stderr: String,
}

impl Process {
    /// Starts `command`.
    #[must_use]
    pub fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program runs");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let errors = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let (sender, stdout) = channel();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let (sender, complaints) = channel();
        let stderr = thread::spawn(move || {
            let mut text = String::new();
            for line in errors {
                let line = line.expect("UTF-8");
                text.push_str(&line);
                text.push('\n');
                // Whoever does not wait for lines gets all of them at the end.
                let _ = sender.send(line);
            }
            text
        });
        Self { child, stdout, complaints, stderr: Some(stderr) }
    }

    /// The next line it prints.
    #[track_caller]
    pub fn line(&mut self) -> String {
        self.stdout.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            let _ = self.child.kill();
            let stderr = self.stderr.take().map(JoinHandle::join);
            panic!("a line was to come; on stderr: {stderr:?}")
        })
    }

    /// The next line it prints; none when it ended before.
    #[track_caller]
    pub fn line_or_end(&mut self) -> Option<String> {
        match self.stdout.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("a line was to come, or the end"),
        }
    }

    /// Tells if it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours").is_some()
    }

    /// The next line it writes to stderr.
    #[track_caller]
    pub fn complaint(&mut self) -> String {
        self.complaints.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            let _ = self.child.kill();
            panic!("a line was to come on stderr")
        })
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends `signal`, such as `TERM`.
    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &pid]).status().expect("kill runs");
        assert!(sent.success(), "kill -{signal} {pid}: {sent}");
    }

    /// Ends it as a crash does.
    pub fn kill(mut self) {
        self.child.kill().expect("a child of ours");
        self.child.wait().expect("a child of ours");
    }

    /// Sends `signal` and waits for the end.
    #[must_use]
    pub fn stop(self, signal: &str) -> Ended {
        self.signal(signal);
        self.end()
    }

    /// Waits for the end.
    #[must_use]
    #[track_caller]
    pub fn end(mut self) -> Ended {
        let code = wait(&mut self.child, PATIENCE).code();
        let stderr = self.stderr.take().expect("a process ends once").join().expect("stderr is read");
        Ended { code, stdout: self.stdout.iter().collect(), stderr }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Neither does anything once it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `record-callback receive`, ready; killed when dropped, unless it has ended.
#[derive(Debug)]
pub struct ReceiverProcess {
    /// The process, whose first line was read.
    pub process: Process,
    /// That line as it was printed.
    pub ready_line: String,
    /// The address at which callbacks come in.
    pub address: SocketAddr,
    /// The address at which it is asked how it is.
    pub admin: SocketAddr,
}

impl ReceiverProcess {
    /// Starts `command` and waits for the ready line.
    #[must_use]
    #[track_caller]
    pub fn start(command: Command) -> Self {
        let mut process = Process::spawn(command);
        let ready_line = process.line();
        Self::listening(process, ready_line)
    }

    /// Starts `command`, which may end before it is ready.
    ///
    /// # Errors
    /// The way in which it ended.
    #[track_caller]
    pub fn start_or_end(command: Command) -> Result<Self, Ended> {
        let mut process = Process::spawn(command);
        match process.line_or_end() {
            Some(ready_line) => Ok(Self::listening(process, ready_line)),
            None => Err(process.end()),
        }
    }

    fn listening(process: Process, ready_line: String) -> Self {
        let ready: Value = serde_json::from_str(&ready_line).expect("JSON");
        let address = |name: &str| {
            let address = ready[name].as_str().and_then(|addr| addr.split_once("://"));
            address.expect("an address").1.parse().expect("an address")
        };
        let (address, admin) = (address("addr"), address("admin"));
        Self { process, ready_line, address, admin }
    }
}
