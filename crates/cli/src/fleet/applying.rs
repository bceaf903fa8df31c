//! Carrying out a plan: progress, interruption, and what is said at the end.

use std::io;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use record_callback::fleet::{
    ApplyOptions, Gate, Ledger, Outcome, Plan, Report, StateFile, Stop, Tally, Writing, apply,
};
use record_callback::http::Turns;
use record_callback::{Applied, Error};
use serde::Serialize;

use super::progress::Shown;
use super::{Fleet, show};
use crate::args::Format;
use crate::args::fleet::ApplyingArguments;
use crate::failure::Failure;
use crate::{output, stop};

/// Carries out `plan`, showing how it goes. The first signal to stop lets it finish what is under way, the second ends
/// the process.
pub(crate) async fn carry_out(
    plan: Plan,
    fleet: &Fleet,
    ledger: &Ledger<'_>,
    applying: &ApplyingArguments,
    mut options: ApplyOptions,
) -> Result<Report, Failure> {
    let signals = stop::Stop::listen()?;
    let places = fleet.places(&ledger.state());
    for record in places {
        ledger.note(record).await?;
    }
    let (stopper, stop) = Stop::pair();
    options.stop = stop;
    let turns = Arc::new(Turns::default());
    options.gate = Some(Arc::new(QuotaGate(Arc::clone(&turns))));
    options.max_failures = applying.max_failures.map(NonZeroUsize::get);
    let counts = plan.counts();
    let shown = Arc::new(Shown::begin(counts.changes() + counts.blocked));
    let listening = tokio::spawn({
        let (shown, turns) = (Arc::clone(&shown), Arc::clone(&turns));
        async move {
            signals.wait().await;
            shown.tell("Interrupted: what is under way will be finished; once more ends it at once.");
            stopper.stop();
            turns.close();
        }
    });
    let applied = Box::pin(apply(plan, &fleet.clouds, ledger, &options, &*shown));
    let report = tokio::select! {
        report = applied => report,
        never = shown.tell_waiting(&turns) => match never {},
    };
    listening.abort();
    shown.end();
    Ok(report)
}

/// Lets no write begin that still waits for its turn in a quota when it is to stop.
#[derive(Debug)]
struct QuotaGate(Arc<Turns>);

#[async_trait]
impl Gate for QuotaGate {
    async fn pass(&self, write: Writing<'_>) -> Option<Result<Option<Applied>, Error>> {
        self.0.admit(write).await
    }
}

#[derive(Serialize)]
struct ReportLine<'a> {
    outcomes: &'a [Outcome],
    done: usize,
    #[serde(flatten)]
    tally: Tally,
}

/// Saves the state, then says what became of the plan and, unless all of it is done, what to do `next`.
pub(crate) fn conclude(
    file: &StateFile,
    ledger: Ledger<'_>,
    report: Report,
    next: &str,
    format: Format,
) -> Result<ExitCode, Failure> {
    // Whatever became of the plan. Should it fail, the journal has all of it.
    let saved = file.checkpoint(&ledger.into_state());
    let line = ReportLine { outcomes: &report.outcomes, done: report.done(), tally: report.tally() };
    // What the plan said is enough where nothing was to be done.
    let says_more = !report.outcomes.is_empty() || report.journal_error.is_some();
    let printed = if says_more || matches!(format, Format::Json) {
        output::print(format, &line, |_| format!("\n{}", show::report(&report, next)))
    } else {
        Ok(())
    };
    saved?;
    // What was left to others is not as planned either.
    let is_done = report.is_done() && report.left().next().is_none();
    if let Some(error) = report.journal_error {
        let problem = format!("the run ended early: what it does cannot be noted: {error}");
        return Err(io::Error::new(error.kind(), problem).into());
    }
    printed?;
    Ok(if is_done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
