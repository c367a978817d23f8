//! Which header fields never pass from one side to the other.
//!
//! Some backends read `_` and `.` in a field's name as `-` (CGI, WSGI, PHP, several proxies). A name is
//! therefore compared *folded*: letters without case, `_` and `.` as `-`.

/// Beginning of the names that the gateway sets towards backends.
const OURS: &[u8] = b"x-portway-";

/// Name of the field that tells a backend which app is calling.
pub const APP_HEADER: &str = "x-portway-app";
/// Name of the field that tells a backend which plan the app has.
pub const PLAN_HEADER: &str = "x-portway-plan";

/// Fields that belong to one connection (RFC 9110 §7.6.1), besides those that `Connection` names.
pub const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether a caller's field could be taken for one that the gateway sets (`X-Portway-…`), in any spelling.
#[inline]
pub fn is_ours(name: &[u8]) -> bool {
    let Some(start) = name.get(..OURS.len()) else { return false };
    // Nearly every name is told apart by its first byte.
    start[0] | 0x20 == b'x' && same_folded(start, OURS)
}

/// Whether a field belongs to one connection only. `name` in any case.
pub fn is_hop_by_hop(name: &[u8]) -> bool {
    HOP_BY_HOP.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name))
}

/// Whether two names could be taken for each other.
#[inline]
pub fn same_folded(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| fold(*a) == fold(*b))
}

#[inline]
fn fold(byte: u8) -> u8 {
    match byte {
        b'_' | b'.' => b'-',
        other => other.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests;
