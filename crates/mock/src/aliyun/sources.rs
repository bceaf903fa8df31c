//! The services keys come from: STS and the metadata of an instance, each with a listener of its own.

use std::{io, net::SocketAddr, sync::Arc};

use jiff::SignedDuration;

use super::{
    dialect::AliyunDialect,
    metadata::{self, Imds, Metadata},
    ram::{KEY_PREFIX, Ram},
    server::MockAliyun,
    sts::Sts,
};
use crate::{
    admin::Control,
    clock::Clock,
    credentials::Secret,
    faults::Faults,
    recorded::ReceivedRequest,
    server::{Server, Service},
    session::{MachineKey, Proofs},
};

/// How the services are set up.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) sts_addr: SocketAddr,
    pub(super) metadata_addr: SocketAddr,
    pub(super) imds: Imds,
    pub(super) has_ecs_role: bool,
    pub(super) external_id: Option<Secret>,
    /// Of the keys that metadata and the URI give.
    pub(super) session_lifetime: SignedDuration,
}

pub(super) struct Sources {
    ram: Arc<Ram>,
    sts: Server,
    sts_endpoint: String,
    metadata: Server,
    metadata_endpoint: String,
}

impl Sources {
    pub(super) async fn start(
        settings: Settings,
        ram: Arc<Ram>,
        clock: &Clock,
        dialect: &AliyunDialect,
    ) -> io::Result<Self> {
        let sts = Sts { ram: Arc::clone(&ram), clock: clock.clone(), dialect: dialect.clone() };
        let machine_key = || MachineKey::new(KEY_PREFIX, settings.session_lifetime);
        let metadata = Metadata {
            ram: Arc::clone(&ram),
            clock: clock.clone(),
            imds: settings.imds,
            has_role: settings.has_ecs_role,
            tokens: Proofs::default(),
            role_key: machine_key(),
            uri_key: machine_key(),
        };
        let sts = Server::start(settings.sts_addr, Arc::new(sts)).await?;
        let metadata = Server::start(settings.metadata_addr, Arc::new(metadata)).await?;
        Ok(Self { ram, sts_endpoint: sts.endpoint(), metadata_endpoint: metadata.endpoint(), sts, metadata })
    }

    pub(super) fn controls(&self, clock: &Clock) -> [Control; 2] {
        [self.sts.control(Sts::VENDOR, clock), self.metadata.control(Metadata::VENDOR, clock)]
    }

    pub(super) async fn shutdown(self) {
        tokio::join!(self.sts.shutdown(), self.metadata.shutdown());
    }
}

/// Where keys come from, besides those the account has.
impl MockAliyun {
    pub(super) fn ram(&self) -> &Ram {
        &self.sources.ram
    }

    /// The address of STS.
    pub fn sts_endpoint(&self) -> &str {
        &self.sources.sts_endpoint
    }

    /// The address of the metadata service, in place of `http://100.100.100.200`.
    pub fn metadata_endpoint(&self) -> &str {
        &self.sources.metadata_endpoint
    }

    /// A URL that gives a temporary key to whoever asks, for `ALIBABA_CLOUD_CREDENTIALS_URI`. It is the metadata
    /// listener that answers.
    pub fn credentials_uri(&self) -> String {
        format!("{}{}", self.sources.metadata_endpoint, metadata::URI_PATH)
    }

    /// The ARN of a RAM role that every key of the account may assume, and every token of the identity provider.
    pub fn role_arn(&self) -> &str {
        &self.sources.ram.role_arn
    }

    /// The name of the RAM role of the instance whose metadata is given.
    pub fn ecs_role(&self) -> &str {
        &self.sources.ram.ecs_role
    }

    /// The ARN of the OIDC identity provider.
    pub fn oidc_provider_arn(&self) -> &str {
        &self.sources.ram.oidc_provider_arn
    }

    /// A new token of the identity provider, which `AssumeRoleWithOIDC` accepts from now on.
    pub fn issue_oidc_token(&self) -> String {
        self.sources.ram.issue_oidc_token()
    }

    /// What is going to go wrong with STS.
    pub fn sts_faults(&self) -> &Faults {
        self.sources.sts.faults()
    }

    /// What is going to go wrong with metadata.
    pub fn metadata_faults(&self) -> &Faults {
        self.sources.metadata.faults()
    }

    /// Every request to STS received so far; the newest 100,000.
    pub fn sts_requests(&self) -> Vec<ReceivedRequest> {
        self.sources.sts.requests()
    }

    /// Every request for metadata received so far; the newest 100,000.
    pub fn metadata_requests(&self) -> Vec<ReceivedRequest> {
        self.sources.metadata.requests()
    }

    /// How many TCP connections STS accepted so far.
    pub fn sts_connections(&self) -> usize {
        self.sources.sts.connections()
    }

    /// How many TCP connections the metadata listener accepted so far.
    pub fn metadata_connections(&self) -> usize {
        self.sources.metadata.connections()
    }

    /// Refuses connections to the metadata service from now on, and ends those that are there. Fails if the port is
    /// lost to somebody else.
    pub async fn refuse_metadata_connections(&self) -> io::Result<()> {
        self.sources.metadata.gate().set_open(false).await
    }

    /// Takes connections to the metadata service again.
    pub async fn accept_metadata_connections(&self) -> io::Result<()> {
        self.sources.metadata.gate().set_open(true).await
    }
}
