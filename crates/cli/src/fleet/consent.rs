//! Leave to carry a plan out.

use std::io::{self, IsTerminal, Write};

use record_callback::fleet::{Deletions, Plan, State};

use super::show;
use crate::args::Format;
use crate::args::fleet::ApplyingArguments;
use crate::consent::{agrees, answer};
use crate::failure::Failure;
use crate::output;

/// The word to type for everything to go.
const DESTROY: &str = "destroy";

/// The question before a plan is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// Nothing, unless much would be deleted: somebody has seen the plan and saved it.
    SeenBefore,
    /// A yes or no to applying it.
    Apply,
    /// That everything is to go, in a word to be typed.
    Destroy,
}

/// Shows `plan` and gets leave to carry it out; `false` if that is refused. There is nothing to ask where it changes
/// nothing.
///
/// With JSON stdout is for the report, and the plan is shown only to whom is asked.
pub(crate) fn consent(
    plan: &Plan,
    state: &State,
    question: Question,
    applying: &ApplyingArguments,
    format: Format,
) -> Result<bool, Failure> {
    let deletions = plan.deletions(state);
    let is_covered = applying.max_deletes.is_some();
    let is_much = !is_covered
        && match question {
            Question::Destroy => deletions.count > 0,
            Question::SeenBefore | Question::Apply => deletions.are_many(),
        };
    let is_agreed = applying.yes || question == Question::SeenBefore;
    let too_many = applying.max_deletes.is_some_and(|most| deletions.count > most);
    let must_ask = plan.counts().changes() > 0 && !is_agreed || is_much;
    match format {
        Format::Text => output::print(format, plan, show::plan)?,
        Format::Json if must_ask || too_many => write!(anstream::stderr(), "{}", show::plan(plan))?,
        Format::Json => {}
    }
    if let Some(most) = applying.max_deletes.filter(|_| too_many) {
        return Err(Failure::Refused {
            problem: format!("{}, and --max-deletes is {most}: nothing was changed", told(&deletions)),
            hint: format!("if the plan is right, give `--max-deletes {}`", deletions.count),
        });
    }
    if !must_ask {
        return Ok(true);
    }
    if !io::stdin().is_terminal() {
        return Err(nobody_to_ask(&deletions, is_much));
    }
    let agreed = match question {
        Question::Destroy => {
            write!(io::stderr(), "{}. Type `{DESTROY}` to go on: ", capitalised(&told(&deletions)))?;
            answer()? == DESTROY
        }
        Question::SeenBefore | Question::Apply => {
            if is_much {
                writeln!(io::stderr(), "{}.", capitalised(&told(&deletions)))?;
            }
            agrees("Apply these changes?")?
        }
    };
    if !agreed {
        writeln!(io::stderr(), "Nothing was changed.")?;
    }
    Ok(agreed)
}

fn nobody_to_ask(deletions: &Deletions, is_much: bool) -> Failure {
    if is_much {
        return Failure::Refused {
            problem: format!("{}, and nobody can be asked: stdin is not a terminal", told(deletions)),
            hint: format!(
                "if the plan is right, give `--yes --max-deletes {}`; `--yes` alone does not cover this",
                deletions.count
            ),
        };
    }
    let problem = "nobody can be asked whether to apply these changes: stdin is not a terminal".to_owned();
    let hint = "give `--yes` to apply them without being asked".to_owned();
    Failure::Misused { problem, hint }
}

/// Tells how much is deleted, of how much.
fn told(deletions: &Deletions) -> String {
    let Deletions { count, owned, emptied } = deletions;
    let providers = emptied.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ");
    let last = if emptied.is_empty() { String::new() } else { format!(", the last of {providers}") };
    let configs = if *owned == 1 { "config" } else { "configs" };
    format!("this deletes {count} of {owned} {configs}{last}")
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
