//! `/readyz` of the program itself tells a failure and its end within two seconds; events are refused meanwhile, and none
//! that was acknowledged is lost.
//!
//! Times are printed. On a busy machine they may be longer: only much longer ones are failures.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::join_all;
use record_callback_tests::{Random, ReceiverProcess, compile_preloaded};
use reqwest::Client;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tokio::spawn;
use tokio::time::{Instant, sleep};

use crate::kill::cloud::Cloud;
use crate::kill::stores::{Jsonl, Sqlite, Store};
use crate::kill::{find, receive_into, run, stop};

/// Times that one receiver meets the failure.
const ROUNDS: usize = 2;
/// Events sent before it, in it and after it.
const EVENTS: usize = 5;
/// The time in which a failure has to be told, and its end.
const PROMISED: Duration = Duration::from_secs(2);
/// The same, with what a busy machine may need.
const LIMIT: Duration = Duration::from_secs(10);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Something that fails until it is healed.
trait Fault<S> {
    fn begin(&self, store: &S, receiver: &ReceiverProcess);
    fn heal(&self, store: &S, receiver: &ReceiverProcess);
}

/// The preloaded object fails these calls.
struct Calls(&'static str);

/// The path of the file that says what fails.
fn switch(store: &impl Store) -> PathBuf {
    store.directory().join("fails")
}

impl<S: Store> Fault<S> for Calls {
    fn begin(&self, store: &S, _: &ReceiverProcess) {
        // At once: half of a word is none.
        let new = store.directory().join("fails.new");
        fs::write(&new, self.0).unwrap();
        fs::rename(new, switch(store)).unwrap();
    }

    fn heal(&self, store: &S, _: &ReceiverProcess) {
        fs::remove_file(switch(store)).unwrap();
    }
}

/// This file of the store may not grow: the system refuses that, whichever way a program asks for it.
struct NoGrowth(&'static str);

fn limit_files(receiver: &ReceiverProcess, bytes: Option<u64>) {
    let pid = Pid::from_raw(receiver.process.id().try_into().unwrap());
    prlimit(pid, Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
}

impl<S: Store> Fault<S> for NoGrowth {
    fn begin(&self, store: &S, receiver: &ReceiverProcess) {
        let length = fs::metadata(store.directory().join(self.0)).unwrap().len();
        limit_files(receiver, Some(length));
    }

    fn heal(&self, _: &S, receiver: &ReceiverProcess) {
        limit_files(receiver, None);
    }
}

/// The inbox is somewhere else.
struct Moved;

fn inbox(store: &Sqlite) -> (PathBuf, PathBuf) {
    (store.directory().join("inbox.db"), store.directory().join("elsewhere.db"))
}

impl Fault<Sqlite> for Moved {
    fn begin(&self, store: &Sqlite, _: &ReceiverProcess) {
        let (here, elsewhere) = inbox(store);
        fs::rename(here, elsewhere).unwrap();
    }

    fn heal(&self, store: &Sqlite, _: &ReceiverProcess) {
        let (here, elsewhere) = inbox(store);
        fs::rename(elsewhere, here).unwrap();
    }
}

/// The program, receiving into `store`, whose calls can be failed.
fn start(store: &impl Store) -> ReceiverProcess {
    static OBJECT: OnceLock<PathBuf> = OnceLock::new();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/receiver/ready.c");
    let object: &Path = OBJECT.get_or_init(|| compile_preloaded(source, "ready"));
    let mut command = receive_into(store);
    command.env("LD_PRELOAD", object).env("FAIL_WHILE", switch(store));
    ReceiverProcess::start(command)
}

/// The status and body of `/readyz`.
async fn ask(receiver: &ReceiverProcess) -> (u16, String) {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    // Without connections kept: they would be of the runtime of one test.
    let new = || Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
    let answer =
        CLIENT.get_or_init(new).get(format!("http://{}/readyz", receiver.admin)).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// The time until `/readyz` says `status`.
async fn time_until(status: u16, receiver: &ReceiverProcess) -> Duration {
    let started = Instant::now();
    loop {
        let (said, body) = ask(receiver).await;
        let time = started.elapsed();
        if said == status {
            return time;
        }
        assert!(time < LIMIT, "{said} and not {status} after {time:?}: {body}");
        sleep(PAUSE).await;
    }
}

/// Asks for longer than an answer is remembered: nothing has healed.
async fn stays_unready(receiver: &ReceiverProcess) {
    let until = Instant::now() + Duration::from_millis(1200);
    while Instant::now() < until {
        assert_eq!(ask(receiver).await.0, 503);
        sleep(PAUSE).await;
    }
}

async fn send(cloud: &Cloud, receiver: &ReceiverProcess, expected: u16) {
    let answers = join_all((0..EVENTS).map(|_| cloud.send(receiver.address))).await;
    assert_eq!(answers, [expected; EVENTS]);
}

/// Sends one event after the other, each of which is acknowledged or refused, until it is aborted.
async fn trickle(cloud: Arc<Cloud>, to: SocketAddr) {
    loop {
        let status = cloud.send(to).await;
        assert!(matches!(status, 200 | 503), "{status}");
        sleep(PAUSE).await;
    }
}

fn print(what: &str, failed: Duration, healed: Duration) {
    let late = if failed.max(healed) > PROMISED { ", LATE" } else { "" };
    println!("{what}: 503 after {} ms, 200 after {} ms{late}", failed.as_millis(), healed.as_millis());
}

/// Delivers again what was refused, ends the receiver as a crash does, and looks for all events.
async fn nothing_is_lost<S: Store>(store: &S, cloud: &Arc<Cloud>, receiver: ReceiverProcess) {
    find::<S>(cloud, &store.kept().await);
    cloud.redeliver(receiver.address, &mut Random::new()).await;
    receiver.process.kill();
    let receiver = start(store);
    let found = find::<S>(cloud, &store.kept().await);
    assert_eq!(found.acknowledged, cloud.events().len());
    stop(receiver);
}

/// Has `fault` come and go under a receiver.
async fn tells<S: Store>(what: &str, store: S, fault: impl Fault<S>) {
    let (cloud, receiver) = (Cloud::new(), start(&store));
    for _ in 0..ROUNDS {
        send(&cloud, &receiver, 200).await;
        // A good word may just have been said.
        time_until(200, &receiver).await;
        let trickle = spawn(trickle(Arc::clone(&cloud), receiver.address));
        fault.begin(&store, &receiver);
        let failed = time_until(503, &receiver).await;
        trickle.abort();
        assert!(trickle.await.is_err_and(|end| end.is_cancelled()), "only an end from here");
        send(&cloud, &receiver, 503).await;
        stays_unready(&receiver).await;
        fault.heal(&store, &receiver);
        let healed = time_until(200, &receiver).await;
        print(&format!("{} {what}", S::NAME), failed, healed);
        send(&cloud, &receiver, 200).await;
    }
    nothing_is_lost(&store, &cloud, receiver).await;
}

#[test]
fn sqlite_that_cannot_sync_is_not_ready() {
    run(tells("without syncs", Sqlite::new(), Calls("sync")));
}

#[test]
fn jsonl_that_cannot_sync_is_not_ready() {
    run(tells("without syncs", Jsonl::new(), Calls("sync")));
}

#[test]
fn sqlite_whose_syncs_hang_is_not_ready() {
    run(tells("whose syncs hang", Sqlite::new(), Calls("hang")));
}

#[test]
fn jsonl_whose_syncs_hang_is_not_ready() {
    run(tells("whose syncs hang", Jsonl::new(), Calls("hang")));
}

#[test]
fn sqlite_on_a_full_disk_is_not_ready() {
    run(tells("on a full disk", Sqlite::new(), Calls("write")));
}

#[test]
fn jsonl_on_a_full_disk_is_not_ready() {
    run(tells("on a full disk", Jsonl::new(), Calls("write")));
}

#[test]
fn sqlite_whose_log_may_not_grow_is_not_ready() {
    run(tells("whose log may not grow", Sqlite::new(), NoGrowth("inbox.db-wal")));
}

#[test]
fn jsonl_whose_file_may_not_grow_is_not_ready() {
    run(tells("whose file may not grow", Jsonl::new(), NoGrowth("events.jsonl")));
}

/// There is no last byte to write again.
#[test]
fn an_empty_jsonl_file_that_may_not_grow_is_not_ready() {
    run(async {
        let (store, cloud) = (Jsonl::new(), Cloud::new());
        let receiver = start(&store);
        time_until(200, &receiver).await;
        let fault = NoGrowth("events.jsonl");
        fault.begin(&store, &receiver);
        let failed = time_until(503, &receiver).await;
        send(&cloud, &receiver, 503).await;
        stays_unready(&receiver).await;
        fault.heal(&store, &receiver);
        print("jsonl, empty, whose file may not grow", failed, time_until(200, &receiver).await);
        nothing_is_lost(&store, &cloud, receiver).await;
    });
}

#[test]
fn an_inbox_that_was_moved_is_not_ready_until_it_is_back() {
    run(tells("moved away", Sqlite::new(), Moved));
}

/// Nobody has to heal it: the receiver says it once and takes the lock again.
#[test]
fn a_removed_lock_is_told_and_taken_again() {
    run(async {
        let (store, cloud) = (Sqlite::new(), Cloud::new());
        let (receiver, lock) = (start(&store), store.directory().join("inbox.db.lock"));
        for _ in 0..ROUNDS {
            send(&cloud, &receiver, 200).await;
            time_until(200, &receiver).await;
            fs::remove_file(&lock).unwrap();
            let failed = time_until(503, &receiver).await;
            let healed = time_until(200, &receiver).await;
            print("sqlite without its lock", failed, healed);
            assert!(lock.exists());
            send(&cloud, &receiver, 200).await;
        }
        nothing_is_lost(&store, &cloud, receiver).await;
    });
}
