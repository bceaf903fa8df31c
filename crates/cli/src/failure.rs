//! What a failed run says and exits with.

use std::error::Error as StdError;
use std::io::{self, Write};
use std::process::ExitCode;

use record_callback::receiver::{InboxError, SinkError};
use record_callback::{Error, ErrorKind, InvalidConfig};

/// The run failed.
const FAILED: u8 = 1;
/// The command line, or a value on it, is wrong; no cloud was asked to change anything. clap exits with the same code.
const USAGE: u8 = 2;
/// There is no such config or domain.
const NOT_FOUND: u8 = 3;
/// The vendor cannot do what was asked.
const UNSUPPORTED: u8 = 4;

#[derive(Debug)]
pub(crate) enum Failure {
    Cloud(Error),
    Io(io::Error),
    Store(Box<dyn StdError>),
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

impl From<InboxError> for Failure {
    fn from(error: InboxError) -> Self {
        Self::Store(Box::new(error))
    }
}

impl Failure {
    /// Prints the failure, its causes and what to do about it, and gives the exit code.
    pub(crate) fn report(self) -> ExitCode {
        let (error, hint, code): (&dyn StdError, _, _) = match &self {
            Self::Io(error) => (error, None, FAILED),
            Self::Store(error) => (&**error, None, FAILED),
            Self::Cloud(error) => (error, Some(error.kind().hint()), code(error)),
        };
        let mut lines = vec![format!("error: {error}")];
        let mut source = error.source();
        while let Some(cause) = source {
            lines.push(format!("  because: {cause}"));
            source = cause.source();
        }
        if let Some(hint) = hint {
            lines.push(format!("hint: {hint}"));
        }
        // Nobody is left to tell when stderr is closed too.
        let _ = writeln!(io::stderr(), "{}", lines.join("\n"));
        ExitCode::from(code)
    }
}

fn code(error: &Error) -> u8 {
    match error.kind() {
        // With a status the cloud refused it, and there was a call.
        ErrorKind::InvalidConfig if error.status().is_none() => USAGE,
        ErrorKind::NotFound => NOT_FOUND,
        ErrorKind::Unsupported => UNSUPPORTED,
        _ => FAILED,
    }
}
