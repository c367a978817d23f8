//! The decoder on small bodies; the corpus under `corpus/body` has the many.

use super::{BodyDecoder, BodyLimits, Decoded};
use crate::{Framing, Reject};

/// Payload, trailers as text, and how much was left over.
fn decode(framing: Framing, limits: BodyLimits, text: &[u8]) -> Result<(Vec<u8>, usize), Reject> {
    let mut decoder = BodyDecoder::new(framing, limits);
    let mut rest = text;
    let mut payload = Vec::new();
    loop {
        match decoder.decode(rest)? {
            Decoded::Data { start, end, consumed } => {
                payload.extend_from_slice(&rest[start..end]);
                rest = &rest[consumed..];
            }
            Decoded::NeedMore { consumed } => {
                assert_eq!(consumed, rest.len(), "it asks for more only when it has taken all");
                return decoder.on_eof().map(|()| (payload, 0));
            }
            Decoded::Trailers { consumed } | Decoded::End { consumed } => {
                assert!(decoder.is_done());
                return Ok((payload, rest.len() - consumed));
            }
        }
    }
}

fn check(framing: Framing, text: &str, expected: Result<(&str, usize), Reject>) {
    let found = decode(framing, BodyLimits::default(), text.as_bytes());
    let expected = expected.map(|(payload, left)| (payload.as_bytes().to_vec(), left));
    assert_eq!(found, expected, "{text:?}");
}

#[test]
fn framings() {
    check(Framing::None, "abc", Ok(("", 3)));
    check(Framing::Length(0), "abc", Ok(("", 3)));
    check(Framing::Length(2), "abc", Ok(("ab", 1)));
    check(Framing::Length(4), "abc", Err(Reject::Truncated));
    check(Framing::UntilClose, "abc", Ok(("abc", 0)));
    check(Framing::Chunked, "2\r\nab\r\n1\r\nc\r\n0\r\n\r\nGET", Ok(("abc", 3)));
    check(Framing::Chunked, "2\r\nab\r\n", Err(Reject::Truncated));
}

#[test]
fn bounds() {
    let limits = BodyLimits { body_bytes: 3, trailer_bytes: 10, ..BodyLimits::default() };
    let check = |framing, text: &str, expected: Result<usize, Reject>| {
        let found = decode(framing, limits, text.as_bytes()).map(|(payload, _)| payload.len());
        assert_eq!(found, expected, "{text:?}");
    };
    check(Framing::Length(3), "abc", Ok(3));
    check(Framing::Length(4), "abcd", Err(Reject::BodyTooLarge));
    check(Framing::UntilClose, "abcd", Err(Reject::BodyTooLarge));
    check(Framing::Chunked, "2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n", Err(Reject::BodyTooLarge));
    check(Framing::Chunked, "ffffffffffffffff\r\n", Err(Reject::BodyTooLarge));
    check(Framing::Chunked, "0\r\na: bcd\r\n\r\n", Ok(0));
    check(Framing::Chunked, "0\r\na: bcde\r\n\r\n", Err(Reject::TrailersTooLarge));
}

#[test]
fn sizes_do_not_wrap_around_the_sum() {
    let text = b"1\r\na\r\nffffffffffffffff\r\nb";
    let found = decode(Framing::Chunked, BodyLimits::default(), text);
    assert_eq!(found, Err(Reject::BodyTooLarge));
}

#[test]
fn extensions_are_bounded_over_the_whole_body() {
    let mut text = Vec::new();
    for _ in 0..200 {
        text.extend_from_slice(b"1;x=");
        text.extend_from_slice(&[b'y'; 100]);
        text.extend_from_slice(b"\r\na\r\n");
    }
    let found = decode(Framing::Chunked, BodyLimits::default(), &text);
    assert_eq!(found, Err(Reject::ChunkLine));
}

#[test]
fn forbidden_trailers_are_left_out_and_counted() {
    let text = b"0\r\nGrpc-Status: 0\r\nHOST: a\r\nContent-Foo: 1\r\nx-forwarded-a: 1\r\nGrpc-Message: x\r\n\r\n";
    let mut decoder = BodyDecoder::new(Framing::Chunked, BodyLimits::default());
    assert_eq!(decoder.decode(text), Ok(Decoded::Trailers { consumed: text.len() }));
    let (bytes, fields) = decoder.trailers();
    let names: Vec<_> = fields.iter().map(|field| field.name.of(bytes)).collect();
    assert_eq!(names, [b"Grpc-Status".as_slice(), b"Grpc-Message"]);
    assert_eq!(decoder.trailers_dropped(), 3);
    assert_eq!(decoder.decode(b"GET"), Ok(Decoded::End { consumed: 0 }));
}
