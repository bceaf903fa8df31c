//! Input: the letter of an operation and answers; or, after a `0`, the words of a JSON error.
#![no_main]

use std::sync::LazyLock;

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use record_callback::SigningScheme;
use record_callback::http::Quotas;
use record_callback::huaweicloud::{HuaweicloudClient, HuaweicloudProvider};
use record_callback_fuzz::{Cloud, Scripted, check_words, credentials, once, operate};
use serde_json::{Value, json};

/// Where messages begin to repeat the request.
const ECHO: &str = "canonicalRequest";
const NAMES: [(&str, &str); 3] =
    [("error_code", "error_msg"), ("errorCode", "errorMsg"), ("code", "message")];

static CLOUD: LazyLock<(Cloud, HuaweicloudClient)> = LazyLock::new(|| {
    let cloud = Cloud::start();
    let client = HuaweicloudClient::builder()
        .endpoint(cloud.endpoint())
        .project_id("project")
        .credentials(credentials())
        .quotas(Quotas::unlimited())
        .retry(once());
    (cloud, client.build().unwrap())
});

fuzz_target!(|input: &[u8]| match input {
    [b'0', words @ ..] => {
        if let Ok(words) = Words::arbitrary(&mut Unstructured::new(words)) {
            json_error(&words);
        }
    }
    // An id by itself; otherwise it comes from a list.
    [b's', answers @ ..] => {
        let (cloud, client) = &*CLOUD;
        let answers = Scripted::read_all(answers);
        let (shown, given) = cloud.call(answers, client.show_record_callback_config("id-1"));
        assert!(shown.is_err() || given.iter().all(Scripted::is_success), "an error is no config");
    }
    input => {
        let (cloud, client) = &*CLOUD;
        let provider = HuaweicloudProvider::new(client.clone());
        operate(cloud, &provider, SigningScheme::HmacSha256, input);
    }
});

#[derive(Debug, Arbitrary)]
struct Words {
    code: String,
    message: String,
    request_id: Option<String>,
    names: u8,
    /// Objects around it.
    depth: u8,
    is_server: bool,
}

fn json_error(words: &Words) {
    let Words { code, message, request_id, .. } = words;
    let (code_name, message_name) = NAMES[usize::from(words.names) % NAMES.len()];
    let mut body = json!({ code_name: code, message_name: message, "future": [1, null] });
    if let Some(id) = request_id {
        body["request_id"] = Value::from(id.as_str());
    }
    for _ in 0..words.depth % 8 {
        body = json!({ "error": body, "title": "not this one" });
    }
    let answer = Scripted {
        status: if words.is_server { 500 } else { 400 },
        body: body.to_string().replace('~', "~~").into_bytes(),
        ..Scripted::default()
    };
    let (cloud, client) = &*CLOUD;
    let error = cloud.call(vec![answer], client.show_record_callback_config("id-1")).0.unwrap_err();
    check_words(&error, ECHO, code, message, request_id.as_deref());
}
