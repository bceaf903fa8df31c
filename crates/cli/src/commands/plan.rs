//! `record-callback plan`

use std::io::{self, Write};
use std::process::ExitCode;

use record_callback::fleet::{Counts, Plan};
use serde::Serialize;

use crate::args::fleet::PlanArguments;
use crate::failure::Failure;
use crate::fleet::{Fleet, Purpose, show};
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
    let plan =
        show_plan(&arguments).await.map_err(|failure| if detailed { failure.plain() } else { failure })?;
    Ok(match plan.counts() {
        Counts { blocked: 1.., .. } => ExitCode::FAILURE,
        counts if detailed && counts.changes() > 0 => ExitCode::from(CHANGES),
        // Something of ours becomes nobody's: as with what is blocked, a person has to look.
        _ if plan.retirements().any(|(_, retirement)| retirement.abandons()) => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

async fn show_plan(arguments: &PlanArguments) -> Result<Plan, Failure> {
    let fleet = Fleet::load(&arguments.fleet)?;
    let state = fleet.read_state()?;
    fleet.check_places(&state).await?;
    let targets = arguments.targets.targets();
    fleet.check_targets(&targets, &state)?;
    let purpose = if arguments.destroy { Purpose::Destroy } else { Purpose::Apply };
    let plan = if let Some(path) = &arguments.out {
        let (plan, saved) = fleet.plan_to_save(purpose, &state, &targets).await?;
        saved.write(path)?;
        plan
    } else {
        fleet.plan_for(purpose, &state, &targets).await?
    };
    let line = PlanLine { plan: &plan, counts: plan.counts(), clean: plan.is_clean() };
    output::print(arguments.output.output, &line, |line| show::plan(line.plan))?;
    fleet.tell_lost(&state)?;
    if let Some(switch) = &state.switch {
        writeln!(io::stderr(), "note: {}: {}", show::open_switch(switch), show::SWITCH_HINT)?;
    }
    Ok(plan)
}
