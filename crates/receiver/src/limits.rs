use std::time::Duration;

/// What a receiver puts up with.
///
/// ```
/// use record_callback_receiver::Limits;
///
/// let mut limits = Limits::default();
/// limits.requests = 64;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest body, in bytes: 64 KiB. A longer one is answered with 413.
    pub body: usize,
    /// How long a body may take to arrive: 5 s. A slower one is answered with 408.
    pub body_timeout: Duration,
    /// How many requests are verified and kept, or decided about, at a time: 1024. Others wait, their bodies read, and
    /// are answered with 503 after [`keep_timeout`](Self::keep_timeout). What is still arriving does not count:
    /// [`connections`](Self::connections) bounds that, or the server that [`router`](crate::Receiver::router) is in.
    pub requests: usize,
    /// How long an event, once its body is read, may wait for a place among [`requests`](Self::requests) and then for
    /// the sink, together: 4 s, as Aliyun waits for 5 s. After that the answer is 503; whether a cloud sends the event
    /// again then is unverified. If it was kept all the same and does come again, it is a duplicate where the sink
    /// [recognises duplicates](crate::EventSink::recognises_duplicates), and kept twice elsewhere.
    pub keep_timeout: Duration,
    /// How long a decision whether to record may take: 2 s. After that the source's default holds.
    pub decision: Duration,
    /// The number of connections open at a time: 4096. For one more, the one goes that has waited longest for the head
    /// of a request; while all have a request, others wait. For [`serve`](crate::Receiver::serve) only.
    pub connections: usize,
    /// The number of them that one peer may have: 256. For one more, the peer's own goes that has waited longest for
    /// the head of a request; while all have a request, the new one is closed. A peer is an IPv4 address or a /64
    /// network of IPv6; [trusted proxies](crate::Proxies) do not count. For [`serve`](crate::Receiver::serve) only.
    pub connections_per_peer: usize,
    /// The time that a request's headers may take to arrive, a TLS handshake, a connection may be idle, and an answer
    /// may wait to be taken: 3 s each. For [`serve`](crate::Receiver::serve) only.
    pub header_timeout: Duration,
    /// The time that requests in flight may take to finish once the server stops, and then how long the sink may take
    /// to close: 10 s each. For [`serve`](crate::Receiver::serve) only.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 64 * 1024,
            body_timeout: Duration::from_secs(5),
            requests: 1024,
            keep_timeout: Duration::from_secs(4),
            decision: Duration::from_secs(2),
            connections: 4096,
            connections_per_peer: 256,
            header_timeout: Duration::from_secs(3),
            drain: Duration::from_secs(10),
        }
    }
}
