#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;

use record_callback_core::{AppSelector, CallbackUrl, Fidelity, Field};
use serde::de::IgnoredAny;

use super::problem::{ManifestProblems, Problems};
use super::read::{ManifestFile, ManifestFormat};
use super::render::Style;
use super::tree::{self, Node};
use super::{Declaration, Manifest, PerProvider, Settings};
use crate::name::Name;

/// One change to a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Another provider.
    Provider {
        /// Which callback.
        callback: Name,
        /// The new provider.
        provider: Name,
    },
    /// Another app.
    App {
        /// Which callback.
        callback: Name,
        /// The new app.
        app: PerProvider<AppSelector>,
    },
    /// Another fidelity.
    Fidelity {
        /// Which callback.
        callback: Name,
        /// The new fidelity.
        fidelity: Fidelity,
    },
}

impl Edit {
    /// The callback to change.
    pub fn callback(&self) -> &Name {
        match self {
            Self::Provider { callback, .. }
            | Self::App { callback, .. }
            | Self::Fidelity { callback, .. } => callback,
        }
    }

    fn key(&self) -> &'static str {
        match self {
            Self::Provider { .. } => "provider",
            Self::App { .. } => "app",
            Self::Fidelity { .. } => "fidelity",
        }
    }

    fn value(&self, style: Style<'_>) -> Option<String> {
        match self {
            Self::Provider { provider, .. } => style.value(provider),
            Self::App { app, .. } => style.value(app),
            Self::Fidelity { fidelity, .. } => style.value(fidelity),
        }
    }
}

/// Why a manifest was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The manifest has problems already.
    #[error(transparent)]
    Manifest(#[from] ManifestProblems),
    /// One change cannot be made.
    #[error("callback `{callback}` {problem}; change it by hand: {change}")]
    Callback {
        /// The callback to change or to add.
        callback: Name,
        /// What is in the way.
        problem: String,
        /// The change, as it is to be written; URLs without their query.
        change: String,
    },
}

impl Manifest {
    /// The manifest after `edits`. Those of a callback that it has not got change nothing.
    #[must_use]
    pub fn edited(&self, edits: &[Edit]) -> Self {
        let mut edited = self.clone();
        for edit in edits {
            let Some(callback) = edited.callbacks.get_mut(edit.callback()) else { continue };
            let settings = &mut callback.settings;
            match edit.clone() {
                Edit::Provider { provider, .. } => settings.provider = Some(provider),
                Edit::App { app, .. } => settings.app = Some(app),
                Edit::Fidelity { fidelity, .. } => settings.fidelity = Some(fidelity),
            }
        }
        edited
    }
}

/// Adds callbacks at the end of a manifest; the rest of the text stays as it is.
pub fn append_callbacks(
    text: &str,
    format: ManifestFormat,
    declarations: &[Declaration],
) -> Result<String, EditError> {
    let mut wanted = ManifestFile::<IgnoredAny>::parse(text, format)?.manifest;
    let present = wanted.callbacks.len();
    let [first, ..] = declarations else { return Ok(text.to_owned()) };
    let refuse = |declaration: &Declaration, problem: &str| EditError::Callback {
        callback: declaration.name.clone(),
        problem: problem.to_owned(),
        change: shown(declaration).and_then(|shown| Style::of(text, format).line(&shown)).unwrap_or_default(),
    };
    for declaration in declarations {
        if wanted.callbacks.insert(declaration.name.clone(), declaration.clone()).is_some() {
            return Err(refuse(declaration, "is there already"));
        }
    }
    let added = parse(text, format).and_then(|root| appended(text, format, &root, declarations));
    let added = added.ok_or_else(|| refuse(first, "or one after it cannot be written"))?;
    match ManifestFile::<IgnoredAny>::parse(&added, format) {
        Ok(read) if read.manifest == wanted => Ok(added),
        Ok(read) => {
            let is_off = |new: &&Declaration| read.manifest.callbacks.get(&new.name) != Some(*new);
            let culprit = declarations.iter().find(is_off).unwrap_or(first);
            Err(refuse(culprit, "would be read back differently"))
        }
        Err(problems) => {
            let mut indexed = declarations.iter().zip(present..);
            let culprit = indexed.find(|(new, index)| blames(&problems, *index, &new.name));
            let culprit = culprit.map_or(first, |(declaration, _)| declaration);
            Err(refuse(culprit, &format!("cannot be added: {problems}")))
        }
    }
}

/// A callback as messages show it: URLs without their query, which may hold a secret.
fn shown(declaration: &Declaration) -> Option<Declaration> {
    let mut shown = declaration.clone();
    let Settings { notify_url, on_demand_url, .. } = &mut shown.settings;
    for (field, urls) in [(Field::NotifyUrl, notify_url), (Field::OnDemandUrl, on_demand_url)] {
        let urls = match urls {
            None => Vec::new(),
            Some(PerProvider::Same(url)) => vec![url],
            Some(PerProvider::Each(urls)) => urls.values_mut().collect(),
        };
        for url in urls {
            *url = CallbackUrl::new(field, &url.without_query()).ok()?;
        }
    }
    Some(shown)
}

/// Makes `edits` in a manifest; comments and whatever they are not about stay as they are.
///
/// Of several edits of one value the last counts.
pub fn edit(text: &str, format: ManifestFormat, edits: &[Edit]) -> Result<String, EditError> {
    let wanted = ManifestFile::<IgnoredAny>::parse(text, format)?.manifest.edited(edits);
    let style = Style::of(text, format);
    let [first, ..] = edits else { return Ok(text.to_owned()) };
    let refuse = |edit: &Edit, problem: &str| EditError::Callback {
        callback: edit.callback().clone(),
        problem: problem.to_owned(),
        change: style.pair(edit.key(), &edit.value(style).unwrap_or_default()),
    };
    let root = parse(text, format);
    let places: BTreeMap<&str, (usize, &Node<'_>)> = root.iter().flat_map(callbacks).collect();
    let mut last = BTreeMap::new();
    for edit in edits {
        let place = places.get(edit.callback().as_str()).ok_or_else(|| refuse(edit, "is not there"))?;
        last.insert((place.0, edit.key()), (place.1, edit));
    }
    let mut patches = Vec::with_capacity(last.len());
    for (node, edit) in last.values() {
        let scattered = || refuse(edit, &format!("has its `{}` spread over several lines", edit.key()));
        patches.push(patch(style, node, edit).ok_or_else(scattered)?);
    }
    let edited = style.patched(patches);
    match ManifestFile::<IgnoredAny>::parse(&edited, format) {
        Ok(read) if read.manifest == wanted => Ok(edited),
        Ok(read) => {
            let of = |manifest: &Manifest, edit: &Edit| manifest.callbacks.get(edit.callback()).cloned();
            let is_off = |edit: &&Edit| of(&read.manifest, edit) != of(&wanted, edit);
            let culprit = edits.iter().find(is_off).unwrap_or(first);
            Err(refuse(culprit, "would be read back differently"))
        }
        Err(problems) => {
            let culprit = last.iter().find(|((i, _), (_, edit))| blames(&problems, *i, edit.callback()));
            let culprit = culprit.map_or(first, |(_, (_, edit))| edit);
            Err(refuse(culprit, &format!("cannot be changed so: {problems}")))
        }
    }
}

/// Whether a problem is about the callback, or names it.
fn blames(problems: &ManifestProblems, index: usize, name: &Name) -> bool {
    let (path, name) = (format!("callbacks[{index}]"), format!("`{name}`"));
    problems
        .problems()
        .iter()
        .any(|problem| problem.path.starts_with(&path) || problem.message.contains(&name))
}

/// The tree of a manifest that has been read before.
fn parse(text: &str, format: ManifestFormat) -> Option<Node<'_>> {
    tree::parse(text, format, &mut Problems::new(text))
}

/// The callbacks by name, each with its index.
fn callbacks<'n>(root: &'n Node<'_>) -> Vec<(&'n str, (usize, &'n Node<'n>))> {
    let items = root.entry("callbacks").and_then(|entry| entry.value.as_array()).unwrap_or_default();
    let named = |(i, item): (usize, &'n Node<'_>)| Some((item.entry("name")?.value.as_str()?, (i, item)));
    items.iter().enumerate().filter_map(named).collect()
}

type Patch = (Range<usize>, String);

/// The change to the text of `callback`; none if the value is a TOML table under a header or of dotted keys.
fn patch(style: Style<'_>, callback: &Node<'_>, edit: &Edit) -> Option<Patch> {
    let new = edit.value(style)?;
    if let Some(old) = callback.entry(edit.key()) {
        let is_whole = old.value.as_str().is_some() || style.starts_with(old.value.span.start, "{");
        return is_whole.then(|| (old.value.span.clone(), new));
    }
    let name = callback.entry("name")?;
    let (indent, new) = (style.indent(name.key_span.start), style.pair(edit.key(), &new));
    if is_block(style, callback) {
        // Behind a comment, which belongs to the name.
        let end = style.line_end(name.value.span.end);
        return Some((end..end, style.gap(indent.or(Some(""))) + &new));
    }
    let end = name.value.span.end;
    Some((end..end, format!(",{}{new}", style.gap(indent))))
}

/// Whether a callback is under a TOML header.
fn is_block(style: Style<'_>, callback: &Node<'_>) -> bool {
    style.starts_with(callback.span.start, "[[")
}

/// The text with callbacks added.
fn appended(
    text: &str,
    format: ManifestFormat,
    root: &Node<'_>,
    callbacks: &[Declaration],
) -> Option<String> {
    let style = Style::of(text, format);
    let present = root.entry("callbacks");
    let items = present.and_then(|entry| entry.value.as_array());
    let blocks = match items {
        None => format == ManifestFormat::Toml,
        Some(items) => items.last().is_some_and(|last| is_block(style, last)),
    };
    if blocks {
        return style.with_blocks(callbacks);
    }
    let patch = match (present, items.and_then(<[_]>::last), root.last_entry()) {
        (_, Some(last), _) => {
            let indent = style.indent(last.span.start);
            let item = |callback| Some(format!(",{}{}", style.gap(indent), style.item(callback, indent)?));
            let items: Option<String> = callbacks.iter().map(item).collect();
            (last.span.end..last.span.end, items?)
        }
        (Some(empty), None, _) => {
            let span = empty.value.span.clone();
            let array = style.array(callbacks, style.indent(empty.key_span.start))?;
            match text.get(span.start + 1..span.end - 1)?.trim() {
                "" => (span, array),
                // Comments.
                _ => (span.start + 1..span.start + 1, array.get(1..array.len() - 1)?.trim_end().to_owned()),
            }
        }
        (None, None, Some(before)) => {
            let (indent, end) = (style.indent(before.key_span.start), before.value.span.end);
            let array = style.pair("callbacks", &style.array(callbacks, indent)?);
            (end..end, format!(",{}{array}", style.gap(indent)))
        }
        (None, None, None) => {
            let array = style.pair("callbacks", &style.array(callbacks, Some("  "))?);
            let span = root.span.clone();
            (span, format!("{{{}{array}{}}}", style.gap(Some("  ")), style.gap(Some(""))))
        }
    };
    Some(style.patched(vec![patch]))
}
