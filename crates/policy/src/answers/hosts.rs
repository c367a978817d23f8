//! Which hosts are internal.

use std::net::IpAddr;

/// Internal hosts. Loopback addresses and `localhost` are among them always: no caller can go there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hosts {
    /// Lower case, without a dot at the end.
    names: Vec<Box<str>>,
    /// `.corp.example` for every name below.
    below: Vec<Box<str>>,
    networks: Vec<Network>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u8,
}

impl Hosts {
    /// From hosts of targets, and from what a document says. What is no host was told when it was read.
    pub(super) fn compile(targets: &[&str], written: &[String]) -> Self {
        let mut hosts =
            Self { names: vec!["localhost".into()], below: Vec::new(), networks: Vec::new() };
        let written = written.iter().map(String::as_str);
        for host in targets.iter().copied().chain(written) {
            hosts.add(host);
        }
        hosts
    }

    fn add(&mut self, host: &str) {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&host);
        let (address, bits) = bare.split_once('/').map_or((bare, None), |(a, b)| (a, Some(b)));
        if let Ok(address) = address.parse::<IpAddr>() {
            let most = if address.is_ipv4() { 32 } else { 128 };
            let bits = bits.and_then(|bits| bits.parse::<u8>().ok()).unwrap_or(most).min(most);
            self.networks.push(Network { address, bits });
        } else if let Some(name) = host.strip_prefix('*') {
            self.below.push(name.into());
        } else if !host.is_empty() {
            self.names.push(host.into());
        }
    }

    /// Whether a host, as it stands in a reference, is internal.
    pub(super) fn has(&self, host: &[u8]) -> bool {
        if let Some(address) = address_of(host) {
            return address.is_loopback() || self.networks.iter().any(|net| net.has(address));
        }
        let host = host.strip_suffix(b".").unwrap_or(host);
        self.names.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(host))
            || ends_with(host, b".localhost")
            || self.below.iter().any(|end| ends_with(host, end.as_bytes()))
    }

    /// Whether a domain is one that internal hosts belong to.
    pub(super) fn has_domain(&self, domain: &[u8]) -> bool {
        let above = |name: &str| {
            name.len() > domain.len()
                && ends_with(name.as_bytes(), domain)
                && name.as_bytes()[name.len() - domain.len() - 1] == b'.'
        };
        let is_below = |end: &str| {
            let end = end.trim_start_matches('.').as_bytes();
            end.eq_ignore_ascii_case(domain)
        };
        !domain.is_empty()
            && (self.has(domain)
                || self.names.iter().any(|name| above(name))
                || self.below.iter().any(|end| is_below(end) || above(end)))
    }
}

impl Network {
    fn has(self, address: IpAddr) -> bool {
        let (own, given, width) = match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(given)) => {
                (u128::from(own.to_bits()), u128::from(given.to_bits()), 32)
            }
            (IpAddr::V6(own), IpAddr::V6(given)) => (own.to_bits(), given.to_bits(), 128),
            _ => return false,
        };
        let rest = width - u32::from(self.bits);
        rest >= 128 || (own ^ given) >> rest == 0
    }
}

/// The address that a host is, brackets or not. IPv4 within IPv6 counts as IPv4.
fn address_of(host: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(host).ok()?;
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    Some(bare.parse::<IpAddr>().ok()?.to_canonical())
}

fn ends_with(host: &[u8], end: &[u8]) -> bool {
    host.len() > end.len() && host[host.len() - end.len()..].eq_ignore_ascii_case(end)
}
