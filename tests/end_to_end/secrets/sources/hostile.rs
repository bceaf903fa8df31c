//! Services of credentials that answer what they should not: requests that are echoed, keys that are not understood.

use super::*;

/// Runs every way of both clouds against one server that is all their services.
///
/// With `tokens`, what has to be asked for before a key is given, and only the rest is answered so.
async fn against(
    name: &str,
    tokens: bool,
    answer: fn(&Raw) -> Vec<u8>,
    shown: &mut Shown,
    secrets: &mut Secrets,
) {
    let server = Server::start(move |request: &Raw| match &request.whole {
        whole if tokens && whole.starts_with("PUT ") => super::answer("200 OK", "", METADATA_TOKEN),
        whole if tokens && whole.contains("/id-token/tokens ") => {
            let token = format!("{JSON}X-Subject-Token: {GIVEN_TOKEN}\r\n");
            let body = json!({ "token": { "expires_at": "2999-01-02T03:04:05.000000Z" } });
            super::answer("201 Created", &token, &body.to_string())
        }
        _ => answer(request),
    })
    .await;
    let endpoint = server.endpoint();
    let directory = tempfile::tempdir().unwrap();
    let (ali, hw) = (directory.path().join("ali"), directory.path().join("hw"));
    for way in aliyun::ways(&aliyun::Services::at(&endpoint), &ali) {
        aliyun::use_way(name, &way, &endpoint, shown, secrets).await;
    }
    for way in huaweicloud::ways(&huaweicloud::Services::at(&endpoint), &hw) {
        huaweicloud::use_way(name, &way, [&endpoint, &endpoint], shown, secrets).await;
    }
    let received = server.learn(secrets);
    let url = format!("/{URL_SECRET}/key?code={URL_SECRET} ");
    let header = if tokens { METADATA_TOKEN } else { POD_TOKEN };
    for secret in [ID_TOKEN, POD_TOKEN, EXTERNAL_ID, &url, header] {
        assert!(received.contains(secret), "{name}: {secret} was not sent: {received}");
    }
}

/// What of a request is secret, and nothing else, so that no limit cuts it.
fn secret_parts(request: &Raw) -> String {
    let names = [
        "authorization",
        "x-auth-token",
        "x-metadata-token",
        "x-aliyun-ecs-metadata-token",
        "x-acs-security-token",
    ];
    let headers = request.headers.iter().filter(|(name, _)| names.contains(&name.as_str()));
    let headers: Vec<_> = headers.map(|(_, value)| value.as_str()).collect();
    let target = percent_decoded(&request.target);
    let known = [ID_TOKEN, POD_TOKEN, EXTERNAL_ID, SECURITY_TOKEN, GIVEN_TOKEN];
    let known: Vec<_> =
        known.into_iter().filter(|secret| target.contains(secret) || request.body.contains(secret)).collect();
    let target = if target.contains(URL_SECRET) { request.target.as_str() } else { "" };
    format!("{target} {} {}", known.join(" "), headers.join(" "))
}

#[test]
fn nothing_is_shown_of_a_request_that_a_service_of_credentials_echoes() {
    watched(async |shown, secrets| {
        let kinds: [Kind; 7] = [
            ("whole request", |request| {
                refusal("400 Bad Request", "InvalidParameter", &request.whole, "R-1")
            }),
            ("message", |request| refusal("403 Forbidden", "NoPermission", &secret_parts(request), "R-1")),
            ("code", |request| refusal("400 Bad Request", &secret_parts(request), "refused", "R-1")),
            ("request id", |request| refusal("400 Bad Request", "X", "refused", &secret_parts(request))),
            ("XML", |request| {
                let message = secret_parts(request).replace('&', "&amp;");
                let body = format!("<Error><Code>X</Code><Message>{message}</Message></Error>");
                answer("400 Bad Request", "Content-Type: text/xml\r\n", &body)
            }),
            ("HTML error", |request| {
                answer("502 Bad Gateway", "Content-Type: text/html\r\n", &format!("<p>{}", request.whole))
            }),
            ("IAM message", |request| {
                let body =
                    json!({ "error": { "code": 401, "message": secret_parts(request), "title": "x" } });
                answer("401 Unauthorized", JSON, &body.to_string())
            }),
        ];
        for (name, answer) in kinds {
            for tokens in [false, true] {
                against(name, tokens, answer, shown, secrets).await;
            }
        }
    });
}

/// A key in the words of every service, with this end.
fn key(end: &str) -> String {
    let (secret, token) = (TEMPORARY_SECRET, SECURITY_TOKEN);
    let ali = json!({ "AccessKeyId": "STS.x", "AccessKeySecret": secret, "SecurityToken": token, "Expiration": end });
    let hw = json!({ "access": "x", "secret": secret, "securitytoken": token, "expires_at": end });
    let sts = json!({
        "access_key_id": "x", "secret_access_key": secret, "security_token": token, "expiration": end,
    });
    let mut all = ali.clone();
    all["Code"] = json!("Success");
    all["Credentials"] = ali;
    all["credential"] = hw;
    all["credentials"] = sts;
    all.to_string()
}

#[test]
fn nothing_is_shown_of_keys_that_are_not_understood() {
    watched(async |shown, secrets| {
        let kinds: [Kind; 8] = [
            ("a key", |_| answer("200 OK", JSON, &key("2999-01-02T03:04:05Z"))),
            ("a key without an end", |_| answer("200 OK", JSON, &key(""))),
            ("a secret for an end", |_| answer("200 OK", JSON, &key(SECRET))),
            ("a key that is over", |_| answer("200 OK", JSON, &key("2001-01-02T03:04:05Z"))),
            ("half a key", |_| {
                let key = key("2999-01-02T03:04:05Z");
                answer("200 OK", JSON, &key[..key.len() / 2 + 20])
            }),
            ("a short key", |_| {
                let whole = answer("200 OK", JSON, &key("2999-01-02T03:04:05Z"));
                whole[..whole.len() - 30].into()
            }),
            ("secrets of another type", |_| {
                let of_text = format!("\"{TEMPORARY_SECRET}\"");
                let key = key("2999-01-02T03:04:05Z").replace(&of_text, &format!("[{of_text}]"));
                answer("200 OK", JSON, &key)
            }),
            ("a key in HTML", |_| {
                answer("200 OK", "Content-Type: text/html\r\n", &format!("<p>{}</p>", key(SECRET)))
            }),
        ];
        for (name, answer) in kinds {
            against(name, true, answer, shown, secrets).await;
        }
        // In place of tokens and names, too.
        for (name, answer) in &kinds[..2] {
            against(name, false, *answer, shown, secrets).await;
        }
    });
}

#[test]
fn nothing_is_shown_when_no_service_of_credentials_answers() {
    watched_with(&["record_callback_http::"], async |shown, secrets| {
        let (_socket, nobody) = unused();
        let nobody = format!("http://{nobody}");
        let directory = tempfile::tempdir().unwrap();
        let (ali, hw) = (directory.path().join("ali"), directory.path().join("hw"));
        for way in aliyun::ways(&aliyun::Services::at(&nobody), &ali) {
            aliyun::use_way("nobody", &way, &nobody, shown, secrets).await;
        }
        for way in huaweicloud::ways(&huaweicloud::Services::at(&nobody), &hw) {
            huaweicloud::use_way("nobody", &way, [&nobody, &nobody], shown, secrets).await;
        }
    });
}
