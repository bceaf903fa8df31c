//! The identity service: tokens for a password or a token of an identity provider, temporary keys for a token, the list
//! of projects, who somebody is; and STS, which shares its listener.

mod federation;
mod identity;
mod sts;

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    account::{Account, Accounts, Project, User},
    answer,
    auth::authenticate,
    dialect::{HuaweicloudDialect, QueryOnWire},
    error::ApiError,
    trust::{self, Trust},
};
use crate::{
    canonical::{Plus, decode_pairs},
    clock::{self, Clock},
    faults,
    field_order::FieldOrder,
    recorded::RawRequest,
    server::{Answer, Service},
};

const CREATE_TOKEN: &str = "KeystoneCreateUserTokenByPassword";
const CREATE_TOKEN_WITH_ID_TOKEN: &str = "CreateTokenWithIdToken";
const CREATE_TEMPORARY_ACCESS_KEY: &str = "CreateTemporaryAccessKeyByToken";
const ASSUME_AGENCY_WITH_OIDC: &str = "AssumeAgencyWithOIDC";
const LIST_PROJECTS: &str = "KeystoneListProjects";
const LIST_AUTH_DOMAINS: &str = "KeystoneListAuthDomains";
const VALIDATE_TOKEN: &str = "KeystoneValidateToken";
const GET_CALLER_IDENTITY: &str = "GetCallerIdentity";

pub(super) struct Iam {
    pub(super) accounts: Accounts,
    pub(super) dialect: HuaweicloudDialect,
    pub(super) trust: Arc<Trust>,
    pub(super) clock: Clock,
}

/// A refusal, in the shape of the gateway or in that of IAM itself.
enum Refusal {
    Gateway(ApiError),
    Iam(StatusCode, String),
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self::Gateway(error)
    }
}

impl Service for Iam {
    const VENDOR: &'static str = "huaweicloud-iam";

    fn operation(&self, raw: &RawRequest) -> Option<&'static str> {
        match (&raw.method, raw.path.as_str()) {
            (&Method::POST, "/v3/auth/tokens") => Some(CREATE_TOKEN),
            (&Method::POST, "/v3.0/OS-AUTH/id-token/tokens") => Some(CREATE_TOKEN_WITH_ID_TOKEN),
            (&Method::POST, "/v3.0/OS-CREDENTIAL/securitytokens") => Some(CREATE_TEMPORARY_ACCESS_KEY),
            (&Method::POST, "/v5/agencies/assume-with-oidc") => Some(ASSUME_AGENCY_WITH_OIDC),
            (&Method::GET, "/v3/projects") => Some(LIST_PROJECTS),
            (&Method::GET, "/v3/auth/domains") => Some(LIST_AUTH_DOMAINS),
            (&Method::GET, "/v3/auth/tokens") => Some(VALIDATE_TOKEN),
            (&Method::GET, "/v5/caller-identity") => Some(GET_CALLER_IDENTITY),
            _ => None,
        }
    }

    fn answer(&self, raw: &RawRequest) -> Answer {
        let now = self.clock.now();
        let operation = self.operation(raw);
        let outcome = match operation {
            Some(CREATE_TOKEN) => self.create_token(raw, now),
            Some(CREATE_TOKEN_WITH_ID_TOKEN) => self.create_token_with_id_token(raw, now),
            Some(CREATE_TEMPORARY_ACCESS_KEY) => self.create_temporary_access_key(raw, now),
            Some(ASSUME_AGENCY_WITH_OIDC) => self.assume_agency_with_oidc(raw, now).map_err(Refusal::from),
            Some(LIST_PROJECTS) => self.list_projects(raw, now),
            Some(LIST_AUTH_DOMAINS) => self.auth_domains(raw, now),
            Some(VALIDATE_TOKEN) => self.validate_token(raw, now),
            Some(GET_CALLER_IDENTITY) => self.caller_identity(raw, now).map_err(Refusal::from),
            _ => Err(ApiError::unknown_api().into()),
        };
        let mut answer = match outcome {
            Ok(answer) => answer,
            Err(Refusal::Gateway(error)) => answer::write_error(&error, FieldOrder::Fixed, now),
            Err(Refusal::Iam(status, message)) => answer::refuse(status, &message, now),
        };
        answer.operation = operation;
        answer
    }

    fn refuse(&self, _: &RawRequest, refusal: faults::Refusal) -> Answer {
        use faults::Refusal;
        let (status, message) = match refusal {
            Refusal::Throttled => {
                (StatusCode::TOO_MANY_REQUESTS, "The throttling threshold has been reached.")
            }
            Refusal::Denied => {
                (StatusCode::FORBIDDEN, "You are not authorized to perform the requested action.")
            }
            Refusal::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "The service is unavailable."),
            Refusal::TokenExpired => {
                (StatusCode::UNAUTHORIZED, "The request you have made requires authentication.")
            }
        };
        answer::refuse(status, message, self.now())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Iam {
    fn create_token(&self, raw: &RawRequest, now: Timestamp) -> Result<Answer, Refusal> {
        let TokenRequest { auth } = json_body(raw)?;
        if auth.identity.methods != ["password"] {
            return Err(bad("This mock models only the method password."));
        }
        let given = auth.identity.password.user;
        let found = self.accounts.all().into_iter().find_map(|account| {
            Some((account, account.find_user(&given.domain.name, &given.name, &given.password)?))
        });
        let (account, user) = found.ok_or_else(|| unauthorized("The username or password is wrong."))?;
        let project = match auth.scope.and_then(|scope| scope.project) {
            None => None,
            Some(wanted) => Some(Self::find_project(account, &wanted)?),
        };

        Ok(Self::issue_token(account, user, project, "password", now))
    }

    fn issue_token(
        account: &Account,
        user: &User,
        project: Option<&Project>,
        method: &str,
        now: Timestamp,
    ) -> Answer {
        let (text, token) = account.issue_token(user, project, now);
        let body = Self::token_body(account, user, project, method, now, token.expires_at);
        answer::write(StatusCode::CREATED, Some(&body), FieldOrder::Fixed, now)
            .header("x-subject-token", &text)
    }

    fn find_project<'a>(account: &'a Account, wanted: &ProjectScope) -> Result<&'a Project, Refusal> {
        let matches = |project: &&Project| match (&wanted.id, &wanted.name) {
            (Some(id), _) => project.id == *id,
            (None, Some(name)) => project.name == *name,
            (None, None) => false,
        };
        let missing = || Refusal::Iam(StatusCode::NOT_FOUND, "The project could not be found.".to_owned());
        account.projects.iter().find(matches).ok_or_else(missing)
    }

    fn token_body(
        account: &Account,
        user: &User,
        project: Option<&Project>,
        method: &str,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Value {
        let domain = json!({ "id": account.id, "name": user.account });
        let mut token = json!({
            "expires_at": clock::format(expires_at, trust::TIME),
            "issued_at": clock::format(now, trust::TIME),
            "methods": [method],
            "roles": [],
            "catalog": [],
            "user": { "id": user.name, "name": user.name, "domain": domain, "password_expires_at": "" },
        });
        let (key, scope) = match project {
            Some(Project { name, id }) => ("project", json!({ "id": id, "name": name, "domain": domain })),
            None => ("domain", domain),
        };
        token[key] = scope;
        json!({ "token": token })
    }

    fn list_projects(&self, raw: &RawRequest, now: Timestamp) -> Result<Answer, Refusal> {
        let account = authenticate(&self.accounts, QueryOnWire::Decoded, raw, now)?.account;
        let mut wanted = None;
        for (name, value) in decode_pairs(&raw.query, Plus::Itself) {
            if name != "name" {
                let message = format!("This mock does not model the filter {name}.");
                return Err(Refusal::Iam(StatusCode::BAD_REQUEST, message));
            }
            wanted = Some(value);
        }
        let link = |path: &str| format!("http://{}{path}", raw.header("host").unwrap_or_default());
        let projects: Vec<Value> = account
            .projects
            .iter()
            .filter(|project| wanted.as_ref().is_none_or(|name| *name == project.name))
            .map(|Project { name, id }| {
                json!({
                    "id": id,
                    "name": name,
                    "domain_id": account.id,
                    "parent_id": account.id,
                    "is_domain": false,
                    "enabled": true,
                    "description": "",
                    "links": { "self": link(&format!("/v3/projects/{id}")) },
                })
            })
            .collect();
        let links = json!({ "self": link("/v3/projects"), "previous": null, "next": null });
        let body = json!({ "projects": projects, "links": links });
        Ok(answer::write(StatusCode::OK, Some(&body), FieldOrder::Fixed, now))
    }
}

fn bad(message: &str) -> Refusal {
    Refusal::Iam(StatusCode::BAD_REQUEST, message.to_owned())
}

fn unauthorized(message: &str) -> Refusal {
    Refusal::Iam(StatusCode::UNAUTHORIZED, message.to_owned())
}

fn json_body<T: DeserializeOwned>(raw: &RawRequest) -> Result<T, Refusal> {
    if raw.media_type().as_deref() != Some("application/json") {
        return Err(bad("The Content-Type is not application/json."));
    }
    // Without the parser's own message, which may quote a password.
    serde_json::from_slice(&raw.body).map_err(|_| bad("The request body is invalid."))
}

#[derive(Deserialize)]
struct TokenRequest {
    auth: Auth,
}

#[derive(Deserialize)]
struct Auth {
    identity: Identity,
    scope: Option<TokenScope>,
}

#[derive(Deserialize)]
struct Identity {
    methods: Vec<String>,
    password: Password,
}

#[derive(Deserialize)]
struct Password {
    user: PasswordUser,
}

#[derive(Deserialize)]
struct PasswordUser {
    name: String,
    password: String,
    domain: UserDomain,
}

#[derive(Deserialize)]
struct UserDomain {
    name: String,
}

/// A scope without a project is the whole account, whether or not it names the account.
#[derive(Deserialize)]
struct TokenScope {
    project: Option<ProjectScope>,
}

#[derive(Deserialize)]
struct ProjectScope {
    id: Option<String>,
    name: Option<String>,
}
