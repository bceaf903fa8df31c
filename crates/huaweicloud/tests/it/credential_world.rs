//! A mock cloud, and a machine with credentials of every kind for it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use record_callback_core::Result;
use record_callback_http::{
    AccessKey, Clock, CredentialChain, CredentialProvider, Endpoint, FixedEnv, Network, Quotas, RetryPolicy,
    SourceContext,
};
use record_callback_huaweicloud::{HuaweicloudClient, HuaweicloudClientBuilder, ListQuery, default_chain};
use record_callback_mock::{MockHuaweicloud, MockHuaweicloudBuilder, ReceivedRequest};
use tempfile::TempDir;

pub(crate) const METADATA: &str = "RECORD_CALLBACK_HUAWEICLOUD_METADATA_ENDPOINT";
pub(crate) const STS: &str = "HUAWEICLOUD_SDK_STS_ENDPOINT";
pub(crate) const FILE: &str = "HUAWEICLOUD_SDK_CREDENTIALS_FILE";
pub(crate) const PROJECT: &str = "HUAWEICLOUD_SDK_PROJECT_ID";

/// The mock's clock, and what a wrong one is ahead of it.
#[derive(Debug, Clone)]
pub(crate) struct MachineClock(record_callback_mock::Clock, SignedDuration);

impl Clock for MachineClock {
    fn now(&self) -> jiff::Timestamp {
        self.0.now() + self.1
    }
}

/// A cloud, and the variables and files of a machine. No metadata answer unless they are set up.
pub(crate) struct World {
    pub(crate) cloud: MockHuaweicloud,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) ahead: SignedDuration,
    directory: TempDir,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_as(MockHuaweicloud::builder()).await
    }

    pub(crate) async fn start_as(cloud: MockHuaweicloudBuilder) -> Self {
        let clock = record_callback_mock::Clock::fixed("2026-01-02T03:04:05Z".parse().unwrap());
        let cloud = cloud.clock(clock).start().await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let (variables, ahead) = (BTreeMap::new(), SignedDuration::ZERO);
        let mut world = Self { cloud, variables, ahead, directory };
        let home = world.directory.path().to_str().unwrap().to_owned();
        let (sts, project) = (world.cloud.sts_endpoint().to_owned(), world.cloud.project_id().to_owned());
        world.set("HOME", home.clone()).set("USERPROFILE", home).set(STS, sts).set(PROJECT, project);
        let nobody = nobody().await;
        world.set(METADATA, nobody);
        world
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) -> &mut Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// Takes away the variables that begin so.
    pub(crate) fn unset(&mut self, prefix: &str) -> &mut Self {
        self.variables.retain(|name, _| !name.starts_with(prefix));
        self
    }

    /// Writes a file of the home directory.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The same as a text.
    pub(crate) fn place(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// An agency by OIDC, its token in the file `oidc`.
    pub(crate) fn with_oidc(mut self) -> Self {
        self.write("oidc", &format!("{}\n", self.cloud.issue_id_token()));
        let (provider, agency) =
            (self.cloud.oidc_provider_urn().to_owned(), self.cloud.agency_urn().to_owned());
        let file = self.place("oidc");
        self.set("HUAWEICLOUD_OIDC_PROVIDER_URN", provider)
            .set("HUAWEICLOUD_OIDC_AGENCY_URN", agency)
            .set("HUAWEICLOUD_OIDC_TOKEN_FILE", file);
        self
    }

    /// A user of an identity provider in the environment, its token in the file `idp`.
    pub(crate) fn with_idp(mut self) -> Self {
        self.write("idp", &format!("{}\n", self.cloud.issue_id_token()));
        let (id, file) = (self.cloud.idp_id().to_owned(), self.place("idp"));
        self.set("HUAWEICLOUD_SDK_IDP_ID", id).set("HUAWEICLOUD_SDK_ID_TOKEN_FILE", file);
        self
    }

    /// A key in these variables of the environment.
    pub(crate) fn with_key(mut self, [id, secret]: [&str; 2]) -> Self {
        let (key, its_secret) = (self.cloud.access_key().to_owned(), self.cloud.secret_key().to_owned());
        self.set(id, key).set(secret, its_secret);
        self
    }

    /// A file with a key in the place where it is looked for.
    pub(crate) fn with_profile(self) -> Self {
        self.write_profile(&format!("ak = {}\nsk = {}", self.cloud.access_key(), self.cloud.secret_key()));
        self
    }

    /// Writes section `[basic]`, with the project.
    pub(crate) fn write_profile(&self, fields: &str) {
        let project = self.cloud.project_id();
        self.write(
            ".huaweicloud/credentials",
            &format!("# mine\n[basic]\n{fields}\nproject_id = {project}\n"),
        );
    }

    pub(crate) fn with_metadata(mut self) -> Self {
        let endpoint = self.cloud.metadata_endpoint().to_owned();
        self.set(METADATA, endpoint);
        self
    }

    /// Pod identity, its token in the file `pod`.
    pub(crate) fn with_pod(mut self) -> Self {
        self.write("pod", &format!("{}\n", self.cloud.issue_pod_token()));
        let (uri, file) = (self.cloud.pod_identity_uri(), self.place("pod"));
        self.set("HC_CONTAINER_CREDENTIALS_FULL_URI", uri).set("HC_CONTAINER_AUTHORIZATION_TOKEN_FILE", file);
        self
    }

    fn env(&self) -> FixedEnv {
        self.variables.clone().into_iter().collect()
    }

    fn clock(&self) -> MachineClock {
        MachineClock(self.cloud.clock().clone(), self.ahead)
    }

    pub(crate) fn chain(&self) -> CredentialChain {
        let iam = Endpoint::parse("iam", self.cloud.iam_endpoint(), false).unwrap();
        let (env, clock) = (Arc::new(self.env()), Arc::new(self.clock()));
        let context = SourceContext { env, clock, network: Network::default(), retry: retry() };
        default_chain(&context, &iam)
    }

    /// A client without a word about credentials or projects.
    pub(crate) fn builder(&self) -> HuaweicloudClientBuilder {
        HuaweicloudClient::builder()
            .endpoint(self.cloud.endpoint())
            .iam_endpoint(self.cloud.iam_endpoint())
            .env(self.env())
            .clock(self.clock())
            .retry(retry())
            .quotas(Quotas::unlimited())
    }

    pub(crate) fn client(&self) -> HuaweicloudClient {
        self.builder().build().unwrap()
    }

    /// The key that the chain has now.
    pub(crate) async fn key(&self) -> Result<Arc<AccessKey>> {
        self.chain().access_key().await
    }

    /// Why there is none.
    pub(crate) async fn refusal(&self) -> String {
        self.key().await.unwrap_err().message().to_owned()
    }

    pub(crate) fn pass(&self, minutes: i64) {
        self.cloud.clock().advance(SignedDuration::from_mins(minutes));
    }
}

/// Whether the cloud takes what the client signs.
pub(crate) async fn list(client: &HuaweicloudClient) -> Result<()> {
    client.list_record_callback_configs(&ListQuery::default()).await.map(drop)
}

/// Method, last word of the path and status.
pub(crate) fn brief(requests: &[ReceivedRequest]) -> Vec<String> {
    let word = |request: &ReceivedRequest| request.path().rsplit('/').next().unwrap().to_owned();
    requests
        .iter()
        .map(|request| format!("{} {} {}", request.method(), word(request), request.status()))
        .collect()
}

fn retry() -> RetryPolicy {
    let delay = Duration::from_millis(1);
    RetryPolicy::default().delays(delay, delay)
}

/// An address where nobody listens.
pub(crate) async fn nobody() -> String {
    let cloud = MockHuaweicloud::builder().start().await.unwrap();
    let address = cloud.metadata_endpoint().to_owned();
    cloud.shutdown().await;
    address
}
