use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use record_callback_core::{InvalidConfig, Result};

use crate::effects::{Clock, Env, OsEnv, SystemClock};
use crate::endpoint::Endpoint;
use crate::network::Network;
use crate::pipeline::Pipeline;
use crate::quota::Quotas;
use crate::retry::RetryPolicy;

/// What sources of credentials work with.
#[derive(Debug, Clone)]
pub struct SourceContext {
    /// Where settings are read from.
    pub env: Arc<dyn Env>,
    /// The clock that says what has ended.
    pub clock: Arc<dyn Clock>,
    /// How other machines are reached.
    pub network: Network,
    /// How often and how long a service is asked.
    pub retry: RetryPolicy,
}

impl Default for SourceContext {
    /// This process's environment, this machine's clock.
    fn default() -> Self {
        Self {
            env: Arc::new(OsEnv),
            clock: Arc::new(SystemClock),
            network: Network::default(),
            retry: RetryPolicy::default(),
        }
    }
}

impl SourceContext {
    /// The value of an environment variable without white space around it; `None` if there is nothing else in it.
    pub fn var(&self, name: &str) -> Option<String> {
        self.env.var(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// Whether a variable that switches something off or on says `true`.
    pub fn is_true(&self, name: &str) -> bool {
        self.var(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// A file under the user's home directory, if there is one: by `HOME`, on Windows by `USERPROFILE`.
    pub fn in_home(&self, path: &str) -> Option<PathBuf> {
        let home = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
        Some(PathBuf::from(self.var(home)?).join(path))
    }

    /// The endpoint a variable names, else `default`.
    pub fn endpoint(&self, variable: &'static str, default: &str) -> Result<Endpoint, InvalidConfig> {
        let address = self.var(variable);
        Endpoint::parse(variable, address.as_deref().unwrap_or(default), false)
    }

    /// A way to a service of the vendor, such as STS.
    pub fn pipeline(&self, endpoint: &Endpoint) -> Result<Pipeline> {
        let (retry, clock) = (self.retry.clone(), Arc::clone(&self.clock));
        Pipeline::new(endpoint, &self.network, Quotas::unlimited(), retry, clock)
    }

    /// A way to a service of this machine or its network, such as metadata: one try of at most `timeout`, by no proxy.
    pub fn nearby(&self, endpoint: &Endpoint, timeout: Duration) -> Result<Pipeline> {
        let retry = RetryPolicy::none().attempt_timeout(timeout);
        let clock = Arc::clone(&self.clock);
        Pipeline::new(endpoint, &self.network.without_proxies(), Quotas::unlimited(), retry, clock)
    }
}
