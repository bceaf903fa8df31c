//! What can be typed.

mod events;
pub(crate) mod fleet;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use record_callback::{AppSelector, DomainName, EventKind, Fidelity};

pub(crate) use self::events::{EventsArguments, EventsFormat};
use self::fleet::{
    ApplyArguments, DestroyArguments, DriftArguments, ImportArguments, PlanArguments, StatusArguments,
    SwitchArguments,
};

/// Recording callbacks of Aliyun Live and Huawei Cloud Live through one model
#[derive(Debug, Parser)]
#[command(name = "record-callback", version, max_term_width = 80, after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Log more to stderr; up to three times
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
}

const AFTER_HELP: &str = "\
Credentials are found where the vendors' own tools find them: environment,
files, roles of this machine. `record-callback doctor` shows where, and
docs/credentials.md says it all. First comes the environment:
  aliyun       ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET,
               ALIBABA_CLOUD_SECURITY_TOKEN
  huaweicloud  HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK,
               HUAWEICLOUD_SDK_SECURITY_TOKEN, HUAWEICLOUD_SDK_PROJECT_ID

Exit codes:
  0  done
  1  failed
  2  usage (drift and plan --detailed-exitcode: something was found)
  3  no such config, or no such domain in the account
  4  refused as unsupported
  141  nobody reads the output any more";

const PUT_HELP: &str = "\
What is not named stays as it is: URLs, events, and the signing with its key.
Huawei Cloud never shows keys: there each change needs the key again, or
--unsigned. Before anything is written the change is shown, and on a terminal
you are asked. Elsewhere additions go ahead; what changes or drops something
needs --yes.

A new config, signed by the key in the variable CALLBACK_KEY:
  record-callback put --vendor aliyun --domain live.example.com \\
    --notify-url https://cb.example.com/n --sign md5 --key-env CALLBACK_KEY
One more event for it:
  record-callback put --vendor aliyun --domain live.example.com \\
    --event recording_failed --fidelity widen";

const DELETE_HELP: &str = "\
What goes is shown, and on a terminal you are asked. Elsewhere --yes is needed.

  record-callback delete --vendor aliyun --domain live.example.com --dry-run";

const LIST_HELP: &str = "\
  record-callback list --vendor huaweicloud --region cn-north-4
  record-callback list --vendor aliyun --domain live.example.com --output json";

const EVENTS_HELP: &str = "\
  record-callback events --inbox inbox.db --stream stage --since 2h
  record-callback events --inbox inbox.db show 17
  record-callback events --inbox inbox.db --follow
  record-callback events --inbox inbox.db --consumer billing --output json";

const RECEIVE_HELP: &str = "\
The first line on stdout says where clouds can send, as JSON. If stderr is a
terminal, it gets a line for each delivery: time, status, source, event, and
the reason of a refusal. Warnings of refusals come once a minute for each
source and reason; `record-callback explain` says more of each.";

const EXPLAIN_HELP: &str = "\
Of a refused delivery the id is in its answer (X-Request-Id), in the warning,
and in the list; its beginning will do:
  record-callback events --inbox inbox.db --refused
  record-callback explain --config receiver.toml 1a2b3c4d
Of a kept event it is its number:
  record-callback explain --config receiver.toml 17
The keys are those of now, from the environment and the files.";

const TRIGGER_HELP: &str = "\
  record-callback trigger aliyun file_completed \\
    --to http://127.0.0.1:8080/callbacks/aliyun --key-env CALLBACK_KEY";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the config of one domain and app
    Get(GetArguments),
    /// Show all configs, or those of one domain
    #[command(after_help = LIST_HELP)]
    List(ListArguments),
    /// Create a config, or change what is named of the one that is there; then read it back
    #[command(after_help = PUT_HELP)]
    Put(Box<PutArguments>),
    /// Delete the config of one domain and app
    #[command(after_help = DELETE_HELP)]
    Delete(DeleteArguments),
    /// Show what has to be done for the clouds to be as a manifest declares
    Plan(PlanArguments),
    /// Do it: within quota, read back, safe to interrupt and to run again
    Apply(ApplyArguments),
    /// Delete everything that is ours, whether it is declared or not
    Destroy(DestroyArguments),
    /// Show what somebody else changed since it was applied; exits with 2 if anything was
    Drift(DriftArguments),
    /// Move callbacks to another provider: the new config is there before the old one goes
    Switch(SwitchArguments),
    /// Take over what is in the clouds, and declare it in the manifest where it is not
    Import(ImportArguments),
    /// Show what is ours and what is unfinished, without asking a cloud
    Status(StatusArguments),
    /// Print the JSON Schema of manifests
    Schema,
    /// Receive callbacks, verify them and keep the events, until interrupted
    #[command(after_help = RECEIVE_HELP)]
    Receive(ReceiveArguments),
    /// Show the events an inbox keeps
    #[command(after_help = EVENTS_HELP)]
    Events(EventsArguments),
    /// Show step by step why a delivery was taken or refused
    #[command(after_help = EXPLAIN_HELP)]
    Explain(ExplainArguments),
    /// Send a callback as a cloud does
    #[command(after_help = TRIGGER_HELP)]
    Trigger(TriggerArguments),
    /// Look at everything between here and a cloud: credentials, network, clock, rights. Nothing is changed
    Doctor(Box<DoctorArguments>),
    /// Print the least rights a caller needs, as a policy of the cloud
    Policy(PolicyArguments),
    /// Run both mock clouds until interrupted
    Mock(MockArguments),
    /// Move a callback from a mock Aliyun to a mock Huawei Cloud and show each step
    Demo(DemoArguments),
}

/// Which cloud, and how to reach it.
#[derive(Debug, Args)]
pub(crate) struct CloudArguments {
    /// The cloud
    #[arg(long)]
    pub(crate) vendor: VendorName,
    #[command(flatten)]
    pub(crate) way: WayArguments,
}

/// How to reach a cloud, where that is not as usual.
#[derive(Debug, Clone, Default, Args)]
#[group(requires = "vendor")]
pub(crate) struct WayArguments {
    /// The API's address; wins over the region
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    /// The region, which chooses the address; default: the environment's
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// Take the region's address inside a VPC (aliyun)
    #[arg(long)]
    pub(crate) vpc: bool,
    /// The project (huaweicloud)
    #[arg(long, value_name = "ID")]
    pub(crate) project_id: Option<String>,
    /// The address of IAM (huaweicloud)
    #[arg(long, value_name = "URL")]
    pub(crate) iam_endpoint: Option<String>,
    /// The signature of requests (aliyun)
    #[arg(long)]
    pub(crate) signature: Option<SignatureName>,
    /// Allow plain HTTP to hosts that are not this machine
    #[arg(long)]
    pub(crate) allow_http: bool,
    /// A PEM file of certificates to trust besides the system's
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_bundle: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum VendorName {
    Aliyun,
    Huaweicloud,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum SignatureName {
    Rpc,
    Acs3,
}

/// One config's identity.
#[derive(Debug, Clone, Args)]
pub(crate) struct KeyArguments {
    /// The streaming domain (aliyun) or ingest domain (huaweicloud)
    #[arg(long)]
    pub(crate) domain: DomainName,
    /// The app, or * for every app without a config of its own
    #[arg(long, default_value = "*")]
    pub(crate) app: AppSelector,
}

#[derive(Debug, Args)]
pub(crate) struct OutputArguments {
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(crate) output: Format,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
}

/// Leave to change what exists.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ConsentArguments {
    /// Do not ask. Needed to change or delete what is there where nobody can be asked
    #[arg(long)]
    pub(crate) yes: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GetArguments {
    #[command(flatten)]
    pub(crate) cloud: CloudArguments,
    #[command(flatten)]
    pub(crate) key: KeyArguments,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteArguments {
    #[command(flatten)]
    pub(crate) cloud: CloudArguments,
    #[command(flatten)]
    pub(crate) key: KeyArguments,
    #[command(flatten)]
    pub(crate) consent: ConsentArguments,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    pub(crate) cloud: CloudArguments,
    /// Only this domain
    #[arg(long)]
    pub(crate) domain: Option<DomainName>,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct PutArguments {
    #[command(flatten)]
    pub(crate) cloud: CloudArguments,
    #[command(flatten)]
    pub(crate) key: KeyArguments,
    /// The URL that events are sent to; a new config needs it
    #[arg(long, value_name = "URL")]
    pub(crate) notify_url: Option<String>,
    /// Who is asked before recording
    #[arg(long, value_name = "URL")]
    pub(crate) on_demand_url: Option<String>,
    /// Ask nobody before recording
    #[arg(long, conflicts_with = "on_demand_url")]
    pub(crate) no_on_demand_url: bool,
    /// An event to send besides those of the config; repeat for more. A new config has only these, or without any
    /// `file_completed`
    #[arg(long = "event", value_name = "EVENT")]
    pub(crate) events: Vec<EventKind>,
    /// An event to send no more; repeat for more
    #[arg(long = "no-event", value_name = "EVENT")]
    pub(crate) no_events: Vec<EventKind>,
    /// Sign callbacks
    #[arg(long, requires = "key_env", conflicts_with = "unsigned")]
    pub(crate) sign: Option<SchemeName>,
    /// The environment variable that holds the signing key
    #[arg(long, value_name = "NAME", requires = "sign")]
    pub(crate) key_env: Option<String>,
    /// Sign callbacks no more
    #[arg(long)]
    pub(crate) unsigned: bool,
    /// How far the cloud may stray from what was asked: exact, widen (more events) or best-effort (loss)
    #[arg(long, default_value_t)]
    pub(crate) fidelity: Fidelity,
    #[command(flatten)]
    pub(crate) consent: ConsentArguments,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum SchemeName {
    Md5,
    HmacSha256,
}

#[derive(Debug, Args)]
pub(crate) struct ReceiveArguments {
    /// The file with sink and sources
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Where to listen; wins over the file
    #[arg(long)]
    pub(crate) addr: Option<SocketAddr>,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// The receiver's file with sink and sources
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// The id of a refused delivery, or at least its first 8 letters; or the number of a kept event
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct TriggerArguments {
    /// The cloud
    pub(crate) vendor: VendorName,
    /// The event: `file_completed` and so on, or `vendor:NAME`
    pub(crate) event: EventKind,
    /// Where to send it
    #[arg(long, value_name = "URL")]
    pub(crate) to: String,
    /// The environment variable that holds the signing key; without it, callbacks are not signed
    #[arg(long, value_name = "NAME")]
    pub(crate) key_env: Option<String>,
    /// How to sign (huaweicloud); default: hmac-sha256
    #[arg(long, requires = "key_env")]
    pub(crate) sign: Option<SchemeName>,
    /// The domain
    #[arg(long, default_value = "live.example.com")]
    pub(crate) domain: DomainName,
    /// The application
    #[arg(long, default_value = "live")]
    pub(crate) app: String,
    /// The stream; with --count, a number is added
    #[arg(long, default_value = "stream")]
    pub(crate) stream: String,
    /// How many events to send
    #[arg(long, default_value_t = 1)]
    pub(crate) count: u32,
    /// How many at a time
    #[arg(long, default_value_t = 1)]
    pub(crate) concurrency: u32,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct MockArguments {
    /// Where the mock Aliyun listens; its STS and metadata take free ports of the same host
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub(crate) aliyun_addr: SocketAddr,
    /// Where the mock Huawei Cloud listens; its IAM and metadata take free ports of the same host
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub(crate) huaweicloud_addr: SocketAddr,
    /// Where to control them: faults, time, connections. Nobody is asked who they are
    #[arg(long, value_name = "ADDR")]
    pub(crate) admin_addr: Option<SocketAddr>,
    /// How a mock reads what its vendor's documents leave open, such as `aliyun.omitted_on_update=kept`; repeat for more
    #[arg(long = "dialect", value_name = "CLOUD.QUESTION=READING")]
    pub(crate) dialects: Vec<String>,
    /// A host that the mock Aliyun refuses in callback URLs as unsafe; repeat for more
    #[arg(long = "unsafe-host", value_name = "HOST")]
    pub(crate) unsafe_hosts: Vec<String>,
    /// A domain both clouds know; repeat for more. Without any, every domain is known
    #[arg(long = "domain", value_name = "DOMAIN")]
    pub(crate) domains: Vec<DomainName>,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// The cloud; without it, both
    #[arg(long)]
    pub(crate) vendor: Option<VendorName>,
    #[command(flatten)]
    pub(crate) way: WayArguments,
    /// A domain callbacks are to be configured for
    #[arg(long, requires = "vendor")]
    pub(crate) domain: Option<DomainName>,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyArguments {
    /// The cloud
    #[arg(long)]
    pub(crate) vendor: VendorName,
    /// Allow changes for this domain only; repeat for more (aliyun)
    #[arg(long = "domain", value_name = "DOMAIN")]
    pub(crate) domains: Vec<DomainName>,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Arguments::command().debug_assert();
    }
}
