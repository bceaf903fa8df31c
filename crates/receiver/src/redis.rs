use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use ::redis::aio::{ConnectionManager, ConnectionManagerConfig};
use ::redis::io::tcp::TcpSettings;
use ::redis::streams::StreamInfoGroupsReply;
use ::redis::{
    Client, FromRedisValue, IntoConnectionInfo, ProtocolVersion, RedisError, RedisResult, RetryMethod,
    Script, cmd,
};
use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{sleep, timeout};

use crate::gate::Gate;
use crate::sink::{EventRecord, EventSink, Kept, Received, SinkError, SinkErrorKind, to_json};

const STREAM: &str = "record-callback:events";
const DEDUPE_TTL: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// 100 years. Redis refuses what leads beyond 2^63 ms since 1970, and the script would have added the event by then.
const MAX_DEDUPE_TTL: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
const TIMEOUT: Duration = Duration::from_secs(2);

/// One script, so that nothing can come between its steps. The event goes first: a key without its event would have the
/// cloud's next delivery taken for a duplicate, and the event lost.
const KEEP: &str = r"
local stream, seen = KEYS[1], KEYS[2]
local event, ttl, most = ARGV[1], ARGV[2], tonumber(ARGV[3])
if seen and redis.call('EXISTS', seen) == 1 then return 'duplicate' end
if most and redis.call('XLEN', stream) >= most then return 'full' end
local id = redis.call('XADD', stream, '*', 'event', event)
if seen then redis.call('SET', seen, id, 'PX', ttl) end
return 'new'
";

/// What Redis answers, in a word. Any other word is not shown: who answers may have it from what it was sent.
const CODES: [&str; 17] = [
    "ASK",
    "BUSY",
    "CLUSTERDOWN",
    "CROSSSLOT",
    "ERR",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "MOVED",
    "NOAUTH",
    "NOPERM",
    "NOREPLICAS",
    "OOM",
    "READONLY",
    "TRYAGAIN",
    "WRONGPASS",
    "WRONGTYPE",
];

/// Adds each event to a Redis stream: for several receivers behind a load balancer, and any number of consumers.
///
/// An entry has one field, `event`: the [`EventRecord`] in JSON. Consumers read with `XREADGROUP` of their own Redis
/// client, acknowledge with `XACK`, and remove with `XDEL` or `XTRIM` what all of them are done with: nothing is ever
/// trimmed here.
///
/// Recognises duplicates, of all receivers on the same stream, for [a time](RedisOptions::dedupe_ttl).
///
/// `Ok` means that Redis has the event. With `appendonly yes` and `appendfsync always` it survives a crash of Redis's
/// machine; with `everysec` the last second may be lost then. With replicas, a failover may lose what was not yet
/// replicated.
///
/// A lost connection is made again, without end. Meanwhile an event is tried again for [a time](RedisOptions::timeout);
/// one without a dedupe key only while Redis cannot have it. If the connection broke after Redis had an event, the next
/// try finds it, and it counts as a duplicate.
///
/// For one Redis of version 6 or later, or what looks like one. The keys of a stream are in one slot, for proxies that
/// split them. No TLS.
pub struct RedisSink {
    connection: ConnectionManager,
    /// Address, for messages. The URL may hold a password.
    address: String,
    script: Script,
    dedupe_prefix: String,
    options: RedisOptions,
    gate: Gate,
}

/// How a [`RedisSink`] uses Redis.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    stream: String,
    dedupe_ttl: Duration,
    max_length: Option<u64>,
    require_persistence: bool,
    timeout: Duration,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            stream: STREAM.to_owned(),
            dedupe_ttl: DEDUPE_TTL,
            max_length: None,
            require_persistence: true,
            timeout: TIMEOUT,
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

    /// How long an event is remembered to tell duplicates: at most 100 years. 7 days if not set.
    #[must_use]
    pub fn dedupe_ttl(mut self, ttl: Duration) -> Self {
        self.dedupe_ttl = ttl;
        self
    }

    /// How many entries the stream may have before events are refused with [`SinkErrorKind::Full`]. No limit if not
    /// set: then Redis's own `maxmemory` is the limit.
    #[must_use]
    pub fn max_length(mut self, entries: u64) -> Self {
        self.max_length = Some(entries);
        self
    }

    /// Whether [`connect`](RedisSink::connect) fails when Redis says that it would lose events: without `appendonly`,
    /// with `appendfsync no`, or when it evicts keys of any kind. Where Redis does not tell its configuration, that is
    /// only logged. True if not set.
    #[must_use]
    pub fn require_persistence(mut self, require: bool) -> Self {
        self.require_persistence = require;
        self
    }

    /// How long a call may take, and a connection. 2 seconds if not set.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl RedisSink {
    /// Connects to the Redis at `url`: `redis://[[user]:password@]host[:port][/db]` or `redis+unix:///path`.
    ///
    /// RESP3, in which a lost connection is noticed at once, unless the URL says `?protocol=resp2`.
    pub async fn connect(url: &SecretString, mut options: RedisOptions) -> Result<Self, SinkError> {
        let dedupe_prefix = dedupe_prefix(&options.stream)
            .ok_or_else(|| SinkError::unavailable("the stream's key has braces that are no hash tag"))?;
        if options.dedupe_ttl < Duration::from_millis(1) {
            return Err(SinkError::unavailable("the time duplicates are told is less than a millisecond"));
        }
        options.dedupe_ttl = options.dedupe_ttl.min(MAX_DEDUPE_TTL);
        let client = client(url)?;
        let address = client.get_connection_info().addr().to_string();
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(options.timeout))
            .set_response_timeout(Some(options.timeout))
            .set_min_delay(Duration::from_millis(50))
            .set_max_delay(Duration::from_millis(500))
            .set_number_of_retries(4)
            .set_pipeline_buffer_size(256);
        let connecting = timeout(options.timeout, ConnectionManager::new_with_config(client, config));
        let connection = connecting.await.unwrap_or_else(|_| Err(timed_out()));
        let connection = connection.map_err(|error| failed(&address, &error))?;
        let (script, gate) = (Script::new(KEEP), Gate::new());
        let sink = Self { connection, address, script, dedupe_prefix, options, gate };
        if sink.options.require_persistence {
            sink.check_persistence().await?;
        }
        Ok(sink)
    }

    async fn check_persistence(&self) -> Result<(), SinkError> {
        let mut config = HashMap::new();
        for name in ["appendonly", "appendfsync", "maxmemory", "maxmemory-policy"] {
            let answer = self.ask::<HashMap<String, String>>(cmd("CONFIG").arg("GET").arg(name)).await;
            match answer {
                Ok(answer) => config.extend(answer),
                Err(error) if error.code().is_some() => {
                    tracing::warn!(redis = self.address, "does not tell whether it keeps events on disk");
                    return Ok(());
                }
                Err(error) => return Err(failed(&self.address, &error)),
            }
        }
        match durability(&config) {
            Durability::Synced => {}
            Durability::Delayed => {
                tracing::info!(redis = self.address, "loses up to a second of events if its machine crashes");
            }
            Durability::Lost(why) => {
                return Err(SinkError::unavailable(format!(
                    "Redis at `{}` would lose events: {why}",
                    self.address
                )));
            }
        }
        if evicts(&config, "volatile") {
            tracing::warn!(redis = self.address, "may forget under memory pressure which events it had");
        }
        Ok(())
    }

    async fn ask<T: FromRedisValue>(&self, command: &::redis::Cmd) -> RedisResult<T> {
        let mut connection = self.connection.clone();
        let asking = async {
            match command.query_async(&mut connection).await {
                // May be of the last attempt to connect, however long ago that was. The next call makes a new one.
                Err(error) if error.is_connection_refusal() => command.query_async(&mut connection).await,
                answer => answer,
            }
        };
        timeout(self.options.timeout, asking).await.unwrap_or_else(|_| Err(timed_out()))
    }

    /// Tries until it is cancelled; `failure` is then why it was still at it.
    async fn add(
        &self,
        event: &[u8],
        seen: Option<&str>,
        failure: &mut Option<RedisError>,
    ) -> RedisResult<String> {
        let mut call = self.script.key(&self.options.stream);
        if let Some(seen) = seen {
            call.key(seen);
        }
        call.arg(event)
            .arg(u64::try_from(self.options.dedupe_ttl.as_millis()).unwrap_or(u64::MAX))
            .arg(self.options.max_length.map(|most| most.to_string()).unwrap_or_default());
        let mut connection = self.connection.clone();
        loop {
            let error = match call.invoke_async(&mut connection).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            // Redis did not do it: it was not reached, or says so, as while it starts.
            let not_done =
                error.is_connection_refusal() || matches!(error.retry_method(), RetryMethod::WaitAndRetry);
            // Redis may have done it: only what has a key can be given again without being kept twice.
            let harmless = error.is_connection_dropped() && seen.is_some();
            if !(not_done || harmless) {
                return Err(error);
            }
            *failure = Some(error);
            sleep(Duration::from_millis(50)).await;
        }
    }
}

#[async_trait]
impl EventSink for RedisSink {
    async fn keep(&self, received: Received) -> Result<Kept, SinkError> {
        let _inside = self.gate.enter().await?;
        let record = EventRecord::from(received);
        let seen = record.dedupe_key().map(|key| format!("{}:{}:{key}", self.dedupe_prefix, record.source));
        let event = to_json(&record)?;
        let mut failure = None;
        let answer =
            timeout(self.options.timeout, self.add(event.as_bytes(), seen.as_deref(), &mut failure)).await;
        let answer = answer.unwrap_or_else(|_| Err(failure.unwrap_or_else(timed_out)));
        match answer.map_err(|error| failed(&self.address, &error))?.as_str() {
            "new" => Ok(Kept::New),
            "duplicate" => Ok(Kept::Duplicate),
            "full" => {
                let stream = &self.options.stream;
                Err(SinkError::new(SinkErrorKind::Full, format!("the stream `{stream}` is at its limit")))
            }
            _ => Err(SinkError::unavailable(format!("Redis at `{}` answered in no known way", self.address))),
        }
    }

    async fn check(&self) -> Result<(), SinkError> {
        let _inside = self.gate.enter().await?;
        self.ask::<()>(&cmd("PING")).await.map_err(|error| failed(&self.address, &error))
    }

    /// What the slowest consumer group has not acknowledged; without groups, or where Redis cannot tell, the length of
    /// the stream.
    async fn depth(&self) -> Result<Option<u64>, SinkError> {
        let _inside = self.gate.enter().await?;
        let failed = |error| failed(&self.address, &error);
        let length: u64 = self.ask(cmd("XLEN").arg(&self.options.stream)).await.map_err(failed)?;
        if length == 0 {
            // There need not be a stream to ask about.
            return Ok(Some(0));
        }
        let groups = cmd("XINFO").arg("GROUPS").arg(&self.options.stream).clone();
        let groups: StreamInfoGroupsReply = self.ask(&groups).await.map_err(failed)?;
        let behind = groups.groups.iter().map(|group| group.lag.map(|lag| (lag + group.pending) as u64));
        Ok(Some(behind.map(|events| events.unwrap_or(length)).max().unwrap_or(length)))
    }

    fn recognises_duplicates(&self) -> bool {
        true
    }

    async fn close(&self) {
        self.gate.close().await;
    }
}

impl fmt::Debug for RedisSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSink")
            .field("address", &self.address)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

fn timed_out() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}

/// Says what failed by its code only. Redis repeats arguments in some of its messages, and one may be the password.
fn failed(address: &str, error: &RedisError) -> SinkError {
    let code = error.code();
    // All memory is taken, and Redis is told not to evict.
    let kind = if code == Some("OOM") { SinkErrorKind::Full } else { SinkErrorKind::Unavailable };
    let message = match code {
        Some(code) if CODES.contains(&code) => format!("Redis at `{address}` answered {code}"),
        Some(_) => format!("Redis at `{address}` answered with an error"),
        None if error.is_timeout() => format!("no answer from Redis at `{address}` in time"),
        None if error.is_io_error() => format!("no connection to Redis at `{address}`"),
        None => format!("Redis at `{address}`: {}", error.category()),
    };
    SinkError::new(kind, message)
}

fn client(url: &SecretString) -> Result<Client, SinkError> {
    let url = url.expose_secret();
    // The library's own error may have parts of the URL.
    let invalid =
        |_| SinkError::unavailable("the Redis URL is not redis://[[user]:password@]host[:port][/db]");
    let info = url.into_connection_info().map_err(invalid)?;
    let tcp = TcpSettings::default().set_nodelay(true);
    // Without this, a peer that vanished without a word is noticed only after minutes.
    #[cfg(target_os = "linux")]
    let tcp = tcp.set_user_timeout(Duration::from_secs(5));
    let mut redis = info.redis_settings().clone();
    if !url.contains("protocol=") {
        redis = redis.set_protocol(ProtocolVersion::RESP3);
    }
    Client::open(info.set_tcp_settings(tcp).set_redis_settings(redis)).map_err(invalid)
}

/// What keys that tell duplicates begin with: on a cluster they have to be in the stream's slot, which is that of the
/// text in braces or, without braces, of the whole key. `None` for braces that are not one tag.
fn dedupe_prefix(stream: &str) -> Option<String> {
    if !stream.contains(['{', '}']) {
        return (!stream.is_empty()).then(|| format!("{{{stream}}}:seen"));
    }
    let (_, rest) = stream.split_once('{')?;
    let (tag, rest) = rest.split_once('}')?;
    let one_tag = !tag.is_empty() && !tag.contains('{') && !rest.contains(['{', '}']);
    one_tag.then(|| format!("{stream}:seen"))
}

#[derive(Debug, PartialEq)]
enum Durability {
    Synced,
    Delayed,
    Lost(&'static str),
}

fn durability(config: &HashMap<String, String>) -> Durability {
    let setting = |name: &str| config.get(name).map(String::as_str);
    if setting("appendonly") != Some("yes") {
        return Durability::Lost("`appendonly` is not `yes`");
    }
    if evicts(config, "allkeys") {
        return Durability::Lost("its `maxmemory-policy` may evict the stream");
    }
    match setting("appendfsync") {
        Some("always") => Durability::Synced,
        Some("everysec") => Durability::Delayed,
        _ => Durability::Lost("`appendfsync` is neither `always` nor `everysec`"),
    }
}

/// Whether keys of this kind are evicted when memory is short.
fn evicts(config: &HashMap<String, String>, kind: &str) -> bool {
    config.get("maxmemory").is_some_and(|limit| limit != "0")
        && config.get("maxmemory-policy").is_some_and(|policy| policy.starts_with(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_a_stream_are_in_one_slot() {
        assert_eq!(dedupe_prefix("a:b").as_deref(), Some("{a:b}:seen"));
        assert_eq!(dedupe_prefix("x{a}b").as_deref(), Some("x{a}b:seen"));
        for stream in ["", "{}a", "a}", "{a", "}a{", "{{a}}", "{a}{b}", "{a}}"] {
            assert_eq!(dedupe_prefix(stream), None, "{stream}");
        }
    }

    #[test]
    fn what_would_be_lost_is_told_from_what_would_not() {
        use Durability::{Delayed, Lost, Synced};
        let of = |append: &str, fsync: &str, limit: &str, policy: &str| {
            let names = ["appendonly", "appendfsync", "maxmemory", "maxmemory-policy"];
            let values = [append, fsync, limit, policy].map(str::to_owned);
            durability(&names.map(str::to_owned).into_iter().zip(values).collect())
        };
        assert_eq!(of("yes", "always", "0", "noeviction"), Synced);
        assert_eq!(of("yes", "everysec", "1", "volatile-lru"), Delayed);
        assert_eq!(of("yes", "always", "0", "allkeys-lru"), Synced);
        assert!(matches!(of("yes", "always", "1", "allkeys-lru"), Lost(_)));
        assert!(matches!(of("yes", "no", "0", "noeviction"), Lost(_)));
        assert!(matches!(of("no", "always", "0", "noeviction"), Lost(_)));
        assert!(matches!(durability(&HashMap::new()), Lost(_)));
    }

    #[test]
    fn a_url_is_never_shown() {
        for url in ["hush", "redis://:hush@h/hush", "rediss://:hush@h", "redis://:hush@h?protocol=hush", ""] {
            let error = client(&url.into()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
        }
        let said = "unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `default`, `hush`";
        let error = ::redis::make_extension_error("ERR".to_owned(), Some(said.to_owned()));
        let error = failed("h:1", &error);
        assert_eq!(error.to_string(), "Redis at `h:1` answered ERR");
        assert!(!format!("{error:?}").contains("hush"));
    }

    #[test]
    fn no_memory_is_no_room() {
        let error = ::redis::make_extension_error("OOM".to_owned(), None);
        assert_eq!(failed("h:1", &error).kind(), SinkErrorKind::Full);
    }
}
