//! One connection at a time, made again without end.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{RedisError, RedisResult};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::durability::Durability;
use super::finder::Finder;

const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// A connection in use.
#[derive(Clone)]
pub(super) struct Live {
    pub(super) connection: MultiplexedConnection,
    /// The time at which Redis was asked on this connection how durable it is, and its answer.
    pub(super) durability: Arc<Mutex<Option<(Instant, Durability)>>>,
    generation: u64,
    /// Tells whether anything was done on it.
    worked: Arc<AtomicBool>,
}

impl Live {
    /// Notes that Redis does here what it is told.
    pub(super) fn works(&self) {
        self.worked.store(true, Relaxed);
    }
}

#[derive(Default)]
struct State {
    live: Option<Live>,
    generation: u64,
    /// Attempts since one led to a server that did something.
    failures: u32,
    failure: Option<RedisError>,
    /// The node that the last one named.
    moved: Option<String>,
}

/// Holds the connection. The library's own manager keeps the last failure, and never leaves a connection that answers.
pub(super) struct Connections {
    state: Arc<watch::Sender<State>>,
    connecting: JoinHandle<()>,
}

impl Connections {
    pub(super) fn new(finder: Finder) -> Self {
        let state = Arc::new(watch::Sender::default());
        let connecting = tokio::spawn(connect_again(finder, Arc::clone(&state)));
        Self { state, connecting }
    }

    /// Waits for a connection, without end.
    pub(super) async fn get(&self) -> RedisResult<Live> {
        let mut changes = self.state.subscribe();
        let state = changes.wait_for(|state| state.live.is_some()).await;
        let live = state.ok().and_then(|state| state.live.clone());
        live.ok_or_else(super::failure::timed_out)
    }

    /// Leaves a connection because of `error`, unless that was done before.
    pub(super) fn leave(&self, live: &Live, error: &RedisError) {
        self.state.send_if_modified(|state| {
            if state.live.as_ref().is_none_or(|now| now.generation != live.generation) {
                return false;
            }
            state.live = None;
            state.failures = if live.worked.load(Relaxed) { 0 } else { state.failures.saturating_add(1) };
            state.moved = error.redirect_node().map(|(node, _)| node.to_owned());
            state.failure = Some(error.clone());
            true
        });
    }

    /// The reason for which there is no connection.
    pub(super) fn failure(&self) -> Option<RedisError> {
        self.state.borrow().failure.clone()
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        self.connecting.abort();
    }
}

/// Runs on its own: a caller that gives up would have every attempt begin anew.
async fn connect_again(mut finder: Finder, state: Arc<watch::Sender<State>>) {
    let mut changes = state.subscribe();
    loop {
        // Cannot fail: the sender is here.
        let (failures, moved) = match changes.wait_for(|state| state.live.is_none()).await {
            Ok(state) => (state.failures, state.moved.clone()),
            Err(_) => return,
        };
        sleep(pause(failures)).await;
        let found = finder.find(moved.as_deref()).await;
        state.send_modify(|state| match found {
            Ok(connection) => {
                state.generation += 1;
                state.failure = None;
                state.moved = None;
                state.live = Some(Live {
                    connection,
                    durability: Arc::default(),
                    generation: state.generation,
                    worked: Arc::default(),
                });
            }
            Err(error) => {
                state.failures = state.failures.saturating_add(1);
                state.failure = Some(error);
                state.moved = None;
            }
        });
    }
}

/// The time to wait after so many failures: none after none, then twice as long each time, give or take a half. All
/// receivers lose their connections at once.
fn pause(failures: u32) -> Duration {
    if failures == 0 {
        return Duration::ZERO;
    }
    let whole = SHORTEST_PAUSE.saturating_mul(1 << (failures - 1).min(8)).min(LONGEST_PAUSE);
    // Each of these has other keys.
    let [random, ..] = RandomState::new().hash_one(failures).to_be_bytes();
    whole / 2 + whole / 2 * u32::from(random) / 255
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        assert_eq!(pause(0), Duration::ZERO);
        for failures in 1..1_000 {
            let pause = pause(failures);
            assert!(SHORTEST_PAUSE / 2 <= pause && pause <= LONGEST_PAUSE, "{failures}: {pause:?}");
            assert!(failures < 5 || pause >= LONGEST_PAUSE / 2, "{failures}: {pause:?}");
        }
    }
}
