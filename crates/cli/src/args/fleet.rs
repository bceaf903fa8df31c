//! What can be typed about fleets.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use clap::Args;
use record_callback::fleet::{Name, Targets};
use record_callback::{DomainName, Fidelity};

use super::OutputArguments;

/// Which fleet.
#[derive(Debug, Args)]
pub(crate) struct FleetArguments {
    /// The manifest: TOML, or JSON in a file called so
    #[arg(long, value_name = "FILE", default_value = "fleet.toml")]
    pub(crate) manifest: PathBuf,
    /// Where to note what is ours; default: record-callback.state.json beside
    /// the manifest, with the manifest's name before it unless that is `fleet`
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
    /// How many calls may be under way at a time, for each provider; quotas are kept in any case
    #[arg(long, value_name = "COUNT")]
    pub(crate) parallel: Option<NonZeroUsize>,
}

/// Which of its callbacks.
#[derive(Debug, Args)]
pub(crate) struct TargetArguments {
    /// Only this callback; repeat for more
    #[arg(long = "target", value_name = "NAME")]
    targets: Vec<Name>,
}

impl TargetArguments {
    /// The targets; all without any.
    pub(crate) fn targets(&self) -> Targets {
        if self.targets.is_empty() {
            Targets::All
        } else {
            Targets::Only(self.targets.iter().cloned().collect())
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    #[command(flatten)]
    pub(crate) fleet: FleetArguments,
    #[command(flatten)]
    pub(crate) targets: TargetArguments,
    /// Exit with 0 if nothing is to be done, 2 if something is, 1 on errors and blocked callbacks
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// Show what `destroy` would do
    #[arg(long)]
    pub(crate) destroy: bool,
    /// Save the plan here, for `apply FILE` to carry out exactly this
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// How changes are carried out.
#[derive(Debug, Args)]
pub(crate) struct ApplyingArguments {
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// Allow up to COUNT deletions. Without it, deleting more than one config and more than 10 %, or a provider's last,
    /// is confirmed on a terminal and refused elsewhere, even with --yes
    #[arg(long, value_name = "COUNT")]
    pub(crate) max_deletes: Option<usize>,
    /// Begin nothing more after so many failures
    #[arg(long, value_name = "COUNT")]
    pub(crate) max_failures: Option<NonZeroUsize>,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyArguments {
    /// A plan that `plan --out` saved: it is done as it was shown, or refused if anything changed since
    #[arg(value_name = "FILE", conflicts_with = "targets")]
    pub(crate) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) fleet: FleetArguments,
    #[command(flatten)]
    pub(crate) targets: TargetArguments,
    #[command(flatten)]
    pub(crate) applying: ApplyingArguments,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct DestroyArguments {
    #[command(flatten)]
    pub(crate) fleet: FleetArguments,
    #[command(flatten)]
    pub(crate) targets: TargetArguments,
    #[command(flatten)]
    pub(crate) applying: ApplyingArguments,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct DriftArguments {
    #[command(flatten)]
    pub(crate) fleet: FleetArguments,
    #[command(flatten)]
    pub(crate) targets: TargetArguments,
    /// Look again every so many seconds, until interrupted
    #[arg(long, value_name = "SECONDS")]
    pub(crate) watch: Option<NonZeroU32>,
    /// Where to serve /metrics and /healthz while watching
    #[arg(long, value_name = "ADDR", requires = "watch")]
    pub(crate) metrics_addr: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true).args(["callbacks", "all", "resume", "rollback"]))]
pub(crate) struct SwitchArguments {
    #[command(flatten)]
    pub(crate) fleet: FleetArguments,
    /// The callbacks to move
    #[arg(value_name = "NAME", conflicts_with = "all", requires = "to")]
    pub(crate) callbacks: Vec<Name>,
    /// Move all callbacks
    #[arg(long, requires = "to")]
    pub(crate) all: bool,
    /// The provider to move them to
    #[arg(long, value_name = "PROVIDER")]
    pub(crate) to: Option<Name>,
    /// The callback whose config takes the whole domain, where the target has no room for those of single apps; repeat
    /// for more domains
    #[arg(long = "winner", value_name = "NAME")]
    pub(crate) winners: Vec<Name>,
    /// How far the target may stray from what is declared
    #[arg(long)]
    pub(crate) fidelity: Option<Fidelity>,
    /// Leave the configs of the source in place, too
    #[arg(long)]
    pub(crate) keep_source: bool,
    /// Before a source is retired, wait until the receiver whose /metrics these are has had a new event, of
    /// whichever callback
    #[arg(long, value_name = "URL", requires = "confirm_source", conflicts_with = "confirm_command")]
    pub(crate) confirm_url: Option<String>,
    /// The receiver's source that the new event has to come from
    #[arg(long, value_name = "NAME", requires = "confirm_url")]
    pub(crate) confirm_source: Option<String>,
    /// Before a source is retired, run this with `sh -c`; it confirms by exit code 0
    #[arg(long, value_name = "COMMAND")]
    pub(crate) confirm_command: Option<String>,
    /// How long to wait for the confirmation
    #[arg(long, value_name = "SECONDS", default_value = "300")]
    pub(crate) confirm_timeout: NonZeroU32,
    /// Go on with the switch that was interrupted or in part failed
    #[arg(long, conflicts_with_all = ["callbacks", "all", "to", "winners", "fidelity", "keep_source", "rollback"])]
    pub(crate) resume: bool,
    /// Undo the switch that was interrupted or in part failed
    #[arg(long, conflicts_with_all = ["callbacks", "all", "to", "winners", "fidelity", "keep_source", "confirm_url", "confirm_command"])]
    pub(crate) rollback: bool,
    #[command(flatten)]
    pub(crate) applying: ApplyingArguments,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    #[command(flatten)]
    pub(crate) fleet: FleetArguments,
    /// Only from this provider; repeat for more
    #[arg(long = "provider", value_name = "NAME")]
    pub(crate) providers: Vec<Name>,
    /// Only this domain
    #[arg(long)]
    pub(crate) domain: Option<DomainName>,
    /// The environment variable with the key that configs are signed with; believed where the cloud hides keys
    #[arg(long, value_name = "NAME", conflicts_with = "key_file")]
    pub(crate) key_env: Option<String>,
    /// The file with that key, relative to the manifest
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Where to write other keys that the cloud shows, a file for each; relative to the manifest
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) key_directory: Option<PathBuf>,
    /// Declare configs unsigned whose key is hidden and not given
    #[arg(long)]
    pub(crate) hidden_is_unsigned: bool,
    /// Take over what another fleet of this directory owns, too; that one is told
    #[arg(long)]
    pub(crate) take_over: bool,
    /// Show what would be taken over, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    pub(crate) fleet: FleetArguments,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}
