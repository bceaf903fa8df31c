//! Input: a config of a callback, of a provider or of a source, in TOML or JSON.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use record_callback::http::Env;
use record_callback::{
    AliyunConfig, CallbackSigning, HuaweicloudConfig, ProviderConfig, RecordCallbackConfig, SigningKey,
    SourceConfig,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A good signing key; it is put wherever a secret may be.
const CANARY: &str = "CaNaRyCaNaRyCaNaRyCaNaRyCaNaRy01";
/// Places that are tried one by one.
const MOST_PLACES: usize = 8;
const SECRET: [&str; 5] = ["secret", "security_token", "token", "password", "key"];

fuzz_target!(|input: &[u8]| {
    let Ok(text) = str::from_utf8(input) else { return };
    let trees = [serde_json::from_str::<Value>(text).ok(), toml::from_str::<Value>(text).ok()];
    read::<RecordCallbackConfig>(text).iter().for_each(callback);
    read::<ProviderConfig>(text).iter().for_each(provider);
    read::<SourceConfig>(text).iter().for_each(source);
    // Whoever wrote the canary knows it.
    for tree in trees.into_iter().flatten().filter(|_| !text.contains("CaNaRy")) {
        secrets(&tree);
    }
});

/// Reads `text` in either format, twice.
fn read<T: DeserializeOwned + Debug>(text: &str) -> Vec<T> {
    let read = || {
        let json = serde_json::from_str::<T>(text).map_err(|error| format!("{error} {error:?}"));
        let toml = toml::from_str::<T>(text).map_err(|error| format!("{error} {error:?}"));
        [json, toml]
    };
    let (once, again) = (read(), read());
    assert_eq!(format!("{once:?}"), format!("{again:?}"), "once so and once so");
    once.into_iter().flatten().collect()
}

fn callback(config: &RecordCallbackConfig) {
    let json = serde_json::to_string(&config.with_exposed_key()).unwrap();
    assert_eq!(serde_json::from_str::<RecordCallbackConfig>(&json).unwrap(), *config, "{json}");
    let toml = toml::to_string(&config.with_exposed_key()).unwrap();
    assert_eq!(toml::from_str::<RecordCallbackConfig>(&toml).unwrap(), *config, "{toml}");

    let mut builder = RecordCallbackConfig::builder(config.domain().as_str(), config.notify_url().as_str())
        .app(config.app().as_str())
        .events(config.events().clone());
    if let Some(url) = config.on_demand_url() {
        builder = builder.on_demand_url(url.as_str());
    }
    assert_eq!(builder.clone().signing(config.signing().clone()).build().unwrap(), *config);
    assert_eq!(config.clone().on_domain(config.domain().as_str()).unwrap(), *config);

    let Some(scheme) = config.signing().scheme() else { return };
    let key = SigningKey::new(CANARY).unwrap();
    let signed = builder.signing(CallbackSigning::with(scheme, key)).build().unwrap();
    let hidden = serde_json::to_string(&signed).unwrap();
    let shown = format!("{signed:?} {signed:#?} {:?} {hidden}", signed.with_exposed_key());
    assert!(!shown.contains("CaNaRy") || json.contains("CaNaRy"), "{shown}");
    let error = serde_json::from_str::<RecordCallbackConfig>(&hidden).unwrap_err();
    assert!(error.to_string().contains("was redacted"), "{error}");
}

fn provider(config: &ProviderConfig) {
    let place = config.place_in(Keys(CANARY));
    let (vendor, endpoint) = match config {
        ProviderConfig::Aliyun(AliyunConfig { endpoint, .. }) => ("aliyun ", endpoint),
        ProviderConfig::Huaweicloud(HuaweicloudConfig { endpoint, .. }) => ("huaweicloud ", endpoint),
        _ => return,
    };
    assert!(place.starts_with(vendor), "{place}");
    if endpoint.as_deref().is_some_and(|endpoint| endpoint.contains("CaNaRy")) {
        return;
    }
    for address in [
        format!("https://user:{CANARY}@live.example.com"),
        format!("https://live.example.com?{CANARY}"),
        format!("https://live.example.com#{CANARY}"),
    ] {
        let mut config = config.clone();
        match &mut config {
            ProviderConfig::Aliyun(AliyunConfig { endpoint, .. })
            | ProviderConfig::Huaweicloud(HuaweicloudConfig { endpoint, .. }) => *endpoint = Some(address),
            _ => {}
        }
        let refused = config.connect_in(Keys(CANARY)).map(drop).unwrap_err();
        let shown = format!("{config:?} {refused} {refused:?}");
        assert!(!shown.contains("CaNaRy"), "{shown}");
        let place = config.place_in(Keys(CANARY));
        assert!(!place.contains("CaNaRy"), "{place}");
    }
}

/// Has the same in every variable.
#[derive(Clone, Copy)]
struct Keys(&'static str);

impl Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

impl Env for Keys {
    fn var(&self, _name: &str) -> Option<String> {
        Some(self.0.to_owned())
    }
}

fn source(config: &SourceConfig) {
    let written = format!("{config:?}");
    for key in [CANARY, "CaNaRy", "CaNaRyCaNaRyCaNaRy-CaNaRy", ""] {
        let shown = match config.source_in("live", &Keys(key)) {
            Ok(source) => {
                assert_eq!(source.path(), config.path);
                assert_eq!(source.name(), "live");
                assert!(config.unsigned != (key == CANARY && !config.key_env.0.is_empty()));
                format!("{source:?}")
            }
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!shown.contains("CaNaRy") || written.contains("CaNaRy"), "{shown}");
    }
}

/// Puts the canary in each place of a secret, and looks for it in what is said.
fn secrets(tree: &Value) {
    let mut places = Vec::new();
    find(tree, &mut Vec::new(), &mut places);
    for place in places.into_iter().take(MOST_PLACES) {
        let mut tree = tree.clone();
        let value = place.iter().try_fold(&mut tree, |node, key| match node {
            Value::Object(table) => table.get_mut(key),
            Value::Array(items) => items.get_mut(key.parse::<usize>().ok()?),
            _ => None,
        });
        let Some(value) = value else { continue };
        *value = CANARY.into();
        let json = tree.to_string();
        let toml = toml::to_string(&tree).ok();
        shown::<RecordCallbackConfig>(&json, toml.as_deref());
        shown::<ProviderConfig>(&json, toml.as_deref());
        shown::<SourceConfig>(&json, toml.as_deref());
    }
}

fn shown<T: DeserializeOwned + Debug>(json: &str, toml: Option<&str>) {
    let from_json = match serde_json::from_str::<T>(json) {
        Ok(config) => format!("{config:?} {config:#?}"),
        Err(error) => format!("{error} {error:?}"),
    };
    // The rest of what the TOML parser says quotes the line, as documented.
    let from_toml = match toml.map(toml::from_str::<T>) {
        Some(Ok(config)) => format!("{config:?} {config:#?}"),
        Some(Err(error)) => error.message().to_owned(),
        None => String::new(),
    };
    assert!(!from_json.contains("CaNaRy"), "{from_json}\n{json}");
    assert!(!from_toml.contains("CaNaRy"), "{from_toml}\n{json}");
}

/// The texts in the place of a secret.
fn find(tree: &Value, path: &mut Vec<String>, places: &mut Vec<Vec<String>>) {
    let mut below = |key: String, value: &Value| {
        path.push(key);
        find(value, path, places);
        path.pop();
    };
    match tree {
        Value::Object(table) => table.iter().for_each(|(key, value)| below(key.clone(), value)),
        Value::Array(items) => items.iter().enumerate().for_each(|(i, value)| below(i.to_string(), value)),
        _ if path.last().is_some_and(|key| SECRET.contains(&key.as_str())) => places.push(path.clone()),
        _ => {}
    }
}
