//! The program dies, by SIGKILL, right before and right after each time it makes something durable; whatever it leaves, no
//! callback is without a config, and the same command goes on from there.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::clouds::{Clouds, Config, shown};

const SIGKILL: i32 = 9;
/// More moments than any of the commands has.
const MOST: usize = 400;

/// What dies, and what has to be true then.
struct Scenario {
    /// What is applied before, without dying.
    before: &'static str,
    /// What is declared then.
    after: &'static str,
    /// What dies.
    dies: &'static [&'static str],
    /// What goes on from there.
    goes_on: &'static [&'static str],
    /// For each callback, its configs of before and after: one of them is always there.
    always: Vec<[Config; 2]>,
    /// What is there in the end.
    end: Vec<Config>,
}

fn callback(name: &str, provider: &str, domain: &str, url: &str) -> String {
    format!(
        "[[callbacks]]\nname = \"{name}\"\nprovider = \"{provider}\"\ndomain = {domain}\nnotify_url = \"{url}\"\n\n"
    )
}

/// The object that is preloaded, compiled once.
fn preloaded() -> &'static PathBuf {
    static OBJECT: OnceLock<PathBuf> = OnceLock::new();
    OBJECT.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/fleet/die.c");
        let object = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("die.so");
        let compiled = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&object).arg(source);
        let compiled = compiled.arg("-ldl").status().expect("a C compiler runs");
        assert!(compiled.success(), "{compiled}");
        object
    })
}

impl Scenario {
    /// Dies at every moment; says how many there were.
    async fn dies_everywhere(&self) -> usize {
        for moment in 1..MOST {
            let clouds = Clouds::start().await;
            clouds.declare(self.before);
            clouds.done(&["apply", "--yes"]);
            clouds.declare(self.after);
            let object = preloaded().to_str().expect("a path in UTF-8");
            let variables = [("LD_PRELOAD", object), ("DIE_AT", &moment.to_string())];
            let died = clouds.run(self.dies, &variables);
            let left = clouds.configs();
            for either in &self.always {
                assert!(either.iter().any(|config| left.contains(config)), "moment {moment}: {left:#?}");
            }
            let ended = died.status.signal() != Some(SIGKILL);
            if ended {
                assert!(died.status.success(), "moment {moment}: {}", shown(&died));
            } else {
                self.goes_on(&clouds, moment);
            }
            assert_eq!(clouds.configs(), self.end, "moment {moment}");
            let plan = clouds.run(&["plan", "--detailed-exitcode"], &[]);
            assert!(plan.status.success(), "moment {moment}: {}", shown(&plan));
            if ended {
                return moment - 1;
            }
        }
        panic!("there is no end of moments");
    }

    /// What died goes on, or is begun again where it had not begun yet.
    fn goes_on(&self, clouds: &Clouds, moment: usize) {
        let mut output = clouds.run(self.goes_on, &[]);
        let begun = |output: &std::process::Output| {
            !String::from_utf8_lossy(&output.stderr).contains("no switch")
        };
        if !begun(&output) {
            output = clouds.run(self.dies, &[]);
        }
        assert!(output.status.success(), "moment {moment}: {}", shown(&output));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_goes_on_wherever_it_died() {
    let ali = |url| Config::new("ali", "one.example.com", url);
    let hw = |url| Config::new("hw", "push.example.com", url);
    let moved = |provider| Config::new(provider, "moves.example.com", "http://cb.example.com/moves");
    let before = [
        callback("one", "ali", "\"one.example.com\"", "http://cb.example.com/1"),
        callback("two", "hw", "\"push.example.com\"", "http://cb.example.com/2"),
        callback("gone", "ali", "\"gone.example.com\"", "http://cb.example.com/gone"),
        callback("moves", "ali", "\"moves.example.com\"", "http://cb.example.com/moves"),
    ]
    .concat();
    let after = [
        callback("one", "ali", "\"one.example.com\"", "http://cb.example.com/new-1"),
        callback("two", "hw", "\"push.example.com\"", "http://cb.example.com/new-2"),
        callback("moves", "hw", "\"moves.example.com\"", "http://cb.example.com/moves"),
        callback("new", "hw", "\"new.example.com\"", "http://cb.example.com/new"),
    ]
    .concat();
    let mut end = vec![
        ali("http://cb.example.com/new-1"),
        hw("http://cb.example.com/new-2"),
        moved("hw"),
        Config::new("hw", "new.example.com", "http://cb.example.com/new"),
    ];
    end.sort();
    let scenario = Scenario {
        before: Box::leak(before.into_boxed_str()),
        after: Box::leak(after.into_boxed_str()),
        dies: &["apply", "--yes"],
        goes_on: &["apply", "--yes"],
        always: vec![
            [ali("http://cb.example.com/1"), ali("http://cb.example.com/new-1")],
            [hw("http://cb.example.com/2"), hw("http://cb.example.com/new-2")],
            [moved("ali"), moved("hw")],
        ],
        end,
    };
    println!("apply died at {} moments", scenario.dies_everywhere().await);
}

/// A callback with a domain on each cloud.
fn both(provider: &str) -> String {
    callback("match", provider, "{ ali = \"live.example.com\", hw = \"push.example.com\" }", "http://cb.example.com/m")
}

fn place(provider: &'static str) -> Config {
    let domain = if provider == "ali" { "live.example.com" } else { "push.example.com" };
    Config::new(provider, domain, "http://cb.example.com/m")
}

async fn switch(from: &'static str, to: &'static str, goes_on: &'static [&'static str], ends: &'static str) -> usize {
    let declared: &'static str = Box::leak(both(from).into_boxed_str());
    let dies: &'static [&'static str] = match to {
        "ali" => &["switch", "match", "--to", "ali", "--yes"],
        _ => &["switch", "match", "--to", "hw", "--yes"],
    };
    let scenario = Scenario {
        before: declared,
        after: declared,
        dies,
        goes_on,
        always: vec![[place(from), place(to)]],
        end: vec![place(ends)],
    };
    scenario.dies_everywhere().await
}

const RESUME: &[&str] = &["switch", "--resume", "--yes"];

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_to_huaweicloud_goes_on_wherever_it_died() {
    println!("the switch died at {} moments", switch("ali", "hw", RESUME, "hw").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_to_aliyun_goes_on_wherever_it_died() {
    println!("the switch died at {} moments", switch("hw", "ali", RESUME, "ali").await);
}
