use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Whether text is an absolute `http` or `https` URL, the one rule both clouds document.
pub(crate) fn is_well_formed(text: &str) -> bool {
    (text.starts_with("http://") || text.starts_with("https://"))
        // `Url` would quietly repair white space.
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
        && Url::parse(text).is_ok()
}

/// The host of a URL as names are compared: in lower case, IDNs in A-labels, without final dot.
pub(crate) fn host_of(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    Some(url.host_str()?.trim_end_matches('.').to_owned())
}

/// Returns true if a URL names an address that only its own network or machine reaches. Names are not resolved.
pub(crate) fn is_private(url: &str) -> bool {
    match Url::parse(url).ok().as_ref().and_then(Url::host) {
        Some(Host::Ipv4(address)) => is_private_v4(address),
        Some(Host::Ipv6(address)) => is_private_v6(address),
        Some(Host::Domain(name)) => name.trim_end_matches('.') == "localhost",
        None => false,
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    // Of carriers: 100.64.0.0/10.
    let is_shared = first == 100 && (64..128).contains(&second);
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_unspecified()
        || is_shared
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let is_v4 = address.to_ipv4_mapped().is_some_and(is_private_v4);
    address.is_loopback()
        || address.is_unspecified()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        || is_v4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_those_nobody_outside_reaches() {
        for host in [
            "10.0.0.1",
            "172.16.3.4",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.169.254",
            "100.100.100.200",
            "0.0.0.0",
            "[::1]",
            "[fd00::1]",
            "[fe80::1]",
            "[::ffff:10.0.0.1]",
            "localhost",
            "LOCALHOST.",
            "2130706433",
        ] {
            assert!(is_private(&format!("http://{host}:8080/cb")), "{host}");
        }
        for host in [
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "[2001:db8::1]",
            "cb.example.com",
            "localhost.example.com",
        ] {
            assert!(!is_private(&format!("https://{host}/cb")), "{host}");
        }
    }

    #[test]
    fn hosts_are_compared_as_names_are() {
        for url in ["http://CB.Example.com/a", "https://cb.example.com.:8443/b?c"] {
            assert_eq!(host_of(url).as_deref(), Some("cb.example.com"), "{url}");
        }
    }
}
