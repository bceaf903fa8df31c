//! The two operations of IAM that Live needs: a token by password, and a region's project.

use jiff::Timestamp;
use record_callback_core::{Error, ErrorKind, InvalidConfig, Result};
use record_callback_http::{Answer, Body, Call, Endpoint, Lease, Method, Pipeline, Safety, Secrets};
use secrecy::ExposeSecret;

use crate::VENDOR;
use crate::client::{Unsigned, read};
use crate::credential::{Credentials, Login, ProjectRef, Token};
use crate::wire::{self, Projects, Scope, TokenAnswer, header};

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
        let mut secrets = Secrets::default();
        secrets.add(Some(login.password.expose_secret()));
        let body = wire::token_request(&login.account, &login.user, &login.password, &scope);
        let request = Unsigned {
            method: Method::POST,
            path: wire::TOKENS_PATH.into(),
            query: wire::TOKENS_QUERY.into(),
            body: body.into(),
            project_id: None,
            secrets,
        };
        let prepare = || async { Ok(request.open(&self.endpoint)) };
        self.pipeline.send(call(wire::ISSUE_TOKEN, |_| false), prepare, issued).await
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
        let Projects { projects } = self.pipeline.send(call, sign, read).await?;
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

fn call(operation: &'static str, time_refused: fn(&Error) -> bool) -> Call<'static> {
    let safety = Safety::Repeatable;
    Call { vendor: VENDOR, operation, quota: operation, domain: None, safety, time_refused }
}

fn issued(answer: &Answer) -> Result<Lease<Token>> {
    let TokenAnswer { token } = read(answer)?;
    let Some(value) = answer.header(header::SUBJECT_TOKEN) else {
        return Err(Error::new(
            ErrorKind::Protocol,
            format!("the answer has no {} header", header::SUBJECT_TOKEN),
        ));
    };
    let project_id = token.project.map(|project| project.id);
    let value = Token { value: value.into(), project_id };
    Ok(Lease { value, expires_at: Some(token.expires_at), issued_at: answer.date() })
}
