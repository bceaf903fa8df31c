use std::sync::Arc;

use record_callback_contract::MemoryProvider;
use record_callback_core::{InvalidConfig, RecordCallbackProvider, SigningKey};
use serde::de::IgnoredAny;

use super::*;
use crate::manifest::{KeyReference, KeySource, ManifestFile, ManifestFormat, edit};
use crate::observe::Clouds;

/// `full` keys by ingest domains, and so do `other` and `hiding`; `narrow` by streaming domains, all apps in one.
const HEAD: &str = r#"
[providers]
full = {}
other = {}
hiding = {}
narrow = {}
[defaults]
provider = "full"
notify_url = "https://cb.example.com/recorded"
"#;

#[derive(Debug)]
struct OneKey;

impl KeySource for OneKey {
    fn key(&self, reference: &KeyReference) -> Result<SigningKey, InvalidConfig> {
        match reference {
            KeyReference::Env(name) if name == "KEY" => SigningKey::new("Abcdefgh12345678Abcdefgh12345678"),
            _ => Err(InvalidConfig::new("signing.key", format!("{reference}: is not set"), "")),
        }
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn names(text: &str) -> BTreeSet<Name> {
    text.split_whitespace().map(name).collect()
}

fn manifest(text: &str) -> Manifest {
    ManifestFile::<IgnoredAny>::parse(text, ManifestFormat::Toml).unwrap().manifest
}

fn clouds() -> Clouds {
    let provider = |cloud: MemoryProvider| -> Arc<dyn RecordCallbackProvider> { Arc::new(cloud) };
    Clouds::new(BTreeMap::from([
        (name("full"), provider(MemoryProvider::full())),
        (name("other"), provider(MemoryProvider::full())),
        (name("hiding"), provider(MemoryProvider::key_hiding())),
        (name("narrow"), provider(MemoryProvider::narrow())),
    ]))
}

fn request(callbacks: &str, to: &str, winners: &str) -> SwitchRequest {
    let callbacks = if callbacks == "*" { Targets::All } else { Targets::Only(names(callbacks)) };
    SwitchRequest { callbacks, to: name(to), winners: names(winners), fidelity: None, keep_source: false }
}

fn prepare(request: &SwitchRequest, manifest: &Manifest) -> Result<PreparedSwitch, Vec<SwitchRefusal>> {
    let clouds = clouds();
    let capabilities = |name: &Name| clouds.get(name).map(RecordCallbackProvider::capabilities);
    request.prepare(manifest, &manifest.keys(&OneKey), &capabilities)
}

/// Who moves, and who stays why.
fn moves(prepared: &PreparedSwitch) -> (Vec<&str>, Vec<String>) {
    let staying = prepared.staying.iter().map(|one| format!("{}: {}", one.name, one.reason));
    (prepared.switch.callbacks.keys().map(Name::as_str).collect(), staying.collect())
}

fn refusals(refused: Result<PreparedSwitch, Vec<SwitchRefusal>>) -> Vec<(String, bool)> {
    let refusals = refused.unwrap_err();
    assert!(refusals.iter().all(|one| !one.hint.is_empty()));
    refusals.into_iter().map(|one| (one.to_string(), one.unsupported)).collect()
}

fn callback(name: &str, rest: &str) -> String {
    let domain =
        "{ full = \"push.example.com\", other = \"push.example.com\", narrow = \"live.example.com\" }";
    format!("[[callbacks]]\nname = \"{name}\"\ndomain = {domain}\n{rest}\n")
}

fn apps() -> String {
    let callbacks = [("a", "app = \"a\""), ("b", "app = \"b\""), ("rest", "")];
    HEAD.to_owned() + &callbacks.map(|(name, app)| callback(name, app)).concat()
}

#[test]
fn where_all_apps_share_a_place_one_is_named_that_takes_it() {
    let manifest = manifest(&apps());
    let shared = "`a`, `b`, `rest` would share narrow live.example.com/*, and there is room for one";
    let refused = refusals(prepare(&request("*", "narrow", ""), &manifest));
    assert_eq!(refused, ["a", "b", "rest"].map(|name| (format!("{name}: {shared}"), true)));
    let refused = refusals(prepare(&request("a", "narrow", ""), &manifest));
    assert!(refused[0].0.starts_with("a: an app cannot have a config of its own on `narrow`"), "{refused:?}");
    let refused = refusals(prepare(&request("*", "narrow", "a b"), &manifest));
    assert!(refused[0].0.contains("more than one of") && !refused[0].1, "{refused:?}");

    // All apps are what it was for: nothing is lost.
    assert_eq!(moves(&prepare(&request("rest", "narrow", ""), &manifest).unwrap()), (vec!["rest"], vec![]));
    let prepared = prepare(&request("*", "narrow", "b"), &manifest).unwrap();
    let has = |name: &str| format!("{name}: `b` has narrow live.example.com/*");
    assert_eq!(moves(&prepared), (vec!["b"], vec![has("a"), has("rest")]));
    // On every other provider, its app is what it was.
    let on = |provider: &str| {
        let slot = prepared.manifest.slot_on(&prepared.manifest.callbacks()[&name("b")], &name(provider));
        slot.unwrap().key.app.as_str().to_owned()
    };
    assert_eq!([on("narrow"), on("full"), on("other")], ["*", "b", "b"]);
}

#[test]
fn the_same_switch_again_changes_nothing() {
    let text = apps();
    let prepared = prepare(&request("*", "narrow", "b"), &manifest(&text)).unwrap();
    let edited = edit(&text, ManifestFormat::Toml, &prepared.edits).unwrap();
    assert_eq!(manifest(&edited), prepared.manifest);
    let again = prepare(&request("*", "narrow", "b"), &manifest(&edited)).unwrap();
    assert_eq!((moves(&again).0, again.edits.len()), (vec![], 0));
    assert_eq!(again.staying.len(), 3);
    let refused = refusals(prepare(&request("a", "narrow", ""), &manifest(&edited)));
    assert_eq!(refused, [("a: narrow live.example.com/* is the place of callback `b`".to_owned(), false)]);
}

#[test]
fn a_domain_of_the_other_kind_is_not_taken_for_one_of_its_own() {
    let manifest = manifest(&format!("{HEAD}[[callbacks]]\nname = \"a\"\ndomain = \"a.example.com\"\n"));
    let refused = refusals(prepare(&request("a", "narrow", ""), &manifest));
    assert!(refused[0].0.contains("only one domain is given") && !refused[0].1, "{refused:?}");
    assert_eq!(moves(&prepare(&request("a", "other", ""), &manifest).unwrap()).0, ["a"]);

    let manifest = self::manifest(&(HEAD.to_owned() + &callback("a", "")));
    let refused = refusals(prepare(&request("a", "hiding", ""), &manifest));
    assert_eq!(refused, [("a: domain: has no value for provider `hiding`".to_owned(), false)]);
}

#[test]
fn everything_in_the_way_is_told_at_once() {
    let signed = |key: &str| format!("signing = {{ scheme = \"hmac_sha256\", key = {{ env = \"{key}\" }} }}");
    let text = [
        HEAD.to_owned(),
        callback("sha", &signed("KEY")),
        callback("no-key", &format!("app = \"x\"\n{}", signed("NONE"))),
        "[[callbacks]]\nname = \"same\"\ndomain = \"same.example.com\"\n".to_owned(),
    ];
    let manifest = manifest(&text.concat());
    let refused = refusals(prepare(&request("sha same gone", "narrow", "no-key"), &manifest));
    let found: Vec<_> = refused.iter().map(|(text, unsupported)| (&text[..12], *unsupported)).collect();
    assert_eq!(
        found,
        [("gone: is not", false), ("no-key: is t", false), ("same: domain", false), ("sha: signing", true),]
    );
    let refused = refusals(prepare(&request("no-key", "other", ""), &manifest));
    assert!(refused[0].0.contains("`NONE`: is not set") && !refused[0].1, "{refused:?}");
    let refused = refusals(prepare(&request("sha", "nowhere", ""), &manifest));
    assert_eq!(refused, [("nowhere: is not a provider of the manifest".to_owned(), false)]);
}

#[test]
fn a_fidelity_is_declared_and_undone() {
    let text = HEAD.to_owned() + &callback("a", "events = [\"file_completed\", \"recording_ended\"]\n");
    let mut request = request("a", "narrow", "");
    assert!(refusals(prepare(&request, &manifest(&text)))[0].1);
    request.fidelity = Some(Fidelity::BestEffort);
    let prepared = prepare(&request, &manifest(&text)).unwrap();
    let edited = edit(&text, ManifestFormat::Toml, &prepared.edits).unwrap();
    let moved = manifest(&edited);
    assert_eq!(moved.fidelity_of(&moved.callbacks()[&name("a")]), Fidelity::BestEffort);

    let undone = manifest(&edit(&edited, ManifestFormat::Toml, &prepared.switch.undo(&moved)).unwrap());
    let callback = &undone.callbacks()[&name("a")];
    assert_eq!(
        (undone.provider_of(callback), undone.fidelity_of(callback)),
        (Some(&name("full")), Fidelity::Exact)
    );
    // What is not, or not any more, on the target is left alone.
    assert_eq!(prepared.switch.undo(&undone), []);
    assert_eq!(prepared.switch.undo(&manifest(HEAD)), []);
}

#[test]
fn an_open_switch_goes_on_with_what_is_left_of_it() {
    let text = apps();
    let prepared = prepare(&request("*", "narrow", "b"), &manifest(&text)).unwrap();
    let again = prepare(&SwitchRequest::of(&prepared.switch, &manifest(&text)), &manifest(&text)).unwrap();
    assert_eq!((&again.switch, &again.edits), (&prepared.switch, &prepared.edits));
    // It is over in the manifest already.
    let after =
        prepare(&SwitchRequest::of(&prepared.switch, &prepared.manifest), &prepared.manifest).unwrap();
    assert_eq!(moves(&after), (vec![], vec!["b: already on `narrow`".to_owned()]));
    // The callback is gone.
    let gone = prepare(&SwitchRequest::of(&prepared.switch, &manifest(HEAD)), &manifest(HEAD)).unwrap();
    assert_eq!(moves(&gone), (vec![], vec![]));
}
