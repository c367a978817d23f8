//! Who is the client behind the proxies in front of Portway, and what the backend is told about it.
//!
//! Only what a trusted address says is believed, and only as far as the chain of trusted addresses goes:
//! lists are read from the right, since everybody can write what stands on the left. From any other
//! address these fields are dropped and written anew. `X-Forwarded-For` goes before `Forwarded`: nearly
//! all proxies write the former, and pass on a `Forwarded` of the caller's own unseen.
//!
//! Pure functions over a header look-up; the caller of this drops the fields for which [`is_replaced`]
//! says so and then lets [`Forwarding::write`] add those of the gateway.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use portway_policy::{Headers, Scheme};

mod write;

pub use write::{Field, Forwarding, Hop};

/// Hops that are followed in one field; a chain of more is not believed further.
const HOPS_MAX: usize = 64;

/// Whether the address is one of a trusted proxy.
pub fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    let address = address.to_canonical();
    trusted.iter().any(|net| net.contains(&address))
}

/// The address of the client: the peer's, or, if the peer is trusted, the last address in its list that is
/// not. What is not an address ends the search at the trusted proxy that wrote it. IPv4 within IPv6 is
/// answered as IPv4.
pub fn client_address(peer: IpAddr, headers: &dyn Headers, trusted: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    if trusted.is_empty() || !is_trusted(peer, trusted) {
        return peer;
    }
    let mut chain = Chain::default();
    headers.each("x-forwarded-for", &mut |list| {
        chain.append(walk(list, memrchr_comma, plain_hop, trusted))
    });
    if !chain.is_there {
        headers.each("forwarded", &mut |list| {
            chain.append(walk(list, last_comma, forwarded_hop, trusted))
        });
    }
    chain.client.unwrap_or(peer)
}

/// The scheme that the client used, if a trusted proxy says so: the last `X-Forwarded-Proto`.
/// To be asked only where the peer is trusted.
pub fn client_scheme(headers: &dyn Headers) -> Option<Scheme> {
    let mut scheme = None;
    headers.each("x-forwarded-proto", &mut |list| {
        let last = list.rsplit(|byte| *byte == b',').next().unwrap_or_default().trim_ascii();
        scheme = match last {
            word if word.eq_ignore_ascii_case(b"https") || word.eq_ignore_ascii_case(b"wss") => {
                Some(Scheme::Https)
            }
            word if word.eq_ignore_ascii_case(b"http") || word.eq_ignore_ascii_case(b"ws") => {
                Some(Scheme::Http)
            }
            _ => None,
        };
    });
    scheme
}

/// What one field of the list says, read from the right.
#[derive(Clone, Copy)]
enum Walked {
    /// No element.
    Empty,
    /// Every hop is trusted; the leftmost is this.
    Trusted(IpAddr),
    /// The search ends here: at an untrusted address, or where something was not an address, with the
    /// last hop before it.
    Ended(Option<IpAddr>),
}

/// Several fields are one list: those that come later stand further right.
#[derive(Default)]
struct Chain {
    client: Option<IpAddr>,
    is_there: bool,
}

impl Chain {
    fn append(&mut self, field: Walked) {
        self.is_there = true;
        match field {
            Walked::Empty => {}
            Walked::Trusted(leftmost) => self.client = self.client.or(Some(leftmost)),
            Walked::Ended(client) => self.client = client,
        }
    }
}

fn walk(
    list: &[u8],
    last_separator: fn(&[u8]) -> Option<usize>,
    hop: fn(&[u8]) -> Option<IpAddr>,
    trusted: &[IpNet],
) -> Walked {
    let mut rest = Some(list);
    let mut leftmost = None;
    let mut hops = 0;
    while let Some(list) = rest {
        let comma = last_separator(list);
        let element = list[comma.map_or(0, |at| at + 1)..].trim_ascii();
        rest = comma.map(|at| &list[..at]);
        // Empty elements are allowed in lists (RFC 9110 §5.6.1.2), and count, so that a field of commas
        // costs no more than one of addresses.
        hops += 1;
        if hops > HOPS_MAX {
            return Walked::Ended(leftmost);
        }
        if element.is_empty() {
            continue;
        }
        match hop(element) {
            None => return Walked::Ended(leftmost),
            Some(address) if !is_trusted(address, trusted) => return Walked::Ended(Some(address)),
            Some(address) => leftmost = Some(address),
        }
    }
    leftmost.map_or(Walked::Empty, Walked::Trusted)
}

fn memrchr_comma(list: &[u8]) -> Option<usize> {
    memchr::memrchr(b',', list)
}

/// The last comma outside a quoted string, found from the right: a quote that somebody opened on the left
/// cannot swallow what a trusted proxy appended.
fn last_comma(list: &[u8]) -> Option<usize> {
    let mut quoted = false;
    let mut at = list.len();
    while let Some(found) = memchr::memrchr2(b',', b'"', &list[..at]) {
        at = found;
        if list[found] == b'"' {
            let backslashes = list[..found].iter().rev().take_while(|byte| **byte == b'\\').count();
            quoted ^= backslashes % 2 == 0;
            at -= backslashes;
        } else if !quoted {
            return Some(found);
        }
    }
    None
}

/// An element of `X-Forwarded-For`: an address, with or without a port, IPv6 with or without brackets.
fn plain_hop(element: &[u8]) -> Option<IpAddr> {
    // The longest: an IPv6 address with brackets and port.
    if element.len() > 64 {
        return None;
    }
    let text = std::str::from_utf8(element).ok()?;
    let address = match text.parse::<IpAddr>() {
        Ok(address) => address,
        Err(_) => match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(inner) => IpAddr::V6(inner.parse().ok()?),
            None => text.parse::<SocketAddr>().ok()?.ip(),
        },
    };
    Some(address.to_canonical())
}

/// An element of `Forwarded` (RFC 7239 §4): the address in its only `for`.
fn forwarded_hop(element: &[u8]) -> Option<IpAddr> {
    let mut address = None;
    let mut rest = element;
    loop {
        let (pair, next) = split_pair(rest)?;
        if let Some((name, value)) = split_once(pair, b'=')
            && name.trim_ascii().eq_ignore_ascii_case(b"for")
        {
            let value = value.trim_ascii();
            let inner = value
                .strip_prefix(b"\"")
                .and_then(|value| value.strip_suffix(b"\""))
                .unwrap_or(value);
            if address.replace(plain_hop(inner)?).is_some() {
                return None;
            }
        }
        match next {
            Some(next) => rest = next,
            None => return address,
        }
    }
}

fn split_once(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(separator, text)?;
    Some((&text[..at], &text[at + 1..]))
}

/// The text up to the next semicolon outside a quoted string, and what follows it. Nothing if a quoted
/// string does not end.
fn split_pair(text: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let mut at = 0;
    let mut quoted = false;
    while at < text.len() {
        match text[at] {
            b'"' => quoted = !quoted,
            b'\\' if quoted => at += 1,
            b';' if !quoted => return Some((&text[..at], Some(&text[at + 1..]))),
            _ => {}
        }
        at += 1;
    }
    (!quoted).then_some((text, None))
}

/// Whether a caller's field must not reach the backend, because the gateway writes it or because backends
/// take it for word of a proxy. Names that some backends read as such a name (`X_Forwarded_For`) never do.
/// A trusted proxy's further fields of this kind (`X-Forwarded-Prefix`, `X-Real-IP`) pass. `Via` always
/// passes: it is added to, not replaced.
pub fn is_replaced(name: &[u8], trusted: bool) -> bool {
    // Nearly every name is told apart by its first byte.
    match name.first().map(|byte| byte | 0x20) {
        Some(b'f') => name.eq_ignore_ascii_case(b"forwarded"),
        Some(b'x') => is_replaced_x(name, trusted),
        _ => false,
    }
}

fn is_replaced_x(name: &[u8], trusted: bool) -> bool {
    const PREFIX: &[u8] = b"x-forwarded-";
    const WRITTEN: [&[u8]; 4] = [b"for", b"proto", b"host", b"port"];
    let is_real_ip = same_folded(name, b"x-real-ip");
    let rest = match name.split_at_checked(PREFIX.len()) {
        Some((start, rest)) if same_folded(start, PREFIX) => rest,
        _ if is_real_ip => b"",
        _ => return false,
    };
    let is_alias = name.iter().any(|byte| matches!(byte, b'_' | b'.'));
    !trusted || is_alias || WRITTEN.iter().any(|word| rest.eq_ignore_ascii_case(word))
}

/// Whether a backend could take one name for the other: some read `_` and `.` as `-`.
fn same_folded(name: &[u8], lower: &[u8]) -> bool {
    let fold =
        |byte: &u8| if matches!(byte, b'_' | b'.') { b'-' } else { byte.to_ascii_lowercase() };
    name.len() == lower.len() && name.iter().zip(lower).all(|(a, b)| fold(a) == *b)
}

#[cfg(test)]
mod tests;
