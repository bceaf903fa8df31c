//! Signing a typical update against the bare hashing of the same bytes.
//!
//! `cargo bench -p record-callback --bench signing`

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

mod ratio;

use std::hint::black_box;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use record_callback::aliyun::sign::{acs3, rpc};
use record_callback::huaweicloud::sign::ToSign;
use sha1::Sha1;
use sha2::{Digest, Sha256};

const ROUNDS: usize = 31;
const WINDOW: Duration = Duration::from_millis(20);
const SECRET: &str = "testsecret0123456789testsecret";
const URL: &str = "https://callbacks.example.com/recordings/live/notify";

fn main() {
    rpc();
    acs3();
    sdk_hmac();
}

/// Nanoseconds a call takes, over one window.
fn time(mut call: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut calls = 0_u32;
    while start.elapsed() < WINDOW {
        for _ in 0..64 {
            call();
        }
        calls += 64;
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
}

fn compare(names: [&str; 2], mut bare: impl FnMut(), mut signed: impl FnMut()) {
    let rounds: Vec<_> = (0..ROUNDS).map(|_| vec![time(&mut bare), time(&mut signed)]).collect();
    ratio::print("ns", &names, &rounds);
}

fn update() -> Vec<(&'static str, &'static str)> {
    vec![
        ("DomainName", "live.example.com"),
        ("NotifyUrl", URL),
        ("OnDemandUrl", "https://callbacks.example.com/on-demand"),
        ("NeedStatusNotify", "true"),
        ("NotifyReqAuth", "true"),
        ("NotifyAuthKey", "Abcdefgh12345678Abcdefgh12345678"),
    ]
}

fn rpc() {
    let mut params = update();
    params.extend([
        ("Action", "UpdateLiveRecordNotifyConfig"),
        ("Version", "2016-11-01"),
        ("Format", "JSON"),
        ("AccessKeyId", "LTAI5tExampleExampleExam"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureVersion", "1.0"),
        ("SignatureNonce", "0123456789abcdef0123456789abcdef"),
        ("Timestamp", "2026-01-02T03:04:05Z"),
    ]);
    // The string to sign: the query, escaped once more, behind a short prefix.
    let query = rpc::signed_query("POST", &mut params.clone(), SECRET);
    let query = query.split("&Signature=").next().unwrap_or_default();
    let escaped = query.replace('%', "%25").replace('=', "%3D").replace('&', "%26");
    let to_sign = format!("POST&%2F&{escaped}");
    compare(
        ["bare HMAC-SHA1 of the string to sign", "aliyun RPC: parameters to signed query"],
        || {
            black_box(hmac::<Hmac<Sha1>>(SECRET, black_box(&[&to_sign])));
        },
        || {
            black_box(rpc::signed_query("POST", &mut black_box(&params).clone(), SECRET));
        },
    );
}

fn acs3() {
    let params = update();
    let headers = [
        ("host", "live.aliyuncs.com"),
        ("x-acs-action", "UpdateLiveRecordNotifyConfig"),
        ("x-acs-content-sha256", acs3::EMPTY_BODY),
        ("x-acs-date", "2026-01-02T03:04:05Z"),
        ("x-acs-signature-nonce", "0123456789abcdef0123456789abcdef"),
        ("x-acs-version", "2016-11-01"),
    ];
    let query = acs3::canonical_query(&mut params.clone());
    let request = canonical_request("POST", "/", &query, &headers, acs3::EMPTY_BODY);
    compare(
        ["bare SHA-256 and HMAC-SHA256", "aliyun ACS3: parameters to query and header"],
        || {
            let hash = Sha256::digest(black_box(&request));
            black_box(hmac::<Hmac<Sha256>>(SECRET, &["ACS3-HMAC-SHA256\n", &HASH[..hash.len() * 2]]));
        },
        || {
            let query = acs3::canonical_query(&mut black_box(&params).clone());
            let key = ("LTAI5tExampleExampleExam", SECRET);
            black_box(acs3::authorization("POST", &query, &headers, acs3::EMPTY_BODY, key));
            black_box(query);
        },
    );
}

fn sdk_hmac() {
    const DATE: &str = "20240102T030405Z";
    let path = "/v1/0123456789abcdef0123456789abcdef/record/callbacks/e2fe84def7e476651034ec4b9e92bc30";
    let body = format!(
        r#"{{"publish_domain":"push.example.com","app":"*","notify_callback_url":"{URL}","notify_event_subscription":["RECORD_NEW_FILE_START","RECORD_FILE_COMPLETE"],"sign_type":"HMACSHA256","key":"0123456789abcdefghijklmnopqrstuv"}}"#
    );
    let headers = [
        ("content-type", "application/json"),
        ("host", "live.cn-north-4.myhuaweicloud.com"),
        ("x-project-id", "0123456789abcdef0123456789abcdef"),
        ("x-sdk-date", DATE),
    ];
    let request = canonical_request("PUT", &format!("{path}/"), "", &headers, HASH);
    compare(
        ["bare SHA-256 twice and HMAC-SHA256", "huaweicloud SDK-HMAC: request to header"],
        || {
            black_box(Sha256::digest(black_box(&body)));
            let hash = Sha256::digest(black_box(&request));
            let hash = &HASH[..hash.len() * 2];
            black_box(hmac::<Hmac<Sha256>>(SECRET, &["SDK-HMAC-SHA256\n", DATE, "\n", hash]));
        },
        || {
            let to_sign = ToSign {
                method: "PUT",
                path,
                query: "",
                headers: &headers,
                body: black_box(body.as_bytes()),
                date: DATE,
            };
            black_box(to_sign.authorization("AKEXAMPLE0000000001", SECRET));
        },
    );
}

/// Hex digits of the right length, where only the number of hashed bytes matters.
const HASH: &str = acs3::EMPTY_BODY;

fn canonical_request(method: &str, path: &str, query: &str, headers: &[(&str, &str)], hash: &str) -> String {
    let lines: Vec<_> = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let lines = lines.concat();
    let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{hash}")
}

fn hmac<M: Mac + KeyInit>(secret: &str, parts: &[&str]) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = <M as KeyInit>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().to_vec()
}
