//! The mock and its builder.

use std::{
    collections::HashMap,
    fmt, io,
    sync::{Arc, Mutex},
};

use jiff::Timestamp;

use super::{
    answer,
    auth::Authenticator,
    builder::MockAliyunBuilder,
    dialect::AliyunDialect,
    error::{ApiError, Result, SCRIPTED_WAIT},
    event::AliyunEvent,
    operations::{AliyunOperation, Context, Fields},
    request::{Api, ApiRequest},
    sources::Sources,
    state::{AliyunConfig, AliyunNotifyRecord, State},
};
use crate::{
    admin::{Control, Trigger},
    clock::Clock,
    credentials::{AccessKey, Owner, TemporaryAccessKey},
    delivery::{DeliveryPolicy, Http},
    faults::{Faults, Refusal},
    lock::lock,
    quota::{Counters, Quota},
    recorded::{RawRequest, ReceivedRequest},
    server::{Answer, Server, Service},
};

const LIVE: Api = Api { product: "live", host: "live.aliyuncs.com", version: "2016-11-01" };

/// A mock of the Aliyun Live API, of STS and of an instance's metadata, each on its own listener until the mock is dropped or shut
/// down.
///
/// See the [crate documentation](crate) for what it checks and what it refuses.
pub struct MockAliyun {
    pub(super) cloud: Arc<Cloud>,
    pub(super) sources: Sources,
    pub(super) server: Server,
    pub(super) endpoint: String,
    pub(super) access_key: AccessKey,
    pub(super) other_access_key: AccessKey,
}

impl MockAliyun {
    /// A mock with one random access key, any domain, no quotas, on a free port of the loopback interface.
    pub fn builder() -> MockAliyunBuilder {
        MockAliyunBuilder::new()
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

    /// A new temporary access key, as STS issues them, but without an end.
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

    pub(crate) fn controls(&self) -> [Control; 3] {
        let cloud = Arc::clone(&self.cloud);
        let trigger: Trigger = Arc::new(move |body| {
            let cloud = Arc::clone(&cloud);
            Box::pin(async move { cloud.trigger(AliyunEvent::custom(body)).await })
        });
        let clock = &self.cloud.clock;
        let live = Control { trigger: Some(trigger), ..self.server.control(Cloud::VENDOR, clock) };
        let [sts, metadata] = self.sources.controls(clock);
        [live, sts, metadata]
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

    /// Stops listening, lets requests in flight finish (for a few seconds at most) and returns when the ports are free.
    /// Dropping the mock stops it as well, but does not wait.
    pub async fn shutdown(self) {
        tokio::join!(self.server.shutdown(), self.sources.shutdown());
    }
}

impl fmt::Debug for MockAliyun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockAliyun")
            .field("endpoint", &self.endpoint)
            .field("sts_endpoint", &self.sts_endpoint())
            .field("metadata_endpoint", &self.metadata_endpoint())
            .field("access_key_id", &self.access_key.id)
            .finish_non_exhaustive()
    }
}

pub(super) struct Cloud {
    pub(super) authenticator: Arc<Authenticator>,
    pub(super) documented_quotas: bool,
    pub(super) quotas: HashMap<AliyunOperation, Quota>,
    pub(super) counters: Counters<(Owner, AliyunOperation)>,
    pub(super) dialect: AliyunDialect,
    pub(super) clock: Clock,
    /// What callbacks are sent with.
    pub(super) http: Http,
    pub(super) delivery: DeliveryPolicy,
    pub(super) started: Timestamp,
    pub(super) state: Mutex<State>,
    pub(super) other_state: Mutex<State>,
}

impl Service for Cloud {
    const VENDOR: &'static str = "aliyun";

    fn operation(&self, raw: &RawRequest) -> Option<&'static str> {
        ApiRequest::new(raw).action().and_then(AliyunOperation::named).map(AliyunOperation::as_str)
    }

    fn answer(&self, raw: &RawRequest) -> Answer {
        let request = ApiRequest::new(raw);
        self.write(&request, self.call(&request))
    }

    fn refuse(&self, raw: &RawRequest, refusal: Refusal) -> Answer {
        let error = match refusal {
            Refusal::Throttled => ApiError::throttled(&self.dialect, SCRIPTED_WAIT),
            Refusal::Denied => ApiError::denied(&self.dialect),
            Refusal::Unavailable => ApiError::unavailable(),
            Refusal::TokenExpired => ApiError::expired_security_token(),
        };
        self.write(&ApiRequest::new(raw), Err(error))
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Cloud {
    fn write(&self, request: &ApiRequest<'_>, outcome: Result<Fields>) -> Answer {
        let operation = request.action().and_then(AliyunOperation::named).map(AliyunOperation::as_str);
        answer::write(&LIVE, request, operation, outcome, &self.dialect)
    }

    fn call(&self, request: &ApiRequest<'_>) -> Result<Fields> {
        let operation = request.operation(&LIVE, AliyunOperation::named)?;
        let now = self.clock.now();
        let owner = self.authenticator.check(request, now)?.owner;
        if let Some(quota) = self.quota_of(operation)
            && !self.counters.take((owner, operation), quota, now)
        {
            return Err(ApiError::throttled(
                &self.dialect,
                self.counters.wait(&(owner, operation), quota, now),
            ));
        }
        let (own, others) = match owner {
            Owner::First => (&self.state, &self.other_state),
            Owner::Other => (&self.other_state, &self.state),
        };
        let is_foreign = |state: &State| {
            let domain = request.text("DomainName");
            domain.is_some_and(|domain| state.has_domain(domain))
        };
        // A domain that the first account has for there is no rule against it may be the other's.
        let is_foreign = match owner {
            Owner::First => is_foreign(&lock(others)),
            Owner::Other => !is_foreign(&lock(own)) && is_foreign(&lock(others)),
        };
        let mut state = lock(own);
        let (dialect, started) = (&self.dialect, self.started);
        Context { state: &mut state, dialect, now, started, is_foreign }.run(operation, request)
    }

    fn quota_of(&self, operation: AliyunOperation) -> Option<Quota> {
        let documented = self.documented_quotas.then(|| operation.documented_quota());
        self.quotas.get(&operation).copied().or(documented)
    }
}
