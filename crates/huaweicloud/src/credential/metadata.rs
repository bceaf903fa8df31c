//! The agency of the ECS instance this runs on, from its metadata.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use record_callback_core::{Error, ErrorKind, Result};
use record_callback_http::header::{HeaderName, HeaderValue};
use record_callback_http::{
    AccessKey, Answer, Body, CredentialSource, Endpoint, Lease, Method, Miss, Pipeline, Renewed, Secrets,
    Signed, SourceContext, sensitive,
};
use secrecy::{ExposeSecret, SecretString};

use super::temporary::{Label, issued};
use super::{PROJECT_ID, RENEW_BEFORE};
use crate::client::Unsigned;
use crate::error;
use crate::iam::call;
use crate::wire::credential as wire;

/// Link-local: answered by the machine's own host.
const ADDRESS: &str = "http://169.254.169.254";
/// Another address, for tests.
const ENDPOINT: &str = "RECORD_CALLBACK_HUAWEICLOUD_METADATA_ENDPOINT";
const TIMEOUT: Duration = Duration::from_secs(3);
/// How long a token is asked for: 6 hours, though it is used once.
const TOKEN_SECONDS: HeaderValue = HeaderValue::from_static("21600");

/// The instance's agency as a source of the chain.
#[derive(Debug)]
pub(super) struct Metadata {
    context: SourceContext,
    key: Renewed<AccessKey>,
    /// It gave a key before: that it does not answer is a failure then, else there is none.
    is_there: AtomicBool,
}

/// What the service says to a question for a key.
enum Said {
    Key(Lease<AccessKey>),
    TokenRefused,
}

/// The service, reached.
struct Service {
    endpoint: Endpoint,
    pipeline: Pipeline,
}

impl Metadata {
    pub(super) fn new(context: SourceContext) -> Self {
        let key = Renewed::new(Arc::clone(&context.clock), RENEW_BEFORE);
        Self { context, key, is_there: AtomicBool::new(false) }
    }

    fn endpoint(&self) -> Result<Endpoint> {
        Ok(match self.context.var(ENDPOINT) {
            Some(address) => Endpoint::parse(ENDPOINT, &address, false)?,
            None => Endpoint::parse(ENDPOINT, ADDRESS, true)?,
        })
    }

    async fn fetch(&self) -> Result<Lease<AccessKey>> {
        let endpoint = self.endpoint()?;
        let label = Label {
            origin: format!("ECS metadata of {}", endpoint.authority()),
            project_id: self.context.var(PROJECT_ID),
        };
        let pipeline = self.context.nearby(&endpoint, TIMEOUT)?;
        let service = Service { endpoint, pipeline };
        let lease = service.fetch().await.map_err(|error| self.judge(error, &service))?;
        self.is_there.store(true, Ordering::Relaxed);
        Ok(label.on(lease))
    }

    /// `NotFound` where nobody ever answered.
    fn judge(&self, error: Error, service: &Service) -> Error {
        let is_silent =
            error.status().is_none() && matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout);
        // Other clouds have a service at this address, too, and proxies have an answer to everything.
        let is_anothers = error.operation() == Some(wire::METADATA_TOKEN)
            && error.status().is_some_and(|status| (400..500).contains(&status));
        if !(is_silent || is_anothers) || self.is_there.load(Ordering::Relaxed) {
            return error;
        }
        let authority = service.endpoint.authority();
        let problem =
            format!("no metadata service of Huawei Cloud answers at {authority}: {}", error.message());
        Error::new(ErrorKind::NotFound, problem).with_source(error)
    }
}

impl Service {
    /// A new key, with a new token where the service has tokens. A token it refuses is replaced once.
    async fn fetch(&self) -> Result<Lease<AccessKey>> {
        for _ in 0..2 {
            let token = self.token().await?;
            if let Said::Key(lease) = self.key(token.as_ref()).await? {
                return Ok(lease);
            }
        }
        Err(Error::new(ErrorKind::Unauthenticated, "the metadata service refused two tokens of its own")
            .with_status(401))
    }

    /// A token; `None` where the service has none.
    async fn token(&self) -> Result<Option<SecretString>> {
        let prepare = || async {
            let mut signed = self.request(Method::PUT, wire::METADATA_TOKEN_PATH, Secrets::default());
            let header = HeaderName::from_static(wire::METADATA_TOKEN_SECONDS);
            signed.request.headers_mut().insert(header, TOKEN_SECONDS);
            Ok(signed)
        };
        let classify = |answer: &Answer| match (answer.status.as_u16(), str::from_utf8(&answer.body)) {
            (200, Ok(text)) if !text.trim().is_empty() => Ok(Some(text.trim().into())),
            (404 | 405 | 503, _) => Ok(None),
            _ => Err(answer.not_understood("a metadata token")),
        };
        self.pipeline.send(call(wire::METADATA_TOKEN, |_| false), prepare, classify).await
    }

    async fn key(&self, token: Option<&SecretString>) -> Result<Said> {
        let token = token.map(ExposeSecret::expose_secret);
        let prepare = || async {
            let mut secrets = Secrets::default();
            secrets.add(token);
            let mut signed = self.request(Method::GET, wire::METADATA_KEY_PATH, secrets);
            if let Some(token) = token {
                let header = HeaderName::from_static(wire::METADATA_TOKEN_HEADER);
                signed.request.headers_mut().insert(header, sensitive(token)?);
            }
            Ok(signed)
        };
        let classify = |answer: &Answer| {
            let has_no_agency = || String::from_utf8_lossy(&answer.body).contains(wire::NO_AGENCY);
            match answer.status.as_u16() {
                200..=299 => issued(answer).map(Said::Key),
                401 | 404 if has_no_agency() => Err(Error::new(ErrorKind::NotFound, NO_AGENCY_ADVICE)),
                401 => Ok(Said::TokenRefused),
                404 => Err(Error::new(ErrorKind::NotFound, NO_KEYS)),
                _ => Err(error::classify(answer)),
            }
        };
        self.pipeline.send(call(wire::METADATA_KEY, |_| false), prepare, classify).await
    }

    fn request(&self, method: Method, path: &str, secrets: Secrets) -> Signed {
        let (path, query, body) = (path.to_owned(), String::new(), Body::default());
        Unsigned { method, path, query, body, project_id: None, secrets }.open(&self.endpoint)
    }
}

const NO_AGENCY_ADVICE: &str = "this ECS instance has no agency: create one for the service ECS in IAM and set it in the instance's settings";
const NO_KEYS: &str =
    "the metadata service has no keys: this is no ECS instance of Huawei Cloud, or has no agency";

#[async_trait]
impl CredentialSource for Metadata {
    fn name(&self) -> String {
        "ECS metadata".into()
    }

    async fn find(&self) -> Result<Arc<AccessKey>, Miss> {
        self.key.get(|| self.fetch()).await.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Miss::NotConfigured(error.message().to_owned()),
            _ => Miss::Failed(error),
        })
    }
}
