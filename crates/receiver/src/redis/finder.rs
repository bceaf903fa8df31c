//! Finds the server that keeps the stream now.

use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, FromRedisValue, RedisError,
    RedisResult, Value, cmd, make_extension_error,
};

use super::address::{Address, node_like};

/// First and last slot, and the nodes that have them: the master first.
type Slots = Vec<(u16, u16, Vec<(String, u16)>)>;

pub(super) struct Finder {
    address: Address,
    stream: String,
    config: AsyncConnectionConfig,
    /// Of a cluster, the nodes that answered or were named; of Sentinels, how many are skipped for the last answer.
    nodes: Vec<ConnectionInfo>,
    first: usize,
}

impl Finder {
    pub(super) fn new(address: Address, stream: &str, timeout: Duration) -> Self {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(timeout))
            .set_response_timeout(Some(timeout))
            .set_pipeline_buffer_size(256);
        Self { address, stream: stream.to_owned(), config, nodes: Vec::new(), first: 0 }
    }

    /// Connects. `moved` is the node of a cluster that the last one named.
    pub(super) async fn find(&mut self, moved: Option<&str>) -> RedisResult<MultiplexedConnection> {
        match &self.address {
            Address::One(node) => open(node, &self.config).await,
            Address::Sentinels { sentinels, master, like } => {
                let mut last = RedisError::from((ErrorKind::EmptySentinelList, "no Sentinel"));
                for offset in 0..sentinels.len() {
                    let place = (self.first + offset) % sentinels.len();
                    match by_sentinel(&sentinels[place], master, like, &self.config).await {
                        Ok(connection) => {
                            self.first = place;
                            return Ok(connection);
                        }
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
            Address::Cluster { nodes } => {
                let mut candidates: Vec<_> = moved.and_then(split).map_or_else(Vec::new, |(host, port)| {
                    // Without a host it is that of who named it, which is any of those known.
                    let like = self.nodes.first().unwrap_or(&nodes[0]);
                    let host = if host.is_empty() { host_of(like) } else { host.to_owned() };
                    vec![node_like(like, &host, port)]
                });
                candidates.extend(self.nodes.iter().chain(nodes).cloned());
                let mut last = RedisError::from((ErrorKind::ClusterConnectionNotFound, "no node"));
                for candidate in candidates {
                    match by_node(&candidate, &self.stream, &self.config).await {
                        Ok((connection, known)) => {
                            self.nodes = known;
                            return Ok(connection);
                        }
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
        }
    }
}

async fn open(node: &ConnectionInfo, config: &AsyncConnectionConfig) -> RedisResult<MultiplexedConnection> {
    Client::open(node.clone())?.get_multiplexed_async_connection_with_config(config).await
}

/// Asks one Sentinel, and then the one it names.
async fn by_sentinel(
    sentinel: &ConnectionInfo,
    master: &str,
    like: &ConnectionInfo,
    config: &AsyncConnectionConfig,
) -> RedisResult<MultiplexedConnection> {
    let mut asked = open(sentinel, config).await?;
    let named: Option<(String, u16)> =
        cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(master).query_async(&mut asked).await?;
    let Some((host, port)) = named else {
        return Err((ErrorKind::MasterNameNotFoundBySentinel, "no such master").into());
    };
    let mut connection = open(&node_like(like, &host, port), config).await?;
    // A Sentinel may not have noticed yet.
    let role: Vec<Value> = cmd("ROLE").query_async(&mut connection).await?;
    match role.into_iter().next().map(String::from_redis_value) {
        Some(Ok(role)) if role == "master" => {
            tracing::info!(host, port, "the master of the Redis");
            Ok(connection)
        }
        _ => Err(make_extension_error("READONLY".to_owned(), None)),
    }
}

/// Asks one node who has the slot of `stream`, and connects there. Also gives all nodes.
async fn by_node(
    node: &ConnectionInfo,
    stream: &str,
    config: &AsyncConnectionConfig,
) -> RedisResult<(MultiplexedConnection, Vec<ConnectionInfo>)> {
    let mut asked = open(node, config).await?;
    let slot: u16 = cmd("CLUSTER").arg("KEYSLOT").arg(stream).query_async(&mut asked).await?;
    let slots: Value = cmd("CLUSTER").arg("SLOTS").query_async(&mut asked).await?;
    let unknown = || RedisError::from((ErrorKind::ClusterConnectionNotFound, "nobody has the slot"));
    let slots = slots_of(slots, &host_of(node)).ok_or_else(unknown)?;
    let owner = slots.iter().find(|(first, last, _)| (*first..=*last).contains(&slot));
    let (host, port) = owner.and_then(|(_, _, nodes)| nodes.first()).ok_or_else(unknown)?;
    let mut known: Vec<&(String, u16)> = slots.iter().flat_map(|(_, _, nodes)| nodes).collect();
    known.sort_unstable();
    known.dedup();
    let known = known.into_iter().map(|(host, port)| node_like(node, host, *port)).collect();
    let owner = node_like(node, host, *port);
    if owner.addr() == node.addr() {
        return Ok((asked, known));
    }
    let connection = open(&owner, config).await?;
    tracing::info!(host, port, "the node of the Redis cluster that has the stream");
    Ok((connection, known))
}

/// Reads the answer to `CLUSTER SLOTS`. A node without a host is where the one that was asked is.
fn slots_of(answer: Value, asked: &str) -> Option<Slots> {
    let array = |value| match value {
        Value::Array(values) => Some(values),
        _ => None,
    };
    let node = |value| {
        let mut fields = array(value)?.into_iter();
        let host = Option::<String>::from_redis_value(fields.next()?).ok()?.filter(|host| !host.is_empty());
        let port = u16::from_redis_value(fields.next()?).ok()?;
        Some((host.unwrap_or_else(|| asked.to_owned()), port))
    };
    let range = |value| {
        let mut fields = array(value)?.into_iter();
        let first = u16::from_redis_value(fields.next()?).ok()?;
        let last = u16::from_redis_value(fields.next()?).ok()?;
        Some((first, last, fields.map(node).collect::<Option<Vec<_>>>()?))
    };
    array(answer)?.into_iter().map(range).collect()
}

fn host_of(node: &ConnectionInfo) -> String {
    match node.addr() {
        ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host.clone(),
        _ => String::new(),
    }
}

fn split(node: &str) -> Option<(&str, u16)> {
    let (host, port) = node.rsplit_once(':')?;
    Some((host, port.parse().ok()?))
}
