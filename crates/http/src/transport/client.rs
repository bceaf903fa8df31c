use std::sync::Arc;
use std::time::Duration;

use record_callback_core::{Error, ErrorKind, Result};
use reqwest::ClientBuilder;

use crate::endpoint::Endpoint;
use crate::network::{Network, Via};

/// What sends requests to one endpoint, and to those that are reached alike.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(super) inner: reqwest::Client,
    pub(super) proxy: Option<Arc<ProxyShown>>,
}

/// What errors may say of the proxy on the way.
#[derive(Debug)]
pub(super) struct ProxyShown {
    pub(super) authority: String,
    has_user: bool,
    pub(super) is_tls: bool,
}

impl ProxyShown {
    /// What to do when it wants to know who asks.
    pub(super) fn unauthenticated(&self) -> String {
        let Self { authority, has_user, .. } = self;
        if *has_user {
            format!("the proxy `{authority}` does not accept the user and password in its variable (407)")
        } else {
            format!(
                "the proxy `{authority}` asks for a user and a password (407): put user:password@ before its host"
            )
        }
    }
}

impl From<Via<'_>> for ProxyShown {
    fn from(via: Via<'_>) -> Self {
        Self { authority: via.authority(), has_user: via.has_user(), is_tls: via.is_tls() }
    }
}

/// A client that follows no redirect: a signature must not travel to another host.
pub(crate) fn client(endpoint: &Endpoint, network: &Network) -> Result<Client> {
    let builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        // The pipeline retries, with a fresh signature; nothing below it does.
        .retry(reqwest::retry::never().max_retries_per_request(0))
        .connect_timeout(Duration::from_secs(5))
        .user_agent(concat!("record-callback/", env!("CARGO_PKG_VERSION")));
    // Reading the system's certificates takes longer than anything else here, and nobody looks at them.
    let is_plain = endpoint.is_loopback() && endpoint.url().scheme() == "http";
    let builder = if is_plain { builder.tls_certs_only([]) } else { builder };
    let via = network.via(endpoint)?;
    let inner = network.apply(builder, via).and_then(ClientBuilder::build).map_err(|source| {
        Error::new(ErrorKind::Unavailable, "the HTTP client could not be set up")
            .with_source(source.without_url())
    })?;
    Ok(Client { inner, proxy: via.map(|via| Arc::new(via.into())) })
}
