//! Whose tokens the account trusts: an identity provider, an agency for it, and pods.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::account::Account;
use crate::{
    clock,
    session::{self, Proofs, Session},
};

/// Ids of temporary keys begin with this.
pub(super) const KEY_PREFIX: &str = "HST";

/// Times of tokens and keys have microseconds.
pub(super) const TIME: &str = "%Y-%m-%dT%H:%M:%S.%6fZ";

#[derive(Debug)]
pub(super) struct Trust {
    pub(super) idp_id: String,
    pub(super) oidc_provider_urn: String,
    pub(super) agency_urn: String,
    pub(super) id_tokens: Proofs,
    pub(super) pod_tokens: Proofs,
}

impl Trust {
    const ISSUER: &str = "https://oidc.example.com";
    pub(super) const SUBJECT: &str = "system:serviceaccount:default:mock";
    pub(super) const AGENCY: &str = "mock-agency";

    pub(super) fn new(account: &Account) -> Self {
        let id = &account.id;
        Self {
            idp_id: "mock-idp".to_owned(),
            oidc_provider_urn: format!("iam::{id}:oidcProvider:mock-provider"),
            agency_urn: format!("iam::{id}:agency:{}", Self::AGENCY),
            id_tokens: Proofs::default(),
            pod_tokens: Proofs::default(),
        }
    }

    pub(super) fn issue_id_token(&self) -> String {
        self.id_tokens.issue_id_token(Self::ISSUER, Self::SUBJECT, "mock-client")
    }

    pub(super) fn issue_pod_token(&self) -> String {
        self.pod_tokens.issue_id_token(Self::ISSUER, Self::SUBJECT, "pod-identity")
    }
}

pub(super) fn issue_session(account: &Account, lifetime: SignedDuration, now: Timestamp) -> Session {
    session::issue(&account.keys, KEY_PREFIX, lifetime, now)
}

/// A key as IAM and the metadata of servers write it.
pub(super) fn iam_credential(session: &Session) -> Value {
    json!({ "credential": {
        "access": session.key.id,
        "secret": session.key.secret,
        "securitytoken": session.key.security_token,
        "expires_at": clock::format(session.expires_at, TIME),
    } })
}

/// A key as STS writes it.
pub(super) fn sts_credentials(session: &Session) -> Value {
    json!({ "credentials": {
        "access_key_id": session.key.id,
        "secret_access_key": session.key.secret,
        "security_token": session.key.security_token,
        "expiration": clock::format(session.expires_at, clock::EXTENDED_MILLISECONDS),
    } })
}

/// A key as the service for pods writes it: so the tests of the vendor's SDKs have it.
pub(super) fn pod_credentials(session: &Session) -> Value {
    json!({
        "assumedAgency": { "urn": "", "id": "" },
        "audience": "",
        "credentials": {
            "accessKeyId": session.key.id,
            "secretAccessKey": session.key.secret,
            "securityToken": session.key.security_token,
            "expiration": clock::format(session.expires_at, TIME),
        },
        "podIdentityAssociationId": "",
        "subject": { "namespace": "default", "serviceAccount": "mock" },
    })
}
