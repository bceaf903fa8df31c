//! What keys come from besides the account: IAM with STS, and the metadata listener.

use std::{io, net::SocketAddr, sync::Arc};

use jiff::SignedDuration;

use super::{
    account::Account,
    metadata::{self, Metadata, MetadataTokens},
    server::MockHuaweicloud,
    trust::{KEY_PREFIX, Trust},
};
use crate::{
    admin::Control,
    clock::Clock,
    faults::Faults,
    recorded::ReceivedRequest,
    server::{Server, Service},
    session::{MachineKey, Proofs},
};

/// How the metadata listener is set up.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) metadata_addr: SocketAddr,
    pub(super) metadata_tokens: MetadataTokens,
    pub(super) has_agency: bool,
    /// Of the keys that servers and pods get.
    pub(super) session_lifetime: SignedDuration,
}

pub(super) struct Sources {
    trust: Arc<Trust>,
    metadata: Server,
    metadata_endpoint: String,
}

impl Sources {
    pub(super) async fn start(
        settings: Settings,
        account: Arc<Account>,
        trust: Arc<Trust>,
        clock: &Clock,
    ) -> io::Result<Self> {
        let machine_key = || MachineKey::new(KEY_PREFIX, settings.session_lifetime);
        let metadata = Metadata {
            account,
            trust: Arc::clone(&trust),
            clock: clock.clone(),
            token_mode: settings.metadata_tokens,
            has_agency: settings.has_agency,
            tokens: Proofs::default(),
            server_key: machine_key(),
            pod_key: machine_key(),
        };
        let metadata = Server::start(settings.metadata_addr, Arc::new(metadata)).await?;
        Ok(Self { trust, metadata_endpoint: metadata.endpoint(), metadata })
    }

    pub(super) fn control(&self, clock: &Clock) -> Control {
        self.metadata.control(Metadata::VENDOR, clock)
    }

    pub(super) async fn shutdown(self) {
        self.metadata.shutdown().await;
    }
}

/// Where keys come from, besides those the account has.
impl MockHuaweicloud {
    /// The address of STS, which is that of IAM.
    pub fn sts_endpoint(&self) -> &str {
        self.iam_endpoint()
    }

    /// The address of the metadata service, in place of `http://169.254.169.254`.
    pub fn metadata_endpoint(&self) -> &str {
        &self.sources.metadata_endpoint
    }

    /// The id of the identity provider, for tokens of IAM.
    pub fn idp_id(&self) -> &str {
        &self.sources.trust.idp_id
    }

    /// The URN of the identity provider, for STS.
    pub fn oidc_provider_urn(&self) -> &str {
        &self.sources.trust.oidc_provider_urn
    }

    /// The URN of the agency that STS lets tokens of the identity provider assume.
    pub fn agency_urn(&self) -> &str {
        &self.sources.trust.agency_urn
    }

    /// A new token of the identity provider, which IAM and STS accept from now on.
    pub fn issue_id_token(&self) -> String {
        self.sources.trust.issue_id_token()
    }

    /// A URL that gives keys to pods, for `HC_CONTAINER_CREDENTIALS_FULL_URI`. It is the metadata listener that
    /// answers.
    pub fn pod_identity_uri(&self) -> String {
        format!("{}{}", self.sources.metadata_endpoint, metadata::POD_PATH)
    }

    /// A new token of a pod, which [`pod_identity_uri`](Self::pod_identity_uri) accepts from now on.
    pub fn issue_pod_token(&self) -> String {
        self.sources.trust.issue_pod_token()
    }

    /// What is going to go wrong with metadata and pod identity.
    pub fn metadata_faults(&self) -> &Faults {
        self.sources.metadata.faults()
    }

    /// Every request for metadata or pod identity received so far; the newest 100,000.
    pub fn metadata_requests(&self) -> Vec<ReceivedRequest> {
        self.sources.metadata.requests()
    }

    /// How many TCP connections the metadata listener accepted so far.
    pub fn metadata_connections(&self) -> usize {
        self.sources.metadata.connections()
    }

    /// Refuses connections to the metadata listener from now on, and ends those that are there. Fails if the port is
    /// lost to somebody else.
    pub async fn refuse_metadata_connections(&self) -> io::Result<()> {
        self.sources.metadata.gate().set_open(false).await
    }

    /// Takes connections to the metadata listener again.
    pub async fn accept_metadata_connections(&self) -> io::Result<()> {
        self.sources.metadata.gate().set_open(true).await
    }
}
