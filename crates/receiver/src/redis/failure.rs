//! The meaning of an answer of Redis, and the words for it.

use ::redis::RedisError;

use crate::sink::{SinkError, SinkErrorKind};

/// The words with which Redis answers. Any other word is not shown: who answers may have it from what it was sent.
const CODES: [&str; 18] = [
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
    "UNKILLABLE",
    "WRONGPASS",
    "WRONGTYPE",
];

/// The thing to do about a failed command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Another connection, which may lead to another server. Redis did nothing.
    Reconnect,
    /// A moment. Redis did nothing.
    Wait,
    /// Another connection. Redis may have done it: only what is harmless when done twice can be tried again.
    Doubt,
    /// Nothing that could be done here. The next command uses another connection all the same: a failover behind one
    /// address leaves connections to a server that refuses everything in its own way.
    Refused,
    /// Nothing, and the connection is good.
    Final,
}

pub(super) fn remedy(error: &RedisError) -> Remedy {
    match code(error) {
        Some(
            "CLUSTERDOWN" | "LOADING" | "MASTERDOWN" | "MOVED" | "NOAUTH" | "NOREPLICAS" | "READONLY"
            | "WRONGPASS",
        ) => Remedy::Reconnect,
        Some("ASK" | "BUSY" | "TRYAGAIN") => Remedy::Wait,
        Some("OOM" | "WRONGTYPE") => Remedy::Final,
        None if error.is_connection_refusal() => Remedy::Reconnect,
        None if error.is_io_error() => Remedy::Doubt,
        _ => Remedy::Refused,
    }
}

/// The code of an answer; one that is not known is empty.
///
/// Before version 7, Redis puts errors inside a script behind `ERR`, as in `…: -READONLY You can't write …`.
pub(super) fn code(error: &RedisError) -> Option<&'static str> {
    let code = error.code()?;
    let inner = || {
        let words = error.detail()?.split_ascii_whitespace();
        words.filter_map(|word| word.strip_prefix('-')).find_map(known)
    };
    let outer = known(code);
    let code = if outer.is_none_or(|code| code == "ERR") { inner().or(outer) } else { outer };
    Some(code.unwrap_or_default())
}

fn known(word: &str) -> Option<&'static str> {
    CODES.into_iter().find(|code| *code == word)
}

/// Says what failed by its code only. Redis repeats arguments in some of its messages, and one may be the password.
pub(super) fn failed(address: &str, error: &RedisError) -> SinkError {
    let code = code(error);
    // All memory is taken, and Redis is told not to evict.
    let kind = if code == Some("OOM") { SinkErrorKind::Full } else { SinkErrorKind::Unavailable };
    let message = match code {
        Some("") => format!("Redis at `{address}` answered with an error"),
        Some(code) => format!("Redis at `{address}` answered {code}"),
        None if error.is_timeout() => format!("no answer from Redis at `{address}` in time"),
        None if error.is_io_error() => format!("no connection to Redis at `{address}`"),
        None => format!("Redis at `{address}`: {}", error.category()),
    };
    SinkError::new(kind, message)
}

pub(super) fn timed_out() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}

#[cfg(test)]
mod tests {
    use ::redis::make_extension_error;

    use super::*;

    fn error(code: &str, detail: &str) -> RedisError {
        make_extension_error(code.to_owned(), Some(detail.to_owned()))
    }

    #[test]
    fn what_redis_repeats_is_never_shown() {
        let said = "unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `default`, `hush`";
        let error = failed("h:1", &error("ERR", said));
        assert_eq!(error.to_string(), "Redis at `h:1` answered ERR");
        assert!(!format!("{error:?}").contains("hush"));
        let error = failed("h:1", &self::error("HUSH", "-HUSH"));
        assert_eq!(error.to_string(), "Redis at `h:1` answered with an error");
    }

    #[test]
    fn no_memory_is_no_room() {
        assert_eq!(failed("h:1", &error("OOM", "")).kind(), SinkErrorKind::Full);
        assert_eq!(remedy(&error("OOM", "")), Remedy::Final);
    }

    #[test]
    fn an_error_inside_a_script_of_redis_6_is_told() {
        let said =
            "Error running script (call to f_ab): @user_script:6: @user_script: 6: -READONLY You can't write";
        assert_eq!(code(&error("ERR", said)), Some("READONLY"));
        assert_eq!(code(&error("@user_script:", "6: -OOM command not allowed")), Some("OOM"));
        assert_eq!(code(&error("ERR", "something else")), Some("ERR"));
    }

    #[test]
    fn a_server_that_is_not_the_one_is_left() {
        for code in ["READONLY", "LOADING", "MASTERDOWN", "NOAUTH", "CLUSTERDOWN", "MOVED"] {
            assert_eq!(remedy(&error(code, "")), Remedy::Reconnect, "{code}");
        }
        assert_eq!(remedy(&error("NOPERM", "")), Remedy::Refused);
        assert_eq!(remedy(&error("NEVERHEARD", "")), Remedy::Refused);
        assert_eq!(remedy(&timed_out()), Remedy::Doubt);
    }
}
