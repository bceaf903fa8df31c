use std::future::{Future, ready};
use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Context, Poll};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::pin;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, Sleep, interval, sleep, timeout};
use tracing::{debug, info, warn};

use crate::answer::Answer;
use crate::connections::{Connection, Connections, NotAdmitted};
use crate::receiver::{FAR, Receiver, Shared};
#[cfg(feature = "tls")]
use crate::tls::Tls;

/// How long to wait when the system has no file descriptor for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The connections that were shed and need not be closed yet when another is accepted.
const MAX_LEAVING: usize = 16;
/// The connections of those who ask how the receiver is. They must not take those of the clouds.
const ADMIN_CONNECTIONS: usize = 16;
/// The time between two lines on failures to accept.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// The longest headers, and what is read of a body at a time. hyper's own is some 400 KiB for each connection.
const BUFFER: usize = 16 * 1024;

impl Receiver {
    /// Serves [`app`](Self::app) on `listener` until `shutdown` is ready.
    ///
    /// Then no more connections are accepted, requests in flight may finish (for
    /// [`Limits::drain`](crate::Limits::drain)), and the sink is closed, for which it has as long again. What is still
    /// open then is cut off. Headers may be 16 KiB long.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        self.serve_over(listener, |stream| ready(Ok(stream)), shutdown).await;
    }

    /// Serves as [`serve`](Self::serve) does, over TLS. A handshake may take as long as headers may.
    #[cfg(feature = "tls")]
    pub async fn serve_tls(&self, listener: TcpListener, tls: &Tls, shutdown: impl Future<Output = ()>) {
        let acceptor = tls.acceptor();
        self.serve_over(listener, |stream| acceptor.accept(stream), shutdown).await;
    }

    /// Serves [`admin_router`](Self::admin_router) on `listener` until `shutdown` is ready, on 16 connections at most. The sink
    /// stays open.
    pub async fn serve_admin(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let respond = |shared: Arc<Shared>, request: Request<Incoming>, _: IpAddr| async move {
            let asked = shared.respond_admin(request.method(), request.uri().path()).await;
            asked.unwrap_or_else(|| shared.unknown())
        };
        let connections = Connections::new(ADMIN_CONNECTIONS, ADMIN_CONNECTIONS);
        self.accept_all(listener, connections, |stream| ready(Ok(stream)), respond, shutdown).await;
    }

    /// Serves callbacks, and closes the sink. `make_stream` makes a stream of what was accepted.
    async fn serve_over<S, B>(
        &self,
        listener: TcpListener,
        make_stream: impl Fn(WriteTimeout) -> B,
        shutdown: impl Future<Output = ()>,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        B: Future<Output = io::Result<S>> + Send + 'static,
    {
        let watching = AbortOnDrop(tokio::spawn(watch_silence(Arc::clone(&self.0))));
        let respond =
            |shared: Arc<Shared>, request, peer| async move { shared.respond(request, Some(peer)).await };
        let limits = self.0.limits;
        let connections = Connections::new(limits.connections, limits.connections_per_peer);
        self.accept_all(listener, connections, make_stream, respond, shutdown).await;
        drop(watching);
        if timeout(self.0.limits.drain, self.close()).await.is_err() {
            warn!("the sink did not close in time");
        }
    }

    /// Accepts connections until `shutdown` is ready, and waits until they have ended.
    async fn accept_all<S, B, R>(
        &self,
        listener: TcpListener,
        connections: Arc<Connections>,
        make_stream: impl Fn(WriteTimeout) -> B,
        respond: impl Fn(Arc<Shared>, Request<Incoming>, IpAddr) -> R + Clone + Send + Sync + 'static,
        shutdown: impl Future<Output = ()>,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        B: Future<Output = io::Result<S>> + Send + 'static,
        R: Future<Output = Answer> + Send,
    {
        let limits = self.0.limits;
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(limits.header_timeout.min(FAR));
        http.max_buf_size(BUFFER);
        let open = GracefulShutdown::new();
        // Dropped when no connection is begun any more.
        let (beginning, begun) = watch::channel(());
        // Aborts what is left when it is dropped.
        let mut serving = JoinSet::new();
        let mut failures = AcceptFailures::default();

        pin!(shutdown);
        loop {
            let next = async {
                let (stream, peer) = accept(&listener, &mut failures).await;
                let counted = (!self.0.proxies.contain(peer)).then_some(peer);
                (admit(&connections, counted).await, stream, peer)
            };
            let (connection, stream, peer) = tokio::select! {
                next = next => next,
                () = &mut shutdown => break,
            };
            while serving.try_join_next().is_some() {}
            let Some(connection) = connection else { continue };
            let connection = Arc::new(connection);
            let beginning = make_stream(WriteTimeout { stream, limit: limits.header_timeout, stalled: None });
            let (http, respond) = (http.clone(), respond.clone());
            let (watcher, mut begun) = (open.watcher(), begun.clone());
            let (shared, requests) = (Arc::clone(&self.0), Arc::clone(&connection));
            serving.spawn(async move {
                let service = service_fn(move |request| {
                    let responding = respond(Arc::clone(&shared), request, peer);
                    let requests = Arc::clone(&requests);
                    async move {
                        if !requests.begin_request() {
                            return Err("it was shed");
                        }
                        let answer = responding.await;
                        requests.end_request();
                        Ok(answer)
                    }
                });
                let serving = async {
                    let stream = tokio::select! {
                        biased;
                        stream = timeout(limits.header_timeout.min(FAR), beginning) => stream,
                        _ = begun.changed() => return Ok(()),
                    };
                    match stream {
                        Ok(Ok(stream)) => {
                            let connection = http.serve_connection(TokioIo::new(stream), service);
                            watcher.watch(connection).await.map_err(|error| error.to_string())
                        }
                        Ok(Err(error)) => Err(error.to_string()),
                        Err(_) => Err("it did not begin in time".to_owned()),
                    }
                };
                let ended = tokio::select! {
                    ended = serving => ended,
                    () = connection.shed() => Err("there are too many".to_owned()),
                };
                if let Err(error) = ended {
                    debug!(%error, "connection ended");
                }
            });
        }
        drop(beginning);
        drop(listener);
        info!("stopping");
        if timeout(limits.drain, open.shutdown()).await.is_err() {
            warn!("requests in flight did not finish in time");
        }
    }
}

/// Admits a connection, as soon as there is room. `None` when its peer has its share.
async fn admit(connections: &Arc<Connections>, peer: Option<IpAddr>) -> Option<Connection> {
    loop {
        match connections.admit(peer) {
            Ok(connection) => {
                // Each still has its open file, and they must not be more than there are.
                while connections.leaving() > MAX_LEAVING {
                    connections.ended().await;
                }
                return Some(connection);
            }
            Err(NotAdmitted::PeerIsFull) => return None,
            // All that are open have a request, which ends by itself.
            Err(NotAdmitted::Full) => connections.ended().await,
        }
    }
}

/// Ends its task when it is dropped.
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Looks every second for sources that are silent.
async fn watch_silence(shared: Arc<Shared>) {
    let mut ticks = interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        shared.check_silence();
    }
}

async fn accept(listener: &TcpListener, failures: &mut AcceptFailures) -> (TcpStream, IpAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    debug!(%error, "TCP_NODELAY could not be set");
                }
                return (stream, peer.ip().to_canonical());
            }
            // The peer's trouble, over already.
            Err(error) if is_of_connection(&error) => {}
            Err(error) => {
                failures.note(&error);
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Connections that could not be accepted. They come in thousands.
#[derive(Debug, Default)]
struct AcceptFailures {
    count: u64,
    told_at: Option<Instant>,
}

impl AcceptFailures {
    fn note(&mut self, error: &io::Error) {
        self.count += 1;
        if self.told_at.is_none_or(|told_at| told_at.elapsed() >= TELL_EVERY) {
            warn!(%error, times = self.count, "connections could not be accepted");
            *self = Self { count: 0, told_at: Some(Instant::now()) };
        }
    }
}

fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

/// A connection that fails when the other end takes nothing of what it is sent for too long. hyper would wait for ever.
struct WriteTimeout {
    stream: TcpStream,
    limit: Duration,
    /// Runs while nothing can be written.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl WriteTimeout {
    fn written(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if polled.is_ready() {
            self.stalled = None;
            return polled;
        }
        let limit = self.limit;
        task::ready!(self.stalled.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for WriteTimeout {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for WriteTimeout {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.written(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.written(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn failures_to_accept_are_told_of_once_a_second() {
        let mut failures = AcceptFailures::default();
        let mut told = Vec::new();
        for round in 0..25 {
            failures.note(&ErrorKind::Other.into());
            if failures.count == 0 {
                told.push(round);
            }
            advance(ACCEPT_PAUSE).await;
        }
        assert_eq!(told, [0, 10, 20]);
    }
}
