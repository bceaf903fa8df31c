use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use record_callback_core::{Error, ErrorKind, Result};
use record_callback_http::header::{HeaderName, HeaderValue};
use record_callback_http::{
    AccessKey, Answer, Call, CredentialSource, Endpoint, Lease, Method, Miss, Pipeline, Request, Safety,
    Secrets, Signed, SourceContext, encode, sensitive,
};

use super::agreed::agreed;
use super::derived::Derived;
use super::issued::{Issued, Issuer, of_credentials};
use super::place::Place;
use super::uri::read_key;
use crate::VENDOR;
use crate::wire::credential::{Field, metadata as wire};

const ENDPOINT: &str = "RECORD_CALLBACK_ALIYUN_METADATA_ENDPOINT";
const DEFAULT_ENDPOINT: &str = "http://100.100.100.200";
pub(super) const ROLE: &[&str] = &["ALIBABA_CLOUD_ECS_METADATA", "ALICLOUD_ECS_ROLE_NAME"];
pub(super) const DISABLED: &str = "ALIBABA_CLOUD_ECS_METADATA_DISABLED";
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
    /// It gave a key before: that it does not answer is a failure then, else there is none.
    is_there: AtomicBool,
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
        let allows_v1 = !context.is_true(V1_DISABLED);
        Ok(Self { pipeline, endpoint, role, allows_v1, is_there: AtomicBool::new(false) })
    }

    /// What a profile asks for: the keys of the role in its `field`, else of the environment's, else of the one there is.
    pub(super) fn of_profile(place: &Place<'_>, field: &Field<'_>) -> Result<Self> {
        if place.context.is_true(DISABLED) {
            return Err(place.mistake(&format!("{DISABLED} is true")));
        }
        let role = place.optional_or(field, ROLE)?;
        Self::new(place.context, role).map_err(|error| place.failed(error))
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
        let lease = self.send("metadata key", &self.get(&path, token.as_deref()), read_key).await?;
        self.is_there.store(true, Ordering::Relaxed);
        Ok(lease)
    }

    /// The role the instance has, if it has one.
    async fn role_name(&self, token: Option<&str>) -> Result<String, Miss> {
        let found = self.send("metadata role", &self.get(wire::ROLES, token), one_word).await;
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
        self.send("metadata token", &make, one_word).await
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

    /// Machines elsewhere have no such service: then nobody set this up, unless the role is named somewhere or the service
    /// is known to be there.
    fn unanswered(&self, error: Error) -> Miss {
        let unreachable = matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout);
        let is_expected = self.role.is_some() || self.is_there.load(Ordering::Relaxed);
        if !is_expected && unreachable && error.status().is_none() {
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

/// An answer of one word: a token, or a role's name. A page is none.
fn one_word(answer: &Answer) -> Result<String> {
    let text = std::str::from_utf8(&answer.body).map(str::trim);
    match text {
        Ok(text)
            if answer.status.is_success() && !text.is_empty() && !text.contains([' ', '\n', '<', '{']) =>
        {
            Ok(text.to_owned())
        }
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
        let role = agreed(&self.context, ROLE).map_err(Miss::Refused)?.map(|(_, role)| role);
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
