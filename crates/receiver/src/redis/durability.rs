//! Settings of Redis under which it would lose events, or what tells duplicates.

use std::collections::HashMap;

use ::redis::aio::MultiplexedConnection;
use ::redis::{RedisResult, cmd};

use super::failure::code;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    Synced,
    Delayed,
    /// Redis does not tell.
    Untold,
    Lost(&'static str),
}

impl Durability {
    pub(super) async fn ask(connection: &MultiplexedConnection) -> RedisResult<Self> {
        let get = async |name: &'static str| -> RedisResult<HashMap<String, String>> {
            cmd("CONFIG").arg("GET").arg(name).query_async(&mut connection.clone()).await
        };
        let mut config = HashMap::new();
        for name in ["appendonly", "appendfsync", "maxmemory", "maxmemory-policy"] {
            match get(name).await {
                Ok(answer) => config.extend(answer),
                // Not for us, or not known here, as with some hosted ones.
                Err(error) if matches!(code(&error), Some("NOPERM" | "ERR" | "")) => return Ok(Self::Untold),
                Err(error) => return Err(error),
            }
        }
        Ok(Self::of(&config))
    }

    fn of(config: &HashMap<String, String>) -> Self {
        let setting = |name: &str| config.get(name).map(String::as_str);
        if setting("appendonly") != Some("yes") {
            return Self::Lost("`appendonly` is not `yes`");
        }
        // Without a limit nothing is evicted.
        if setting("maxmemory").is_some_and(|limit| limit != "0") {
            match setting("maxmemory-policy") {
                Some(policy) if policy.starts_with("allkeys") => {
                    return Self::Lost("its `maxmemory-policy` may evict the stream");
                }
                Some(policy) if policy.starts_with("volatile") => {
                    return Self::Lost("its `maxmemory-policy` may evict what tells duplicates");
                }
                _ => {}
            }
        }
        match setting("appendfsync") {
            Some("always") => Self::Synced,
            Some("everysec") => Self::Delayed,
            _ => Self::Lost("`appendfsync` is neither `always` nor `everysec`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_lost_is_told_from_what_would_not() {
        use Durability::{Delayed, Lost, Synced};
        let of = |append: &str, fsync: &str, limit: &str, policy: &str| {
            let names = ["appendonly", "appendfsync", "maxmemory", "maxmemory-policy"];
            let values = [append, fsync, limit, policy].map(str::to_owned);
            Durability::of(&names.map(str::to_owned).into_iter().zip(values).collect())
        };
        assert_eq!(of("yes", "always", "0", "noeviction"), Synced);
        assert_eq!(of("yes", "everysec", "1", "noeviction"), Delayed);
        assert_eq!(of("yes", "always", "0", "allkeys-lru"), Synced);
        assert_eq!(of("yes", "always", "0", "volatile-lru"), Synced);
        assert!(matches!(of("yes", "always", "1", "allkeys-lru"), Lost(_)));
        assert!(matches!(of("yes", "always", "1", "volatile-ttl"), Lost(_)));
        assert!(matches!(of("yes", "no", "0", "noeviction"), Lost(_)));
        assert!(matches!(of("no", "always", "0", "noeviction"), Lost(_)));
        assert!(matches!(Durability::of(&HashMap::new()), Lost(_)));
    }
}
