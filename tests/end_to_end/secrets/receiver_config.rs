//! The configuration of a receiver: keys from variables and files, certificates.

use std::fs;

use record_callback::SourceConfig;
use record_callback::aliyun::AliyunCallbacks;
use record_callback::receiver::{MemorySink, Receiver, Source, Tls};
use record_callback_tests::Authority;

use super::receiving::policy;
use super::*;

#[test]
fn nothing_is_shown_by_tls() {
    let (mut shown, mut secrets) = (Shown::default(), Secrets::default());
    let [(cert, key), (_, other)] = [(); 2].map(|()| Authority::new().issue("localhost"));
    for pem in [&key, &other] {
        pem.lines()
            .filter(|line| !line.starts_with('-'))
            .for_each(|line| secrets.add("a line of a key", line));
    }
    let tls = Tls::from_pem(cert.as_bytes(), key.as_bytes()).unwrap();
    shown.debug("TLS", &tls);
    let broken = [key.replacen('M', "!", 1), key.replace("-----END", ""), key.replacen("MI", "MA", 1), other];
    for key in broken {
        shown.error("a key that cannot be", &Tls::from_pem(cert.as_bytes(), key.as_bytes()).unwrap_err());
        shown.error("a key that is refused", &tls.replace(cert.as_bytes(), key.as_bytes()).unwrap_err());
        shown.error("a key in place of a certificate", &tls.replace(key.as_bytes(), b"").unwrap_err());
    }
    shown.assert_hides(&secrets);
}

#[test]
fn nothing_is_shown_by_the_config_of_a_source() {
    let (mut shown, secrets) = (Shown::default(), canaries());
    let with = |rest: &str| {
        toml::from_str::<SourceConfig>(&format!(
            "vendor = 'aliyun'\npath = '/n'\nhost = 'cb.example.com'\n{rest}"
        ))
    };
    let signed = with("key_env = ['FIRST', 'SECOND']").unwrap();
    shown.debug("a source's config", &signed);
    let env = FixedEnv::from_iter([("FIRST", KEY), ("SECOND", OTHER_KEY)]);
    shown.debug("a source", &signed.source_in("live", &env).unwrap());
    let unsigned = with("key_env = 'FIRST'\nunsigned = true").unwrap();
    shown.error("a source that is signed and unsigned", &unsigned.source_in("live", &env).unwrap_err());
    for first in [
        String::new(),
        KEY[..12].to_owned(),
        KEY.repeat(5),
        format!("{KEY} {OTHER_KEY}"),
        format!("{KEY}\n{OTHER_KEY}"),
        format!("{KEY}é"),
        format!("\"{KEY}\""),
        webhook_secret(WEBHOOK_KEY),
    ] {
        for env in [
            FixedEnv::from_iter([("FIRST", first.as_str())]),
            FixedEnv::from_iter([("FIRST", first.as_str()), ("SECOND", KEY)]),
            FixedEnv::from_iter([("FIRST", KEY), ("SECOND", first.as_str())]),
        ] {
            shown.error("an odd key", &signed.source_in("live", &env).unwrap_err());
            shown.debug("an environment", &env);
        }
    }
    for field in ["scheme = 'hmac_sha256'", "host = ''"] {
        let config = json!({
            "vendor": "huaweicloud", "path": "/n", "key_env": "FIRST", "host": field.contains("host").then_some(""),
        });
        let foreign = match field {
            "host = ''" => serde_json::from_value::<SourceConfig>(config).unwrap(),
            _ => with(&format!("key_env = 'FIRST'\n{field}")).unwrap(),
        };
        shown.error("a foreign field", &foreign.source_in("live", &env).unwrap_err());
    }
    let directory = tempfile::tempdir().unwrap();
    let by_file = with("key_file = ['first', 'second']\nshares_keys_with = ['other']").unwrap();
    fs::write(directory.path().join("second"), OTHER_KEY).unwrap();
    for (content, is_key) in [
        (format!("{KEY}\n"), true),
        (KEY[..12].to_owned(), false),
        (format!("{KEY}\n\n"), false),
        (format!("{KEY}\n{OTHER_KEY}\n"), false),
        (format!("\"{KEY}\""), false),
        (KEY.repeat(500), false),
    ] {
        fs::write(directory.path().join("first"), content).unwrap();
        match by_file.source_from("live", &env, directory.path()) {
            Ok(source) => {
                assert!(is_key);
                shown.debug("a source with keys from files", &source);
                let callbacks = AliyunCallbacks::new("cb.example.com", policy(&[KEY, OTHER_KEY])).unwrap();
                let overlapping = Source::new("second", "/other", Arc::new(callbacks)).unwrap();
                let builder = Receiver::builder(Arc::new(MemorySink::new()));
                let built = builder.source(source.clone()).source(overlapping.clone()).build();
                shown.error("an overlap", &built.unwrap_err());
                let receiver = Receiver::builder(Arc::new(MemorySink::new())).source(overlapping.clone());
                let receiver = receiver.build().unwrap();
                let refused = receiver.replace_sources(vec![source, overlapping]);
                shown.error("an overlap that is refused later", &refused.unwrap_err());
                shown.debug("a receiver", &receiver);
            }
            Err(error) => {
                assert!(!is_key, "{error}");
                shown.error("an odd key in a file", &error);
            }
        }
    }
    // Where a key does not belong. (The TOML library shows the line, so `message` is what may be shown.)
    for rest in
        [format!("key = '{KEY}'"), format!("keys = ['{KEY}']"), format!("key_env = {{ FIRST = '{KEY}' }}")]
    {
        let refused = with(&rest).unwrap_err();
        shown.text("a key in a source's config", refused.message());
    }
    shown.assert_hides(&secrets);
}
