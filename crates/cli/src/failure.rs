//! What a failed run says and exits with.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::error::ContextValue;
use record_callback::fleet::{ManifestProblem, ManifestProblems, SavedPlanError, StateError, SwitchRefusal};
use record_callback::receiver::{InboxError, SinkError};
use record_callback::{Error, ErrorKind, InvalidConfig};

use crate::output::{self, escaped};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();

/// The run failed.
const FAILED: u8 = 1;
/// The command line, or a value on it, is wrong; no cloud was asked to change anything. clap exits with the same code.
const USAGE: u8 = 2;
/// There is no such config or domain.
const NOT_FOUND: u8 = 3;
/// The vendor cannot do what was asked.
const UNSUPPORTED: u8 = 4;
/// Nobody reads stdout any more: what shells show for a program that SIGPIPE ended.
const NO_READER: u8 = 128 + 13;

#[derive(Debug)]
pub(crate) enum Failure {
    Cloud(Error),
    /// An error for which there is better advice here than its kind has.
    Advised {
        error: Error,
        hint: String,
    },
    Io(io::Error),
    Store(Box<dyn StdError>),
    /// A manifest that cannot be used.
    Manifest {
        path: PathBuf,
        problems: ManifestProblems,
    },
    /// Something stands against it that is no error of anybody.
    Refused {
        problem: String,
        hint: String,
    },
    /// The command line lacks something, or has what cannot be.
    Misused {
        problem: String,
        hint: String,
    },
    /// Everything that stands against a switch; nothing was done.
    Switch(Vec<SwitchRefusal>),
    /// A failure whose exit code is 1 whatever it is, because 2 means something else there.
    Plain(Box<Self>),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Cloud(error)
    }
}

impl From<InvalidConfig> for Failure {
    fn from(invalid: InvalidConfig) -> Self {
        Self::Cloud(invalid.into())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<SinkError> for Failure {
    fn from(error: SinkError) -> Self {
        Self::Store(Box::new(error))
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        Self::Store(Box::new(error))
    }
}

impl From<SavedPlanError> for Failure {
    fn from(error: SavedPlanError) -> Self {
        Self::Store(Box::new(error))
    }
}

impl From<InboxError> for Failure {
    fn from(error: InboxError) -> Self {
        Self::Store(Box::new(error))
    }
}

impl Failure {
    /// Prints the failure, its causes and what to do about it, and gives the exit code.
    pub(crate) fn report(self) -> ExitCode {
        let code = match &self {
            // `… | head` has seen what it wanted.
            Self::Io(error) if error.kind() == io::ErrorKind::BrokenPipe => return ExitCode::from(NO_READER),
            Self::Cloud(error) | Self::Advised { error, .. } => code(error),
            Self::Switch(refusals) if refusals.iter().all(|one| one.unsupported) => UNSUPPORTED,
            Self::Manifest { .. } | Self::Misused { .. } | Self::Switch(_) => USAGE,
            Self::Io(_) | Self::Store(_) | Self::Refused { .. } | Self::Plain(_) => FAILED,
        };
        self.tell();
        ExitCode::from(code)
    }

    /// The same failure, for commands where exit code 2 means something else.
    pub(crate) fn plain(self) -> Self {
        match self {
            // No failure of the command.
            Self::Io(error) if error.kind() == io::ErrorKind::BrokenPipe => Self::Io(error),
            failure => Self::Plain(Box::new(failure)),
        }
    }

    fn tell(&self) {
        let (error, hint): (&dyn StdError, Option<String>) = match self {
            Self::Io(error) => (error, None),
            Self::Store(error) => (&**error, None),
            Self::Cloud(error) => (error, Some(hint(error))),
            Self::Advised { error, hint } => (error, Some(hint.clone())),
            Self::Manifest { path, problems } => return tell(&manifest(path, problems)),
            Self::Refused { problem, hint } | Self::Misused { problem, hint } => {
                return tell(&[headline(problem), advice(hint)]);
            }
            Self::Switch(refusals) => return tell(&switch(refusals)),
            Self::Plain(failure) => return failure.tell(),
        };
        let mut lines = vec![headline(&error)];
        let mut source = error.source();
        while let Some(cause) = source {
            lines.push(format!("  because: {}", escaped(&cause)));
            source = cause.source();
        }
        lines.extend(hint.as_ref().map(advice));
        tell(&lines);
    }
}

/// What can be done about errors of its kind, here.
fn hint(error: &Error) -> String {
    let hint = error.hint();
    match error.kind() {
        ErrorKind::Unauthenticated => {
            format!("{hint}; `record-callback doctor` shows where keys are looked for")
        }
        _ => hint.to_owned(),
    }
}

/// Every problem, a line each, as compilers show them.
fn manifest(path: &Path, problems: &ManifestProblems) -> Vec<String> {
    let path = escaped(&path.display());
    let one = |problem: &ManifestProblem| {
        let ManifestProblem { line, column, path: place, message } = problem;
        let place = if place.is_empty() { String::new() } else { format!("{}: ", escaped(place)) };
        format!("  {path}:{line}:{column}: {place}{}", escaped(message))
    };
    let head = match problems.problems().len() {
        1 => "the manifest has a problem".to_owned(),
        count => format!("the manifest has {count} problems"),
    };
    std::iter::once(headline(&head)).chain(problems.problems().iter().map(one)).collect()
}

/// Every refusal, with what to do about it.
fn switch(refusals: &[SwitchRefusal]) -> Vec<String> {
    let one = |refusal: &SwitchRefusal| {
        [format!("  {}", escaped(refusal)), format!("    {}", advice(&refusal.hint))]
    };
    let head = headline(&"the switch cannot be made, and nothing was changed");
    std::iter::once(head).chain(refusals.iter().flat_map(one)).collect()
}

fn headline(problem: &dyn fmt::Display) -> String {
    format!("{ERROR}error:{ERROR:#} {}", escaped(&problem))
}

fn advice(hint: &String) -> String {
    format!("{HINT}hint:{HINT:#} {}", escaped(hint))
}

/// Nobody is left to tell when stderr is closed too.
fn tell(lines: &[String]) {
    let _ = output::complain(&lines.join("\n"));
}

/// What clap says of a command line it does not take. Where 2 means something else, that is a plain failure.
pub(crate) fn usage(mut error: clap::Error) -> ExitCode {
    let typed: Vec<_> = error.context().map(|(kind, value)| (kind, value.clone())).collect();
    for (kind, value) in typed {
        let value = match value {
            ContextValue::String(text) => ContextValue::String(escaped(&text)),
            ContextValue::Strings(texts) => ContextValue::Strings(texts.iter().map(escaped).collect()),
            other => other,
        };
        error.insert(kind, value);
    }
    let _ = error.print();
    let two_is_taken =
        std::env::args_os().any(|argument| argument == "drift" || argument == "--detailed-exitcode");
    match error.exit_code() {
        0 => ExitCode::SUCCESS,
        _ if two_is_taken => ExitCode::from(FAILED),
        _ => ExitCode::from(USAGE),
    }
}

fn code(error: &Error) -> u8 {
    match error.kind() {
        // With a status the cloud refused it, and there was a call.
        ErrorKind::InvalidConfig if error.status().is_none() => USAGE,
        ErrorKind::NotFound | ErrorKind::DomainNotFound => NOT_FOUND,
        ErrorKind::Unsupported => UNSUPPORTED,
        _ => FAILED,
    }
}
