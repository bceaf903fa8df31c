//! `put` and `delete` of what a fleet owns.

use std::fs;

use super::{Fleet, MATCHES, STATE};
use crate::program::{Run, assert_has};

const CONFIG: [&str; 2] = ["--domain", "live.example.com"];
const WARNING: &str = "warning: the fleet of record-callback.state.json owns this config as `matches`, and its next `apply` undoes";

fn run(fleet: &Fleet, command: &[&str], vendor: &str, endpoint: &str) -> Run {
    let cloud = ["--vendor", vendor, "--endpoint", endpoint, "--yes"];
    fleet.program.clone().options(&cloud).run(&[command, &CONFIG].concat())
}

#[test]
fn whoever_changes_what_a_fleet_owns_is_warned() {
    let fleet = Fleet::applied(MATCHES);
    let ali = fleet.clouds.aliyun.endpoint();
    let put = ["put", "--notify-url", "https://cb.example.com/other"];
    let warned = run(&fleet, &put, "aliyun", ali);
    warned.done();
    assert_has(&warned.stderr, &[WARNING]);

    // The same domain of another cloud is not what it owns.
    let project = fleet.clouds.huaweicloud.project_id();
    let elsewhere = [&put[..], &["--project-id", project]].concat();
    let silent = run(&fleet, &elsewhere, "huaweicloud", fleet.clouds.huaweicloud.endpoint());
    silent.done();
    assert_eq!(silent.stderr, "");

    fs::rename(fleet.path(STATE), fleet.path(&format!("live.{STATE}"))).expect("a state");
    fs::rename(fleet.path(&format!("{STATE}.journal")), fleet.path(&format!("live.{STATE}.journal")))
        .expect("a journal");
    let warned = run(&fleet, &["delete"], "aliyun", ali);
    assert_has(
        &warned.stderr,
        &["the fleet of live.record-callback.state.json owns this config as `matches`"],
    );
    warned.done();
}

#[test]
fn a_state_that_cannot_be_read_is_no_reason_to_be_silent() {
    let fleet = Fleet::applied(MATCHES);
    fleet.write(STATE, "{}");
    let warned = run(&fleet, &["delete"], "aliyun", fleet.clouds.aliyun.endpoint());
    assert_has(&warned.stderr, &["warning: nobody can tell whether a fleet owns this config: ", STATE]);
    warned.done();
}
