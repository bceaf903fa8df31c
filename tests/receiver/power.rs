//! Everything acknowledged is kept when the power goes: the program itself, on a disk that has only what was synced,
//! and something of the rest.
//!
//! A store outlives a number of losses. Where a sync is left out, the same checks find something missing.

use std::fs;
use std::time::Duration;

use record_callback::http::{Env, OsEnv};
use record_callback_tests::{Loss, PATIENCE, PowerDisk, Process, Random, ReceiverProcess, Unsynced};
use rusqlite::Connection;
use tokio::time::{Instant, sleep};

use crate::kill::cloud::{Cloud, Load};
use crate::kill::stores::{Jsonl, Sqlite, Store};
use crate::kill::{compare, find, receive_into, run, stop};

/// The number of losses of power on one store.
const ROUNDS: usize = 8;
const ROUNDS_VARIABLE: &str = "RECORD_CALLBACK_POWER_ROUNDS";
/// At the latest after so many acknowledgements the power goes.
const LIFE: usize = 400;
/// The power goes at one of so many writes and syncs, if there are as many until then.
const MOMENTS: usize = 1500;

fn rounds() -> usize {
    OsEnv.var(ROUNDS_VARIABLE).map_or(ROUNDS, |rounds| rounds.parse().expect("a number"))
}

/// The program, receiving into `store` on `disk`; none if the power went before it was ready.
fn start(store: &impl Store, disk: &PowerDisk, more: &[(&str, String)]) -> Option<ReceiverProcess> {
    let mut command = receive_into(store);
    command.envs(disk.variables()).envs(more.iter().cloned());
    match ReceiverProcess::start_or_end(command) {
        Ok(receiver) => Some(receiver),
        Err(ended) => {
            assert_eq!(ended.code, None, "only the power may end it: {ended:#?}");
            None
        }
    }
}

/// Waits until `enough` was acknowledged or the power is gone, and then it is.
async fn run_until(mut process: Process, load: Load, enough: usize) {
    let deadline = Instant::now() + PATIENCE;
    while !load.has(enough) && !process.has_ended() {
        assert!(Instant::now() < deadline, "neither acknowledged nor ended");
        sleep(Duration::from_millis(2)).await;
    }
    process.kill();
    load.end().await;
}

/// Finds `store` whole, by its own means.
fn check(store: &impl Store) {
    let inbox = store.directory().join("inbox.db");
    if inbox.exists() {
        let conn = Connection::open(inbox).unwrap();
        let said: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(said, "ok");
    }
}

/// Turns the power off under receivers on `store`.
async fn survives_losses<S: Store>(store: S) {
    let (rounds, mut random, cloud) = (rounds(), Random::new(), Cloud::new());
    let disk = PowerDisk::under(store.directory());
    let mut taken = Loss::default();
    for round in 0..rounds {
        let at = 1 + random.below(MOMENTS);
        if let Some(receiver) = start(&store, &disk, &[("POWER_AT", at.to_string())]) {
            let load = cloud.load(receiver.address, &mut random);
            run_until(receiver.process, load, 1 + random.below(LIFE)).await;
        }
        let unsynced = if round % 2 == 0 { Unsynced::Lost } else { Unsynced::Partly(&mut random) };
        taken += disk.lose(unsynced);
        // Before anything is delivered again, which would hide a loss.
        let receiver = start(&store, &disk, &[]).expect("power");
        check(&store);
        find::<S>(&cloud, &store.kept().await);
        // The power goes again, as it does: before all is tidied up, or after.
        if random.one_in(2) {
            stop(receiver);
        } else {
            receiver.process.kill();
        }
        taken += disk.lose(Unsynced::Lost);
    }
    let receiver = start(&store, &disk, &[]).expect("power");
    cloud.redeliver(receiver.address, &mut random).await;
    stop(receiver);
    let _ = disk.lose(Unsynced::Lost);
    let receiver = start(&store, &disk, &[]).expect("power");
    let found = find::<S>(&cloud, &store.kept().await);
    stop(receiver);
    assert_eq!(found.acknowledged, cloud.events().len());
    // A disk that loses nothing tests nothing.
    assert!(taken.contents > 0, "{taken:?}");
    println!(
        "{}: {} events acknowledged, the power went {} times, {} lost, {} doubled; \
         {} contents and {} names were not synced",
        S::NAME,
        found.acknowledged,
        2 * rounds + 1,
        found.lost.len(),
        found.doubled,
        taken.contents,
        taken.names
    );
}

/// Turns the power off at each moment until a receiver on a new store is ready.
async fn is_made_again<S: Store>(new: impl Fn() -> S) {
    let mut random = Random::new();
    for moment in 1..MOMENTS {
        let (store, cloud) = (new(), Cloud::new());
        let disk = PowerDisk::under(store.directory());
        let ready = start(&store, &disk, &[("POWER_AT", moment.to_string())]).is_some();
        let unsynced = if random.one_in(2) { Unsynced::Lost } else { Unsynced::Partly(&mut random) };
        let _ = disk.lose(unsynced);
        let receiver = start(&store, &disk, &[]).expect("power");
        let load = cloud.load(receiver.address, &mut random);
        run_until(receiver.process, load, 1).await;
        let _ = disk.lose(Unsynced::Lost);
        let receiver = start(&store, &disk, &[]).expect("power");
        check(&store);
        find::<S>(&cloud, &store.kept().await);
        stop(receiver);
        if ready {
            println!("{}: the power went at {} moments before a receiver was ready", S::NAME, moment - 1);
            return;
        }
    }
    panic!("it is never ready");
}

/// Without the syncs of `ignored`, acknowledged events are found missing.
async fn is_caught<S: Store>(store: S, ignored: &str) {
    let (mut random, cloud) = (Random::new(), Cloud::new());
    let disk = PowerDisk::under(store.directory());
    let receiver = start(&store, &disk, &[("POWER_IGNORE", ignored.to_owned())]).expect("power");
    let load = cloud.load(receiver.address, &mut random);
    run_until(receiver.process, load, 50).await;
    let _ = disk.lose(Unsynced::Lost);
    let receiver = start(&store, &disk, &[]).expect("power");
    let found = compare::<S>(&cloud, &store.kept().await);
    stop(receiver);
    println!(
        "{} without the syncs of {ignored}: {} acknowledged, {} lost",
        S::NAME,
        found.acknowledged,
        found.lost.len()
    );
    assert!(found.acknowledged > 0 && found.lost.len() == found.acknowledged, "{found:?}");
}

#[test]
fn sqlite_keeps_what_it_acknowledged_without_power() {
    run(survives_losses(Sqlite::new()));
}

#[test]
fn jsonl_keeps_what_it_acknowledged_without_power() {
    run(survives_losses(Jsonl::new()));
}

#[test]
fn an_inbox_is_made_wherever_power_went_while_it_was_made() {
    run(is_made_again(Sqlite::new));
}

#[test]
fn a_jsonl_file_is_made_wherever_power_went_meanwhile() {
    run(is_made_again(Jsonl::new));
}

#[test]
fn sqlite_without_a_sync_of_its_log_is_caught() {
    run(is_caught(Sqlite::new(), "*-wal"));
}

#[test]
fn sqlite_without_a_sync_of_its_directory_is_caught() {
    run(is_caught(Sqlite::new(), "*/"));
}

#[test]
fn jsonl_without_a_sync_of_its_file_is_caught() {
    run(is_caught(Jsonl::new(), "*.jsonl"));
}

#[test]
fn jsonl_without_a_sync_of_its_directory_is_caught() {
    run(is_caught(Jsonl::new(), "*/"));
}

#[test]
fn a_disk_without_power_has_what_was_synced() {
    let directory = tempfile::tempdir().unwrap();
    let (kept, other) = (directory.path().join("kept"), directory.path().join("other"));
    fs::write(&kept, "before").unwrap();
    let disk = PowerDisk::under(directory.path());
    fs::write(&kept, "after").unwrap();
    fs::write(&other, "new").unwrap();
    assert_eq!(disk.lose(Unsynced::Lost), Loss { contents: 1, names: 1 });
    assert_eq!(fs::read(&kept).unwrap(), b"before");
    assert!(!other.exists());
    // What it has now stays.
    fs::rename(&kept, &other).unwrap();
    disk.settle();
    assert_eq!(disk.lose(Unsynced::Lost), Loss::default());
    assert_eq!(fs::read(&other).unwrap(), b"before");
}
