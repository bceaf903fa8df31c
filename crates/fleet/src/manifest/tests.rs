use std::path::Path;

use record_callback_core::{AppSelector, DomainName, Fidelity, SigningScheme};
use schemars::JsonSchema;
use serde::Deserialize;

use super::*;

/// As large as a provider's config gets.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(tag = "vendor", rename_all = "lowercase")]
pub(super) enum Cloud {
    Aliyun(Access),
    Huaweicloud(Access),
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Access {
    region: Option<String>,
    allow_http: bool,
    credentials: Credentials,
    port: Option<Port>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(tag = "source", rename_all = "snake_case", deny_unknown_fields)]
enum Credentials {
    #[default]
    Environment,
    AccessKey {
        id: String,
        secret: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
struct Port(u16);

impl TryFrom<String> for Port {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| match text.len() {
            0 => "a port is not empty".to_owned(),
            _ => format!("`{text}` is not a port"),
        })
    }
}

const EXAMPLE: &str = include_str!("../../../../examples/fleet.toml");

/// Five lines.
const PROVIDERS: &str =
    "[providers.ali]\nvendor = 'aliyun'\n[providers.hw]\nvendor = 'huaweicloud'\nregion = 'cn'\n";

pub(super) fn toml(text: &str) -> Result<ManifestFile<Cloud>, ManifestProblems> {
    ManifestFile::parse(text, ManifestFormat::Toml)
}

fn json(text: &str) -> Result<ManifestFile<Cloud>, ManifestProblems> {
    ManifestFile::parse(text, ManifestFormat::Json)
}

pub(super) fn lines(refused: Result<ManifestFile<Cloud>, ManifestProblems>) -> Vec<String> {
    refused.map(|file| file.manifest).unwrap_err().to_string().lines().map(str::to_owned).collect()
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

#[test]
fn the_example_is_read_with_defaults_and_values_per_provider() {
    let file = toml(EXAMPLE).unwrap();
    let (ali, hw) = (name("ali"), name("hw"));
    assert_eq!(file.providers.keys().collect::<Vec<_>>(), [&ali, &hw]);
    let manifest = &file.manifest;
    assert_eq!(manifest.callbacks().len(), 3);
    let training = &manifest.callbacks()[&name("training")];
    assert_eq!(manifest.provider_of(training), Some(&hw));
    assert_eq!(manifest.slot_on(training, &hw).unwrap().to_string(), "hw push.example.com/training");
    assert_eq!(manifest.callbacks()[&name("highlights")].settings.fidelity, Some(Fidelity::Widen));
    let matches = &manifest.callbacks()[&name("matches")];
    assert_eq!(manifest.provider_of(matches), Some(&ali));
    assert_eq!(matches.domain.on(&hw), Some(&DomainName::new("push.example.com").unwrap()));
    let signing = manifest.defaults.signing.as_ref().unwrap();
    assert_eq!(signing.scheme.on(&hw).unwrap().signing(), Some(SigningScheme::HmacSha256));
    assert_eq!(signing.key, Some(KeyReference::Env("CALLBACK_KEY".into())));
}

#[test]
fn the_format_follows_from_the_name() {
    for (path, format) in [
        ("fleet.toml", ManifestFormat::Toml),
        ("a/fleet.JSON", ManifestFormat::Json),
        ("fleet", ManifestFormat::Toml),
    ] {
        assert_eq!(ManifestFormat::of_path(Path::new(path)), format, "{path}");
    }
}

#[test]
fn what_is_left_out_is_empty() {
    assert_eq!(toml("").unwrap().manifest, Manifest::default());
    assert_eq!(json("{}").unwrap().manifest, Manifest::default());
    assert_eq!(json(r#"{"$schema": "x", "callbacks": []}"#).unwrap().manifest, Manifest::default());
    let app = "[[callbacks]]\nname = 'a'\ndomain = 'a.com'\nprovider = 'ali'\nnotify_url = 'http://b.com'\n";
    let file = toml(&format!("'$schema' = 'x'\n{PROVIDERS}{app}")).unwrap();
    let callback = &file.manifest.callbacks()[&name("a")];
    assert_eq!(file.manifest.slot_on(callback, &name("ali")).unwrap().key.app, AppSelector::Any);
}

/// Each value of a callback in turn, on line 11; what is around it is right.
fn refused_on_line_11(cases: &[(&str, &str, String)]) {
    let callback =
        "[[callbacks]]\nname = 'a'\ndomain = 'a.com'\nprovider = 'ali'\nnotify_url = 'http://b.com'\n";
    for (value, place, message) in cases {
        let found = lines(toml(&format!("{PROVIDERS}{callback}{value}")));
        assert_eq!(found, [format!("line 11, column {place}: {message}")], "{value}");
        assert!(!found[0].contains("s3cr3t"), "{value}");
    }
}

#[test]
fn a_wrong_value_is_refused_where_it_is() {
    const EVENTS: &str = "(rule: one of recording_started, recording_paused, recording_resumed, recording_ended, \
                          recording_failed, file_started, file_completed, transcode_failed, or vendor:NAME with \
                          letters, digits, `_`, `-` and `.`)";
    const SETTINGS: &str = "(rule: one of `name`, `domain`, `provider`, `app`, `notify_url`, `on_demand_url`, \
                            `events`, `signing`, `fidelity`, `protect`)";
    let cases: &[(&str, &str, String)] = &[
        ("evnets = []", "1: callbacks[0].evnets", format!("is not known here; did you mean `events`? {SETTINGS}")),
        ("x = 1", "1: callbacks[0].x", format!("is not known here {SETTINGS}")),
        ("app = 1", "7: callbacks[0].app", "is an integer (rule: a string)".into()),
        ("app = { ali = 1.5 }", "15: callbacks[0].app.ali", "is a number (rule: a string)".into()),
        ("app = {}", "7: callbacks[0].app", "is empty (rule: one value, or one for each provider)".into()),
        (
            "app = { alli = 'a' }",
            "9: callbacks[0].app.alli",
            "`alli` is not a provider of this manifest; did you mean `ali`? (rule: one of [providers]: `ali`, `hw`)"
                .into(),
        ),
        (
            "app = { 'a b' = 'a' }",
            "9: callbacks[0].app.\"a b\"",
            "contains whitespace or a control character (rule: 1-400 characters without whitespace or control \
             characters)"
                .into(),
        ),
        (
            "on_demand_url = 'ftp://x.com?s3cr3t'",
            "17: callbacks[0].on_demand_url",
            "the scheme is `ftp` (rule: an absolute http or https URL with a host, no user info, no whitespace)".into(),
        ),
        (
            "events = 'file_completed'",
            "10: callbacks[0].events",
            "is a string (rule: an array of events, or one for each provider)".into(),
        ),
        ("events = []", "10: callbacks[0].events", "is empty (rule: at least one event)".into()),
        (
            "events = ['file_completed', 'done']",
            "29: callbacks[0].events[1]",
            format!("`done` is not an event {EVENTS}"),
        ),
        ("events = { hw = ['x'] }", "18: callbacks[0].events.hw[0]", format!("`x` is not an event {EVENTS}")),
        (
            "fidelity = 'loose'",
            "12: callbacks[0].fidelity",
            "`loose` is not a fidelity (rule: one of exact, widen, best-effort)".into(),
        ),
    ];
    refused_on_line_11(cases);
}

#[test]
fn wrong_signing_is_refused_and_no_key_is_quoted() {
    const KEYS: &str = "(rule: keys are only by reference: `{ env = \"NAME\" }` or `{ file = \"PATH\" }`, never in \
                        the manifest)";
    let cases: &[(&str, &str, String)] = &[
        ("signing = 's3cr3t'", "11: callbacks[0].signing", "is a string (rule: a table with `scheme` and `key`)".into()),
        (
            "signing = {}",
            "11: callbacks[0].signing.scheme",
            "is missing (rule: `disabled`, `md5` or `hmac_sha256`)".into(),
        ),
        ("signing = { scheme = 'md5' }", "11: callbacks[0].signing.key", format!("is missing {KEYS}")),
        (
            "signing = { scheme = 'md4', key = { env = 'A' } }",
            "22: callbacks[0].signing.scheme",
            "is not a scheme; did you mean `md5`? (rule: one of `disabled`, `md5`, `hmac_sha256`)".into(),
        ),
        (
            "signing = { scheme = 's3cr3t', key = { env = 'A' } }",
            "22: callbacks[0].signing.scheme",
            "is not a scheme (rule: one of `disabled`, `md5`, `hmac_sha256`)".into(),
        ),
        (
            "signing = { scheme = 'disabled', key = { env = 'A' } }",
            "40: callbacks[0].signing.key",
            "is there, but nothing is signed (rule: no key where the scheme is `disabled`)".into(),
        ),
        (
            "signing = { scheme = { hw = 'md5' }, key = { env = 'A' } }",
            "11: callbacks[0].signing",
            "has no scheme for provider `ali` (rule: one scheme, or one for each provider that has the callback)".into(),
        ),
        (
            "signing = { schema = 'md5', scheme = 'md5', key = { env = 'A' } }",
            "13: callbacks[0].signing.schema",
            "is not known here; did you mean `scheme`? (rule: one of `scheme`, `key`)".into(),
        ),
        (
            "signing = { scheme = 'md5', key = 's3cr3t' }",
            "35: callbacks[0].signing.key",
            format!("is a string {KEYS}"),
        ),
        (
            "signing = { scheme = 'md5', key = { env = 'A', file = 's3cr3t' } }",
            "35: callbacks[0].signing.key",
            format!("has 2 entries {KEYS}"),
        ),
        (
            "signing = { scheme = 'md5', key = { value = 's3cr3t' } }",
            "37: callbacks[0].signing.key.value",
            "is not known here (rule: one of `env`, `file`)".into(),
        ),
        (
            "signing = { scheme = 'md5', key = { env = 's3cr3t=' } }",
            "43: callbacks[0].signing.key.env",
            "is not a name (rule: the name of an environment variable: a string without whitespace or `=`)".into(),
        ),
        (
            "signing = { scheme = 'md5', key = { file = '' } }",
            "44: callbacks[0].signing.key.file",
            "is not a path (rule: a path: a string without control characters)".into(),
        ),
    ];
    refused_on_line_11(cases);
}

/// Each callback in turn, on line 6.
#[test]
fn what_does_not_fit_together_is_refused() {
    const HAS_ONE: &str = "is missing (rule: each callback has one)";
    const URLS: &str =
        "(rule: one URL, or one for each provider that has the callback, here or in [defaults])";
    const UNIQUE: &str = "(rule: one callback for each of them)";
    let first = "{ name = 'a', domain = 'a.com', provider = 'ali', notify_url = 'http://b.com' }";
    let cases: &[(String, &[&str])] = &[
        (
            "{ provider = 'ali' }".into(),
            &[
                &format!("column 14: callbacks[0].name: {HAS_ONE}"),
                &format!("column 14: callbacks[0].domain: {HAS_ONE}"),
                &format!("column 14: callbacks[0].notify_url: has none for provider `ali` {URLS}"),
            ],
        ),
        (
            "{ name = 'a', domain = 'a.com' }".into(),
            &["column 14: callbacks[0].provider: is missing (rule: a provider, here or in [defaults])"],
        ),
        (
            "{ name = 'a', domain = { hw = 'a.com' }, provider = 'ali', notify_url = { hw = 'http://b.com' } }".into(),
            &[
                "column 37: callbacks[0].domain: has none for provider `ali` (rule: one domain, or one for each \
                 provider that has the callback)",
                &format!("column 86: callbacks[0].notify_url: has none for provider `ali` {URLS}"),
            ],
        ),
        (
            format!("{first}, {{ name = 'b', domain = 'A.com.', provider = 'ali', app = '*', notify_url = 'http://c' }}"),
            &[&format!("column 104: callbacks[1]: is for the provider, domain and app of `a` on line 6 {UNIQUE}")],
        ),
        (
            format!("{first}, {first}"),
            &[
                "column 104: callbacks[1].name: `a` is the name of callbacks[0] on line 6 already (rule: a name for \
                 each callback)",
                &format!("column 104: callbacks[1]: is for the provider, domain and app of `a` on line 6 {UNIQUE}"),
            ],
        ),
        ("1".into(), &["column 14: callbacks[0]: is an integer (rule: a table)"]),
        // What could not be read is not missing too.
        (
            "{ name = 1, domain = 1, provider = 1, notify_url = 1 }".into(),
            &[
                "column 23: callbacks[0].name: is an integer (rule: a string)",
                "column 35: callbacks[0].domain: is an integer (rule: a string)",
                "column 49: callbacks[0].provider: is an integer (rule: a string)",
                "column 65: callbacks[0].notify_url: is an integer (rule: a string)",
            ],
        ),
        (
            "{ name = 'a', domain = 'a.com', provider = 'hv' }".into(),
            &["column 57: callbacks[0].provider: `hv` is not a provider of this manifest; did you mean `hw`? (rule: one \
               of [providers]: `ali`, `hw`)"],
        ),
    ];
    for (callbacks, problems) in cases {
        // As the first table: a key at the root cannot come after others.
        let text = format!("\n\n\n\n\ncallbacks = [{callbacks}]\n{PROVIDERS}");
        let problems: Vec<_> = problems.iter().map(|problem| format!("line 6, {problem}")).collect();
        assert_eq!(lines(toml(&text)), problems, "{callbacks}");
    }
}

#[test]
fn what_is_wrong_with_the_whole_is_said_at_once() {
    let text =
        "calbacks = 1\n'$schema' = 1\ndefaults = { name = 'x', events = [], key = 1 }\n[[providers]]\n";
    let found = lines(toml(text));
    assert_eq!(
        found,
        [
            "line 1, column 1: calbacks: is not known here; did you mean `callbacks`? (rule: one of `$schema`, \
             `providers`, `defaults`, `callbacks`)",
            "line 2, column 13: $schema: is an integer (rule: a string)",
            "line 3, column 14: defaults.name: is not known here (rule: one of `provider`, `app`, `notify_url`, \
             `on_demand_url`, `events`, `signing`, `fidelity`, `protect`)",
            "line 3, column 35: defaults.events: is empty (rule: at least one event)",
            "line 3, column 39: defaults.key: is not known here (rule: one of `provider`, `app`, `notify_url`, \
             `on_demand_url`, `events`, `signing`, `fidelity`, `protect`)",
            "line 4, column 1: providers: is an array (rule: a table with one for each provider)",
        ]
    );
    assert_eq!(lines(json("[]")), ["line 1, column 1: is an array (rule: a table)"]);
    assert_eq!(
        lines(toml("callbacks = {}")),
        ["line 1, column 13: callbacks: is a table (rule: an array of tables)"]
    );
}

/// Values are never quoted: they may be credentials.
#[test]
fn what_is_wrong_with_a_provider_is_said_without_its_values() {
    const FIELDS: &str = "(rule: one of `region`, `allow_http`, `credentials`, `port`)";
    let cases: &[(&str, &str)] = &[
        (
            "vendor = 's3cr3t'",
            "2, column 10: providers.a.vendor: is not known here (rule: one of `aliyun`, `huaweicloud`)",
        ),
        (
            "vendor = 'alyun'",
            "2, column 10: providers.a.vendor: is not known here; did you mean `aliyun`? (rule: one of \
          `aliyun`, `huaweicloud`)",
        ),
        ("region = 's3cr3t'", "1, column 1: providers.a: has no `vendor`"),
    ];
    for (text, problem) in cases {
        assert_eq!(lines(toml(&format!("[providers.a]\n{text}"))), [format!("line {problem}")], "{text}");
    }
    let cases = [
        ("regoin = 's3cr3t'", format!("1: providers.a.regoin: is not known here; did you mean `region`? {FIELDS}")),
        ("allow_http = 's3cr3t'", "14: providers.a.allow_http: is a string (rule: a boolean)".into()),
        ("region = 12345678", "10: providers.a.region: is an integer (rule: a string)".into()),
        ("port = 's3cr3t'", "1: providers.a: is not valid".into()),
        ("port = ''", "1: providers.a: a port is not empty".into()),
        ("credentials = { source = 'access_key', id = 's3cr3t' }", "1: providers.a: has no `secret`".into()),
        (
            "credentials = { source = 'access_key', id = 's3cr3t', secert = 's3cr3t' }",
            "55: providers.a.credentials.secert: is not known here; did you mean `secret`? (rule: one of `id`, `secret`)"
                .into(),
        ),
    ];
    for (text, problem) in cases {
        let found = lines(toml(&format!("[providers.a]\nvendor = 'aliyun'\n{text}")));
        let line = if problem.starts_with("1: providers.a: ") { 1 } else { 3 };
        assert_eq!(found, [format!("line {line}, column {problem}")], "{text}");
    }
    assert_eq!(
        lines(toml("providers.a = 's3cr3t'")),
        ["line 1, column 15: providers.a: is a string (rule: a table)"]
    );
}

#[test]
fn syntax_errors_are_said_without_the_text() {
    let found = lines(toml("[providers.a]\nsecret = s3cr3t\nsecret = 's3cr3t'\nid = 's3cr3t\n"));
    let places: Vec<_> = found.iter().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(places, ["line 2, column 10", "line 3, column 1", "line 4, column 13"], "{found:?}");
    assert!(found.iter().all(|line| !line.contains("s3cr3t")), "{found:?}");
    for (text, problem) in [
        ("", "line 1, column 1: EOF while parsing a value"),
        ("{\n \"直\": s3cr3t}", "line 2, column 7: expected value"),
        ("{\"a\": 1} s3cr3t", "line 1, column 10: trailing characters"),
        ("{\"a\": {\n\"b\": 1, \"b\": 2}}", "line 2, column 9: a.b: duplicate key"),
        (
            "{\"$schema\": \"\\ud800\"}",
            "line 1, column 13: $schema: has an escape sequence that is not a character",
        ),
    ] {
        assert_eq!(lines(json(text)), [problem], "{text}");
    }
    let deep = format!("{{\"a\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(lines(json(&deep)), ["line 1, column 87: is nested more than 80 levels deep"]);
}
