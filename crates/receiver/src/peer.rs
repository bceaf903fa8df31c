//! The peer at the other end of a connection.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use record_callback_core::InvalidConfig;

const FORWARDED: HeaderName = HeaderName::from_static("forwarded");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// One host as far as limits go: an IPv4 address, or the 64 bits of an IPv6 address that tell networks apart. Within
/// its network a host takes any address it likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PeerKey(IpAddr);

impl PeerKey {
    pub(crate) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        })
    }
}

/// The header in which a proxy says for whom it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`: addresses with commas between them.
    #[default]
    XForwardedFor,
    /// `Forwarded`, of RFC 7239.
    Forwarded,
}

/// The proxies in front of a receiver, and the header in which they name the sender.
///
/// A proxy's connections do not count against
/// [`connections_per_peer`](crate::Limits::connections_per_peer): it should limit its own. The sender is the last
/// address in the header that is no proxy's. What others write into the header is not read.
///
/// ```
/// use record_callback_receiver::{ForwardedHeader, Proxies};
///
/// let proxies = Proxies::new(["10.0.0.0/8", "2001:db8::/48", "192.0.2.7"], ForwardedHeader::XForwardedFor)?;
/// # Ok::<(), record_callback_core::InvalidConfig>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    networks: Vec<IpNet>,
    header: ForwardedHeader,
}

impl Proxies {
    /// The proxies in `networks`, each in CIDR notation or a single address. Without any, nobody is trusted.
    ///
    /// # Errors
    /// Fails when one of them is neither.
    pub fn new<T: AsRef<str>>(
        networks: impl IntoIterator<Item = T>,
        header: ForwardedHeader,
    ) -> Result<Self, InvalidConfig> {
        let network = |text: T| {
            let text = text.as_ref();
            IpNet::from_str(text)
                .or_else(|_| text.parse::<IpAddr>().map(|address| address.to_canonical().into()))
                .map_err(|_| {
                    let problem = format!("`{}` is no network", text.escape_debug());
                    InvalidConfig::new(
                        "proxies.trusted",
                        problem,
                        "networks such as 10.0.0.0/8, or addresses",
                    )
                })
        };
        Ok(Self { networks: networks.into_iter().map(network).collect::<Result<_, _>>()?, header })
    }

    /// Tells whether `address` is a proxy's.
    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// The sender of a request that came from `peer`.
    pub(crate) fn sender(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut sender = peer.to_canonical();
        let mut named = self.named(headers).into_iter().rev();
        while self.contain(sender) {
            // An unknown or hidden one ends the chain: what is before it is anybody's word.
            let Some(Some(before)) = named.next() else { break };
            sender = before;
        }
        sender
    }

    /// The addresses in the header, in its order. `None` for one that cannot be read.
    fn named(&self, headers: &HeaderMap) -> Vec<Option<IpAddr>> {
        let lines = |name| headers.get_all(name).into_iter().map(|value| value.to_str().unwrap_or_default());
        match self.header {
            ForwardedHeader::XForwardedFor => {
                let elements = lines(X_FORWARDED_FOR).flat_map(|line| line.split(','));
                elements.map(|element| read_address(element.trim())).collect()
            }
            ForwardedHeader::Forwarded => lines(FORWARDED)
                .flat_map(|line| match split_unquoted(line, ',') {
                    Some(elements) => elements.into_iter().map(read_forwarded).collect(),
                    None => vec![None],
                })
                .collect(),
        }
    }
}

/// The `for` of one element of `Forwarded`.
fn read_forwarded(element: &str) -> Option<IpAddr> {
    split_unquoted(element, ';')?.into_iter().find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("for").then(|| read_address(value))?
    })
}

/// The parts of `text` between separators that are in no quoted string. `None` where such a string does not end: a
/// sender may have a say in some of them, such as `host`.
fn split_unquoted(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, char) in text.char_indices() {
        match char {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if char == separator && !is_quoted => {
                parts.push(&text[start..at]);
                start = at + separator.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!is_quoted).then_some(parts)
}

/// An address, with or without port, that of IPv6 with or without brackets.
fn read_address(text: &str) -> Option<IpAddr> {
    let address = text.parse().ok().or_else(|| {
        let (host, _) = text.strip_prefix('[')?.split_once(']')?;
        host.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
    });
    let address = address.or_else(|| text.split_once(':')?.0.parse().ok());
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn sender(header: ForwardedHeader, peer: &str, values: &[&str]) -> String {
        let proxies = Proxies::new(["10.0.0.0/8", "2001:db8::/32"], header).unwrap();
        let mut headers = HeaderMap::new();
        let name = if header == ForwardedHeader::Forwarded { FORWARDED } else { X_FORWARDED_FOR };
        for value in values {
            headers.append(name.clone(), value.parse().unwrap());
        }
        proxies.sender(ip(peer), &headers).to_string()
    }

    #[test]
    fn the_last_address_that_is_no_proxys_is_the_senders() {
        let of = |peer: &str, values: &[&str]| sender(ForwardedHeader::XForwardedFor, peer, values);
        assert_eq!(of("10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(of("10.0.0.1", &["1.1.1.1, 203.0.113.9, 10.2.3.4"]), "203.0.113.9");
        assert_eq!(of("10.0.0.1", &["1.1.1.1", "203.0.113.9:4711"]), "203.0.113.9");
        assert_eq!(of("::ffff:10.0.0.1", &["[2400::1]:80"]), "2400::1");
        // Nobody else is believed, and what a proxy does not know ends it.
        assert_eq!(of("203.0.113.1", &["1.1.1.1"]), "203.0.113.1");
        assert_eq!(of("10.0.0.1", &["1.1.1.1, unknown"]), "10.0.0.1");
        assert_eq!(of("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn the_standard_header_is_read_too() {
        let of = |values: &[&str]| sender(ForwardedHeader::Forwarded, "10.0.0.1", values);
        assert_eq!(of(&[r#"for=1.1.1.1, For="[2400::1]:80";proto=https;by=10.0.0.1"#]), "2400::1");
        assert_eq!(of(&["for=203.0.113.9;proto=http"]), "203.0.113.9");
        assert_eq!(of(&["for=1.1.1.1, for=_hidden"]), "10.0.0.1");
        // A proxy may repeat what the sender said in quotes.
        for forged in [r#"host="x,for=1.1.1.1""#, r#"by="y,for=1.1.1.1;z""#, r#"host="a\",for=1.1.1.1""#] {
            assert_eq!(of(&[&format!("for=203.0.113.9;{forged}")]), "203.0.113.9", "{forged}");
        }
        assert_eq!(of(&[r#"for=203.0.113.9;host="x,for=1.1.1.1"#]), "10.0.0.1");
    }

    #[test]
    fn networks_are_checked() {
        for network in ["", "10.0.0.0/33", "example.com", "10.0.0"] {
            let error = Proxies::new([network], ForwardedHeader::default()).unwrap_err();
            assert_eq!(error.field(), "proxies.trusted", "{network}");
        }
    }

    #[test]
    fn an_ipv6_network_is_one_peer() {
        assert_eq!(PeerKey::of(ip("2001:db8::1")), PeerKey::of(ip("2001:db8::ffff:1")));
        assert_ne!(PeerKey::of(ip("2001:db8::1")), PeerKey::of(ip("2001:db8:0:1::1")));
        assert_eq!(PeerKey::of(ip("::ffff:192.0.2.1")), PeerKey::of(ip("192.0.2.1")));
        assert_ne!(PeerKey::of(ip("192.0.2.2")), PeerKey::of(ip("192.0.2.1")));
    }

    proptest! {
        #[test]
        fn a_header_of_a_stranger_never_counts(address: u32, text in "[ -~]{0,60}") {
            let peer = std::net::Ipv4Addr::from_bits(address);
            prop_assume!(peer.octets()[0] != 10);
            for header in [ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded] {
                prop_assert_eq!(sender(header, &peer.to_string(), &[&text]), peer.to_string());
            }
        }

        #[test]
        fn the_sender_is_never_a_word_before_a_stranger(forged in "[ -~]{0,40}", last: u32) {
            let last = std::net::Ipv4Addr::from_bits(last);
            prop_assume!(last.octets()[0] != 10);
            let value = format!("{forged}, {last}");
            prop_assert_eq!(sender(ForwardedHeader::XForwardedFor, "10.0.0.1", &[&value]), last.to_string());
        }
    }
}
