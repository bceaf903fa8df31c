//! The README does what it says: its commands run, its configs parse, its tables are those of the code.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio, id};
use std::time::Duration;

use record_callback::{
    Capabilities, DomainRole, EventKind, EventSupport, OnDemandSupport, ProviderConfig, RecordCallbackConfig,
    aliyun, huaweicloud,
};

use crate::markdown::{Block, Table, blocks, tables};
use crate::program::{Program, ROOT, assert_has, wait};
use crate::variable::words;

/// Every language a block may have; each is checked in its way below.
const LANGUAGES: [&str; 5] = ["sh", "toml", "json", "rust", "text"];
/// The command that runs all tests, these included, so it is not run from here.
const ALL_TESTS: &str = "tests/run";
/// Variables that could lead a command of the README to a real account.
const OF_ACCOUNTS: [&str; 2] = ["ALIBABA_CLOUD_", "HUAWEICLOUD_SDK_"];
/// Commands may build the workspace first.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

fn in_workspace(path: &str) -> PathBuf {
    Path::new(ROOT).join(path)
}

fn file(path: &str) -> String {
    fs::read_to_string(in_workspace(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn readme() -> String {
    file("README.md")
}

fn blocks_in(language: &str) -> impl Iterator<Item = Block> {
    blocks(&readme()).into_iter().filter(move |block| block.language == language)
}

fn runs_all_tests(block: &Block) -> bool {
    block.text.contains(ALL_TESTS)
}

#[test]
fn every_block_is_in_a_language_that_is_checked() {
    for Block { language, line, .. } in blocks(&readme()) {
        assert!(LANGUAGES.contains(&language.as_str()), "line {line}: `{language}` is none of {LANGUAGES:?}");
    }
}

#[test]
fn shell_blocks_run_and_print_what_the_text_blocks_after_them_say() {
    let blocks = blocks(&readme());
    let runnable: Vec<&Block> =
        blocks.iter().filter(|block| block.language == "sh" && !runs_all_tests(block)).collect();
    let printed = run_in_one_shell(&runnable);
    for (before, block) in blocks.iter().zip(&blocks[1..]).filter(|(_, block)| block.language == "text") {
        let of = runnable.iter().position(|runnable| runnable.line == before.line);
        let Some(of) = of else { panic!("line {}: no shell block right before prints this", block.line) };
        assert_eq!(normalised(&printed[of]), normalised(&block.text), "line {}", block.line);
    }
    assert!(
        blocks.first().is_none_or(|first| first.language != "text"),
        "nothing before prints the first block"
    );
}

#[test]
fn the_command_that_runs_all_tests_is_the_one_of_the_ci() {
    assert!(
        blocks_in("sh").any(|block| runs_all_tests(&block)),
        "the README does not say how to run all tests"
    );
    let mode = fs::metadata(in_workspace(ALL_TESTS)).expect("the script is there").permissions().mode();
    assert_ne!(mode & 0o111, 0, "{ALL_TESTS} is not executable");
    assert_has(&file(".ci/run"), &[ALL_TESTS]);
}

#[test]
fn toml_blocks_are_what_they_look_like() {
    for Block { text, line, .. } in blocks_in("toml") {
        let table: toml::Table = toml::from_str(&text).unwrap_or_else(|error| panic!("line {line}: {error}"));
        let problem = if table.contains_key("vendor") {
            toml::from_str::<ProviderConfig>(&text).err()
        } else if table.contains_key("notify_url") {
            toml::from_str::<RecordCallbackConfig>(&text).err()
        } else {
            None
        };
        assert!(problem.is_none(), "line {line}: {problem:?}");
    }
}

#[test]
fn json_blocks_parse() {
    for Block { text, line, .. } in blocks_in("json") {
        let parsed = serde_json::from_str::<serde_json::Value>(&text);
        assert!(parsed.is_ok(), "line {line}: {parsed:?}");
    }
}

/// A block with attributes, such as `rust,ignore`, is in a language of its own, which is refused above.
#[test]
fn rust_blocks_are_tests_of_the_documentation() {
    if blocks_in("rust").next().is_some() {
        assert_has(&file("crates/record-callback/src/lib.rs"), &[r#"include_str!("../../../README.md")"#]);
    }
}

#[test]
fn the_capability_table_is_what_the_providers_say() {
    let table = table_where(|table| table.header.first().is_some_and(|name| name == "Capability"));
    for (column, capabilities) in
        [("Aliyun", &*aliyun::CAPABILITIES), ("Huawei Cloud", &*huaweicloud::CAPABILITIES)]
    {
        let column = table.header.iter().position(|name| name == column).expect("a column for each vendor");
        let rows = table.rows.iter().map(|row| (row[0].clone(), row[column].replace('`', "")));
        let rows_by_name: BTreeMap<_, _> = rows.collect();
        assert_eq!(rows_by_name, expected_rows(capabilities));
        assert_eq!(rows_by_name.len(), table.rows.len(), "a row is there twice");
    }
}

#[test]
fn the_exit_codes_are_those_of_the_help() {
    let help = Program::default().run(&["--help"]);
    let (_, codes) = help.done().split_once("Exit codes:\n").expect("exit codes");
    let of_help: Vec<[&str; 2]> =
        codes.lines().map(|code| code.trim().split_once("  ").expect("code and meaning").into()).collect();
    let table =
        table_where(|table| table.rows.iter().any(|row| row.starts_with(&["0".into(), "done".into()])));
    let of_readme: Vec<[&str; 2]> = table.rows.iter().map(|row| [row[0].as_str(), row[1].as_str()]).collect();
    assert_eq!(of_readme, of_help);
}

fn table_where(wanted: impl Fn(&Table) -> bool) -> Table {
    tables(&readme()).into_iter().find(wanted).expect("the README has this table")
}

/// The rows of the capability table: name and a vendor's value, without backticks.
fn expected_rows(capabilities: &Capabilities) -> BTreeMap<String, String> {
    let Capabilities { domain_role, named_apps, events, signing, on_demand_url, ids, list_page } =
        capabilities;
    let yes_or_no = |value: &bool| if *value { "yes" } else { "no" }.to_owned();
    let schemes: Vec<String> = signing.schemes.iter().map(ToString::to_string).collect();
    let domain = match domain_role {
        DomainRole::Streaming => "streaming",
        DomainRole::Ingest => "ingest",
    };
    let on_demand = match on_demand_url {
        OnDemandSupport::Documented => "yes",
        OnDemandSupport::Undocumented => "sent, unverified",
        OnDemandSupport::Unsupported => "no",
    };
    let rows = [
        ("Domain", domain.to_owned()),
        ("App", if *named_apps { "* and named" } else { "* only" }.to_owned()),
        ("Config ids", yes_or_no(ids)),
        ("Listing", list_page.map_or("domain by domain".to_owned(), |page| format!("{page} a call"))),
        ("On-demand URL", on_demand.to_owned()),
        ("Signing schemes", schemes.join(", ")),
        ("Signing key length", format!("{}–{}", signing.key_length.start(), signing.key_length.end())),
        ("Signing key readable", yes_or_no(&signing.key_readable)),
    ];
    let events = EventKind::known().map(|kind| (format!("`{kind}`"), switched(events, &kind).to_owned()));
    rows.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(events).collect()
}

/// How one gets `kind`.
fn switched(events: &EventSupport, kind: &EventKind) -> &'static str {
    if events.always.contains(kind) {
        "always"
    } else if events.selectable.contains(kind) {
        "one by one"
    } else if events.groups.iter().any(|group| group.contains(kind)) {
        "with the group"
    } else {
        "no"
    }
}

/// What each block prints when all run in the workspace, in one shell, one after the other.
fn run_in_one_shell(blocks: &[&Block]) -> Vec<String> {
    let scratch = Scratch::new();
    let printed = |number: usize| fs::read_to_string(scratch.0.join(number.to_string()));
    let redirected =
        |(number, block): (usize, &&Block)| format!("exec >\"$SCRATCH/{number}\" 2>&1\n{}", block.text);
    let script: String = blocks.iter().enumerate().map(redirected).collect();

    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", &script])
        .current_dir(ROOT)
        .env("SCRATCH", &scratch.0)
        // Blocks may name what cargo builds where it does so by default.
        .env_remove("CARGO_TARGET_DIR")
        .stdin(Stdio::null())
        .stdout(File::create(scratch.0.join("stdout")).expect("a writable target directory"))
        .stderr(File::create(scratch.0.join("stderr")).expect("a writable target directory"))
        .process_group(0);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| OF_ACCOUNTS.iter().any(|prefix| name.starts_with(prefix))) {
            bash.env_remove(name);
        }
    }
    let mut group = Group(bash.spawn().expect("bash runs"));
    let status = wait(&mut group.0, PATIENCE);
    drop(group);

    let ran: Vec<String> = (0..blocks.len()).map_while(|number| printed(number).ok()).collect();
    if !status.success() {
        let last = ran.len() - 1;
        panic!("line {}: {status}\n{}\nprinted:\n{}", blocks[last].line, blocks[last].text, ran[last]);
    }
    ran
}

/// A process and all it started in the background; killed together when dropped.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.0.wait();
    }
}

/// A directory of this run's own, removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("readme-{}", id()));
        fs::create_dir_all(&path).expect("a writable target directory");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The words of each line, with what differs from run to run replaced, and without cargo's progress.
fn normalised(text: &str) -> Vec<String> {
    let lines = text.trim_matches('\n').lines().filter(|line| !is_progress_of_cargo(line));
    lines.map(words).collect()
}

/// `   Compiling …`: a capitalised word that ends in the twelfth column.
fn is_progress_of_cargo(line: &str) -> bool {
    let Some((verb, _)) = line.split_at_checked(12) else { return false };
    let word = verb.trim_start();
    verb.starts_with(' ')
        && line[12..].starts_with(' ')
        && word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.chars().all(|c| c.is_ascii_alphabetic())
}

#[test]
fn progress_of_cargo_is_left_out() {
    let printed = "   Compiling record-callback-cli v0.1.0\nlive.example.com  hmac_sha256\n\n";
    assert_eq!(normalised(printed), ["live.example.com hmac_sha256"]);
}
