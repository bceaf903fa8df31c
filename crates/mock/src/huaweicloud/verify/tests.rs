//! The vendor's published example (V0) and vectors made with its official SDK.

use axum::http::{HeaderName, Method};

use super::*;

const SECRET: &str = "SKexampleSecretKey000000000000000000000001";
const CALLBACKS: &str = "/v1/0123456789abcdef0123456789abcdef/record/callbacks";
const DATE: &str = "20240102T030405Z";
/// The headers the SDK signs, but for `Content-Type`.
const SDK_HEADERS: [(&str, &str); 4] = [
    ("host", "live.cn-north-4.myhuaweicloud.com"),
    ("user-agent", "hw-rec-callback/0.1"),
    ("x-project-id", "0123456789abcdef0123456789abcdef"),
    ("x-sdk-date", DATE),
];
const V2_BODY: &str = r#"{"publish_domain": "push.example.com", "app": "*", "notify_callback_url": "https://cb.example.com/notify", "notify_event_subscription": ["RECORD_NEW_FILE_START", "RECORD_FILE_COMPLETE"], "sign_type": "HMACSHA256", "key": "0123456789abcdefghijklmnopqrstuv"}"#;

/// Hash of the canonical request and signature, with every given header signed.
fn signed(method: Method, target: &str, headers: &[(&'static str, &str)], body: &str) -> [String; 2] {
    let canonical = canonical(&RawRequest::new(method, target, headers, body)).unwrap();
    [sha256_hex(&canonical), signature(&canonical, DATE, SECRET)]
}

fn canonical(raw: &RawRequest) -> Result<String, String> {
    let mut names: Vec<&str> = raw.headers.keys().map(HeaderName::as_str).collect();
    names.retain(|name| *name != "x-sdk-content-sha256");
    names.sort_unstable();
    canonical_request(raw, &names.join(";"))
}

fn sdk_headers(content_type: &'static str) -> Vec<(&'static str, &'static str)> {
    [("content-type", content_type)].into_iter().chain(SDK_HEADERS).collect()
}

#[test]
fn published_example() {
    let raw = RawRequest::new(
        Method::GET,
        "/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs?limit=2&marker=13551d6b-755d-4757-b956-536f674975c0",
        &[
            ("content-type", "application/json"),
            ("host", "service.region.example.com"),
            ("x-sdk-date", "20191115T033655Z"),
        ],
        "",
    );
    let canonical = canonical(&raw).unwrap();
    assert_eq!(
        canonical,
        "GET\n/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs/\n\
         limit=2&marker=13551d6b-755d-4757-b956-536f674975c0\n\
         content-type:application/json\nhost:service.region.example.com\nx-sdk-date:20191115T033655Z\n\n\
         content-type;host;x-sdk-date\n\
         e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    assert_eq!(sha256_hex(&canonical), "b25362e603ee30f4f25e7858e8a7160fd36e803bb2dfe206278659d71a9bcd7a");
    assert_eq!(
        signature(&canonical, "20191115T033655Z", "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc"),
        "7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe"
    );
}

#[test]
fn calls_of_the_official_sdk() {
    let query = "app=%2A&limit=10&offset=0&publish_domain=push.example.com\
                 &x=%E7%9B%B4%E6%92%AD%20a%2Bb%2Fc~d";
    let v1 = signed(Method::GET, &format!("{CALLBACKS}?{query}"), &sdk_headers("application/json"), "");
    assert_eq!(
        v1,
        [
            "9fe3d36feea2dc05bcec3e03bff68f8fe51ffb22892879d98c1803125dc6f31b",
            "97a647d319f88ab7bdb9f1a17062e1f67655ad7d46a885177f7f743e8ae24a09"
        ]
    );

    let one = format!("{CALLBACKS}/e2fe84def7e476651034ec4b9e92bc30");
    let v2 = signed(Method::PUT, &one, &sdk_headers("application/json; charset=utf-8"), V2_BODY);
    assert_eq!(
        v2,
        [
            "f97ab6e8a4f812c5cf504f92d0b17b0684f7279008b401f6adfd0f5421385b36",
            "d16947e81b756401a7ed14e38276be8d3b83ce17a3ea0b91f3707df50ef531e3"
        ]
    );

    let mut temporary = sdk_headers("application/json");
    temporary.push(("x-security-token", "gQpjbi1ub3J0aC00EXAMPLETOKEN/abc+def=="));
    let v3 = signed(Method::DELETE, &one, &temporary, "");
    assert_eq!(
        v3,
        [
            "370c4588bc14e67a65b346a2448535edadc80b371ec88a943eb03873c5d13e11",
            "ac4a7038ff3acdd97b8ce709c73954e08cf2f94544d2c4d116804a659c83727f"
        ]
    );
}

#[test]
fn calls_with_the_least_headers() {
    let v4 = signed(
        Method::POST,
        CALLBACKS,
        &[("host", "127.0.0.1:18080"), ("x-sdk-date", DATE)],
        r#"{"publish_domain":"push.example.com","app":"*"}"#,
    );
    assert_eq!(
        v4,
        [
            "c9e60f3e2d771690bcdeb33a557707440972fd274bb202d6c248db7f3f81e397",
            "55977fece556cbb9c8b5f49ddbf92664c7b27d375f0f2c4850d72784ebdd8fe4"
        ]
    );

    let v5 = signed(
        Method::GET,
        &format!("{CALLBACKS}/a%20b%2Fc%E7%9B%B4"),
        &[("host", "live.cn-north-4.myhuaweicloud.com"), ("x-sdk-date", DATE)],
        "",
    );
    assert_eq!(
        v5,
        [
            "3fce003fde4d6473e7030969eb1a8c4687abd1695a704003ef93a2c3f8e61613",
            "4fd17156ea7affa529d1e87dd44e2b0472029a8c6c0103bc4767b48544661f0a"
        ]
    );
}

#[test]
fn everything_but_the_order_of_the_query_is_signed() {
    let call = |method, target: &str, host, body| {
        signed(method, &format!("{CALLBACKS}{target}"), &[("host", host), ("x-sdk-date", DATE)], body)
    };
    let base = call(Method::PUT, "?a=1&b=2", "h", "{}");
    assert_eq!(base, call(Method::PUT, "?b=2&a=1", "h", "{}"));
    for other in [
        call(Method::POST, "?a=1&b=2", "h", "{}"),
        call(Method::PUT, "/x?a=1&b=2", "h", "{}"),
        call(Method::PUT, "?a=1&b=3", "h", "{}"),
        call(Method::PUT, "?a=1&b=2", "i", "{}"),
        call(Method::PUT, "?a=1&b=2", "h", "{ }"),
    ] {
        assert_ne!(base, other);
    }
}

#[test]
fn a_declared_payload_hash_has_to_be_true() {
    let with = |hash: &str| {
        let headers = [("host", "h"), ("x-sdk-date", DATE), ("x-sdk-content-sha256", hash)];
        canonical(&RawRequest::new(Method::PUT, CALLBACKS, &headers, "body"))
    };
    let actual = sha256_hex("body");
    assert!(with(&actual).unwrap().ends_with(&actual));
    assert!(with(UNSIGNED).unwrap().ends_with("\nUNSIGNED-PAYLOAD"));
    assert!(with(&sha256_hex("other")).is_err());
}

#[test]
fn a_query_has_to_be_sent_as_it_is_signed() {
    for right in ["", "app=%2A&limit=10", "limit=10&app=%2A", "x=", "x=a%20b~c"] {
        assert!(query_is_canonical(right), "{right}");
    }
    for wrong in ["app=*", "x=a+b", "x", "x=%e7%9b%b4", "x=%7E"] {
        assert!(!query_is_canonical(wrong), "{wrong}");
    }
}

#[test]
fn authorization_is_taken_apart() {
    let parse = |value| {
        Authorization::parse(value)
            .map(|found| [found.access_key, found.signed_headers, found.signature].map(str::to_owned))
    };
    let right = "SDK-HMAC-SHA256 Access=AK, SignedHeaders=host;x-sdk-date, Signature=00";
    assert_eq!(parse(right).unwrap(), ["AK", "host;x-sdk-date", "00"]);
    for wrong in [
        "SDK-HMAC-SHA256 Access=AK,SignedHeaders=host;x-sdk-date,Signature=00",
        "SDK-HMAC-SHA256, Access=AK, SignedHeaders=host;x-sdk-date, Signature=00",
        "V11-HMAC-SHA256 Credential=AK, SignedHeaders=host;x-sdk-date, Signature=00",
        "SDK-HMAC-SHA256 Access=AK, Signature=00",
        "SDK-HMAC-SHA256 Access=AK, SignedHeaders=host, Signature=00, More=1",
    ] {
        assert_eq!(parse(wrong), None, "{wrong}");
    }
}
