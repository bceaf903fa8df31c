//! The tables `[limits]`, `[proxies]` and `[admin]`.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use record_callback::InvalidConfig;
use record_callback::receiver::{ForwardedHeader, Limits, Proxies};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Deserialize;
use tracing::warn;

/// Files the receiver needs besides its connections: those of its sink, its listeners and the runtime.
const OTHER_FILES: u64 = 64;

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitsConfig {
    body_bytes: Option<usize>,
    requests: Option<usize>,
    connections: Option<usize>,
    connections_per_peer: Option<usize>,
    header_timeout_seconds: Option<u32>,
    body_timeout_seconds: Option<u32>,
    keep_timeout_seconds: Option<u32>,
    drain_seconds: Option<u32>,
}

/// The proxies in front.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProxiesConfig {
    /// Their networks, such as `10.0.0.0/8`.
    trusted: Vec<String>,
    /// The header in which they name the sender.
    #[serde(default)]
    header: ForwardedHeader,
}

/// The listener of `/healthz`, `/readyz` and `/metrics`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdminConfig {
    /// The address to listen on. Default: a free port of this machine.
    #[serde(default = "default_addr")]
    pub(crate) addr: SocketAddr,
    /// Serves them where callbacks come in, too.
    #[serde(default)]
    pub(crate) on_public_port: bool,
}

fn default_addr() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self { addr: default_addr(), on_public_port: false }
    }
}

impl ProxiesConfig {
    pub(crate) fn proxies(&self) -> Result<Proxies, InvalidConfig> {
        Proxies::new(&self.trusted, self.header)
    }
}

impl LimitsConfig {
    pub(crate) fn limits(&self) -> Limits {
        let seconds = |seconds: Option<u32>, default| {
            seconds.map_or(default, |seconds| Duration::from_secs(seconds.into()))
        };
        let mut limits = Limits::default();
        limits.body = self.body_bytes.unwrap_or(limits.body);
        limits.requests = self.requests.unwrap_or(limits.requests);
        limits.connections = self.connections.unwrap_or(limits.connections);
        limits.connections_per_peer = self.connections_per_peer.unwrap_or(limits.connections_per_peer);
        limits.header_timeout = seconds(self.header_timeout_seconds, limits.header_timeout);
        limits.body_timeout = seconds(self.body_timeout_seconds, limits.body_timeout);
        limits.keep_timeout = seconds(self.keep_timeout_seconds, limits.keep_timeout);
        limits.drain = seconds(self.drain_seconds, limits.drain);
        limits
    }

    /// The same, with no more connections than the system lets this process have: each is an open file. Raises that as
    /// far as it goes, and warns where it is not enough. A peer has a quarter at most, unless set.
    pub(crate) fn limits_here(&self) -> Limits {
        let mut limits = self.limits();
        let wanted = (limits.connections as u64).saturating_add(OTHER_FILES);
        if let Some(files) = allow_open_files(wanted).filter(|files| *files < wanted) {
            limits.connections =
                usize::try_from(files.saturating_sub(OTHER_FILES).max(1)).unwrap_or(usize::MAX);
            warn!(
                "at most {} connections instead of {}: this process may have {files} open files (ulimit -n)",
                limits.connections,
                wanted - OTHER_FILES,
            );
        }
        if self.connections_per_peer.is_none() {
            // One peer must not have all of them.
            limits.connections_per_peer = limits.connections_per_peer.min(limits.connections.div_ceil(4));
        }
        limits
    }
}

/// Lets this process have `wanted` open files, or as many as it may. `None`: any number.
fn allow_open_files(wanted: u64) -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let current = current?;
    if current >= wanted {
        return Some(current);
    }
    // As far as it goes: the sink's own connections are not known here.
    let raised = maximum.unwrap_or(wanted);
    match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }) {
        Ok(()) => Some(raised),
        Err(_) => Some(current),
    }
}
