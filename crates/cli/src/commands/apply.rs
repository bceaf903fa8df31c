//! `record-callback apply`

use std::process::ExitCode;

use record_callback::ReadBack;
use record_callback::fleet::{ApplyOptions, Fate, Ledger, Report, SavedPlan};
use record_callback::http::TokioTimer;

use crate::args::fleet::ApplyArguments;
use crate::failure::Failure;
use crate::fleet::consent::{Question, consent};
use crate::fleet::{self, Fleet, Purpose, applying};

/// More targets than these nobody wants to type.
const MAX_TARGETS: usize = 5;

pub(crate) async fn run(arguments: ApplyArguments) -> Result<ExitCode, Failure> {
    let (fleet, file, state) = Fleet::load_locked(&arguments.fleet)?;
    fleet.check_places(&state).await?;
    fleet::check_switch(&state)?;
    let (plan, question) = if let Some(path) = &arguments.plan {
        (fleet.plan_again(&SavedPlan::read(path)?, &state).await?, Question::SeenBefore)
    } else {
        let targets = arguments.targets.targets();
        fleet.check_targets(&targets, &state)?;
        (fleet.plan_for(Purpose::Apply, &state, &targets).await?, Question::Apply)
    };
    fleet.tell_lost(&state)?;
    let format = arguments.output.output;
    if !consent(&plan, &state, question, &arguments.applying, format)? {
        return Ok(ExitCode::FAILURE);
    }
    let ledger = Ledger::new(state, &file);
    let options = ApplyOptions::new(ReadBack::new(TokioTimer));
    let report = applying::carry_out(plan, &fleet, &ledger, &arguments.applying, options).await?;
    let next = next(&report);
    applying::conclude(&file, ledger, report, &next, format)
}

/// What to do when not all is done.
fn next(report: &Report) -> String {
    let left = report.outcomes.iter().filter(|outcome| !matches!(outcome.fate, Fate::Done));
    let left: Vec<_> = left.map(|outcome| format!("--target {}", outcome.name)).collect();
    let again = "run the same command again, it goes on from here";
    let tally = report.tally();
    let first = if tally.failed + tally.blocked > 0 { "correct what failed, then " } else { "" };
    let only = match left.len() {
        1..=MAX_TARGETS => format!("; `{}` is what is left", left.join(" ")),
        _ => String::new(),
    };
    format!("{first}{again}{only}")
}
