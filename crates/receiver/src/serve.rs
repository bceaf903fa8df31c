use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::pin;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use crate::receiver::Receiver;

/// How long to wait when the system has no file descriptor for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl Receiver {
    /// Serves [`app`](Self::app) on `listener` until `shutdown` is ready.
    ///
    /// Then no more connections are accepted, requests in flight may finish (for
    /// [`Limits::drain`](crate::Limits::drain)), and the sink is closed.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let limits = self.0.limits;
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(limits.header_timeout);
        let service = TowerToHyperService::new(self.app());
        let connections = Arc::new(Semaphore::new(limits.connections));
        let open = GracefulShutdown::new();

        pin!(shutdown);
        loop {
            // A place is taken before a connection is accepted: what is beyond waits in the system's queue.
            let next = async {
                let place = Arc::clone(&connections).acquire_owned().await;
                (accept(&listener).await, place)
            };
            let (stream, place) = tokio::select! {
                next = next => next,
                () = &mut shutdown => break,
            };
            let connection = open.watch(http.serve_connection(TokioIo::new(stream), service.clone()));
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    debug!(%error, "connection ended");
                }
                drop(place);
            });
        }
        drop(listener);
        info!("stopping");
        if timeout(limits.drain, open.shutdown()).await.is_err() {
            warn!("requests in flight did not finish in time");
        }
        self.close().await;
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    debug!(%error, "TCP_NODELAY could not be set");
                }
                return stream;
            }
            // The peer's trouble, over already.
            Err(error) if is_of_connection(&error) => {}
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}
