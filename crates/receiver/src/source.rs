use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use record_callback_core::{CallbackVerifier, InvalidConfig, OnDemandDecider, OnDemandDecision};

/// One place a cloud sends to: a path, and who may send there.
#[derive(Debug, Clone)]
pub struct Source {
    pub(crate) name: Arc<str>,
    pub(crate) path: String,
    pub(crate) verifier: Arc<dyn CallbackVerifier>,
    pub(crate) not_understood: NotUnderstood,
    pub(crate) on_demand: Option<OnDemand>,
    key_names: Vec<Arc<str>>,
    shares_keys_with: Vec<String>,
    pub(crate) expected_interval: Option<Duration>,
}

/// Who answers when a cloud asks whether to record.
#[derive(Clone)]
pub(crate) struct OnDemand {
    pub(crate) default: OnDemandDecision,
    pub(crate) decider: Option<Arc<dyn OnDemandDecider>>,
}

impl fmt::Debug for OnDemand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnDemand").field("default", &self.default).finish_non_exhaustive()
    }
}

/// How an event is answered that is kept, but that nobody understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotUnderstood {
    /// With 200, as every other event.
    #[default]
    Accept,
    /// With 400, so that it shows up as failed in the cloud's own records.
    Refuse,
}

const NAME_RULE: &str = "1-64 letters, digits, `_`, `-` and `.`";
const PATH_RULE: &str = "starts with `/`, has letters, digits and `/_-.~` only, and is not that of another source, \
                         /healthz, /readyz or /metrics";
pub(crate) const HEALTH: &str = "/healthz";
pub(crate) const READY: &str = "/readyz";
pub(crate) const METRICS: &str = "/metrics";

impl Source {
    /// A source called `name`, whose cloud sends to `path`.
    ///
    /// # Errors
    /// For a name that is not 1–64 letters, digits, `_`, `-` and `.`, and for a path that is not a plain absolute one.
    pub fn new(
        name: &str,
        path: impl Into<String>,
        verifier: Arc<dyn CallbackVerifier>,
    ) -> Result<Self, InvalidConfig> {
        let path = path.into();
        let plain = |text: &str, more: &[u8]| {
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
        };
        if !(1..=64).contains(&name.len()) || !plain(name, b"_-.") {
            let problem = format!("`{}` cannot name a source", name.escape_debug());
            return Err(InvalidConfig::new("name", problem, NAME_RULE));
        }
        if !path.starts_with('/')
            || !plain(&path, b"/_-.~")
            || [HEALTH, READY, METRICS].contains(&path.as_str())
        {
            let problem = format!("`{}` of source {name} cannot be served", path.escape_debug());
            return Err(InvalidConfig::new("path", problem, PATH_RULE));
        }
        let not_understood = NotUnderstood::default();
        Ok(Self {
            name: name.into(),
            path,
            verifier,
            not_understood,
            on_demand: None,
            key_names: Vec::new(),
            shares_keys_with: Vec::new(),
            expected_interval: None,
        })
    }

    /// Sets how events are answered that nobody understands. They are kept in any case.
    #[must_use]
    pub fn with_not_understood(mut self, answer: NotUnderstood) -> Self {
        self.not_understood = answer;
        self
    }

    /// Names the keys of the verifier's policy, in their order: by the variable or the file each is from, say. The
    /// names are shown, so they must tell nothing of the keys. Default: none has a name.
    #[must_use]
    pub fn with_key_names(mut self, names: impl IntoIterator<Item = impl Into<Arc<str>>>) -> Self {
        self.key_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Allows that the source `name` accepts deliveries that this one accepts, and the other way round, as with one key
    /// for both. One of the two says so. Unsigned sources need not: they take anything by declaration.
    #[must_use]
    pub fn shares_keys_with(mut self, name: impl Into<String>) -> Self {
        self.shares_keys_with.push(name.into());
        self
    }

    /// Expects an event at least once in `interval`. The receiver tells of longer silences by a warning, and by the
    /// metric `record_callback_source_silent`; it stays ready. It looks each time `/metrics` is asked for, and every
    /// second where it [serves](crate::Receiver::serve) itself. The first interval begins when the receiver first has
    /// a source of this name.
    #[must_use]
    pub fn with_expected_interval(mut self, interval: Duration) -> Self {
        self.expected_interval = Some(interval);
        self
    }

    /// Answers the cloud's questions whether to record, always with `decision`.
    ///
    /// # Errors
    /// When the vendor does not ask.
    pub fn with_on_demand_decision(self, decision: OnDemandDecision) -> Result<Self, InvalidConfig> {
        self.with_on_demand(OnDemand { default: decision, decider: None })
    }

    /// Answers the cloud's questions whether to record: as `decider` decides, or with `default` when it leaves it open
    /// or takes longer than [`Limits::decision`](crate::Limits::decision).
    ///
    /// # Errors
    /// When the vendor does not ask.
    pub fn with_on_demand_decider(
        self,
        decider: Arc<dyn OnDemandDecider>,
        default: OnDemandDecision,
    ) -> Result<Self, InvalidConfig> {
        self.with_on_demand(OnDemand { default, decider: Some(decider) })
    }

    fn with_on_demand(mut self, on_demand: OnDemand) -> Result<Self, InvalidConfig> {
        if self.verifier.on_demand().is_none() {
            let problem = format!("is given for source {}", self.name);
            let rule = format!("a vendor that asks before it records; {} does not", self.verifier.vendor());
            return Err(InvalidConfig::new("on_demand", problem, rule));
        }
        self.on_demand = Some(on_demand);
        Ok(self)
    }

    /// The source's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The path the cloud sends to.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The name of a key, by its place in the policy
    /// ([`VerifiedEvent::signed_by`](record_callback_core::VerifiedEvent::signed_by)).
    pub fn key_name(&self, index: usize) -> Option<&Arc<str>> {
        self.key_names.get(index)
    }

    /// That name, or the key's number where it has none.
    pub(crate) fn shown_key_name(&self, index: usize) -> Arc<str> {
        self.key_name(index).cloned().unwrap_or_else(|| format!("key {}", index + 1).into())
    }
}

/// Refuses sources that cannot be told apart: by name, by path, or by what they accept.
pub(crate) fn check_distinct(sources: &[Source]) -> Result<(), InvalidConfig> {
    if sources.is_empty() {
        return Err(InvalidConfig::new("sources", "there are none", "at least one source"));
    }
    for (i, source) in sources.iter().enumerate() {
        for other in &sources[..i] {
            if source.name == other.name {
                let problem = format!("`{}` names two sources", source.name);
                return Err(InvalidConfig::new("name", problem, "one source for each name"));
            }
            if source.path == other.path {
                let problem = format!("`{}` is that of {} and of {}", source.path, other.name, source.name);
                return Err(InvalidConfig::new("path", problem, PATH_RULE));
            }
        }
    }
    check_sharing(sources)
}

/// Refuses two sources for which one delivery is valid: at the other path it would be another source's event.
fn check_sharing(sources: &[Source]) -> Result<(), InvalidConfig> {
    let mut accepting: HashMap<[u8; 32], Vec<&Source>> = HashMap::new();
    for source in sources {
        for name in &source.shares_keys_with {
            if !sources.iter().any(|other| *other.name == **name && other.name != source.name) {
                let problem = format!("of source {} is `{}`", source.name, name.escape_debug());
                return Err(InvalidConfig::new("shares_keys_with", problem, "the name of another source"));
            }
        }
        for accepted in source.verifier.accepts() {
            let others = accepting.entry(accepted).or_default();
            for other in others.iter().filter(|other| other.name != source.name) {
                if !source.names(other) && !other.names(source) {
                    let (first, second) = (&other.name, &source.name);
                    let problem = format!("sources {first} and {second} accept the same deliveries");
                    let rule =
                        "a key of its own for each source, or `shares_keys_with` with the other's name";
                    return Err(InvalidConfig::new("keys", problem, rule));
                }
            }
            others.push(source);
        }
    }
    Ok(())
}

impl Source {
    fn names(&self, other: &Self) -> bool {
        self.shares_keys_with.iter().any(|name| **name == *other.name)
    }
}
