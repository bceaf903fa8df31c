use std::net::IpAddr;

/// The hosts that are reached without a proxy, as curl reads the list. Besides, `*` counts among others, a network may be
/// of all addresses, and those of IPv6 count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct NoProxy(Vec<Entry>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    All,
    /// The name itself, and every name below it.
    Name(String),
    /// The addresses that begin with the first so many bits of this one.
    Addresses(IpAddr, u32),
}

impl NoProxy {
    /// Reads names, addresses and networks (`10.0.0.0/8`) between commas or white space; `*` is every host. What is none
    /// of these matches nothing.
    pub(super) fn parse(list: &str) -> Self {
        let entries = list.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty());
        Self(entries.filter_map(Entry::parse).collect())
    }

    /// Whether `host`, as it is in a URL, is one of them.
    pub(super) fn matches(&self, host: &str) -> bool {
        let bare = bare(host);
        if let Ok(address) = bare.parse() {
            return self.0.iter().any(|entry| entry.has_address(address));
        }
        let name = bare.trim_end_matches('.').to_ascii_lowercase();
        self.0.iter().any(|entry| entry.has_name(&name))
    }
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::All);
        }
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        match bare(address).parse() {
            Ok(address) => {
                let all = bits_of(address).1;
                let bits = bits.unwrap_or(all);
                (bits <= all).then_some(Self::Addresses(address, bits))
            }
            Err(_) if bits.is_some() => None,
            Err(_) => {
                let name = text.trim_matches('.').to_ascii_lowercase();
                (!name.is_empty()).then_some(Self::Name(name))
            }
        }
    }

    fn has_address(&self, host: IpAddr) -> bool {
        match self {
            Self::All => true,
            Self::Name(_) => false,
            Self::Addresses(network, bits) => {
                let ((network, all), (host, length)) = (bits_of(*network), bits_of(host));
                // A shift by all bits is none.
                all == length
                    && (network ^ host).checked_shr(all - bits).is_none_or(|differing| differing == 0)
            }
        }
    }

    fn has_name(&self, host: &str) -> bool {
        match self {
            Self::All => true,
            Self::Name(name) => {
                host.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            Self::Addresses(..) => false,
        }
    }
}

/// An address's bits, and how many it has.
fn bits_of(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (address.to_bits().into(), u32::BITS),
        IpAddr::V6(address) => (address.to_bits(), u128::BITS),
    }
}

/// Without the brackets of an IPv6 address.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(table: &[(&str, &str, bool)]) {
        for (list, host, expected) in table {
            assert_eq!(NoProxy::parse(list).matches(host), *expected, "{host} in {list:?}");
        }
    }

    #[test]
    fn hosts_match_as_they_do_for_curl() {
        check(&[
            ("", "live.aliyuncs.com", false),
            ("*", "live.aliyuncs.com", true),
            ("*", "10.0.0.1", true),
            ("live.aliyuncs.com", "live.aliyuncs.com", true),
            ("aliyuncs.com", "live.aliyuncs.com", true),
            (".aliyuncs.com", "live.aliyuncs.com", true),
            (".aliyuncs.com", "aliyuncs.com", true),
            ("aliyuncs.com.", "live.aliyuncs.com", true),
            ("aliyuncs.com", "live.aliyuncs.com.", true),
            ("AliyunCS.com", "live.aliyuncs.com", true),
            ("uncs.com", "live.aliyuncs.com", false),
            ("live.aliyuncs.com", "aliyuncs.com", false),
            ("*.aliyuncs.com", "live.aliyuncs.com", false),
            ("a.com, b.com ,\taliyuncs.com", "live.aliyuncs.com", true),
            ("a.com b.com", "b.com", true),
            (".,,..", "live.aliyuncs.com", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.4", false),
            ("10.0.0.0/8", "10.200.1.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3/9", "10.127.0.1", true),
            ("10.1.2.3/9", "10.128.0.1", false),
            ("0.0.0.0/0", "[2001:db8::1]", false),
            ("10.0.0.0/33", "10.0.0.0", false),
            ("aliyuncs.com/8", "live.aliyuncs.com", false),
            ("2001:db8::/32", "[2001:db9::1]", false),
            ("::/0", "10.0.0.1", false),
            ("1.com", "101.com", false),
            ("2.3", "10.1.2.3", false),
        ]);
    }

    /// curl 7.88 takes `*` for a name unless it is the whole list, a size of 0 or none at all for one address, and no
    /// address of IPv6 for one.
    #[test]
    fn what_a_list_plainly_says_counts_where_curl_makes_something_else_of_it() {
        check(&[
            ("other.com *", "live.aliyuncs.com", true),
            ("0.0.0.0/0", "192.0.2.1", true),
            ("10.0.0.0/x", "10.0.0.0", false),
            ("2001:db8::/32", "[2001:db8:1::1]", true),
            ("[2001:db8::1]", "[2001:db8::1]", true),
            ("::/0", "[2001:db9::1]", true),
        ]);
    }
}
