//! One method for each operation of the vendor.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use record_callback_core::{AccountId, DomainName, Error, ErrorKind, InvalidConfig, Result};
use record_callback_http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use record_callback_http::{
    Answer, Body, Call, Endpoint, Method, Pipeline, Request, RetryPolicy, Safety, Secrets, Signed, Used,
    of_credentials, sensitive,
};
use secrecy::ExposeSecret;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::VENDOR;
use crate::config::{HuaweicloudClientBuilder, QUOTA};
use crate::credential::{Account, Credential, Credentials, ProjectRef, check_project_id, no_project};
use crate::error;
use crate::iam::Iam;
use crate::sign::{ToSign, canonical_query};
use crate::wire::{
    self, ANY_APP, DomainsAnswer, ListAnswer, ListQuery, RecordCallbackConfigAnswer,
    RecordCallbackConfigRequest, header,
};

/// A client of Huawei Cloud Live's recording-callback operations, v1.
///
/// Clones share connections, quotas, tokens and what was learnt about the project and the cloud's time.
#[derive(Clone)]
pub struct HuaweicloudClient(Arc<Inner>);

struct Inner {
    pipeline: Pipeline,
    endpoint: Endpoint,
    iam: Iam,
    credentials: Credentials,
    project: Option<ProjectRef>,
    account: Account,
    /// Asked from IAM, and whom for.
    found_project: tokio::sync::Mutex<Option<(String, String)>>,
}

impl fmt::Debug for HuaweicloudClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HuaweicloudClient")
            .field("endpoint", &self.0.endpoint.authority())
            .field("project", &self.0.project)
            .finish_non_exhaustive()
    }
}

impl HuaweicloudClient {
    /// Starts a client.
    pub fn builder() -> HuaweicloudClientBuilder {
        HuaweicloudClientBuilder::default()
    }

    pub(crate) fn new(
        pipeline: Pipeline,
        endpoint: Endpoint,
        iam: Iam,
        credentials: Credentials,
        project: Option<ProjectRef>,
        account: Account,
    ) -> Self {
        let found_project = tokio::sync::Mutex::default();
        Self(Arc::new(Inner { pipeline, endpoint, iam, credentials, project, account, found_project }))
    }

    /// Where calls of Live go.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    /// `POST /v1/{project_id}/record/callbacks`. The answer may be the object, only its id, or empty,
    /// depending on the year of the document. Not repeated when its answer was lost.
    pub async fn create_record_callback_config(
        &self,
        config: &RecordCallbackConfigRequest,
    ) -> Result<RecordCallbackConfigAnswer> {
        let mut request = self.unsigned(Method::POST, None, String::new(), body(config)?).await?;
        request.secrets = config.secrets();
        let asked =
            Asked { operation: wire::CREATE, id: None, config: Some((&config.publish_domain, &config.app)) };
        let read = |answer: &Answer| {
            // There is no config yet that could be missing.
            let found = of_domain(read_or_default(answer))?;
            Ok(asked.is_answered(answer, &found).map(|()| found))
        };
        self.call(wire::CREATE, Safety::Once, Some(&config.publish_domain), request, read)
            .await?
            .map_err(Error::with_maybe_applied)
    }

    /// `GET /v1/{project_id}/record/callbacks`: one page.
    pub async fn list_record_callback_configs(&self, query: &ListQuery) -> Result<ListAnswer> {
        let owned = query.pairs();
        let mut pairs: Vec<_> = owned.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let request = self.unsigned(Method::GET, None, canonical_query(&mut pairs), Body::default()).await?;
        let domain = query.publish_domain.as_deref();
        // Whether `*` means itself or any app is UNVERIFIED.
        let app = query.app.as_deref().filter(|app| *app != ANY_APP);
        let asked = Asked {
            operation: wire::LIST,
            id: None,
            config: Some((domain.unwrap_or_default(), app.unwrap_or_default())),
        };
        let read = |answer: &Answer| {
            let page: Result<ListAnswer> = read(answer);
            let page = if domain.is_some() { of_domain(page)? } else { page? };
            let mut configs = page.configs().iter();
            Ok(configs.try_for_each(|found| asked.is_answered(answer, found)).map(|()| page))
        };
        self.call(wire::LIST, Safety::Repeatable, domain, request, read).await?
    }

    /// `GET /v1/{project_id}/record/callbacks/{id}`
    pub async fn show_record_callback_config(&self, id: &str) -> Result<RecordCallbackConfigAnswer> {
        let request = self.unsigned(Method::GET, Some(id), String::new(), Body::default()).await?;
        let asked = Asked { operation: wire::SHOW, id: Some(id), config: None };
        let read = |answer: &Answer| {
            let found = read(answer)?;
            Ok(asked.is_answered(answer, &found).map(|()| found))
        };
        self.call(wire::SHOW, Safety::Repeatable, None, request, read).await?
    }

    /// `PUT /v1/{project_id}/record/callbacks/{id}`. Whether fields that are not given are kept or reset is
    /// UNVERIFIED: give all. The answer may be empty.
    pub async fn update_record_callback_config(
        &self,
        id: &str,
        config: &RecordCallbackConfigRequest,
    ) -> Result<RecordCallbackConfigAnswer> {
        let mut request = self.unsigned(Method::PUT, Some(id), String::new(), body(config)?).await?;
        request.secrets = config.secrets();
        let asked = Asked {
            operation: wire::UPDATE,
            id: Some(id),
            config: Some((&config.publish_domain, &config.app)),
        };
        let read = |answer: &Answer| {
            let found = read_or_default(answer)?;
            Ok(asked.is_answered(answer, &found).map(|()| found))
        };
        let domain = Some(config.publish_domain.as_str());
        self.call(wire::UPDATE, Safety::Repeatable, domain, request, read)
            .await?
            .map_err(Error::with_maybe_applied)
    }

    /// `DELETE /v1/{project_id}/record/callbacks/{id}`
    pub async fn delete_record_callback_config(&self, id: &str) -> Result<()> {
        let request = self.unsigned(Method::DELETE, Some(id), String::new(), Body::default()).await?;
        self.call(wire::DELETE, Safety::Repeatable, None, request, done).await
    }

    /// `GET /v1/{project_id}/domain?domain=…`: what kind of domain it is; without one, all domains of the project.
    pub(crate) async fn show_domain(&self, domain: Option<&str>) -> Result<DomainsAnswer> {
        let project_id = Some(self.project_id().await?);
        let path = wire::domain_path(project_id.as_deref().unwrap_or_default());
        let query = domain.map(|domain| canonical_query(&mut [("domain", domain)])).unwrap_or_default();
        let request = Unsigned {
            method: Method::GET,
            path,
            query,
            body: Body::default(),
            project_id,
            secrets: Secrets::default(),
        };
        self.call(wire::SHOW_DOMAIN, Safety::Repeatable, domain, request, read).await
    }

    /// The account of the credentials. Asked once for each identity; no right is needed.
    ///
    /// By a key, `GET /v5/caller-identity` of STS: that of the endpoint's region, else of `cn-north-4`, or the one that
    /// `HUAWEICLOUD_SDK_STS_ENDPOINT` names. Where STS does not tell, IAM's `GET /v3/auth/domains`, then the owner of the
    /// region's project. By a token, what IAM said when it issued it, or says of it in `GET /v3/auth/tokens`. Where the
    /// endpoint is not the vendor's and no service is named, nobody is asked, and it fails. That keys of an assumed agency
    /// are of the delegating account is UNVERIFIED.
    pub async fn account(&self) -> Result<AccountId> {
        let Inner { account, credentials, .. } = &*self.0;
        account.of(credentials).await.map_err(|error| error.with_vendor(VENDOR))
    }

    /// Where credentials come from.
    pub(crate) fn credentials(&self) -> &Credentials {
        &self.0.credentials
    }

    pub(crate) fn pipeline(&self) -> &Pipeline {
        &self.0.pipeline
    }

    pub(crate) fn iam(&self) -> &Iam {
        &self.0.iam
    }

    /// Whether calls need an answer of IAM first.
    pub(crate) async fn asks_iam(&self) -> bool {
        let Inner { project, credentials, .. } = &*self.0;
        match (credentials, project) {
            (Credentials::Login(_), _) => true,
            (_, Some(ProjectRef::Region(_))) => {
                credentials.current().await.is_ok_and(|credential| credential.project_id().is_none())
            }
            _ => false,
        }
    }

    /// The policy calls are tried by.
    pub(crate) fn retry(&self) -> &RetryPolicy {
        self.0.pipeline.retry()
    }

    #[cfg(test)]
    pub(crate) fn endpoints(&self) -> (&str, &str) {
        (self.0.endpoint.authority(), self.0.iam.endpoint.authority())
    }

    /// The project all paths begin with: as configured, as the source of the key says, or asked from IAM once.
    pub(crate) async fn project_id(&self) -> Result<Cow<'_, str>> {
        let Inner { project, credentials, .. } = &*self.0;
        if let Some(ProjectRef::Id(id)) = project {
            return Ok(id.into());
        }
        // Whatever became of an answer of IAM, the call that needs the project was not made.
        let credential = credentials.current().await.map_err(of_credentials)?;
        if let Some(id) = credential.project_id() {
            check_project_id(id)?;
            return Ok(id.to_owned().into());
        }
        let Some(ProjectRef::Region(region)) = project else { return Err(no_project().into()) };
        let holder = credential.holder();
        let mut found = self.0.found_project.lock().await;
        if let Some((of, id)) = &*found
            && *of == holder
        {
            return Ok(id.clone().into());
        }
        let id = self.0.iam.project_of(region, credentials).await.map_err(|error| {
            match credential.explain(error) {
                // That IAM knows nothing of the project says nothing about a config.
                error if error.status().is_some() => of_credentials(error),
                error => error.with_nothing_applied(),
            }
        })?;
        *found = Some((holder, id.clone()));
        Ok(id.into())
    }

    async fn unsigned(
        &self,
        method: Method,
        id: Option<&str>,
        query: String,
        body: Body,
    ) -> Result<Unsigned<'_>> {
        // A URL would lose these and ask for another path.
        if let Some("" | "." | "..") = id {
            let invalid = InvalidConfig::new("id", "is empty or dots", "an id as the cloud gave it");
            return Err(Error::from(invalid).with_vendor(VENDOR));
        }
        let project_id = self.project_id().await?;
        let path = match id {
            Some(id) => wire::callback_path(&project_id, id),
            None => wire::callbacks_path(&project_id),
        };
        Ok(Unsigned { method, path, query, body, project_id: Some(project_id), secrets: Secrets::default() })
    }

    async fn call<T>(
        &self,
        operation: &'static str,
        safety: Safety,
        domain: Option<&str>,
        request: Unsigned<'_>,
        classify: impl Fn(&Answer) -> Result<T>,
    ) -> Result<T> {
        let Inner { pipeline, endpoint, credentials, .. } = &*self.0;
        let time_refused = credentials.time_refused();
        // Errors name it in the form callers compare.
        let domain = domain.map(DomainName::reported);
        let domain = domain.as_ref().map(DomainName::as_str);
        let call = Call { vendor: VENDOR, operation, quota: QUOTA, domain, safety, time_refused };
        let used = Used::default();
        let sign = || async {
            let credential = credentials.current().await?;
            let request = request.signed(endpoint, &credential, pipeline.now());
            used.set(credential);
            request
        };
        let send = || pipeline.send(call, &sign, &classify);
        let replaced = |refused| async move { credentials.replaces(&refused).await };
        let result = used.send(send, replaced).await;
        result.map_err(|error| match used.get() {
            Some(credential) => credential.explain(error),
            None => error,
        })
    }
}

/// The subject of a call; what is empty is open.
struct Asked<'a> {
    operation: &'static str,
    id: Option<&'a str>,
    /// Domain and app.
    config: Option<(&'a str, &'a str)>,
}

impl Asked<'_> {
    /// Refuses an answer about something else. What an answer does not say is not compared, and in which form it names the
    /// domain does not matter.
    fn is_answered(&self, answer: &Answer, found: &RecordCallbackConfigAnswer) -> Result<()> {
        let (domain, app) = self.config.unwrap_or_default();
        let same_domain = |one: &str, other: &str| DomainName::reported(one) == DomainName::reported(other);
        let same: fn(&str, &str) -> bool = |one, other| one == other;
        for (what, asked, answered, is_same) in [
            ("id", self.id.unwrap_or_default(), &found.id, same),
            ("domain", domain, &found.publish_domain, same_domain),
            ("app", app, &found.app, same),
        ] {
            let answered = answered.as_deref().unwrap_or_default();
            if !asked.is_empty() && !answered.is_empty() && !is_same(asked, answered) {
                let error = answer.about_another(what, asked, answered);
                let error = error.with_vendor(VENDOR).with_operation(self.operation);
                return Err(if domain.is_empty() {
                    error
                } else {
                    error.with_domain(DomainName::reported(domain).as_str())
                });
            }
        }
        Ok(())
    }
}

/// Turns a missing thing into a missing domain, where it can be nothing else.
fn of_domain<T>(result: Result<T>) -> Result<T> {
    result.map_err(|error| match error.kind() {
        ErrorKind::NotFound => error.with_kind(ErrorKind::DomainNotFound),
        _ => error,
    })
}

/// A request before it is authorised.
pub(crate) struct Unsigned<'a> {
    pub(crate) method: Method,
    /// Percent-encoded.
    pub(crate) path: String,
    /// From [`canonical_query`].
    pub(crate) query: String,
    pub(crate) body: Body,
    pub(crate) project_id: Option<Cow<'a, str>>,
    /// What of the body must not come back in an error.
    pub(crate) secrets: Secrets,
}

impl Unsigned<'_> {
    /// The request to `endpoint`, authorised with `credential` at `now`.
    pub(crate) fn signed(
        &self,
        endpoint: &Endpoint,
        credential: &Credential,
        now: Timestamp,
    ) -> Result<Signed> {
        let mut request = self.to(endpoint);
        let mut secrets = self.secrets.clone();
        match credential {
            Credential::Token(token) => {
                let token = token.value.expose_secret();
                secrets.add(Some(token));
                request.headers_mut().insert(HeaderName::from_static(header::AUTH_TOKEN), sensitive(token)?);
            }
            Credential::AccessKey(key) => {
                let date = now.strftime("%Y%m%dT%H%M%SZ").to_string();
                let mut headers = Vec::with_capacity(5);
                headers.extend([
                    (header::CONTENT_TYPE, wire::CONTENT_TYPE),
                    (header::HOST, endpoint.authority()),
                ]);
                headers.extend(self.project_id.as_deref().map(|id| (header::PROJECT_ID, id)));
                headers.push((header::SDK_DATE, date.as_str()));
                headers.extend(key.expose_security_token().map(|token| (header::SECURITY_TOKEN, token)));
                let to_sign = ToSign {
                    method: self.method.as_str(),
                    path: &self.path,
                    query: &self.query,
                    headers: &headers,
                    body: &self.body,
                    date: &date,
                };
                let authorization = to_sign.authorization(key.id(), key.expose_secret());
                secrets.add(key.expose_security_token());
                secrets.add(authorization.rsplit('=').next());
                // Content type and host are set by `to` and by the HTTP client.
                for (name, value) in &headers[2..] {
                    request.headers_mut().insert(HeaderName::from_static(name), sensitive(value)?);
                }
                request.headers_mut().insert(AUTHORIZATION, sensitive(&authorization)?);
            }
        }
        Ok(Signed { request, secrets })
    }

    /// The request to `endpoint`, which needs no authorisation.
    pub(crate) fn open(&self, endpoint: &Endpoint) -> Signed {
        Signed { request: self.to(endpoint), secrets: self.secrets.clone() }
    }

    fn to(&self, endpoint: &Endpoint) -> Request {
        let mut url = endpoint.url().clone();
        url.set_path(&self.path);
        url.set_query((!self.query.is_empty()).then_some(self.query.as_str()));
        let mut request = Request::new(self.method.clone(), url);
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(wire::CONTENT_TYPE));
        if !self.body.is_empty() {
            *request.body_mut() = Some(self.body.clone().into());
        }
        request
    }
}

fn body(config: &RecordCallbackConfigRequest) -> Result<Body> {
    serde_json::to_vec(config)
        .map(Body::from)
        .map_err(|source| Error::new(ErrorKind::InvalidConfig, "the config is not JSON").with_source(source))
}

pub(crate) fn success(answer: &Answer) -> Result<()> {
    if answer.status.is_success() { Ok(()) } else { Err(error::classify(answer)) }
}

/// For answers that have no body: a proxy's page with a success in its status is none.
fn done(answer: &Answer) -> Result<()> {
    success(answer)?;
    if answer.body.is_empty() { Ok(()) } else { answer.json::<IgnoredAny>().map(drop) }
}

pub(crate) fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T> {
    success(answer)?;
    answer.json()
}

/// For answers that some documents show empty.
fn read_or_default<T: DeserializeOwned + Default>(answer: &Answer) -> Result<T> {
    if answer.status.is_success() && answer.body.is_empty() { Ok(T::default()) } else { read(answer) }
}
