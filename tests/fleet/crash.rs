//! The program dies, by SIGKILL, right before and right after each time it makes something durable; whatever it leaves, no
//! callback is without a config, and the same command goes on from there.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Output;
use std::sync::OnceLock;

use record_callback_mock::AliyunConfig;
use record_callback_tests::{FleetClouds, PlacedConfig, compile_preloaded, shown};

const SIGKILL: i32 = 9;
/// More moments than any of the commands has.
const MOST: usize = 400;

/// What dies, and what has to be true then.
pub(super) struct Scenario {
    /// What is applied before, without dying.
    pub(super) before: String,
    /// What is declared then.
    pub(super) after: String,
    /// What dies.
    pub(super) dies: &'static [&'static str],
    /// What goes on from there.
    pub(super) goes_on: &'static [&'static str],
    /// For each callback, its configs of before and after: one of them is always there.
    pub(super) always: Vec<[PlacedConfig; 2]>,
    /// What is there in the end.
    pub(super) end: Vec<PlacedConfig>,
}

pub(super) fn callback(name: &str, provider: &str, domain: &str, url: &str) -> String {
    format!(
        "[[callbacks]]\nname = \"{name}\"\nprovider = \"{provider}\"\ndomain = {domain}\nnotify_url = \"{url}\"\n\n"
    )
}

/// The object that is preloaded, compiled once.
fn preloaded() -> &'static PathBuf {
    static OBJECT: OnceLock<PathBuf> = OnceLock::new();
    OBJECT.get_or_init(|| compile_preloaded(concat!(env!("CARGO_MANIFEST_DIR"), "/fleet/die.c"), "die"))
}

/// What makes the program die at a moment.
fn dies_at(moment: usize) -> [(&'static str, String); 2] {
    let object = preloaded().to_str().expect("a path in UTF-8");
    [("LD_PRELOAD", object.to_owned()), ("DIE_AT", moment.to_string())]
}

/// Whether the program says that there is no switch to go on with.
pub(super) fn is_not_open(output: &Output) -> bool {
    String::from_utf8_lossy(&output.stderr).contains("no switch is open")
}

impl Scenario {
    /// Dies at every moment; says how many there were.
    async fn dies_everywhere(&self) -> usize {
        for moment in 1..MOST {
            let clouds = FleetClouds::start().await;
            clouds.declare(&self.before);
            clouds.done(&["apply", "--yes"]);
            clouds.declare(&self.after);
            let died = clouds.run(self.dies, &dies_at(moment));
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
    fn goes_on(&self, clouds: &FleetClouds, moment: usize) {
        let mut output = clouds.run(self.goes_on, &[]);
        if is_not_open(&output) {
            output = clouds.run(self.dies, &[]);
        }
        assert!(output.status.success(), "moment {moment}: {}", shown(&output));
    }
}

/// An apply that changes, makes, moves and deletes.
pub(super) fn apply() -> Scenario {
    let ali = |url| PlacedConfig::new("ali", "one.example.com", url);
    let hw = |url| PlacedConfig::new("hw", "push.example.com", url);
    let moved = |provider| PlacedConfig::new(provider, "moves.example.com", "http://cb.example.com/moves");
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
        PlacedConfig::new("hw", "new.example.com", "http://cb.example.com/new"),
    ];
    end.sort();
    Scenario {
        before,
        after,
        dies: &["apply", "--yes", "--parallel", "1"],
        goes_on: &["apply", "--yes"],
        always: vec![
            [ali("http://cb.example.com/1"), ali("http://cb.example.com/new-1")],
            [hw("http://cb.example.com/2"), hw("http://cb.example.com/new-2")],
            [moved("ali"), moved("hw")],
        ],
        end,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_goes_on_wherever_it_died() {
    println!("apply died at {} moments", apply().dies_everywhere().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destruction_goes_on_wherever_it_died() {
    let before = [
        callback("one", "ali", "\"one.example.com\"", "http://cb.example.com/1"),
        callback("two", "hw", "\"push.example.com\"", "http://cb.example.com/2"),
        callback("three", "hw", "\"other.example.com\"", "http://cb.example.com/3"),
    ]
    .concat();
    let scenario = Scenario {
        before,
        after: String::new(),
        dies: &["destroy", "--yes", "--max-deletes", "9", "--parallel", "1"],
        goes_on: &["destroy", "--yes", "--max-deletes", "9"],
        always: Vec::new(),
        end: Vec::new(),
    };
    println!("destroy died at {} moments", scenario.dies_everywhere().await);
}

/// Somebody writes their own URL into everything that Aliyun has; these are their configs.
fn meddle(clouds: &FleetClouds) -> Vec<PlacedConfig> {
    for config in clouds.aliyun.configs() {
        let notify_url = format!("http://theirs.example.com/{}", config.domain_name);
        clouds.aliyun.put_config(AliyunConfig { notify_url, ..config });
    }
    clouds.configs().into_iter().filter(|config| config.provider == "ali").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_change_when_it_died_is_left_to_them() {
    let moves =
        |provider| callback("moves", provider, "\"moves.example.com\"", "http://cb.example.com/moves");
    let gone = callback("gone", "ali", "\"gone.example.com\"", "http://cb.example.com/gone");
    let apply = ["apply", "--yes", "--max-deletes", "9", "--parallel", "1"];
    let (mut moments, mut left) = (0, 0);
    for moment in 1..MOST {
        let clouds = FleetClouds::start().await;
        clouds.declare(&[gone.clone(), moves("ali")].concat());
        clouds.done(&["apply", "--yes"]);
        clouds.declare(&moves("hw"));
        let died = clouds.run(&apply, &dies_at(moment));
        let theirs = meddle(&clouds);
        let output = clouds.run(&apply, &[]);
        // With 1 it says that something was left to others.
        assert!(matches!(output.status.code(), Some(0 | 1)), "moment {moment}: {}", shown(&output));
        let mut end = theirs.clone();
        end.push(PlacedConfig::new("hw", "moves.example.com", "http://cb.example.com/moves"));
        end.sort();
        assert_eq!(clouds.configs(), end, "moment {moment}");
        let plan = clouds.run(&["plan", "--detailed-exitcode"], &[]);
        assert!(plan.status.success(), "moment {moment}: {}", shown(&plan));
        left += theirs.len();
        if died.status.signal() != Some(SIGKILL) {
            moments = moment - 1;
            break;
        }
    }
    println!("apply died at {moments} moments, and {left} configs were left to others");
    assert!(moments > 10 && left > 10, "{moments} {left}");
}

/// A callback with a domain on each cloud.
fn both(provider: &str) -> String {
    let domains = "{ ali = \"live.example.com\", hw = \"push.example.com\" }";
    callback("match", provider, domains, "http://cb.example.com/m")
}

fn place(provider: &'static str) -> PlacedConfig {
    let domain = if provider == "ali" { "live.example.com" } else { "push.example.com" };
    PlacedConfig::new(provider, domain, "http://cb.example.com/m")
}

const TO_ALI: &[&str] = &["switch", "match", "--to", "ali", "--yes"];
const TO_HW: &[&str] = &["switch", "match", "--to", "hw", "--yes"];
const RESUME: &[&str] = &["switch", "--resume", "--yes"];
const ROLLBACK: &[&str] = &["switch", "--rollback", "--yes"];

fn switch(from: &'static str, to: &'static str, dies: &'static [&'static str]) -> Scenario {
    Scenario {
        before: both(from),
        after: both(from),
        dies,
        goes_on: RESUME,
        always: vec![[place(from), place(to)]],
        end: vec![place(to)],
    }
}

/// A switch from the first cloud to the second.
pub(super) fn switch_to_huaweicloud() -> Scenario {
    switch("ali", "hw", TO_HW)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_to_huaweicloud_goes_on_wherever_it_died() {
    let moments = switch_to_huaweicloud().dies_everywhere().await;
    println!("the switch to hw died at {moments} moments");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_to_aliyun_goes_on_wherever_it_died() {
    let moments = switch("hw", "ali", TO_ALI).dies_everywhere().await;
    println!("the switch to ali died at {moments} moments");
}

/// Clouds whose switch died at `moment`; none if it did not.
async fn died_switching(moment: usize) -> Option<FleetClouds> {
    let clouds = FleetClouds::start().await;
    clouds.declare(&both("ali"));
    clouds.done(&["apply", "--yes"]);
    let switched = clouds.run(TO_HW, &dies_at(moment));
    (switched.status.signal() == Some(SIGKILL)).then_some(clouds)
}

#[track_caller]
fn is_undone(clouds: &FleetClouds) {
    assert_eq!(clouds.configs(), [place("ali")]);
    let plan = clouds.run(&["plan", "--detailed-exitcode"], &[]);
    assert!(plan.status.success(), "{}", shown(&plan));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_is_undone_wherever_it_died() {
    let mut undone = 0;
    for moment in 1..MOST {
        let Some(clouds) = died_switching(moment).await else { break };
        let rollback = clouds.run(ROLLBACK, &[]);
        if rollback.status.success() {
            is_undone(&clouds);
            undone += 1;
        } else {
            // It had not begun, or was over.
            assert!(is_not_open(&rollback), "moment {moment}: {}", shown(&rollback));
            assert_eq!(clouds.configs().len(), 1, "moment {moment}");
        }
    }
    println!("{undone} switches that died were undone");
    assert!(undone > 5, "{undone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_goes_on_wherever_it_died() {
    // While both configs are there, most is left to be undone.
    let mut switched = 0;
    for moment in 1..MOST {
        let clouds = died_switching(moment).await.expect("it dies with both configs there");
        if clouds.configs().len() == 2 {
            switched = moment;
            break;
        }
    }
    for moment in 1..MOST {
        let clouds = died_switching(switched).await.expect("it dies there again");
        let died = clouds.run(ROLLBACK, &dies_at(moment));
        let left = clouds.configs();
        assert!(left.contains(&place("ali")) || left.contains(&place("hw")), "moment {moment}: {left:#?}");
        if died.status.signal() != Some(SIGKILL) {
            assert!(died.status.success(), "moment {moment}: {}", shown(&died));
            is_undone(&clouds);
            println!("the rollback died at {} moments", moment - 1);
            return;
        }
        let rollback = clouds.run(ROLLBACK, &[]);
        assert!(rollback.status.success() || is_not_open(&rollback), "moment {moment}: {}", shown(&rollback));
        is_undone(&clouds);
    }
    panic!("there is no end of moments");
}
