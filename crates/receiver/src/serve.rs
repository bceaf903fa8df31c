use std::convert::Infallible;
use std::future::{Future, ready};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Context, Poll};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::pin;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Sleep, interval, sleep, timeout};
use tracing::{debug, info, warn};

use crate::receiver::{FAR, Receiver, Shared};
#[cfg(feature = "tls")]
use crate::tls::Tls;

/// How long to wait when the system has no file descriptor for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
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

    /// `begin` makes a connection of what was accepted.
    async fn serve_over<S, B>(
        &self,
        listener: TcpListener,
        begin: impl Fn(WriteTimeout) -> B,
        shutdown: impl Future<Output = ()>,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        B: Future<Output = io::Result<S>> + Send + 'static,
    {
        let limits = self.0.limits;
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(limits.header_timeout.min(FAR));
        http.max_buf_size(BUFFER);
        let shared = Arc::clone(&self.0);
        let service = service_fn(move |request| {
            let shared = Arc::clone(&shared);
            async move { Ok::<_, Infallible>(shared.respond(request).await) }
        });
        let connections = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
        let open = GracefulShutdown::new();
        // Dropped when no connection is begun any more.
        let (accepting, stopped) = watch::channel(());
        // Aborts what is left when it is dropped.
        let mut serving = JoinSet::new();
        serving.spawn(watch_silence(Arc::clone(&self.0)));

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
            while serving.try_join_next().is_some() {}
            let beginning = begin(WriteTimeout { stream, limit: limits.header_timeout, stalled: None });
            let (http, service) = (http.clone(), service.clone());
            let (watcher, mut stopped) = (open.watcher(), stopped.clone());
            serving.spawn(async move {
                let stream = tokio::select! {
                    biased;
                    stream = timeout(limits.header_timeout.min(FAR), beginning) => stream,
                    _ = stopped.changed() => return,
                };
                let ended = match stream {
                    Ok(Ok(stream)) => {
                        let connection = http.serve_connection(TokioIo::new(stream), service);
                        watcher.watch(connection).await.map_err(|error| error.to_string())
                    }
                    Ok(Err(error)) => Err(error.to_string()),
                    Err(_) => Err("it did not begin in time".to_owned()),
                };
                if let Err(error) = ended {
                    debug!(%error, "connection ended");
                }
                drop(place);
            });
        }
        drop(accepting);
        drop(listener);
        info!("stopping");
        if timeout(limits.drain, open.shutdown()).await.is_err() {
            warn!("requests in flight did not finish in time");
        }
        if timeout(limits.drain, self.close()).await.is_err() {
            warn!("the sink did not close in time");
        }
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
