//! The mock and its builder.

use std::{
    collections::HashMap,
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use super::{
    answer,
    auth::Authenticator,
    dialect::AliyunDialect,
    error::{ApiError, Result},
    event::AliyunEvent,
    operations::{AliyunOperation, Context, Fields},
    request::ApiRequest,
    sender::AliyunSender,
    state::{AliyunConfig, AliyunNotifyRecord, DomainKind, State},
};
use crate::{
    admin::{Control, Trigger},
    clock::Clock,
    credentials::{AccessKey, AccessKeys, TemporaryAccessKey},
    delivery::{DeliveryPolicy, Http},
    faults::{Faults, Refusal},
    lock::lock,
    quota::{Counters, Quota},
    recorded::{RawRequest, ReceivedRequest},
    server::{Answer, Server, Service},
};

/// How long who is throttled by a script is asked to wait, where the dialect asks at all.
const SCRIPTED_WAIT: Duration = Duration::from_millis(20);

/// A mock of the Aliyun Live API, listening until it is dropped or shut down.
///
/// See the [crate documentation](crate) for what it checks and what it refuses.
pub struct MockAliyun {
    pub(super) cloud: Arc<Cloud>,
    server: Server,
    endpoint: String,
    access_key: AccessKey,
}

impl MockAliyun {
    /// A mock with one random access key, any domain, no quotas, on a free port of the loopback interface.
    pub fn builder() -> MockAliyunBuilder {
        MockAliyunBuilder {
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            keys: AccessKeys::default(),
            domains: Vec::new(),
            documented_quotas: false,
            quotas: HashMap::new(),
            dialect: AliyunDialect::default(),
            clock: Clock::system(),
            delivery: DeliveryPolicy::aliyun(),
        }
    }

    /// The address to send requests to, such as `http://127.0.0.1:41234`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The id of the first permanent access key.
    pub fn access_key_id(&self) -> &str {
        &self.access_key.id
    }

    /// The secret of the first permanent access key.
    pub fn access_key_secret(&self) -> &str {
        self.access_key.secret.expose()
    }

    /// All stored configurations, by domain name.
    pub fn configs(&self) -> Vec<AliyunConfig> {
        lock(&self.cloud.state).configs.values().cloned().collect()
    }

    /// The stored configuration of a domain.
    pub fn config(&self, domain_name: &str) -> Option<AliyunConfig> {
        lock(&self.cloud.state).configs.get(domain_name).cloned()
    }

    /// Stores a configuration as if somebody else had called the API, unchecked. Replaces one of the same domain.
    /// Calls that read see it as late as they see other changes.
    pub fn put_config(&self, config: AliyunConfig) {
        let now = self.cloud.clock.now();
        lock(&self.cloud.state).configs.change(now).insert(config.domain_name.clone(), config);
    }

    /// Removes a configuration as if somebody else had called the API.
    pub fn remove_config(&self, domain_name: &str) -> Option<AliyunConfig> {
        let now = self.cloud.clock.now();
        lock(&self.cloud.state).configs.change(now).remove(domain_name)
    }

    /// Adds a delivery to what `DescribeLiveRecordNotifyRecords` lists.
    pub fn add_notify_record(&self, record: AliyunNotifyRecord) {
        lock(&self.cloud.state).records.push(record);
    }

    /// Adds a permanent access key, or gives the one with this id another secret.
    pub fn put_access_key(&self, id: impl Into<String>, secret: impl Into<String>) {
        lock(&self.cloud.authenticator.keys).add(AccessKey::permanent(id, secret));
    }

    /// A new temporary access key, as STS issues them.
    pub fn issue_temporary_access_key(&self) -> TemporaryAccessKey {
        let key = TemporaryAccessKey::random("STS.");
        lock(&self.cloud.authenticator.keys).add(AccessKey::from(&key));
        key
    }

    /// Takes an access key away, temporary ones too; `false` when there is none with this id.
    pub fn remove_access_key(&self, id: &str) -> bool {
        lock(&self.cloud.authenticator.keys).remove(id)
    }

    /// What is going to go wrong.
    pub fn faults(&self) -> &Faults {
        self.server.faults()
    }

    pub(crate) fn control(&self) -> Control {
        let cloud = Arc::clone(&self.cloud);
        let trigger: Trigger = Arc::new(move |body| {
            let cloud = Arc::clone(&cloud);
            Box::pin(async move { cloud.trigger(AliyunEvent::custom(body)).await })
        });
        Control { trigger: Some(trigger), ..self.server.control(Cloud::VENDOR, &self.cloud.clock) }
    }

    /// The clock the mock lives by.
    pub fn clock(&self) -> &Clock {
        &self.cloud.clock
    }

    /// Refuses connections from now on, and ends those that are there. Fails if the port is lost to somebody else.
    pub async fn refuse_connections(&self) -> io::Result<()> {
        self.server.gate().set_open(false).await
    }

    /// Takes connections again.
    pub async fn accept_connections(&self) -> io::Result<()> {
        self.server.gate().set_open(true).await
    }

    /// Every request received so far, refused ones included, in the order they were answered; the newest
    /// 100,000.
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.server.requests()
    }

    /// How many TCP connections were accepted so far.
    pub fn connections(&self) -> usize {
        self.server.connections()
    }

    /// Stops listening, lets requests in flight finish (for a few seconds at most) and returns when the port is free.
    /// Dropping the mock stops it as well, but does not wait.
    pub async fn shutdown(self) {
        self.server.shutdown().await;
    }
}

impl fmt::Debug for MockAliyun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockAliyun")
            .field("endpoint", &self.endpoint)
            .field("access_key_id", &self.access_key.id)
            .finish_non_exhaustive()
    }
}

/// Prepares a [`MockAliyun`].
#[derive(Debug, Clone)]
#[must_use]
pub struct MockAliyunBuilder {
    addr: SocketAddr,
    keys: AccessKeys,
    domains: Vec<(String, DomainKind)>,
    documented_quotas: bool,
    quotas: HashMap<AliyunOperation, Quota>,
    dialect: AliyunDialect,
    clock: Clock,
    delivery: DeliveryPolicy,
}

impl MockAliyunBuilder {
    /// Where to listen; port 0 picks a free one.
    pub fn addr(mut self, addr: SocketAddr) -> Self {
        self.addr = addr;
        self
    }

    /// Adds a permanent access key to the account. Without any, the mock makes one up.
    pub fn access_key(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.keys.add(AccessKey::permanent(id, secret));
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

    /// Starts to listen.
    pub async fn start(mut self) -> io::Result<MockAliyun> {
        let access_key = self.keys.permanent_or_new("LTAI5t");
        let state = State::new(self.domains, self.dialect.read_lag_milliseconds);
        let window = SignedDuration::from_mins(self.dialect.timestamp_window_minutes.into());
        let cloud = Arc::new(Cloud {
            authenticator: Authenticator::new(self.keys, window),
            documented_quotas: self.documented_quotas,
            quotas: self.quotas,
            counters: Counters::new(),
            dialect: self.dialect,
            started: self.clock.now(),
            clock: self.clock,
            http: AliyunSender::http(),
            delivery: self.delivery,
            state: Mutex::new(state),
        });
        let server = Server::start(self.addr, Arc::clone(&cloud)).await?;
        Ok(MockAliyun { endpoint: server.endpoint(), cloud, server, access_key })
    }
}

pub(super) struct Cloud {
    authenticator: Authenticator,
    documented_quotas: bool,
    quotas: HashMap<AliyunOperation, Quota>,
    counters: Counters<AliyunOperation>,
    pub(super) dialect: AliyunDialect,
    pub(super) clock: Clock,
    /// What callbacks are sent with.
    pub(super) http: Http,
    pub(super) delivery: DeliveryPolicy,
    started: Timestamp,
    pub(super) state: Mutex<State>,
}

impl Service for Cloud {
    const VENDOR: &'static str = "aliyun";

    fn operation(&self, raw: &RawRequest) -> Option<&'static str> {
        ApiRequest::new(raw).action().and_then(AliyunOperation::named).map(AliyunOperation::as_str)
    }

    fn answer(&self, raw: &RawRequest) -> Answer {
        let request = ApiRequest::new(raw);
        answer::write(&request, self.call(&request), &self.dialect)
    }

    fn refuse(&self, raw: &RawRequest, refusal: Refusal) -> Answer {
        let error = match refusal {
            Refusal::Throttled => ApiError::throttled(&self.dialect, SCRIPTED_WAIT),
            Refusal::Denied => ApiError::denied(&self.dialect),
            Refusal::Unavailable => ApiError::unavailable(),
            Refusal::TokenExpired => ApiError::expired_security_token(),
        };
        answer::write(&ApiRequest::new(raw), Err(error), &self.dialect)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Cloud {
    fn call(&self, request: &ApiRequest<'_>) -> Result<Fields> {
        let operation = request.operation()?;
        let now = self.clock.now();
        self.authenticator.check(request, now)?;
        if let Some(quota) = self.quota_of(operation)
            && !self.counters.take(operation, quota, now)
        {
            return Err(ApiError::throttled(&self.dialect, self.counters.wait(&operation, quota, now)));
        }
        let mut state = lock(&self.state);
        let (dialect, started) = (&self.dialect, self.started);
        Context { state: &mut state, dialect, now, started }.run(operation, request)
    }

    fn quota_of(&self, operation: AliyunOperation) -> Option<Quota> {
        let documented = self.documented_quotas.then(|| operation.documented_quota());
        self.quotas.get(&operation).copied().or(documented)
    }
}
