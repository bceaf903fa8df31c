//! What happens to the bytes: connections that end badly, answers that come in pieces or twice.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};
use tracing::warn;

use super::FaultKind;
use crate::lock::lock;

/// How long the client has to read half an answer before the end, which may take it away again.
const BEFORE_END: Duration = Duration::from_millis(5);

/// The handle by which an exchange says what becomes of its connection.
#[derive(Clone, Default)]
pub(crate) struct Wire(Arc<State>);

#[derive(Default)]
struct State {
    reset: AtomicBool,
    /// The answer that is being repeated.
    twice: Mutex<Option<Repeated>>,
}

struct Repeated {
    /// How long its body is.
    body: usize,
    written: Vec<u8>,
}

impl Repeated {
    fn is_whole(&self) -> bool {
        let head = self.written.windows(4).position(|window| window == b"\r\n\r\n");
        head.is_some_and(|head| self.written.len() >= head + 4 + self.body)
    }
}

impl Wire {
    /// Lets the connection end with a reset instead of in an orderly way.
    pub(crate) fn reset_when_closed(&self) {
        self.0.reset.store(true, Ordering::Relaxed);
    }

    /// Sends the next answer, whose body is this long, twice.
    pub(crate) fn repeat_answer(&self, body: usize) {
        *lock(&self.0.twice) = Some(Repeated { body, written: Vec::new() });
    }
}

/// A TCP connection under the control of a [`Wire`].
pub(crate) struct Connection {
    stream: TcpStream,
    wire: Wire,
    /// What is left to be sent again.
    again: Option<(Vec<u8>, usize)>,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, wire: Wire) -> Self {
        Self { stream, wire, again: None }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.wire.0.reset.load(Ordering::Relaxed)
            && let Err(error) = self.stream.set_zero_linger()
        {
            warn!(%error, "the connection is closed instead of reset");
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        if let Some(repeated) = &mut *lock(&self.wire.0.twice) {
            repeated.written.extend_from_slice(&buf[..written]);
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let whole = lock(&self.wire.0.twice).take_if(|repeated| repeated.is_whole());
        if let Some(repeated) = whole {
            self.again = Some((repeated.written, 0));
        }
        let Self { stream, again, .. } = &mut *self;
        while let Some((bytes, sent)) = again {
            *sent += ready!(Pin::new(&mut *stream).poll_write(cx, &bytes[*sent..]))?;
            if *sent == bytes.len() {
                *again = None;
            }
        }
        Pin::new(stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A body that may come slowly or not at all.
pub(crate) struct FaultyBody {
    rest: Bytes,
    pace: Pace,
    waiting: Option<Pin<Box<Sleep>>>,
}

enum Pace {
    Whole,
    Drip(Duration),
    /// Half of it, then the end of the connection.
    Half {
        left: usize,
    },
}

impl FaultyBody {
    pub(crate) fn new(body: Bytes, fault: Option<&FaultKind>) -> Self {
        let left = body.len() / 2;
        let pace = match fault {
            Some(FaultKind::Drip { pause_ms }) => Pace::Drip(Duration::from_millis(*pause_ms)),
            Some(FaultKind::CloseInAnswer | FaultKind::ResetInAnswer) => Pace::Half { left },
            _ => Pace::Whole,
        };
        Self { rest: body, pace, waiting: None }
    }

    fn poll_wait(&mut self, cx: &mut Context<'_>, pause: Duration) -> Poll<()> {
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(pause)));
        ready!(waiting.as_mut().poll(cx));
        self.waiting = None;
        Poll::Ready(())
    }

    fn next(&mut self, length: usize) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let data = self.rest.split_to(length);
        Poll::Ready(if data.is_empty() { None } else { Some(Ok(Frame::data(data))) })
    }
}

impl Body for FaultyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.pace {
            Pace::Whole => {
                let length = self.rest.len();
                self.next(length)
            }
            Pace::Drip(_) if self.rest.is_empty() => Poll::Ready(None),
            Pace::Drip(pause) => {
                ready!(self.poll_wait(cx, pause));
                self.next(1)
            }
            Pace::Half { left: 0 } => {
                // What was written is sent meanwhile.
                ready!(self.poll_wait(cx, BEFORE_END));
                Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())))
            }
            Pace::Half { left } => {
                self.pace = Pace::Half { left: 0 };
                self.next(left)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && !matches!(self.pace, Pace::Half { .. })
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
