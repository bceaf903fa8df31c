//! `record-callback switch`

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::process::ExitCode;

use record_callback::fleet::{
    Action, ApplyOptions, Edit, EditError, End, Fate, Ledger, Name, OpenSwitch, Plan, PreparedSwitch, Record,
    Report, Standing, State, StateFile, SwitchRequest, Targets, edit,
};
use record_callback::http::TokioTimer;
use record_callback::{InvalidConfig, ReadBack, RecordCallbackProvider};

use crate::args::Format;
use crate::args::fleet::SwitchArguments;
use crate::failure::Failure;
use crate::fleet::consent::{Question, consent};
use crate::fleet::{Fleet, applying, confirm, show};
use crate::output;

pub(crate) async fn run(arguments: SwitchArguments) -> Result<ExitCode, Failure> {
    let (fleet, file, state) = Fleet::load_locked(&arguments.fleet)?;
    fleet.check_places(&state).await?;
    let open = state.switch.clone();
    let switching = Switching { fleet: &fleet, arguments: &arguments, file: &file };
    match open {
        Some(open) if arguments.rollback => switching.roll_back(state, &open).await,
        Some(open) if arguments.resume => {
            let request = SwitchRequest::of(&open, &fleet.manifest);
            switching.forward(state, request, Some(&open)).await
        }
        Some(open) => Err(refused(show::open_switch(&open), show::SWITCH_HINT)),
        None if arguments.rollback || arguments.resume => {
            let problem = "no switch is open: there is nothing to go on with, and nothing to undo";
            Err(refused(problem.to_owned(), "`switch NAME --to PROVIDER` moves a callback, also back"))
        }
        None => {
            let Some(to) = arguments.to.clone() else {
                return Err(InvalidConfig::new("--to", "is missing", "the provider to move to").into());
            };
            let callbacks = if arguments.all {
                Targets::All
            } else {
                Targets::Only(arguments.callbacks.iter().cloned().collect())
            };
            let request = SwitchRequest {
                callbacks,
                to,
                winners: arguments.winners.iter().cloned().collect(),
                fidelity: arguments.fidelity,
                keep_source: arguments.keep_source,
            };
            switching.forward(state, request, None).await
        }
    }
}

struct Switching<'a> {
    fleet: &'a Fleet,
    arguments: &'a SwitchArguments,
    file: &'a StateFile,
}

impl Switching<'_> {
    /// Moves what `request` says; `open` is the switch that it goes on with.
    ///
    /// The switch is noted before the first call, and the manifest follows a callback only when that has moved: whenever
    /// this dies, the manifest says where each callback last was as a whole, and the note leads on or back.
    async fn forward(
        &self,
        state: State,
        request: SwitchRequest,
        open: Option<&OpenSwitch>,
    ) -> Result<ExitCode, Failure> {
        let fleet = self.fleet;
        let capabilities = |name: &Name| fleet.clouds.get(name).map(RecordCallbackProvider::capabilities);
        let prepared =
            request.prepare(&fleet.manifest, &fleet.keys, &capabilities).map_err(Failure::Switch)?;
        // Refused now rather than when everything has moved.
        edit(&fleet.text, fleet.format, &prepared.edits).map_err(|error| not_edited(&error, EDIT_FIRST))?;
        let targets = self.targets(&prepared, &state, &request, open);
        let mut options = ApplyOptions::new(ReadBack::new(TokioTimer));
        options.keep_source = request.keep_source;
        options.confirmation = confirm::confirmation(self.arguments).await?;
        let plan = fleet.plan(&prepared.manifest, &state, &targets, !request.keep_source).await?;
        let shown = if request.keep_source { without_sources(&plan) } else { plan.clone() };
        // A switch that is open already does what can be done.
        if open.is_none() && plan.counts().blocked > 0 {
            return self.refuse_blocked(&shown);
        }
        say(&prepared, &state, &targets, request.keep_source)?;
        if !consent(&shown, &state, Question::Apply, &self.arguments.applying, self.format())? {
            return Ok(ExitCode::FAILURE);
        }
        let ledger = Ledger::new(state, self.file);
        if open.is_none() && !prepared.switch.callbacks.is_empty() {
            ledger.note(Record::Switch { switch: Some(prepared.switch.clone()) }).await?;
        }
        let mut done = kept(&plan);
        let report = applying::carry_out(plan, fleet, &ledger, &self.arguments.applying, options).await?;
        done.extend(successes(&report));
        let edits: Vec<Edit> =
            prepared.edits.into_iter().filter(|edit| done.contains(edit.callback())).collect();
        let moved = match open {
            Some(open) => open.declared(&fleet.manifest).is_subset(&done),
            None => prepared.switch.callbacks.keys().all(|name| done.contains(name)),
        };
        let followed = self.follow(&ledger, &edits, moved).await;
        self.conclude(ledger, report, followed, "the same command retires the sources that are left")
    }

    /// Brings the callbacks of `open` back to where they were.
    async fn roll_back(&self, state: State, open: &OpenSwitch) -> Result<ExitCode, Failure> {
        let fleet = self.fleet;
        let edits = open.undo(&fleet.manifest);
        edit(&fleet.text, fleet.format, &edits).map_err(|error| not_edited(&error, EDIT_FIRST))?;
        let callbacks = open.declared(&fleet.manifest);
        let targets = Targets::Only(callbacks.clone());
        // What earlier switches kept is not of this one.
        let plan = fleet.plan(&fleet.manifest.edited(&edits), &state, &targets, false).await?;
        if !consent(&plan, &state, Question::Apply, &self.arguments.applying, self.format())? {
            return Ok(ExitCode::FAILURE);
        }
        let ledger = Ledger::new(state, self.file);
        // The manifest goes first, although it goes last on the way there: from now on it says where everything belongs,
        // so that after a crash a plan shows what is left to bring back, and nothing moves it forward again. If it
        // cannot be written, nothing was touched. The switch stays noted until the clouds have followed, and this can be
        // run again: what is undone already is no edit and no step any more. What cannot go back is still where it was.
        let stuck = blocked(&plan);
        let back: Vec<Edit> = edits.into_iter().filter(|edit| !stuck.contains(edit.callback())).collect();
        self.edit_manifest(&back)?;
        let mut done = kept(&plan);
        let options = ApplyOptions::new(ReadBack::new(TokioTimer));
        let report = applying::carry_out(plan, fleet, &ledger, &self.arguments.applying, options).await?;
        done.extend(successes(&report));
        let followed = self.follow(&ledger, &[], callbacks.is_subset(&done)).await;
        self.conclude(ledger, report, followed, show::SWITCH_HINT)
    }

    /// The callbacks that move, and those that are on the target and have left a source behind.
    fn targets(
        &self,
        prepared: &PreparedSwitch,
        state: &State,
        request: &SwitchRequest,
        open: Option<&OpenSwitch>,
    ) -> Targets {
        let manifest = &self.fleet.manifest;
        let mut targets: BTreeSet<Name> = prepared.switch.callbacks.keys().cloned().collect();
        if let Some(open) = open {
            // Also those that are declared on the target already: they may have a source yet.
            targets.extend(open.declared(manifest));
        } else if !request.keep_source {
            let asked = manifest.callbacks().values().filter(|one| request.callbacks.contains(&one.name));
            let there = asked.filter(|one| manifest.provider_of(one) == Some(&request.to));
            targets.extend(there.filter(|one| has_kept_source(state, &one.name)).map(|one| one.name.clone()));
        }
        Targets::Only(targets)
    }

    fn refuse_blocked(&self, plan: &Plan) -> Result<ExitCode, Failure> {
        match self.format() {
            Format::Text => output::print(Format::Text, plan, show::plan)?,
            Format::Json => write!(anstream::stderr(), "{}", show::plan(plan))?,
        }
        let blocked = show::callbacks(plan.counts().blocked);
        let hint = "see above what is in the way, or leave them out";
        Err(refused(format!("{blocked} cannot be moved, and nothing was changed"), hint))
    }

    /// Lets the manifest follow, then ends the switch if everything `moved`.
    ///
    /// Dying in between leaves a switch open in which there is nothing left to do.
    async fn follow(&self, ledger: &Ledger<'_>, edits: &[Edit], moved: bool) -> Result<(), Failure> {
        self.edit_manifest(edits)?;
        let is_open = ledger.state().switch.is_some();
        if moved && is_open {
            ledger.note(Record::Switch { switch: None }).await?;
        }
        Ok(())
    }

    fn edit_manifest(&self, edits: &[Edit]) -> Result<(), Failure> {
        // Somebody may have written it since it was read.
        let text = self.fleet.read_again()?;
        let edited = edit(&text, self.fleet.format, edits).map_err(|error| not_edited(&error, EDIT_LATER))?;
        if edited != text {
            self.fleet.rewrite(&edited)?;
        }
        Ok(())
    }

    fn conclude(
        &self,
        ledger: Ledger<'_>,
        report: Report,
        followed: Result<(), Failure>,
        next: &str,
    ) -> Result<ExitCode, Failure> {
        let next = if ledger.state().switch.is_some() { show::SWITCH_HINT } else { next };
        let code = applying::conclude(self.file, ledger, report, next, self.format())?;
        followed.map(|()| code)
    }

    fn format(&self) -> Format {
        self.arguments.output.output
    }
}

/// Says what the plan does not show.
fn say(prepared: &PreparedSwitch, state: &State, targets: &Targets, keep_source: bool) -> io::Result<()> {
    let mut stderr = io::stderr();
    let mut staying: BTreeMap<&str, Vec<&Name>> = BTreeMap::new();
    for one in prepared.staying.iter().filter(|one| !targets.contains(&one.name)) {
        staying.entry(&one.reason).or_default().push(&one.name);
    }
    for (reason, names) in staying {
        writeln!(stderr, "note: not moved: {}: {}", show::names(&names), show::visible(reason))?;
    }
    let moving = &prepared.switch.callbacks;
    let owned =
        |name: &Name, from: &Name| state.configs_of(name).iter().any(|config| config.slot.provider == *from);
    let foreign: Vec<_> =
        moving.iter().filter(|(name, from)| !owned(name, from)).map(|(name, _)| name).collect();
    // Of an open switch they may have left it behind already.
    if !foreign.is_empty() && state.switch.is_none() {
        let names = show::names(&foreign);
        writeln!(stderr, "note: no config of ours to leave behind: {names}; what others put there stays")?;
    }
    if keep_source && !moving.is_empty() {
        writeln!(stderr, "note: the sources stay, as asked")?;
    }
    Ok(())
}

fn refused(problem: String, hint: &str) -> Failure {
    Failure::Refused { problem, hint: hint.to_owned() }
}

const EDIT_FIRST: &str = "nothing was changed; change it by hand, then run this again";
const EDIT_LATER: &str =
    "the switch stays open; change it by hand, then run this again with --resume or --rollback";

fn not_edited(error: &EditError, hint: &str) -> Failure {
    refused(format!("the manifest cannot follow: {error}"), hint)
}

/// The callbacks that are as planned without anything being done.
fn kept(plan: &Plan) -> BTreeSet<Name> {
    let kept = plan.steps.iter().filter(|step| matches!(step.action, Action::Keep(_)));
    kept.map(|step| step.name.clone()).collect()
}

fn blocked(plan: &Plan) -> BTreeSet<Name> {
    let blocked = plan.steps.iter().filter(|step| matches!(step.action, Action::Blocked(_)));
    blocked.map(|step| step.name.clone()).collect()
}

fn successes(report: &Report) -> impl Iterator<Item = Name> {
    let done = report.outcomes.iter().filter(|outcome| matches!(outcome.fate, Fate::Done));
    done.map(|outcome| outcome.name.clone())
}

fn has_kept_source(state: &State, name: &Name) -> bool {
    state.configs_of(name).iter().any(|config| config.standing == Standing::Kept)
}

/// The plan as it is to be shown where the sources stay; those that are not ours any more are forgotten all the same.
fn without_sources(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    for step in &mut plan.steps {
        if let Action::Create(change) | Action::Update(change) | Action::Replace(change) = &mut step.action {
            let to = change.slot.provider.clone();
            change.retire.retain(|one| one.slot.provider == to || one.end == End::Forget);
        }
    }
    plan
}
