//! Leave to change what exists.

use std::io::{self, IsTerminal, Write};

use crate::args::{ConsentArguments, Format};
use crate::change::Change;
use crate::failure::Failure;
use crate::output;

/// The way it was come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consent {
    /// By `--yes`, or because nothing that exists is changed.
    Given,
    /// By a person, who may have taken long to answer.
    Answered,
    Refused,
}

impl ConsentArguments {
    /// Shows `change` as `text` and asks, on a terminal. Elsewhere nobody can be asked: what only adds goes ahead, and the
    /// rest is shown, too, and needs `--yes`.
    ///
    /// With JSON stdout is for the report alone.
    pub(crate) fn ask(self, change: &Change<'_>, text: &str, format: Format) -> Result<Consent, Failure> {
        let is_terminal = io::stdin().is_terminal();
        let must_ask = !self.yes && (is_terminal || !change.only_adds());
        if !must_ask {
            return Ok(Consent::Given);
        }
        match format {
            Format::Text => output::print(Format::Text, &(), |()| text.to_owned())?,
            Format::Json => output::complain(text.trim_end())?,
        }
        if !is_terminal {
            return Err(Failure::Misused {
                problem: "this changes what is there, and nobody can be asked: stdin is not a terminal"
                    .to_owned(),
                hint: "look at it with `--dry-run`, then give `--yes`".to_owned(),
            });
        }
        if agrees("Do this?")? {
            return Ok(Consent::Answered);
        }
        output::complain("Nothing was changed.")?;
        Ok(Consent::Refused)
    }
}

/// Asks a yes-or-no question of who is at the terminal.
pub(crate) fn agrees(question: &str) -> io::Result<bool> {
    write!(io::stderr(), "{question} [y/N] ")?;
    let answer = answer()?;
    Ok(["y", "yes"].iter().any(|yes| answer.eq_ignore_ascii_case(yes)))
}

/// Reads a line that somebody types.
pub(crate) fn answer() -> io::Result<String> {
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(answer.trim().to_owned())
}
