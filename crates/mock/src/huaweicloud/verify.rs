//! What the signature of a request has to be, computed from the request as received.
//!
//! Written from the vendor's pages on AK/SK signing (`SDK-HMAC-SHA256`).

use percent_encoding::percent_decode_str;

use crate::{
    canonical::{Plus, decode_pairs, encode, encode_pairs, header_lines, hmac_sha256_hex, sha256_hex},
    recorded::RawRequest,
};

pub(super) const ALGORITHM: &str = "SDK-HMAC-SHA256";
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// The fields of an `Authorization` header.
pub(super) struct Authorization<'a> {
    pub(super) access_key: &'a str,
    pub(super) signed_headers: &'a str,
    pub(super) signature: &'a str,
}

impl<'a> Authorization<'a> {
    pub(super) fn parse(value: &'a str) -> Option<Self> {
        let mut fields = value.strip_prefix(ALGORITHM)?.strip_prefix(' ')?.split(", ");
        let mut field = |name: &str| fields.next()?.strip_prefix(name)?.strip_prefix('=');
        let found = Self {
            access_key: field("Access")?,
            signed_headers: field("SignedHeaders")?,
            signature: field("Signature")?,
        };
        fields.next().is_none().then_some(found)
    }
}

/// The canonical request, over the headers the request itself lists. The error says why there is none.
pub(super) fn canonical_request(raw: &RawRequest, signed_headers: &str) -> Result<String, String> {
    Ok(format!(
        "{}\n{}\n{}\n{}\n{signed_headers}\n{}",
        raw.method,
        canonical_uri(&raw.path),
        encode_pairs(&decode_pairs(&raw.query, Plus::Itself)),
        header_lines(&raw.headers, signed_headers)?,
        payload_hash(raw)?
    ))
}

/// The signature of a canonical request; `date` is the value of `X-Sdk-Date`.
pub(super) fn signature(canonical_request: &str, date: &str, secret: &str) -> String {
    let string_to_sign = format!("{ALGORITHM}\n{date}\n{}", sha256_hex(canonical_request));
    hmac_sha256_hex(secret, &string_to_sign)
}

/// Whether every pair of the query is written on the wire the way it is signed: `%2A`, not `*`.
pub(super) fn query_is_canonical(query: &str) -> bool {
    query.is_empty() || query.split('&').all(|pair| encode_pairs(&decode_pairs(pair, Plus::Itself)) == pair)
}

/// Segments are split after decoding, so an encoded slash becomes a real one. Always ends in a slash.
fn canonical_uri(path: &str) -> String {
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    let segments: Vec<String> = decoded.split(|byte| *byte == b'/').map(encode).collect();
    let uri = segments.join("/");
    if uri.ends_with('/') { uri } else { uri + "/" }
}

fn payload_hash(raw: &RawRequest) -> Result<String, String> {
    let actual = sha256_hex(&raw.body);
    match raw.header("x-sdk-content-sha256") {
        Some(declared) if declared != UNSIGNED && declared != actual => {
            Err("X-Sdk-Content-Sha256 is not the hash of the body".to_owned())
        }
        Some(declared) => Ok(declared.to_owned()),
        None => Ok(actual),
    }
}

#[cfg(test)]
mod tests;
