//! Small manifests: few names, places and values, so that they often meet.

use std::collections::BTreeSet;
use std::fmt::Write;

use record_callback_core::{CallbackSigning, Field, InvalidConfig, RecordCallbackConfig, SigningKey};
use record_callback_fleet::{KeyReference, KeySource, Manifest, ManifestFile, ManifestFormat};
use serde::de::IgnoredAny;

/// `narrow` has no named apps and no ids, `hiding` never shows keys, `full` can do all.
pub(crate) const PROVIDERS: [&str; 3] = ["full", "hiding", NARROW];
pub(crate) const NARROW: &str = "narrow";
const DOMAINS: usize = 3;
const APPS: [&str; 3] = ["*", "live", "vod"];
const EVENTS: [&str; 3] = [
    "'file_completed'",
    "'file_completed', 'recording_failed', 'recording_paused', 'recording_resumed'",
    "'file_completed', 'file_started'",
];
const SCHEMES: [&str; 2] = ["md5", "hmac_sha256"];
/// The last of which there is none.
pub(crate) const KEYS: [&str; 3] = ["KEY_A", "KEY_B", "KEY_MISSING"];

/// One entry of a manifest, as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) name: usize,
    pub(crate) provider: usize,
    pub(crate) domain: usize,
    pub(crate) app: usize,
    pub(crate) url: usize,
    pub(crate) events: usize,
    pub(crate) on_demand: bool,
    /// The scheme and the key.
    pub(crate) signing: Option<(usize, usize)>,
    pub(crate) exact: bool,
}

/// The domain is another one on each provider.
pub(crate) fn domain(domain: usize, provider: usize) -> String {
    format!("d{}.example.com", (domain + provider) % DOMAINS)
}

pub(crate) fn app(app: usize) -> &'static str {
    APPS[app % APPS.len()]
}

/// The manifest of what fits together: a wish whose name or place is taken is left out.
pub(crate) fn manifest(wishes: &[Wish]) -> Manifest {
    let mut toml = PROVIDERS.map(|name| format!("[providers.{name}]\n")).concat();
    let (mut names, mut places) = (BTreeSet::new(), BTreeSet::new());
    for wish in wishes {
        if names.contains(&wish.name) || !places.insert((wish.provider, wish.domain, app(wish.app))) {
            continue;
        }
        names.insert(wish.name);
        declare(&mut toml, wish).unwrap();
    }
    ManifestFile::<IgnoredAny>::parse(&toml, ManifestFormat::Toml).unwrap().manifest
}

fn declare(toml: &mut String, wish: &Wish) -> std::fmt::Result {
    let Wish { name, provider, url, .. } = *wish;
    let domains: Vec<_> =
        (0..PROVIDERS.len()).map(|i| format!("{} = '{}'", PROVIDERS[i], domain(wish.domain, i))).collect();
    writeln!(toml, "[[callbacks]]\nname = 'c{name}'\nprovider = '{}'", PROVIDERS[provider])?;
    writeln!(toml, "domain = {{ {} }}\napp = '{}'", domains.join(", "), app(wish.app))?;
    writeln!(toml, "notify_url = 'https://cb.example.com/{url}?q=1'\nevents = [{}]", EVENTS[wish.events])?;
    if wish.on_demand {
        writeln!(toml, "on_demand_url = 'https://od.example.com'")?;
    }
    if let Some((scheme, key)) = wish.signing {
        let (scheme, key) = (SCHEMES[scheme], KEYS[key]);
        writeln!(toml, "signing = {{ scheme = '{scheme}', key = {{ env = '{key}' }} }}")?;
    }
    writeln!(toml, "fidelity = '{}'", if wish.exact { "exact" } else { "best-effort" })
}

/// Keys that are all changed at once when the version is. Each of them contains this text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Secrets(pub(crate) usize);

pub(crate) const SECRET: &str = "s3cr3t";

impl KeySource for Secrets {
    fn key(&self, reference: &KeyReference) -> Result<SigningKey, InvalidConfig> {
        match reference {
            KeyReference::Env(name) if name != KEYS[2] => {
                let letter = name.chars().last().unwrap_or_default();
                SigningKey::new(format!("{SECRET}{letter}{:025}", self.0))
            }
            _ => Err(InvalidConfig::new(Field::SigningKey, "is not set", "a variable that is set")),
        }
    }
}

pub(crate) fn with_another_key(config: &RecordCallbackConfig) -> RecordCallbackConfig {
    let key = || SigningKey::new("0".repeat(32)).unwrap();
    let signing = config.signing().scheme().map(|scheme| CallbackSigning::with(scheme, key()));
    signed(config, signing.unwrap_or_default())
}

fn signed(config: &RecordCallbackConfig, signing: CallbackSigning) -> RecordCallbackConfig {
    let mut builder = RecordCallbackConfig::builder(config.domain().as_str(), config.notify_url().as_str())
        .app(config.app().as_str())
        .events(config.events().clone())
        .signing(signing);
    if let Some(url) = config.on_demand_url() {
        builder = builder.on_demand_url(url.as_str());
    }
    builder.build().unwrap()
}

/// Whether `there` does for a callback what `wanted` would: who wants no signature does not mind one.
pub(crate) fn serves(there: &RecordCallbackConfig, wanted: &RecordCallbackConfig) -> bool {
    there == wanted || wanted.signing().key().is_none() && signed(there, CallbackSigning::Disabled) == *wanted
}
