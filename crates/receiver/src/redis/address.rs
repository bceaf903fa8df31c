//! The meaning of a Redis URL.

use std::time::Duration;

use ::redis::io::tcp::TcpSettings;
use ::redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo,
    TlsCertificates,
};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use secrecy::{ExposeSecret, SecretString};

use super::options::RedisOptions;
use crate::sink::SinkError;

const EXPECTED: &str = "the Redis URL is not redis://[[user]:password@]host[:port][/db], rediss://…, redis+unix:///path, \
     redis+sentinel://[[user]:password@]host[:port],…/master[/db] or redis+cluster://[[user]:password@]host[:port],…";

/// The address of Redis.
pub(super) enum Address {
    One(ConnectionInfo),
    /// Whatever these Sentinels name as `master`. `like` is how to connect there.
    Sentinels {
        sentinels: Vec<ConnectionInfo>,
        master: String,
        like: ConnectionInfo,
    },
    /// The owner of the stream's slot in the cluster of these nodes.
    Cluster {
        nodes: Vec<ConnectionInfo>,
    },
}

impl Address {
    pub(super) fn parse(url: &SecretString, options: &RedisOptions) -> Result<Self, SinkError> {
        let url = url.expose_secret();
        let (scheme, rest) = url.split_once("://").ok_or_else(invalid)?;
        let (transport, kind) = scheme.split_once('+').unwrap_or((scheme, ""));
        match kind {
            "sentinel" => {
                let parts = Parts::of(rest)?;
                let (master, db) = parts.path.split_once('/').unwrap_or((parts.path, ""));
                if master.is_empty() {
                    return Err(invalid());
                }
                let nodes = parts.nodes(transport, 26379, db, options)?;
                let login = options.sentinel_login.as_ref();
                let sentinel = |node: &ConnectionInfo| node.clone().set_redis_settings(login_of(login, node));
                Ok(Self::Sentinels {
                    sentinels: nodes.iter().map(sentinel).collect(),
                    master: master.to_owned(),
                    like: nodes.into_iter().next().ok_or_else(invalid)?,
                })
            }
            "cluster" => {
                let parts = Parts::of(rest)?;
                // A cluster has one database.
                if !parts.path.is_empty() {
                    return Err(invalid());
                }
                Ok(Self::Cluster { nodes: parts.nodes(transport, 6379, "", options)? })
            }
            _ => Ok(Self::One(info(url, options)?)),
        }
    }

    /// For messages. The URL may hold a password.
    pub(super) fn shown(&self) -> String {
        let joined = |nodes: &[ConnectionInfo]| {
            nodes.iter().map(|node| node.addr().to_string()).collect::<Vec<_>>().join(",")
        };
        match self {
            Self::One(node) => node.addr().to_string(),
            Self::Sentinels { sentinels: nodes, .. } | Self::Cluster { nodes } => joined(nodes),
        }
    }

    /// The number of connections that it takes to get there, one after another, when all goes well.
    pub(super) fn hops(&self) -> u32 {
        match self {
            Self::One(_) => 1,
            Self::Sentinels { .. } | Self::Cluster { .. } => 2,
        }
    }
}

/// `host` and `port`, reached as `like` is.
pub(super) fn node_like(like: &ConnectionInfo, host: &str, port: u16) -> ConnectionInfo {
    let host = host.to_owned();
    let address = match like.addr() {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
            ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: tls_params.clone() }
        }
        _ => ConnectionAddr::Tcp(host, port),
    };
    like.clone().set_addr(address)
}

/// A URL with several hosts.
struct Parts<'a> {
    login: &'a str,
    hosts: &'a str,
    path: &'a str,
    query: &'a str,
}

impl<'a> Parts<'a> {
    fn of(rest: &'a str) -> Result<Self, SinkError> {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        if hosts.split(',').any(str::is_empty) {
            return Err(invalid());
        }
        Ok(Self { login, hosts, path, query })
    }

    fn nodes(
        &self,
        transport: &str,
        port: u16,
        db: &str,
        options: &RedisOptions,
    ) -> Result<Vec<ConnectionInfo>, SinkError> {
        let node = |host: &str| {
            let at = if self.login.is_empty() { "" } else { "@" };
            // Of an IPv6 address in brackets, the colons inside are none of a port.
            let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
            let port = if has_port { String::new() } else { format!(":{port}") };
            let url = format!("{transport}://{}{at}{host}{port}/{db}?{}", self.login, self.query);
            info(&url, options)
        };
        self.hosts.split(',').map(node).collect()
    }
}

fn login_of(login: Option<&(Option<String>, SecretString)>, node: &ConnectionInfo) -> RedisConnectionInfo {
    let settings = RedisConnectionInfo::default().set_protocol(node.redis_settings().protocol());
    let Some((user, password)) = login else { return settings };
    let settings = settings.set_password(password.expose_secret());
    match user {
        Some(user) => settings.set_username(user),
        None => settings,
    }
}

/// The library's own error may have parts of the URL.
fn invalid() -> SinkError {
    SinkError::unavailable(EXPECTED)
}

fn info(url: &str, options: &RedisOptions) -> Result<ConnectionInfo, SinkError> {
    let info = url.into_connection_info().map_err(|_| invalid())?;
    let tcp = TcpSettings::default().set_nodelay(true);
    // Without this, a peer that vanished without a word is noticed only after minutes.
    #[cfg(target_os = "linux")]
    let tcp = tcp.set_user_timeout(Duration::from_secs(5));
    let mut redis = info.redis_settings().clone();
    if !url.contains("protocol=") {
        redis = redis.set_protocol(ProtocolVersion::RESP3);
    }
    let info = info.set_tcp_settings(tcp).set_redis_settings(redis);
    match info.addr() {
        ConnectionAddr::TcpTls { insecure: true, .. } => {
            Err(SinkError::unavailable("a Redis whose certificate is not verified is not used"))
        }
        ConnectionAddr::TcpTls { .. } => {
            // The client takes the process's provider, and panics when there is none and features name two. Whoever
            // set one before keeps it.
            if CryptoProvider::get_default().is_none() {
                let _ = aws_lc_rs::default_provider().install_default();
            }
            let certificates = TlsCertificates { client_tls: None, root_cert: options.ca.clone() };
            let client = Client::build_with_tls(info, certificates).map_err(|_| {
                SinkError::unavailable("the certificates for Redis are not certificates in PEM")
            })?;
            Ok(client.get_connection_info().clone())
        }
        _ if options.ca.is_some() => {
            Err(SinkError::unavailable("there are certificates for Redis, and its URL is not rediss://"))
        }
        _ => Ok(info),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Address, SinkError> {
        Address::parse(&url.into(), &RedisOptions::default())
    }

    #[test]
    fn a_url_is_never_shown() {
        let hosts = ["redis", "rediss", "redis+sentinel", "redis+cluster"];
        let tails = ["hush", ":hush@h?protocol=hush", ":hush@", ":hush@h:x/hush", ":hush%ff@h/m", "h,,:hush"];
        for scheme in hosts {
            for tail in tails {
                if let Err(error) = parse(&format!("{scheme}://{tail}")) {
                    assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
                }
            }
        }
        for url in ["hush", "", "redis:hush", "http://:hush@h", "rediss://:hush@h/#insecure"] {
            let error = parse(url).map(|_| ()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
        }
    }

    #[test]
    fn several_hosts_have_one_login_and_their_own_ports() {
        let options = RedisOptions::default().sentinel_login(Some("watch"), "two".into());
        let url = "redis+sentinel://me:o%6Ee@a,[::1],b:1/main/3".into();
        let Ok(Address::Sentinels { sentinels, master, like }) = Address::parse(&url, &options) else {
            panic!("not understood");
        };
        assert_eq!(master, "main");
        let hosts: Vec<_> = sentinels.iter().map(|node| node.addr().to_string()).collect();
        assert_eq!(hosts, ["a:26379", "::1:26379", "b:1"]);
        assert_eq!(sentinels[1].redis_settings().password(), Some("two"));
        assert_eq!(sentinels[1].redis_settings().username(), Some("watch"));
        assert_eq!((like.redis_settings().password(), like.redis_settings().db()), (Some("one"), 3));
        let Ok(Address::Cluster { nodes }) = parse("rediss+cluster://:one@a,b:1") else {
            panic!("not understood");
        };
        let shown: Vec<_> = nodes.iter().map(|node| node.addr().to_string()).collect();
        assert_eq!(shown, ["a:6379", "b:1"]);
        let ConnectionAddr::TcpTls { host, port, .. } = node_like(&nodes[0], "c", 7).addr().clone() else {
            panic!("without TLS");
        };
        assert_eq!((host.as_str(), port), ("c", 7));
        for url in ["redis+sentinel://a", "redis+cluster://a/1", "redis+cluster://a,", "redis+other://a"] {
            assert!(parse(url).is_err(), "{url}");
        }
    }
}
