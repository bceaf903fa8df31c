//! The connections that are open, and who has to go when there are too many.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::peer::PeerKey;

/// Counts connections, in all and for each peer, and knows which of them wait for the head of a request.
#[derive(Debug)]
pub(crate) struct Connections {
    limit: usize,
    limit_per_peer: usize,
    open: Mutex<Open>,
    /// Told when a connection ends.
    ended: Notify,
}

#[derive(Debug, Default)]
struct Open {
    count: usize,
    /// Connections that were shed and are not closed yet. They are not in `count`.
    leaving: usize,
    /// Grows with each start of waiting: the smallest waits longest.
    last_turn: u64,
    waiting: BTreeMap<u64, Waiting>,
    peers: HashMap<PeerKey, Peer>,
}

#[derive(Debug)]
struct Waiting {
    peer: Option<PeerKey>,
    shed: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Peer {
    count: usize,
    waiting: BTreeSet<u64>,
}

/// An admitted connection, until it is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    all: Arc<Connections>,
    /// `None`: not counted by peer.
    peer: Option<PeerKey>,
    shed: Arc<Notify>,
    /// Its place among those that wait for a head.
    turn: Mutex<Option<u64>>,
}

/// The reason that a connection is not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotAdmitted {
    /// Its peer has its share, all of it busy.
    PeerIsFull,
    /// All connections are busy.
    Full,
}

impl Connections {
    pub(crate) fn new(limit: usize, limit_per_peer: usize) -> Arc<Self> {
        let (limit, limit_per_peer) = (limit.max(1), limit_per_peer.max(1));
        Arc::new(Self { limit, limit_per_peer, open: Mutex::default(), ended: Notify::new() })
    }

    /// Admits a connection of `peer`; of `None`, a trusted proxy, any number. Where there is no room, the connection
    /// goes that has waited longest for the head of a request: one of the same peer if the peer has its share.
    pub(crate) fn admit(self: &Arc<Self>, peer: Option<IpAddr>) -> Result<Connection, NotAdmitted> {
        let peer = peer.map(PeerKey::of);
        let mut open = self.open();
        let of_peer = peer.and_then(|peer| open.peers.get(&peer));
        let shed = if of_peer.is_some_and(|of_peer| of_peer.count >= self.limit_per_peer) {
            let oldest = of_peer.and_then(|of_peer| of_peer.waiting.first().copied());
            Some(oldest.ok_or(NotAdmitted::PeerIsFull)?)
        } else if open.count >= self.limit {
            let oldest = open.waiting.first_key_value().map(|(turn, _)| *turn);
            Some(oldest.ok_or(NotAdmitted::Full)?)
        } else {
            None
        };
        if let Some(waiting) = shed.and_then(|turn| open.stop_waiting(turn)) {
            waiting.shed.notify_one();
            // Its place is free at once: what it held is closed as soon as its task runs.
            open.leave(waiting.peer);
            open.leaving += 1;
        }
        open.count += 1;
        if let Some(peer) = peer {
            open.peers.entry(peer).or_default().count += 1;
        }
        let shed = Arc::new(Notify::new());
        let turn = Mutex::new(Some(open.wait(peer, &shed)));
        drop(open);
        Ok(Connection { all: Arc::clone(self), peer, shed, turn })
    }

    /// Tells how many connections were shed and still hold an open file.
    pub(crate) fn leaving(&self) -> usize {
        self.open().leaving
    }

    /// Waits until a connection ended.
    pub(crate) async fn ended(&self) {
        self.ended.notified().await;
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn wait(&mut self, peer: Option<PeerKey>, shed: &Arc<Notify>) -> u64 {
        self.last_turn += 1;
        self.waiting.insert(self.last_turn, Waiting { peer, shed: Arc::clone(shed) });
        if let Some(peer) = peer {
            self.peers.entry(peer).or_default().waiting.insert(self.last_turn);
        }
        self.last_turn
    }

    fn stop_waiting(&mut self, turn: u64) -> Option<Waiting> {
        let waiting = self.waiting.remove(&turn)?;
        if let Some(peer) = waiting.peer.and_then(|peer| self.peers.get_mut(&peer)) {
            peer.waiting.remove(&turn);
        }
        Some(waiting)
    }

    fn leave(&mut self, peer: Option<PeerKey>) {
        self.count -= 1;
        let Some(peer) = peer else { return };
        if let Some(of_peer) = self.peers.get_mut(&peer) {
            of_peer.count -= 1;
            if of_peer.count == 0 {
                self.peers.remove(&peer);
            }
        }
    }
}

impl Connection {
    /// Notes that the head of a request is complete. `false` when the connection has been shed meanwhile.
    pub(crate) fn begin_request(&self) -> bool {
        let mut place = self.turn();
        let Some(turn) = *place else { return true };
        let is_there = self.all.open().stop_waiting(turn).is_some();
        if is_there {
            *place = None;
        }
        is_there
    }

    /// Notes that the connection waits for another request.
    pub(crate) fn end_request(&self) {
        let mut turn = self.turn();
        if turn.is_none() {
            *turn = Some(self.all.open().wait(self.peer, &self.shed));
        }
    }

    /// Waits until the connection has to go.
    pub(crate) async fn shed(&self) {
        self.shed.notified().await;
    }

    fn turn(&self) -> MutexGuard<'_, Option<u64>> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let turn = self.turn().take();
        let mut open = self.all.open();
        if turn.is_none_or(|turn| open.stop_waiting(turn).is_some()) {
            open.leave(self.peer);
        } else {
            open.leaving -= 1;
        }
        drop(open);
        self.all.ended.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use futures_util::FutureExt;

    use super::*;

    fn admit(all: &Arc<Connections>, n: u8) -> Result<Connection, NotAdmitted> {
        all.admit(Some(Ipv4Addr::new(192, 0, 2, n).into()))
    }

    fn is_shed(connection: &Connection) -> bool {
        connection.shed().now_or_never().is_some()
    }

    #[test]
    fn a_peer_sheds_its_own_oldest() {
        let all = Connections::new(10, 2);
        let other = admit(&all, 2).unwrap();
        let (first, second) = (admit(&all, 1).unwrap(), admit(&all, 1).unwrap());
        let third = admit(&all, 1).unwrap();
        assert!(is_shed(&first) && !is_shed(&second) && !is_shed(&third) && !is_shed(&other));
        assert!(!first.begin_request(), "too late");
        assert_eq!(all.leaving(), 1);
        assert!(second.begin_request() && third.begin_request());
        assert_eq!(admit(&all, 1).unwrap_err(), NotAdmitted::PeerIsFull);
        second.end_request();
        drop(first);
        assert_eq!(all.leaving(), 0);
        assert!(admit(&all, 1).is_ok() && is_shed(&second));
    }

    #[test]
    fn the_oldest_of_all_goes_when_all_are_taken() {
        let all = Connections::new(3, 3);
        let kept: Vec<_> = (1..=3).map(|n| admit(&all, n).unwrap()).collect();
        assert!(kept[0].begin_request());
        let late = admit(&all, 4).unwrap();
        assert_eq!(kept.iter().map(is_shed).collect::<Vec<_>>(), [false, true, false]);
        assert!(kept[2].begin_request() && late.begin_request());
        assert_eq!(admit(&all, 5).unwrap_err(), NotAdmitted::Full);
        // Who has had its answer waits behind those that came meanwhile.
        kept[0].end_request();
        assert!(admit(&all, 5).is_ok() && is_shed(&kept[0]));
    }

    #[test]
    fn a_trusted_proxy_has_no_share() {
        let all = Connections::new(4, 1);
        let proxied: Vec<_> = (0..4).map(|_| all.admit(None).unwrap()).collect();
        assert!(!proxied.iter().any(is_shed));
        assert!(admit(&all, 1).is_ok() && is_shed(&proxied[0]));
    }

    #[test]
    fn nothing_is_counted_once_all_have_ended() {
        let all = Connections::new(5, 2);
        for round in 0..20 {
            let connections: Vec<_> = (0..20).filter_map(|n| admit(&all, n % 4).ok()).collect();
            for connection in connections.iter().step_by(1 + round % 3) {
                if connection.begin_request() && round % 2 == 0 {
                    connection.end_request();
                }
            }
            drop(connections);
            let open = all.open();
            assert_eq!((open.count, open.leaving, open.waiting.len(), open.peers.len()), (0, 0, 0, 0));
        }
    }
}
