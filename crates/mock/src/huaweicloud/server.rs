//! The mock.

use std::{fmt, io, sync::Arc};

use super::{
    account::{Project, User},
    builder::MockHuaweicloudBuilder,
    event::HuaweicloudEvent,
    iam::Iam,
    live::Live,
    sources::Sources,
    state::HuaweicloudConfig,
};
use crate::{
    admin::{Control, Trigger},
    clock::Clock,
    credentials::{AccessKey, TemporaryAccessKey},
    faults::Faults,
    lock::lock,
    recorded::ReceivedRequest,
    server::{Server, Service},
};

/// A mock of the Huawei Cloud Live API, of IAM and of a server's metadata, each on its own listener until the mock is
/// dropped or shut down.
///
/// See the [crate documentation](crate) for what it checks and what it refuses.
pub struct MockHuaweicloud {
    pub(super) live: Arc<Live>,
    pub(super) live_server: Server,
    pub(super) iam_server: Server,
    pub(super) sources: Sources,
    pub(super) endpoint: String,
    pub(super) iam_endpoint: String,
    pub(super) access_key: AccessKey,
    pub(super) other_access_key: AccessKey,
    pub(super) user: User,
    pub(super) project: Project,
}

impl MockHuaweicloud {
    /// A mock with one random access key, one IAM user, one project (`cn-north-4`), any domain and no quotas, on free
    /// ports of the loopback interface.
    pub fn builder() -> MockHuaweicloudBuilder {
        MockHuaweicloudBuilder::new()
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

    /// The id of the account (domain): 32 hexadecimal digits.
    pub fn account_id(&self) -> &str {
        &self.live.accounts.first.id
    }

    /// The id of another account of the same cloud. It has one key, one user, one project of the region, no domain but those
    /// of [`MockHuaweicloudBuilder::other_domain`], and nothing of the first account's.
    pub fn other_account_id(&self) -> &str {
        &self.live.accounts.other.id
    }

    /// The other account's access key (AK).
    pub fn other_access_key(&self) -> &str {
        &self.other_access_key.id
    }

    /// The secret (SK) of the other account's access key.
    pub fn other_secret_key(&self) -> &str {
        self.other_access_key.secret.expose()
    }

    /// The id of the other account's project.
    pub fn other_project_id(&self) -> &str {
        self.live.accounts.other.projects.first().map_or("", |project| project.id.as_str())
    }

    /// A new token of the other account's user for its project.
    pub fn issue_other_token(&self) -> String {
        let other = &self.live.accounts.other;
        let user = other.users.first().unwrap_or(&self.user);
        other.issue_token(user, other.projects.first(), self.live.clock.now()).0
    }

    /// A new token of the first IAM user for the default project.
    pub fn issue_token(&self) -> String {
        self.live.accounts.first.issue_token(&self.user, Some(&self.project), self.live.clock.now()).0
    }

    /// Makes every token invalid, as a change of password does.
    pub fn revoke_tokens(&self) {
        self.live.accounts.first.revoke_tokens();
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
        lock(&self.live.accounts.first.keys).add(AccessKey::permanent(access_key, secret_key));
    }

    /// A new temporary access key, as IAM issues them, but without an end.
    pub fn issue_temporary_access_key(&self) -> TemporaryAccessKey {
        let key = TemporaryAccessKey::random("HST");
        lock(&self.live.accounts.first.keys).add(AccessKey::from(&key));
        key
    }

    /// Takes an access key away, temporary ones too; `false` when there is none with this id.
    pub fn remove_access_key(&self, access_key: &str) -> bool {
        lock(&self.live.accounts.first.keys).remove(access_key)
    }

    /// What is going to go wrong with Live requests.
    pub fn faults(&self) -> &Faults {
        self.live_server.faults()
    }

    /// What is going to go wrong with IAM requests.
    pub fn iam_faults(&self) -> &Faults {
        self.iam_server.faults()
    }

    pub(crate) fn controls(&self) -> [Control; 3] {
        let account = Arc::clone(&self.live.accounts.first);
        let iam = self.iam_server.control(Iam::VENDOR, &self.live.clock);
        let iam = Control { revoke_tokens: Some(Arc::new(move || account.revoke_tokens())), ..iam };
        let (live, project) = (Arc::clone(&self.live), self.project.id.clone());
        let trigger: Trigger = Arc::new(move |body| {
            let (live, project) = (Arc::clone(&live), project.clone());
            Box::pin(async move { live.trigger(&project, HuaweicloudEvent::custom(body)).await })
        });
        let live = self.live_server.control(Live::VENDOR, &self.live.clock);
        [Control { trigger: Some(trigger), ..live }, iam, self.sources.control(&self.live.clock)]
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
        tokio::join!(self.live_server.shutdown(), self.iam_server.shutdown(), self.sources.shutdown());
    }
}

impl fmt::Debug for MockHuaweicloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockHuaweicloud")
            .field("endpoint", &self.endpoint)
            .field("iam_endpoint", &self.iam_endpoint)
            .field("metadata_endpoint", &self.metadata_endpoint())
            .field("access_key", &self.access_key.id)
            .field("project_id", &self.project.id)
            .field("region", &self.project.name)
            .finish_non_exhaustive()
    }
}
