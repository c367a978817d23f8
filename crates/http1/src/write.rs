//! Writing heads, chunks and trailers.
//!
//! Nothing is checked here: names, values and targets either come from a parsed head or have been
//! put through [`is_token`](crate::is_token), [`is_field_value`](crate::is_field_value) and
//! [`is_target`](crate::is_target).

use crate::Version;

/// The last chunk of a body without trailers.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// What ends a head.
pub const HEAD_END: &[u8] = b"\r\n";

/// What follows the data of a chunk.
pub const CHUNK_END: &[u8] = b"\r\n";

/// Writes `method SP target SP HTTP/1.1 CRLF`.
#[inline]
pub fn write_request_line(out: &mut Vec<u8>, method: &[u8], target: &[u8]) {
    out.reserve(method.len() + target.len() + 12);
    out.extend_from_slice(method);
    out.push(b' ');
    out.extend_from_slice(target);
    out.extend_from_slice(b" HTTP/1.1\r\n");
}

/// Writes `HTTP/1.1 SP status SP reason CRLF`, with the usual reason; statuses above 999 are cut.
/// An answer names the server's own version, also towards an HTTP/1.0 client (RFC 9110 §6.2).
#[inline]
pub fn write_status_line(out: &mut Vec<u8>, status: u16) {
    write_status_line_with(out, Version::Http11, status, reason(status));
}

/// Writes a status line with a version and a reason of the caller's choice.
#[inline]
pub fn write_status_line_with(out: &mut Vec<u8>, version: Version, status: u16, reason: &[u8]) {
    let digit = |value: u16| b'0' + (value % 10) as u8;
    let digits = [digit(status / 100), digit(status / 10), digit(status), b' '];
    out.reserve(15 + reason.len());
    out.extend_from_slice(match version {
        Version::Http11 => b"HTTP/1.1 ",
        Version::Http10 => b"HTTP/1.0 ",
    });
    out.extend_from_slice(&digits);
    out.extend_from_slice(reason);
    out.extend_from_slice(b"\r\n");
}

/// Writes `name: value CRLF`.
#[inline]
pub fn write_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Writes `content-length: length CRLF`.
#[inline]
pub fn write_content_length(out: &mut Vec<u8>, length: u64) {
    out.extend_from_slice(b"content-length: ");
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = length;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
    out.extend_from_slice(b"\r\n");
}

/// Writes the line before a chunk of `len` bytes; the data and [`CHUNK_END`] follow it. A chunk
/// of no bytes would end the body, so for `len` 0 nothing is written and nothing may follow.
#[inline]
pub fn write_chunk_head(out: &mut Vec<u8>, len: usize) {
    if len == 0 {
        return;
    }
    let mut text = [0; 18];
    let mut at = 16;
    text[16..].copy_from_slice(b"\r\n");
    let mut rest = len;
    while rest != 0 {
        at -= 1;
        text[at] = b"0123456789abcdef"[rest % 16];
        rest /= 16;
    }
    out.extend_from_slice(&text[at..]);
}

/// Writes the last chunk, with trailers. Without any it is [`LAST_CHUNK`].
pub fn write_trailers<'a>(
    out: &mut Vec<u8>,
    fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in fields {
        write_field(out, name, value);
    }
    out.extend_from_slice(b"\r\n");
}

/// The usual reason phrase; empty for a status without one.
pub fn reason(status: u16) -> &'static [u8] {
    match status {
        100 => b"Continue",
        101 => b"Switching Protocols",
        102 => b"Processing",
        103 => b"Early Hints",
        200 => b"OK",
        201 => b"Created",
        202 => b"Accepted",
        203 => b"Non-Authoritative Information",
        204 => b"No Content",
        205 => b"Reset Content",
        206 => b"Partial Content",
        207 => b"Multi-Status",
        208 => b"Already Reported",
        226 => b"IM Used",
        300 => b"Multiple Choices",
        301 => b"Moved Permanently",
        302 => b"Found",
        303 => b"See Other",
        304 => b"Not Modified",
        305 => b"Use Proxy",
        307 => b"Temporary Redirect",
        308 => b"Permanent Redirect",
        400 => b"Bad Request",
        401 => b"Unauthorized",
        402 => b"Payment Required",
        403 => b"Forbidden",
        404 => b"Not Found",
        405 => b"Method Not Allowed",
        406 => b"Not Acceptable",
        407 => b"Proxy Authentication Required",
        408 => b"Request Timeout",
        409 => b"Conflict",
        410 => b"Gone",
        411 => b"Length Required",
        412 => b"Precondition Failed",
        413 => b"Content Too Large",
        414 => b"URI Too Long",
        415 => b"Unsupported Media Type",
        416 => b"Range Not Satisfiable",
        417 => b"Expectation Failed",
        421 => b"Misdirected Request",
        422 => b"Unprocessable Content",
        423 => b"Locked",
        424 => b"Failed Dependency",
        425 => b"Too Early",
        426 => b"Upgrade Required",
        428 => b"Precondition Required",
        429 => b"Too Many Requests",
        431 => b"Request Header Fields Too Large",
        451 => b"Unavailable For Legal Reasons",
        500 => b"Internal Server Error",
        501 => b"Not Implemented",
        502 => b"Bad Gateway",
        503 => b"Service Unavailable",
        504 => b"Gateway Timeout",
        505 => b"HTTP Version Not Supported",
        506 => b"Variant Also Negotiates",
        507 => b"Insufficient Storage",
        508 => b"Loop Detected",
        511 => b"Network Authentication Required",
        _ => b"",
    }
}

#[cfg(test)]
mod tests;
