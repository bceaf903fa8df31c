//! Where access keys come from, on both clouds: files, services that issue keys, and what is said of them.

mod aliyun;
mod hostile;
mod huaweicloud;
mod values;

use std::fs;
use std::path::Path;

use record_callback::Diagnosis;
use record_callback::http::doctor::Finding;
use record_callback::http::{
    CredentialChain, CredentialFile, CredentialSource, Endpoint, Ini, Lease, Miss, Network, Renewed,
    SourceContext, SourceReport, SystemClock,
};
use record_callback_mock::{Fault, FaultKind, Faults};

use super::*;

/// Of an identity provider whose tokens nobody accepts.
const ID_TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4ZzdWcTJLbVR3In0.Zt5Rb8WqYx2Ns6Kd";
const POD_TOKEN: &str = "pY4mVt8Zc2WqJn6RxGk0SbLd";
/// Of a metadata service.
const METADATA_TOKEN: &str = "uH3vXr9Qk5TzCm1WfBj7NyPa";
const PROXY_PASSWORD: &str = "eF6wKs2MzRt9YbVx4QhJ";
/// Given to whoever may assume a role of somebody else's account.
const EXTERNAL_ID: &str = "aV8nTq3XwZk6LcPr1DgM";
/// An argument of a program that prints keys.
const ARGUMENT: &str = "iN5tHy0BvGz8XdQm2RsW";

fn canaries() -> Secrets {
    let mut secrets = super::canaries();
    for (name, secret) in [
        ("id token", ID_TOKEN),
        ("pod token", POD_TOKEN),
        ("metadata token", METADATA_TOKEN),
        ("proxy password", PROXY_PASSWORD),
        ("external id", EXTERNAL_ID),
        ("argument of a program", ARGUMENT),
    ] {
        secrets.add(name, secret);
    }
    secrets.know_token(METADATA_TOKEN);
    secrets
}

fn watched(scenario: impl AsyncFnOnce(&mut Shown, &mut Secrets)) {
    secrets::watched(canaries(), scenario);
}

fn watched_with(expected: &[&str], scenario: impl AsyncFnOnce(&mut Shown, &mut Secrets)) {
    secrets::watched_with(expected, canaries(), scenario);
}

type Variables = Vec<(&'static str, String)>;

/// A way to get keys: the variables that say so.
struct Way {
    name: &'static str,
    variables: Variables,
    /// The profile of the command line that it is, if it is one.
    profile: Option<&'static str>,
}

impl Way {
    fn new(name: &'static str, variables: Variables) -> Self {
        Self { name, variables, profile: None }
    }

    fn env(&self) -> FixedEnv {
        self.variables.iter().cloned().collect()
    }

    fn context(&self) -> SourceContext {
        let env = self.env();
        let network = Network::from_env(&env);
        SourceContext { env: Arc::new(env), network, retry: few_attempts(), ..SourceContext::default() }
    }
}

/// Writes a file that only its owner reads, and returns its path.
fn write(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Variables that have the same value but for a part of their names.
fn same<const N: usize>(names: [&'static str; N], value: &str) -> [(&'static str, String); N] {
    names.map(|name| (name, value.to_owned()))
}

/// Asks for a key, twice, and shows all there is to it; learns the secrets of the key.
async fn ask(
    what: &str,
    provider: &dyn CredentialProvider,
    shown: &mut Shown,
    secrets: &mut Secrets,
) -> Option<Arc<AccessKey>> {
    let key = shown.result(what, provider.access_key().await);
    if let Some(key) = &key {
        secrets.add("issued secret", key.expose_secret());
        key.expose_security_token().iter().for_each(|token| secrets.add("issued security token", token));
        shown.text(what, key.origin().unwrap());
    }
    for report in provider.examine().await {
        shown.debug(what, &report);
        if let Some(Err(miss)) = &report.result {
            shown.text(what, miss.to_string());
            if let Miss::Failed(error) | Miss::Refused(error) = miss {
                shown.error(what, error);
            }
        }
    }
    shown.debug(what, provider);
    key
}

/// What a doctor found, as it is shown to people and to programs.
fn show_findings(what: &str, findings: Vec<Finding>, shown: &mut Shown) {
    assert!(!findings.is_empty());
    shown.debug(what, &findings);
    let diagnosis = Diagnosis { vendor: "vendor", place: "place".into(), findings };
    shown.debug(what, &diagnosis);
    shown.text(what, serde_json::to_string(&diagnosis).unwrap());
}

/// Every way in which an exchange goes wrong without anybody waiting for it.
fn every_fault() -> Vec<FaultKind> {
    let media_type = "text/html".to_owned();
    let location = format!("http://127.0.0.1:1/{HEADER}");
    vec![
        FaultKind::Reset,
        FaultKind::ResetInRequest,
        FaultKind::Status { status: 500, retry_after: None },
        FaultKind::Redirect { status: 302, location },
        FaultKind::Page { status: 200 },
        FaultKind::Page { status: 502 },
        FaultKind::Denied,
        FaultKind::Unavailable,
        FaultKind::TokenExpired,
        FaultKind::CloseInAnswer,
        FaultKind::ResetInAnswer,
        FaultKind::Truncate,
        FaultKind::Garble,
        FaultKind::MediaType { media_type },
        FaultKind::Twice,
    ]
}

/// Lets a kind of fault strike all exchanges of these services.
fn strike(services: &[&Faults], kind: &FaultKind) {
    for faults in services {
        faults.clear();
        faults.add(Fault::new(kind.clone()).until_cleared());
    }
}
