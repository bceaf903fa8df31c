//! `ACS3-HMAC-SHA256`: the signature is in the `Authorization` header.

use hmac::{Hmac, Mac};
use record_callback_http::{encode, hex};
use sha2::{Digest, Sha256};

use super::{keyed, sort};

const ALGORITHM: &str = "ACS3-HMAC-SHA256";
/// SHA-256 of an empty body.
pub const EMPTY_BODY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const TYPICAL: usize = 1024;

/// The canonical query, which is also sent as it is.
pub fn canonical_query(params: &mut [(&str, &str)]) -> String {
    sort(params);
    let mut query = String::with_capacity(TYPICAL);
    for (i, (name, value)) in params.iter().enumerate() {
        if i > 0 {
            query.push('&');
        }
        query.extend(encode(name));
        query.push('=');
        query.extend(encode(value));
    }
    query
}

/// The `Authorization` header of a request for path `/`.
///
/// `headers` are all headers to sign: lower-case names, in order, values trimmed.
pub fn authorization(
    method: &str,
    canonical_query: &str,
    headers: &[(&str, &str)],
    body_hash: &str,
    (key_id, secret): (&str, &str),
) -> String {
    let mut signed_headers = String::with_capacity(160);
    let mut request = String::with_capacity(TYPICAL + canonical_query.len());
    for part in [method, "\n/\n", canonical_query, "\n"] {
        request.push_str(part);
    }
    for (i, (name, value)) in headers.iter().enumerate() {
        if i > 0 {
            signed_headers.push(';');
        }
        signed_headers.push_str(name);
        for part in [name, ":", value, "\n"] {
            request.push_str(part);
        }
    }
    for part in ["\n", &signed_headers, "\n", body_hash] {
        request.push_str(part);
    }

    let mut mac: Hmac<Sha256> = keyed(secret.as_bytes());
    for part in [ALGORITHM, "\n", &hex(Sha256::digest(request.as_bytes()))] {
        mac.update(part.as_bytes());
    }
    let signature = hex(mac.finalize().into_bytes());
    format!("{ALGORITHM} Credential={key_id},SignedHeaders={signed_headers},Signature={signature}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The headers every vector has, with the ones a case adds.
    fn headers<'a>(
        action: &'a str,
        body_hash: &'a str,
        more: &[(&'a str, &'a str)],
    ) -> Vec<(&'a str, &'a str)> {
        let mut headers = vec![
            ("host", "live.aliyuncs.com"),
            ("x-acs-action", action),
            ("x-acs-content-sha256", body_hash),
            ("x-acs-date", "2026-01-02T03:04:05Z"),
            ("x-acs-signature-nonce", "0123456789abcdef0123456789abcdef"),
            ("x-acs-version", "2016-11-01"),
        ];
        headers.extend(more);
        headers.sort_unstable();
        headers
    }

    fn check(
        method: &str,
        params: &[(&str, &str)],
        headers: &[(&str, &str)],
        body_hash: &str,
        signature: &str,
    ) {
        let query = canonical_query(&mut params.to_vec());
        let header = authorization(method, &query, headers, body_hash, ("testid", "testsecret"));
        let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            header,
            format!(
                "ACS3-HMAC-SHA256 Credential=testid,SignedHeaders={},Signature={signature}",
                names.join(";")
            )
        );
    }

    const SDK: [(&str, &str); 2] = [("accept", "application/json"), ("user-agent", "test-agent/1.0")];
    const ADD: [(&str, &str); 4] = [
        ("DomainName", "live.example.com"),
        ("NeedStatusNotify", "true"),
        ("NotifyUrl", "https://cb.example.com/hook path/录制?a=1&b=*~+%25"),
        ("OnDemandUrl", ""),
    ];

    /// Published on the signature page.
    #[test]
    fn published_vector() {
        let query = canonical_query(&mut [
            ("RegionId", "cn-shanghai"),
            ("ImageId", "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"),
        ]);
        let header = authorization(
            "POST",
            &query,
            &[
                ("host", "ecs.cn-shanghai.aliyuncs.com"),
                ("x-acs-action", "RunInstances"),
                ("x-acs-content-sha256", EMPTY_BODY),
                ("x-acs-date", "2023-10-26T10:22:32Z"),
                ("x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d"),
                ("x-acs-version", "2014-05-26"),
            ],
            EMPTY_BODY,
            ("YourAccessKeyId", "YourAccessKeySecret"),
        );
        let signature = "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0";
        assert!(header.ends_with(&format!("Signature={signature}")), "{header}");
    }

    /// Signed by the official Python SDK (tea-openapi 0.4.6), with the headers it signs.
    #[test]
    fn sdk_vectors() {
        let provider = ("x-acs-credentials-provider", "static_ak");
        let more = [SDK[0], SDK[1], provider];
        check(
            "POST",
            &[("DomainName", "live.example.com")],
            &headers("DescribeLiveRecordNotifyConfig", EMPTY_BODY, &more),
            EMPTY_BODY,
            "391e651bc27d519522edde5142a06983b55b0b8e3b300e7e38f5f2ed70d65f23",
        );
        let mut add = ADD.to_vec();
        add[1].1 = "True";
        add.extend([("NotifyReqAuth", "True"), ("NotifyAuthKey", "testkeyyourkey12")]);
        check(
            "POST",
            &add,
            &headers("AddLiveRecordNotifyConfig", EMPTY_BODY, &more),
            EMPTY_BODY,
            "a884444847de9ead5e3db3a108663075654ac1654a02e5be88548660590503dd",
        );
        let more = [
            SDK[0],
            SDK[1],
            ("x-acs-accesskey-id", "testid"),
            ("x-acs-credentials-provider", "static_sts"),
            ("x-acs-security-token", "CAIS+abc/def=="),
        ];
        check(
            "POST",
            &[("NotifyUrl", "http://cb.example.com/hook"), ("DomainName", "live.example.com")],
            &headers("UpdateLiveRecordNotifyConfig", EMPTY_BODY, &more),
            EMPTY_BODY,
            "938880a502b498a428fdeb35c99c4c496c1582b4fb579dbf882777746209643b",
        );
    }

    /// Computed with an implementation that shares nothing with this one.
    #[test]
    fn minimal_header_vectors() {
        check(
            "GET",
            &[("DomainName", "live.example.com")],
            &headers("DescribeLiveRecordNotifyConfig", EMPTY_BODY, &[]),
            EMPTY_BODY,
            "07253d5d9422755d3dc25053bb5ede75efdd1cf86ead3c3742f6a3a3c8923a03",
        );
        check(
            "POST",
            &ADD,
            &headers("AddLiveRecordNotifyConfig", EMPTY_BODY, &[]),
            EMPTY_BODY,
            "cc9daaa9891f87bba65165a311e8c4a66dd4b55ab26c31294e0e046be7105e61",
        );
        let body = hex(Sha256::digest(b"DomainName=live.example.com"));
        check(
            "POST",
            &[],
            &headers(
                "DeleteLiveRecordNotifyConfig",
                &body,
                &[("content-type", "application/x-www-form-urlencoded")],
            ),
            &body,
            "52a6eff81924678fa616a243587b8f6df6a8e9bbd3ec6e5cfd8de95581a6c408",
        );
    }
}
