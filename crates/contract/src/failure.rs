use std::fmt;

use record_callback_core::{Error, ErrorKind, InvalidConfig};

/// What a provider did against its contract: what was expected, what was found; never a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// For a behaviour that was run although its need is not met.
    pub(crate) fn not_applicable() -> Self {
        Self::new("run for a provider it is not about")
    }

    /// Adds that something else went wrong as well.
    pub(crate) fn and(self, other: &Self) -> Self {
        Self(format!("{self}; then {other}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(format!("a call that should have succeeded failed: {error}"))
    }
}

impl From<InvalidConfig> for Failure {
    fn from(invalid: InvalidConfig) -> Self {
        Self(format!("the suite could not build a config: {invalid}"))
    }
}

/// Fails the behaviour with a message unless a condition holds. Behaviours do not
/// panic: what they created has to be deleted afterwards.
macro_rules! check {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::Failure::new(format!($($message)+)));
        }
    };
}
pub(crate) use check;

/// The error of a call that has to be refused with `kind`.
pub(crate) fn refused<T>(what: &str, result: Result<T, Error>, kind: ErrorKind) -> Result<Error, Failure> {
    match result {
        Err(error) if error.kind() == kind => Ok(error),
        Err(error) => Err(Failure(format!("{what}: expected to be refused as `{kind}`, found: {error}"))),
        Ok(_) => Err(Failure(format!("{what}: expected to be refused as `{kind}`, but it succeeded"))),
    }
}
