//! What must hold of any bytes whatever; the body of the fuzz targets. The first two bytes say
//! where the rest is cut, so that a fuzzer can look for a cut that matters.

use portway_http1::{
    Framing, LAST_CHUNK, RequestKind, is_field_value, is_token, write_chunk_head,
    write_request_line, write_status_line_with,
};

use crate::reading::{self, Body, Message, Verdict, rewritten};

/// Any bytes as a request.
pub(crate) fn request(data: &[u8]) {
    let Some((at, bytes)) = cut(data) else { return };
    let whole = reading::request(&[bytes]);
    let (one, two) = bytes.split_at(at);
    assert_eq!(reading::request(&[one, two]), whole, "cut at {at}");
    let crumbs: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(reading::request(&crumbs), whole, "byte by byte");
    let Some(head) = whole.head else { return };
    check_fields(&whole);
    assert!(is_token(&whole.texts[0]) && !matches!(head.framing, Framing::UntilClose));
    if head.version == portway_http1::Version::Http11 {
        let again = rewritten(&whole, |out| {
            write_request_line(out, &whole.texts[0], &whole.texts[1]);
        });
        let again = reading::request(&[&again]);
        assert_eq!((&again.texts, &again.fields), (&whole.texts, &whole.fields));
        assert_eq!(again.head.map(|head| head.framing), Some(head.framing));
    }
    check_body(&whole.body);
}

/// Any bytes as a response to each kind of request.
pub(crate) fn response(data: &[u8]) {
    let Some((at, bytes)) = cut(data) else { return };
    let kinds = [RequestKind::Other, RequestKind::Head, RequestKind::Connect, RequestKind::Upgrade];
    for kind in kinds {
        let whole = reading::response(&[bytes], kind);
        let (one, two) = bytes.split_at(at);
        assert_eq!(reading::response(&[one, two], kind), whole, "cut at {at}");
        let crumbs: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(reading::response(&crumbs, kind), whole, "byte by byte");
        let Some(head) = whole.head else { continue };
        check_fields(&whole);
        assert!((100..=599).contains(&head.status));
        assert!(!(head.persistent && head.framing == Framing::UntilClose));
        let again = rewritten(&whole, |out| {
            write_status_line_with(out, head.version, head.status, &whole.texts[0]);
        });
        let again = reading::response(&[&again], kind);
        assert_eq!((&again.texts, &again.fields), (&whole.texts, &whole.fields));
        assert_eq!(again.head.map(|head| head.framing), Some(head.framing));
        check_body(&whole.body);
    }
}

/// Any bytes as a chunked body.
pub(crate) fn body(data: &[u8]) {
    let Some((at, bytes)) = cut(data) else { return };
    let whole = reading::chunked(&[bytes]);
    let (one, two) = bytes.split_at(at);
    assert_eq!(reading::chunked(&[one, two]), whole, "cut at {at}");
    let crumbs: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(reading::chunked(&crumbs), whole, "byte by byte");
    check_body(&whole.body);
}

fn cut(data: &[u8]) -> Option<(usize, &[u8])> {
    let (place, bytes) = data.split_first_chunk::<2>()?;
    Some((usize::from(u16::from_le_bytes(*place)) % (bytes.len() + 1), bytes))
}

fn check_fields<H>(found: &Message<H>) {
    for (name, value) in found.fields.iter().chain(&found.body.trailers) {
        assert!(is_token(name) && is_field_value(value), "{name:?}: {value:?}");
    }
}

/// A payload written as chunks is read as itself.
fn check_body(body: &Body) {
    let mut written = Vec::new();
    for piece in body.payload.chunks(7) {
        write_chunk_head(&mut written, piece.len());
        written.extend_from_slice(piece);
        written.extend_from_slice(b"\r\n");
    }
    written.extend_from_slice(LAST_CHUNK);
    let again = reading::chunked(&[&written]);
    assert_eq!(again.verdict, Verdict::Ok);
    assert_eq!(again.body.payload, body.payload);
    assert_eq!(again.consumed, written.len());
}
