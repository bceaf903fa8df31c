use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use record_callback_core::{Error, ErrorKind, Result};
use record_callback_http::{
    AccessKey, Answer, Call, CredentialSource, Endpoint, Failure, Lease, Method, Miss, Pipeline, Request,
    Safety, Secrets, Signed, SourceContext, Url,
};
use secrecy::{ExposeSecret, SecretString};

use super::agreed::agreed;
use super::derived::Derived;
use super::issued::{Issued, Issuer, of_credentials};
use crate::VENDOR;
use crate::error;
use crate::wire::credential::{IssuedKey, Outcome};

pub(super) const URI: &[&str] = &[VARIABLE, "ALICLOUD_CREDENTIALS_URI"];
const VARIABLE: &str = "ALIBABA_CLOUD_CREDENTIALS_URI";

/// For an address in plain HTTP: how long the vendor's SDKs wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Keys from an address of the user's choice. The address may hold a secret: only its host is ever shown.
pub(super) struct CredentialsUri {
    pipeline: Pipeline,
    authority: String,
    url: SecretString,
}

impl CredentialsUri {
    /// `text` is an http or https URL. Plain HTTP may go anywhere: as a rule, it goes to a neighbour, and as the keys would
    /// be read by a proxy, never by one.
    pub(super) fn new(context: &SourceContext, text: &str) -> Result<Self> {
        let mistake = |what: &str| {
            let expected = "expected an http or https URL with a host and without user info";
            Error::new(ErrorKind::Unauthenticated, format!("{what}; {expected}"))
        };
        let url = Url::parse(text).map_err(|_| mistake("is not a URL"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(mistake("has user info"));
        }
        if !matches!(url.scheme(), "http" | "https") {
            return Err(mistake("is not HTTP"));
        }
        let endpoint = Endpoint::parse(VARIABLE, &url.origin().ascii_serialization(), true)?;
        let authority = endpoint.authority().to_owned();
        let pipeline = match url.scheme() {
            "http" => context.nearby(&endpoint, PATIENCE)?,
            _ => context.pipeline(&endpoint)?,
        };
        Ok(Self { pipeline, authority, url: text.into() })
    }

    fn request(&self) -> Result<Signed> {
        let text = self.url.expose_secret();
        let url = Url::parse(text).map_err(|_| Error::new(ErrorKind::Unauthenticated, "is not a URL"))?;
        let mut secrets = Secrets::default();
        secrets.add(Some(text));
        secrets.add(Some(url.path()));
        secrets.add_query(Some(text));
        Ok(Signed { request: Request::new(Method::GET, url), secrets })
    }
}

#[async_trait]
impl Issuer for CredentialsUri {
    async fn issue(&self) -> Result<Lease<AccessKey>, Miss> {
        let operation = "credentials URI";
        let time_refused = |_: &Error| false;
        let safety = Safety::Repeatable;
        let call = Call { vendor: VENDOR, operation, quota: operation, domain: None, safety, time_refused };
        Ok(self.pipeline.send(call, || async { self.request() }, read_key).await?)
    }

    fn complaint(&self) -> Option<String> {
        Some(format!("{} gave no key", self.authority))
    }
}

impl fmt::Debug for CredentialsUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialsUri").field("authority", &self.authority).finish_non_exhaustive()
    }
}

/// The key in an answer of the metadata service or a credentials URI.
pub(super) fn read_key(answer: &Answer) -> Result<Lease<AccessKey>> {
    if !answer.status.is_success() {
        return Err(answer.not_understood("a key"));
    }
    let outcome: Outcome = answer.json()?;
    if outcome.code != Outcome::SUCCESS {
        let message = outcome.message.unwrap_or_default();
        let failure = Failure { code: outcome.code, message, request_id: None };
        return Err(error::described(answer, &failure));
    }
    let issued: IssuedKey = answer.json()?;
    let (value, expires_at) = issued.key();
    Ok(Lease { value, expires_at: Some(expires_at), issued_at: answer.date() })
}

/// What the environment's address gives.
#[derive(Debug)]
pub(super) struct UriSource {
    context: SourceContext,
    derived: Derived<Arc<Issued>>,
}

impl UriSource {
    pub(super) fn new(context: SourceContext) -> Self {
        Self { context, derived: Derived::default() }
    }
}

#[async_trait]
impl CredentialSource for UriSource {
    fn name(&self) -> String {
        "credentials URI".into()
    }

    async fn find(&self) -> Result<Arc<AccessKey>, Miss> {
        let Some((name, uri)) = agreed(&self.context, URI).map_err(Miss::Refused)? else {
            return Err(Miss::NotConfigured(format!("{VARIABLE} is not set")));
        };
        let origin = format!("environment variable {name}");
        let issued = self.derived.get::<Error>(&[&uri], || {
            let source =
                CredentialsUri::new(&self.context, &uri).map_err(|error| of_credentials(name, error))?;
            Ok(Arc::new(Issued::new(Arc::clone(&self.context.clock), origin, source)))
        })?;
        issued.find().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_none_is_refused_without_showing_it() {
        for (text, problem) in [
            ("s3cr3t", "is not a URL"),
            ("ftp://h/s3cr3t", "is not HTTP"),
            ("http://u:s3cr3t@h/", "has user info"),
            ("https:///?s3cr3t", "is not a URL"),
            ("http://?s3cr3t", "is not a URL"),
        ] {
            let Err(error) = CredentialsUri::new(&SourceContext::default(), text) else { continue };
            assert!(error.message().starts_with(problem), "{error}");
            assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{error:?}");
        }
        let good =
            CredentialsUri::new(&SourceContext::default(), "http://127.0.0.1:1/s3cr3t?key=s3cr3t").unwrap();
        let shown = format!("{good:?}");
        assert!(shown.contains("127.0.0.1:1") && !shown.contains("s3cr3t"), "{shown}");
    }
}
