//! What a fleet is to look like: declared, checked, and resolved to configs.

mod key;
mod problem;
mod provider;
mod read;
mod render;
mod schema;
#[cfg(test)]
mod tests;
mod tree;
mod values;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use record_callback_core::{
    AppSelector, CallbackKey, CallbackSigning, CallbackUrl, DomainName, EventSet, Fidelity, Field,
    InvalidConfig, RecordCallbackConfig, SigningScheme,
};
use schemars::JsonSchema;
use serde::Serialize;

pub use key::{KeyReference, KeySource, Keys};
pub use problem::{ManifestProblem, ManifestProblems};
pub use read::{ManifestFile, ManifestFormat};
pub use schema::schema;
pub use write::{Edit, EditError, append_callbacks, edit};

use schema::{EventText, FidelityText, UrlText};

use crate::name::Name;
use crate::slot::Slot;

/// The callbacks a manifest declares, checked: names and places are there once, providers exist.
///
/// [`ManifestFile::parse`] reads one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Manifest {
    pub(crate) providers: BTreeSet<Name>,
    pub(crate) defaults: Settings,
    pub(crate) callbacks: BTreeMap<Name, Declaration>,
}

/// One `[[callbacks]]` entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Declaration {
    /// What it is called, in plans and in the state.
    pub name: Name,
    /// The streaming domain on Aliyun, the ingest domain on Huawei Cloud.
    #[schemars(with = "PerProvider<String>")]
    pub domain: PerProvider<DomainName>,
    /// The rest, which `[defaults]` may set too.
    #[serde(flatten)]
    pub settings: Settings,
}

/// What both `[[callbacks]]` and `[defaults]` can set; what a callback leaves out the defaults say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Settings {
    /// The provider that has the callback.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Name", default)]
    pub provider: Option<Name>,
    /// Default: `*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PerProvider<String>", default)]
    pub app: Option<PerProvider<AppSelector>>,
    /// Where events are sent; a callback needs one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PerProvider<UrlText>", default)]
    pub notify_url: Option<PerProvider<CallbackUrl>>,
    /// Who is asked before recording. Default: nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PerProvider<UrlText>", default)]
    pub on_demand_url: Option<PerProvider<CallbackUrl>>,
    /// Default: `file_completed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PerProvider<Vec<EventText>>", default)]
    pub events: Option<PerProvider<EventSet>>,
    /// Default: callbacks are not signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SigningDeclaration", default)]
    pub signing: Option<SigningDeclaration>,
    /// How far the cloud may stray from this. Default: `exact`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "FidelityText", default)]
    pub fidelity: Option<Fidelity>,
    /// Its config is never deleted, also when the callback moves or is not declared any more. Default: `false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool", default)]
    pub protect: Option<bool>,
}

/// One value, or one for each provider by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "PerProvider_{T}")]
pub enum PerProvider<T> {
    /// The same whichever provider has the callback.
    Same(T),
    /// By provider.
    Each(BTreeMap<Name, T>),
}

impl<T> PerProvider<T> {
    /// The value on `provider`, if it is said.
    pub fn on(&self, provider: &Name) -> Option<&T> {
        match self {
            Self::Same(value) => Some(value),
            Self::Each(values) => values.get(provider),
        }
    }
}

/// Whether and how callbacks are signed. The key itself is never in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SigningDeclaration {
    /// The scheme.
    pub scheme: PerProvider<Scheme>,
    /// Where the key is; needed unless the scheme is `disabled` everywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "KeyReference", default)]
    pub key: Option<KeyReference>,
}

/// A signing scheme as manifests write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// Callbacks are not signed.
    Disabled,
    /// `md5`
    Md5,
    /// `hmac_sha256`
    HmacSha256,
}

impl Scheme {
    pub(crate) fn of(scheme: SigningScheme) -> Self {
        match scheme {
            SigningScheme::Md5 => Self::Md5,
            _ => Self::HmacSha256,
        }
    }

    fn signing(self) -> Option<SigningScheme> {
        match self {
            Self::Disabled => None,
            Self::Md5 => Some(SigningScheme::Md5),
            Self::HmacSha256 => Some(SigningScheme::HmacSha256),
        }
    }
}

/// What one callback is to be on one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The provider, as the manifest calls it.
    pub provider: Name,
    /// The config, with its signing key.
    pub config: RecordCallbackConfig,
    /// How far the cloud may stray from it.
    pub fidelity: Fidelity,
    /// True if it is never deleted.
    pub protect: bool,
}

impl Wanted {
    /// Where the config belongs.
    pub fn slot(&self) -> Slot {
        Slot { provider: self.provider.clone(), key: self.config.key() }
    }
}

impl Manifest {
    /// Names of the declared providers.
    pub fn providers(&self) -> &BTreeSet<Name> {
        &self.providers
    }

    /// The callbacks, by name.
    pub fn callbacks(&self) -> &BTreeMap<Name, Declaration> {
        &self.callbacks
    }

    /// The provider that has `callback`.
    pub fn provider_of<'a>(&'a self, callback: &'a Declaration) -> Option<&'a Name> {
        callback.settings.provider.as_ref().or(self.defaults.provider.as_ref())
    }

    /// Where `callback` belongs on `provider`, if its domain there is said.
    pub fn slot_on(&self, callback: &Declaration, provider: &Name) -> Option<Slot> {
        let domain = callback.domain.on(provider)?.clone();
        let app = self.setting(callback, provider, |settings| settings.app.as_ref());
        let app = app.cloned().unwrap_or_default();
        Some(Slot { provider: provider.clone(), key: CallbackKey::new(domain, app) })
    }

    /// Where `callback` belongs on the provider that has it.
    pub fn slot_of(&self, callback: &Declaration) -> Option<Slot> {
        self.slot_on(callback, self.provider_of(callback)?)
    }

    /// What `callback` is to be on `provider`, with keys from `keys`.
    pub fn wanted(
        &self,
        callback: &Declaration,
        provider: &Name,
        keys: &Keys,
    ) -> Result<Wanted, InvalidConfig> {
        let missing = |field: Field| {
            let problem = format!("has no value for provider `{provider}`");
            InvalidConfig::new(field, problem, "one value, or one for each provider that has the callback")
        };
        let slot = self.slot_on(callback, provider).ok_or_else(|| missing(Field::Domain))?;
        let notify_url = self.setting(callback, provider, |settings| settings.notify_url.as_ref());
        let notify_url = notify_url.ok_or_else(|| missing(Field::NotifyUrl))?;
        let mut builder = RecordCallbackConfig::builder(slot.key.domain.as_str(), notify_url.as_str())
            .app(slot.key.app.as_str())
            .signing(self.signing(callback, provider, keys)?);
        if let Some(url) = self.setting(callback, provider, |settings| settings.on_demand_url.as_ref()) {
            builder = builder.on_demand_url(url.as_str());
        }
        if let Some(events) = self.setting(callback, provider, |settings| settings.events.as_ref()) {
            builder = builder.events(events.clone());
        }
        let fidelity = self.fidelity_of(callback);
        let protect = self.is_protected(callback);
        Ok(Wanted { provider: slot.provider, config: builder.build()?, fidelity, protect })
    }

    /// How far clouds may stray from `callback`.
    pub fn fidelity_of(&self, callback: &Declaration) -> Fidelity {
        callback.settings.fidelity.or(self.defaults.fidelity).unwrap_or_default()
    }

    /// Returns true if the configs of `callback` are never deleted.
    pub fn is_protected(&self, callback: &Declaration) -> bool {
        callback.settings.protect.or(self.defaults.protect).unwrap_or_default()
    }

    /// The keys that the callbacks refer to, each asked of `source` once.
    pub fn keys(&self, source: &dyn KeySource) -> Keys {
        let declared = self.callbacks.values().map(|callback| &callback.settings).chain([&self.defaults]);
        Keys::resolve(
            declared.filter_map(|settings| settings.signing.as_ref()).filter_map(|s| s.key.as_ref()),
            source,
        )
    }

    fn signing(
        &self,
        callback: &Declaration,
        provider: &Name,
        keys: &Keys,
    ) -> Result<CallbackSigning, InvalidConfig> {
        let Some(declared) = callback.settings.signing.as_ref().or(self.defaults.signing.as_ref()) else {
            return Ok(CallbackSigning::Disabled);
        };
        let Some(scheme) = declared.scheme.on(provider) else {
            let problem = format!("has no scheme for provider `{provider}`");
            return Err(InvalidConfig::new(Field::Signing, problem, "one scheme, or one for each provider"));
        };
        match (scheme.signing(), &declared.key) {
            (None, _) => Ok(CallbackSigning::Disabled),
            (Some(scheme), Some(key)) => Ok(CallbackSigning::with(scheme, keys.get(key)?)),
            (Some(_), None) => {
                Err(InvalidConfig::new(Field::SigningKey, "is missing", "{ env = NAME } or { file = PATH }"))
            }
        }
    }

    /// A setting on `provider`: the callback's own, else the default.
    fn setting<'a, T>(
        &'a self,
        callback: &'a Declaration,
        provider: &Name,
        of: impl Fn(&'a Settings) -> Option<&'a PerProvider<T>>,
    ) -> Option<&'a T> {
        let said = |settings| of(settings).and_then(|values| values.on(provider));
        said(&callback.settings).or_else(|| said(&self.defaults))
    }
}
