//! `SDK-HMAC-SHA256`. Pure: the date comes in as text.
//!
//! <https://support.huaweicloud.com/devg-apisign/api-sign-algorithm-002.html>

use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::percent_decode_str;
use record_callback_http::{encode, hex};
use sha2::{Digest, Sha256};

const ALGORITHM: &str = "SDK-HMAC-SHA256";
/// Length of a typical canonical request; saves growing the buffer.
const TYPICAL: usize = 512;

/// The canonical query, which is also sent as it is: sorted by raw name, then by value.
pub fn canonical_query(pairs: &mut [(&str, &str)]) -> String {
    pairs.sort_unstable();
    let mut query = String::new();
    for (name, value) in pairs.iter() {
        if !query.is_empty() {
            query.push('&');
        }
        query.extend(encode(name));
        query.push('=');
        query.extend(encode(value));
    }
    query
}

/// What is signed: everything of a request but the `Authorization` header.
///
/// Without `Debug`: headers and body hold secrets.
pub struct ToSign<'a> {
    /// The HTTP method, upper case.
    pub method: &'a str,
    /// As on the wire, percent-encoded.
    pub path: &'a str,
    /// From [`canonical_query`].
    pub query: &'a str,
    /// All headers to sign: lower-case names, in order, values trimmed.
    pub headers: &'a [(&'a str, &'a str)],
    /// Exactly the bytes that are sent.
    pub body: &'a [u8],
    /// The value of `X-Sdk-Date`, which is among the headers too.
    pub date: &'a str,
}

impl ToSign<'_> {
    /// The `Authorization` header.
    pub fn authorization(&self, key: &str, secret: &str) -> String {
        let mut signed_headers = String::with_capacity(96);
        let mut request = String::with_capacity(TYPICAL + self.path.len() + self.query.len());
        request.push_str(self.method);
        request.push('\n');
        push_canonical_path(&mut request, self.path);
        for part in ["\n", self.query, "\n"] {
            request.push_str(part);
        }
        for (i, (name, value)) in self.headers.iter().enumerate() {
            if i > 0 {
                signed_headers.push(';');
            }
            signed_headers.push_str(name);
            for part in [name, ":", value, "\n"] {
                request.push_str(part);
            }
        }
        for part in ["\n", &signed_headers, "\n", &hex_sha256(self.body)] {
            request.push_str(part);
        }

        let mut mac = keyed(secret);
        for part in [ALGORITHM, "\n", self.date, "\n", &hex_sha256(request.as_bytes())] {
            mac.update(part.as_bytes());
        }
        let signature = hex(mac.finalize().into_bytes());
        format!("{ALGORITHM} Access={key}, SignedHeaders={signed_headers}, Signature={signature}")
    }
}

/// The path decoded, encoded again segment by segment, and closed with `/`: only for signing. An encoded `/`
/// becomes a real one on the way, as the vendor's own signer has it.
fn push_canonical_path(request: &mut String, path: &str) {
    if path.contains('%') {
        let decoded = percent_decode_str(path).decode_utf8_lossy();
        for (i, segment) in decoded.split('/').enumerate() {
            if i > 0 {
                request.push('/');
            }
            request.extend(encode(segment));
        }
    } else {
        request.push_str(path);
    }
    if !request.ends_with('/') {
        request.push('/');
    }
}

fn hex_sha256(bytes: &[u8]) -> String {
    hex(Sha256::digest(bytes))
}

/// HMAC-SHA256 with `secret`.
pub(crate) fn keyed(secret: &str) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    Hmac::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AKEXAMPLE0000000001";
    const SECRET: &str = "SKexampleSecretKey000000000000000000000001";
    const PROJECT: &str = "0123456789abcdef0123456789abcdef";
    const DATE: &str = "20240102T030405Z";
    const HOST: (&str, &str) = ("host", "live.cn-north-4.myhuaweicloud.com");
    const AGENT: (&str, &str) = ("user-agent", "hw-rec-callback/0.1");
    const SDK_DATE: (&str, &str) = ("x-sdk-date", DATE);

    fn check(request: &ToSign<'_>, signature: &str) {
        let header = request.authorization(KEY, SECRET);
        let names: Vec<_> = request.headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        assert_eq!(
            header,
            format!("SDK-HMAC-SHA256 Access={KEY}, SignedHeaders={names}, Signature={signature}")
        );
    }

    /// Published in the signing guide.
    #[test]
    fn published_vector() {
        let mut pairs = [("marker", "13551d6b-755d-4757-b956-536f674975c0"), ("limit", "2")];
        let query = canonical_query(&mut pairs);
        assert_eq!(query, "limit=2&marker=13551d6b-755d-4757-b956-536f674975c0");
        let header = ToSign {
            method: "GET",
            path: "/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs",
            query: &query,
            headers: &[
                ("content-type", "application/json"),
                ("host", "service.region.example.com"),
                ("x-sdk-date", "20191115T033655Z"),
            ],
            body: b"",
            date: "20191115T033655Z",
        }
        .authorization("QTWAOYTTINDUT2QVKYUC", "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc");
        assert_eq!(
            header,
            "SDK-HMAC-SHA256 Access=QTWAOYTTINDUT2QVKYUC, SignedHeaders=content-type;host;x-sdk-date, \
             Signature=7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe"
        );
    }

    /// Signed by the official Python SDK (huaweicloudsdkcore 3.1.219), as the next ones.
    #[test]
    fn sdk_vector_list_with_wildcard_and_unicode() {
        let mut pairs = [
            ("publish_domain", "push.example.com"),
            ("app", "*"),
            ("offset", "0"),
            ("limit", "10"),
            ("x", "直播 a+b/c~d"),
        ];
        let query = canonical_query(&mut pairs);
        assert_eq!(
            query,
            "app=%2A&limit=10&offset=0&publish_domain=push.example.com&x=%E7%9B%B4%E6%92%AD%20a%2Bb%2Fc~d"
        );
        check(
            &ToSign {
                method: "GET",
                path: &format!("/v1/{PROJECT}/record/callbacks"),
                query: &query,
                headers: &[
                    ("content-type", "application/json"),
                    HOST,
                    AGENT,
                    ("x-project-id", PROJECT),
                    SDK_DATE,
                ],
                body: b"",
                date: DATE,
            },
            "97a647d319f88ab7bdb9f1a17062e1f67655ad7d46a885177f7f743e8ae24a09",
        );
    }

    #[test]
    fn sdk_vector_update_with_body() {
        let body = concat!(
            r#"{"publish_domain": "push.example.com", "app": "*", "notify_callback_url": "#,
            r#""https://cb.example.com/notify", "notify_event_subscription": ["RECORD_NEW_FILE_START", "#,
            r#""RECORD_FILE_COMPLETE"], "sign_type": "HMACSHA256", "key": "0123456789abcdefghijklmnopqrstuv"}"#
        );
        check(
            &ToSign {
                method: "PUT",
                path: &format!("/v1/{PROJECT}/record/callbacks/e2fe84def7e476651034ec4b9e92bc30"),
                query: "",
                headers: &[
                    ("content-type", "application/json; charset=utf-8"),
                    HOST,
                    AGENT,
                    ("x-project-id", PROJECT),
                    SDK_DATE,
                ],
                body: body.as_bytes(),
                date: DATE,
            },
            "d16947e81b756401a7ed14e38276be8d3b83ce17a3ea0b91f3707df50ef531e3",
        );
    }

    #[test]
    fn sdk_vector_delete_with_temporary_credentials() {
        check(
            &ToSign {
                method: "DELETE",
                path: &format!("/v1/{PROJECT}/record/callbacks/e2fe84def7e476651034ec4b9e92bc30"),
                query: "",
                headers: &[
                    ("content-type", "application/json"),
                    HOST,
                    AGENT,
                    ("x-project-id", PROJECT),
                    SDK_DATE,
                    ("x-security-token", "gQpjbi1ub3J0aC00EXAMPLETOKEN/abc+def=="),
                ],
                body: b"",
                date: DATE,
            },
            "ac4a7038ff3acdd97b8ce709c73954e08cf2f94544d2c4d116804a659c83727f",
        );
    }

    #[test]
    fn sdk_vector_minimal_create_to_a_port() {
        check(
            &ToSign {
                method: "POST",
                path: &format!("/v1/{PROJECT}/record/callbacks"),
                query: "",
                headers: &[("host", "127.0.0.1:18080"), SDK_DATE],
                body: br#"{"publish_domain":"push.example.com","app":"*"}"#,
                date: DATE,
            },
            "55977fece556cbb9c8b5f49ddbf92664c7b27d375f0f2c4850d72784ebdd8fe4",
        );
    }

    #[test]
    fn sdk_vector_encoded_slash_becomes_a_real_one() {
        check(
            &ToSign {
                method: "GET",
                path: &format!("/v1/{PROJECT}/record/callbacks/a%20b%2Fc%E7%9B%B4"),
                query: "",
                headers: &[HOST, SDK_DATE],
                body: b"",
                date: DATE,
            },
            "4fd17156ea7affa529d1e87dd44e2b0472029a8c6c0103bc4767b48544661f0a",
        );
    }
}
