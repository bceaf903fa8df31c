//! put, get, list and delete against both clouds.

use serde_json::{Value, json};

use crate::clouds::{Clouds, MockProcess};
use crate::program::{Program, assert_has};

const DOMAIN: &str = "live.example.com";
const URL: &str = "https://callbacks.example.com/recorded";
const OTHER_URL: &str = "https://callbacks.example.com/elsewhere";
/// 32 characters, which both clouds take.
const KEY: &str = "Sh0wMeNever0Sh0wMeNever0Sh0wMeNe";

/// The program for one cloud of a mock, and what this cloud's answers look like.
struct Cloud {
    program: Program,
    has_ids: bool,
    /// How a config without signing is shown.
    unsigned: Value,
    /// The same for people.
    unsigned_text: &'static str,
    /// What cannot be told after a replacement without signing.
    unconfirmed: Value,
}

fn both(mock: &MockProcess) -> [Cloud; 2] {
    [
        Cloud {
            program: mock.aliyun(),
            has_ids: false,
            unsigned: json!({ "scheme": "disabled", "key": "not_set" }),
            unsigned_text: "disabled (key not_set)",
            unconfirmed: json!([]),
        },
        Cloud {
            program: mock.huaweicloud(),
            has_ids: true,
            // The cloud reports its default scheme and no keys, so nobody can tell.
            unsigned: json!({ "scheme": "hmac_sha256", "key": "hidden" }),
            unsigned_text: "hmac_sha256 or unsigned (key hidden)",
            unconfirmed: json!(["signing.key"]),
        },
    ]
}

impl Cloud {
    /// The program, printing JSON.
    fn json(&self) -> Program {
        self.program.clone().options(&["--output", "json"])
    }

    /// An unsigned config for completed files as it is shown; `id` is the shown one, which is checked here.
    fn shown(&self, url: &str, id: &Value) -> Value {
        let named = id.as_str().is_some_and(|id| !id.is_empty());
        assert!(if self.has_ids { named } else { id.is_null() }, "id: {id}");
        json!({
            "domain": DOMAIN,
            "app": "*",
            "notify_url": url,
            "on_demand_url": null,
            "events": ["file_completed"],
            "signing": self.unsigned,
            "id": id,
        })
    }

    /// The report of a put that found `before` and stored `after`.
    fn report(action: &str, before: &Value, after: &Value, unconfirmed: &Value) -> Value {
        json!({
            "action": action,
            "dry_run": false,
            "before": before,
            "after": after,
            "deviations": [],
            "unconfirmed": unconfirmed,
        })
    }
}

fn put<'a>(domain: &'a str, url: &'a str) -> [&'a str; 5] {
    ["put", "--domain", domain, "--notify-url", url]
}

/// To another URL, without signing, which Huawei Cloud has to be told.
fn changed(url: &str) -> Vec<&str> {
    [&put(DOMAIN, url)[..], &["--unsigned", "--yes"]].concat()
}

/// `domain app` of each listed config.
fn keys(list: &Value) -> Vec<String> {
    let text = |config: &Value, name: &str| config[name].as_str().expect("text").to_owned();
    let key = |config| format!("{} {}", text(config, "domain"), text(config, "app"));
    list.as_array().expect("an array").iter().map(key).collect()
}

#[test]
fn a_config_is_put_read_listed_replaced_and_deleted() {
    let mock = MockProcess::start(&[]);
    for cloud in both(&mock) {
        let program = cloud.json();
        assert_eq!(program.run(&["list"]).json(), json!([]));

        let created = program.run(&put(DOMAIN, URL)).json();
        let id = &created["after"]["id"];
        let shown = cloud.shown(URL, id);
        assert_eq!(created, Cloud::report("created", &Value::Null, &shown, &json!([])));
        assert_eq!(program.run(&["get", "--domain", DOMAIN]).json(), shown);
        assert_eq!(program.run(&["list"]).json(), json!([shown]));

        let changed = program.run(&changed(OTHER_URL)).json();
        let before = shown;
        let shown = cloud.shown(OTHER_URL, id);
        assert_eq!(changed, Cloud::report("updated", &before, &shown, &cloud.unconfirmed));
        assert_eq!(program.run(&["get", "--domain", DOMAIN]).json(), shown);
        assert_eq!(program.run(&["list"]).json(), json!([shown]));

        let deleted = program.run(&["delete", "--domain", DOMAIN, "--yes"]).json();
        let expected =
            json!({ "action": "deleted", "dry_run": false, "domain": DOMAIN, "app": "*", "before": shown });
        assert_eq!(deleted, expected);
        for command in ["get", "delete"] {
            let missing = program.run(&[command, "--domain", DOMAIN]);
            assert_has(missing.failed_with_hint(3), &[DOMAIN, "not found", "create the config first"]);
        }
        assert_eq!(program.run(&["list"]).json(), json!([]));
    }
}

#[test]
fn text_is_for_people_a_field_a_line_and_lists_in_columns() {
    let mock = MockProcess::start(&[]);
    let header = ["DOMAIN", "APP", "NOTIFY URL", "EVENTS", "SIGNING"].join("  ");
    for cloud in both(&mock) {
        let program = &cloud.program;
        assert_eq!(program.run(&["list"]).done().trim_end(), header);

        let created = program.run(&put(DOMAIN, URL));
        assert_has(created.done(), &["+ create ", &format!("  + notify url    {URL}\n"), "\ncreated live"]);
        let got = program.run(&["get", "--domain", DOMAIN]);
        let details = got.done();
        let fields: Vec<&str> = details.lines().map(|line| line[..14].trim_end()).collect();
        let named =
            ["domain", "app", "id", "notify url", "on-demand url", "events", "signing", "created", "updated"];
        assert_eq!(fields, named);
        let signing = cloud.unsigned_text;
        assert_has(details, &[DOMAIN, URL, "file_completed", signing]);

        let list = program.run(&["list"]);
        let rows: Vec<&str> = list.done().lines().collect();
        let columns: Vec<&str> = rows[1].split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        assert_eq!(rows.len(), 2, "{list:?}");
        assert_eq!(columns, [DOMAIN, "*", URL, "file_completed", signing]);

        assert_has(program.run(&changed(OTHER_URL)).done(), &["\nupdated live", OTHER_URL]);
        let deleted = program.run(&["delete", "--domain", DOMAIN, "--yes"]);
        assert_has(deleted.done(), &["- delete ", "\ndeleted live.example.com/*\n"]);
    }
}

#[test]
fn lists_are_sorted_and_can_be_for_one_domain() {
    let mock = MockProcess::start(&[]);
    for cloud in both(&mock) {
        let program = cloud.json();
        for domain in ["b.example.com", "c.example.com", "a.example.com"] {
            program.run(&put(domain, URL)).done();
        }
        let all = program.run(&["list"]).json();
        assert_eq!(keys(&all), ["a.example.com *", "b.example.com *", "c.example.com *"]);
        let one = program.run(&["list", "--domain", "B.example.com."]).json();
        assert_eq!(one, json!([all[1]]));
        assert_eq!(program.run(&["list", "--domain", "d.example.com"]).json(), json!([]));
    }
}

#[test]
fn huaweicloud_keeps_a_named_app_beside_the_one_for_every_app() {
    let mock = MockProcess::start(&[]);
    let program = mock.huaweicloud().options(&["--output", "json"]);
    let on = |domain, app| [&put(domain, URL)[..], &["--app", app]].concat();
    for (domain, app) in [("b.example.com", "live"), (DOMAIN, "vod"), (DOMAIN, "live"), (DOMAIN, "*")] {
        assert_eq!(program.run(&on(domain, app)).json()["action"], "created", "{domain} {app}");
    }
    let all = keys(&program.run(&["list"]).json());
    let (live, vod) = (format!("{DOMAIN} live"), format!("{DOMAIN} vod"));
    assert_eq!(all, ["b.example.com live", &format!("{DOMAIN} *"), &live, &vod]);

    // Without an app it is the one for every app that is meant.
    assert_eq!(program.run(&["get", "--domain", DOMAIN]).json()["app"], "*");
    program.run(&["delete", "--domain", DOMAIN, "--yes"]).done();
    program.run(&["get", "--domain", DOMAIN]).failed_with_hint(3);
    program.run(&["get", "--domain", DOMAIN, "--app", "never"]).failed_with_hint(3);
    assert_eq!(program.run(&["get", "--domain", DOMAIN, "--app", "vod"]).json()["app"], "vod");
    assert_eq!(keys(&program.run(&["list", "--domain", DOMAIN]).json()), [live, vod]);
}

#[test]
fn events_and_the_on_demand_url_are_stored() {
    let mock = MockProcess::start(&[]);
    let aliyun = [
        "recording_started",
        "recording_paused",
        "recording_resumed",
        "recording_failed",
        "file_completed",
        "transcode_failed",
    ];
    let huaweicloud = ["recording_ended", "recording_failed", "file_started"];
    for (program, events) in [(mock.aliyun(), &aliyun[..]), (mock.huaweicloud(), &huaweicloud[..])] {
        let program = program.options(&["--output", "json"]);
        let events_backwards = events.iter().rev().flat_map(|event| ["--event", event]);
        let on_demand = ["--on-demand-url", OTHER_URL];
        let arguments: Vec<&str> =
            put(DOMAIN, URL).into_iter().chain(on_demand).chain(events_backwards).collect();
        program.run(&arguments).done();
        let stored = program.run(&["get", "--domain", DOMAIN]).json();
        assert_eq!(stored["on_demand_url"], OTHER_URL);
        assert_eq!(stored["events"], json!(events));
    }
}

#[test]
fn callbacks_are_signed_with_the_key_of_the_named_variable_which_is_never_shown() {
    let clouds = Clouds::start();
    let (aliyun, huaweicloud) = (clouds.aliyun(), clouds.huaweicloud());
    let stored_key = || {
        let at_aliyun = clouds.aliyun.config(DOMAIN).and_then(|config| config.notify_auth_key);
        at_aliyun.or(clouds.huaweicloud.config(DOMAIN, "*").and_then(|config| config.key))
    };
    for (program, scheme, shown, unconfirmed) in [
        (&aliyun, "md5", json!({ "scheme": "md5", "key": "known" }), json!([])),
        (&huaweicloud, "md5", json!({ "scheme": "md5", "key": "hidden" }), json!(["signing.key"])),
        (
            &huaweicloud,
            "hmac-sha256",
            json!({ "scheme": "hmac_sha256", "key": "hidden" }),
            json!(["signing.key"]),
        ),
    ] {
        // Every run with this program fails when the key shows, whatever the level of logs.
        let program = program.clone().secret("SIGNING_KEY", KEY).options(&["--output", "json", "-vvv"]);
        let sign = ["--sign", scheme, "--key-env", "SIGNING_KEY"];
        let report = program.run(&[&put(DOMAIN, URL)[..], &sign].concat()).json();
        assert_eq!((&report["after"]["signing"], &report["unconfirmed"]), (&shown, &unconfirmed));
        assert_eq!(stored_key().as_deref(), Some(KEY));
        assert_eq!(program.run(&["get", "--domain", DOMAIN]).json()["signing"], shown);
        assert_eq!(program.run(&["list"]).json()[0]["signing"], shown);

        program.run(&changed(URL)).done();
        assert_eq!(stored_key(), None);
        program.run(&["delete", "--domain", DOMAIN, "--yes"]).done();
    }
}

#[test]
fn text_says_what_cannot_be_read_back() {
    let mock = MockProcess::start(&[]);
    let program = mock.huaweicloud().secret("SIGNING_KEY", KEY);
    let sign = ["--sign", "md5", "--key-env", "SIGNING_KEY"];
    let report = program.run(&[&put(DOMAIN, URL)[..], &sign].concat());
    assert_has(report.done(), &["md5 (the given key)", "unconfirmed    signing.key: cannot be read back"]);
}
