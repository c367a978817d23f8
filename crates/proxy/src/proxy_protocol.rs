//! The PROXY protocol, versions 1 and 2, as a function of bytes (HAProxy's specification of 2020-03-05).
//!
//! A load balancer in front writes this header before anything else, to say whose connection it carries
//! on. Whether a peer may do so is decided elsewhere: from a trusted address the header is required, from
//! any other it is never looked for. Reading is strict: what is not exactly a header closes the
//! connection. TLVs are checked for their lengths and, if there is one, their checksum; nothing else of
//! them is used.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Bytes of the longest header that is read: the fixed part of version 2, and [`V2_BODY_BYTES_MAX`].
pub const HEADER_BYTES_MAX: usize = V2_FIXED_BYTES + V2_BODY_BYTES_MAX;

/// Bytes of a line of version 1, CR LF included (§2.1).
const V1_BYTES_MAX: usize = 107;
const V1_START: &[u8] = b"PROXY ";

const V2_START: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const V2_FIXED_BYTES: usize = 16;
/// Bytes of addresses and TLVs of version 2. The format allows 65,535; nobody sends that much.
const V2_BODY_BYTES_MAX: usize = 4096;
const V2_UNIX_BYTES: usize = 216;
const TLV_CRC32C: u8 = 0x03;

/// What the bytes so far are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed {
    /// The beginning of a header.
    NeedMore,
    /// A whole header; the caller's own bytes follow it.
    Header(Header),
    /// Not a header, whatever comes.
    Invalid,
}

/// A whole header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Who connected, IPv4 within IPv6 as IPv4. None: the load balancer speaks for itself (health
    /// checks: LOCAL), or it does not know (UNKNOWN, UNSPEC, UNIX); the peer is the source then.
    pub source: Option<SocketAddr>,
    /// Bytes of the header.
    pub len: usize,
}

/// Reads a header from the first bytes of a connection.
pub fn parse(bytes: &[u8]) -> Parsed {
    match bytes.first() {
        None => Parsed::NeedMore,
        Some(b'P') => parse_v1(bytes),
        Some(_) => parse_v2(bytes),
    }
}

/// Whether what is there of the bytes agrees with a fixed beginning.
fn begins(bytes: &[u8], start: &[u8]) -> bool {
    let shared = bytes.len().min(start.len());
    bytes[..shared] == start[..shared]
}

fn parse_v1(bytes: &[u8]) -> Parsed {
    if !begins(bytes, V1_START) {
        return Parsed::Invalid;
    }
    let window = &bytes[..bytes.len().min(V1_BYTES_MAX)];
    match window.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
        None if bytes.len() < V1_BYTES_MAX => Parsed::NeedMore,
        Some(end) if window[end] == b'\r' && window.len() == end + 1 && end + 1 < V1_BYTES_MAX => {
            Parsed::NeedMore
        }
        Some(end) if window[end..].starts_with(b"\r\n") => {
            match v1_source(&window[V1_START.len()..end]) {
                Some(source) => Parsed::Header(Header { source, len: end + 2 }),
                None => Parsed::Invalid,
            }
        }
        _ => Parsed::Invalid,
    }
}

/// The source of a line after `PROXY `; nothing if the line is wrong, no source if it is not known.
fn v1_source(line: &[u8]) -> Option<Option<SocketAddr>> {
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split(' ');
    match words.next()? {
        // Whatever follows is to be ignored.
        "UNKNOWN" => Some(None),
        protocol @ ("TCP4" | "TCP6") => {
            let mut address = || -> Option<IpAddr> {
                let word = words.next()?;
                if protocol == "TCP4" {
                    word.parse().ok().map(IpAddr::V4)
                } else {
                    word.parse().ok().map(IpAddr::V6)
                }
            };
            let source = address()?;
            address()?;
            let port = v1_port(words.next()?)?;
            v1_port(words.next()?)?;
            words.next().is_none().then_some(Some(SocketAddr::new(source.to_canonical(), port)))
        }
        _ => None,
    }
}

/// A decimal number without sign or leading zeros.
fn v1_port(word: &str) -> Option<u16> {
    let plain = word.bytes().all(|byte| byte.is_ascii_digit())
        && (word.len() == 1 || !word.starts_with('0'));
    if plain { word.parse().ok() } else { None }
}

fn parse_v2(bytes: &[u8]) -> Parsed {
    if !begins(bytes, V2_START) {
        return Parsed::Invalid;
    }
    // The high half of the byte is the version, the low one the command.
    let is_local = match bytes.get(12) {
        None => return Parsed::NeedMore,
        Some(0x20) => true,
        Some(0x21) => false,
        Some(_) => return Parsed::Invalid,
    };
    let Some(fixed) = bytes.first_chunk::<V2_FIXED_BYTES>() else { return Parsed::NeedMore };
    let body_bytes = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if body_bytes > V2_BODY_BYTES_MAX {
        return Parsed::Invalid;
    }
    let len = V2_FIXED_BYTES + body_bytes;
    let Some(header) = bytes.get(..len) else { return Parsed::NeedMore };
    if is_local {
        return Parsed::Header(Header { source: None, len });
    }
    match v2_source(header, fixed[13]) {
        Some(source) => Parsed::Header(Header { source, len }),
        None => Parsed::Invalid,
    }
}

/// The source of a whole header; nothing if the header is wrong, no source if it is not known.
fn v2_source(header: &[u8], family: u8) -> Option<Option<SocketAddr>> {
    let body = &header[V2_FIXED_BYTES..];
    let (source, tlvs) = match family {
        // UNSPEC: everything after is to be ignored.
        0x00 => return Some(None),
        // TCP over IPv4: two addresses, two ports.
        0x11 => {
            let (addresses, tlvs) = body.split_first_chunk::<12>()?;
            let [a, b, c, d, _, _, _, _, p, q, _, _] = *addresses;
            (Some(SocketAddr::from((Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([p, q])))), tlvs)
        }
        // TCP over IPv6.
        0x21 => {
            let (addresses, tlvs) = body.split_first_chunk::<36>()?;
            let address = Ipv6Addr::from(*addresses.first_chunk::<16>()?);
            let port = u16::from_be_bytes([addresses[32], addresses[33]]);
            (Some(SocketAddr::new(IpAddr::V6(address).to_canonical(), port)), tlvs)
        }
        // Unix sockets: a source, but none that could be a client's address.
        0x31 | 0x32 => (None, body.get(V2_UNIX_BYTES..)?),
        _ => return None,
    };
    are_tlvs(header, tlvs).then_some(source)
}

/// Whether the TLVs fill their space exactly, and agree with their checksum if there is one.
fn are_tlvs(header: &[u8], tlvs: &[u8]) -> bool {
    let mut rest = tlvs;
    let mut has_checksum = false;
    while let Some((&[kind, high, low], after)) = rest.split_first_chunk::<3>() {
        let bytes = usize::from(u16::from_be_bytes([high, low]));
        let Some((value, next)) = after.split_at_checked(bytes) else { return false };
        if kind == TLV_CRC32C {
            let at = header.len() - after.len();
            // Only one: each is computed over the whole header, so many would cost much.
            if has_checksum || !is_checksum(header, at, value) {
                return false;
            }
            has_checksum = true;
        }
        rest = next;
    }
    rest.is_empty()
}

/// Whether a value is the CRC32c of the header with the value's own four bytes, at `at`, as zeros.
fn is_checksum(header: &[u8], at: usize, value: &[u8]) -> bool {
    let Ok(value) = <[u8; 4]>::try_from(value) else { return false };
    let crc = crc32c(crc32c(crc32c(!0, &header[..at]), &[0; 4]), &header[at + 4..]);
    !crc == u32::from_be_bytes(value)
}

/// CRC32c (Castagnoli), bit by bit: headers are short and few have one.
fn crc32c(start: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(start, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 }
        })
    })
}

#[cfg(test)]
mod tests;
