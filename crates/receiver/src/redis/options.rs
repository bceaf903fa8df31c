use std::fmt;
use std::time::Duration;

use secrecy::SecretString;

const STREAM: &str = "record-callback:events";
const DEDUPE_TTL: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const TIMEOUT: Duration = Duration::from_secs(2);

/// The options with which a [`RedisSink`](super::RedisSink) uses Redis.
#[derive(Clone)]
pub struct RedisOptions {
    pub(super) stream: String,
    pub(super) dedupe_ttl: Duration,
    pub(super) max_length: Option<u64>,
    pub(super) require_persistence: bool,
    pub(super) replicas: u32,
    pub(super) timeout: Duration,
    pub(super) ca: Option<Vec<u8>>,
    pub(super) sentinel_login: Option<(Option<String>, SecretString)>,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            stream: STREAM.to_owned(),
            dedupe_ttl: DEDUPE_TTL,
            max_length: None,
            require_persistence: true,
            replicas: 0,
            timeout: TIMEOUT,
            ca: None,
            sentinel_login: None,
        }
    }
}

impl RedisOptions {
    /// The key of the stream. `record-callback:events` if not set. What tells duplicates is in keys
    /// `{<stream>}:seen:…`.
    #[must_use]
    pub fn stream(mut self, key: impl Into<String>) -> Self {
        self.stream = key.into();
        self
    }

    /// The time for which an event is remembered to tell duplicates: at most 100 years. 7 days if not set.
    #[must_use]
    pub fn dedupe_ttl(mut self, ttl: Duration) -> Self {
        self.dedupe_ttl = ttl;
        self
    }

    /// The number of entries that the stream may have before events are refused with
    /// [`SinkErrorKind::Full`](crate::SinkErrorKind::Full). No limit if not set: then Redis's own `maxmemory` is the
    /// limit.
    #[must_use]
    pub fn max_length(mut self, entries: u64) -> Self {
        self.max_length = Some(entries);
        self
    }

    /// Sets whether nothing is kept while Redis says that it would lose it: without `appendonly`, with `appendfsync
    /// no`, or when a full `maxmemory` evicts keys. `allkeys-…` policies evict the stream, `volatile-…` ones what tells
    /// duplicates. Looked at when connecting, after every reconnect, and once a second. Where Redis does not tell its
    /// configuration, that is only logged. True if not set.
    #[must_use]
    pub fn require_persistence(mut self, require: bool) -> Self {
        self.require_persistence = require;
        self
    }

    /// The number of replicas that must have an event before it is answered, as `WAIT` counts them. None if not set.
    ///
    /// With fewer the event is refused, though Redis has it: the cloud's next delivery is then a duplicate.
    #[must_use]
    pub fn replicas(mut self, replicas: u32) -> Self {
        self.replicas = replicas;
        self
    }

    /// The time that a call may take, and a connection. 2 seconds if not set.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The certificates (PEM) that may have signed the servers'. Those of the system if not set.
    #[must_use]
    pub fn ca(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca = Some(pem.into());
        self
    }

    /// The login at Sentinels, which have passwords of their own. Without a password if not set.
    #[must_use]
    pub fn sentinel_login(mut self, user: Option<&str>, password: SecretString) -> Self {
        self.sentinel_login = Some((user.map(str::to_owned), password));
        self
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("stream", &self.stream)
            .field("dedupe_ttl", &self.dedupe_ttl)
            .field("max_length", &self.max_length)
            .field("require_persistence", &self.require_persistence)
            .field("replicas", &self.replicas)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
