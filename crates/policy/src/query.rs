//! Reading single parameters of a query without taking it apart.
//!
//! A query is what stands after `?`, pairs between `&`, `name=value`, with %XX. Nothing is allocated and each
//! query is walked once per question. A percent sign that is not followed by two hexadecimal digits stands
//! for itself.

/// The values of a parameter as sent, still encoded, in order. Names are compared decoded.
pub fn values<'a>(query: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    query.split('&').filter_map(move |pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        decoded(key.as_bytes()).eq(name.bytes()).then_some(value)
    })
}

/// The bytes that an encoded text stands for. `+` stays `+`.
pub fn decoded(encoded: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = encoded;
    std::iter::from_fn(move || {
        let (&first, after) = rest.split_first()?;
        rest = after;
        if first != b'%' {
            return Some(first);
        }
        let [high, low, after @ ..] = after else { return Some(first) };
        let (Some(high), Some(low)) = (hex(*high), hex(*low)) else { return Some(first) };
        rest = after;
        Some(high << 4 | low)
    })
}

/// Decodes into `out`; nothing when it does not fit.
pub fn decode_into<'o>(encoded: &[u8], out: &'o mut [u8]) -> Option<&'o [u8]> {
    let mut len = 0;
    for byte in decoded(encoded) {
        *out.get_mut(len)? = byte;
        len += 1;
    }
    Some(&out[..len])
}

/// Encodes so that every reader of queries gets the same bytes back: all but unreserved characters as %XX
/// (RFC 3986 §2.3).
pub fn encode(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    out
}

fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
