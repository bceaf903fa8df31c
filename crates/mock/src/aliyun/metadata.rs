//! The metadata service of an ECS instance, and a URI that gives out keys.
//!
//! The vendor's pages have the paths, the headers and the range of a token's lifetime. The statuses of refusals and their
//! pages are UNVERIFIED.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use jiff::Timestamp;

use super::{ram::Ram, sts};
use crate::{
    clock::Clock,
    credentials::random_hex,
    faults::Refusal,
    recorded::RawRequest,
    server::{Answer, Service},
    session::{MachineKey, Proofs},
};

const CREATE_TOKEN: &str = "CreateMetadataToken";
const GET_ROLE: &str = "GetMetadataRole";
const GET_ROLE_CREDENTIALS: &str = "GetMetadataRoleCredentials";
const GET_URI_CREDENTIALS: &str = "GetUriCredentials";

const TOKEN_PATH: &str = "/latest/api/token";
const ROLES_PATH: &str = "/latest/meta-data/ram/security-credentials";
pub(super) const URI_PATH: &str = "/credentials";

const TTL_HEADER: &str = "x-aliyun-ecs-metadata-token-ttl-seconds";
const TOKEN_HEADER: &str = "x-aliyun-ecs-metadata-token";

/// Which versions of the metadata protocol an instance speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Imds {
    /// With a token or without; a token that is wrong is refused.
    #[default]
    V1AndV2,
    /// Only with a token.
    V2Only,
    /// There are no tokens: asking for one is answered with 404, and the header is ignored.
    V1Only,
}

pub(super) struct Metadata {
    pub(super) ram: Arc<Ram>,
    pub(super) clock: Clock,
    pub(super) imds: Imds,
    /// Whether the instance has a role.
    pub(super) has_role: bool,
    pub(super) tokens: Proofs,
    /// One for the role, one for the URI: they are different sources.
    pub(super) role_key: MachineKey,
    pub(super) uri_key: MachineKey,
}

impl Service for Metadata {
    const VENDOR: &'static str = "aliyun-metadata";

    fn operation(&self, raw: &RawRequest) -> Option<&'static str> {
        match (&raw.method, raw.path.as_str()) {
            (&Method::PUT, TOKEN_PATH) => Some(CREATE_TOKEN),
            (&Method::GET, URI_PATH) => Some(GET_URI_CREDENTIALS),
            (&Method::GET, path) => match path.strip_prefix(ROLES_PATH)? {
                "" | "/" => Some(GET_ROLE),
                role => role.starts_with('/').then_some(GET_ROLE_CREDENTIALS),
            },
            _ => None,
        }
    }

    fn answer(&self, raw: &RawRequest) -> Answer {
        let now = self.clock.now();
        let operation = self.operation(raw);
        let outcome = match operation {
            Some(CREATE_TOKEN) => self.create_token(raw, now),
            Some(GET_URI_CREDENTIALS) => Ok(self.credentials(&self.uri_key, now)),
            Some(_) => self.role(raw, now),
            None => Err(if self.is_known(&raw.path) {
                StatusCode::METHOD_NOT_ALLOWED
            } else {
                StatusCode::NOT_FOUND
            }),
        };
        let mut answer = outcome.unwrap_or_else(refused);
        answer.operation = operation;
        answer
    }

    fn refuse(&self, _: &RawRequest, refusal: Refusal) -> Answer {
        refused(match refusal {
            Refusal::Throttled => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Denied => StatusCode::FORBIDDEN,
            Refusal::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::TokenExpired => StatusCode::UNAUTHORIZED,
        })
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

type Outcome = Result<Answer, StatusCode>;

impl Metadata {
    fn is_known(&self, path: &str) -> bool {
        let has_tokens = self.imds != Imds::V1Only;
        (path == TOKEN_PATH && has_tokens) || path == URI_PATH || path.starts_with(ROLES_PATH)
    }

    fn create_token(&self, raw: &RawRequest, now: Timestamp) -> Outcome {
        if self.imds == Imds::V1Only {
            return Err(StatusCode::NOT_FOUND);
        }
        // What came through a proxy does not come from the instance.
        if raw.header("x-forwarded-for").is_some() {
            return Err(StatusCode::FORBIDDEN);
        }
        let token = self.tokens.issue_for(raw.header(TTL_HEADER), random_hex(), now);
        let token = token.ok_or(StatusCode::BAD_REQUEST)?;
        Ok(text(&token))
    }

    fn role(&self, raw: &RawRequest, now: Timestamp) -> Outcome {
        self.check_token(raw, now)?;
        if !self.has_role {
            return Err(StatusCode::NOT_FOUND);
        }
        match raw.path.strip_prefix(ROLES_PATH).map(|path| path.trim_start_matches('/')) {
            Some("") => Ok(text(&self.ram.ecs_role)),
            Some(role) if role == self.ram.ecs_role => Ok(self.credentials(&self.role_key, now)),
            _ => Err(StatusCode::NOT_FOUND),
        }
    }

    fn check_token(&self, raw: &RawRequest, now: Timestamp) -> Result<(), StatusCode> {
        match (self.imds, raw.header(TOKEN_HEADER)) {
            (Imds::V1Only, _) | (Imds::V1AndV2, None) => Ok(()),
            (Imds::V2Only, None) => Err(StatusCode::FORBIDDEN),
            (_, Some(token)) if self.tokens.accept(token, now) => Ok(()),
            (_, Some(_)) => Err(StatusCode::UNAUTHORIZED),
        }
    }

    fn credentials(&self, key: &MachineKey, now: Timestamp) -> Answer {
        let mut body = sts::credentials(&key.get(self.ram.keys(), now));
        body["Code"] = "Success".into();
        Answer::with_body(StatusCode::OK, "application/json", body.to_string())
    }
}

fn text(body: &str) -> Answer {
    Answer::with_body(StatusCode::OK, "text/plain", body.to_owned())
}

/// A page, as web servers have it.
fn refused(status: StatusCode) -> Answer {
    let page = format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\n");
    let mut answer = Answer::with_body(status, "text/html", page);
    answer.code = Some(status.as_u16().to_string());
    answer
}
