//! What is acknowledged is kept, whatever ends the receiver: the program itself, killed at random moments under load.
//!
//! A store outlives a number of receivers. After each of them the cloud delivers again what was not acknowledged, and
//! some of what was.

pub(crate) mod cloud;
pub(crate) mod stores;

use std::fs;
use std::process::Command;
use std::time::Duration;

use record_callback::http::{Env, OsEnv};
use record_callback_receiver::EventRecord;
use record_callback_tests::{PATIENCE, Random, ReceiverProcess, command};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep};

use cloud::{CONNECTIONS, Cloud, KEY, PATH};
use stores::{Forward, Jsonl, Redis, Sqlite, Store};

/// How many receivers die on one store.
const ROUNDS: usize = 3;
const ROUNDS_VARIABLE: &str = "RECORD_CALLBACK_KILL_ROUNDS";
/// A receiver dies after at most so many acknowledgements under load.
const LIFE: usize = 400;

fn rounds() -> usize {
    OsEnv.var(ROUNDS_VARIABLE).map_or(ROUNDS, |rounds| rounds.parse().expect("a number"))
}

pub(crate) fn run(test: impl Future<Output = ()>) {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(test);
}

/// The program, receiving into `store`.
fn start(store: &impl Store) -> ReceiverProcess {
    ReceiverProcess::start(receive_into(store))
}

/// The command that receives into `store`.
pub(crate) fn receive_into(store: &impl Store) -> Command {
    let config = store.directory().join("receiver.toml");
    let source = format!("vendor = 'huaweicloud'\npath = '{PATH}'\nkey_env = 'KEY'");
    let text = format!("addr = '127.0.0.1:0'\n[sink]\n{}\n[sources.live]\n{source}\n", store.sink());
    fs::write(&config, text).unwrap();
    let mut command = command();
    command.args(["receive", "--config"]).arg(config).env("KEY", KEY).envs(store.secret());
    command
}

/// Ends it as its user does.
pub(crate) fn stop(receiver: ReceiverProcess) {
    let ended = receiver.process.stop("TERM");
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.stdout.is_empty() && !ended.stderr.contains("panicked"), "{ended:#?}");
}

/// What was found in a store.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Found {
    pub(crate) acknowledged: usize,
    /// Events that were acknowledged and are not there, or less often than they were acknowledged.
    pub(crate) lost: Vec<usize>,
    /// Events that are there more than once and more often than they were acknowledged.
    pub(crate) doubled: usize,
    /// Events that are there and were never acknowledged.
    pub(crate) unacknowledged: usize,
}

/// The part that is there of all that `cloud` sent: nothing that was acknowledged may be missing, or be doubled.
pub(crate) fn find<S: Store>(cloud: &Cloud, kept: &[EventRecord]) -> Found {
    let found = compare::<S>(cloud, kept);
    assert_eq!(found.lost, [0; 0], "of {} acknowledged", found.acknowledged);
    assert!(found.doubled == 0 || !S::ONCE, "{} are doubled", found.doubled);
    found
}

/// Compares what is there with what `cloud` sent.
pub(crate) fn compare<S: Store>(cloud: &Cloud, kept: &[EventRecord]) -> Found {
    let sent = cloud.events();
    let mut times = vec![0; sent.len()];
    for record in kept {
        let number: usize = record.event.job_id.as_deref().unwrap().parse().unwrap();
        times[number] += 1;
        assert_eq!(record.event.raw.as_bytes(), sent[number].body.as_bytes(), "as it was sent");
        assert!(record.assurance.is_signed());
    }
    let mut found = Found::default();
    for (number, (sent, times)) in sent.iter().zip(times).enumerate() {
        assert!(times <= sent.attempts || S::NAME == Forward::NAME, "event {number} came from nowhere");
        let least = if S::ONCE { sent.acknowledged.min(1) } else { sent.acknowledged };
        found.acknowledged += usize::from(sent.acknowledged > 0);
        found.unacknowledged += usize::from(sent.acknowledged == 0 && times > 0);
        found.doubled += usize::from(times > least.max(1));
        if times < least {
            found.lost.push(number);
        }
    }
    found
}

/// Kills receivers on `store`.
async fn survives_kills<S: Store>(store: S) {
    let (rounds, mut random, cloud) = (rounds(), Random::new(), Cloud::new());
    let mut survivors = 0;
    for _ in 0..rounds {
        let receiver = start(&store);
        // Before anything is delivered again, which would hide a loss. Not always: reading mends, too.
        if random.one_in(2) {
            survivors += find::<S>(&cloud, &store.kept().await).unacknowledged;
        }
        cloud.redeliver(receiver.address, &mut random).await;
        let mut load = cloud.load(receiver.address, &mut random);
        load.acknowledged(1 + random.below(LIFE)).await;
        receiver.process.kill();
        load.end().await;
    }
    let receiver = start(&store);
    survivors += find::<S>(&cloud, &store.kept().await).unacknowledged;
    cloud.redeliver(receiver.address, &mut random).await;
    let found = find::<S>(&cloud, &store.kept().await);
    stop(receiver);
    assert_eq!(find::<S>(&cloud, &store.kept().await), found);
    assert_eq!(found.acknowledged, cloud.events().len());
    println!(
        "{}: {} events acknowledged, {rounds} kills, {} lost, {} doubled; {survivors} were kept before a kill and not acknowledged",
        S::NAME,
        found.acknowledged,
        found.lost.len(),
        found.doubled
    );
}

/// Tells receivers on `store` to stop.
async fn survives_stops<S: Store>(store: S) {
    let (mut random, cloud) = (Random::new(), Cloud::new());
    for _ in 0..rounds() {
        let receiver = start(&store);
        cloud.redeliver(receiver.address, &mut random).await;
        let mut load = cloud.load(receiver.address, &mut random);
        load.acknowledged(1 + random.below(LIFE)).await;
        stop(receiver);
        for seen in load.end().await {
            assert_eq!(seen.refused, [0; 0], "{seen:?}");
            // Closed between two answers, never within one.
            let broken = seen.broken.as_ref().map(std::io::Error::kind);
            assert_ne!(broken, Some(std::io::ErrorKind::InvalidData), "{seen:?}");
        }
        find::<S>(&cloud, &store.kept().await);
    }
    let receiver = start(&store);
    cloud.redeliver(receiver.address, &mut random).await;
    stop(receiver);
    let found = find::<S>(&cloud, &store.kept().await);
    assert_eq!(found.acknowledged, cloud.events().len());
}

macro_rules! of_every_store {
    ($($store:ident: $new:expr;)*) => {$(
        mod $store {
            use super::*;

            #[test]
            fn a_killed_receiver_loses_nothing_it_acknowledged() {
                run(async { survives_kills($new).await });
            }

            #[test]
            fn a_receiver_that_is_told_to_stop_finishes_what_it_began() {
                run(async { survives_stops($new).await });
            }
        }
    )*};
}

of_every_store! {
    sqlite: Sqlite::new();
    jsonl: Jsonl::new();
    redis: Redis::new();
    forward: Forward::new().await;
}

#[test]
fn a_redis_that_is_killed_loses_nothing_that_was_acknowledged() {
    run(async {
        let (store, mut random, cloud) = (Redis::new(), Random::new(), Cloud::new());
        let receiver = start(&store);
        for _ in 0..rounds() {
            let mut load = cloud.load(receiver.address, &mut random);
            load.acknowledged(1 + random.below(LIFE)).await;
            store.server.kill();
            assert!(store.server.run());
            // The receiver finds it again by itself.
            load.acknowledged(1 + random.below(LIFE)).await;
            load.stop().await;
            find::<Redis>(&cloud, &store.kept().await);
        }
        cloud.redeliver(receiver.address, &mut random).await;
        stop(receiver);
        let found = find::<Redis>(&cloud, &store.kept().await);
        assert_eq!(found.acknowledged, cloud.events().len());
        println!("redis killed: {} events acknowledged, {} kills of redis", found.acknowledged, rounds());
    });
}

#[test]
fn a_receiver_that_is_told_to_stop_answers_what_is_in_flight() {
    run(async {
        let (store, mut random, cloud) = (Forward::new().await, Random::new(), Cloud::new());
        let target = store.target();
        let held = target.hold().await;
        let receiver = start(&store);
        let load = cloud.load(receiver.address, &mut random);
        until("every connection waits", async || target.count() == CONNECTIONS).await;
        receiver.process.signal("TERM");
        until("nobody listens", async || TcpStream::connect(receiver.address).await.is_err()).await;
        drop(held);
        for seen in load.end().await {
            assert_eq!((seen.acknowledged, &seen.refused), (1, &vec![]), "{seen:?}");
        }
        let ended = receiver.process.end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert_eq!(find::<Forward>(&cloud, &store.kept().await).acknowledged, CONNECTIONS);
    });
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "not in time: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}
