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
    (
        "put",
        &[
            "--notify-url",
            "--on-demand-url",
            "--event",
            "--no-event",
            "--sign",
            "--unsigned",
            "--yes",
            "--dry-run",
        ],
    ),
    ("delete", &["--vendor", "--domain", "--app", "--yes", "--dry-run", "--output"]),
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
    let codes = "Exit codes:\n  0  done\n  1  failed\n  2  usage (drift and plan --detailed-exitcode: something was \
                 found)\n  3  no such config, or no such domain in the account\n  4  refused as unsupported\n  141  nobody reads the output any more\n";
    assert_has(overview.done(), &[codes]);
}

#[test]
fn every_help_fits_into_80_columns() {
    let of_commands = COMMANDS.iter().map(|(command, _)| vec![*command, "--help"]);
    for arguments in of_commands.chain([vec!["--help"], vec!["events", "--help"], vec!["trigger", "--help"]])
    {
        let run = Program::default().run(&arguments);
        for line in run.done().lines() {
            assert!(line.chars().count() <= 80, "{arguments:?}: {line}");
        }
    }
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
