//! The builder of the mock.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::SignedDuration;

use super::{
    account::{Account, Accounts, Project, User},
    dialect::HuaweicloudDialect,
    iam::Iam,
    live::{DOCUMENTED_QUOTA, Live},
    metadata::MetadataTokens,
    operations::{DomainKind, Domains},
    sender::HuaweicloudSender,
    server::MockHuaweicloud,
    sources::{Settings, Sources},
    state::State,
    trust::Trust,
};
use crate::{
    clock::Clock,
    credentials::{AccessKey, AccessKeys, Secret, random_hex},
    delivery::DeliveryPolicy,
    lag::Lagging,
    quota::{Counters, Quota},
    server::Server,
    session,
};

/// Prepares a [`MockHuaweicloud`].
#[derive(Debug, Clone)]
#[must_use]
pub struct MockHuaweicloudBuilder {
    addr: SocketAddr,
    iam_addr: SocketAddr,
    keys: AccessKeys,
    users: Vec<User>,
    project: Project,
    more_projects: Vec<Project>,
    domains: Domains,
    other_domains: Domains,
    quota: Option<Quota>,
    token_lifetime: SignedDuration,
    dialect: HuaweicloudDialect,
    clock: Clock,
    delivery: DeliveryPolicy,
    sources: Settings,
}

impl MockHuaweicloudBuilder {
    pub(super) fn new() -> Self {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            addr,
            iam_addr: addr,
            keys: AccessKeys::default(),
            users: Vec::new(),
            project: Project::new("cn-north-4"),
            more_projects: Vec::new(),
            domains: Domains::new(),
            other_domains: Domains::new(),
            quota: None,
            token_lifetime: SignedDuration::from_hours(24),
            dialect: HuaweicloudDialect::default(),
            clock: Clock::system(),
            delivery: DeliveryPolicy::huaweicloud(),
            sources: Settings {
                metadata_addr: addr,
                metadata_tokens: MetadataTokens::default(),
                has_agency: true,
                session_lifetime: SignedDuration::from_hours(24),
            },
        }
    }

    /// Where the Live API listens; port 0 picks a free one.
    pub fn addr(mut self, addr: SocketAddr) -> Self {
        self.addr = addr;
        self
    }

    /// Where IAM and STS listen; port 0 picks a free one.
    pub fn iam_addr(mut self, addr: SocketAddr) -> Self {
        self.iam_addr = addr;
        self
    }

    /// Where the metadata service listens; port 0 picks a free one.
    pub fn metadata_addr(mut self, addr: SocketAddr) -> Self {
        self.sources.metadata_addr = addr;
        self
    }

    /// Adds a permanent access key to the account. Without any, the mock makes one up.
    pub fn access_key(mut self, access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        self.keys.add(AccessKey::permanent(access_key, secret_key));
        self
    }

    /// Adds a temporary access key, which works only together with its security token.
    pub fn temporary_access_key(
        mut self,
        access_key: impl Into<String>,
        secret_key: impl Into<String>,
        security_token: impl Into<String>,
    ) -> Self {
        self.keys.add(AccessKey::temporary(access_key, secret_key, security_token));
        self
    }

    /// Adds an IAM user who can get tokens for a password. Without any, the mock makes one up.
    pub fn user(
        mut self,
        account: impl Into<String>,
        name: impl Into<String>,
        password: impl Into<String>,
    ) -> Self {
        self.users.push(User { account: account.into(), name: name.into(), password: Secret::new(password) });
        self
    }

    /// Sets the region, which is the name of the default project.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.project.name = region.into();
        self
    }

    /// Sets the id of the default project. Otherwise it is random.
    pub fn project_id(mut self, id: impl Into<String>) -> Self {
        self.project.id = id.into();
        self
    }

    /// Adds another project to the account.
    pub fn project(mut self, name: impl Into<String>, id: impl Into<String>) -> Self {
        self.more_projects.push(Project { name: name.into(), id: id.into() });
        self
    }

    /// Registers an ingest domain. As soon as one domain is registered, the account has no others.
    pub fn domain(mut self, name: impl Into<String>) -> Self {
        self.domains.insert(name.into(), DomainKind::Ingest);
        self
    }

    /// Registers a streaming (playback) domain, which has no callbacks. The same holds.
    pub fn streaming_domain(mut self, name: impl Into<String>) -> Self {
        self.domains.insert(name.into(), DomainKind::Streaming);
        self
    }

    /// Registers an ingest domain of the other account; see [`MockHuaweicloud::other_account_id`].
    pub fn other_domain(mut self, name: impl Into<String>) -> Self {
        self.other_domains.insert(name.into(), DomainKind::Ingest);
        self
    }

    /// Whether the documented quota holds: 300 requests per minute and user for the five operations together. Off by
    /// default. An access key counts as a user of its own.
    pub fn quotas(mut self, on: bool) -> Self {
        self.quota = on.then_some(DOCUMENTED_QUOTA);
        self
    }

    /// Sets another quota for the five operations together.
    pub fn quota(mut self, limit: u32, window: Duration) -> Self {
        self.quota = Some(Quota { limit, window });
        self
    }

    /// How long tokens are valid; 24 hours by default.
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.token_lifetime = session::lifetime(lifetime);
        self
    }

    /// Which reading of the documentation to follow.
    pub fn dialect(mut self, dialect: HuaweicloudDialect) -> Self {
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

    /// Whether the metadata service asks for tokens of its own; it takes them by default, and does without.
    pub fn metadata_tokens(mut self, tokens: MetadataTokens) -> Self {
        self.sources.metadata_tokens = tokens;
        self
    }

    /// Takes the agency from the server: its metadata has no keys.
    pub fn without_agency(mut self) -> Self {
        self.sources.has_agency = false;
        self
    }

    /// How long keys of the metadata service and of [`MockHuaweicloud::pod_identity_uri`] are good; 24 hours by
    /// default. Who asks gets the same key until half of that is over.
    pub fn session_lifetime(mut self, lifetime: Duration) -> Self {
        self.sources.session_lifetime = session::lifetime(lifetime);
        self
    }

    /// Starts to listen.
    pub async fn start(mut self) -> io::Result<MockHuaweicloud> {
        let access_key = self.keys.permanent_or_new("HWMOCK");
        let user = self.users.first().cloned().unwrap_or_else(|| User {
            account: "mock-account".to_owned(),
            name: "mock-user".to_owned(),
            password: Secret::new(random_hex()),
        });
        if self.users.is_empty() {
            self.users.push(user.clone());
        }
        let mut projects = vec![self.project.clone()];
        projects.append(&mut self.more_projects);
        let account = Arc::new(Account {
            id: random_hex(),
            keys: Mutex::new(self.keys),
            users: self.users,
            projects,
            token_lifetime: self.token_lifetime,
            tokens: Mutex::default(),
        });
        let other_access_key = AccessKey::of_other_account("HWMOCK");
        let mut other_keys = AccessKeys::default();
        other_keys.add(other_access_key.clone());
        let other = Arc::new(Account {
            id: random_hex(),
            keys: Mutex::new(other_keys),
            users: vec![User {
                account: "mock-other-account".to_owned(),
                name: "mock-other-user".to_owned(),
                password: Secret::new(random_hex()),
            }],
            projects: vec![Project::new(self.project.name.clone())],
            token_lifetime: self.token_lifetime,
            tokens: Mutex::default(),
        });
        let accounts = Accounts { first: Arc::clone(&account), other };
        let trust = Arc::new(Trust::new(&account));
        let iam = Arc::new(Iam {
            accounts: accounts.clone(),
            dialect: self.dialect.clone(),
            trust: Arc::clone(&trust),
            clock: self.clock.clone(),
        });
        let sources = Sources::start(self.sources, account, trust, &self.clock).await?;
        let state = Lagging::new(State::default(), self.dialect.read_lag_milliseconds);
        let live = Arc::new(Live {
            accounts,
            domains: self.domains,
            other_domains: self.other_domains,
            quota: self.quota,
            counters: Counters::new(),
            dialect: self.dialect,
            clock: self.clock,
            http: HuaweicloudSender::http(),
            delivery: self.delivery,
            state: Mutex::new(state),
        });
        let live_server = Server::start(self.addr, Arc::clone(&live)).await?;
        let iam_server = Server::start(self.iam_addr, iam).await?;
        Ok(MockHuaweicloud {
            endpoint: live_server.endpoint(),
            iam_endpoint: iam_server.endpoint(),
            live,
            live_server,
            iam_server,
            sources,
            access_key,
            other_access_key,
            user,
            project: self.project,
        })
    }
}
