//! The fields by which the backend learns who is calling and how.

use std::io::Write as _;
use std::net::IpAddr;

use portway_policy::{Headers, Scheme};

/// Bytes of the longest address as text.
const ADDRESS_BYTES_MAX: usize = 39;

/// The peer as text. Made once per connection.
#[derive(Debug, Clone, Copy)]
pub struct Hop {
    text: [u8; ADDRESS_BYTES_MAX],
    len: u8,
    is_v6: bool,
}

impl Hop {
    /// The text of an address; IPv4 within IPv6 as IPv4.
    pub fn new(address: IpAddr) -> Self {
        let address = address.to_canonical();
        let mut text = [0; ADDRESS_BYTES_MAX];
        let mut room = &mut text[..];
        write!(room, "{address}").expect("no address is longer");
        let left = room.len();
        Self { text, len: (ADDRESS_BYTES_MAX - left) as u8, is_v6: address.is_ipv6() }
    }

    /// The text, without brackets.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text[..usize::from(self.len)]
    }
}

/// A field that the gateway writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The chain of addresses.
    For,
    /// `http` or `https`.
    Proto,
    /// The host that the client asked for.
    Host,
    /// The port that the client asked for; only passed on from a trusted proxy.
    Port,
    /// The chain as RFC 7239 has it.
    Forwarded,
    /// RFC 9110 §7.6.3.
    Via,
}

impl Field {
    /// All of them, in the order in which they are written.
    pub const ALL: [Self; 6] =
        [Self::For, Self::Proto, Self::Host, Self::Port, Self::Forwarded, Self::Via];

    /// The name in lower case, for HTTP/2.
    pub const fn name(self) -> &'static str {
        match self {
            Self::For => "x-forwarded-for",
            Self::Proto => "x-forwarded-proto",
            Self::Host => "x-forwarded-host",
            Self::Port => "x-forwarded-port",
            Self::Forwarded => "forwarded",
            Self::Via => "via",
        }
    }

    /// The beginning of its line in HTTP/1.
    const fn line_start(self) -> &'static [u8] {
        match self {
            Self::For => b"X-Forwarded-For: ",
            Self::Proto => b"X-Forwarded-Proto: ",
            Self::Host => b"X-Forwarded-Host: ",
            Self::Port => b"X-Forwarded-Port: ",
            Self::Forwarded => b"Forwarded: ",
            Self::Via => b"Via: ",
        }
    }
}

/// What is known of the way that a call took so far.
#[derive(Clone, Copy)]
pub struct Forwarding<'a> {
    /// Who is at the other end of the connection.
    pub peer: &'a Hop,
    /// Whether that is a trusted proxy: its chain is continued; anybody else's is not passed on.
    pub trusted: bool,
    /// How the connection came in.
    pub scheme: Scheme,
    /// `Host` or `:authority` as the caller sent it.
    pub host: &'a [u8],
    /// Whether the caller speaks HTTP/2.
    pub http2: bool,
    /// The caller's fields.
    pub headers: &'a dyn Headers,
}

impl Forwarding<'_> {
    /// Appends the lines of a head of HTTP/1, each with CR LF.
    pub fn write(&self, out: &mut Vec<u8>) {
        if !self.trusted {
            return self.write_anew(out);
        }
        for field in Field::ALL {
            let before = out.len();
            out.extend_from_slice(field.line_start());
            if self.push_value(field, out) {
                out.extend_from_slice(b"\r\n");
            } else {
                out.truncate(before);
            }
        }
    }

    /// The same where nothing of the caller's is passed on, which is nearly every call: no look-ups,
    /// one check of the host.
    fn write_anew(&self, out: &mut Vec<u8>) {
        let (peer, scheme) = (self.peer.as_bytes(), self.scheme_word());
        let host = if is_host(self.host) { self.host } else { b"" };
        out.reserve(192 + 2 * (peer.len() + host.len()));
        out.extend_from_slice(b"X-Forwarded-For: ");
        out.extend_from_slice(peer);
        out.extend_from_slice(b"\r\nX-Forwarded-Proto: ");
        out.extend_from_slice(scheme);
        if !host.is_empty() {
            out.extend_from_slice(b"\r\nX-Forwarded-Host: ");
            out.extend_from_slice(host);
        }
        out.extend_from_slice(if self.peer.is_v6 {
            b"\r\nForwarded: for=\"["
        } else {
            b"\r\nForwarded: for="
        });
        out.extend_from_slice(peer);
        if self.peer.is_v6 {
            out.extend_from_slice(b"]\"");
        }
        if !host.is_empty() {
            out.extend_from_slice(b";host=\"");
            out.extend_from_slice(host);
            out.push(b'"');
        }
        out.extend_from_slice(b";proto=");
        out.extend_from_slice(scheme);
        let via: &[u8] =
            if self.http2 { b"\r\nVia: 2.0 portway\r\n" } else { b"\r\nVia: 1.1 portway\r\n" };
        out.extend_from_slice(via);
    }

    /// Shows each field with its value, for HTTP/2. `value` is room that is used again and again.
    pub fn each(&self, value: &mut Vec<u8>, show: &mut dyn FnMut(&'static str, &[u8])) {
        for field in Field::ALL {
            value.clear();
            if self.push_value(field, value) {
                show(field.name(), value);
            }
        }
    }

    /// Appends a field's value; says whether it has one.
    fn push_value(&self, field: Field, out: &mut Vec<u8>) -> bool {
        match field {
            Field::For => {
                self.push_earlier("x-forwarded-for", |_| true, out);
                out.extend_from_slice(self.peer.as_bytes());
                true
            }
            Field::Proto => {
                let said = self.said("x-forwarded-proto", is_scheme, out);
                if !said {
                    out.extend_from_slice(self.scheme_word());
                }
                true
            }
            Field::Host => {
                self.said("x-forwarded-host", is_host, out) || push_checked(self.host, is_host, out)
            }
            Field::Port => self.said("x-forwarded-port", is_port, out),
            Field::Forwarded => {
                self.push_forwarded(out);
                true
            }
            Field::Via => {
                out.extend_from_slice(if self.http2 { b"2.0 portway" } else { b"1.1 portway" });
                true
            }
        }
    }

    const fn scheme_word(&self) -> &'static [u8] {
        match self.scheme {
            Scheme::Http => b"http",
            Scheme::Https => b"https",
        }
    }

    /// The last value that a trusted proxy gave, if it is sane.
    fn said(&self, name: &str, is_sane: fn(&[u8]) -> bool, out: &mut Vec<u8>) -> bool {
        if !self.trusted {
            return false;
        }
        let before = out.len();
        self.headers.each(name, &mut |value| {
            out.truncate(before);
            push_checked(value.trim_ascii(), is_sane, out);
        });
        out.len() > before
    }

    /// The chain of a trusted proxy, as the beginning of a longer one. A field that is not sane breaks
    /// the chain: what stands before it is dropped.
    fn push_earlier(&self, name: &str, is_sane: fn(&[u8]) -> bool, out: &mut Vec<u8>) {
        if !self.trusted {
            return;
        }
        let before = out.len();
        self.headers.each(name, &mut |value| {
            let value = value.trim_ascii();
            if !(is_visible(value) && is_sane(value)) {
                out.truncate(before);
            } else if !value.is_empty() {
                out.extend_from_slice(value);
                out.extend_from_slice(b", ");
            }
        });
    }

    fn push_forwarded(&self, out: &mut Vec<u8>) {
        if !self.push_nodes(out) {
            self.push_earlier("forwarded", has_whole_quotes, out);
        }
        push_node(self.peer.as_bytes(), self.peer.is_v6, out);
        if is_host(self.host) {
            out.extend_from_slice(b";host=\"");
            out.extend_from_slice(self.host);
            out.push(b'"');
        }
        out.extend_from_slice(b";proto=");
        out.extend_from_slice(self.scheme_word());
    }
}

impl Forwarding<'_> {
    /// The chain of `X-Forwarded-For`, as the beginning of a `Forwarded`. Proxies that write the former pass on a
    /// `Forwarded` of the caller's own unseen, so that where both came only one of them says who called. Says whether
    /// there is one.
    fn push_nodes(&self, out: &mut Vec<u8>) -> bool {
        let mut chain = Vec::new();
        self.push_earlier("x-forwarded-for", |_| true, &mut chain);
        for node in chain.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            let text = std::str::from_utf8(node).unwrap_or_default();
            match text.parse::<IpAddr>() {
                Ok(address) => push_node(node, address.is_ipv6(), out),
                Err(_) if node.is_empty() => continue,
                // RFC 7239 §6.2
                Err(_) => out.extend_from_slice(b"for=unknown"),
            }
            out.extend_from_slice(b", ");
        }
        !chain.is_empty()
    }
}

fn push_node(address: &[u8], is_v6: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if is_v6 { b"for=\"[" } else { b"for=" });
    out.extend_from_slice(address);
    out.extend_from_slice(if is_v6 { b"]\"" } else { b"" });
}

fn push_checked(value: &[u8], is_sane: fn(&[u8]) -> bool, out: &mut Vec<u8>) -> bool {
    let sane = is_sane(value);
    if sane {
        out.extend_from_slice(value);
    }
    sane
}

fn is_visible(value: &[u8]) -> bool {
    value.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
}

fn is_scheme(value: &[u8]) -> bool {
    [&b"https"[..], b"http", b"wss", b"ws"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// A host with or without a port: nothing that would have to be quoted within quotes, or that ends an
/// element of a list.
fn is_host(value: &[u8]) -> bool {
    matches!(value.len(), 1..=262)
        && value.iter().all(|b| {
            b.is_ascii_alphanumeric()
                || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']' | b'~' | b'%')
        })
}

fn is_port(value: &[u8]) -> bool {
    matches!(value.len(), 1..=5) && value.iter().all(u8::is_ascii_digit)
}

/// Whether every quoted string ends within the field: an open one would swallow what is appended.
fn has_whole_quotes(value: &[u8]) -> bool {
    let mut quoted = false;
    let mut at = 0;
    while at < value.len() {
        match value[at] {
            b'"' => quoted = !quoted,
            b'\\' if quoted => at += 1,
            _ => {}
        }
        at += 1;
    }
    !quoted
}
