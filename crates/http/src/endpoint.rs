use std::net::{Ipv4Addr, Ipv6Addr};

use record_callback_core::InvalidConfig;
use reqwest::Url;

const RULE: &str = "scheme://host[:port]; https, or http on loopback or where plain HTTP is allowed";

/// The address of a cloud's API: scheme, host and port.
///
/// `https` unless the host is loopback or plain HTTP is allowed in so many words:
/// the signature protects a request from change, not from being read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    base: Url,
    authority: String,
}

impl Endpoint {
    /// Checks `text`. A host alone means `https`; where that may be wrong, on loopback and with a port, the scheme has to be
    /// there. An error names `field`.
    pub fn parse(field: &'static str, text: &str, allow_http: bool) -> Result<Self, InvalidConfig> {
        let refuse = |problem: String| Err(InvalidConfig::new(field, problem, RULE));
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let base = match Url::parse(&with_scheme) {
            Ok(url) => url,
            Err(error) => return refuse(format!("is not a URL: {error}")),
        };
        let Some(host) = base.host_str() else { return refuse("has no host".into()) };
        if !base.username().is_empty() || base.password().is_some() {
            return refuse("contains user info".into());
        }
        if base.path() != "/" || base.query().is_some() || base.fragment().is_some() {
            return refuse("has a path, query or fragment".into());
        }
        match base.scheme() {
            "https" => {}
            "http" if allow_http || is_loopback(host) => {}
            "http" => return refuse(format!("is plain http to `{host}`")),
            other => return refuse(format!("the scheme is `{other}`")),
        }
        let authority = match base.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        // What is not TLS would be told in the words of a TLS library.
        if !text.contains("://") && (is_loopback(host) || base.port().is_some()) {
            let scheme = if is_loopback(host) { "http" } else { "https" };
            return refuse(format!("has no scheme; write `{scheme}://{authority}`"));
        }
        Ok(Self { base, authority })
    }

    /// The URL with path `/`, to which requests add theirs.
    pub fn url(&self) -> &Url {
        &self.base
    }

    /// Host and, if it is not the scheme's default, port: what the `Host` header will say.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Whether nobody on the way can change what is answered.
    pub(crate) fn is_out_of_reach(&self) -> bool {
        self.base.scheme() == "https" || self.is_loopback()
    }

    /// Whether the host is this machine.
    pub fn is_loopback(&self) -> bool {
        self.base.host_str().is_some_and(is_loopback)
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || bare.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
        || bare.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_defaults_to_https_and_the_authority_drops_default_ports() {
        for (text, url, authority) in [
            ("live.example.com", "https://live.example.com/", "live.example.com"),
            ("https://live.example.com:443", "https://live.example.com/", "live.example.com"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/", "127.0.0.1:8080"),
            ("http://[::1]:8080/", "http://[::1]:8080/", "[::1]:8080"),
            ("http://localhost", "http://localhost/", "localhost"),
            ("https://live.example.com:8443", "https://live.example.com:8443/", "live.example.com:8443"),
        ] {
            let endpoint = Endpoint::parse("endpoint", text, false).unwrap();
            assert_eq!((endpoint.url().as_str(), endpoint.authority()), (url, authority), "{text}");
        }
    }

    #[test]
    fn plain_http_needs_loopback_or_permission() {
        let error = Endpoint::parse("endpoint", "http://live.example.com", false).unwrap_err();
        assert!(error.to_string().starts_with("endpoint: is plain http to `live.example.com`"), "{error}");
        assert!(Endpoint::parse("endpoint", "http://live.example.com", true).is_ok());
        assert!(Endpoint::parse("endpoint", "http://127.0.0.1.example.com", false).is_err());
    }

    #[test]
    fn a_scheme_that_cannot_be_guessed_is_asked_for() {
        for (text, write) in [
            ("127.0.0.1:47001", "http://127.0.0.1:47001"),
            ("localhost:8080", "http://localhost:8080"),
            ("localhost", "http://localhost"),
            ("[::1]:8080", "http://[::1]:8080"),
            ("live.example.com:8443", "https://live.example.com:8443"),
        ] {
            let error = Endpoint::parse("iam_endpoint", text, false).unwrap_err();
            assert_eq!(error.problem(), format!("has no scheme; write `{write}`"));
            assert_eq!(error.field(), "iam_endpoint");
        }
        let error = Endpoint::parse("endpoint", "user:s3cr3t@127.0.0.1:80", true).unwrap_err();
        assert!(!error.to_string().contains("s3cr3t"), "{error}");
    }

    #[test]
    fn only_plain_http_to_another_machine_is_within_reach() {
        for (text, expected) in [
            ("https://live.example.com", true),
            ("http://127.0.0.1:8080", true),
            ("http://localhost", true),
            ("http://live.example.com", false),
        ] {
            let endpoint = Endpoint::parse("endpoint", text, true).unwrap();
            assert_eq!(endpoint.is_out_of_reach(), expected, "{text}");
        }
    }

    #[test]
    fn anything_but_an_origin_is_refused() {
        for text in ["https://h/x", "https://h?x=1", "https://u:p@h", "ftp://h", "https://", ""] {
            assert!(Endpoint::parse("endpoint", text, true).is_err(), "{text}");
        }
    }
}
