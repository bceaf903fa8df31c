//! Events in a Redis stream.

mod address;
mod connections;
mod durability;
mod failure;
mod finder;
mod options;
mod script;

use std::fmt;
use std::time::Duration;

use ::redis::streams::StreamInfoGroupsReply;
use ::redis::{FromRedisValue, RedisError, RedisResult, Script, ScriptInvocation, cmd};
use async_trait::async_trait;
use secrecy::SecretString;
use tokio::time::{Instant, sleep, timeout};

use self::address::Address;
use self::connections::{Connections, Live};
use self::durability::Durability;
use self::failure::{Remedy, failed, remedy, timed_out};
use self::finder::Finder;
pub use self::options::RedisOptions;
use crate::gate::Gate;
use crate::sink::{EventRecord, EventSink, Kept, MAX_CONFLICTS, Received, SinkError, SinkErrorKind, to_json};

/// 100 years. Redis refuses what leads beyond 2^63 ms since 1970, and the script would have added the event by then.
const MAX_DEDUPE_TTL: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
/// The time for which Redis is taken to be as durable as it said.
const DURABLE_FOR: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(50);

/// Adds each event to a Redis stream: for several receivers behind a load balancer, and any number of consumers.
///
/// An entry has one field, `event`: the [`EventRecord`] in JSON. Consumers read with `XREADGROUP` of their own Redis
/// client, acknowledge with `XACK`, and remove with `XDEL` or `XTRIM` what all of them are done with: nothing is ever
/// trimmed here.
///
/// Recognises duplicates, of all receivers on the same stream, for [a time](RedisOptions::dedupe_ttl). An event that
/// contradicts a kept one names the id of the first entry in [`conflicts_with`](EventRecord::conflicts_with).
///
/// # What is lost, and when
/// `Ok` means that Redis has the event. What else may be lost:
/// - With `appendonly yes` and `appendfsync always`, nothing when Redis or its machine crashes and comes back.
/// - With `appendfsync everysec`, the last second when its machine crashes; nothing when only Redis does.
/// - When a replica takes over, all that was not replicated yet: replication is asynchronous. With
///   [`replicas`](RedisOptions::replicas) an event is answered only when so many have it, in their memory. This is no
///   consensus: a failover that promotes a replica without it (Sentinel and Cluster prefer the one with most) still
///   loses it. Only as many as there are replicas rules that out, and then none may be missing.
/// - What a master takes that was replaced without knowing: `min-replicas-to-write 1` on the servers makes it refuse,
///   and `replicas` has the same effect on the answer.
///
/// Redis's settings are looked at before events are kept, at most once a second:
/// [`require_persistence`](RedisOptions::require_persistence). So after they are changed at run time up to a second of
/// events may be kept under the new ones.
///
/// # Connections
/// A lost connection is made again, without end, and so is one to a server that answers that it is no master, is
/// loading, wants a password, or anything else but what it was asked. Meanwhile an event is tried again for
/// [a time](RedisOptions::timeout); one without a dedupe key only while Redis cannot have it. If the connection broke
/// after Redis had an event, the next try finds it, and it counts as a duplicate.
///
/// Behind Sentinels, the master they name is used. In a cluster, the owner of the stream's slot: all keys are in that
/// one. While the slot is moved to another node by hand, events may be refused.
///
/// # Readiness
/// [`check`](EventSink::check) does what keeping does: it offers an entry with the id `0-1`, which only a stream that
/// never had an entry takes, and removes it there. Consumers never see it, and `lag` stays right. Such a stream is made
/// if there is none; Redis counts one more refused command each time (`errorstat_ERR`).
///
/// The user needs `+@read +@write +@scripting +@connection` on the keys `<stream>` and `{<stream>}:seen:*`, and for the
/// settings `+config|get`; with `replicas` also `+wait`, behind Sentinels `+role`, in a cluster `+cluster|slots
/// +cluster|keyslot`.
///
/// For Redis of version 6 or later, or what looks like it.
pub struct RedisSink {
    connections: Connections,
    /// Address, for messages. The URL may hold a password.
    address: String,
    keep: Script,
    probe: Script,
    dedupe_prefix: String,
    options: RedisOptions,
    gate: Gate,
}

impl RedisSink {
    /// Connects to the Redis at `url`:
    /// - `redis://[[user]:password@]host[:port][/db]` or `redis+unix:///path`,
    /// - `redis+sentinel://[[user]:password@]host[:port],…/master[/db]`, with user and password of the master (those of
    ///   the Sentinels are [options](RedisOptions::sentinel_login)), and the port 26379 if it has none,
    /// - `redis+cluster://[[user]:password@]host[:port],…`, with any nodes of a cluster.
    ///
    /// With `rediss` in place of `redis`, all of them over TLS. The first such connection makes `aws-lc-rs` the
    /// process's default provider of rustls, if there is none.
    ///
    /// RESP3, in which a lost connection is noticed at once, unless the URL says `?protocol=resp2`.
    pub async fn connect(url: &SecretString, mut options: RedisOptions) -> Result<Self, SinkError> {
        let dedupe_prefix = dedupe_prefix(&options.stream)
            .ok_or_else(|| SinkError::unavailable("the stream's key has braces that are no hash tag"))?;
        if options.dedupe_ttl < Duration::from_millis(1) {
            return Err(SinkError::unavailable("the time duplicates are told is less than a millisecond"));
        }
        options.dedupe_ttl = options.dedupe_ttl.min(MAX_DEDUPE_TTL);
        let address = Address::parse(url, &options)?;
        let (shown, limit) = (address.shown(), options.timeout.saturating_mul(address.hops()));
        let sink = Self {
            connections: Connections::new(Finder::new(address, &options.stream, options.timeout)),
            address: shown,
            keep: Script::new(script::KEEP),
            probe: Script::new(script::PROBE),
            dedupe_prefix,
            options,
            gate: Gate::new(),
        };
        let begun = async {
            loop {
                let live = sink.connections.get().await?;
                match sink.durability(&live, Duration::ZERO).await {
                    Err(error) if remedy(&error) == Remedy::Reconnect => {
                        sink.connections.leave(&live, &error);
                    }
                    durability => return durability,
                }
            }
        };
        let durability = sink.within(limit, begun).await?;
        sink.refuse_lossy(durability)?;
        match durability {
            Durability::Untold => {
                tracing::warn!(redis = sink.address, "does not tell whether it keeps events on disk");
            }
            Durability::Delayed => {
                tracing::info!(redis = sink.address, "loses up to a second of events if its machine crashes");
            }
            Durability::Synced | Durability::Lost(_) => {}
        }
        Ok(sink)
    }

    /// The durability that Redis claims now, or claimed no longer than `age` ago.
    async fn durability(&self, live: &Live, age: Duration) -> RedisResult<Durability> {
        if !self.options.require_persistence {
            return Ok(Durability::Untold);
        }
        let mut known = live.durability.lock().await;
        match *known {
            Some((at, Durability::Lost(_))) if at.elapsed() < age / 4 => {}
            Some((at, durability)) if at.elapsed() < age && !matches!(durability, Durability::Lost(_)) => {}
            _ => *known = Some((Instant::now(), Durability::ask(&live.connection).await?)),
        }
        Ok(known.map_or(Durability::Untold, |(_, durability)| durability))
    }

    fn refuse_lossy(&self, durability: Durability) -> Result<(), SinkError> {
        match durability {
            Durability::Lost(why) if self.options.require_persistence => {
                Err(SinkError::unavailable(format!("Redis at `{}` would lose events: {why}", self.address)))
            }
            _ => Ok(()),
        }
    }

    /// Gives `work` so much time.
    async fn within<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, SinkError> {
        let done = timeout(limit, work).await.unwrap_or_else(|_| Err(self.reason(None)));
        done.map_err(|error| failed(&self.address, &error))
    }

    /// Does `work` on a connection, and leaves the connection if it fails for a reason in it, or is not done in time.
    async fn on<T>(&self, live: &Live, work: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
        let mut unanswered = Unanswered { connections: &self.connections, live: Some(live) };
        let done = work.await;
        unanswered.live = None;
        match &done {
            Ok(_) => live.works(),
            Err(error) if matches!(remedy(error), Remedy::Final | Remedy::Wait) => live.works(),
            Err(error) => self.connections.leave(live, error),
        }
        done
    }

    async fn ask<T: FromRedisValue>(&self, command: &::redis::Cmd) -> Result<T, SinkError> {
        let asking = async {
            for _ in 0..2 {
                let live = self.connections.get().await?;
                let asked = self.on(&live, command.query_async(&mut live.connection.clone())).await;
                match asked {
                    Err(error) if matches!(remedy(&error), Remedy::Reconnect | Remedy::Doubt) => {}
                    answer => return answer,
                }
            }
            let live = self.connections.get().await?;
            self.on(&live, command.query_async(&mut live.connection.clone())).await
        };
        self.within(self.options.timeout, asking).await
    }

    /// Runs a script, and has replicas take what it wrote. Tries until it is cancelled; `failure` is then why it was
    /// still at it. What is `repeatable` is also tried again when Redis may have done it.
    async fn run(
        &self,
        call: &ScriptInvocation<'_>,
        repeatable: bool,
        age: Duration,
        failure: &mut Option<RedisError>,
    ) -> RedisResult<Answer> {
        loop {
            let live = self.connections.get().await?;
            let running = async {
                let durability = self.durability(&live, age).await?;
                if let Durability::Lost(_) = durability {
                    return Ok(Answer::Lossy(durability));
                }
                let word: String = call.invoke_async(&mut live.connection.clone()).await?;
                if self.options.replicas == 0 || word == "full" || word == "too-many" {
                    return Ok(Answer::Word(word));
                }
                // On the same connection: it is counted up to its last write.
                let patience = self.options.timeout.as_millis() / 2;
                let mut wait = cmd("WAIT");
                wait.arg(self.options.replicas).arg(u64::try_from(patience).unwrap_or(u64::MAX).max(1));
                let replicas: u32 = wait.query_async(&mut live.connection.clone()).await?;
                Ok(if replicas < self.options.replicas {
                    Answer::TooFew(replicas)
                } else {
                    Answer::Word(word)
                })
            };
            let error = match self.on(&live, running).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match remedy(&error) {
                Remedy::Reconnect => {}
                Remedy::Doubt if repeatable => {}
                Remedy::Wait => sleep(PAUSE).await,
                Remedy::Doubt | Remedy::Refused | Remedy::Final => return Err(error),
            }
            *failure = Some(error);
        }
    }

    /// The meaning of a script's word.
    fn understand(&self, answer: Answer) -> Result<Kept, SinkError> {
        let word = match answer {
            Answer::Word(word) => word,
            Answer::Lossy(durability) => {
                self.refuse_lossy(durability)?;
                return Err(self.unknown());
            }
            Answer::TooFew(replicas) => {
                let (address, wanted) = (&self.address, self.options.replicas);
                return Err(SinkError::unavailable(format!(
                    "{replicas} of {wanted} replicas of Redis at `{address}` have the event"
                )));
            }
        };
        match word.as_str() {
            "new" => Ok(Kept::New),
            "duplicate" => Ok(Kept::Duplicate),
            "conflicting" => Ok(Kept::Conflicting),
            "too-many" => Ok(Kept::TooManyConflicts),
            "full" => {
                let stream = &self.options.stream;
                Err(SinkError::new(SinkErrorKind::Full, format!("the stream `{stream}` is at its limit")))
            }
            _ => Err(self.unknown()),
        }
    }

    /// The reason for which something was not done in time.
    fn reason(&self, failure: Option<RedisError>) -> RedisError {
        self.connections.failure().or(failure).unwrap_or_else(timed_out)
    }

    fn unknown(&self) -> SinkError {
        SinkError::unavailable(format!("Redis at `{}` answered in no known way", self.address))
    }

    fn most(&self) -> String {
        self.options.max_length.map(|most| most.to_string()).unwrap_or_default()
    }
}

/// The outcome of a script.
enum Answer {
    Word(String),
    /// Nothing was done: Redis would lose it.
    Lossy(Durability),
    /// It was done, and so many replicas have it.
    TooFew(u32),
}

/// Leaves a connection that has not answered when nobody waits any longer: it may lead to a server that is gone.
struct Unanswered<'a> {
    connections: &'a Connections,
    live: Option<&'a Live>,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some(live) = self.live {
            self.connections.leave(live, &timed_out());
        }
    }
}

#[async_trait]
impl EventSink for RedisSink {
    async fn keep(&self, received: Received) -> Result<Kept, SinkError> {
        let _inside = self.gate.enter().await?;
        let said = format!("{:032x}", u128::from_be_bytes(*received.event.content().as_bytes()));
        let mut record = EventRecord::from(received);
        let seen = record.dedupe_key().map(|key| format!("{}:{}:{key}", self.dedupe_prefix, record.source));
        record.conflicts_with = Some(String::new());
        let json = to_json(&record)?;
        let (head, tail) = script::around_conflict(&json)
            .ok_or_else(|| SinkError::unavailable("the event cannot be written as JSON"))?;
        let mut call = self.keep.key(&self.options.stream);
        if let Some(seen) = &seen {
            call.key(seen);
        }
        call.arg(head)
            .arg(tail)
            .arg(u64::try_from(self.options.dedupe_ttl.as_millis()).unwrap_or(u64::MAX))
            .arg(self.most())
            .arg(said)
            .arg(MAX_CONFLICTS)
            .arg(u8::from(self.options.replicas > 0));
        let mut failure = None;
        let running = self.run(&call, seen.is_some(), DURABLE_FOR, &mut failure);
        let answer = timeout(self.options.timeout, running).await;
        let answer = answer.unwrap_or_else(|_| Err(self.reason(failure)));
        self.understand(answer.map_err(|error| failed(&self.address, &error))?)
    }

    async fn check(&self) -> Result<(), SinkError> {
        let _inside = self.gate.enter().await?;
        let mut call = self.probe.key(&self.options.stream);
        call.key(format!("{}:probe", self.dedupe_prefix)).arg(self.most());
        let mut failure = None;
        // Who asks wants to know now.
        let answer =
            timeout(self.options.timeout / 2, self.run(&call, true, Duration::ZERO, &mut failure)).await;
        let answer = answer.unwrap_or_else(|_| Err(self.reason(failure)));
        self.understand(answer.map_err(|error| failed(&self.address, &error))?).map(|_| ())
    }

    /// What the slowest consumer group has not acknowledged; without groups, or where Redis cannot tell, the length of
    /// the stream.
    async fn depth(&self) -> Result<Option<u64>, SinkError> {
        let _inside = self.gate.enter().await?;
        let length: u64 = self.ask(cmd("XLEN").arg(&self.options.stream)).await?;
        if length == 0 {
            // There need not be a stream to ask about.
            return Ok(Some(0));
        }
        let groups = cmd("XINFO").arg("GROUPS").arg(&self.options.stream).clone();
        let groups: StreamInfoGroupsReply = self.ask(&groups).await?;
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
}
