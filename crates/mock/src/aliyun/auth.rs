//! Who is calling: access key, security token, time window, signature, nonce, in this order.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Mutex,
};

use axum::http::HeaderName;
use jiff::{SignedDuration, Timestamp};

use super::{
    error::{ApiError, Result},
    request::{ApiRequest, Style},
    verify,
};
use crate::{
    canonical::{is_signed, same, sha256_hex},
    clock,
    credentials::{AccessKey, AccessKeys},
    lock::lock,
    recorded::RawRequest,
};

/// How long a nonce stays used.
const NONCE_MEMORY: SignedDuration = SignedDuration::from_mins(15);

/// Headers an ACS3 call has to carry and sign; others it has to sign only if it carries them.
const SIGNED_BY_ACS3: [&str; 6] =
    ["host", "x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce", "x-acs-version"];

#[derive(Debug)]
pub(super) struct Authenticator {
    pub(super) keys: Mutex<AccessKeys>,
    window: SignedDuration,
    nonces: Mutex<Nonces>,
}

#[derive(Debug, Default)]
struct Nonces {
    /// When each pair of access key id and nonce was used.
    used: HashMap<(String, String), Timestamp>,
    /// With so many, those that are old enough are forgotten.
    full: usize,
}

impl Nonces {
    const FEW: usize = 1_000;
}

/// What a request says about its caller.
struct Claims<'a> {
    access_key_id: &'a str,
    timestamp: &'a str,
    nonce: &'a str,
    security_token: Option<&'a str>,
    signature: &'a str,
    /// Of an ACS3 call.
    canonical_request: Option<String>,
}

impl Authenticator {
    pub(super) fn new(keys: AccessKeys, window: SignedDuration) -> Self {
        Self { keys: Mutex::new(keys), window, nonces: Mutex::default() }
    }

    /// The key of the caller.
    pub(super) fn check(&self, request: &ApiRequest<'_>, now: Timestamp) -> Result<AccessKey> {
        let claims = match request.style {
            Style::Rpc => rpc_claims(request)?,
            Style::Acs3 => acs3_claims(request)?,
        };
        let key = lock(&self.keys).find(claims.access_key_id).ok_or_else(ApiError::unknown_access_key)?;
        check_token(&key, claims.security_token)?;
        if key.is_over(now) {
            return Err(ApiError::expired_security_token());
        }
        self.check_time(claims.timestamp, now)?;
        check_signature(request, &claims, &key)?;
        self.use_nonce(&claims, now)?;
        Ok(key)
    }

    fn check_time(&self, timestamp: &str, now: Timestamp) -> Result<()> {
        let at = clock::parse(timestamp, clock::EXTENDED).ok_or_else(ApiError::malformed_timestamp)?;
        if now.duration_since(at).abs() > self.window { Err(ApiError::expired_timestamp()) } else { Ok(()) }
    }

    fn use_nonce(&self, claims: &Claims<'_>, now: Timestamp) -> Result<()> {
        let is_remembered = |used: &Timestamp| now.duration_since(*used) < NONCE_MEMORY;
        let mut nonces = lock(&self.nonces);
        // Looking through all of them for each call would be most of what a busy mock does.
        if nonces.used.len() >= nonces.full {
            nonces.used.retain(|_, used| is_remembered(used));
            nonces.full = (nonces.used.len() * 2).max(Nonces::FEW);
        }
        match nonces.used.entry((claims.access_key_id.to_owned(), claims.nonce.to_owned())) {
            Entry::Occupied(used) if is_remembered(used.get()) => Err(ApiError::nonce_used()),
            entry => {
                entry.insert_entry(now);
                Ok(())
            }
        }
    }
}

fn rpc_claims<'a>(request: &'a ApiRequest<'_>) -> Result<Claims<'a>> {
    let access_key_id = request.required("AccessKeyId")?;
    let signature = request.required("Signature")?;
    if request.required("SignatureMethod")? != "HMAC-SHA1" {
        return Err(ApiError::incomplete_signature("SignatureMethod is not HMAC-SHA1"));
    }
    if request.required("SignatureVersion")? != "1.0" {
        return Err(ApiError::incomplete_signature("SignatureVersion is not 1.0"));
    }
    Ok(Claims {
        access_key_id,
        timestamp: request.text("Timestamp").ok_or_else(ApiError::missing_timestamp)?,
        nonce: request.required("SignatureNonce")?,
        security_token: request.text("SecurityToken"),
        signature,
        canonical_request: None,
    })
}

fn acs3_claims<'a>(request: &'a ApiRequest<'_>) -> Result<Claims<'a>> {
    let raw = request.raw;
    let [access_key_id, signed_headers, signature] =
        raw.header("authorization").and_then(authorization_fields).ok_or_else(|| {
            ApiError::incomplete_signature(
                "Authorization is not `ACS3-HMAC-SHA256 Credential=<id>,SignedHeaders=<names>,Signature=<hex>`",
            )
        })?;
    let timestamp = request.header("x-acs-date").ok_or_else(ApiError::missing_timestamp)?;
    let nonce = request.header("x-acs-signature-nonce").ok_or_else(|| ApiError::missing("SignatureNonce"))?;
    let present = raw.headers.keys().map(HeaderName::as_str).filter(|name| is_to_be_signed(name, raw));
    if let Some(unsigned) =
        SIGNED_BY_ACS3.into_iter().chain(present).find(|header| !is_signed(signed_headers, header))
    {
        return Err(ApiError::incomplete_signature(&format!("The header {unsigned} is not signed")));
    }
    let canonical_request = verify::acs3_canonical_request(request, signed_headers)
        .map_err(|problem| ApiError::incomplete_signature(&problem))?;
    Ok(Claims {
        access_key_id,
        timestamp,
        nonce,
        security_token: request.header("x-acs-security-token"),
        signature,
        canonical_request: Some(canonical_request),
    })
}

/// Of the media type, what matters is whether there is something of it: the vendor's own SDK for Python, used
/// asynchronously, has one added behind its signature, to empty bodies.
fn is_to_be_signed(header: &str, raw: &RawRequest) -> bool {
    header.starts_with("x-acs-") || (header == "content-type" && !raw.body.is_empty())
}

/// Credential, signed headers and signature.
fn authorization_fields(value: &str) -> Option<[&str; 3]> {
    let fields = value.strip_prefix(verify::ACS3_ALGORITHM)?.strip_prefix(' ')?;
    let mut fields = fields.split(',');
    let mut field = |name: &str| fields.next()?.strip_prefix(name)?.strip_prefix('=');
    let found = [field("Credential")?, field("SignedHeaders")?, field("Signature")?];
    fields.next().is_none().then_some(found)
}

fn check_token(key: &AccessKey, given: Option<&str>) -> Result<()> {
    match (&key.token, given) {
        (None, None) => Ok(()),
        (Some(token), Some(given)) if same(token.expose(), given) => Ok(()),
        (Some(_), None) => Err(ApiError::missing("SecurityToken")),
        (_, Some(_)) => Err(ApiError::wrong_security_token()),
    }
}

fn check_signature(request: &ApiRequest<'_>, claims: &Claims<'_>, key: &AccessKey) -> Result<()> {
    let secret = key.secret.expose();
    match &claims.canonical_request {
        None => {
            let expected = verify::rpc(request, secret);
            if same(&expected.signature, claims.signature) {
                return Ok(());
            }
            Err(ApiError::signature_mismatch(&expected.string_to_sign))
        }
        Some(canonical_request) => {
            let expected = verify::acs3(canonical_request, secret);
            let declared_hash = request.raw.header("x-acs-content-sha256");
            if same(&expected.signature, claims.signature)
                && declared_hash == Some(sha256_hex(&request.raw.body).as_str())
            {
                return Ok(());
            }
            let string_to_sign = expected.string_to_sign;
            Err(ApiError::signature_mismatch(&format!(
                "{string_to_sign}\nserver canonical request is:{canonical_request}"
            )))
        }
    }
}
