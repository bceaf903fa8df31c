//! No secret is shown: not by an error or its causes, not by `Debug`, not by `Serialize`, not in the log.
//!
//! Every secret is a canary. Whatever can be shown while requests succeed and fail is collected, and then searched for
//! pieces of the canaries, and of what was derived from them (signatures, issued tokens), in every usual encoding.

mod clients;
mod explanations;
mod fleet;
mod receiver_config;
mod receiving;
mod servers;
mod sinks;
mod sources;

use std::fmt::{Debug, Write as _};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use record_callback::aliyun::{
    self, AliyunClient, AliyunProvider, HttpMethod, RecordNotifyConfig, Signature,
};
use record_callback::http::header::{HeaderMap, HeaderValue};
use record_callback::http::{
    AccessKey, Answer, CredentialProvider, EnvCredentials, FixedEnv, KeyVariables, Quotas, RetryPolicy,
    StaticCredentials, StatusCode, TokioTimer,
};
use record_callback::huaweicloud::{
    self, HuaweicloudClient, HuaweicloudProvider, Login, RecordCallbackConfigAnswer,
    RecordCallbackConfigRequest,
};
use record_callback::{
    AppName, CallbackKey, CallbackSigning, DomainName, Error, ErrorKind, EventKind, Fidelity, ProviderConfig,
    ReadBack, RecordCallbackConfig, RecordCallbackProvider, RecordCallbackProviderExt, SigningKey, StoredKey,
    http,
};
use record_callback_mock::{
    Fault, FaultKind, HuaweicloudDialect, MockAliyun, MockHuaweicloud, ReceivedRequest,
};
use record_callback_tests::Cloud;
use record_callback_tests::secrets::{self, PIECE, Secrets, Shown, base64, percent_decoded, percent_encoded};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

use self::clients::*;
use self::servers::*;
use self::sinks::{unused, webhook_secret};

const VARIABLES: &[KeyVariables] =
    &[KeyVariables { id: "ID", secret: "SECRET", security_token: "TOKEN", project_ids: &[] }];

const SECRET: &str = "dBk2SX2LCqOfMZojpXnnPnyg185QyVE";
const TEMPORARY_SECRET: &str = "ZpJOaZLSUYJNWUa66APoAWOvLucxNI";
const SECURITY_TOKEN: &str = "CAIS7q+YILPE84rspnGl/krRDyZBj6bzcBgs7mS7==";
const GIVEN_TOKEN: &str = "MIIbFI99l3fVAbkXp1dt71tu+IXkPFxN9Puzdm==";
const PASSWORD: &str = "RXwDXc5U SjÄk5EXvWUXBF4721lu%OZ";
const KEY: &str = "XXmzWnTQNOMzaJURHl5F7XqUrrwTNqn1";
const OTHER_KEY: &str = "ibu607vJ3kdHhEIXAkOsHRUPj8BKiRo6";
/// No cloud takes all lengths: too long for Aliyun, too short for Huawei Cloud.
const LONG_KEY: &str = "g1sElzLcjFDHtWS0KtN6KpIy94CWAPqwb4YB59hu";
const SHORT_KEY: &str = "oSTyidhH8B756QTDx6Bk";
/// The secret of somebody else: requests signed with ours are refused, and echoed.
const NOT_OURS: &str = "3qbHKHItMWvetMmjRhlXcjsp";
/// A key that a careless JSON writer makes a number of.
const NUMERIC_KEY: &str = "7315904826153709";
/// What events are signed with when they are sent on; in base64 in its secret.
const WEBHOOK_KEY: &str = "vR7cUqT2mXw9LbZ4sYh6NfKd3GpJaE8x";
const OTHER_WEBHOOK_KEY: &str = "Hn5tQeW0yBk1VzRj7MoCu4IxSl2DgPaF";
/// In the path and the query of a URL.
const URL_SECRET: &str = "tOkn9wJfVb3XyLs6RzQh";
const REDIS_PASSWORD: &str = "k8ZrWm4TgPx1NvBq7YdHc";
/// In a field nobody documented: in the body as it came, and nowhere else.
const RAW: &str = "bX6nQz0TrWk8MfHv3JyLpC57";
/// In headers that are no business of ours.
const HEADER: &str = "sG2dYw9KtRm4VxNc7BqZ31";

const DOMAIN: &str = "live.example.com";
const ID: &str = "LTAIexample";

fn canaries() -> Secrets {
    let mut secrets = Secrets::default();
    for (name, secret) in [
        ("access key secret", SECRET),
        ("temporary access key secret", TEMPORARY_SECRET),
        ("security token", SECURITY_TOKEN),
        ("given token", GIVEN_TOKEN),
        ("password", PASSWORD),
        ("signing key", KEY),
        ("other signing key", OTHER_KEY),
        ("long signing key", LONG_KEY),
        ("short signing key", SHORT_KEY),
        ("mock's secret", NOT_OURS),
        ("webhook key", WEBHOOK_KEY),
        ("other webhook key", OTHER_WEBHOOK_KEY),
        ("URL's secret", URL_SECRET),
        ("Redis password", REDIS_PASSWORD),
        ("raw body", RAW),
        ("foreign header", HEADER),
    ] {
        secrets.add(name, secret);
    }
    secrets.add_number("numeric signing key", NUMERIC_KEY);
    secrets.know_token(GIVEN_TOKEN);
    secrets
}

fn watched(scenario: impl AsyncFnOnce(&mut Shown, &mut Secrets)) {
    secrets::watched(canaries(), scenario);
}

fn watched_with(expected: &[&str], scenario: impl AsyncFnOnce(&mut Shown, &mut Secrets)) {
    secrets::watched_with(expected, canaries(), scenario);
}

#[test]
fn the_search_finds_a_canary_however_it_is_shown() {
    let secrets = canaries();
    let cut = &KEY[3..18];
    let found = [
        KEY.to_owned(),
        KEY.to_lowercase(),
        format!("an error with {cut} in it"),
        format!("{} {}", &KEY[..7], &KEY[7..]),
        KEY.split("").collect::<Vec<_>>().join("-"),
        format!("{:?}", KEY.as_bytes()),
        format!("{:#?}", KEY.as_bytes()),
        KEY.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02X}")),
        percent_encoded(SECURITY_TOKEN),
        percent_encoded(&percent_encoded(SECURITY_TOKEN)),
        SECURITY_TOKEN.replace('+', "\\u002b"),
        base64(KEY.as_bytes()),
        base64(format!("a{KEY}").as_bytes()),
        base64(format!("{{\"key\":\"{KEY}\",\"more\":1}}").as_bytes()),
        percent_encoded(&base64(PASSWORD.as_bytes())),
        format!("{PASSWORD:?}"),
        webhook_secret(WEBHOOK_KEY),
    ];
    for text in found {
        assert!(secrets.find(&text).is_some(), "{text}");
    }
    for harmless in ["", "[REDACTED]", "live.example.com: app: `live` cannot", &KEY[..PIECE - 1]] {
        assert!(secrets.find(harmless).is_none(), "{harmless}");
    }
    assert_eq!(base64(b"Man M"), "TWFuIE0=");
    assert_eq!(percent_decoded("a%2Bb%E5%BD%95%"), "a+b录%");

    let mut shown = Shown::default();
    let planted = Error::new(ErrorKind::Protocol, "fine").with_source(io::Error::other(KEY));
    shown.result::<()>("planted", Err(planted));
    assert!(shown.leaks(&secrets).iter().all(|leak| leak.starts_with("planted shows the signing key")));
    assert!(!shown.leaks(&secrets).is_empty());
}

#[test]
fn nothing_is_shown_while_clouds_work() {
    watched(async |shown, secrets| {
        for way in Cloud::ALL {
            let mock = Mock::start(way, false, shown).await;
            let token = mock.issue_token();
            let provider = connect(way, mock.endpoint(), mock.iam_endpoint(), &token, shown);
            provider.put(&signed_with(KEY), Fidelity::BestEffort).await.unwrap();
            let stored = provider.get(&signed_with(KEY).key()).await.unwrap().unwrap();
            assert_eq!(stored.signing.key, StoredKey::Known(SigningKey::new(KEY).unwrap()));
            provider.delete(&stored.key).await.unwrap();
            exercise(way.name(), &*provider, shown).await;
            mock.show(shown, secrets);
            let received = mock.received();
            assert!(received.contains(KEY), "{received}");
            let token = match way {
                Cloud::AliyunRpcTemporary => percent_encoded(SECURITY_TOKEN),
                Cloud::HuaweicloudToken => token,
                Cloud::HuaweicloudPassword => PASSWORD.to_owned(),
                _ if is_temporary(way) => SECURITY_TOKEN.to_owned(),
                _ => "Signature=".to_owned(),
            };
            assert!(received.contains(&token), "{received}");
        }
    });
}

/// The mocks echo what they would have signed, as the clouds do: with signing key and security token.
#[test]
fn nothing_is_shown_when_credentials_are_wrong() {
    watched(async |shown, secrets| {
        for way in Cloud::ALL {
            let mock = Mock::start(way, true, shown).await;
            let provider = connect(way, mock.endpoint(), mock.iam_endpoint(), GIVEN_TOKEN, shown);
            let refused = provider.get(&signed_with(KEY).key()).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Unauthenticated, "{refused}");
            exercise(way.name(), &*provider, shown).await;
            if is_aliyun(way) {
                let create = provider.create(&signed_with(KEY), Fidelity::BestEffort).await.unwrap_err();
                assert_eq!(create.code(), Some("SignatureDoesNotMatch"));
                let requests = mock.requests();
                let created =
                    requests.iter().rfind(|request| request.operation().unwrap().starts_with("Add"));
                let echoed = sent_again(mock.endpoint(), created.unwrap()).await;
                assert!(echoed.contains(KEY), "{echoed}");
            }
            mock.show(shown, secrets);
        }
    });
}

/// Sends a request once more as it came, and returns the whole answer.
async fn sent_again(endpoint: &str, request: &ReceivedRequest) -> String {
    let mut stream = TcpStream::connect(endpoint.trim_start_matches("http://")).await.unwrap();
    let mut text = format!("{} {}?{} HTTP/1.1\r\n", request.method(), request.path(), request.query());
    for (name, value) in request.headers() {
        writeln!(text, "{name}: {}\r", value.to_str().unwrap()).unwrap();
    }
    text += "connection: close\r\n\r\n";
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[test]
fn nothing_is_shown_when_keys_are_unknown_or_tokens_revoked() {
    watched(async |shown, secrets| {
        for way in Cloud::ALL {
            let (mock, iam) = if is_aliyun(way) {
                let builder = MockAliyun::builder().access_key("another", NOT_OURS);
                (Mock::Aliyun(builder.start().await.unwrap().into()), String::new())
            } else {
                let mock = Mock::start(way, false, shown).await;
                (
                    Mock::Huaweicloud(MockHuaweicloud::builder().start().await.unwrap().into()),
                    mock.iam_endpoint().to_owned(),
                )
            };
            let iam = if iam.is_empty() { mock.iam_endpoint().to_owned() } else { iam };
            let provider = connect(way, mock.endpoint(), &iam, GIVEN_TOKEN, shown);
            exercise(way.name(), &*provider, shown).await;
            mock.show(shown, secrets);
        }
        for way in [Cloud::HuaweicloudToken, Cloud::HuaweicloudPassword] {
            let mock = Mock::start(way, false, shown).await;
            let provider = connect(way, mock.endpoint(), mock.iam_endpoint(), &mock.issue_token(), shown);
            provider.list(None).await.unwrap();
            let Mock::Huaweicloud(cloud) = &mock else { unreachable!() };
            cloud.revoke_tokens();
            exercise(way.name(), &*provider, shown).await;
            mock.show(shown, secrets);
        }
    });
}

#[test]
fn nothing_is_shown_when_nobody_answers() {
    watched(async |shown, _| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let endpoint = format!("http://{}", socket.local_addr().unwrap());
        for way in Cloud::ALL {
            let provider = connect(way, &endpoint, &endpoint, GIVEN_TOKEN, shown);
            let refused = provider.get(&signed_with(KEY).key()).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
            exercise(way.name(), &*provider, shown).await;
        }
        // For the log of a server, which `watched` expects.
        let mock = Mock::start(Cloud::AliyunRpc, false, shown).await;
        let provider = connect(Cloud::AliyunRpc, mock.endpoint(), "", "", shown);
        shown.result("list", provider.list(None).await);
    });
}

#[test]
fn nothing_is_shown_of_answers_that_are_no_answers() {
    watched(async |shown, secrets| {
        let kinds: [Kind; 8] = [
            ("nothing", |_| Vec::new()),
            ("not HTTP", |_| b"220 this is not HTTP\r\n\r\n".into()),
            ("empty", |_| answer("200 OK", "", "")),
            ("cut JSON", |_| answer("200 OK", JSON, "{\"LiveRecordNotifyConfig\":")),
            ("HTML error", |request| {
                answer(
                    "502 Bad Gateway",
                    "Content-Type: text/html\r\n",
                    &format!("<html>{}</html>", request.whole),
                )
            }),
            ("HTML", |request| {
                answer("200 OK", "Content-Type: text/html\r\n", &format!("<html>{}</html>", request.whole))
            }),
            ("short body", |request| {
                let whole = answer("200 OK", JSON, &json!({ "Message": request.whole }).to_string());
                whole[..whole.len() - 10].into()
            }),
            ("redirect", |request| {
                let location = format!("Location: http://127.0.0.1:1{}\r\n", request.target);
                answer("302 Found", &location, &request.whole)
            }),
        ];
        for (name, answer) in kinds {
            against(name, answer, shown, secrets).await;
        }
    });
}

#[test]
fn nothing_is_shown_of_a_request_that_is_echoed_in_the_message() {
    watched(async |shown, secrets| {
        let kinds: [Kind; 5] = [
            ("whole request in the message", |request| {
                refusal("400 Bad Request", "InvalidParameter", &request.whole, "R-1")
            }),
            ("parameters in the message", |request| {
                refusal("400 Bad Request", "InvalidParameter", &request.secrets()[0], "R-1")
            }),
            ("headers in the message", |request| {
                refusal("401 Unauthorized", "APIGW.0301", &request.secrets()[1], "R-1")
            }),
            ("XML message", |request| {
                let message = request.secrets().join(" ").replace('&', "&amp;");
                let body = format!("<Error><Code>X</Code><Message>{message}</Message></Error>");
                answer("400 Bad Request", "Content-Type: text/xml\r\n", &body)
            }),
            ("IAM message", |request| {
                let body = json!({ "error": { "code": 400, "message": request.secrets().join(" "), "title": "Bad" } });
                answer("400 Bad Request", JSON, &body.to_string())
            }),
        ];
        for (name, answer) in kinds {
            against(name, answer, shown, secrets).await;
        }
    });
}

#[test]
fn nothing_is_shown_of_a_request_that_is_echoed_elsewhere() {
    watched(async |shown, secrets| {
        let kinds: [Kind; 5] = [
            ("code", |request| refusal("400 Bad Request", &request.secrets().join(" "), "refused", "R-1")),
            ("request id", |request| {
                refusal("400 Bad Request", "X", "refused", &request.secrets().join(" "))
            }),
            ("x-request-id", |request| {
                let [parameters, headers] = request.secrets();
                let said = format!("{JSON}X-Request-Id: {parameters} {headers}\r\n");
                answer("400 Bad Request", &said, r#"{"error_code":"X","error_msg":"refused"}"#)
            }),
            ("content type", |request| {
                let [parameters, headers] = request.secrets();
                answer("502 Bad Gateway", &format!("Content-Type: text/{parameters}{headers}\r\n"), "x")
            }),
            ("retry after", |request| {
                answer("500 Oh No", &format!("Retry-After: {}\r\n", request.secrets().join(" ")), "x")
            }),
        ];
        for (name, answer) in kinds {
            against(name, answer, shown, secrets).await;
        }
    });
}

#[test]
fn nothing_is_shown_of_a_success_that_is_not_understood() {
    watched(async |shown, secrets| {
        let kinds: [Kind; 4] = [
            ("text", |request| answer("200 OK", JSON, &json!(request.secrets().join(" ")).to_string())),
            ("numeric key", |_| {
                let number: u64 = NUMERIC_KEY.parse().unwrap();
                let config = json!({ "DomainName": DOMAIN, "NotifyAuthKey": number });
                let body = json!({
                    "LiveRecordNotifyConfig": config, "key": number,
                    "total": 1, "callback_config": [{ "id": "1", "key": number }],
                });
                answer("200 OK", JSON, &body.to_string())
            }),
            ("key of another type", |_| {
                let config = json!({ "DomainName": DOMAIN, "NotifyReqAuth": KEY });
                let body = json!({ "LiveRecordNotifyConfig": config, "total": KEY, "callback_config": KEY });
                answer("200 OK", JSON, &body.to_string())
            }),
            ("object", |request| {
                answer("200 OK", JSON, &json!({ request.secrets().join(" "): [KEY] }).to_string())
            }),
        ];
        for (name, answer) in kinds {
            against(name, answer, shown, secrets).await;
        }
    });
}

#[test]
fn nothing_is_shown_by_values_that_hold_secrets() {
    let (mut shown, secrets) = (Shown::default(), canaries());
    let config = signed_with(KEY);
    shown.debug("a signing key", &SigningKey::new(KEY).unwrap());
    shown.debug("a signing", config.signing());
    shown.debug("a config", &config);
    shown.debug("an exposed config", &config.with_exposed_key());
    shown.text("a config", serde_json::to_string(&config).unwrap());
    shown.text("a config", toml::to_string(&config).unwrap());
    shown.debug(
        "a config's builder",
        &RecordCallbackConfig::builder(DOMAIN, "http://x").signing(config.signing().clone()),
    );
    shown.debug("a fitted config", &aliyun::CAPABILITIES.fit(&config, Fidelity::BestEffort).unwrap());
    shown.debug("a stored key", &StoredKey::Known(SigningKey::reported(KEY)));
    shown.debug("a key", &CallbackKey::any_app(config.domain().clone()));

    let key = access_key(true);
    shown.debug("an access key", &key);
    shown.debug("static credentials", &StaticCredentials::new(key));
    let env = FixedEnv::from_iter([("ID", ID), ("SECRET", SECRET), ("TOKEN", SECURITY_TOKEN)]);
    shown.debug("an environment", &env);
    shown.debug("environment credentials", &EnvCredentials::new(env.clone(), VARIABLES));
    shown.debug("environment credentials", &aliyun::from_env(env.clone()));
    shown.debug("environment credentials", &huaweicloud::from_env(env));
    shown.debug("a login", &Login::new("account", "user", PASSWORD));

    shown.debug(
        "a request for Aliyun",
        &RecordNotifyConfig { notify_auth_key: Some(KEY.into()), ..RecordNotifyConfig::default() },
    );
    let request = RecordCallbackConfigRequest {
        publish_domain: DOMAIN.into(),
        app: "*".into(),
        notify_callback_url: None,
        notify_event_subscription: None,
        on_demand_callback_url: None,
        sign_type: None,
        key: Some(KEY.into()),
    };
    shown.debug("a request for Huawei Cloud", &request);
    let answer =
        RecordCallbackConfigAnswer { key: Some(KEY.into()), ..RecordCallbackConfigAnswer::default() };
    shown.debug("an answer of Huawei Cloud", &answer);

    for credentials in [
        format!(
            "{{ source = 'access_key', id = 'x', secret = '{SECRET}', security_token = '{SECURITY_TOKEN}' }}"
        ),
        format!("{{ source = 'token', token = '{GIVEN_TOKEN}' }}"),
        format!("{{ source = 'password', account = 'a', user = 'u', password = '{PASSWORD}' }}"),
    ] {
        for vendor in ["aliyun", "huaweicloud"] {
            let toml = format!("vendor = '{vendor}'\nregion = 'cn-north-4'\ncredentials = {credentials}");
            let config: ProviderConfig = toml::from_str(&toml).unwrap();
            shown.debug("a provider's config", &config);
            shown.result("a provider", config.connect_in(FixedEnv::default()));
        }
    }
    shown.assert_hides(&secrets);
}

/// A request has everything in its URL and headers; an answer what the cloud shows: keys in its body, tokens in its
/// headers; a failure what the cloud repeats.
#[test]
fn nothing_is_shown_by_requests_answers_and_failures() {
    let mut headers = HeaderMap::new();
    headers.insert("x-subject-token", HeaderValue::from_static(GIVEN_TOKEN));
    let body = json!({ "key": KEY }).to_string();
    let mut shown = Shown::default();
    let mut sent = http::Secrets::default();
    sent.add(Some(KEY));
    shown.debug("the secrets of a request", &sent);
    shown.debug("an answer", &Answer::new(StatusCode::OK, headers, body, sent.clone()));
    let url = format!("http://127.0.0.1/?NotifyAuthKey={KEY}&Signature={SECRET}");
    let request = http::Request::new(http::Method::POST, url.parse().unwrap());
    shown.debug("a signed request", &http::Signed { request, secrets: sent });
    let failure =
        http::Failure { code: KEY.into(), message: SECURITY_TOKEN.into(), request_id: Some(SECRET.into()) };
    shown.debug("a failure", &failure);
    shown.assert_hides(&canaries());
}

#[test]
fn nothing_is_shown_by_refusals_before_any_call() {
    watched(async |shown, _| {
        let bad = format!("{KEY}\n{SECURITY_TOKEN}");
        for key in [bad.clone(), format!("{KEY}é"), KEY.repeat(5), KEY[..12].to_owned()] {
            let refused = SigningKey::new(key.as_str()).unwrap_err();
            shown.error("a refused signing key", &refused);
            let refused = serde_json::from_value::<CallbackSigning>(json!({ "scheme": "md5", "key": key }));
            shown.error("a refused signing", &refused.unwrap_err());
            let refused =
                serde_json::from_value::<CallbackSigning>(json!({ "scheme": "disabled", "key": KEY }));
            shown.error("a refused signing", &refused.unwrap_err());
        }
        let env = FixedEnv::from_iter([("SECRET", SECRET), ("TOKEN", SECURITY_TOKEN)]);
        let missing = EnvCredentials::new(env, VARIABLES).access_key().await;
        shown.error("missing variable", &missing.unwrap_err());

        // Text that no header carries.
        let mock = Mock::start(Cloud::AliyunAcs3, false, shown).await;
        let key = AccessKey::new(ID, SECRET).with_security_token(&bad);
        let client = AliyunClient::builder()
            .endpoint(mock.endpoint())
            .signature(Signature::Acs3)
            .credentials(StaticCredentials::new(key))
            .build()
            .unwrap();
        let refused = client.describe_live_record_notify_config(DOMAIN).await;
        assert!(refused.is_err());
        shown.result("a token no header carries", refused.map(|_| ()));
        let mock = Mock::start(Cloud::HuaweicloudToken, false, shown).await;
        let provider = connect(Cloud::HuaweicloudToken, mock.endpoint(), mock.iam_endpoint(), &bad, shown);
        assert!(shown.result("a token no header carries", provider.list(None).await).is_none());
        assert_eq!(mock.requests().len(), 0);

        let provider = connect(Cloud::AliyunRpc, mock.endpoint(), "", "", shown);
        exercise("a long key", &*provider, shown).await;
    });
}
