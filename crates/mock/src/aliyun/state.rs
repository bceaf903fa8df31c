//! What the mock cloud remembers.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use jiff::Timestamp;

use crate::{callback_url, lag::Lagging};

/// The recording-callback configuration of one streaming domain, as the mock stores it.
///
/// `Debug` does not print the authentication key.
#[derive(Clone, PartialEq, Eq)]
pub struct AliyunConfig {
    /// The streaming domain, the identity of a configuration. Compared as the dialect says.
    pub domain_name: String,
    /// Where file and status events go.
    pub notify_url: String,
    /// Where on-demand recording is asked for.
    pub on_demand_url: Option<String>,
    /// Whether status events are sent besides file events.
    pub need_status_notify: bool,
    /// Whether callbacks are signed.
    pub notify_req_auth: bool,
    /// The key callbacks are signed with.
    pub notify_auth_key: Option<String>,
}

impl AliyunConfig {
    /// A configuration with nothing but a callback URL.
    pub fn new(domain_name: impl Into<String>, notify_url: impl Into<String>) -> Self {
        Self {
            domain_name: domain_name.into(),
            notify_url: notify_url.into(),
            on_demand_url: None,
            need_status_notify: false,
            notify_req_auth: false,
            notify_auth_key: None,
        }
    }
}

impl fmt::Debug for AliyunConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AliyunConfig")
            .field("domain_name", &self.domain_name)
            .field("notify_url", &self.notify_url)
            .field("on_demand_url", &self.on_demand_url)
            .field("need_status_notify", &self.need_status_notify)
            .field("notify_req_auth", &self.notify_req_auth)
            .field("notify_auth_key", &self.notify_auth_key.as_ref().map(|_| "[redacted]"))
            .finish()
    }
}

/// One entry of the delivery log that `DescribeLiveRecordNotifyRecords` reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliyunNotifyRecord {
    /// The streaming domain.
    pub domain_name: String,
    /// The application.
    pub app_name: String,
    /// The stream.
    pub stream_name: String,
    /// The URL that was called.
    pub notify_url: String,
    /// When it was called.
    pub notify_time: Timestamp,
    /// `file_created`, `record_started` and so on.
    pub notify_type: String,
    /// The body that was sent.
    pub notify_content: String,
    /// The headers that were sent, as text holding JSON.
    pub notify_header: String,
    /// The body that came back.
    pub notify_response: String,
    /// Whether the delivery counts as a success.
    pub succeeded: bool,
    /// `success`, or what went wrong.
    pub description: String,
    /// `oss` or `vod`; `None` as in answers of older versions.
    pub storage_type: Option<String>,
}

impl AliyunNotifyRecord {
    /// A successful delivery of a `file_created` event; set the other fields as the test needs them.
    pub fn new(
        domain_name: impl Into<String>,
        notify_url: impl Into<String>,
        notify_time: Timestamp,
    ) -> Self {
        Self {
            domain_name: domain_name.into(),
            app_name: "app".to_owned(),
            stream_name: "stream".to_owned(),
            notify_url: notify_url.into(),
            notify_time,
            notify_type: "file_created".to_owned(),
            notify_content: "{}".to_owned(),
            notify_header: r#"{"Content-Type":["application/json; charset=utf-8"]}"#.to_owned(),
            notify_response: r#"{"Code":0,"Msg":"Success"}"#.to_owned(),
            succeeded: true,
            description: "success".to_owned(),
            storage_type: None,
        }
    }
}

/// The two kinds of domains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DomainKind {
    /// `liveVideo`: streaming, also called playback.
    Streaming,
    /// `liveEdge`: ingest.
    Ingest,
}

#[derive(Debug)]
pub(super) struct State {
    /// Registered domains.
    pub(super) domains: BTreeMap<String, DomainKind>,
    /// True if every domain is taken for a streaming domain of the account.
    takes_all: bool,
    pub(super) configs: Lagging<BTreeMap<String, AliyunConfig>>,
    pub(super) records: Vec<AliyunNotifyRecord>,
    /// Hosts that no callback URL may name.
    pub(super) unsafe_hosts: BTreeSet<String>,
}

impl State {
    pub(super) fn new(domains: Vec<(String, DomainKind)>, lag_milliseconds: u32) -> Self {
        Self {
            takes_all: domains.is_empty(),
            domains: domains.into_iter().collect(),
            configs: Lagging::new(BTreeMap::new(), lag_milliseconds),
            records: Vec::new(),
            unsafe_hosts: BTreeSet::new(),
        }
    }

    /// The state of an account that has no other domains than these.
    pub(super) fn with_only(domains: Vec<(String, DomainKind)>, lag_milliseconds: u32) -> Self {
        Self { takes_all: false, ..Self::new(domains, lag_milliseconds) }
    }

    /// Returns true if the domain is in the account, of whatever kind.
    pub(super) fn has_domain(&self, name: &str) -> bool {
        self.takes_all || self.domains.contains_key(name)
    }

    /// Sets the hosts that no callback URL may name.
    pub(super) fn set_unsafe_hosts(&mut self, hosts: impl IntoIterator<Item = String>) {
        let host = |host: String| callback_url::host_of(&format!("http://{host}/")).unwrap_or(host);
        self.unsafe_hosts = hosts.into_iter().map(host).collect();
    }

    pub(super) fn has_streaming_domain(&self, name: &str) -> bool {
        self.takes_all || self.domains.get(name) == Some(&DomainKind::Streaming)
    }

    /// The account's domains, by name.
    pub(super) fn account_domains(&self) -> Vec<(&str, DomainKind)> {
        if self.takes_all {
            self.configs.keys().map(|name| (name.as_str(), DomainKind::Streaming)).collect()
        } else {
            self.domains.iter().map(|(name, kind)| (name.as_str(), *kind)).collect()
        }
    }
}
