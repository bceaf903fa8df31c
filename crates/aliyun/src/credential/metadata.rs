use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use record_callback_core::{Error, ErrorKind, Result};
use record_callback_http::header::{HeaderName, HeaderValue};
use record_callback_http::{
    AccessKey, Answer, Call, CredentialSource, Endpoint, Lease, Method, Miss, Pipeline, Request, Safety,
    Secrets, Signed, SourceContext, encode, sensitive,
};

use super::derived::Derived;
use super::issued::{Issued, Issuer, of_credentials};
use super::uri::read_key;
use crate::VENDOR;
use crate::wire::credential::metadata as wire;

const ENDPOINT: &str = "RECORD_CALLBACK_ALIYUN_METADATA_ENDPOINT";
const DEFAULT_ENDPOINT: &str = "http://100.100.100.200";
const ROLE: &str = "ALIBABA_CLOUD_ECS_METADATA";
const DISABLED: &str = "ALIBABA_CLOUD_ECS_METADATA_DISABLED";
const V1_DISABLED: &str = "ALIBABA_CLOUD_IMDSV1_DISABLED";

/// For each try, as the vendor's SDKs do: outside of ECS, nobody answers.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a token of the metadata service is to hold, in seconds.
const TOKEN_LIFETIME: &str = "21600";

/// The keys of the role of the ECS instance this process runs on.
pub(super) struct Metadata {
    pipeline: Pipeline,
    endpoint: Endpoint,
    /// Asked for where it is not set.
    role: Option<String>,
    allows_v1: bool,
}

impl Metadata {
    /// The keys of `role`, else of the role the instance has.
    pub(super) fn new(context: &SourceContext, role: Option<String>) -> Result<Self> {
        let endpoint = match context.var(ENDPOINT) {
            Some(address) => Endpoint::parse(ENDPOINT, &address, false)?,
            // There is no other way to it, and the way is short.
            None => Endpoint::parse(ENDPOINT, DEFAULT_ENDPOINT, true)?,
        };
        let pipeline = context.nearby(&endpoint, PATIENCE)?;
        Ok(Self { pipeline, endpoint, role, allows_v1: !context.is_true(V1_DISABLED) })
    }

    async fn key(&self) -> Result<Lease<AccessKey>, Miss> {
        // A token is for one key: they last as long.
        let token = match self.token().await {
            Ok(token) => Some(token),
            Err(_) if self.allows_v1 => None,
            Err(error) => return Err(self.unanswered(error)),
        };
        let role = match &self.role {
            Some(role) => role.clone(),
            None => self.role_name(token.as_deref()).await?,
        };
        let path = format!("{}{}", wire::ROLES, encode(&role));
        Ok(self.send("metadata key", &self.get(&path, token.as_deref()), read_key).await?)
    }

    /// The role the instance has, if it has one.
    async fn role_name(&self, token: Option<&str>) -> Result<String, Miss> {
        let found = self.send("metadata role", &self.get(wire::ROLES, token), first_line).await;
        found.map_err(|error| match error.status() {
            Some(404) => {
                let authority = self.endpoint.authority();
                Miss::NotConfigured(format!(
                    "the metadata service at {authority} knows no role of this instance"
                ))
            }
            _ => self.unanswered(error),
        })
    }

    async fn token(&self) -> Result<String> {
        let make = || {
            let mut request = self.request(Method::PUT, wire::TOKEN);
            let lifetime = HeaderValue::from_static(TOKEN_LIFETIME);
            request.headers_mut().insert(HeaderName::from_static(wire::TOKEN_LIFETIME), lifetime);
            Ok(Signed { request, secrets: Secrets::default() })
        };
        self.send("metadata token", &make, first_line).await
    }

    fn get<'a>(&'a self, path: &'a str, token: Option<&'a str>) -> impl Fn() -> Result<Signed> + 'a {
        move || {
            let mut request = self.request(Method::GET, path);
            let mut secrets = Secrets::default();
            if let Some(token) = token {
                secrets.add(Some(token));
                request.headers_mut().insert(HeaderName::from_static(wire::TOKEN_HEADER), sensitive(token)?);
            }
            Ok(Signed { request, secrets })
        }
    }

    fn request(&self, method: Method, path: &str) -> Request {
        let mut url = self.endpoint.url().clone();
        url.set_path(path);
        Request::new(method, url)
    }

    async fn send<T>(
        &self,
        operation: &'static str,
        make: &impl Fn() -> Result<Signed>,
        read: impl Fn(&Answer) -> Result<T>,
    ) -> Result<T> {
        let safety = Safety::Repeatable;
        let time_refused = |_: &Error| false;
        let call = Call { vendor: VENDOR, operation, quota: operation, domain: None, safety, time_refused };
        self.pipeline.send(call, || async { make() }, read).await
    }

    /// Machines elsewhere have no such service: then nobody set this up, unless the role is named somewhere.
    fn unanswered(&self, error: Error) -> Miss {
        let unreachable = matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout);
        if self.role.is_none() && unreachable && error.status().is_none() {
            let authority = self.endpoint.authority();
            return Miss::NotConfigured(format!("no ECS metadata service answers at {authority}"));
        }
        error.into()
    }
}

#[async_trait]
impl Issuer for Metadata {
    async fn issue(&self) -> Result<Lease<AccessKey>, Miss> {
        self.key().await
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metadata")
            .field("endpoint", &self.endpoint.authority())
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// An answer of one word: a token, or a role's name.
fn first_line(answer: &Answer) -> Result<String> {
    let text = std::str::from_utf8(&answer.body).ok().and_then(|text| text.trim().lines().next());
    match text.map(str::trim) {
        Some(text) if answer.status.is_success() && !text.is_empty() => Ok(text.to_owned()),
        _ => Err(answer.not_understood("one word")),
    }
}

/// The role of the instance, as the environment has it.
#[derive(Debug)]
pub(super) struct MetadataSource {
    context: SourceContext,
    derived: Derived<Arc<Issued>>,
}

impl MetadataSource {
    pub(super) fn new(context: SourceContext) -> Self {
        Self { context, derived: Derived::default() }
    }
}

#[async_trait]
impl CredentialSource for MetadataSource {
    fn name(&self) -> String {
        "ECS metadata".into()
    }

    async fn find(&self) -> Result<Arc<AccessKey>, Miss> {
        if self.context.is_true(DISABLED) {
            return Err(Miss::NotConfigured(format!("{DISABLED} is true")));
        }
        let role = self.context.var(ROLE);
        let origin = match &role {
            Some(role) => format!("ECS metadata, role {}", role.escape_debug()),
            None => "ECS metadata".to_owned(),
        };
        let issued = self.derived.get::<Error>(&[role.as_deref().unwrap_or_default()], || {
            let metadata =
                Metadata::new(&self.context, role.clone()).map_err(|error| of_credentials(&origin, error))?;
            Ok(Arc::new(Issued::new(Arc::clone(&self.context.clock), origin.as_str(), metadata)))
        })?;
        issued.find().await
    }
}
