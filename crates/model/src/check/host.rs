//! Host names as they may stand in a document.

use std::net::Ipv6Addr;

/// Whether a text is a host: a DNS name, an IPv4 address, or an IPv6 address in brackets.
pub(crate) fn is_host(text: &str) -> bool {
    match text.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => is_dns_name(text),
    }
}

/// Whether a text is a DNS name: labels of 1–63 letters, digits, `-` and `_` (service records have it),
/// not beginning or ending with `-`, 253 characters in all. An IPv4 address has that form too.
pub(crate) fn is_dns_name(text: &str) -> bool {
    const NAME_BYTES_MAX: usize = 253;
    let text = text.strip_suffix('.').unwrap_or(text);
    !text.is_empty() && text.len() <= NAME_BYTES_MAX && text.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    const LABEL_BYTES_MAX: usize = 63;
    (1..=LABEL_BYTES_MAX).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Whether the address of a target stands for one machine: an IP address, not a name that can have many.
pub(crate) fn is_fixed(url: &str) -> bool {
    let authority =
        url.split("://").nth(1).unwrap_or_default().split('/').next().unwrap_or_default();
    let host = authority
        .rsplit_once(':')
        .filter(|(_, port)| !port.ends_with(']'))
        .map_or(authority, |(host, _)| host);
    host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok()
}
