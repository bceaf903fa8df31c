//! The vendor's published examples (D1, D2 and the `RunInstances` call) and vectors made with its official SDKs.

use axum::http::Method;

use super::*;
use crate::recorded::RawRequest;

const URL: &str =
    "https%3A%2F%2Fcb.example.com%2Fhook%20path%2F%E5%BD%95%E5%88%B6%3Fa%3D1%26b%3D%2A~%2B%2525";
const EMPTY_HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn rpc_of(method: Method, query: &str, headers: &[(&'static str, &str)], body: &str) -> Expected {
    let raw = RawRequest::new(method, &format!("/?{query}"), headers, body);
    rpc(&ApiRequest::new(&raw), "testsecret")
}

/// The parameters all of R1 to R3 have.
fn common(rest: &str) -> String {
    format!(
        "{rest}&AccessKeyId=testid&SignatureMethod=HMAC-SHA1&SignatureVersion=1.0&Version=2016-11-01\
         &Timestamp=2026-01-02T03%3A04%3A05Z&Format=JSON"
    )
}

#[test]
fn rpc_published_examples() {
    let d1 = "AccessKeyId=testid&Action=DescribeDedicatedHosts&Format=JSON&RegionId=cn-beijing\
              &SignatureMethod=HMAC-SHA1&SignatureNonce=edb2b34af0af9a6d14deaf7c1a5315eb&SignatureVersion=1.0\
              &Timestamp=2023-03-13T08%3A34%3A30Z&Version=2014-05-26";
    assert_eq!(rpc_of(Method::GET, d1, &[], "").signature, "9NaGiOspFP5UPcwX8Iwt2YJXXuk=");

    let d2 = "Format=XML&SignatureMethod=HMAC-SHA1&Action=DescribeLiveSnapshotConfig&AccessKeyId=testid\
              &RegionId=cn-shanghai&ServiceCode=live&DomainName=test.com&AppName=test\
              &SignatureNonce=c2fe8fbb-2977-4414-8d39-348d02419c1c&Version=2016-11-01&SignatureVersion=1.0\
              &Timestamp=2017-06-14T09%3A51%3A14Z";
    assert_eq!(rpc_of(Method::GET, d2, &[], "").signature, "3I5a3myPjp8FXWT4rvxX5pKb/aw=");
}

#[test]
fn rpc_string_to_sign_and_signature() {
    let r1 = common(
        "Action=DescribeLiveRecordNotifyConfig&SignatureNonce=11111111-2222-3333-4444-555555555555\
         &DomainName=live.example.com&Signature=not-part-of-it",
    );
    let expected = Expected {
        string_to_sign: "GET&%2F&AccessKeyId%3Dtestid%26Action%3DDescribeLiveRecordNotifyConfig%26DomainName\
            %3Dlive.example.com%26Format%3DJSON%26SignatureMethod%3DHMAC-SHA1%26SignatureNonce\
            %3D11111111-2222-3333-4444-555555555555%26SignatureVersion%3D1.0%26Timestamp\
            %3D2026-01-02T03%253A04%253A05Z%26Version%3D2016-11-01"
            .to_owned(),
        signature: "b0NJziXHMeokXi1KuFhGy0/WN30=".to_owned(),
    };
    assert_eq!(rpc_of(Method::GET, &r1, &[], ""), expected);

    let r2 = common(&format!(
        "Action=AddLiveRecordNotifyConfig&SignatureNonce=nonce-r2&DomainName=live.example.com\
         &NotifyUrl={URL}&OnDemandUrl=&NeedStatusNotify=true"
    ));
    let signature = "2jRJSVUT7mG8lGgQXznrzkeJouU=";
    assert_eq!(rpc_of(Method::POST, &r2, &[], "").signature, signature);
    assert_eq!(rpc_of(Method::POST, &r2.replace("%20", "+"), &[], "").signature, signature);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(rpc_of(Method::POST, "", &form, &r2).signature, signature, "in the body instead of the query");

    let r3 = common(
        "Action=UpdateLiveRecordNotifyConfig&RegionId=cn-shanghai&SignatureType=&SignatureNonce=nonce-r3\
         &SecurityToken=CAIS%2Babc%2Fdef%3D%3D&DomainName=live.example.com\
         &NotifyUrl=http%3A%2F%2Fcb.example.com%2Fhook&NotifyReqAuth=true&NotifyAuthKey=testkeyyourkey12",
    );
    assert_eq!(rpc_of(Method::POST, &r3, &[], "").signature, "xcQLRCWip4EW8Fk8lHi6YiBRGe0=");
}

#[test]
fn rpc_signs_the_method_and_every_parameter() {
    let query = "Action=A&b=1";
    let signature = rpc_of(Method::GET, query, &[], "").signature;
    for (method, query) in [
        (Method::POST, "Action=A&b=1"),
        (Method::GET, "Action=B&b=1"),
        (Method::GET, "Action=A&b=2"),
        (Method::GET, "Action=A&b=1&c="),
        (Method::GET, "Action=A"),
    ] {
        assert_ne!(rpc_of(method, query, &[], "").signature, signature, "{query}");
    }
}

/// The headers all ACS3 vectors have.
fn headers(action: &'static str, content_hash: &'static str) -> Vec<(&'static str, &'static str)> {
    vec![
        ("host", "live.aliyuncs.com"),
        ("x-acs-action", action),
        ("x-acs-content-sha256", content_hash),
        ("x-acs-date", "2026-01-02T03:04:05Z"),
        ("x-acs-signature-nonce", "0123456789abcdef0123456789abcdef"),
        ("x-acs-version", "2016-11-01"),
    ]
}

/// Hash of the canonical request and signature, with every given header signed.
fn acs3_of(method: Method, query: &str, headers: &[(&'static str, &str)], body: &str) -> [String; 2] {
    let mut names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    let raw = RawRequest::new(method, &format!("/?{query}"), headers, body);
    let canonical = acs3_canonical_request(&ApiRequest::new(&raw), &names.join(";")).unwrap();
    [sha256_hex(&canonical), acs3(&canonical, "testsecret").signature]
}

#[test]
fn acs3_published_example() {
    let raw = RawRequest::new(
        Method::POST,
        "/?ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai",
        &[
            ("host", "ecs.cn-shanghai.aliyuncs.com"),
            ("x-acs-action", "RunInstances"),
            ("x-acs-content-sha256", EMPTY_HASH),
            ("x-acs-date", "2023-10-26T10:22:32Z"),
            ("x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d"),
            ("x-acs-version", "2014-05-26"),
        ],
        "",
    );
    let signed = "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version";
    let canonical = acs3_canonical_request(&ApiRequest::new(&raw), signed).unwrap();
    assert_eq!(sha256_hex(&canonical), "7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259");
    assert_eq!(
        acs3(&canonical, "YourAccessKeySecret").signature,
        "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    );
}

#[test]
fn acs3_calls_of_the_official_sdk() {
    let sdk = |action, provider| {
        let mut headers = headers(action, EMPTY_HASH);
        headers.extend([
            ("accept", "application/json"),
            ("user-agent", "test-agent/1.0"),
            ("x-acs-credentials-provider", provider),
        ]);
        headers
    };
    let a = acs3_of(
        Method::POST,
        "DomainName=live.example.com",
        &sdk("DescribeLiveRecordNotifyConfig", "static_ak"),
        "",
    );
    assert_eq!(
        a,
        [
            "cc43ab74727a1078195840a31c0007c04c863848f33794e5d70a5eab05184a1b",
            "391e651bc27d519522edde5142a06983b55b0b8e3b300e7e38f5f2ed70d65f23"
        ]
    );

    let on_the_wire = format!(
        "DomainName=live.example.com&NeedStatusNotify=True&NotifyAuthKey=testkeyyourkey12&NotifyReqAuth=True\
         &NotifyUrl={}&OnDemandUrl=",
        URL.replace("%20", "+")
    );
    let b = acs3_of(Method::POST, &on_the_wire, &sdk("AddLiveRecordNotifyConfig", "static_ak"), "");
    assert_eq!(
        b,
        [
            "e372ca1b79c82fa2b4f07ac315c57d9b5c18cc9b4c57363d9e3a60dc37540e78",
            "a884444847de9ead5e3db3a108663075654ac1654a02e5be88548660590503dd"
        ]
    );

    let mut sts = sdk("UpdateLiveRecordNotifyConfig", "static_sts");
    sts.extend([("x-acs-accesskey-id", "testid"), ("x-acs-security-token", "CAIS+abc/def==")]);
    let query = "DomainName=live.example.com&NotifyUrl=http%3A%2F%2Fcb.example.com%2Fhook";
    assert_eq!(
        acs3_of(Method::POST, query, &sts, ""),
        [
            "575c5caca09d0c38343535f6eb28d87d7c91a7f7e36146604403181b7da1c2fc",
            "938880a502b498a428fdeb35c99c4c496c1582b4fb579dbf882777746209643b"
        ]
    );
}

#[test]
fn acs3_calls_with_the_least_headers() {
    let m1 = acs3_of(
        Method::GET,
        "DomainName=live.example.com",
        &headers("DescribeLiveRecordNotifyConfig", EMPTY_HASH),
        "",
    );
    assert_eq!(
        m1,
        [
            "48328d92c05bc9738774efafd95530507b6e573538d57081b48e4ae05eeb993c",
            "07253d5d9422755d3dc25053bb5ede75efdd1cf86ead3c3742f6a3a3c8923a03"
        ]
    );

    let query = format!("DomainName=live.example.com&NeedStatusNotify=true&NotifyUrl={URL}&OnDemandUrl=");
    assert_eq!(
        acs3_of(Method::POST, &query, &headers("AddLiveRecordNotifyConfig", EMPTY_HASH), ""),
        [
            "406028ac17fbc05e6d2c5bdd55ea1c98d04bf91a2e199a284f920470e3f74e94",
            "cc9daaa9891f87bba65165a311e8c4a66dd4b55ab26c31294e0e046be7105e61"
        ]
    );

    let hash = "2244c5d8e7bd3c1689994a25342c62831c9d3e127081063ed639445c869c79a3";
    let mut form = headers("DeleteLiveRecordNotifyConfig", hash);
    form.push(("content-type", "application/x-www-form-urlencoded"));
    assert_eq!(
        acs3_of(Method::POST, "", &form, "DomainName=live.example.com"),
        [
            "b2f0047cf71de902af06cae0766bd415cc99e4337a8288013022fff5eda57048",
            "52a6eff81924678fa616a243587b8f6df6a8e9bbd3ec6e5cfd8de95581a6c408"
        ]
    );
}

#[test]
fn acs3_signs_method_query_headers_and_body() {
    let base = headers("A", EMPTY_HASH);
    let signature = acs3_of(Method::POST, "a=1", &base, "");
    let other_header = headers("B", EMPTY_HASH);
    for (method, query, headers, body) in [
        (Method::GET, "a=1", &base, ""),
        (Method::POST, "a=2", &base, ""),
        (Method::POST, "a=1", &other_header, ""),
        (Method::POST, "a=1", &base, "x"),
    ] {
        assert_ne!(acs3_of(method, query, headers, body), signature);
    }
}
