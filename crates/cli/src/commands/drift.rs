//! `record-callback drift`

use std::future::pending;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use record_callback::fleet::{Drift, DriftKind, State, StateFile, drift, drift_slots};
use record_callback::http::{Clock, SystemClock};
use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::warn;

use crate::args::Format;
use crate::args::fleet::DriftArguments;
use crate::failure::Failure;
use crate::fleet::{Fleet, watch};
use crate::stop::Stop;
use crate::{output, reader};

/// Something drifted.
const DRIFTED: u8 = 2;

#[derive(Serialize, PartialEq)]
struct Round {
    drift: Vec<Drift>,
    /// How many configs were looked at.
    checked: usize,
}

/// A round among others.
#[derive(Serialize)]
struct TimedRound<'a> {
    at: String,
    #[serde(flatten)]
    round: &'a Round,
}

pub(crate) async fn run(arguments: DriftArguments) -> Result<ExitCode, Failure> {
    // 2 says that something drifted.
    Box::pin(look(arguments)).await.map_err(Failure::plain)
}

async fn look(arguments: DriftArguments) -> Result<ExitCode, Failure> {
    // Before anything is said, so that whoever reads it can stop this.
    let stop = arguments.watch.map(|_| Stop::listen()).transpose()?;
    let fleet = Fleet::load(&arguments.fleet)?;
    if !fleet.state_path().exists() {
        // Nothing ever drifts from nothing: a path that is wrong would look fine forever.
        let problem = format!("there is no state {}", fleet.state_path().display());
        let hint = "`apply` or `import` makes one; or say with --state where it is".to_owned();
        return Err(Failure::Refused { problem, hint });
    }
    let looking = Looking { fleet, arguments };
    let state = looking.fleet.read_state()?;
    looking.fleet.check_places(&state).await?;
    looking.fleet.check_targets(&looking.arguments.targets.targets(), &state)?;
    looking.fleet.tell_lost(&state)?;
    if let (Some(seconds), Some(stop)) = (looking.arguments.watch, stop) {
        looking.watch(Duration::from_secs(seconds.get().into()), stop).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let round = looking.round(&state).await;
    output::print(looking.arguments.output.output, &round, text)?;
    let is_unreadable = |one: &Drift| matches!(one.kind, DriftKind::Unreadable { .. });
    Ok(match round.drift.as_slice() {
        [] => ExitCode::SUCCESS,
        drift if drift.iter().all(is_unreadable) => ExitCode::FAILURE,
        _ => ExitCode::from(DRIFTED),
    })
}

struct Looking {
    fleet: Fleet,
    arguments: DriftArguments,
}

impl Looking {
    async fn round(&self, state: &State) -> Round {
        let targets = self.arguments.targets.targets();
        let slots = drift_slots(state, &targets);
        let checked = slots.len();
        let mut observed = self.fleet.clouds.observe(slots).await;
        self.fleet.clouds.confirm_missing(&mut observed, state.slots()).await;
        Round { drift: drift(state, &observed, &targets), checked }
    }

    /// Looks again and again until stopped. Reading is all it does, so it can be dropped at any time.
    async fn watch(&self, every: Duration, stop: Stop) -> Result<(), Failure> {
        let metrics = Arc::new(watch::Metrics::new());
        let listener = match self.arguments.metrics_addr {
            Some(addr) => Some(watch::listen(addr).await?),
            None => None,
        };
        let served = async {
            match listener {
                Some(listener) => watch::serve(listener, Arc::clone(&metrics)).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = stop.wait() => Ok(()),
            ended = served => Ok(ended?),
            ended = self.rounds(every, &metrics) => Ok(ended?),
            error = reader::gone() => Err(error.into()),
        }
    }

    /// Ends only when nobody reads what it prints.
    async fn rounds(&self, every: Duration, metrics: &watch::Metrics) -> io::Result<()> {
        let mut turns = interval(every);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = None;
        loop {
            turns.tick().await;
            let state = match StateFile::read(self.fleet.state_path()) {
                Ok(state) => state,
                Err(error) => {
                    metrics.failed();
                    warn!(%error, "could not look for drift");
                    continue;
                }
            };
            if let Some(other) = self.fleet.other_accounts_now(&state).await.first() {
                metrics.failed();
                warn!("could not look for drift: {other}");
                continue;
            }
            let begun = Instant::now();
            let round = self.round(&state).await;
            metrics.checked(round.checked, &round.drift, begun.elapsed());
            let at = SystemClock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            match self.arguments.output.output {
                Format::Json => {
                    output::print(Format::Json, &TimedRound { at, round: &round }, |_| String::new())?;
                }
                Format::Text if last.as_ref() == Some(&round) => {}
                Format::Text if round.drift.is_empty() => writeln!(io::stdout(), "{at}  {}", text(&round))?,
                Format::Text => {
                    let (drifted, checked) = (round.drift.len(), round.checked);
                    writeln!(
                        io::stdout(),
                        "{at}  {drifted} of {checked} drifted:\n{}",
                        text(&round).trim_end()
                    )?;
                }
            }
            last = Some(round);
        }
    }
}

fn text(round: &Round) -> String {
    let checked = round.checked;
    let configs = if checked == 1 {
        "1 config is as it was".to_owned()
    } else {
        format!("{checked} configs are as they were")
    };
    if round.drift.is_empty() {
        return format!("No drift: {configs} written.");
    }
    let rows = round.drift.iter().flat_map(|one| {
        let row = |kind: &str, field: &str, now: &str| {
            [one.name.to_string(), one.slot.to_string(), kind.to_owned(), field.to_owned(), now.to_owned()]
        };
        match &one.kind {
            DriftKind::Missing => vec![row("missing", "-", "-")],
            DriftKind::Unreadable { reason } => vec![row("unreadable", "-", reason)],
            DriftKind::Changed { fields } => {
                fields.iter().map(|field| row("changed", field.field.as_str(), &field.now)).collect()
            }
        }
    });
    output::table(&["CALLBACK", "PLACE", "DRIFT", "FIELD", "NOW"], rows)
}
