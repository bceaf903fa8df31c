//! Fleets of one directory know of each other: what one owns another neither claims nor creates by mistake.

use std::fs;
use std::process::Output;

use record_callback_tests::{FleetClouds, command, shown};

const CALLBACKS: &str = "[[callbacks]]\nname = \"one\"\nprovider = \"ali\"\ndomain = \"one.example.com\"\n\
                         notify_url = \"https://cb.example.com/1\"\n\n\
                         [[callbacks]]\nname = \"two\"\nprovider = \"hw\"\ndomain = \"two.example.com\"\n\
                         notify_url = \"https://cb.example.com/2\"\n";

/// Two manifests, the second with these callbacks.
struct Siblings(FleetClouds);

impl Siblings {
    async fn start(second: &str) -> Self {
        let clouds = FleetClouds::start().await;
        clouds.declare(CALLBACKS);
        clouds.done(&["apply", "--yes"]);
        fs::write(clouds.directory.path().join("second.toml"), clouds.manifest_of(second))
            .expect("a manifest");
        Self(clouds)
    }

    fn second(&self, arguments: &[&str]) -> Output {
        let path = self.0.directory.path().join("second.toml");
        let mut command = command();
        command.args(arguments).arg("--manifest").arg(path).envs(self.0.environment());
        command.output().expect("the program runs")
    }
}

#[track_caller]
fn assert_refused(output: &Output, problems: &[&str]) {
    assert!(!output.status.success(), "{}", shown(output));
    for problem in problems {
        assert!(shown(output).contains(problem), "`{problem}` is not in {}", shown(output));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_fleet_owns_is_imported_only_by_taking_it_over() {
    let fleets = Siblings::start("").await;
    let clouds = &fleets.0;
    let before = clouds.configs();
    let manifest = fs::read_to_string(clouds.directory.path().join("second.toml")).expect("a manifest");
    let import = ["import", "--key-env", "CALLBACK_KEY"];
    for dry_run in [&["--dry-run"][..], &[]] {
        let refused = fleets.second(&[&import[..], dry_run].concat());
        assert_refused(
            &refused,
            &["callback `one` of the fleet in record-callback.state.json", "--take-over"],
        );
    }
    let now = fs::read_to_string(clouds.directory.path().join("second.toml")).expect("a manifest");
    assert_eq!(now, manifest);
    // The first keeps what it has.
    clouds.done(&["plan", "--detailed-exitcode"]);

    let taken = fleets.second(&[&import[..], &["--take-over"]].concat());
    assert!(taken.status.success(), "{}", shown(&taken));
    let plan = clouds.run(&["plan", "--detailed-exitcode"], &[]);
    let winner = "is lost to callback `one.example.com` of the fleet in second.record-callback.state.json";
    assert_refused(&plan, &["lost to another fleet", winner]);
    assert_refused(&clouds.run(&["apply", "--yes"], &[]), &["lost to another fleet"]);
    assert_eq!(clouds.configs(), before);
    // Taken out of its manifest, they are forgotten and not deleted.
    clouds.declare("");
    let plan = clouds.run(&["plan", "--detailed-exitcode"], &[]);
    assert_eq!(plan.status.code(), Some(2), "{}", shown(&plan));
    assert!(shown(&plan).contains(winner), "{}", shown(&plan));
    assert_eq!(clouds.run(&["apply", "--yes"], &[]).status.code(), Some(1));
    clouds.done(&["plan", "--detailed-exitcode"]);
    assert_eq!(clouds.configs(), before);
    // They are the second's.
    fs::write(clouds.directory.path().join("second.toml"), manifest).expect("a manifest");
    let applied = fleets.second(&["apply", "--yes", "--max-deletes", "2"]);
    assert!(applied.status.success(), "{}", shown(&applied));
    assert!(clouds.configs().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_lost_can_be_taken_back() {
    let fleets = Siblings::start("").await;
    let import = ["import", "--key-env", "CALLBACK_KEY", "--take-over"];
    assert!(fleets.second(&import).status.success());
    fleets.0.done(&import);
    fleets.0.done(&["plan", "--detailed-exitcode"]);
    assert_refused(&fleets.second(&["plan"]), &["lost to another fleet"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_fleet_owns_is_not_created() {
    let fleets = Siblings::start(CALLBACKS).await;
    let clouds = &fleets.0;
    // Somebody deleted it; it is the first's all the same.
    clouds.aliyun.remove_config("one.example.com").expect("a config");
    let reason = "it belongs to callback `one` of the fleet in record-callback.state.json";
    assert_refused(&fleets.second(&["plan"]), &[reason]);
    assert_refused(&fleets.second(&["apply", "--yes"]), &[reason]);
    assert!(clouds.aliyun.configs().is_empty());
    clouds.done(&["apply", "--yes"]);
    assert_eq!(clouds.aliyun.configs().len(), 1);
}

/// A state from before the take-over says that the config is still this fleet's.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_state_deletes_nothing_of_another_fleet() {
    let fleets = Siblings::start("").await;
    let clouds = &fleets.0;
    let before = clouds.configs();
    let state = clouds.directory.path().join("record-callback.state.json");
    let earlier = fs::read(&state).expect("a state");
    let taken = fleets.second(&["import", "--key-env", "CALLBACK_KEY", "--take-over"]);
    assert!(taken.status.success(), "{}", shown(&taken));
    fs::write(&state, earlier).expect("a state");
    fs::remove_file(clouds.directory.path().join("record-callback.state.json.journal")).expect("a journal");
    clouds.declare("");
    let applied = clouds.run(&["apply", "--yes", "--max-deletes", "9"], &[]);
    assert!(shown(&applied).contains("another manifest took it over"), "{}", shown(&applied));
    assert_eq!(clouds.configs(), before);
}

/// Each looks while the other has noted nothing yet.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_imports_at_a_time_one_is_refused() {
    let fleets = Siblings::start("").await;
    let clouds = &fleets.0;
    let state = clouds.directory.path().join("record-callback.state.json");
    clouds.declare("");
    for suffix in ["", ".journal", ".lock"] {
        let mut path = state.clone().into_os_string();
        path.push(suffix);
        fs::remove_file(path).expect("a state");
    }
    let import = ["import", "--key-env", "CALLBACK_KEY"];
    let (first, second) = std::thread::scope(|scope| {
        let second = scope.spawn(|| fleets.second(&import));
        (clouds.run(&import, &[]), second.join().expect("it ends"))
    });
    let done = [&first, &second].map(|output| output.status.success());
    assert!(done == [true, false] || done == [false, true], "{}{}", shown(&first), shown(&second));
}
