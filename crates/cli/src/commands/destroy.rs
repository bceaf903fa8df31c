//! `record-callback destroy`

use std::io::{self, Write};
use std::process::ExitCode;

use record_callback::ReadBack;
use record_callback::fleet::{ApplyOptions, Ledger};
use record_callback::http::TokioTimer;

use crate::args::Format;
use crate::args::fleet::DestroyArguments;
use crate::failure::Failure;
use crate::fleet::consent::{Question, consent};
use crate::fleet::{self, Fleet, Purpose, applying, show};
use crate::output;

pub(crate) async fn run(arguments: DestroyArguments) -> Result<ExitCode, Failure> {
    let (fleet, file, state) = Fleet::load_locked(&arguments.fleet)?;
    fleet.check_places(&state).await?;
    fleet::check_switch(&state)?;
    let targets = arguments.targets.targets();
    fleet.check_targets(&targets, &state)?;
    let plan = fleet.plan_for(Purpose::Destroy, &state, &targets).await?;
    if plan.steps.is_empty() && matches!(arguments.output.output, Format::Text) {
        output::print(Format::Text, &(), |()| "Nothing to destroy: nothing is ours.".to_owned())?;
        return Ok(ExitCode::SUCCESS);
    }
    let (applying, format) = (&arguments.applying, arguments.output.output);
    if !consent(&plan, &state, Question::Destroy, applying, format)? {
        return Ok(ExitCode::FAILURE);
    }
    let ledger = Ledger::new(state, &file);
    let options = ApplyOptions::new(ReadBack::new(TokioTimer));
    let report = applying::carry_out(plan, &fleet, &ledger, applying, options).await?;
    let declared = fleet.manifest.callbacks().keys().filter(|name| targets.contains(name)).count();
    if declared > 0 {
        let callbacks = show::callbacks(declared);
        writeln!(
            io::stderr(),
            "note: the manifest still declares {callbacks}: `apply` would create them again"
        )?;
    }
    applying::conclude(&file, ledger, report, "run the same command again, it goes on from here", format)
}
