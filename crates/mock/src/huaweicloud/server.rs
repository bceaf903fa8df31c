//! The mock and its builder.

use std::{
    collections::HashSet,
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use super::{
    account::{Account, Project, User},
    answer,
    auth::{authenticate, check_project},
    dialect::HuaweicloudDialect,
    error::{ApiError, Result},
    event::HuaweicloudEvent,
    iam::Iam,
    operations::{Context, Success},
    request::{Operation, Route},
    sender::HuaweicloudSender,
    state::{HuaweicloudConfig, State},
};
use crate::{
    admin::{Control, Trigger},
    clock::Clock,
    credentials::{AccessKey, AccessKeys, Secret, TemporaryAccessKey, random_hex},
    delivery::{DeliveryPolicy, Http},
    faults::{Faults, Refusal},
    lag::Lagging,
    lock::lock,
    quota::{Counters, Quota},
    recorded::{RawRequest, ReceivedRequest},
    server::{Answer, Server, Service},
};

/// The quota all five operations share, for each user.
const DOCUMENTED_QUOTA: Quota = Quota { limit: 300, window: Duration::from_secs(60) };

/// A mock of the Huawei Cloud Live API and of IAM, each on its own listener until the mock is dropped or shut down.
///
/// See the [crate documentation](crate) for what it checks and what it refuses.
pub struct MockHuaweicloud {
    pub(super) live: Arc<Live>,
    live_server: Server,
    iam_server: Server,
    endpoint: String,
    iam_endpoint: String,
    access_key: AccessKey,
    user: User,
    project: Project,
}

impl MockHuaweicloud {
    /// A mock with one random access key, one IAM user, one project (`cn-north-4`), any domain and no quotas, on free
    /// ports of the loopback interface.
    pub fn builder() -> MockHuaweicloudBuilder {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        MockHuaweicloudBuilder {
            addr,
            iam_addr: addr,
            keys: AccessKeys::default(),
            users: Vec::new(),
            project: Project::new("cn-north-4"),
            more_projects: Vec::new(),
            domains: HashSet::new(),
            quota: None,
            token_lifetime: SignedDuration::from_hours(24),
            dialect: HuaweicloudDialect::default(),
            clock: Clock::system(),
            delivery: DeliveryPolicy::huaweicloud(),
        }
    }

    /// The address to send Live requests to, such as `http://127.0.0.1:41234`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The address to send IAM requests to.
    pub fn iam_endpoint(&self) -> &str {
        &self.iam_endpoint
    }

    /// The first permanent access key (AK).
    pub fn access_key(&self) -> &str {
        &self.access_key.id
    }

    /// The secret (SK) of the first permanent access key.
    pub fn secret_key(&self) -> &str {
        self.access_key.secret.expose()
    }

    /// The id of the default project.
    pub fn project_id(&self) -> &str {
        &self.project.id
    }

    /// The region, which is the name of the default project.
    pub fn region(&self) -> &str {
        &self.project.name
    }

    /// The account name of the first IAM user.
    pub fn iam_account(&self) -> &str {
        &self.user.account
    }

    /// The name of the first IAM user.
    pub fn iam_user(&self) -> &str {
        &self.user.name
    }

    /// The password of the first IAM user.
    pub fn iam_password(&self) -> &str {
        self.user.password.expose()
    }

    /// A new token of the first IAM user for the default project.
    pub fn issue_token(&self) -> String {
        self.live.account.issue_token(&self.user, Some(&self.project), self.live.clock.now()).0
    }

    /// Makes every token invalid, as a change of password does.
    pub fn revoke_tokens(&self) {
        self.live.account.revoke_tokens();
    }

    /// All configurations of the default project, in the order they were created.
    pub fn configs(&self) -> Vec<HuaweicloudConfig> {
        self.configs_of(&self.project.id)
    }

    /// All configurations of a project, in the order they were created.
    pub fn configs_of(&self, project_id: &str) -> Vec<HuaweicloudConfig> {
        lock(&self.live.state).project(project_id).to_vec()
    }

    /// The configuration of the default project for a domain and an app, compared literally.
    pub fn config(&self, publish_domain: &str, app: &str) -> Option<HuaweicloudConfig> {
        self.configs().into_iter().find(|config| config.publish_domain == publish_domain && config.app == app)
    }

    /// Stores a configuration in the default project as if somebody else had called the API, unchecked. Replaces one
    /// of the same id. The times are set by the mock's clock. Calls that read see it as late as they see other
    /// changes.
    pub fn put_config(&self, config: HuaweicloudConfig) {
        let now = self.live.clock.now();
        lock(&self.live.state).change(now).put(&self.project.id, config, now);
    }

    /// Removes a configuration of the default project as if somebody else had called the API.
    pub fn remove_config(&self, id: &str) -> Option<HuaweicloudConfig> {
        let now = self.live.clock.now();
        lock(&self.live.state).change(now).remove(&self.project.id, id)
    }

    /// Adds a permanent access key, or gives the one with this id another secret.
    pub fn put_access_key(&self, access_key: impl Into<String>, secret_key: impl Into<String>) {
        lock(&self.live.account.keys).add(AccessKey::permanent(access_key, secret_key));
    }

    /// A new temporary access key, as IAM issues them.
    pub fn issue_temporary_access_key(&self) -> TemporaryAccessKey {
        let key = TemporaryAccessKey::random("HST");
        lock(&self.live.account.keys).add(AccessKey::from(&key));
        key
    }

    /// Takes an access key away, temporary ones too; `false` when there is none with this id.
    pub fn remove_access_key(&self, access_key: &str) -> bool {
        lock(&self.live.account.keys).remove(access_key)
    }

    /// What is going to go wrong with Live requests.
    pub fn faults(&self) -> &Faults {
        self.live_server.faults()
    }

    /// What is going to go wrong with IAM requests.
    pub fn iam_faults(&self) -> &Faults {
        self.iam_server.faults()
    }

    pub(crate) fn controls(&self) -> [Control; 2] {
        let account = Arc::clone(&self.live.account);
        let iam = self.iam_server.control(Iam::VENDOR, &self.live.clock);
        let iam = Control { revoke_tokens: Some(Arc::new(move || account.revoke_tokens())), ..iam };
        let (live, project) = (Arc::clone(&self.live), self.project.id.clone());
        let trigger: Trigger = Arc::new(move |body| {
            let (live, project) = (Arc::clone(&live), project.clone());
            Box::pin(async move { live.trigger(&project, HuaweicloudEvent::custom(body)).await })
        });
        let live = self.live_server.control(Live::VENDOR, &self.live.clock);
        [Control { trigger: Some(trigger), ..live }, iam]
    }

    /// The clock the mock lives by, and IAM with it.
    pub fn clock(&self) -> &Clock {
        &self.live.clock
    }

    /// Refuses connections to the Live API from now on, and ends those that are there. Fails if the port is lost to
    /// somebody else.
    pub async fn refuse_connections(&self) -> io::Result<()> {
        self.live_server.gate().set_open(false).await
    }

    /// Takes connections to the Live API again.
    pub async fn accept_connections(&self) -> io::Result<()> {
        self.live_server.gate().set_open(true).await
    }

    /// Every Live request received so far, refused ones included, in the order they were answered; the newest
    /// 100,000.
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.live_server.requests()
    }

    /// Every IAM request received so far; the newest 100,000.
    pub fn iam_requests(&self) -> Vec<ReceivedRequest> {
        self.iam_server.requests()
    }

    /// How many TCP connections the Live listener accepted so far.
    pub fn connections(&self) -> usize {
        self.live_server.connections()
    }

    /// How many TCP connections the IAM listener accepted so far.
    pub fn iam_connections(&self) -> usize {
        self.iam_server.connections()
    }

    /// Stops listening, lets requests in flight finish (for a few seconds at most) and returns when the ports are
    /// free. Dropping the mock stops it as well, but does not wait.
    pub async fn shutdown(self) {
        tokio::join!(self.live_server.shutdown(), self.iam_server.shutdown());
    }
}

impl fmt::Debug for MockHuaweicloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockHuaweicloud")
            .field("endpoint", &self.endpoint)
            .field("iam_endpoint", &self.iam_endpoint)
            .field("access_key", &self.access_key.id)
            .field("project_id", &self.project.id)
            .field("region", &self.project.name)
            .finish_non_exhaustive()
    }
}

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
    domains: HashSet<String>,
    quota: Option<Quota>,
    token_lifetime: SignedDuration,
    dialect: HuaweicloudDialect,
    clock: Clock,
    delivery: DeliveryPolicy,
}

impl MockHuaweicloudBuilder {
    /// Where the Live API listens; port 0 picks a free one.
    pub fn addr(mut self, addr: SocketAddr) -> Self {
        self.addr = addr;
        self
    }

    /// Where IAM listens; port 0 picks a free one.
    pub fn iam_addr(mut self, addr: SocketAddr) -> Self {
        self.iam_addr = addr;
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
        self.domains.insert(name.into());
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
        self.token_lifetime = SignedDuration::try_from(lifetime).unwrap_or(SignedDuration::MAX);
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
        let iam = Arc::new(Iam { account: Arc::clone(&account), clock: self.clock.clone() });
        let state = Lagging::new(State::default(), self.dialect.read_lag_milliseconds);
        let live = Arc::new(Live {
            account,
            domains: self.domains,
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
            access_key,
            user,
            project: self.project,
        })
    }
}

pub(super) struct Live {
    account: Arc<Account>,
    domains: HashSet<String>,
    quota: Option<Quota>,
    counters: Counters<String>,
    pub(super) dialect: HuaweicloudDialect,
    pub(super) clock: Clock,
    /// What callbacks are sent with.
    pub(super) http: Http,
    pub(super) delivery: DeliveryPolicy,
    pub(super) state: Mutex<Lagging<State>>,
}

impl Service for Live {
    const VENDOR: &'static str = "huaweicloud";

    fn operation(&self, raw: &RawRequest) -> Option<&'static str> {
        Route::of(&raw.path)?.operation(&raw.method).map(Operation::as_str)
    }

    fn answer(&self, raw: &RawRequest) -> Answer {
        let (now, order) = (self.clock.now(), self.dialect.field_order);
        let route = Route::of(&raw.path);
        let operation = route.as_ref().and_then(|route| route.operation(&raw.method));
        let mut answer = match self.call(raw, route.as_ref(), operation, now) {
            Ok((status, body)) => answer::write(status, body.as_ref(), order, now),
            Err(error) => answer::write_error(&error, order, now),
        };
        answer.operation = operation.map(Operation::as_str);
        answer
    }

    fn refuse(&self, _: &RawRequest, refusal: Refusal) -> Answer {
        let error = match refusal {
            Refusal::Throttled => ApiError::throttled(&self.dialect, self.quota.unwrap_or(DOCUMENTED_QUOTA)),
            Refusal::Denied => ApiError::denied(),
            Refusal::Unavailable => ApiError::unavailable(),
            Refusal::TokenExpired => ApiError::token_not_valid(),
        };
        answer::write_error(&error, self.dialect.field_order, self.now())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Live {
    fn call(
        &self,
        raw: &RawRequest,
        route: Option<&Route>,
        operation: Option<Operation>,
        now: Timestamp,
    ) -> Result<Success> {
        let route = route.ok_or_else(ApiError::unknown_api)?;
        let caller = authenticate(&self.account, self.dialect.query_on_wire, raw, now)?;
        check_project(&self.account, &caller, raw, &route.project_id)?;
        if let Some(quota) = self.quota
            && !self.counters.take(caller.name, quota, now)
        {
            return Err(ApiError::throttled(&self.dialect, quota));
        }
        let operation = operation.ok_or_else(ApiError::method_not_supported)?;
        let mut state = lock(&self.state);
        let (domains, dialect) = (&self.domains, &self.dialect);
        Context { state: &mut state, domains, dialect, now }.run(operation, route, raw)
    }
}
