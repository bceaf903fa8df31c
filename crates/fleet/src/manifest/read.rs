use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Place;
use std::path::Path as FilePath;

use record_callback_core::{DomainName, Field};
use serde::de::DeserializeOwned;

use super::problem::{ManifestProblems, Path, Problems, unknown_key};
use super::tree::{self, Node, Value};
use super::{Declaration, Manifest, PerProvider, Settings, provider};
use crate::name::Name;
use crate::slot::Slot;

/// The keys of the whole.
pub(super) const MANIFEST: [&str; 4] = ["$schema", "providers", "defaults", "callbacks"];
/// The keys of a callback; all but the first two may be defaults too.
pub(super) const CALLBACK: [&str; 10] = [
    "name",
    "domain",
    "provider",
    "app",
    "notify_url",
    "on_demand_url",
    "events",
    "signing",
    "fidelity",
    "protect",
];

/// How a manifest is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManifestFormat {
    /// TOML
    Toml,
    /// JSON of the same structure.
    Json,
}

impl ManifestFormat {
    /// JSON if the file is called so, else TOML.
    pub fn of_path(path: &FilePath) -> Self {
        let json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        if json { Self::Json } else { Self::Toml }
    }
}

/// A manifest as read, with what it says of each provider.
#[derive(Debug, Clone)]
pub struct ManifestFile<P> {
    /// The callbacks.
    pub manifest: Manifest,
    /// The providers, by name.
    pub providers: BTreeMap<Name, P>,
}

impl<P: DeserializeOwned> ManifestFile<P> {
    /// Reads a manifest, or says everything that is wrong with it.
    ///
    /// A byte order mark before it is skipped, as it is before every file.
    pub fn parse(text: &str, format: ManifestFormat) -> Result<Self, ManifestProblems> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = Reader { problems: Problems::new(text), manifest: Manifest::default() };
        let providers = tree::parse(text, format, &mut reader.problems).map(|root| reader.file(&root));
        reader.problems.finish()?;
        Ok(Self { manifest: reader.manifest, providers: providers.unwrap_or_default() })
    }
}

/// What could be read of a callback or of the defaults.
#[derive(Default)]
struct Draft {
    name: Option<Name>,
    domain: Option<PerProvider<DomainName>>,
    settings: Settings,
    /// Keys that are there but have a problem already.
    broken: Vec<&'static str>,
}

impl Draft {
    /// Whether `key` is there, but could not be read.
    fn unread(&self, key: &str) -> bool {
        self.broken.contains(&key)
    }
}

/// What is there once only, with its place in the text.
#[derive(Default)]
struct Seen {
    names: BTreeMap<Name, (usize, usize)>,
    slots: BTreeMap<Slot, (Name, usize)>,
}

pub(super) struct Reader<'t> {
    pub(super) problems: Problems<'t>,
    /// What has been read so far.
    pub(super) manifest: Manifest,
}

/// Puts what was read where it belongs, and says whether there was something.
fn put<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    *place = value;
    place.is_some()
}

impl Reader<'_> {
    fn file<P: DeserializeOwned>(&mut self, root: &Node<'_>) -> BTreeMap<Name, P> {
        let path = Path::Root;
        for entry in self.table(root, &path, "a table") {
            let path = path.key(&entry.key);
            if !MANIFEST.contains(&&*entry.key) {
                self.problems.add(entry.key_span.start, path, unknown_key(&entry.key, &MANIFEST));
            } else if entry.key == "$schema" && entry.value.as_str().is_none() {
                self.wrong_kind(&entry.value, &path, "a string");
            }
        }
        let mut providers = BTreeMap::new();
        if let Some(entry) = root.entry("providers") {
            self.providers(&entry.value, &path.key("providers"), &mut providers);
        }
        let mut defaults = Draft::default();
        if let Some(entry) = root.entry("defaults") {
            defaults = self.draft(&entry.value, &path.key("defaults"), &CALLBACK[2..]);
            self.manifest.defaults = std::mem::take(&mut defaults.settings);
        }
        if let Some(entry) = root.entry("callbacks") {
            self.callbacks(&entry.value, &path.key("callbacks"), &defaults);
        }
        providers
    }

    fn providers<P: DeserializeOwned>(
        &mut self,
        node: &Node<'_>,
        path: &Path<'_>,
        providers: &mut BTreeMap<Name, P>,
    ) {
        for entry in self.table(node, path, "a table with one for each provider") {
            let path = path.key(&entry.key);
            match Name::new(&entry.key) {
                Ok(name) => {
                    // Known even if what it says is wrong: what refers to it is right.
                    self.manifest.providers.insert(name.clone());
                    if !matches!(entry.value.value, Value::Table(_)) {
                        self.wrong_kind(&entry.value, &path, "a table");
                    } else if let Some(provider) = provider::read(&entry.value, &path, &mut self.problems) {
                        providers.insert(name, provider);
                    }
                }
                Err(refusal) => self.problems.refuse(entry.key_span.start, path, &refusal),
            }
        }
    }

    fn callbacks(&mut self, node: &Node<'_>, path: &Path<'_>, defaults: &Draft) {
        let Value::Array(items) = &node.value else {
            return self.wrong_kind(node, path, "an array of tables");
        };
        let mut seen = Seen::default();
        for (i, item) in items.iter().enumerate() {
            let path = path.index(i);
            if matches!(item.value, Value::Table(_)) {
                self.callback(item, i, &path, defaults, &mut seen);
            } else {
                self.wrong_kind(item, &path, "a table");
            }
        }
    }

    fn callback(
        &mut self,
        node: &Node<'_>,
        index: usize,
        path: &Path<'_>,
        defaults: &Draft,
        seen: &mut Seen,
    ) {
        let draft = self.draft(node, path, &CALLBACK);
        let provider = self.cross_check(node, path, &draft, defaults);
        let unread_app = draft.unread("app") || draft.settings.app.is_none() && defaults.unread("app");
        let Some(name) = draft.name else { return };
        let at = value_at(node, "name");
        let mut is_new = true;
        match seen.names.entry(name.clone()) {
            Place::Vacant(free) => drop(free.insert((index, at))),
            Place::Occupied(first) => {
                is_new = false;
                let (index, first) = *first.get();
                let line = self.problems.line(first);
                let problem = format!("`{name}` is the name of callbacks[{index}] on line {line} already");
                self.problems.break_rule(at, path.key("name"), &problem, "a name for each callback");
            }
        }
        let Some(domain) = draft.domain else { return };
        let callback = Declaration { name: name.clone(), domain, settings: draft.settings };
        let slot = provider.and_then(|provider| self.manifest.slot_on(&callback, &provider));
        if let Some(slot) = slot.filter(|_| !unread_app) {
            match seen.slots.entry(slot) {
                Place::Vacant(free) => drop(free.insert((name.clone(), at))),
                Place::Occupied(first) => {
                    let (other, first) = first.get();
                    let line = self.problems.line(*first);
                    let problem = format!("is for the provider, domain and app of `{other}` on line {line}");
                    self.problems.break_rule(at, path, &problem, "one callback for each of them");
                }
            }
        }
        if is_new {
            self.manifest.callbacks.insert(name, callback);
        }
    }

    /// Checks what depends on more than one value, where those could be read; returns the provider of the callback.
    fn cross_check(
        &mut self,
        node: &Node<'_>,
        path: &Path<'_>,
        draft: &Draft,
        defaults: &Draft,
    ) -> Option<Name> {
        let (own, default) = (&draft.settings, &self.manifest.defaults);
        for (key, is_there) in [("name", draft.name.is_some()), ("domain", draft.domain.is_some())] {
            if !is_there && !draft.unread(key) {
                let problem = "is missing";
                self.problems.break_rule(node.span.start, path.key(key), problem, "each callback has one");
            }
        }
        let is_missing = |key: &str, own: bool, default: bool| {
            !own && !default && !draft.unread(key) && !defaults.unread(key)
        };
        if is_missing("provider", own.provider.is_some(), default.provider.is_some()) {
            let (path, rule) = (path.key("provider"), "a provider, here or in [defaults]");
            self.problems.break_rule(node.span.start, path, "is missing", rule);
        }
        if draft.unread("provider") {
            return None;
        }
        let provider = own.provider.as_ref().or(default.provider.as_ref())?;
        if draft.domain.as_ref().is_some_and(|domain| domain.on(provider).is_none()) {
            let problem = format!("has none for provider `{provider}`");
            let rule = "one domain, or one for each provider that has the callback";
            self.problems.break_rule(value_at(node, "domain"), path.key("domain"), &problem, rule);
        }
        let says_url = |settings: &Settings| {
            settings.notify_url.as_ref().is_some_and(|urls| urls.on(provider).is_some())
        };
        if is_missing("notify_url", says_url(own), says_url(default)) {
            let problem = format!("has none for provider `{provider}`");
            let rule = "one URL, or one for each provider that has the callback, here or in [defaults]";
            self.problems.break_rule(value_at(node, "notify_url"), path.key("notify_url"), &problem, rule);
        }
        let signing = own.signing.as_ref().or(default.signing.as_ref().filter(|_| !draft.unread("signing")));
        if signing.is_some_and(|signing| signing.scheme.on(provider).is_none()) {
            let problem = format!("has no scheme for provider `{provider}`");
            let rule = "one scheme, or one for each provider that has the callback";
            self.problems.break_rule(value_at(node, "signing"), path.key("signing"), &problem, rule);
        }
        Some(provider.clone())
    }

    /// Reads a table that may have `keys`.
    fn draft(&mut self, node: &Node<'_>, path: &Path<'_>, keys: &'static [&'static str]) -> Draft {
        let mut draft = Draft::default();
        for entry in self.table(node, path, "a table") {
            let path = path.key(&entry.key);
            let Some(key) = keys.iter().find(|key| **key == entry.key) else {
                self.problems.add(entry.key_span.start, path, unknown_key(&entry.key, keys));
                continue;
            };
            let (value, settings) = (&entry.value, &mut draft.settings);
            let is_read = match *key {
                "name" => put(&mut draft.name, self.text(value, &path, Name::new)),
                "domain" => put(&mut draft.domain, self.texts(value, &path, DomainName::new)),
                "provider" => put(&mut settings.provider, self.provider(value, &path)),
                "app" => put(&mut settings.app, self.texts(value, &path, str::parse)),
                "notify_url" => put(&mut settings.notify_url, self.urls(Field::NotifyUrl, value, &path)),
                "on_demand_url" => {
                    put(&mut settings.on_demand_url, self.urls(Field::OnDemandUrl, value, &path))
                }
                "events" => put(&mut settings.events, self.per_provider(value, &path, Self::events)),
                "signing" => put(&mut settings.signing, self.signing(value, &path)),
                "fidelity" => put(&mut settings.fidelity, self.text(value, &path, str::parse)),
                _ => put(&mut settings.protect, self.switch(value, &path)),
            };
            if !is_read {
                draft.broken.push(key);
            }
        }
        draft
    }
}

/// The place of the value of `key`, else of the table.
fn value_at(table: &Node<'_>, key: &str) -> usize {
    table.entry(key).map_or(table.span.start, |entry| entry.value.span.start)
}
