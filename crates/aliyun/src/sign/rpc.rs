//! `SignatureMethod=HMAC-SHA1`, `SignatureVersion=1.0`: the signature is one more query parameter.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use percent_encoding::percent_encode_byte;
use record_callback_http::encode;
use sha1::Sha1;

use super::{keyed, sort};

/// Length of a typical signed query; saves growing the buffers.
const TYPICAL: usize = 1024;

/// The bytes that stay as they are; a table, because every byte of every parameter is looked up.
static UNRESERVED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128_u8 {
        table[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
        byte += 1;
    }
    table
};

/// The query of a signed request, from every parameter but `Signature` and the key's secret.
pub fn signed_query(method: &str, params: &mut [(&str, &str)], secret: &str) -> String {
    sort(params);
    // The canonicalised query and its second encoding, inside the string to sign, grow side by side.
    let mut query = String::with_capacity(TYPICAL);
    let mut to_sign = String::with_capacity(TYPICAL + TYPICAL / 2);
    to_sign.push_str(method);
    to_sign.push_str("&%2F&");
    for (i, (name, value)) in params.iter().enumerate() {
        if i > 0 {
            query.push('&');
            to_sign.push_str("%26");
        }
        push_twice(&mut query, &mut to_sign, name);
        query.push('=');
        to_sign.push_str("%3D");
        push_twice(&mut query, &mut to_sign, value);
    }
    query.push_str("&Signature=");
    query.extend(encode(&signature(&to_sign, secret)));
    query
}

/// Appends `encode(text)` to `query` and `encode(encode(text))` to `to_sign`, in one pass.
fn push_twice(query: &mut String, to_sign: &mut String, text: &str) {
    let mut rest = text;
    while let Some(reserved) = rest.bytes().position(|byte| !UNRESERVED[usize::from(byte)]) {
        let (run, tail) = rest.split_at(reserved);
        query.push_str(run);
        to_sign.push_str(run);
        let mut chars = tail.chars();
        chars.next();
        rest = chars.as_str();
        for byte in tail[..tail.len() - rest.len()].bytes() {
            let escape = percent_encode_byte(byte);
            query.push_str(escape);
            to_sign.push_str("%25");
            to_sign.push_str(&escape[1..]);
        }
    }
    query.push_str(rest);
    to_sign.push_str(rest);
}

/// `base64(HMAC-SHA1(secret + "&", string to sign))`.
fn signature(to_sign: &str, secret: &str) -> String {
    let mut key = Vec::with_capacity(secret.len() + 1);
    key.extend_from_slice(secret.as_bytes());
    key.push(b'&');
    let mut mac: Hmac<Sha1> = keyed(&key);
    mac.update(to_sign.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COMMON: [(&str, &str); 6] = [
        ("AccessKeyId", "testid"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureVersion", "1.0"),
        ("Version", "2016-11-01"),
        ("Timestamp", "2026-01-02T03:04:05Z"),
        ("Format", "JSON"),
    ];

    /// Checks the canonicalised query and the signature of one vector.
    fn check(method: &str, params: &[(&str, &str)], canonical: Option<&str>, signature: &str) {
        let signed = signed_query(method, &mut params.to_vec(), "testsecret");
        let (query, sent) = signed.rsplit_once("&Signature=").unwrap();
        if let Some(canonical) = canonical {
            assert_eq!(query, canonical);
        }
        let sent = percent_encoding::percent_decode_str(sent).decode_utf8().unwrap();
        assert_eq!(sent, signature);
    }

    proptest! {
        /// One pass gives what encoding once and encoding that again gives.
        #[test]
        fn one_pass_encodes_as_the_text_says(text in any::<String>()) {
            let (mut query, mut to_sign) = (String::new(), String::new());
            push_twice(&mut query, &mut to_sign, &text);
            let once = encode(&text).to_string();
            prop_assert_eq!(&query, &once);
            prop_assert_eq!(to_sign, encode(&once).to_string());
            let decoded = percent_encoding::percent_decode_str(&query).decode_utf8().unwrap();
            prop_assert_eq!(decoded, text);
        }
    }

    /// Published: `help.aliyun.com/document_detail/157269`.
    #[test]
    fn published_vector_ecs() {
        check(
            "GET",
            &[
                ("AccessKeyId", "testid"),
                ("Action", "DescribeDedicatedHosts"),
                ("Format", "JSON"),
                ("RegionId", "cn-beijing"),
                ("SignatureMethod", "HMAC-SHA1"),
                ("SignatureNonce", "edb2b34af0af9a6d14deaf7c1a5315eb"),
                ("SignatureVersion", "1.0"),
                ("Timestamp", "2023-03-13T08:34:30Z"),
                ("Version", "2014-05-26"),
            ],
            None,
            "9NaGiOspFP5UPcwX8Iwt2YJXXuk=",
        );
    }

    /// Published in the signature page of the Live documents. Its printed string to sign has
    /// bare `&`; only the escaped form gives the page's own signature.
    #[test]
    fn published_vector_live() {
        check(
            "GET",
            &[
                ("Format", "XML"),
                ("SignatureMethod", "HMAC-SHA1"),
                ("Action", "DescribeLiveSnapshotConfig"),
                ("AccessKeyId", "testid"),
                ("RegionId", "cn-shanghai"),
                ("ServiceCode", "live"),
                ("DomainName", "test.com"),
                ("AppName", "test"),
                ("SignatureNonce", "c2fe8fbb-2977-4414-8d39-348d02419c1c"),
                ("Version", "2016-11-01"),
                ("SignatureVersion", "1.0"),
                ("Timestamp", "2017-06-14T09:51:14Z"),
            ],
            None,
            "3I5a3myPjp8FXWT4rvxX5pKb/aw=",
        );
    }

    #[test]
    fn vector_describe() {
        let mut params = COMMON.to_vec();
        params.extend([
            ("Action", "DescribeLiveRecordNotifyConfig"),
            ("SignatureNonce", "11111111-2222-3333-4444-555555555555"),
            ("DomainName", "live.example.com"),
        ]);
        let canonical = "AccessKeyId=testid&Action=DescribeLiveRecordNotifyConfig&DomainName=live.example.com\
            &Format=JSON&SignatureMethod=HMAC-SHA1&SignatureNonce=11111111-2222-3333-4444-555555555555\
            &SignatureVersion=1.0&Timestamp=2026-01-02T03%3A04%3A05Z&Version=2016-11-01";
        check("GET", &params, Some(canonical), "b0NJziXHMeokXi1KuFhGy0/WN30=");
    }

    #[test]
    fn vector_add_with_reserved_and_unicode_characters() {
        let mut params = COMMON.to_vec();
        params.extend([
            ("Action", "AddLiveRecordNotifyConfig"),
            ("SignatureNonce", "nonce-r2"),
            ("DomainName", "live.example.com"),
            ("NotifyUrl", "https://cb.example.com/hook path/录制?a=1&b=*~+%25"),
            ("OnDemandUrl", ""),
            ("NeedStatusNotify", "true"),
        ]);
        let canonical = "AccessKeyId=testid&Action=AddLiveRecordNotifyConfig&DomainName=live.example.com\
            &Format=JSON&NeedStatusNotify=true&NotifyUrl=https%3A%2F%2Fcb.example.com%2Fhook%20path%2F\
            %E5%BD%95%E5%88%B6%3Fa%3D1%26b%3D%2A~%2B%2525&OnDemandUrl=&SignatureMethod=HMAC-SHA1\
            &SignatureNonce=nonce-r2&SignatureVersion=1.0&Timestamp=2026-01-02T03%3A04%3A05Z&Version=2016-11-01";
        check("POST", &params, Some(canonical), "2jRJSVUT7mG8lGgQXznrzkeJouU=");
    }

    #[test]
    fn vector_update_with_security_token() {
        let mut params = COMMON.to_vec();
        params.extend([
            ("Action", "UpdateLiveRecordNotifyConfig"),
            ("RegionId", "cn-shanghai"),
            ("SignatureType", ""),
            ("SignatureNonce", "nonce-r3"),
            ("SecurityToken", "CAIS+abc/def=="),
            ("DomainName", "live.example.com"),
            ("NotifyUrl", "http://cb.example.com/hook"),
            ("NotifyReqAuth", "true"),
            ("NotifyAuthKey", "testkeyyourkey12"),
        ]);
        let canonical = "AccessKeyId=testid&Action=UpdateLiveRecordNotifyConfig&DomainName=live.example.com\
            &Format=JSON&NotifyAuthKey=testkeyyourkey12&NotifyReqAuth=true&NotifyUrl=http%3A%2F%2F\
            cb.example.com%2Fhook&RegionId=cn-shanghai&SecurityToken=CAIS%2Babc%2Fdef%3D%3D\
            &SignatureMethod=HMAC-SHA1&SignatureNonce=nonce-r3&SignatureType=&SignatureVersion=1.0\
            &Timestamp=2026-01-02T03%3A04%3A05Z&Version=2016-11-01";
        check("POST", &params, Some(canonical), "xcQLRCWip4EW8Fk8lHi6YiBRGe0=");
    }
}
