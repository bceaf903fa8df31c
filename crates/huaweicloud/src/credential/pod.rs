//! The identity of the pod this runs in, as the cluster's agent gives it.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use record_callback_core::{InvalidConfig, Result};
use record_callback_http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use record_callback_http::{
    AccessKey, CredentialSource, Endpoint, Lease, Method, Miss, Renewed, Request, Secrets, Signed,
    SourceContext, Url, sensitive,
};
use secrecy::ExposeSecret;

use super::temporary::{Label, issued};
use super::token_file::TokenFile;
use super::{PROJECT_ID, RENEW_BEFORE};
use crate::iam::call;
use crate::wire;

const URI: &str = "HC_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN_FILE: &str = "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE";
const TIMEOUT: Duration = Duration::from_secs(5);

const URI_RULE: &str =
    "an https URL; or an http one whose host is `localhost` or a loopback, link-local or private address";

/// Pod identity as a source of the chain.
#[derive(Debug)]
pub(super) struct Pod {
    context: SourceContext,
    key: Renewed<AccessKey>,
}

impl Pod {
    pub(super) fn new(context: SourceContext) -> Self {
        let key = Renewed::new(Arc::clone(&context.clock), RENEW_BEFORE);
        Self { context, key }
    }

    /// A new key, for what is in the file now.
    async fn fetch(&self, uri: &str, path: &str) -> Result<Lease<AccessKey>> {
        let url = checked(uri)?;
        let endpoint = Endpoint::parse(URI, &url.origin().ascii_serialization(), true)?;
        let token = TokenFile { path: path.into(), named_by: TOKEN_FILE.into() }.read().await?;
        let prepare = || async {
            let mut request = Request::new(Method::POST, url.clone());
            let headers = request.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(wire::CONTENT_TYPE));
            headers.insert(AUTHORIZATION, sensitive(token.expose_secret())?);
            *request.body_mut() = Some(wire::credential::POD_REQUEST.into());
            let mut secrets = Secrets::default();
            secrets.add(Some(token.expose_secret()));
            secrets.add(Some(uri));
            // Who repeats the request, repeats it without the host.
            secrets.add(Some(url.path()));
            secrets.add_query(Some(uri));
            Ok(Signed { request, secrets })
        };
        let pipeline = self.context.nearby(&endpoint, TIMEOUT)?;
        let lease = pipeline.send(call(wire::credential::POD_KEY, |_| false), prepare, issued).await?;
        let origin = format!("pod identity (environment variable {URI})");
        Ok(Label { origin, project_id: self.context.var(PROJECT_ID) }.on(lease))
    }
}

/// The URL, if a token may be sent there: what goes by plain HTTP to another network can be read on the way. Names over
/// plain HTTP are refused, for who answers for a name can change. The vendor's SDKs take any URL.
fn checked(uri: &str) -> Result<Url, InvalidConfig> {
    let refuse = |problem: &str| InvalidConfig::new(URI, problem, URI_RULE);
    let url = Url::parse(uri).map_err(|_| refuse("is not a URL"))?;
    let host = url.host_str().ok_or_else(|| refuse("has no host"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("contains user info"));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_near(host) => Ok(url),
        "http" => Err(refuse("is plain http to another network")),
        _ => Err(refuse("is neither https nor http")),
    }
}

fn is_near(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || bare.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback() || ip.is_link_local() || ip.is_private())
        || bare
            .parse::<Ipv6Addr>()
            .is_ok_and(|ip| ip.is_loopback() || ip.is_unicast_link_local() || ip.is_unique_local())
}

#[async_trait]
impl CredentialSource for Pod {
    fn name(&self) -> String {
        "pod identity".into()
    }

    async fn find(&self) -> Result<Arc<AccessKey>, Miss> {
        let (set, missing) = match (self.context.var(URI), self.context.var(TOKEN_FILE)) {
            (Some(uri), Some(path)) => return Ok(self.key.get(|| self.fetch(&uri, &path)).await?),
            (None, None) => return Err(Miss::NotConfigured(format!("{URI} is not set"))),
            (Some(_), None) => (URI, TOKEN_FILE),
            (None, Some(_)) => (TOKEN_FILE, URI),
        };
        Err(Miss::NotConfigured(format!("{missing} is not set, though {set} is")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_by_plain_http_to_near_addresses_only() {
        for (uri, problem) in [
            ("https://identity.example.com/v1?x=s3cr3t", None),
            ("http://127.0.0.1:8080/v1", None),
            ("http://localhost/v1", None),
            ("http://169.254.170.23/v1/credentials", None),
            ("http://10.0.0.1/v1", None),
            ("http://172.31.0.1/v1", None),
            ("http://192.168.0.1/v1", None),
            ("http://[::1]:8080/v1", None),
            ("http://[fd00::23]/v1", None),
            ("http://[fe80::1]/v1", None),
            ("http://s3cr3t.example.com/v1", Some("is plain http to another network")),
            ("http://100.125.0.1/s3cr3t", Some("is plain http to another network")),
            ("http://127.0.0.1.example.com/s3cr3t", Some("is plain http to another network")),
            ("http://[2001:db8::1]/s3cr3t", Some("is plain http to another network")),
            ("https://user:s3cr3t@h/", Some("contains user info")),
            ("ftp://10.0.0.1/s3cr3t", Some("is neither https nor http")),
            ("/s3cr3t", Some("is not a URL")),
            ("file:///s3cr3t", Some("has no host")),
        ] {
            let refused = checked(uri).err();
            assert_eq!(refused.as_ref().map(InvalidConfig::problem), problem, "{uri}");
            assert!(refused.is_none_or(|error| !error.to_string().contains("s3cr3t")), "{uri}");
        }
    }
}
