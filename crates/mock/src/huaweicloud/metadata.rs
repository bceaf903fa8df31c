//! The metadata service of a server with an agency, and the one that gives keys to pods.
//!
//! The shapes of refusals are UNVERIFIED.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::Value;

use super::{
    account::Account,
    answer,
    trust::{self, Trust},
};
use crate::{
    clock::Clock,
    credentials::random_hex,
    faults,
    field_order::FieldOrder,
    recorded::RawRequest,
    server::{Answer, Service},
    session::{MachineKey, Proofs},
};

const CREATE_TOKEN: &str = "CreateMetadataToken";
const GET_SECURITY_KEY: &str = "GetSecurityKey";
const GET_POD_CREDENTIALS: &str = "GetPodCredentials";

const TOKEN_PATH: &str = "/meta-data/latest/api/token";
const SECURITY_KEY_PATH: &str = "/openstack/latest/securitykey";
pub(super) const POD_PATH: &str = "/pod-identity";

const TTL_HEADER: &str = "x-metadata-token-ttl-seconds";
const TOKEN_HEADER: &str = "x-metadata-token";

/// What the SDKs look for to tell a server without an agency.
const NO_AGENCY: &str = "Please configure Cloud Service Agency first";

/// Whether the metadata service asks for tokens of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MetadataTokens {
    /// Without one, there is no key.
    Required,
    /// With a token or without; a token that is wrong is refused.
    #[default]
    Optional,
    /// There are none: asking for one is answered with 404, and the header is ignored.
    Unsupported,
}

pub(super) struct Metadata {
    pub(super) account: Arc<Account>,
    pub(super) trust: Arc<Trust>,
    pub(super) clock: Clock,
    pub(super) token_mode: MetadataTokens,
    pub(super) has_agency: bool,
    pub(super) tokens: Proofs,
    /// One for the server, one for the pod: they are different sources.
    pub(super) server_key: MachineKey,
    pub(super) pod_key: MachineKey,
}

struct Refusal(StatusCode, &'static str);

impl Service for Metadata {
    const VENDOR: &'static str = "huaweicloud-metadata";

    fn operation(&self, raw: &RawRequest) -> Option<&'static str> {
        match (&raw.method, raw.path.as_str()) {
            (&Method::PUT, TOKEN_PATH) => Some(CREATE_TOKEN),
            (&Method::GET, SECURITY_KEY_PATH) => Some(GET_SECURITY_KEY),
            (&Method::POST, POD_PATH) => Some(GET_POD_CREDENTIALS),
            _ => None,
        }
    }

    fn answer(&self, raw: &RawRequest) -> Answer {
        let now = self.clock.now();
        let operation = self.operation(raw);
        let outcome = match operation {
            Some(CREATE_TOKEN) => self.create_token(raw, now),
            Some(GET_SECURITY_KEY) => self.security_key(raw, now),
            Some(_) => self.pod_credentials(raw, now),
            None => Err(Refusal(StatusCode::NOT_FOUND, "The resource could not be found.")),
        };
        let mut answer =
            outcome.unwrap_or_else(|Refusal(status, message)| answer::refuse(status, message, now));
        answer.operation = operation;
        answer
    }

    fn refuse(&self, _: &RawRequest, refusal: faults::Refusal) -> Answer {
        use faults::Refusal as Scripted;
        let Refusal(status, message) = match refusal {
            Scripted::Throttled => Refusal(StatusCode::TOO_MANY_REQUESTS, "Too many requests."),
            Scripted::Denied => Refusal(StatusCode::FORBIDDEN, "Access is denied."),
            Scripted::Unavailable => Refusal(StatusCode::SERVICE_UNAVAILABLE, "The service is unavailable."),
            Scripted::TokenExpired => Refusal(StatusCode::UNAUTHORIZED, "The token has expired."),
        };
        answer::refuse(status, message, self.now())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Metadata {
    fn create_token(&self, raw: &RawRequest, now: Timestamp) -> Result<Answer, Refusal> {
        if self.token_mode == MetadataTokens::Unsupported {
            return Err(Refusal(StatusCode::NOT_FOUND, "The resource could not be found."));
        }
        let token = self.tokens.issue_for(raw.header(TTL_HEADER), random_hex() + &random_hex(), now);
        let token = token
            .ok_or(Refusal(StatusCode::BAD_REQUEST, "X-Metadata-Token-Ttl-Seconds is not 1 to 21600."))?;
        Ok(Answer::with_body(StatusCode::OK, "text/plain", token))
    }

    fn security_key(&self, raw: &RawRequest, now: Timestamp) -> Result<Answer, Refusal> {
        let unauthorized =
            Err(Refusal(StatusCode::UNAUTHORIZED, "The metadata token is missing or invalid."));
        match (self.token_mode, raw.header(TOKEN_HEADER)) {
            (MetadataTokens::Unsupported, _) | (MetadataTokens::Optional, None) => {}
            (_, Some(token)) if self.tokens.accept(token, now) => {}
            _ => return unauthorized,
        }
        if !self.has_agency {
            return Err(Refusal(StatusCode::UNAUTHORIZED, NO_AGENCY));
        }
        let session = self.server_key.get(&self.account.keys, now);
        Ok(success(&trust::iam_credential(&session), now))
    }

    fn pod_credentials(&self, raw: &RawRequest, now: Timestamp) -> Result<Answer, Refusal> {
        let token = raw
            .header("authorization")
            .ok_or(Refusal(StatusCode::UNAUTHORIZED, "The header Authorization is missing."))?;
        if !self.trust.pod_tokens.accept(token, now) {
            return Err(Refusal(StatusCode::UNAUTHORIZED, "The token of the pod is invalid."));
        }
        if !serde_json::from_slice::<Value>(&raw.body).is_ok_and(|body| body.is_object()) {
            return Err(Refusal(StatusCode::BAD_REQUEST, "The body is not a JSON object."));
        }
        let session = self.pod_key.get(&self.account.keys, now);
        Ok(success(&trust::pod_credentials(&session), now))
    }
}

fn success(body: &Value, now: Timestamp) -> Answer {
    answer::write(StatusCode::OK, Some(body), FieldOrder::Fixed, now)
}
