//! What is written, byte for byte.

use super::*;

fn check(write: impl FnOnce(&mut Vec<u8>), expected: &str) {
    let mut out = Vec::new();
    write(&mut out);
    assert_eq!(String::from_utf8_lossy(&out), expected);
}

#[test]
fn lines() {
    check(|out| write_request_line(out, b"GET", b"/a?b"), "GET /a?b HTTP/1.1\r\n");
    check(|out| write_status_line(out, 200), "HTTP/1.1 200 OK\r\n");
    check(|out| write_status_line(out, 599), "HTTP/1.1 599 \r\n");
    check(|out| write_status_line_with(out, Version::Http10, 404, b"no"), "HTTP/1.0 404 no\r\n");
    check(|out| write_field(out, b"a", b"b c"), "a: b c\r\n");
    check(|out| write_content_length(out, 0), "content-length: 0\r\n");
    check(|out| write_content_length(out, u64::MAX), "content-length: 18446744073709551615\r\n");
}

#[test]
fn chunks() {
    check(|out| write_chunk_head(out, 0), "");
    check(|out| write_chunk_head(out, 1), "1\r\n");
    check(|out| write_chunk_head(out, 0xabc0), "abc0\r\n");
    check(|out| write_chunk_head(out, usize::MAX), "ffffffffffffffff\r\n");
    check(|out| write_trailers(out, []), "0\r\n\r\n");
    check(|out| write_trailers(out, [(&b"a"[..], &b"b"[..])]), "0\r\na: b\r\n\r\n");
}
