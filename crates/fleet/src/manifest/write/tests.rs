use std::collections::BTreeSet;

use proptest::prelude::*;
use record_callback_core::{CallbackUrl, DomainName, EventKind, EventSet, Field};

use super::*;
use crate::manifest::{KeyReference, Scheme, Settings, SigningDeclaration};

const PROVIDERS: &str = "[providers.ali]\n[providers.hw]\n";
const PROVIDERS_JSON: &str = r#"{"providers": {"ali": {}, "hw": {}}}"#;

fn url(text: &str) -> CallbackUrl {
    CallbackUrl::new(Field::NotifyUrl, text).unwrap()
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn read(text: &str, format: ManifestFormat) -> Manifest {
    ManifestFile::<IgnoredAny>::parse(text, format)
        .unwrap_or_else(|problems| panic!("{problems}\n{text}"))
        .manifest
}

/// One value, or one for each of both providers.
fn per_provider<T: Clone + std::fmt::Debug + 'static>(
    value: impl Strategy<Value = T> + Clone + 'static,
) -> impl Strategy<Value = PerProvider<T>> {
    prop_oneof![
        value.clone().prop_map(PerProvider::Same),
        (value.clone(), value)
            .prop_map(|(ali, hw)| PerProvider::Each([(name("ali"), ali), (name("hw"), hw)].into())),
    ]
}

fn app() -> impl Strategy<Value = AppSelector> + Clone {
    prop_oneof![Just("*".to_owned()), "[^*\\s\\p{C}]{1,12}"].prop_map(|text| text.parse().unwrap())
}

fn signing() -> impl Strategy<Value = SigningDeclaration> {
    let key = prop_oneof![
        "[^=\\s\\p{C}]{1,12}".prop_map(KeyReference::Env),
        "[^\\p{C}]{1,12}".prop_map(|path| KeyReference::File(path.into())),
    ];
    let scheme = prop::sample::select(vec![Scheme::Md5, Scheme::HmacSha256]);
    prop_oneof![
        Just(SigningDeclaration { scheme: PerProvider::Same(Scheme::Disabled), key: None }),
        (per_provider(scheme), key).prop_map(|(scheme, key)| SigningDeclaration { scheme, key: Some(key) }),
    ]
}

fn callback_url() -> impl Strategy<Value = CallbackUrl> + Clone {
    "[^\\s\\p{C}?#@]{0,12}".prop_map(|path| url(&format!("https://cb.example.com/{path}")))
}

prop_compose! {
    fn settings()(
        app in prop::option::of(per_provider(app())),
        notify_url in per_provider(callback_url()),
        on_demand_url in prop::option::of(per_provider(callback_url())),
        events in prop::option::of(per_provider(Just(EventSet::from([EventKind::FileCompleted, EventKind::Vendor("X".into())])))),
        signing in prop::option::of(signing()),
        fidelity in prop::option::of(prop::sample::select(vec![Fidelity::Exact, Fidelity::BestEffort])),
        protect in prop::option::of(any::<bool>()),
        provider in prop::sample::select(vec!["ali", "hw"]),
    ) -> Settings {
        let (provider, notify_url) = (Some(name(provider)), Some(notify_url));
        Settings { provider, app, notify_url, on_demand_url, events, signing, fidelity, protect }
    }
}

/// Callbacks with names and domains of their own.
fn declarations() -> impl Strategy<Value = Vec<Declaration>> {
    let parts = ("[^\\s\\p{C}]{1,12}", settings(), any::<bool>());
    prop::collection::vec(parts, 0..5).prop_map(|parts| {
        let declare = |(i, (text, settings, same)): (usize, (String, Settings, bool))| {
            let domain = |cloud: &str| DomainName::new(&format!("{cloud}{i}.example.com")).unwrap();
            let each =
                || [("ali", domain("ali")), ("hw", domain("hw"))].map(|(key, value)| (name(key), value));
            let domain = if same { PerProvider::Same(domain("")) } else { PerProvider::Each(each().into()) };
            Declaration { name: name(&format!("{text}{i}")), domain, settings }
        };
        parts.into_iter().enumerate().map(declare).collect()
    })
}

fn edits() -> impl Strategy<Value = Vec<(usize, Edit)>> {
    let callback = || name("?");
    let edit = prop_oneof![
        prop::sample::select(vec!["ali", "hw"])
            .prop_map(move |to| Edit::Provider { callback: callback(), provider: name(to) }),
        per_provider(app()).prop_map(move |app| Edit::App { callback: callback(), app }),
        prop::sample::select(vec![Fidelity::Widen, Fidelity::Exact])
            .prop_map(move |fidelity| Edit::Fidelity { callback: callback(), fidelity }),
    ];
    prop::collection::vec((0_usize..5, edit), 0..6)
}

fn of(callback: &Name, edit: Edit) -> Edit {
    let callback = callback.clone();
    match edit {
        Edit::Provider { provider, .. } => Edit::Provider { callback, provider },
        Edit::App { app, .. } => Edit::App { callback, app },
        Edit::Fidelity { fidelity, .. } => Edit::Fidelity { callback, fidelity },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_again_from_both_formats(declarations in declarations(), at in 0_usize..5) {
        let at = at.min(declarations.len());
        let mut read_from = Vec::new();
        for (empty, format) in [(PROVIDERS, ManifestFormat::Toml), (PROVIDERS_JSON, ManifestFormat::Json)] {
            let first = append_callbacks(empty, format, &declarations[..at]).unwrap();
            let text = append_callbacks(&first, format, &declarations[at..]).unwrap();
            prop_assert!(format == ManifestFormat::Json || text.starts_with(&first), "{text}");
            let manifest = read(&text, format);
            let written: BTreeSet<_> = declarations.iter().map(|d| d.name.clone()).collect();
            prop_assert!(manifest.callbacks().keys().eq(&written));
            prop_assert!(declarations.iter().all(|d| manifest.callbacks()[&d.name] == *d));
            read_from.push(manifest);
        }
        prop_assert_eq!(&read_from[0], &read_from[1]);
    }

    #[test]
    fn the_same_manifest_in_toml_and_json_is_equal(declarations in declarations()) {
        let text = append_callbacks(PROVIDERS, ManifestFormat::Toml, &declarations).unwrap();
        let value: toml::Value = toml::from_str(&text).unwrap();
        let manifest = read(&text, ManifestFormat::Toml);
        for json in [serde_json::to_string(&value).unwrap(), serde_json::to_string_pretty(&value).unwrap()] {
            prop_assert_eq!(&read(&json, ManifestFormat::Json), &manifest);
        }
    }

    #[test]
    fn an_edit_does_what_it_says_and_keeps_every_other_line(
        declarations in declarations().prop_filter("some", |all| !all.is_empty()),
        edits in edits(),
    ) {
        let edits: Vec<_> = edits
            .into_iter()
            .map(|(i, edit)| of(&declarations[i % declarations.len()].name, edit))
            .collect();
        let text = append_callbacks(PROVIDERS, ManifestFormat::Toml, &declarations).unwrap();
        let text = text.replace("\n[[callbacks]]", "\n# above\n[[callbacks]]  # beside").replace("\nname = ", "\n  # in\n  name = ");
        let json = serde_json::to_string(&toml::from_str::<toml::Value>(&text).unwrap()).unwrap();
        let pretty = append_callbacks(PROVIDERS_JSON, ManifestFormat::Json, &declarations).unwrap();
        for (text, format) in
            [(text, ManifestFormat::Toml), (json, ManifestFormat::Json), (pretty, ManifestFormat::Json)]
        {
            let edited = edit(&text, format, &edits).unwrap();
            prop_assert_eq!(read(&edited, format), read(&text, format).edited(&edits));
            let touched: BTreeSet<_> = edits.iter().map(Edit::key).collect();
            let untouched = |text: &str| -> Vec<String> {
                let is_of = |line: &str| touched.iter().any(|key| line.trim_start().starts_with(&format!("{key} = ")));
                text.lines().filter(|line| !is_of(line)).map(str::to_owned).collect()
            };
            if format == ManifestFormat::Toml {
                prop_assert_eq!(untouched(&edited), untouched(&text));
            }
        }
    }
}

/// A callback as short as it can be.
fn short(called: &str) -> Declaration {
    let settings = Settings {
        provider: Some(name("ali")),
        notify_url: Some(PerProvider::Same(url("http://cb.example.com"))),
        ..Settings::default()
    };
    let domain = PerProvider::Same(DomainName::new(&format!("{called}.com")).unwrap());
    Declaration { name: name(called), domain, settings }
}

#[test]
fn callbacks_are_added_in_the_style_of_the_text() {
    const TOML: &str =
        r#"{ name = "b", domain = "b.com", provider = "ali", notify_url = "http://cb.example.com" }"#;
    const JSON: &str =
        r#"{"name":"b","domain":"b.com","provider":"ali","notify_url":"http://cb.example.com"}"#;
    let block = "[[callbacks]]|name = \"b\"|domain = \"b.com\"|provider = \"ali\"|notify_url = \"http://cb.example.com\"|";
    let pretty = "{|      \"name\": \"b\",|      \"domain\": \"b.com\",|      \"provider\": \"ali\",|      \"notify_url\": \
                  \"http://cb.example.com\"|    }";
    let (toml, json) = (ManifestFormat::Toml, ManifestFormat::Json);
    let a = r#"{"name": "a", "domain": "a.com", "provider": "ali", "notify_url": "http://x.com"}"#;
    let a_toml = "{ name = 'a', domain = 'a.com', provider = 'ali', notify_url = 'http://x.com' }";
    let ali = r#""providers": {"ali": {}}"#;
    for (format, before, after) in [
        (toml, "[providers.ali]|".to_owned(), format!("[providers.ali]||{block}")),
        (toml, "[providers.ali] # x".to_owned(), format!("[providers.ali] # x||{block}")),
        (
            toml,
            "callbacks = []|[providers.ali]|".into(),
            format!("callbacks = [ {TOML}]|[providers.ali]|").replace("[ {", "[{"),
        ),
        (
            toml,
            "|callbacks = [ # none|]|[providers.ali]|".into(),
            format!("|callbacks = [|  {TOML} # none|]|[providers.ali]|"),
        ),
        (
            toml,
            format!("callbacks = [{a_toml}]|[providers.ali]|"),
            format!("callbacks = [{a_toml}, {TOML}]|[providers.ali]|"),
        ),
        (
            toml,
            format!("callbacks = [|  {a_toml},|]|[providers.ali]|"),
            format!("callbacks = [|  {a_toml},|  {TOML},|]|[providers.ali]|"),
        ),
        (json, format!("{{{ali}}}"), format!("{{{ali}, \"callbacks\": [{JSON}]}}")),
        (json, format!("{{|  {ali}|}}"), format!("{{|  {ali},|  \"callbacks\": [|    {pretty}|  ]|}}")),
        (
            json,
            format!("{{|  {ali},|  \"callbacks\": []|}}"),
            format!("{{|  {ali},|  \"callbacks\": [|    {pretty}|  ]|}}"),
        ),
        (
            json,
            format!("{{{ali}, \"callbacks\": [{a}]}}"),
            format!("{{{ali}, \"callbacks\": [{a}, {JSON}]}}"),
        ),
        (
            json,
            format!("{{|  {ali},|  \"callbacks\": [|    {a}|  ]|}}"),
            format!("{{|  {ali},|  \"callbacks\": [|    {a},|    {pretty}|  ]|}}"),
        ),
    ] {
        for newline in ["\n", "\r\n"] {
            let (before, after) = (before.replace('|', newline), after.replace('|', newline));
            if before.contains('\n') || newline == "\n" {
                assert_eq!(append_callbacks(&before, format, &[short("b")]).unwrap(), after, "{before}");
            }
        }
    }
}

#[test]
fn values_are_changed_or_put_after_the_name() {
    let (toml, json) = (ManifestFormat::Toml, ManifestFormat::Json);
    let change = [
        Edit::Provider { callback: name("a"), provider: name("ali") },
        Edit::Provider { callback: name("a"), provider: name("hw") },
        Edit::Fidelity { callback: name("a"), fidelity: Fidelity::Widen },
    ];
    let defaults =
        "[providers]\nali = {}\nhw = {}\n[defaults]\nprovider = 'ali'\nnotify_url = 'http://x.com'\n";
    for (format, before, after) in [
        (
            toml,
            format!("{defaults}[[callbacks]]\n\tname = 'a'  # x\n\tdomain = 'a.com'"),
            format!("{defaults}[[callbacks]]\n\tname = 'a'  # x\n\tfidelity = \"widen\"\n\tprovider = \"hw\"\n\tdomain = 'a.com'"),
        ),
        (
            toml,
            format!("{defaults}[[callbacks]]\nprovider='ali'#y\ndomain = 'a.com'\nname = 'a'"),
            format!("{defaults}[[callbacks]]\nprovider=\"hw\"#y\ndomain = 'a.com'\nname = 'a'\nfidelity = \"widen\""),
        ),
        (
            toml,
            format!("callbacks = [{{ domain = 'a.com', name = 'a' }}]\n{defaults}"),
            format!("callbacks = [{{ domain = 'a.com', name = 'a', fidelity = \"widen\", provider = \"hw\" }}]\n{defaults}"),
        ),
        (
            json,
            r#"{"providers":{"ali":{},"hw":{}},"callbacks":[{"name":"a","notify_url":"http://x.com","domain":"a.com","provider":"ali"}]}"#.into(),
            r#"{"providers":{"ali":{},"hw":{}},"callbacks":[{"name":"a", "fidelity": "widen","notify_url":"http://x.com","domain":"a.com","provider":"hw"}]}"#.into(),
        ),
    ] {
        assert_eq!(edit(&before, format, &change).unwrap(), after);
    }
}

#[test]
fn what_cannot_be_done_is_said_with_what_to_do() {
    let toml = ManifestFormat::Toml;
    let text = format!(
        "{PROVIDERS}[[callbacks]]\nname = 'a'\ndomain = {{ ali = 'a.com' }}\nprovider = 'ali'\nnotify_url = \
         'http://x.com'\napp.ali = 'x'\n"
    );
    let app = PerProvider::Same("y".parse().unwrap());
    for (change, problem) in [
        (
            Edit::Provider { callback: name("b"), provider: name("hw") },
            "callback `b` is not there; change it by hand: provider = \"hw\"",
        ),
        (
            Edit::App { callback: name("a"), app },
            "callback `a` has its `app` spread over several lines; change it by hand: app = \"y\"",
        ),
        (
            Edit::Provider { callback: name("a"), provider: name("hw") },
            "callback `a` cannot be changed so: line 5, column 10: callbacks[0].domain: has none for provider `hw`",
        ),
    ] {
        let refused = edit(&text, toml, &[change]).unwrap_err().to_string();
        assert!(refused.starts_with(problem), "{refused}");
    }
    let refused =
        |text: &str, new: &[Declaration]| append_callbacks(text, toml, new).unwrap_err().to_string();
    let again = refused(&text, &[short("b"), short("a")]);
    assert!(again.starts_with("callback `a` is there already; "), "{again}");
    let mut lost = short("b");
    lost.settings.provider = Some(name("x"));
    let unknown = refused(&text, &[short("c"), lost]);
    assert!(unknown.starts_with("callback `b` cannot be added: line "), "{unknown}");
    assert!(unknown.ends_with("change it by hand: { name = \"b\", domain = \"b.com\", provider = \"x\", notify_url = \"http://cb.example.com\" }"), "{unknown}");
    assert_eq!(refused("x", &[]), "line 1, column 2: key with no value, expected `=`");
}
