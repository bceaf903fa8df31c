//! The builder of the mock.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::SignedDuration;

use super::{
    auth::Authenticator,
    dialect::AliyunDialect,
    metadata::Imds,
    operations::AliyunOperation,
    ram::Ram,
    sender::AliyunSender,
    server::{Cloud, MockAliyun},
    sources::{Settings, Sources},
    state::{DomainKind, State},
};
use crate::{
    clock::Clock,
    credentials::{AccessKey, AccessKeys, Holder, Secret},
    delivery::DeliveryPolicy,
    quota::{Counters, Quota},
    server::Server,
    session,
};

/// Prepares a [`MockAliyun`].
#[derive(Debug, Clone)]
#[must_use]
pub struct MockAliyunBuilder {
    addr: SocketAddr,
    keys: AccessKeys,
    domains: Vec<(String, DomainKind)>,
    other_domains: Vec<(String, DomainKind)>,
    unsafe_hosts: Vec<String>,
    documented_quotas: bool,
    quotas: HashMap<AliyunOperation, Quota>,
    dialect: AliyunDialect,
    clock: Clock,
    delivery: DeliveryPolicy,
    sources: Settings,
}

impl MockAliyunBuilder {
    pub(super) fn new() -> Self {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            addr,
            keys: AccessKeys::default(),
            domains: Vec::new(),
            other_domains: Vec::new(),
            unsafe_hosts: Vec::new(),
            documented_quotas: false,
            quotas: HashMap::new(),
            dialect: AliyunDialect::default(),
            clock: Clock::system(),
            delivery: DeliveryPolicy::aliyun(),
            sources: Settings {
                sts_addr: addr,
                metadata_addr: addr,
                imds: Imds::default(),
                has_ecs_role: true,
                external_id: None,
                session_lifetime: SignedDuration::from_hours(6),
            },
        }
    }

    /// Where the Live API listens; port 0 picks a free one.
    pub fn addr(mut self, addr: SocketAddr) -> Self {
        self.addr = addr;
        self
    }

    /// Adds a permanent access key to the account. Without any, the mock makes one up.
    pub fn access_key(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.keys.add(AccessKey::permanent(id, secret));
        self
    }

    /// Adds a permanent access key of the account itself, not of one of its users.
    pub fn account_access_key(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.keys.add(AccessKey { holder: Holder::Account, ..AccessKey::permanent(id, secret) });
        self
    }

    /// Adds a temporary access key (STS), which works only together with its token.
    pub fn temporary_access_key(
        mut self,
        id: impl Into<String>,
        secret: impl Into<String>,
        token: impl Into<String>,
    ) -> Self {
        self.keys.add(AccessKey::temporary(id, secret, token));
        self
    }

    /// Registers a streaming domain. As soon as one domain is registered, the account has no others.
    pub fn domain(mut self, name: impl Into<String>) -> Self {
        self.domains.push((name.into(), DomainKind::Streaming));
        self
    }

    /// Registers an ingest domain. It is listed, but has no recording callbacks.
    pub fn ingest_domain(mut self, name: impl Into<String>) -> Self {
        self.domains.push((name.into(), DomainKind::Ingest));
        self
    }

    /// Registers a streaming domain of the other account; see [`MockAliyun::other_account_id`].
    pub fn other_domain(mut self, name: impl Into<String>) -> Self {
        self.other_domains.push((name.into(), DomainKind::Streaming));
        self
    }

    /// Adds a host, such as `cb.example.com` or `192.0.2.1`, that no callback URL may name: `InvalidNotifyUrl.Unsafe`,
    /// `InvalidOnDemandUrl.Unsafe`. See [`PrivateUrls`](crate::PrivateUrls) for private addresses.
    pub fn unsafe_host(mut self, host: impl Into<String>) -> Self {
        self.unsafe_hosts.push(host.into());
        self
    }

    /// Whether the documented quotas of the account hold (requests per second: 30 for writes, 50 for describing a
    /// configuration, 100 for the two listings). Off by default.
    pub fn quotas(mut self, on: bool) -> Self {
        self.documented_quotas = on;
        self
    }

    /// Sets the quota of one operation, whether or not the documented quotas hold.
    pub fn quota(mut self, operation: AliyunOperation, limit: u32, window: Duration) -> Self {
        self.quotas.insert(operation, Quota { limit, window });
        self
    }

    /// Which reading of the documentation to follow.
    pub fn dialect(mut self, dialect: AliyunDialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// The clock the mock lives by.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The timeout of callbacks, how often they are repeated and so on.
    pub fn delivery(mut self, policy: DeliveryPolicy) -> Self {
        self.delivery = policy;
        self
    }

    /// Where STS listens; port 0 picks a free one.
    pub fn sts_addr(mut self, addr: SocketAddr) -> Self {
        self.sources.sts_addr = addr;
        self
    }

    /// Where the metadata service listens; port 0 picks a free one.
    pub fn metadata_addr(mut self, addr: SocketAddr) -> Self {
        self.sources.metadata_addr = addr;
        self
    }

    /// Which versions of the metadata protocol the instance speaks; both by default.
    pub fn imds(mut self, imds: Imds) -> Self {
        self.sources.imds = imds;
        self
    }

    /// Takes the RAM role from the instance: its metadata has no keys.
    pub fn without_ecs_role(mut self) -> Self {
        self.sources.has_ecs_role = false;
        self
    }

    /// Lets the role's trust policy ask for an external id, which `AssumeRole` then has to give. By default it does not
    /// matter.
    pub fn external_id(mut self, id: impl Into<String>) -> Self {
        self.sources.external_id = Some(Secret::new(id));
        self
    }

    /// How long keys of the metadata service and of [`MockAliyun::credentials_uri`] are good; 6 hours by default. Who
    /// asks gets the same key until half of that is over.
    pub fn session_lifetime(mut self, lifetime: Duration) -> Self {
        self.sources.session_lifetime = session::lifetime(lifetime);
        self
    }

    /// Starts to listen.
    pub async fn start(mut self) -> io::Result<MockAliyun> {
        let access_key = self.keys.permanent_or_new("LTAI5t");
        let other_access_key = AccessKey::of_other_account("LTAI5t");
        self.keys.add(other_access_key.clone());
        let mut state = State::new(self.domains, self.dialect.read_lag_milliseconds);
        state.set_unsafe_hosts(self.unsafe_hosts);
        let other_state = State::with_only(self.other_domains, self.dialect.read_lag_milliseconds);
        let window = SignedDuration::from_mins(self.dialect.timestamp_window_minutes.into());
        let authenticator = Arc::new(Authenticator::new(self.keys, window));
        let ram = Arc::new(Ram::new(Arc::clone(&authenticator), self.sources.external_id.clone()));
        let sources = Sources::start(self.sources, ram, &self.clock, &self.dialect).await?;
        let cloud = Arc::new(Cloud {
            authenticator,
            documented_quotas: self.documented_quotas,
            quotas: self.quotas,
            counters: Counters::new(),
            dialect: self.dialect,
            started: self.clock.now(),
            clock: self.clock,
            http: AliyunSender::http(),
            delivery: self.delivery,
            state: Mutex::new(state),
            other_state: Mutex::new(other_state),
        });
        let server = Server::start(self.addr, Arc::clone(&cloud)).await?;
        Ok(MockAliyun { endpoint: server.endpoint(), cloud, sources, server, access_key, other_access_key })
    }
}
