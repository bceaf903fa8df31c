//! `record-callback plan`

use std::io::{self, Write};
use std::process::ExitCode;

use record_callback::fleet::{Counts, Plan};
use serde::Serialize;

use crate::args::fleet::PlanArguments;
use crate::failure::Failure;
use crate::fleet::{Fleet, show};
use crate::output;

/// Something is to be done, where the exit code says so.
const CHANGES: u8 = 2;

#[derive(Serialize)]
struct PlanLine<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    counts: Counts,
    clean: bool,
}

pub(crate) async fn run(arguments: PlanArguments) -> Result<ExitCode, Failure> {
    let detailed = arguments.detailed_exitcode;
    let counts =
        show_plan(&arguments).await.map_err(|failure| if detailed { failure.plain() } else { failure })?;
    Ok(match counts {
        Counts { blocked: 1.., .. } => ExitCode::FAILURE,
        counts if detailed && counts.changes() > 0 => ExitCode::from(CHANGES),
        _ => ExitCode::SUCCESS,
    })
}

async fn show_plan(arguments: &PlanArguments) -> Result<Counts, Failure> {
    let fleet = Fleet::load(&arguments.fleet)?;
    let state = fleet.read_state()?;
    fleet.check_places(&state)?;
    let targets = arguments.targets.targets();
    fleet.check_targets(&targets, &state)?;
    let plan = fleet.plan(&fleet.manifest, &state, &targets, false).await?;
    let counts = plan.counts();
    let line = PlanLine { plan: &plan, counts, clean: plan.is_clean() };
    output::print(arguments.output.output, &line, |line| show::plan(line.plan))?;
    fleet.tell_lost(&state)?;
    if let Some(switch) = &state.switch {
        writeln!(io::stderr(), "note: {}: {}", show::open_switch(switch), show::SWITCH_HINT)?;
    }
    Ok(counts)
}
