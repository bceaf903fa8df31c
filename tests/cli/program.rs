//! The program, run to its end in an environment of its own.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use record_callback_tests::Ended;
use serde_json::Value;

pub(crate) use record_callback_tests::{PATIENCE, ROOT, wait};

/// The exit code where nobody reads what is printed: what shells show for SIGPIPE.
pub(crate) const NO_READER: i32 = 128 + 13;

/// `record-callback` with the options and variables that a number of runs share.
#[derive(Debug, Clone, Default)]
pub(crate) struct Program {
    options: Vec<String>,
    variables: Vec<(String, String)>,
    secrets: Vec<String>,
    directory: Option<PathBuf>,
}

impl Program {
    /// Runs it in `directory`.
    #[must_use]
    pub(crate) fn within(mut self, directory: &Path) -> Self {
        self.directory = Some(directory.to_owned());
        self
    }

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
        let mut command = record_callback_tests::command();
        command.args(arguments).args(&self.options).envs(self.variables.iter().cloned());
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command
    }

    /// Runs to the end, and checks that no secret is shown.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let output = self.command(arguments).output().expect("the program runs");
        let run = Run::of(format!("{arguments:?} {:?}", self.options), output);
        self.assert_secret(&run);
        run
    }

    /// Asserts that `shown` has no secret.
    #[track_caller]
    pub(crate) fn assert_secret(&self, shown: &impl fmt::Debug) {
        let shown = format!("{shown:#?}");
        for secret in &self.secrets {
            assert!(!shown.contains(secret), "a secret is shown: {shown}");
        }
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

    /// Of a process that was started with `arguments`.
    pub(crate) fn ended(arguments: &str, ended: Ended) -> Self {
        let stdout = ended.stdout.iter().flat_map(|line| [line, "\n"]).collect();
        Self { arguments: arguments.to_owned(), code: ended.code, stdout, stderr: ended.stderr }
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

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8")
}
