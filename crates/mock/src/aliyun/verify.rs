//! What the signature of a request has to be, computed from the request as received.
//!
//! Written from the vendor's pages on the RPC signature (`SignatureMethod=HMAC-SHA1`, `SignatureVersion=1.0`) and on
//! the V3 signature (`ACS3-HMAC-SHA256`).

use super::request::ApiRequest;
use crate::canonical::{encode, encode_pairs, header_lines, hmac_sha1_base64, hmac_sha256_hex, sha256_hex};

pub(super) const ACS3_ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// The server's side of a signature comparison.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) string_to_sign: String,
    pub(super) signature: String,
}

/// The RPC signature, over every parameter but `Signature` itself.
pub(super) fn rpc(request: &ApiRequest<'_>, secret: &str) -> Expected {
    let signed = encode_pairs(request.parameters().filter(|(name, _)| name != "Signature"));
    let string_to_sign = format!("{}&{}&{}", request.raw.method, encode("/"), encode(signed));
    let signature = hmac_sha1_base64(&format!("{secret}&"), &string_to_sign);
    Expected { string_to_sign, signature }
}

/// The canonical request of an ACS3 call, over the headers the request itself lists.
///
/// Parameters are decoded and encoded again because the vendor's SDK sends a space as `+` but signs `%20`.
pub(super) fn acs3_canonical_request(
    request: &ApiRequest<'_>,
    signed_headers: &str,
) -> Result<String, String> {
    let raw = request.raw;
    Ok(format!(
        "{}\n{}\n{}\n{}\n{signed_headers}\n{}",
        raw.method,
        raw.path,
        encode_pairs(&request.query),
        header_lines(&raw.headers, signed_headers)?,
        sha256_hex(&raw.body)
    ))
}

/// The ACS3 signature of a canonical request.
pub(super) fn acs3(canonical_request: &str, secret: &str) -> Expected {
    let string_to_sign = format!("{ACS3_ALGORITHM}\n{}", sha256_hex(canonical_request));
    let signature = hmac_sha256_hex(secret, &string_to_sign);
    Expected { string_to_sign, signature }
}

#[cfg(test)]
mod tests;
