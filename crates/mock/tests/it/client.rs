//! A signer for each cloud and plain HTTP.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use record_callback_mock::{Clock, MockAliyun, MockHuaweicloud};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The moment the vectors of both clouds' signatures are replayed at.
pub(crate) const ALIYUN_TIME: &str = "2026-01-02T03:04:05Z";
pub(crate) const HUAWEICLOUD_TIME: &str = "2024-01-02T03:04:05Z";

pub(crate) fn clock(at: &str) -> Clock {
    Clock::fixed(at.parse().unwrap())
}

/// For loopback: reading the system's certificates would take longer than most tests.
pub(crate) fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap()
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
    /// `Null` when the body is not JSON.
    pub(crate) json: Value,
}

impl Reply {
    pub(crate) async fn to(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let json = serde_json::from_str(&text).unwrap_or_default();
        Self { status, headers, text, json }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The text at a JSON pointer.
    pub(crate) fn at(&self, pointer: &str) -> &str {
        self.json.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// Status and error code of either cloud; the code is empty on success.
    pub(crate) fn outcome(&self) -> (u16, &str) {
        let code =
            ["/Code", "/error_code"].into_iter().find_map(|pointer| self.json.pointer(pointer)?.as_str());
        (self.status, code.unwrap_or_default())
    }
}

pub(crate) fn encode(text: &str) -> String {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes()
        .map(|byte| if unreserved(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn query(pairs: &mut [(&str, &str)]) -> String {
    pairs.sort_unstable();
    let pairs: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}

fn hmac_sha256(key: &str, message: &str) -> String {
    hex::encode(
        Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap().chain_update(message).finalize().into_bytes(),
    )
}

fn sha256(data: &str) -> String {
    hex::encode(Sha256::digest(data))
}

/// A caller of the Aliyun mock; the fields are what its next call says.
pub(crate) struct Aliyun<'a> {
    pub(crate) http: reqwest::Client,
    pub(crate) endpoint: &'a str,
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) time: String,
    pub(crate) nonce: Option<&'a str>,
}

impl<'a> Aliyun<'a> {
    pub(crate) fn new(mock: &'a MockAliyun) -> Self {
        Self {
            http: http(),
            endpoint: mock.endpoint(),
            id: mock.access_key_id().to_owned(),
            secret: mock.access_key_secret().to_owned(),
            time: ALIYUN_TIME.to_owned(),
            nonce: None,
        }
    }

    /// A signed RPC call; `parameters` may replace a common parameter, or remove it by an empty value.
    pub(crate) async fn rpc(&self, action: &str, parameters: &[(&str, &str)]) -> Reply {
        Reply::to(self.http.post(self.rpc_url(action, parameters))).await
    }

    /// The URL of a signed RPC call by `POST`.
    pub(crate) fn rpc_url(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        let nonce = self.nonce.map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned);
        let common = [
            ("Action", action),
            ("Version", "2016-11-01"),
            ("Format", "JSON"),
            ("AccessKeyId", &self.id),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("SignatureNonce", &nonce),
            ("Timestamp", &self.time),
        ];
        let replaced = |name: &str| parameters.iter().any(|(other, _)| *other == name);
        let mut pairs: Vec<_> = common.into_iter().filter(|(name, _)| !replaced(name)).collect();
        pairs.extend(parameters);
        let sorted = query(&mut pairs);
        let string_to_sign = format!("POST&%2F&{}", encode(&sorted));
        let mac = Hmac::<Sha1>::new_from_slice(format!("{}&", self.secret).as_bytes()).unwrap();
        let signature = BASE64_STANDARD.encode(mac.chain_update(string_to_sign).finalize().into_bytes());
        format!("{}/?{sorted}&Signature={}", self.endpoint, encode(&signature))
    }

    /// A signed ACS3 call; `headers` replace or add headers, and all headers are signed but those in `unsigned`.
    pub(crate) async fn acs3(
        &self,
        action: &str,
        parameters: &[(&str, &str)],
        headers: &[(&str, &str)],
        unsigned: &[&str],
    ) -> Reply {
        let nonce = self.nonce.map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned);
        let host = self.endpoint.trim_start_matches("http://");
        let body_hash = sha256("");
        let mut all = std::collections::BTreeMap::from([
            ("host", host),
            ("x-acs-action", action),
            ("x-acs-version", "2016-11-01"),
            ("x-acs-date", &self.time),
            ("x-acs-signature-nonce", &nonce),
            ("x-acs-content-sha256", &body_hash),
        ]);
        all.extend(headers.iter().copied());
        let signed: Vec<_> = all.iter().filter(|(name, _)| !unsigned.contains(*name)).collect();
        let names: Vec<&str> = signed.iter().map(|(name, _)| **name).collect();
        let names = names.join(";");
        let lines: Vec<String> = signed.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let lines = lines.concat();
        let query = query(&mut parameters.to_vec());
        let canonical = format!("POST\n/\n{query}\n{lines}\n{names}\n{}", sha256(""));
        let signature = hmac_sha256(&self.secret, &format!("ACS3-HMAC-SHA256\n{}", sha256(&canonical)));
        let mut request = self.http.post(format!("{}/?{query}", self.endpoint)).header(
            "Authorization",
            format!("ACS3-HMAC-SHA256 Credential={},SignedHeaders={names},Signature={signature}", self.id),
        );
        for (name, value) in all {
            request = request.header(name, value);
        }
        Reply::to(request).await
    }
}

/// A caller of the Huawei Cloud mock; the fields are what its next call says.
pub(crate) struct Huaweicloud<'a> {
    pub(crate) http: reqwest::Client,
    pub(crate) mock: &'a MockHuaweicloud,
    pub(crate) endpoint: &'a str,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    pub(crate) date: String,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl<'a> Huaweicloud<'a> {
    pub(crate) fn new(mock: &'a MockHuaweicloud) -> Self {
        Self {
            http: http(),
            mock,
            endpoint: mock.endpoint(),
            access_key: mock.access_key().to_owned(),
            secret_key: mock.secret_key().to_owned(),
            date: basic(HUAWEICLOUD_TIME.parse().unwrap()),
            headers: Vec::new(),
        }
    }

    /// The path of the collection, followed by `rest`.
    pub(crate) fn callbacks(&self, rest: &str) -> String {
        format!("/v1/{}/record/callbacks{rest}", self.mock.project_id())
    }

    /// A signed call to `target`, a path without characters that need encoding and a query in canonical order.
    pub(crate) async fn call(&self, method: Method, target: &str, body: &str) -> Reply {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let host = self.endpoint.trim_start_matches("http://");
        // Whatever is sent, this is what is signed.
        let query = query.replace('*', "%2A");
        let canonical = format!(
            "{method}\n{path}/\n{query}\nhost:{host}\nx-sdk-date:{}\n\nhost;x-sdk-date\n{}",
            self.date,
            sha256(body)
        );
        let string_to_sign = format!("SDK-HMAC-SHA256\n{}\n{}", self.date, sha256(&canonical));
        let authorization = format!(
            "SDK-HMAC-SHA256 Access={}, SignedHeaders=host;x-sdk-date, Signature={}",
            self.access_key,
            hmac_sha256(&self.secret_key, &string_to_sign)
        );
        let mut request = self
            .http
            .request(method, format!("{}{target}", self.endpoint))
            .header("X-Sdk-Date", &self.date)
            .header("Authorization", authorization);
        if !body.is_empty() {
            request = request.header("Content-Type", "application/json").body(body.to_owned());
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        Reply::to(request).await
    }

    pub(crate) async fn create(&self, body: &Value) -> Reply {
        self.call(Method::POST, &self.callbacks(""), &body.to_string()).await
    }

    pub(crate) async fn get(&self, rest: &str) -> Reply {
        self.call(Method::GET, &self.callbacks(rest), "").await
    }
}

/// `X-Sdk-Date` for a time.
pub(crate) fn basic(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}
