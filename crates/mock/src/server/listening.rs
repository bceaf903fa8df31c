//! Accepting connections, refusing them for a while, and stopping.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::timeout,
};
use tracing::{debug, warn};

use super::{DRAIN_LIMIT, Server, Service, exchange::Exchange};
use crate::{
    faults::{Connection, Faults, Wire},
    recorded::RequestLog,
};

/// Pending connections the system keeps.
const BACKLOG: u32 = 1024;

/// Whether a listener takes connections.
#[derive(Clone)]
pub(crate) struct Gate(mpsc::UnboundedSender<Turn>);

struct Turn {
    open: bool,
    done: oneshot::Sender<io::Result<()>>,
}

impl Gate {
    /// Takes connections again, or refuses them and ends those that are there. It is so when this returns.
    pub(crate) async fn set_open(&self, open: bool) -> io::Result<()> {
        let (done, is_done) = oneshot::channel();
        let stopped = || io::Error::other("the mock has stopped");
        self.0.send(Turn { open, done }).map_err(|_| stopped())?;
        is_done.await.map_err(|_| stopped())?
    }
}

pub(super) async fn start<S: Service>(addr: SocketAddr, service: Arc<S>) -> io::Result<Server> {
    let listener = TcpListener::bind(addr).await.map_err(|error| {
        io::Error::new(error.kind(), format!("the mock cannot listen on {addr}: {error}"))
    })?;
    let addr = listener.local_addr()?;
    let connections = Arc::new(AtomicUsize::new(0));
    let (log, faults) = (RequestLog::default(), Faults::new());
    let (stop, stopping) = watch::channel(());
    let (turns, turned) = mpsc::unbounded_channel();
    let (running, dropped) = oneshot::channel::<()>();
    let acceptor = Acceptor {
        addr,
        exchange: Arc::new(Exchange { service, log: log.clone(), faults: faults.clone(), stopping }),
        accepted: Arc::clone(&connections),
        open: GracefulShutdown::new(),
        serving: JoinSet::new(),
    };
    let task = tokio::spawn(acceptor.run(listener, turned, dropped, stop));
    Ok(Server { addr, connections, log, faults, gate: Gate(turns), running, task })
}

struct Acceptor<S> {
    addr: SocketAddr,
    exchange: Arc<Exchange<S>>,
    accepted: Arc<AtomicUsize>,
    open: GracefulShutdown,
    /// Aborts what is left when it is dropped.
    serving: JoinSet<()>,
}

/// Where connections arrive.
enum Door {
    Open(TcpListener),
    /// Keeps the port, which refuses connections as long as nobody listens.
    Closed(TcpSocket),
}

impl<S: Service> Acceptor<S> {
    async fn run(
        mut self,
        listener: TcpListener,
        mut turned: mpsc::UnboundedReceiver<Turn>,
        mut dropped: oneshot::Receiver<()>,
        stop: watch::Sender<()>,
    ) {
        let mut door = Some(Door::Open(listener));
        while let Some(here) = &door {
            let next = async {
                match here {
                    Door::Open(listener) => listener.accept().await,
                    Door::Closed(_) => std::future::pending().await,
                }
            };
            let turn = tokio::select! {
                _ = &mut dropped => break,
                Some(turn) = turned.recv() => Some(turn),
                accepted = next => {
                    match accepted {
                        Ok((stream, _)) => self.serve(stream),
                        Err(error) => debug!(%error, "a connection could not be accepted"),
                    }
                    None
                }
            };
            if let Some(Turn { open, done }) = turn
                && let Some(here) = door.take()
            {
                let turned = self.turn(here, open).await;
                let _ = done.send(turned.map(|turned| door = Some(turned)));
            }
        }
        drop(door);
        drop(stop);
        if timeout(DRAIN_LIMIT, self.open.shutdown()).await.is_err() {
            debug!("requests in flight did not finish in time");
        }
    }

    /// An error means that the port is lost.
    async fn turn(&mut self, door: Door, open: bool) -> io::Result<Door> {
        match door {
            Door::Open(listener) if !open => {
                drop(listener);
                // At once: nobody else may take the port.
                let closed = closed(self.addr).map(Door::Closed);
                self.serving.shutdown().await;
                closed
            }
            Door::Closed(socket) if open => socket.listen(BACKLOG).map(Door::Open),
            unchanged => Ok(unchanged),
        }
    }

    fn serve(&mut self, stream: TcpStream) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = stream.set_nodelay(true) {
            warn!(%error, "TCP_NODELAY could not be set");
        }
        let wire = Wire::default();
        let stream = TokioIo::new(Connection::new(stream, wire.clone()));
        let exchange = Arc::clone(&self.exchange);
        let service = service_fn(move |request| {
            let (exchange, wire) = (Arc::clone(&exchange), wire.clone());
            async move { exchange.serve(request, wire).await }
        });
        let connection = self.open.watch(http1::Builder::new().serve_connection(stream, service));
        while self.serving.try_join_next().is_some() {}
        self.serving.spawn(async move {
            if let Err(error) = connection.await {
                debug!(%error, "connection ended");
            }
        });
    }
}

fn closed(addr: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    Ok(socket)
}
