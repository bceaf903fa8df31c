//! The operations of IAM that Live needs: a token by password, a region's project; and for users of an identity
//! provider a token, and a temporary key for it.

use jiff::Timestamp;
use record_callback_core::{AccountId, Error, ErrorKind, InvalidConfig, Result};
use record_callback_http::header::{HeaderName, HeaderValue};
use record_callback_http::{
    AccessKey, Answer, Body, Call, Endpoint, Lease, Method, Pipeline, Safety, Secrets,
};
use secrecy::{ExposeSecret, SecretString};

use crate::VENDOR;
use crate::client::{Unsigned, read, success};
use crate::credential::{Credentials, Login, ProjectRef, Token, issued};
use crate::wire::{self, Projects, Scope, TokenAnswer, credential, header};

/// How long temporary keys are asked for, as the vendor's SDKs do: 6 hours.
const KEY_SECONDS: u32 = 21_600;

/// A client of IAM v3.
#[derive(Debug, Clone)]
pub(crate) struct Iam {
    pub(crate) pipeline: Pipeline,
    pub(crate) endpoint: Endpoint,
}

impl Iam {
    pub(crate) fn now(&self) -> Timestamp {
        self.pipeline.now()
    }

    /// `POST /v3/auth/tokens`: a token for one project, valid for 24 hours.
    pub(crate) async fn issue_token(&self, login: &Login, project: &ProjectRef) -> Result<Lease<Token>> {
        let scope = match project {
            ProjectRef::Id(id) => Scope::ProjectId(id),
            ProjectRef::Region(name) => Scope::ProjectName(name),
        };
        let body = wire::token_request(&login.account, &login.user, &login.password, &scope);
        let request = Unsigned {
            query: wire::TOKENS_QUERY.into(),
            ..exchange(wire::TOKENS_PATH, body, &login.password)
        };
        let prepare = || async { Ok(request.open(&self.endpoint)) };
        let read = |answer: &Answer| token(answer, project);
        self.pipeline.send(call(wire::ISSUE_TOKEN, |_| false), prepare, read).await?
    }

    /// `POST /v3.0/OS-AUTH/id-token/tokens`: a token, of no project, for one of identity provider `idp_id`.
    pub(crate) async fn token_of_provider(
        &self,
        idp_id: &str,
        id_token: &SecretString,
    ) -> Result<SecretString> {
        let id = HeaderValue::from_str(idp_id).map_err(|_| {
            let problem = "the id of the identity provider has characters no header can carry";
            Error::new(ErrorKind::InvalidConfig, problem)
        })?;
        let request = exchange(credential::TOKEN_PATH, credential::token_request(id_token), id_token);
        let prepare = || async {
            let mut signed = request.open(&self.endpoint);
            signed.request.headers_mut().insert(HeaderName::from_static(credential::IDP_ID), id.clone());
            Ok(signed)
        };
        let classify = |answer: &Answer| {
            success(answer)?;
            subject_token(answer).map(SecretString::from)
        };
        self.pipeline.send(call(credential::CREATE_TOKEN, |_| false), prepare, classify).await
    }

    /// `POST /v3.0/OS-CREDENTIAL/securitytokens`: a temporary key of the token's owner.
    pub(crate) async fn temporary_key(&self, token: &SecretString) -> Result<Lease<AccessKey>> {
        let body = credential::key_request(token, KEY_SECONDS);
        let request = exchange(credential::KEY_PATH, body, token);
        let prepare = || async { Ok(request.open(&self.endpoint)) };
        self.pipeline.send(call(credential::CREATE_KEY, |_| false), prepare, issued).await
    }

    /// `GET /v3/projects?name=…`: the id of the region's main project.
    pub(crate) async fn project_of(&self, region: &str, credentials: &Credentials) -> Result<String> {
        let request = Unsigned {
            method: Method::GET,
            path: wire::PROJECTS_PATH.into(),
            query: crate::sign::canonical_query(&mut [("name", region)]),
            body: Body::default(),
            project_id: None,
            secrets: Secrets::default(),
        };
        let sign = || async {
            let credential = credentials.current().await?;
            request.signed(&self.endpoint, &credential, self.now())
        };
        let call = call(wire::LIST_PROJECTS, credentials.time_refused());
        let read = |answer: &Answer| {
            let Projects { projects } = read(answer)?;
            let mut names = projects.iter().filter_map(|project| project.name.as_deref());
            let other = names.find(|name| *name != region);
            Ok(match other.map(|other| answer.about_another("project", region, other)) {
                Some(error) => Err(error.with_vendor(VENDOR).with_operation(wire::LIST_PROJECTS)),
                None => Ok(projects),
            })
        };
        let projects = self.pipeline.send(call, sign, read).await??;
        match projects.as_slice() {
            [project] => Ok(project.id.clone()),
            found => {
                let problem =
                    format!("is not given, and the account has {} projects named `{region}`", found.len());
                let rule = "the id of one project, from the vendor's console";
                Err(Error::from(InvalidConfig::new("project_id", problem, rule)).with_vendor(VENDOR))
            }
        }
    }
}

/// A request that gives one secret for another.
fn exchange(path: &str, body: Vec<u8>, secret: &SecretString) -> Unsigned<'static> {
    let mut secrets = Secrets::default();
    secrets.add(Some(secret.expose_secret()));
    let (method, path, query) = (Method::POST, path.to_owned(), String::new());
    Unsigned { method, path, query, body: body.into(), project_id: None, secrets }
}

/// A call to a service that is not Live: twice is as good as once.
pub(crate) fn call(operation: &'static str, time_refused: fn(&Error) -> bool) -> Call<'static> {
    let safety = Safety::Repeatable;
    Call { vendor: VENDOR, operation, quota: operation, domain: None, safety, time_refused }
}

/// The token, unless it is for another project than was asked for.
fn token(answer: &Answer, asked: &ProjectRef) -> Result<Result<Lease<Token>>> {
    let TokenAnswer { token } = read(answer)?;
    let (asked, answered) = match (asked, &token.project) {
        (ProjectRef::Id(id), Some(project)) => (id, Some(&project.id)),
        (ProjectRef::Region(name), Some(project)) => (name, project.name.as_ref()),
        (ProjectRef::Id(text) | ProjectRef::Region(text), None) => (text, None),
    };
    if let Some(other) = answered.filter(|answered| *answered != asked) {
        let error = answer.about_another("project", asked, other);
        return Ok(Err(error.with_vendor(VENDOR).with_operation(wire::ISSUE_TOKEN)));
    }
    let account = token.account().and_then(|id| AccountId::new(id).ok());
    let project_id = token.project.map(|project| project.id);
    let value = Token::new(subject_token(answer)?.into()).of(project_id, account);
    Ok(Ok(Lease { value, expires_at: Some(token.expires_at), issued_at: answer.date() }))
}

fn subject_token(answer: &Answer) -> Result<&str> {
    answer.header(header::SUBJECT_TOKEN).ok_or_else(|| {
        Error::new(ErrorKind::Protocol, format!("the answer has no {} header", header::SUBJECT_TOKEN))
    })
}
