//! `docs/credentials.md` says where credentials are looked for: its tables are the sources there are, its settings can be read.

use std::collections::BTreeSet;
use std::path::Path;

use record_callback::{CredentialsConfig, ProviderConfig};
use record_callback_tests::NOBODY;

use crate::markdown::{blocks, tables};
use crate::program::{Program, ROOT};

const DOCUMENT: &str = include_str!("../../docs/credentials.md");

#[test]
fn the_sources_are_those_the_doctor_asks_in_that_order() {
    let program = Program::default().var("HTTPS_PROXY", NOBODY).var("HW_REGION_NAME", "cn-north-4");
    let run = program.run(&["doctor", "--output", "json"]);
    let diagnoses: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    let documented = tables(DOCUMENT).into_iter().filter(|table| table.header[0] == "Source");
    let documented: Vec<Vec<String>> =
        documented.map(|table| table.rows.into_iter().map(|row| row[0].clone()).collect()).collect();
    for (at, sources) in documented.iter().enumerate() {
        let findings = diagnoses[at]["findings"].as_array().expect("findings").iter();
        let asked = findings.filter(|finding| finding["check"] == "credentials");
        let mut asked: Vec<_> = asked.map(|finding| finding["subject"].as_str().expect("a text")).collect();
        assert_eq!(asked.pop(), Some("all sources"));
        assert_eq!(*sources, asked);
    }
    assert_eq!(documented.len(), 2);
}

#[test]
fn every_way_to_configure_credentials_can_be_read() {
    let examples = blocks(DOCUMENT).into_iter().filter(|block| block.language == "toml");
    let mut sources = Vec::new();
    for example in examples {
        let read: Result<CredentialsConfig, _> = toml::from_str(&example.text);
        let source = example.text.split('"').nth(1).unwrap_or_default().to_owned();
        assert!(read.is_ok(), "{source}: {read:?}");
        let more = toml::from_str::<CredentialsConfig>(&format!("{}\nother = 1", example.text));
        assert!(more.is_err(), "{source} takes what it does not know");
        sources.push(source);
    }
    sources.sort_unstable();
    assert_eq!(sources, ["access_key", "default", "environment", "password", "profile", "token"]);
    let config: ProviderConfig = toml::from_str("vendor = 'aliyun'").unwrap();
    let ProviderConfig::Aliyun(config) = config else { panic!("{config:?}") };
    assert!(matches!(config.credentials, CredentialsConfig::Default {}));
}

/// The variables that begin as those of the vendors and our own do, in the code that reads them.
fn variables_in_code() -> BTreeSet<String> {
    const PREFIXES: [&str; 9] = [
        "ALIBABA_CLOUD_",
        "ALIBABACLOUD_",
        "ALICLOUD_",
        "ALIYUN_",
        "HUAWEICLOUD_",
        "HW_",
        "HC_",
        "OS_",
        "RECORD_CALLBACK_",
    ];
    let mut found = BTreeSet::new();
    for directory in ["aliyun", "http", "huaweicloud"] {
        let mut directories = vec![Path::new(ROOT).join("crates").join(directory).join("src")];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                    continue;
                }
                let code = std::fs::read_to_string(path).unwrap();
                let code = code.split("#[cfg(test)]").next().unwrap();
                let quoted = code.split('"').skip(1).step_by(2);
                let is_name = |text: &&str| {
                    PREFIXES.iter().any(|prefix| text.starts_with(prefix))
                        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
                };
                found.extend(quoted.filter(is_name).map(str::to_owned));
            }
        }
    }
    found
}

#[test]
fn every_variable_that_is_read_is_documented() {
    let variables = variables_in_code();
    assert!(variables.len() > 40, "{variables:?}");
    for variable in variables {
        // "The same with … in front."
        let others = ["ALIYUN_", "ALIBABACLOUD_", "ALICLOUD_"];
        let rest = others.iter().find_map(|prefix| variable.strip_prefix(prefix));
        let first = rest.map(|rest| format!("`ALIBABA_CLOUD_{rest}`"));
        let is_there = DOCUMENT.contains(&format!("`{variable}"))
            || first.is_some_and(|first| DOCUMENT.contains(&first));
        assert!(is_there, "docs/credentials.md does not say {variable}");
    }
}

/// The rows of refused variables of Huawei Cloud name nothing that is let pass.
#[test]
fn every_variable_that_is_said_to_be_refused_is() {
    let table = tables(DOCUMENT).into_iter().find(|table| table.header[0] == "Variables").expect("a table");
    let refused = table.rows.iter().filter(|row| row[1].starts_with("refused: Terraform "));
    let names: Vec<_> =
        refused.flat_map(|row| row[0].split(", ")).map(|name| name.trim_matches('`')).collect();
    assert_eq!(names.len(), 9, "{names:?}");
    let program = Program::default()
        .options(&["--vendor", "huaweicloud", "--endpoint", NOBODY, "--project-id", "p"])
        .var("HW_ACCESS_KEY", "key")
        .var("HW_SECRET_KEY", "secret");
    for name in names {
        let run = program.clone().var(name, "another").run(&["list"]);
        assert!(run.failed_with_hint(1).contains(&format!("{name} is set: Terraform ")), "{name}");
    }
}
