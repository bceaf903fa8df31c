//! Input: a manifest, in TOML or JSON.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use record_callback::fleet::{
    Declaration, Edit, EditError, KeyReference, Keys, Manifest, ManifestFile, ManifestFormat,
    ManifestProblems, Name, PerProvider, Scheme, Settings, SigningDeclaration, append_callbacks, edit,
};
use record_callback::{CallbackUrl, DomainName, Fidelity, Field, InvalidConfig, ProviderConfig, SigningKey};
use serde_json::{Map, Value};

/// A good signing key; it is put wherever one may be.
const CANARY: &str = "CaNaRyCaNaRyCaNaRyCaNaRyCaNaRy01";
/// Places that are tried one by one.
const MOST_PLACES: usize = 12;
const FORMATS: [ManifestFormat; 2] = [ManifestFormat::Toml, ManifestFormat::Json];
/// A name, and the domain below it, that no manifest has.
const NEW: &str = "new-of-fuzz";

type File = ManifestFile<ProviderConfig>;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = str::from_utf8(input) else { return };
    for format in FORMATS {
        let read = parse(text, format);
        if let Ok(file) = &read {
            keys(&file.manifest);
            edits(text, format, &file.manifest);
        }
        let tree = match format {
            ManifestFormat::Toml => toml::from_str(text).ok().filter(is_json),
            ManifestFormat::Json => serde_json::from_str(text).ok(),
        };
        // Whoever wrote the canary knows it.
        let Some(tree) = tree.filter(|_| !text.contains("CaNaRy")) else { continue };
        if let Ok(file) = &read {
            rewritten(&tree, &file.manifest);
        }
        secrets(&tree);
    }
});

/// Whether JSON has all of it: no dates, no numbers beyond all bounds.
fn is_json(tree: &Value) -> bool {
    match tree {
        Value::Null => false,
        Value::Array(items) => items.iter().all(is_json),
        Value::Object(table) => {
            table.iter().all(|(key, value)| key != "$__toml_private_datetime" && is_json(value))
        }
        _ => true,
    }
}

/// Reads a manifest, twice, and checks what is wrong with it.
fn parse(text: &str, format: ManifestFormat) -> Result<File, ManifestProblems> {
    let (read, again) = (File::parse(text, format), File::parse(text, format));
    match (&read, again) {
        (Ok(read), Ok(again)) => {
            assert_eq!(read.manifest, again.manifest);
            assert_eq!(format!("{read:?}"), format!("{again:?}"));
            assert!(read.providers.keys().eq(read.manifest.providers()));
        }
        (Err(problems), Err(again)) => {
            assert_eq!(*problems, again);
            check(text, problems);
        }
        (_, again) => panic!("once so and once so: {again:?}"),
    }
    read
}

fn check(text: &str, problems: &ManifestProblems) {
    let found = problems.problems();
    assert!(!found.is_empty());
    assert!(found.is_sorted_by_key(|problem| (problem.line, problem.column)), "{problems}");
    let lines: Vec<_> = text.split('\n').collect();
    for problem in found {
        let line = problem.line.checked_sub(1).and_then(|line| lines.get(line));
        let length = line.unwrap_or_else(|| panic!("{problem} of {}", lines.len())).chars().count();
        assert!((1..=length + 1).contains(&problem.column), "{problem} of {length}");
        assert!(!problem.message.is_empty());
    }
    assert_eq!(problems.to_string().lines().count(), found.len(), "one line each: {problems}");
    assert!(!problems.to_string().contains(|c: char| c.is_control() && c != '\n'), "{problems:?}");
}

fn keys(manifest: &Manifest) {
    let source = |reference: &KeyReference| match reference {
        KeyReference::Env(_) => SigningKey::new(CANARY),
        KeyReference::File(_) => SigningKey::new(format!("{CANARY}-")),
    };
    let known = manifest.keys(&source);
    for callback in manifest.callbacks().values() {
        let provider = manifest.provider_of(callback).unwrap();
        let slot = manifest.slot_of(callback).unwrap();
        let shown = match manifest.wanted(callback, provider, &known) {
            Ok(wanted) => {
                assert_eq!(wanted.slot(), slot);
                assert_eq!(wanted.fidelity, manifest.fidelity_of(callback));
                let json = serde_json::to_string(&wanted.config).unwrap();
                format!("{wanted:?} {json}")
            }
            Err(error) => {
                assert_eq!(error.field(), Field::SigningKey.as_str(), "the rest was checked: {error}");
                format!("{error} {error:?}")
            }
        };
        assert!(!shown.contains(CANARY), "{shown}");
        for provider in manifest.providers() {
            let _: Result<_, InvalidConfig> = manifest.wanted(callback, provider, &Keys::default());
        }
    }
    assert!(!format!("{known:?}").contains(CANARY));
}

/// The text without what does not count.
fn dense(text: &str) -> String {
    text.split_whitespace().collect()
}

/// Nothing of `text` is gone from `longer`, but for whitespace.
fn assert_kept(text: &str, longer: &str) {
    let (text, longer) = (dense(text), dense(longer));
    let same = |(a, b): &(u8, u8)| a == b;
    let before = text.bytes().zip(longer.bytes()).take_while(same).count();
    let after = text.bytes().rev().zip(longer.bytes().rev()).take_while(same).count();
    assert!(before + after >= text.len(), "{text}\n{longer}");
}

fn edits(text: &str, format: ManifestFormat, manifest: &Manifest) {
    assert_eq!(append_callbacks(text, format, &[]).as_deref(), Ok(text));
    assert_eq!(edit(text, format, &[]).as_deref(), Ok(text));
    if let Some(provider) = manifest.providers().first()
        && !text.contains(NEW)
    {
        let url = CallbackUrl::new(Field::NotifyUrl, "https://cb.example.com/\"'\\?a=b").unwrap();
        let (scheme, key) = (PerProvider::Same(Scheme::Md5), Some(KeyReference::File("a\"'\\ b".into())));
        let signing = SigningDeclaration { scheme, key };
        let settings = Settings {
            provider: Some(provider.clone()),
            app: Some(PerProvider::Same("a\"'\\#直播".parse().unwrap())),
            notify_url: Some(PerProvider::Each(BTreeMap::from([(provider.clone(), url)]))),
            signing: Some(signing),
            ..Settings::default()
        };
        let domain = DomainName::new(&format!("{NEW}.example.com")).unwrap();
        let name = Name::new(NEW).unwrap();
        let added = Declaration { name: name.clone(), domain: PerProvider::Same(domain), settings };
        let longer = append_callbacks(text, format, std::slice::from_ref(&added))
            .unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert_kept(text, &longer);
        let read = parse(&longer, format).unwrap().manifest;
        assert_eq!(read.callbacks().len(), manifest.callbacks().len() + 1);
        for (name, callback) in read.callbacks() {
            assert_eq!(manifest.callbacks().get(name).unwrap_or(&added), callback);
        }
        let twice = append_callbacks(&longer, format, &[added]);
        assert!(matches!(twice, Err(EditError::Callback { callback, .. }) if callback == name));
    }
    for callback in manifest.callbacks().keys() {
        let callback = callback.clone();
        let fidelity = Edit::Fidelity { callback: callback.clone(), fidelity: Fidelity::Widen };
        let app = PerProvider::Same("a\"'\\#直播".parse().unwrap());
        let app = Edit::App { callback: callback.clone(), app };
        let providers = manifest.providers().iter().cloned();
        let moves = providers.map(|provider| Edit::Provider { callback: callback.clone(), provider });
        for change in moves.chain([app, fidelity]) {
            let changes = [change];
            match edit(text, format, &changes) {
                Ok(edited) => {
                    let read = parse(&edited, format).unwrap().manifest;
                    assert_eq!(read, manifest.edited(&changes));
                    assert_eq!(edit(&edited, format, &changes), Ok(edited));
                }
                Err(error) => {
                    // Another place may be taken or not be there, a table may be scattered.
                    assert!(!matches!(changes[0], Edit::Fidelity { .. }), "{error}\n{text}");
                    assert!(!error.to_string().contains("read back differently"), "{error}\n{text}");
                }
            }
        }
    }
}

fn written(tree: &Value, format: ManifestFormat) -> Option<String> {
    match format {
        ManifestFormat::Toml => toml::to_string(tree).ok(),
        ManifestFormat::Json => serde_json::to_string(tree).ok(),
    }
}

/// The same in either format; and all callbacks anew, below what the manifest says besides.
fn rewritten(tree: &Value, manifest: &Manifest) {
    let mut without = tree.clone();
    without.as_object_mut().unwrap().remove("callbacks");
    let callbacks: Vec<_> = manifest.callbacks().values().cloned().collect();
    for format in FORMATS {
        // TOML has no null.
        let (Some(whole), Some(without)) = (written(tree, format), written(&without, format)) else {
            continue;
        };
        assert_eq!(parse(&whole, format).unwrap().manifest, *manifest, "{whole}");
        let longer = append_callbacks(&without, format, &callbacks);
        let longer = longer.unwrap_or_else(|error| panic!("{error}\n{without}"));
        assert_eq!(parse(&longer, format).unwrap().manifest, *manifest, "{longer}");
    }
}

/// Puts the canary in each place of a secret, and looks for it in what is said.
fn secrets(tree: &Value) {
    let mut places = Vec::new();
    find(tree, &mut Vec::new(), &mut places);
    for place in places.into_iter().take(MOST_PLACES) {
        let mut tree = tree.clone();
        let (last, parents) = place.split_last().unwrap();
        let parent = parents.iter().try_fold(&mut tree, |node, key| child(node, key));
        let Some(parent) = parent else { continue };
        match parent {
            // The key as a key, too.
            Value::Object(table) if last == "!" => drop(table.insert(CANARY.to_owned(), "x".into())),
            parent => {
                if let Some(value) = child(parent, last) {
                    *value = CANARY.into();
                }
            }
        }
        for format in FORMATS {
            let Some(text) = written(&tree, format) else { continue };
            let shown = match parse(&text, format) {
                Err(problems) => format!("{problems} {problems:?}"),
                // Where a key is may be told.
                Ok(_) if last == "env" || last == "file" => continue,
                Ok(file) if is_secret(last) => format!("{:?}", file.providers),
                Ok(_) => continue,
            };
            assert!(!shown.contains("CaNaRy"), "{place:?} {shown}\n{text}");
        }
    }
}

fn is_secret(key: &str) -> bool {
    ["secret", "security_token", "token", "password"].contains(&key)
}

fn child<'v>(node: &'v mut Value, key: &str) -> Option<&'v mut Value> {
    match node {
        Value::Object(table) => table.get_mut(key),
        Value::Array(items) => items.get_mut(key.parse::<usize>().ok()?),
        _ => None,
    }
}

/// The texts that nothing may quote: all of a provider's, and what is in the place of a key.
fn find(tree: &Value, path: &mut Vec<String>, places: &mut Vec<Vec<String>>) {
    let is_provider = path.len() > 2 && path[0] == "providers";
    let in_signing = path.iter().position(|key| key == "signing").filter(|_| path[0] != "providers");
    let in_signing =
        in_signing.filter(|at| *at == 1 && path[0] == "defaults" || *at == 2 && path[0] == "callbacks");
    let is_key =
        in_signing.is_some_and(|at| path.get(at + 1).is_some_and(|key| key == "key" || key == "scheme"));
    let mut below = |key: String, value: &Value| {
        path.push(key);
        find(value, path, places);
        path.pop();
    };
    match tree {
        Value::Object(table) => {
            let table: &Map<String, Value> = table;
            for (key, value) in table {
                below(key.clone(), value);
            }
            let is_place = in_signing.is_some_and(|at| path.len() == at + 1)
                || in_signing.is_some_and(|at| path.len() == at + 2 && path[at + 1] == "key");
            if is_place {
                places.push([&path[..], &["!".to_owned()]].concat());
            }
        }
        Value::Array(items) => {
            for (i, value) in items.iter().enumerate() {
                below(i.to_string(), value);
            }
        }
        _ if is_provider || is_key => places.push(path.clone()),
        _ => {}
    }
}
