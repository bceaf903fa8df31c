//! Manifests that are refused, the example that is not, and the schema of both.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{Fleet, MATCHES, STATE};
use crate::program::{Program, ROOT, assert_has};

const SCHEMA: &str = "crates/fleet/manifest.schema.json";

fn in_workspace(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_problem_of_a_manifest_is_told_with_its_place() {
    let mut fleet = Fleet::of(MATCHES);
    fleet.write(
        "fleet.toml",
        r#"[providers.ali]
vendor = "aliyn"

[providers.hw]
vendor = "huaweicloud"
regoin = "cn-north-4"

[[callbacks]]
name = "one"
provider = "nowhere"
domain = "live..example.com"
notify_url = "ftp://cb.example.com"
evnts = ["file_completed"]

[[callbacks]]
name = "one"
provider = "hw"
domain = "push.example.com"
notify_url = "https://cb.example.com"
events = ["file_complete"]
signing = { scheme = "md5", key = "Th1sIsTheK3yItself" }
"#,
    );
    fleet.program = fleet.program.secret("THE_KEY", "Th1sIsTheK3yItself");
    fleet.run(&["plan"]);
    for command in [
        &["plan", "--detailed-exitcode"][..],
        &["apply", "--yes"],
        &["drift"],
        &["status", "--output", "json"],
        &["switch", "one", "--to", "hw", "--yes"],
        &["import"],
    ] {
        let code =
            if command.iter().any(|one| ["drift", "--detailed-exitcode"].contains(one)) { 1 } else { 2 };
        assert_eq!(
            fleet.program.run(command).failed(code),
            fleet.program.run(&["plan"]).failed(2),
            "{command:?}"
        );
    }
    fleet.write("fleet.toml", "[providers.ali\nvendor = \"aliyun\"\n");
    fleet.run(&["plan"]);
    fleet.write("fleet.json", "{\n  \"callbacks\": [\n    { \"name\": \"a b\", \"domain\": 1 }\n  ],\n}\n");
    fleet.run(&["plan", "--manifest", "fleet.json"]);
    fleet.write(
        "fleet.json",
        "{\n  \"providers\": {},\n  \"callbacks\": [\n    { \"name\": \"one\", \"domain\": 1 }\n  ]\n}\n",
    );
    fleet.run(&["plan", "--manifest", "fleet.json"]);
    fleet.run(&["plan", "--manifest", "missing.toml"]);
    fleet.is("manifest_problems");
}

#[test]
fn providers_that_cannot_be_connected_are_refused() {
    let mut fleet = Fleet::of(MATCHES);
    let program = fleet.program.clone().without("ALIBABA_CLOUD_ACCESS_KEY_SECRET");
    fleet.run_as(&program, &["plan"]);
    fleet.run_as(&program, &["drift"]);
    fleet.edit("endpoint = \"http://127.0.0.1:", "endpoint = \"http://cloud.example.com:");
    fleet.run(&["apply", "--yes"]);
    fleet.is("manifest_not_connected");
}

#[test]
fn the_example_is_a_manifest() {
    let mut fleet = Fleet::of("");
    fleet.write("fleet.toml", &in_workspace("examples/fleet.toml"));
    fleet.run(&["status"]);
    assert!(fleet.clouds.aliyun.requests().is_empty());
    fleet.is("manifest_of_the_example");
}

#[test]
fn the_schema_in_the_repository_is_the_one_that_is_printed() {
    let printed = Program::default().run(&["schema"]);
    assert_eq!(in_workspace(SCHEMA), printed.done(), "cargo run -- schema >{SCHEMA}");
}

/// What is wrong with `value` by `schema`, of what the schema of manifests has.
fn violations(root: &Value, schema: &Value, value: &Value, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (keyword, rule) in schema.as_object().into_iter().flatten() {
        let one = |schema: &Value| violations(root, schema, value, path);
        let all = || rule.as_array().expect("an array");
        match keyword.as_str() {
            "$ref" => {
                let pointer = rule
                    .as_str()
                    .and_then(|reference| reference.strip_prefix('#'))
                    .expect("a local reference");
                found.extend(one(root.pointer(pointer).expect("a definition")));
            }
            "allOf" => found.extend(all().iter().flat_map(one)),
            "anyOf" | "oneOf" => {
                let fits = all().iter().filter(|schema| one(schema).is_empty()).count();
                if fits == 0 || keyword == "oneOf" && fits > 1 {
                    found.push(format!("{path}: is {fits} of {keyword}"));
                }
            }
            "type" => {
                let is = match value {
                    Value::Null => "null",
                    Value::Bool(_) => "boolean",
                    Value::Number(_) => "integer",
                    Value::String(_) => "string",
                    Value::Array(_) => "array",
                    Value::Object(_) => "object",
                };
                let may_be = rule.as_array().map_or_else(|| vec![rule], |all| all.iter().collect());
                if !may_be.contains(&&Value::from(is)) {
                    found.push(format!("{path}: is {is}, not {rule}"));
                }
            }
            "enum" if !all().contains(value) => found.push(format!("{path}: is none of {rule}")),
            "const" if rule != value => found.push(format!("{path}: is not {rule}")),
            "required" => {
                let missing = all()
                    .iter()
                    .filter_map(Value::as_str)
                    .filter(|key| value.is_object() && value.get(key).is_none());
                found.extend(missing.map(|key| format!("{path}: has no {key}")));
            }
            "properties" | "additionalProperties" => {
                let known = schema["properties"].as_object();
                for (key, value) in value.as_object().into_iter().flatten() {
                    let path = format!("{path}.{key}");
                    let rule = match known.and_then(|known| known.get(key)) {
                        Some(rule) if keyword == "properties" => rule,
                        None if keyword == "additionalProperties" => rule,
                        _ => continue,
                    };
                    if *rule == json!(false) {
                        found.push(format!("{path}: is not known"));
                    }
                    found.extend(violations(root, rule, value, &path));
                }
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    found.extend(violations(root, rule, item, &format!("{path}[{index}]")));
                }
            }
            _ => {}
        }
    }
    found
}

#[test]
fn the_schema_takes_manifests_and_refuses_others() {
    let schema: Value = serde_json::from_str(&in_workspace(SCHEMA)).expect("JSON");
    let violations = |manifest: &Value| violations(&schema, &schema, manifest, "$");
    let example: Value = toml::from_str(&in_workspace("examples/fleet.toml")).expect("TOML");
    assert_eq!(violations(&example), [""; 0]);
    let manifest = json!({
        "$schema": "https://example.com/manifest.schema.json",
        "providers": {
            "ali": { "vendor": "aliyun", "endpoint": "http://127.0.0.1:1", "calls_per_second": 10,
                     "credentials": { "source": "access_key", "id": "id", "secret": "secret" } },
            "vpc": { "vendor": "aliyun", "region": "us-east-1", "vpc": true, "ca_bundle": "ca.pem" },
            "hw": { "vendor": "huaweicloud", "project_id": "p", "ca_bundle": "ca.pem",
                    "credentials": { "source": "environment" } },
        },
        "defaults": { "signing": { "scheme": { "ali": "md5", "hw": "hmac_sha256" }, "key": { "file": "key" } } },
        "callbacks": [
            { "name": "a", "provider": "hw", "domain": { "hw": "push.example.com", "ali": "live.example.com" },
              "app": { "hw": "sports" }, "notify_url": "https://cb.example.com", "events": ["file_completed"],
              "on_demand_url": "https://cb.example.com", "fidelity": "widen",
              "signing": { "scheme": "disabled" } },
        ],
    });
    assert_eq!(violations(&manifest), [""; 0]);

    for (pointer, wrong, found) in [
        ("/callbacks/0/evnts", json!([]), "$.callbacks[0].evnts: is not known"),
        ("/callbacks/0/fidelity", json!("loose"), "$.callbacks[0].fidelity: is none of"),
        ("/callbacks/0/name", Value::Null, "$.callbacks[0]: has no name"),
        ("/callbacks/0/domain", Value::Null, "$.callbacks[0]: has no domain"),
        ("/callbacks/0/domain", json!(1), "$.callbacks[0].domain: is 0 of anyOf"),
        ("/callbacks/0/signing/key", json!("the key itself"), "$.callbacks[0].signing.key: is 0 of oneOf"),
        ("/callbacks/0/signing/scheme", Value::Null, "$.callbacks[0].signing: has no scheme"),
        ("/defaults/name", json!("a"), "$.defaults.name: is not known"),
        ("/providers/hw/vendor", json!("aliyn"), "$.providers.hw: is 0 of oneOf"),
        ("/providers/hw/vendor", Value::Null, "$.providers.hw: is 0 of oneOf"),
        ("/others", json!({}), "$.others: is not known"),
    ] {
        let mut manifest = manifest.clone();
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        let parent = manifest.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object");
        if wrong.is_null() {
            parent.remove(key).expect("it was there");
        } else {
            parent.insert(key.to_owned(), wrong);
        }
        let violations = violations(&manifest);
        assert!(violations.iter().any(|one| one.starts_with(found)), "{found}: {violations:?}");
    }
}

/// Nothing of the kind is waited for, and what a file is instead is said.
#[test]
fn what_is_no_manifest_is_told_to_be_what_it_is() {
    let fleet = Fleet::of(MATCHES);
    let toml = fleet.read("fleet.toml");
    fleet.write("toml.json", &toml);
    fleet.write("receiver.toml", "sink = { kind = 'stdout' }\n[sources.a]\nvendor = 'aliyun'\npath = '/a'\n");
    fleet.program.run(&["apply", "--yes"]).done();
    let pipe = fleet.path("pipe.toml");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
    assert!(made.success());
    for (arguments, problem) in [
        (
            &["plan", "--manifest", "toml.json"][..],
            "is a fleet's manifest in TOML, not a fleet's manifest in JSON",
        ),
        (
            &["plan", "--manifest", "receiver.toml"],
            "is a receiver's configuration in TOML, not a fleet's manifest",
        ),
        (&["plan", "--manifest", STATE], "is a fleet's state in JSON, not a fleet's manifest"),
        (&["plan", "--manifest", "pipe.toml"], "pipe.toml: is a pipe, not a regular file"),
        (&["plan", "--manifest", "/dev/zero"], "/dev/zero: is a device, not a regular file"),
        (&["plan", "--manifest", "."], "is a directory, not a regular file"),
        (&["plan", "--state", "fleet.toml"], "is a fleet's manifest in TOML, not a fleet's state"),
        (
            &["receive", "--config", "fleet.toml"],
            "is a fleet's manifest in TOML, not a receiver's configuration",
        ),
        (&["receive", "--config", "pipe.toml"], "pipe.toml: is a pipe, not a regular file"),
    ] {
        let run = fleet.program.run(arguments);
        assert_has(run.failed(2), &[problem]);
    }
    fleet.write("fleet.toml", &toml.replace("{ env = \"CALLBACK_KEY\" }", "{ file = \"pipe.toml\" }"));
    let blocked = fleet.program.run(&["plan"]);
    assert!(
        blocked.code == Some(1) && blocked.stdout.contains("is a pipe, not a regular file"),
        "{blocked:?}"
    );
}
