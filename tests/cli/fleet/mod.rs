//! The commands about fleets. What they say is in `snapshots`: each is a story of runs, with what the clouds then had.
//!
//! `INSTA_UPDATE=always cargo test -p record-callback-tests --test cli fleet` writes them anew.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::id;
use std::thread;
use std::time::{Duration, Instant};

use insta::{Settings, assert_snapshot};
use record_callback::fleet::{State, StateFile};
use record_callback_mock::{MockAliyun, MockAliyunBuilder, MockHuaweicloud, MockHuaweicloudBuilder};
use record_callback_tests::{CALLBACK_KEY, FleetClouds, Process};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::program::{PATIENCE, Program, Run};
use crate::variable::aligned;

mod accounts;
mod apply;
mod drift;
mod import;
mod manifest;
mod owned;
mod plan;
mod removal;
mod status;
mod switch;

/// The state, where no other place is said.
const STATE: &str = "record-callback.state.json";
/// A callback that can be on either cloud.
const MATCHES: &str = r#"
[[callbacks]]
name = "matches"
provider = "ali"
domain = { ali = "live.example.com", hw = "push.example.com" }
notify_url = "https://cb.example.com/matches"
"#;
/// One that is on Huawei Cloud.
const TRAINING: &str = r#"
[[callbacks]]
name = "training"
provider = "hw"
domain = "training.example.com"
app = "sports"
notify_url = "https://cb.example.com/training"
"#;

/// Both clouds, a directory with a manifest, the program that runs there, and what was told of it.
struct Fleet {
    clouds: FleetClouds,
    program: Program,
    story: String,
    /// After the clouds: they run on it.
    _runtime: Runtime,
}

impl Fleet {
    /// Clouds that take any domain, and this manifest.
    fn of(callbacks: &str) -> Self {
        Self::on(MockAliyun::builder(), MockHuaweicloud::builder(), callbacks)
    }

    fn on(aliyun: MockAliyunBuilder, huaweicloud: MockHuaweicloudBuilder, callbacks: &str) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let clouds = runtime.block_on(FleetClouds::start_as(aliyun, huaweicloud));
        let program = clouds.environment().iter().fold(Program::default(), |program, (name, value)| {
            // Ids and addresses are no secrets.
            if ["_ID", "_AK", "_ENDPOINT"].iter().any(|end| name.ends_with(end)) {
                program.var(name, value)
            } else {
                program.secret(name, value)
            }
        });
        // For `sh`, which confirms.
        let program = program.var("PATH", "/usr/bin:/bin").within(clouds.directory.path());
        clouds.declare(callbacks);
        Self { clouds, program, story: String::new(), _runtime: runtime }
    }

    /// The same, applied, and nothing told yet.
    fn applied(callbacks: &str) -> Self {
        let this = Self::of(callbacks);
        this.program.run(&["apply", "--yes"]).done();
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.clouds.directory.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a writable directory");
    }

    /// Replaces `from`, which has to be there, in the manifest.
    #[track_caller]
    fn edit(&self, from: &str, to: &str) {
        let text = self.read("fleet.toml");
        assert!(text.contains(from), "`{from}` is missing in:\n{text}");
        self.write("fleet.toml", &text.replace(from, to));
    }

    /// Loses all that is known of what is ours.
    fn lose_state(&self) {
        fs::remove_file(self.path(STATE)).expect("a state");
        fs::remove_file(self.path(&format!("{STATE}.journal"))).expect("a journal");
    }

    /// Holds the state, and says what it was.
    fn hold(&self) -> (StateFile, State) {
        StateFile::open(self.path(STATE)).expect("nobody else has it")
    }

    /// Runs the program and tells of it.
    fn run(&mut self, arguments: &[&str]) -> Run {
        self.run_as(&self.program.clone(), arguments)
    }

    /// The same with another environment.
    fn run_as(&mut self, program: &Program, arguments: &[&str]) -> Run {
        let run = program.run(arguments);
        self.tell_run(arguments, &run);
        run
    }

    /// The program in the background; [`ended`](Self::ended) tells of it.
    fn spawn(&self, arguments: &[&str]) -> Process {
        Process::spawn(self.program.command(arguments))
    }

    /// What became of a process that was started with `arguments`.
    fn ended(&mut self, arguments: &[&str], process: Process) -> Run {
        let run = Run::ended(&format!("{arguments:?}"), process.end());
        self.program.assert_secret(&run);
        self.tell_run(arguments, &run);
        run
    }

    fn tell_run(&mut self, arguments: &[&str], run: &Run) {
        let quoted = arguments
            .iter()
            .map(|one| if one.contains(' ') { format!("'{one}'") } else { (*one).to_owned() });
        let line = quoted.collect::<Vec<_>>().join(" ");
        let Run { code, stdout, stderr, .. } = run;
        let code = code.map_or("a signal".to_owned(), |code| format!("exit code {code}"));
        self.tell(&format!("$ record-callback {line}\n{}", pretty(stdout)));
        if !stderr.is_empty() {
            self.tell(&format!("--- stderr\n{}", in_order(stderr)));
        }
        self.tell(&format!("--- {code}\n"));
    }

    /// Tells `text`, without what differs from run to run.
    fn tell(&mut self, text: &str) {
        let directory = self.clouds.directory.path();
        let real = directory.canonicalize().expect("a directory");
        let text = [real.as_path(), directory]
            .iter()
            .fold(text.to_owned(), |text, path| text.replace(path.to_str().expect("UTF-8"), "DIRECTORY"));
        // The one that holds the state is this one.
        let text = text.replace(&format!("process {}", id()), "process PID");
        self.story += &aligned(&text);
        if !self.story.ends_with('\n') {
            self.story.push('\n');
        }
    }

    /// Tells what the clouds have.
    fn tell_clouds(&mut self) {
        let mut text = "--- the clouds\n".to_owned();
        for config in self.clouds.configs() {
            let key = match config.key.as_str() {
                "" => "no key",
                CALLBACK_KEY => "the key",
                _ => "another key",
            };
            let place = format!("{} {}/{}", config.provider, config.domain, config.app);
            writeln!(text, "{place}: {}, {key}", config.notify_url).expect("text grows");
        }
        self.tell(&text);
    }

    /// Tells what the manifest has below the providers and defaults.
    fn tell_callbacks(&mut self) {
        let text = self.read("fleet.toml");
        let callbacks = text.find("[[callbacks]]").map_or("", |at| &text[at..]);
        self.tell(&format!("--- callbacks of the manifest\n{callbacks}"));
    }

    /// The story is as in the snapshot of this name, and shows no secret.
    #[track_caller]
    fn is(&self, name: &str) {
        self.program.assert_secret(&self.story);
        let mut settings = Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| assert_snapshot!(name, self.story));
    }
}

/// A line of JSON as JSON for people; other text as it is.
fn pretty(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(value) if text.lines().count() == 1 => format!("{value:#}\n"),
        _ => text.to_owned(),
    }
}

/// `text` with lines that come as callbacks end in an order of their own.
fn in_order(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let is_end = |line: &&str| ["done  ", "failed  ", "blocked  "].iter().any(|fate| line.starts_with(fate));
    lines.chunk_by_mut(|one, other| is_end(one) && is_end(other)).for_each(<[&str]>::sort_unstable);
    lines.iter().flat_map(|line| [*line, "\n"]).collect()
}

/// Waits until `condition` holds.
#[track_caller]
fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not come about");
        thread::sleep(Duration::from_millis(5));
    }
}

/// What no test compares with is no snapshot of anything.
#[test]
fn every_snapshot_is_of_a_test() {
    let directory = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/cli/fleet"));
    let files = |directory: &PathBuf| {
        fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path())
    };
    let sources =
        files(&directory).filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let sources: String = sources.map(|path| fs::read_to_string(path).expect("UTF-8")).collect();
    let is_snapshot = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "snap");
    for path in files(&directory.join("snapshots")).filter(is_snapshot) {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("UTF-8");
        assert!(sources.contains(&format!("(\"{name}\"")), "{}", path.display());
    }
}
