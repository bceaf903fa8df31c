//! What `--help` says.

use crate::clouds::{
    ALIYUN_ID, ALIYUN_SECRET, ALIYUN_TOKEN, HUAWEICLOUD_ID, HUAWEICLOUD_PROJECT, HUAWEICLOUD_SECRET,
    HUAWEICLOUD_TOKEN,
};
use crate::program::{Program, assert_has};

/// Every command with some of its options.
const COMMANDS: [(&str, &[&str]); 15] = [
    ("get", &["--vendor", "--domain", "--app", "--output"]),
    ("list", &["--vendor", "--region", "--vpc", "--ca-bundle", "--domain", "--output"]),
    ("put", &["--notify-url", "--on-demand-url", "--event", "--sign", "--key-env", "--fidelity"]),
    ("delete", &["--vendor", "--domain", "--app", "--output"]),
    ("plan", &["--manifest", "--state", "--target", "--detailed-exitcode", "--output"]),
    ("apply", &["--manifest", "--state", "--target", "--yes", "--max-failures", "--parallel", "--output"]),
    ("drift", &["--manifest", "--state", "--target", "--watch", "--metrics-addr", "--output"]),
    (
        "switch",
        &["--to", "--all", "--winner", "--fidelity", "--keep-source", "--resume", "--rollback", "--output"],
    ),
    (
        "import",
        &["--provider", "--domain", "--key-env", "--key-file", "--key-directory", "--dry-run", "--output"],
    ),
    ("status", &["--manifest", "--state", "--output"]),
    ("schema", &[]),
    ("doctor", &["--vendor", "--endpoint", "--region", "--domain", "--output"]),
    ("policy", &["--vendor", "--domain"]),
    ("mock", &["--aliyun-addr", "--huaweicloud-addr", "--domain"]),
    ("demo", &["--output"]),
];

#[test]
fn every_command_explains_itself() {
    let overview = Program::default().run(&["--help"]);
    for (command, options) in COMMANDS {
        assert_has(overview.done(), &[&format!("\n  {command} ")]);
        let run = Program::default().run(&[command, "--help"]);
        assert_has(run.done(), &[&format!("Usage: record-callback {command}")]);
        assert_has(run.done(), options);
        assert_eq!(run.stderr, "");
    }
}

#[test]
fn the_overview_has_the_exit_codes() {
    let overview = Program::default().run(&["--help"]);
    let codes = "Exit codes: 0 done, 1 failed, 2 usage (drift and plan --detailed-exitcode: something was found), \
                 3 not found, 4 refused as unsupported\n";
    assert_has(overview.done(), &[codes]);
}

#[test]
fn the_overview_has_the_variables_that_come_first() {
    let overview = Program::default().run(&["--help"]);
    assert_has(overview.done(), &[ALIYUN_ID, ALIYUN_SECRET, ALIYUN_TOKEN]);
    assert_has(overview.done(), &[HUAWEICLOUD_ID, HUAWEICLOUD_SECRET, HUAWEICLOUD_TOKEN]);
    assert_has(overview.done(), &[HUAWEICLOUD_PROJECT, "docs/credentials.md"]);
}

#[test]
fn the_version_is_the_packages() {
    let run = Program::default().run(&["--version"]);
    assert_eq!(run.done(), concat!("record-callback ", env!("CARGO_PKG_VERSION"), "\n"));
}
