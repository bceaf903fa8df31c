//! Input: a file of credentials, INI or JSON, of either vendor.
#![no_main]

use std::error::Error as StdError;
use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use record_callback::aliyun;
use record_callback::http::{
    CredentialChain, CredentialFile, CredentialProvider, Endpoint, FixedEnv, Ini, Miss, Network, RetryPolicy,
    SourceContext,
};
use record_callback::huaweicloud;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpSocket;
use tokio::runtime::{Builder, Runtime};

/// A secret that is put wherever one may be. Nothing else has so many of its characters in a row.
const CANARY: &str = "kQ7zXw9LbZ4sYh6NfKd3GpJaE8x";
const PIECE: usize = 6;
/// Places that are tried one by one, besides all at once.
const MOST_PLACES: usize = 3;

/// What errors may show of a file: names, roles, regions, paths, addresses, and ids of keys.
const PUBLIC: &[&str] = &[
    "access_key_id",
    "ak",
    "current",
    "iam_endpoint",
    "id_token_file",
    "idp_id",
    "mode",
    "name",
    "oidc_provider_arn",
    "oidc_token_file",
    "oidc_token_file_path",
    "project_id",
    "ram_role_arn",
    "ram_role_name",
    "ram_session_name",
    "role_arn",
    "role_name",
    "role_session_name",
    "source_profile",
    "sts_endpoint",
    "sts_region",
    "type",
];
/// What would run a program, or ask an address of the file's choice.
const REACHES_OUT: [&str; 3] = ["process_command", "credentials_uri", "\\u"];

fuzz_target!(|input: &[u8]| {
    let Ok(text) = str::from_utf8(input) else { return };
    parse(text);
    MACHINE.read(text);
    // Whoever wrote the canary knows it.
    if is_leak(text) {
        return;
    }
    for text in ini_with_canary(text).into_iter().chain(json_with_canary(text)) {
        let said = parse(&text) + &MACHINE.read(&text);
        assert!(!is_leak(&said), "{said}\n{text}");
    }
});

fn is_leak(text: &str) -> bool {
    CANARY.as_bytes().windows(PIECE).any(|piece| text.contains(str::from_utf8(piece).unwrap()))
}

/// Reads `text` as INI; returns what that says of a mistake.
fn parse(text: &str) -> String {
    let lines: Vec<_> = text.trim_start_matches('\u{feff}').lines().collect();
    match Ini::parse(text) {
        Ok(ini) => {
            for name in ini.names() {
                let section = ini.section(name).unwrap();
                assert_eq!(section.name, name);
                let line = lines[section.line - 1].trim();
                assert!(line.starts_with('[') && line.contains(name), "{line:?} {name:?}");
            }
            String::new()
        }
        Err((line, expected)) => {
            assert!((1..=lines.len()).contains(&line), "{line} of {}", lines.len());
            assert!(expected.starts_with("expected ") && !expected.contains(char::is_control), "{expected}");
            expected
        }
    }
}

static MACHINE: LazyLock<Machine> = LazyLock::new(Machine::new);

/// A machine with one file of credentials, which is in every place where one is looked for, and with no network.
struct Machine {
    runtime: Runtime,
    /// A port that nobody listens at, and nobody else gets.
    _socket: TcpSocket,
    nobody: String,
    home: TempDir,
}

impl Machine {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let socket = runtime.block_on(async { TcpSocket::new_v4() }).unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let nobody = format!("http://{}", socket.local_addr().unwrap());
        let home = TempDir::new().unwrap();
        fs::create_dir(home.path().join(".aliyun")).unwrap();
        Self { runtime, _socket: socket, nobody, home }
    }

    /// What every source says of the file.
    fn read(&self, text: &str) -> String {
        if names_a_file(text) {
            return String::new();
        }
        let path = self.home.path().join(".aliyun").join("config.json");
        fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap();
        let is_quiet = !REACHES_OUT.iter().any(|word| text.contains(word));
        let cli = is_quiet.then(|| {
            let home = self.home.path().to_str().unwrap();
            let context = self.context(&[("HOME", home), ("USERPROFILE", home)]);
            let named = self.runtime.block_on(aliyun::profile(&context, "default").access_key());
            let named = named.map_or_else(|error| shown(&error), |key| format!("{key:?}"));
            named + &self.said(&aliyun::default_chain(&context))
        });
        let ini = self.context(&[("ALIBABA_CLOUD_CREDENTIALS_FILE", path)]);
        let huaweicloud = self.context(&[("HUAWEICLOUD_SDK_CREDENTIALS_FILE", path)]);
        let iam = Endpoint::parse("iam", &self.nobody, false).unwrap();
        [
            cli.unwrap_or_default(),
            self.said(&aliyun::default_chain(&ini)),
            self.said(&huaweicloud::default_chain(&huaweicloud, &iam)),
            self.as_json(path.as_ref()),
        ]
        .concat()
    }

    fn context(&self, variables: &[(&str, &str)]) -> SourceContext {
        let nobody = self.nobody.as_str();
        let everywhere = [
            ("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true"),
            ("RECORD_CALLBACK_ALIYUN_METADATA_ENDPOINT", "http://"),
            ("RECORD_CALLBACK_ALIYUN_STS_ENDPOINT", nobody),
            // No address: it is refused at once.
            ("RECORD_CALLBACK_HUAWEICLOUD_METADATA_ENDPOINT", "http://"),
            ("ALL_PROXY", nobody),
        ];
        let env: FixedEnv = everywhere.iter().chain(variables).copied().collect();
        let (network, retry) = (Network::from_env(&env), RetryPolicy::none());
        SourceContext { env: Arc::new(env), network, retry, ..SourceContext::default() }
    }

    fn said(&self, chain: &CredentialChain) -> String {
        let mut said = String::new();
        for report in self.runtime.block_on(chain.examine()) {
            said += &format!("{report:?}");
            if let Some(Err(Miss::Failed(error) | Miss::Refused(error))) = &report.result {
                said += &shown(error);
            }
        }
        said + &format!("{chain:?}")
    }

    fn as_json(&self, path: &Path) -> String {
        let file = self.runtime.block_on(CredentialFile::read(path.to_owned())).unwrap();
        let read = file.json::<Vec<u8>>().map_or_else(|error| shown(&error), |_| String::new());
        format!("{file:?} {read}")
    }
}

/// Whether a token would be read from a file that is there, and sent to an address of the file's choice.
fn names_a_file(text: &str) -> bool {
    let Ok(ini) = Ini::parse(text) else { return false };
    ini.names()
        .filter_map(|name| ini.section(name)?.get("id_token_file"))
        .any(|path| Path::new(path).exists())
}

/// An error and its causes, of which each has one line.
fn shown(error: &(dyn StdError + 'static)) -> String {
    assert!(!error.to_string().contains(char::is_control), "{error:?}");
    let mut said = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        said += &format!("{error} {error:?} ");
        next = error.source();
    }
    said
}

/// The text with the canary in each value that may be a secret, and in all; also where a value has a line of its own.
fn ini_with_canary(text: &str) -> Vec<String> {
    let lines: Vec<_> = text.lines().collect();
    let secret = |line: &&str| {
        let content = line.trim();
        let at = content.find(['=', ':']).filter(|at| *at > 0 && !content.starts_with(['#', ';', '[']))?;
        let name = content[..at].trim_end().to_lowercase();
        (!PUBLIC.contains(&name.as_str())).then(|| content[..=at].to_owned())
    };
    let places: Vec<_> = lines.iter().enumerate().filter_map(|(i, line)| Some((i, secret(line)?))).collect();
    if places.is_empty() {
        return Vec::new();
    }
    let with = |places: &[(usize, String)], between: &str| {
        let mut lines: Vec<_> = lines.iter().map(|line| (*line).to_owned()).collect();
        for (i, name) in places {
            lines[*i] = format!("{name}{between}{CANARY}");
        }
        lines.join("\n")
    };
    let one_by_one = places.chunks(1).take(MOST_PLACES).map(|place| with(place, "\n "));
    [with(&places, " ")].into_iter().chain(one_by_one).collect()
}

/// The same for JSON, also with values of other types than they should be, and cut short.
fn json_with_canary(text: &str) -> Vec<String> {
    let Ok(tree) = serde_json::from_str::<Value>(text) else { return Vec::new() };
    let mut places = Vec::new();
    find(&tree, String::new(), false, &mut places);
    let with = |places: &[Place], value: &Value| {
        let mut tree = tree.clone();
        for Place { pointer, .. } in places {
            // One above it may have been replaced.
            if let Some(place) = tree.pointer_mut(pointer) {
                *place = value.clone();
            }
        }
        tree.to_string()
    };
    let secrets: Vec<_> = places.iter().filter(|place| place.is_secret).cloned().collect();
    let mut made = vec![with(&secrets, &json!(CANARY))];
    made.push(made[0][..made[0].floor_char_boundary(text.len() % made[0].len())].to_owned());
    let first = text.len() % places.len().max(1);
    for place in places[first..].chunks(1).take(MOST_PLACES) {
        made.push(with(place, &json!([[[CANARY]]])));
        made.push(with(place, &json!({ CANARY: CANARY })));
        if place[0].is_secret {
            made.push(with(place, &json!(format!("expected {CANARY} at line 1"))));
        }
    }
    made
}

/// A value in a tree.
#[derive(Clone)]
struct Place {
    pointer: String,
    /// Whether a text there is not to be shown.
    is_secret: bool,
}

fn find(tree: &Value, pointer: String, is_public: bool, places: &mut Vec<Place>) {
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match tree {
        Value::Object(table) => {
            for (key, value) in table {
                let is_public = PUBLIC.contains(&key.as_str());
                find(value, format!("{pointer}/{}", escaped(key)), is_public, places);
            }
        }
        Value::Array(items) => {
            for (i, value) in items.iter().enumerate() {
                // Fields may be given without their names, in their order: the name of a profile first.
                find(value, format!("{pointer}/{i}"), true, places);
            }
        }
        _ => {}
    }
    places.push(Place { pointer, is_secret: !is_public && !tree.is_array() && !tree.is_object() });
}
