//! The explanation of a refused delivery, which has everything there is to know of it.

use record_callback::aliyun::AliyunCallbacks;
use record_callback::receiver::{Source, explain};
use record_callback::{Delivery, Hints, SignaturePolicy, SigningKey};
use record_callback_mock::{AliyunEvent, AliyunSender, HuaweicloudEvent, HuaweicloudSender, SignType};

use super::*;

#[test]
fn nothing_is_shown_by_explanations() {
    let (mut shown, mut secrets) = (Shown::default(), canaries());
    let policy = |key: &str| SignaturePolicy::signed([SigningKey::reported(key)]).unwrap();
    let source = |name: &str, key: &str| {
        let verifier = AliyunCallbacks::new("cb.example.com", policy(key)).unwrap();
        Source::new(name, format!("/{name}"), Arc::new(verifier)).unwrap()
    };
    let scheme = record_callback::SigningScheme::Md5;
    let huaweicloud = record_callback::huaweicloud::HuaweicloudCallbacks::new(scheme, policy(KEY));
    let huaweicloud = Source::new("huaweicloud", "/huaweicloud", Arc::new(huaweicloud)).unwrap();
    let sources = [source("a", KEY), source("b", OTHER_KEY), source("c", &format!("{KEY}\n")), huaweicloud];
    for key in [KEY, OTHER_KEY] {
        let sender = AliyunSender::new("http://cb.example.com/a").key(key);
        let of_aliyun = sender.prepare(&AliyunEvent::file("live.example.com", "app", "stream"));
        let sender =
            HuaweicloudSender::new("http://cb.example.com/a").key(key).sign_type(SignType::HmacSha256);
        let event = HuaweicloudEvent::record_file_complete("live.example.com", "app", "stream");
        for sent in [of_aliyun, sender.prepare(&event)] {
            let mut headers = HeaderMap::new();
            for (name, value) in &sent.headers {
                if name.eq_ignore_ascii_case("ali-live-signature") {
                    secrets.add("a signature", value);
                }
                headers.insert(*name, value.parse().unwrap());
            }
            let body: serde_json::Value = serde_json::from_str(&sent.body).unwrap();
            if let Some(signature) = body["auth_sign"].as_str() {
                secrets.add("a signature", signature);
            }
            let body = bytes::Bytes::from(sent.body);
            let delivery =
                Delivery { headers: &headers, body: &body, received_at: record_callback::Timestamp::now() };
            for name in ["a", "b", "c", "huaweicloud"] {
                let explanation = explain(&sources, name, &delivery, &["x.example.com".to_owned()]).unwrap();
                shown.debug("an explanation", &explanation);
                shown.text("an explanation", serde_json::to_string(&explanation).unwrap());
                for change in &explanation.one_change {
                    shown.text("a change", format!("{change}: {}", change.advice()));
                }
            }
        }
    }
    let hints = Hints { hosts: Vec::new(), keys: vec![("KEY".to_owned(), SigningKey::reported(KEY))] };
    shown.debug("hints", &hints);
    shown.assert_hides(&secrets);
}
