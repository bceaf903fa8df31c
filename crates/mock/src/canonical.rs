//! Building blocks of canonical requests. The two clouds encode, sort and hash alike; what differs is what they put
//! into a request to sign, and that is written in each vendor's `verify` module.

use axum::http::HeaderMap;
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

pub(crate) fn encode(value: impl AsRef<[u8]>) -> String {
    percent_encode(value.as_ref(), RESERVED).to_string()
}

/// What a plus sign in a query or form stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plus {
    Space,
    Itself,
}

/// Decodes `a=1&b=2`. Bytes that are not UTF-8 become replacement characters, which then fail the signature.
pub(crate) fn decode_pairs(text: &str, plus: Plus) -> Vec<(String, String)> {
    let decode = |part: &str| {
        let part = if plus == Plus::Space { part.replace('+', " ") } else { part.to_owned() };
        percent_decode_str(&part).decode_utf8_lossy().into_owned()
    };
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

/// The canonical query: sorted by raw name, then value; every pair as `name=value`, encoded.
pub(crate) fn encode_pairs<'a>(pairs: impl IntoIterator<Item = &'a (String, String)>) -> String {
    let mut pairs: Vec<_> = pairs.into_iter().collect();
    pairs.sort();
    let pairs: Vec<String> =
        pairs.into_iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}

/// The canonical headers, a line each, for the `a;b;c` list of a request.
///
/// The list has to be sorted, lower-case and without repetition, and every header on it present; otherwise the error
/// says what is wrong. Repeated values are sorted and joined by commas.
pub(crate) fn header_lines(headers: &HeaderMap, signed: &str) -> Result<String, String> {
    let names: Vec<&str> = signed.split(';').collect();
    if !names.is_sorted_by(|a, b| a < b) || signed.chars().any(char::is_uppercase) {
        return Err("SignedHeaders is not a sorted list of lower-case names".to_owned());
    }
    let line = |name: &str| {
        let mut values: Vec<_> = headers
            .get_all(name)
            .into_iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
            .collect();
        if values.is_empty() {
            return Err(format!("the signed header {name} is not in the request"));
        }
        values.sort();
        Ok(format!("{name}:{}\n", values.join(",")))
    };
    names.into_iter().map(line).collect()
}

pub(crate) fn is_signed(signed: &str, header: &str) -> bool {
    signed.split(';').any(|name| name == header)
}

pub(crate) fn sha256_hex(data: impl AsRef<[u8]>) -> String {
    hex::encode(Sha256::digest(data))
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
pub(crate) fn hmac_sha1_base64(key: &str, message: &str) -> String {
    let mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).expect("any key length");
    BASE64_STANDARD.encode(mac.chain_update(message).finalize().into_bytes())
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
pub(crate) fn hmac_sha256_hex(key: &str, message: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any key length");
    hex::encode(mac.chain_update(message).finalize().into_bytes())
}

pub(crate) fn md5_hex(data: impl AsRef<[u8]>) -> String {
    hex::encode(Md5::digest(data))
}

/// Compares signatures and tokens without telling by the time where they differ.
pub(crate) fn same(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_characters_stay() {
        assert_eq!(encode("AZaz09-_.~"), "AZaz09-_.~");
        assert_eq!(encode(" *+/'()!:@,%"), "%20%2A%2B%2F%27%28%29%21%3A%40%2C%25");
        assert_eq!(encode("é中😀"), "%C3%A9%E4%B8%AD%F0%9F%98%80");
    }

    #[test]
    fn pairs_are_decoded_then_sorted_by_raw_name_and_value() {
        let pairs = decode_pairs("b=2&a=x+y&&a=%20&c&B=%2B", Plus::Space);
        assert_eq!(encode_pairs(&pairs), "B=%2B&a=%20&a=x%20y&b=2&c=");
        assert_eq!(encode_pairs(&decode_pairs("a=x+y", Plus::Itself)), "a=x%2By");
    }

    #[test]
    fn header_lists_are_checked() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("b", " 2 "), ("a", "z"), ("a", "y")] {
            headers.append(name, value.parse().unwrap());
        }
        assert_eq!(header_lines(&headers, "a;b").unwrap(), "a:y,z\nb:2\n");
        for bad in ["b;a", "a;a", "A", "a;missing", ""] {
            assert!(header_lines(&headers, bad).is_err(), "{bad}");
        }
    }
}
