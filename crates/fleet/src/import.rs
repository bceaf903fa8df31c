//! Taking over what is in the clouds already: into the state, and into the manifest where it is not declared.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use record_callback_core::{
    CallbackSigning, CallbackUrl, Capabilities, DomainName, Error, Fidelity, InvalidConfig,
    RecordCallbackConfig, SigningKey, StoredCallback, StoredKey,
};
use serde::Serialize;

use crate::manifest::{
    Declaration, KeyReference, Keys, Manifest, PerProvider, Scheme, Settings, SigningDeclaration,
};
use crate::name::Name;
use crate::observe::Clouds;
use crate::slot::Slot;
use crate::state::{OwnedConfig, Salt, Standing, State};

/// What to take over.
#[derive(Debug, Clone, Default)]
pub struct ImportRequest {
    /// The providers to look at; all of the manifest when empty.
    pub providers: BTreeSet<Name>,
    /// Only this domain.
    pub domain: Option<DomainName>,
    /// The key that signed configs have; where a cloud hides keys, this is believed.
    pub key: Option<(KeyReference, SigningKey)>,
    /// Where to put the keys that a cloud shows and `key` is not, a file for each.
    pub key_directory: Option<PathBuf>,
    /// Declares configs whose key is hidden, and for which no key is given, unsigned.
    pub hidden_is_unsigned: bool,
    /// The configs that other fleets own, as far as that is known, and in words whose they are: they are left alone.
    pub owned_elsewhere: BTreeMap<Slot, String>,
}

/// What is taken over. Nothing is, before it is noted and the manifest written.
#[derive(Debug, Clone, Default)]
pub struct Import {
    /// What is ours now, by callback.
    pub owned: Vec<(Name, OwnedConfig)>,
    /// The callbacks the manifest did not declare.
    pub added: Vec<Declaration>,
    /// The keys to be written to files the new callbacks refer to.
    pub keys: BTreeMap<PathBuf, SigningKey>,
    /// What is left alone.
    pub skipped: Vec<Skipped>,
}

/// A config that is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Where it is.
    #[serde(flatten)]
    pub slot: Slot,
    /// Why.
    pub reason: String,
    /// What to do about it.
    pub hint: String,
    /// True if it is another fleet's.
    #[serde(skip)]
    pub is_owned_elsewhere: bool,
}

/// Finds what is in the clouds and not ours. Only reads.
///
/// # Errors
/// What a cloud answered that cannot be listed.
pub async fn import(
    manifest: &Manifest,
    keys: &Keys,
    state: &State,
    clouds: &Clouds,
    request: &ImportRequest,
) -> Result<Import, Error> {
    let mut importer = Importer::new(manifest, keys, state, request);
    for (provider, cloud) in clouds.iter() {
        if request.providers.is_empty() || request.providers.contains(provider) {
            let mut found = cloud.list(request.domain.as_ref()).await?;
            found.sort_by(|one, other| one.key.cmp(&other.key));
            for stored in found {
                importer.take(provider, cloud.capabilities(), &stored);
            }
        }
    }
    Ok(importer.import)
}

struct Importer<'a> {
    manifest: &'a Manifest,
    keys: &'a Keys,
    salt: Salt,
    request: &'a ImportRequest,
    owned: BTreeMap<Slot, OwnedConfig>,
    declared: BTreeMap<Slot, &'a Declaration>,
    /// Of the manifest, and of what is added.
    names: BTreeSet<Name>,
    import: Import,
}

type Refusal = (String, &'static str);

impl<'a> Importer<'a> {
    fn new(manifest: &'a Manifest, keys: &'a Keys, state: &State, request: &'a ImportRequest) -> Self {
        let owned = state.configs().filter(|(_, config)| config.is_written());
        let declared = manifest
            .callbacks()
            .values()
            .filter_map(|callback| Some((manifest.slot_of(callback)?, callback)));
        Self {
            manifest,
            keys,
            salt: state.salt,
            request,
            owned: owned.map(|(_, config)| (config.slot.clone(), config.clone())).collect(),
            declared: declared.collect(),
            names: manifest.callbacks().keys().cloned().collect(),
            import: Import::default(),
        }
    }

    fn take(&mut self, provider: &Name, capabilities: &Capabilities, stored: &StoredCallback) {
        let slot = Slot { provider: provider.clone(), key: stored.key.clone() };
        if self.owned.get(&slot).is_some_and(|owned| !owned.is_replaced_by(stored)) {
            return;
        }
        if let Some(owner) = self.request.owned_elsewhere.get(&slot) {
            let reason = format!("it belongs to {owner}");
            let hint = "leave it there, or take it over with --take-over".to_owned();
            self.import.skipped.push(Skipped { slot, reason, hint, is_owned_elsewhere: true });
            return;
        }
        let taken = match self.declared.get(&slot) {
            Some(callback) => self.adopt(callback, &slot, stored),
            None => self.add(&slot, capabilities, stored),
        };
        if let Err((reason, hint)) = taken {
            let hint = hint.to_owned();
            self.import.skipped.push(Skipped { slot, reason, hint, is_owned_elsewhere: false });
        }
    }

    /// Takes over the config of a callback that is declared. What differs the next plan shows.
    fn adopt(&mut self, callback: &Declaration, slot: &Slot, stored: &StoredCallback) -> Result<(), Refusal> {
        let wanted = self.manifest.wanted(callback, &slot.provider, self.keys);
        let wanted = wanted.map_err(|problem| (problem.to_string(), MANIFEST))?;
        let signing = match (&stored.signing.key, stored.signing.scheme) {
            (StoredKey::Known(key), Some(scheme)) => CallbackSigning::with(scheme, key.clone()),
            (StoredKey::Hidden, _) => wanted.config.signing().clone(),
            _ => CallbackSigning::Disabled,
        };
        let config = stored.to_config(Some(signing)).map_err(|problem| invalid(&problem))?;
        let protect = self.manifest.is_protected(callback);
        self.own(callback.name.clone(), slot, stored, &config, protect);
        Ok(())
    }

    /// Declares a config as it is.
    fn add(
        &mut self,
        slot: &Slot,
        capabilities: &Capabilities,
        stored: &StoredCallback,
    ) -> Result<(), Refusal> {
        let name = self.free_name(slot)?;
        let (declared, signing) = self.signing(&name, stored)?;
        let config = stored.to_config(Some(signing)).map_err(|problem| invalid(&problem))?;
        // What cannot be written as it is would be blocked in every plan.
        let fits = capabilities.fit(&config, Fidelity::Exact);
        fits.map_err(|error| (error.message().to_owned(), "correct it in the cloud, or declare it by hand"))?;
        if self.manifest.defaults.on_demand_url.is_some() && config.on_demand_url().is_none() {
            let reason = "it has no on-demand URL, and the manifest's defaults give every callback one";
            return Err((reason.to_owned(), "move that default to the callbacks that need it"));
        }
        if let Some(KeyReference::File(path)) = declared.as_ref().and_then(|signing| signing.key.as_ref())
            && self.request.key.as_ref().is_none_or(|(given, _)| *given != KeyReference::File(path.clone()))
            && let Some(key) = config.signing().key()
        {
            self.import.keys.insert(path.clone(), key.clone());
        }
        let same = |url: &CallbackUrl| PerProvider::Same(url.clone());
        let settings = Settings {
            provider: Some(slot.provider.clone()),
            app: Some(PerProvider::Same(slot.key.app.clone())),
            notify_url: Some(same(config.notify_url())),
            on_demand_url: config.on_demand_url().map(same),
            events: Some(PerProvider::Same(config.events().clone())),
            signing: declared,
            fidelity: None,
            protect: None,
        };
        let protect = self.manifest.defaults.protect.unwrap_or_default();
        self.own(name.clone(), slot, stored, &config, protect);
        let domain = PerProvider::Same(slot.key.domain.clone());
        self.names.insert(name.clone());
        self.import.added.push(Declaration { name, domain, settings });
        Ok(())
    }

    fn own(
        &mut self,
        name: Name,
        slot: &Slot,
        stored: &StoredCallback,
        config: &RecordCallbackConfig,
        protect: bool,
    ) {
        let owned = OwnedConfig {
            slot: slot.clone(),
            id: stored.id.clone(),
            standing: Standing::Current,
            written: self.salt.of_config(config),
            earlier: Vec::new(),
            protect,
            ignored: Vec::new(),
        };
        self.import.owned.push((name, owned));
    }

    /// How the manifest says that a config is signed.
    fn signing(
        &self,
        name: &Name,
        stored: &StoredCallback,
    ) -> Result<(Option<SigningDeclaration>, CallbackSigning), Refusal> {
        let unsigned = || {
            let by_default = self.manifest.defaults.signing.is_some();
            let declared = by_default
                .then_some(SigningDeclaration { scheme: PerProvider::Same(Scheme::Disabled), key: None });
            (declared, CallbackSigning::Disabled)
        };
        let Some(scheme) = stored.signing.scheme else { return Ok(unsigned()) };
        let given = self.request.key.as_ref();
        let (reference, key) = match (&stored.signing.key, given, &self.request.key_directory) {
            (StoredKey::NotSet, ..) => return Ok(unsigned()),
            (StoredKey::Hidden, Some((reference, key)), _) => (reference.clone(), key.clone()),
            (StoredKey::Hidden, None, _) if self.request.hidden_is_unsigned => return Ok(unsigned()),
            (StoredKey::Hidden, None, _) => {
                let reason = format!("the cloud names {scheme} and hides whether there is a key, and which");
                return Err((
                    reason,
                    "say where the key is (--key-env, --key-file), or that there is none (--hidden-is-unsigned)",
                ));
            }
            (StoredKey::Known(stored), Some((reference, key)), _) if stored == key => {
                (reference.clone(), key.clone())
            }
            (StoredKey::Known(key), _, Some(directory)) => {
                (KeyReference::File(directory.join(key_file(name))), key.clone())
            }
            (StoredKey::Known(_), given, None) => {
                let which = if given.is_some() { "another key than the given one" } else { "a key" };
                return Err((
                    format!("it is signed with {which}"),
                    "say where the key is (--key-env, --key-file), or where to put keys (--key-directory)",
                ));
            }
        };
        let declared =
            SigningDeclaration { scheme: PerProvider::Same(Scheme::of(scheme)), key: Some(reference) };
        Ok((Some(declared), CallbackSigning::with(scheme, key)))
    }

    /// The domain, with the app where it is for one, and with the provider where that name is taken.
    fn free_name(&self, slot: &Slot) -> Result<Name, Refusal> {
        let app = slot.key.app.as_str();
        let domain = &slot.key.domain;
        let short = if app == "*" { domain.to_string() } else { format!("{domain}/{app}") };
        let long = format!("{short}@{}", slot.provider);
        for text in [short, long] {
            let name = Name::new(&text);
            let name =
                name.map_err(|problem| (problem.to_string(), "declare it by hand, with another name"))?;
            if !self.names.contains(&name) {
                return Ok(name);
            }
        }
        Err(("its name is taken by another callback of the manifest".to_owned(), "rename that one"))
    }
}

const MANIFEST: &str = "correct the manifest, or set what it refers to";

/// What the key file of a callback is called: another for every other name.
fn key_file(name: &Name) -> String {
    let mut file = String::new();
    for c in name.as_str().chars() {
        match c {
            '/' => file.push('+'),
            c if c.is_ascii_alphanumeric() || "._-@".contains(c) => file.push(c),
            c => file.extend(c.to_string().bytes().map(|byte| format!("%{byte:02x}"))),
        }
    }
    file + ".key"
}

fn invalid(problem: &InvalidConfig) -> Refusal {
    (problem.to_string(), "correct or delete it in the cloud")
}
