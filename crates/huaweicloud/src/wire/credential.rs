//! What the sources of temporary keys are asked and what they answer, exactly as on the wire: IAM v3.0, STS v5, the
//! metadata of an ECS instance, pod identity. No page of the last two was read: they are as the vendor's SDKs use them.

use jiff::Timestamp;
use record_callback_core::AccountId;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// <https://support.huaweicloud.com/api-iam/iam_13_0605.html>
pub(crate) const CREATE_TOKEN: &str = "CreateTokenWithIdToken";
/// <https://support.huaweicloud.com/api-iam/iam_04_0002.html>
pub(crate) const CREATE_KEY: &str = "CreateTemporaryAccessKeyByToken";
pub(crate) const ASSUME_AGENCY: &str = "AssumeAgencyWithOIDC";
/// STS v5; no right is needed. <https://support.huaweicloud.com/api-iam5/GetCallerIdentity.html>
pub(crate) const CALLER_IDENTITY: &str = "GetCallerIdentity";
/// The last three are names of our own.
pub(crate) const METADATA_TOKEN: &str = "GetMetadataToken";
pub(crate) const METADATA_KEY: &str = "GetMetadataSecurityKey";
pub(crate) const POD_KEY: &str = "GetPodCredentials";

pub(crate) const TOKEN_PATH: &str = "/v3.0/OS-AUTH/id-token/tokens";
pub(crate) const KEY_PATH: &str = "/v3.0/OS-CREDENTIAL/securitytokens";
pub(crate) const ASSUME_AGENCY_PATH: &str = "/v5/agencies/assume-with-oidc";
pub(crate) const CALLER_IDENTITY_PATH: &str = "/v5/caller-identity";
pub(crate) const METADATA_TOKEN_PATH: &str = "/meta-data/latest/api/token";
pub(crate) const METADATA_KEY_PATH: &str = "/openstack/latest/securitykey";

pub(crate) const IDP_ID: &str = "x-idp-id";
pub(crate) const METADATA_TOKEN_HEADER: &str = "x-metadata-token";
pub(crate) const METADATA_TOKEN_SECONDS: &str = "x-metadata-token-ttl-seconds";

/// What metadata says, with status 401 or 404, to an instance that has no agency.
pub(crate) const NO_AGENCY: &str = "Please configure Cloud Service Agency first";

/// What pod identity is asked.
pub(crate) const POD_REQUEST: &str = "{}";

/// The body that asks IAM for a token of an identity provider's user.
pub(crate) fn token_request(id_token: &SecretString) -> Vec<u8> {
    json!({ "auth": { "id_token": { "id": id_token.expose_secret() } } }).to_string().into_bytes()
}

/// The body that asks IAM for a temporary key of a token's owner. The page has the token in `X-Auth-Token`, the vendor's
/// SDKs have it here.
pub(crate) fn key_request(token: &SecretString, seconds: u32) -> Vec<u8> {
    let token = json!({ "id": token.expose_secret(), "duration_seconds": seconds });
    json!({ "auth": { "identity": { "methods": ["token"], "token": token } } }).to_string().into_bytes()
}

/// What STS is asked for a temporary key of an agency.
pub(crate) struct AssumeAgency<'a> {
    pub(crate) provider_urn: &'a str,
    pub(crate) agency_urn: &'a str,
    pub(crate) session_name: &'a str,
    pub(crate) id_token: &'a SecretString,
    pub(crate) seconds: u32,
    /// These narrow what the key may do.
    pub(crate) policy: Option<&'a str>,
    pub(crate) policy_ids: &'a [String],
}

impl AssumeAgency<'_> {
    /// The body that asks so.
    pub(crate) fn request(&self) -> Vec<u8> {
        let mut body = json!({
            "provider_urn": self.provider_urn,
            "agency_urn": self.agency_urn,
            "agency_session_name": self.session_name,
            "id_token": self.id_token.expose_secret(),
            "duration_seconds": self.seconds,
        });
        if let Some(policy) = self.policy {
            body["policy"] = policy.into();
        }
        if !self.policy_ids.is_empty() {
            body["policy_ids"] = self.policy_ids.into();
        }
        body.to_string().into_bytes()
    }
}

/// `{"account_id","principal_urn","principal_id"}`: users, agencies and sessions of one account have its id.
#[derive(Deserialize)]
pub(crate) struct CallerIdentity {
    pub(crate) account_id: AccountId,
}

/// A temporary key as issued.
pub(crate) struct IssuedKey {
    pub(crate) id: String,
    pub(crate) secret: SecretString,
    pub(crate) security_token: SecretString,
    pub(crate) expires_at: Timestamp,
}

/// Reads a temporary key, under any of the names the vendor's services give its parts; the first that is there counts.
/// An error is what is missing.
pub(crate) fn issued_key(body: &[u8]) -> Result<IssuedKey, &'static str> {
    let body: Value = serde_json::from_slice(body).map_err(|_| "as JSON")?;
    let mut fields = body.as_object().ok_or("as a JSON object")?;
    if let Some(inner) = ["credential", "credentials"].iter().find_map(|name| fields.get(*name)?.as_object())
    {
        fields = inner;
    }
    let id = text(fields, &["access", "accessKeyId", "access_key_id"]).ok_or("with `access`")?;
    let secret = text(fields, &["secret", "secretAccessKey", "secret_access_key"]).ok_or("with `secret`")?;
    let token = text(fields, &["securitytoken", "securityToken", "security_token"]);
    let token = token.ok_or("with `securitytoken`")?;
    let end = text(fields, &["expires_at", "expiration"]).ok_or("with `expires_at`")?;
    let expires_at = end.parse().map_err(|_| "with a time in `expires_at`")?;
    Ok(IssuedKey { id: id.to_owned(), secret: secret.into(), security_token: token.into(), expires_at })
}

fn text<'a>(fields: &'a Map<String, Value>, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| fields.get(*name)?.as_str().filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_under_all_names_and_with_or_without_fractions() {
        for (body, end) in [
            (
                r#"{"credential":{"access":"a","secret":"s3cr3t","securitytoken":"t0ken","expires_at":"2026-01-02T03:04:05.678000Z"}}"#,
                "2026-01-02T03:04:05.678Z",
            ),
            (
                r#"{"credentials":{"access_key_id":"a","secret_access_key":"s3cr3t","security_token":"t0ken","expiration":"2026-01-02T03:04:05Z"},"x":1}"#,
                "2026-01-02T03:04:05Z",
            ),
            (
                r#"{"access":"","accessKeyId":"a","access_key_id":"b","secretAccessKey":"s3cr3t","securityToken":"t0ken","expires_at":"2026-01-02T03:04:05.6Z"}"#,
                "2026-01-02T03:04:05.6Z",
            ),
        ] {
            let key = issued_key(body.as_bytes()).ok().unwrap();
            assert_eq!((key.id.as_str(), key.secret.expose_secret()), ("a", "s3cr3t"), "{body}");
            assert_eq!(key.security_token.expose_secret(), "t0ken");
            assert_eq!(key.expires_at.to_string(), end);
        }
    }

    #[test]
    fn what_a_key_lacks_is_named_without_what_it_has() {
        for (body, missing) in [
            ("<html>", "as JSON"),
            ("[1]", "as a JSON object"),
            ("{}", "with `access`"),
            (r#"{"access":"a","secret":5}"#, "with `secret`"),
            (r#"{"access":"a","secret":"s3cr3t"}"#, "with `securitytoken`"),
            (r#"{"access":"a","secret":"s3cr3t","securitytoken":"t"}"#, "with `expires_at`"),
            (
                r#"{"access":"a","secret":"s3cr3t","securitytoken":"t","expires_at":"soon"}"#,
                "with a time in `expires_at`",
            ),
        ] {
            assert_eq!(issued_key(body.as_bytes()).err(), Some(missing), "{body}");
        }
    }

    #[test]
    fn an_agency_is_asked_for_without_what_is_not_given() {
        let token = SecretString::from("t");
        let mut asked = AssumeAgency {
            provider_urn: "p",
            agency_urn: "a",
            session_name: "s",
            id_token: &token,
            seconds: 900,
            policy: None,
            policy_ids: &[],
        };
        let read = |body: Vec<u8>| serde_json::from_slice::<Value>(&body).unwrap();
        let mut expected = json!({
            "provider_urn": "p",
            "agency_urn": "a",
            "agency_session_name": "s",
            "id_token": "t",
            "duration_seconds": 900,
        });
        assert_eq!(read(asked.request()), expected);
        let ids = ["x".to_owned()];
        (asked.policy, asked.policy_ids) = (Some("{}"), &ids);
        (expected["policy"], expected["policy_ids"]) = ("{}".into(), json!(["x"]));
        assert_eq!(read(asked.request()), expected);
    }
}
