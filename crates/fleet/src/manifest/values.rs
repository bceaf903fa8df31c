//! Reads the values of a manifest.

use std::collections::BTreeMap;

use record_callback_core::text::did_you_mean;
use record_callback_core::{CallbackUrl, EventKind, EventSet, Field, InvalidConfig};

use super::problem::{Path, listed, unknown_key};
use super::read::Reader;
use super::tree::{Entry, Node, Value};
use super::{KeyReference, PerProvider, Scheme, SigningDeclaration};
use crate::name::Name;

const KEY_RULE: &str =
    "keys are only by reference: `{ env = \"NAME\" }` or `{ file = \"PATH\" }`, never in the manifest";

/// Shorter than any signing key.
const LONGEST_WORD: usize = 12;

impl Reader<'_> {
    pub(super) fn signing(&mut self, node: &Node<'_>, path: &Path<'_>) -> Option<SigningDeclaration> {
        let (mut scheme, mut key) = (None, None);
        for entry in self.table(node, path, "a table with `scheme` and `key`") {
            match &*entry.key {
                "scheme" => scheme = self.per_provider(&entry.value, &path.key("scheme"), Self::scheme),
                "key" => key = self.key(&entry.value, &path.key("key")),
                _ => self.unknown_beside_key(entry, path, &["scheme", "key"]),
            }
        }
        let there = |key| node.entry(key).map(|entry| entry.value.span.start);
        if matches!(node.value, Value::Table(_)) && there("scheme").is_none() {
            let rule = "`disabled`, `md5` or `hmac_sha256`";
            self.problems.break_rule(node.span.start, path.key("scheme"), "is missing", rule);
        }
        let scheme = scheme?;
        let signs = match &scheme {
            PerProvider::Same(scheme) => scheme.signing().is_some(),
            PerProvider::Each(schemes) => schemes.values().any(|scheme| scheme.signing().is_some()),
        };
        match there("key") {
            None if signs => {
                self.problems.break_rule(node.span.start, path.key("key"), "is missing", KEY_RULE);
                return None;
            }
            Some(at) if !signs => {
                let problem = "is there, but nothing is signed";
                self.problems.break_rule(
                    at,
                    path.key("key"),
                    problem,
                    "no key where the scheme is `disabled`",
                );
                return None;
            }
            _ => {}
        }
        (key.is_some() || !signs).then_some(SigningDeclaration { scheme, key })
    }

    fn scheme(&mut self, node: &Node<'_>, path: &Path<'_>) -> Option<Scheme> {
        let schemes =
            [("disabled", Scheme::Disabled), ("md5", Scheme::Md5), ("hmac_sha256", Scheme::HmacSha256)];
        self.text(node, path, |text| {
            let known = || schemes.iter().map(|(name, _)| *name);
            let scheme = schemes.iter().find(|(name, _)| *name == text).map(|(_, scheme)| *scheme);
            // Not quoted: it may be the key, in the wrong place.
            let problem = || format!("is not a scheme{}", did_you_mean(text, known()));
            scheme
                .ok_or_else(|| InvalidConfig::new("scheme", problem(), format!("one of {}", listed(known()))))
        })
    }

    /// Reads where a key is. No problem quotes what is there: it may be the key itself.
    fn key(&mut self, node: &Node<'_>, path: &Path<'_>) -> Option<KeyReference> {
        let Value::Table(entries) = &node.value else {
            self.problems.break_rule(node.span.start, path, &format!("is {}", node.kind()), KEY_RULE);
            return None;
        };
        let [entry] = entries.as_slice() else {
            let problem = format!("has {} entries", entries.len());
            self.problems.break_rule(node.span.start, path, &problem, KEY_RULE);
            return None;
        };
        let parent = path;
        let path = path.key(&entry.key);
        let text = entry.value.as_str().filter(|text| !text.is_empty() && !text.contains(char::is_control));
        match (&*entry.key, text) {
            ("env", Some(name)) if !name.contains(|c: char| c == '=' || c.is_whitespace()) => {
                return Some(KeyReference::Env(name.to_owned()));
            }
            ("file", Some(path)) => return Some(KeyReference::File(path.into())),
            ("env", _) => {
                let rule = "the name of an environment variable: a string without whitespace or `=`";
                self.problems.break_rule(entry.value.span.start, path, "is not a name", rule);
            }
            ("file", _) => {
                let rule = "a path: a string without control characters";
                self.problems.break_rule(entry.value.span.start, path, "is not a path", rule);
            }
            _ => self.unknown_beside_key(entry, parent, &["env", "file"]),
        }
        None
    }

    /// Says that an entry of the table at `path` is unknown; what is too long for a word may be the key itself.
    fn unknown_beside_key(&mut self, entry: &Entry<'_>, path: &Path<'_>, known: &[&str]) {
        let message = unknown_key(&entry.key, known);
        if entry.key.len() > LONGEST_WORD {
            self.problems.add(entry.key_span.start, path.key("…"), message);
        } else {
            self.problems.add(entry.key_span.start, path.key(&entry.key), message);
        }
    }

    pub(super) fn events(&mut self, node: &Node<'_>, path: &Path<'_>) -> Option<EventSet> {
        let Value::Array(items) = &node.value else {
            self.wrong_kind(node, path, "an array of events, or one for each provider");
            return None;
        };
        if items.is_empty() {
            self.problems.break_rule(node.span.start, path, "is empty", "at least one event");
            return None;
        }
        let read = |(i, item)| self.text(item, &path.index(i), str::parse::<EventKind>);
        // All of them, for the problems, before any can end it.
        let events: Vec<_> = items.iter().enumerate().map(read).collect();
        events.into_iter().collect()
    }

    /// `true` or `false`.
    pub(super) fn switch(&mut self, node: &Node<'_>, path: &Path<'_>) -> Option<bool> {
        let Value::Bool(value) = node.value else {
            self.wrong_kind(node, path, "`true` or `false`");
            return None;
        };
        Some(value)
    }

    /// The name of a provider that the manifest has.
    pub(super) fn provider(&mut self, node: &Node<'_>, path: &Path<'_>) -> Option<Name> {
        let name = self.text(node, path, Name::new)?;
        self.known_provider(name, node.span.start, path)
    }

    fn known_provider(&mut self, name: Name, at: usize, path: &Path<'_>) -> Option<Name> {
        let known = &self.manifest.providers;
        if known.contains(&name) {
            return Some(name);
        }
        let hint = did_you_mean(name.as_str(), known.iter().map(Name::as_str));
        let problem = format!("`{name}` is not a provider of this manifest{hint}");
        let rule = format!("one of [providers]: {}", listed(known.iter().map(Name::as_str)));
        self.problems.break_rule(at, path, &problem, &rule);
        None
    }

    pub(super) fn texts<T>(
        &mut self,
        node: &Node<'_>,
        path: &Path<'_>,
        check: fn(&str) -> Result<T, InvalidConfig>,
    ) -> Option<PerProvider<T>> {
        self.per_provider(node, path, |reader, node, path| reader.text(node, path, check))
    }

    pub(super) fn urls(
        &mut self,
        field: Field,
        node: &Node<'_>,
        path: &Path<'_>,
    ) -> Option<PerProvider<CallbackUrl>> {
        let check = |text: &str| CallbackUrl::new(field, text);
        self.per_provider(node, path, |reader, node, path| reader.text(node, path, check))
    }

    /// One value, or a table with one for each provider.
    pub(super) fn per_provider<T>(
        &mut self,
        node: &Node<'_>,
        path: &Path<'_>,
        read: impl Fn(&mut Self, &Node<'_>, &Path<'_>) -> Option<T>,
    ) -> Option<PerProvider<T>> {
        let Value::Table(entries) = &node.value else {
            return read(self, node, path).map(PerProvider::Same);
        };
        if entries.is_empty() {
            let rule = "one value, or one for each provider";
            self.problems.break_rule(node.span.start, path, "is empty", rule);
        }
        let mut values = BTreeMap::new();
        for Entry { key, key_span, value } in entries {
            let path = path.key(key);
            let name = Name::new(key).map_err(|refusal| self.problems.refuse(key_span.start, path, &refusal));
            let name = name.ok().and_then(|name| self.known_provider(name, key_span.start, &path));
            if let (Some(value), Some(name)) = (read(self, value, &path), name) {
                values.insert(name, value);
            }
        }
        (!values.is_empty() && values.len() == entries.len()).then_some(PerProvider::Each(values))
    }

    pub(super) fn text<T>(
        &mut self,
        node: &Node<'_>,
        path: &Path<'_>,
        check: impl Fn(&str) -> Result<T, InvalidConfig>,
    ) -> Option<T> {
        let Some(text) = node.as_str() else {
            self.wrong_kind(node, path, "a string");
            return None;
        };
        check(text).map_err(|refusal| self.problems.refuse(node.span.start, path, &refusal)).ok()
    }

    /// The entries of a table; none, and a problem, if it is none.
    pub(super) fn table<'n, 't>(
        &mut self,
        node: &'n Node<'t>,
        path: &Path<'_>,
        rule: &str,
    ) -> &'n [Entry<'t>] {
        let Value::Table(entries) = &node.value else {
            self.wrong_kind(node, path, rule);
            return &[];
        };
        entries
    }

    pub(super) fn wrong_kind(&mut self, node: &Node<'_>, path: &Path<'_>, rule: &str) {
        self.problems.break_rule(node.span.start, path, &format!("is {}", node.kind()), rule);
    }
}
