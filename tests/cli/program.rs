//! The program: built once, run without a shell, in an environment of its own.

use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use record_callback::http::{Env, OsEnv};
use serde_json::Value;

/// The directory of the workspace.
pub(crate) const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// Set while coverage is measured; without it the profile would land in the current directory.
const COVERAGE: &str = "LLVM_PROFILE_FILE";
/// How long a process may take to start, or to end once it should, before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
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
        assert!(built.status.success(), "{}", text(built.stderr));
        text(built.stdout).lines().find_map(executable_of).expect("cargo names the executable")
    })
}

/// The path in cargo's message about the executable; other messages have none.
fn executable_of(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let ours = message["reason"] == "compiler-artifact" && message["target"]["name"] == "record-callback";
    message["executable"].as_str().filter(|_| ours).map(PathBuf::from)
}

/// `record-callback` with the options and variables that a number of runs share.
#[derive(Debug, Clone, Default)]
pub(crate) struct Program {
    options: Vec<String>,
    variables: Vec<(String, String)>,
    secrets: Vec<String>,
}

impl Program {
    /// Adds options, which come after the arguments of each run.
    #[must_use]
    pub(crate) fn options(mut self, options: &[&str]) -> Self {
        self.options.extend(options.iter().map(ToString::to_string));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub(crate) fn var(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets an environment variable whose value no output may show.
    #[must_use]
    pub(crate) fn secret(mut self, name: &str, value: &str) -> Self {
        self.secrets.push(value.to_owned());
        self.var(name, value)
    }

    /// Unsets an environment variable.
    #[must_use]
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.variables.retain(|(set, _)| set != name);
        self
    }

    /// The command that [`run`](Self::run) runs.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(executable());
        command.args(arguments).args(&self.options).env_clear().envs(self.variables.iter().cloned());
        if let Some(file) = OsEnv.var(COVERAGE) {
            command.env(COVERAGE, file);
        }
        command
    }

    /// Runs to the end, and checks that no secret is shown.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let output = self.command(arguments).output().expect("the program runs");
        let run = Run::of(format!("{arguments:?} {:?}", self.options), output);
        for secret in &self.secrets {
            assert!(
                !run.stdout.contains(secret) && !run.stderr.contains(secret),
                "a secret is shown: {run:#?}"
            );
        }
        run
    }
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Run {
    #[expect(dead_code, reason = "read by `Debug`, when an assertion fails")]
    arguments: String,
    /// `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    fn of(arguments: String, output: Output) -> Self {
        let code = output.status.code();
        Self { arguments, code, stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// What it printed; it must have succeeded.
    #[track_caller]
    pub(crate) fn done(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self:#?}");
        &self.stdout
    }

    /// What it printed as its only line, as JSON; it must have succeeded.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let line = self.done().strip_suffix('\n').expect("a line");
        assert!(!line.contains('\n'), "more than a line: {self:#?}");
        serde_json::from_str(line).expect("JSON")
    }

    /// What it complained about; it must have failed with `code`, said so first and printed no data.
    #[track_caller]
    pub(crate) fn failed(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert_eq!(self.stdout, "", "{self:#?}");
        assert!(self.stderr.starts_with("error: "), "{self:#?}");
        &self.stderr
    }

    /// As [`failed`](Self::failed), and the last line must say what to do.
    #[track_caller]
    pub(crate) fn failed_with_hint(&self, code: i32) -> &str {
        let stderr = self.failed(code);
        // The parser of the command line has hints of its own.
        let hints = ["hint: ", "For more information, try '--help'."];
        let last = stderr.lines().last().unwrap_or_default();
        assert!(hints.iter().any(|hint| last.starts_with(hint)), "{self:#?}");
        stderr
    }
}

/// Asserts that `text` has every one of `parts`.
#[track_caller]
pub(crate) fn assert_has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is missing in:\n{text}");
    }
}

/// How `child` ended; it must do so before `limit` is over, and is killed if it does not.
#[track_caller]
pub(crate) fn wait(child: &mut Child, limit: Duration) -> ExitStatus {
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

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8")
}
