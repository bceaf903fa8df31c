//! The power goes while the program works: of what it wrote, the disk has only what was synced, or something of the rest.
//! The same command goes on from there, and what it says is done is still done without power.

use record_callback::http::{Env, OsEnv};
use record_callback_tests::{FleetClouds, Loss, PlacedConfig, PowerDisk, Random, Unsynced, shown};

use super::crash::{Scenario, apply, callback, is_not_open, switch_to_huaweicloud};

/// The number of losses of power in each scenario.
const ROUNDS: usize = 8;
const ROUNDS_VARIABLE: &str = "RECORD_CALLBACK_POWER_ROUNDS";

/// The power goes at one of so many writes and syncs: about as many as the commands here make.
const MOMENTS: usize = 44;

/// After so many rounds a sync that is left out goes unnoticed.
const MOST: usize = 100;

fn rounds() -> usize {
    OsEnv.var(ROUNDS_VARIABLE).map_or(ROUNDS, |rounds| rounds.parse().expect("a number"))
}

/// Clouds as they are before, whose disk has all of it.
async fn before(scenario: &Scenario) -> (FleetClouds, PowerDisk) {
    let clouds = FleetClouds::start().await;
    let disk = PowerDisk::under(clouds.directory.path());
    if !scenario.before.is_empty() {
        clouds.declare(&scenario.before);
        // Its syncs, too, are of this disk, and quicker than real ones.
        let applied = clouds.run(&["apply", "--yes"], &disk.variables());
        assert!(applied.status.success(), "{}", shown(&applied));
    }
    clouds.declare(&scenario.after);
    disk.settle();
    (clouds, disk)
}

impl Scenario {
    /// Goes on until it is done, and loses power once more.
    fn ends_without_power(&self, clouds: &FleetClouds, disk: &PowerDisk) -> Result<(), String> {
        let mut output = clouds.run(self.goes_on, &disk.variables());
        if is_not_open(&output) {
            output = clouds.run(self.dies, &disk.variables());
        }
        if !output.status.success() {
            return Err(shown(&output));
        }
        let _ = disk.lose(Unsynced::Lost);
        self.is_done(clouds, disk)
    }

    /// Fails if anything is orphaned, doubled or forgotten.
    fn is_done(&self, clouds: &FleetClouds, disk: &PowerDisk) -> Result<(), String> {
        if clouds.configs() != self.end {
            return Err(format!("{:#?}", clouds.configs()));
        }
        let plan = clouds.run(&["plan", "--detailed-exitcode"], &[]);
        if !plan.status.success() {
            return Err(shown(&plan));
        }
        // What it made, it knows to be its own.
        let destroyed = clouds.run(&["destroy", "--yes", "--max-deletes", "9"], &disk.variables());
        match clouds.configs().as_slice() {
            [] => Ok(()),
            left => Err(format!("orphaned: {left:#?}\n{}", shown(&destroyed))),
        }
    }

    /// Loses power at random moments.
    async fn loses_power(&self, name: &str) {
        let (mut random, mut taken) = (Random::new(), Loss::default());
        for round in 0..rounds() {
            let moment = 1 + random.below(MOMENTS);
            let (clouds, disk) = before(self).await;
            let _ = clouds.run(self.dies, &variables(&disk, "POWER_AT", &moment.to_string()));
            let left = clouds.configs();
            for either in &self.always {
                assert!(either.iter().any(|config| left.contains(config)), "moment {moment}: {left:#?}");
            }
            let unsynced = if round % 2 == 0 { Unsynced::Lost } else { Unsynced::Partly(&mut random) };
            taken += disk.lose(unsynced);
            self.ends_without_power(&clouds, &disk).unwrap_or_else(|why| panic!("moment {moment}: {why}"));
        }
        println!(
            "{name}: the power went {} times, half of them at the end; {} contents and {} names were not synced",
            2 * rounds(),
            taken.contents,
            taken.names
        );
        assert!(taken != Loss::default(), "a disk that loses nothing tests nothing");
    }

    /// Without the syncs of `ignored`, it is found not to be done, or not to go on.
    async fn is_caught(&self, name: &str, ignored: &str) {
        let (mut random, mut round, mut caught) = (Random::new(), 0, 0);
        // Not every moment tells; some do.
        while round < rounds() || (caught == 0 && round < MOST) {
            let (clouds, disk) = before(self).await;
            let mut variables = variables(&disk, "POWER_IGNORE", ignored);
            // At the end, and on the way there.
            if round > 0 {
                variables.push(("POWER_AT", (1 + random.below(MOMENTS)).to_string()));
            }
            let _ = clouds.run(self.dies, &variables);
            let _ = disk.lose(Unsynced::Lost);
            let found = if round > 0 {
                self.ends_without_power(&clouds, &disk)
            } else {
                self.is_done(&clouds, &disk)
            };
            caught += usize::from(found.is_err());
            round += 1;
        }
        println!("{name} without the syncs of {ignored}: caught in {caught} of {round} rounds");
        assert!(caught > 0);
    }
}

fn variables(disk: &PowerDisk, name: &'static str, value: &str) -> Vec<(&'static str, String)> {
    let mut variables = disk.variables();
    variables.push((name, value.to_owned()));
    variables
}

/// The first apply of all, before which there is no state.
fn first_apply() -> Scenario {
    let url = "http://cb.example.com/1";
    Scenario {
        before: String::new(),
        after: callback("one", "ali", "\"one.example.com\"", url),
        dies: &["apply", "--yes"],
        goes_on: &["apply", "--yes"],
        always: Vec::new(),
        end: vec![PlacedConfig::new("ali", "one.example.com", url)],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_apply_goes_on_when_power_went() {
    first_apply().loses_power("first apply").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_goes_on_when_power_went() {
    apply().loses_power("apply").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_goes_on_when_power_went() {
    switch_to_huaweicloud().loses_power("switch").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_is_not_synced_is_caught() {
    apply().is_caught("apply", "*.journal").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_is_not_synced_is_caught() {
    apply().is_caught("apply", ".*.tmp").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_whose_directory_is_not_synced_is_caught() {
    first_apply().is_caught("first apply", "*/").await;
}
