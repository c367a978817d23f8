//! What is written is read as it was meant, and cuts change nothing.

use portway_http1::{
    CHUNK_END, Framing, HEAD_END, Method, RequestKind, write_chunk_head, write_content_length,
    write_field, write_request_line, write_status_line, write_trailers,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::fuzzing;
use crate::reading::{self, Message, Pair, Verdict};

fn field() -> impl Strategy<Value = Pair> {
    let value = "([!-~\\x{a0}-\\x{ff}]([ \\t!-~\\x{a0}-\\x{ff}]{0,20}[!-~])?)?";
    // `x-` keeps clear of the names that mean something
    ("x-[a-z0-9!#$%&'*+.^_`|~-]{0,12}", value)
        .prop_map(|(name, value)| (name.into_bytes(), value.into_bytes()))
}

fn payload() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(vec(any::<u8>(), 1..40), 0..6)
}

/// The same bytes in pieces.
fn cut<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

fn write_fields(out: &mut Vec<u8>, fields: &[Pair]) {
    for (name, value) in fields {
        write_field(out, name, value);
    }
}

fn write_chunks(out: &mut Vec<u8>, chunks: &[Vec<u8>], trailers: &[Pair]) {
    for chunk in chunks {
        write_chunk_head(out, chunk.len());
        out.extend_from_slice(chunk);
        out.extend_from_slice(CHUNK_END);
    }
    write_trailers(out, trailers.iter().map(|(name, value)| (&name[..], &value[..])));
}

fn check<H>(found: &Message<H>, fields: &[Pair], chunks: &[Vec<u8>], trailers: &[Pair]) {
    assert_eq!(found.verdict, Verdict::Ok);
    assert_eq!(&found.fields[..fields.len()], fields);
    assert_eq!(found.body.payload, chunks.concat());
    assert_eq!(found.body.trailers, trailers);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn requests_round_trip(
        method in "[A-Z]{1,10}",
        path in "(/[a-zA-Z0-9%._~!$&'()*+,;=:@|-]{0,12}){1,4}",
        query in proptest::option::of("[a-zA-Z0-9%=&/?]{0,20}"),
        fields in vec(field(), 0..12),
        chunks in payload(),
        trailers in vec(field(), 0..3),
        cuts in vec(any::<prop::sample::Index>(), 0..6),
        chunked in any::<bool>(),
    ) {
        prop_assume!(method != "CONNECT" && !trailers.iter().any(|(name, _)| name.starts_with(b"x-f")));
        let trailers = if chunked { trailers } else { Vec::new() };
        let target = query.map_or(path.clone(), |query| format!("{path}?{query}"));
        let mut out = Vec::new();
        write_request_line(&mut out, method.as_bytes(), target.as_bytes());
        write_fields(&mut out, &fields);
        write_field(&mut out, b"host", b"example.com:81");
        if chunked {
            write_field(&mut out, b"transfer-encoding", b"chunked");
            out.extend_from_slice(HEAD_END);
            write_chunks(&mut out, &chunks, &trailers);
        } else {
            write_content_length(&mut out, chunks.concat().len() as u64);
            out.extend_from_slice(HEAD_END);
            out.extend_from_slice(&chunks.concat());
        }
        let found = reading::request(&cut(&out, &cuts));
        check(&found, &fields, &chunks, &trailers);
        prop_assert_eq!(found.consumed, out.len());
        prop_assert_eq!(&found.texts, &[method.into_bytes(), target.into_bytes()]);
        prop_assert_eq!(&found.host, b"example.com:81");
        let head = found.head.unwrap();
        prop_assert_eq!(head.framing == Framing::Chunked, chunked);
        prop_assert!(head.persistent && !head.upgrade);
        prop_assert!(!matches!(head.method, Method::Connect));
    }

    #[test]
    fn responses_round_trip(
        status in 200u16..600,
        fields in vec(field(), 0..12),
        chunks in payload(),
        cuts in vec(any::<prop::sample::Index>(), 0..6),
        chunked in any::<bool>(),
    ) {
        prop_assume!(status != 204 && status != 304);
        let mut out = Vec::new();
        write_status_line(&mut out, status);
        write_fields(&mut out, &fields);
        if chunked {
            write_field(&mut out, b"transfer-encoding", b"chunked");
            out.extend_from_slice(HEAD_END);
            write_chunks(&mut out, &chunks, &[]);
        } else {
            out.extend_from_slice(HEAD_END);
            out.extend_from_slice(&chunks.concat());
        }
        let found = reading::response(&cut(&out, &cuts), RequestKind::Other);
        check(&found, &fields, &chunks, &[]);
        let head = found.head.unwrap();
        prop_assert_eq!(head.status, status);
        prop_assert_eq!(head.persistent, chunked);
    }

    #[test]
    fn any_bytes_are_survived(bytes in vec(any::<u8>(), 0..300)) {
        fuzzing::request(&bytes);
        fuzzing::response(&bytes);
        fuzzing::body(&bytes);
    }

    #[test]
    fn bytes_that_look_like_http_are_survived(text in "[GET /HP1.:\\r\\n\\t0-3a-c;,=\"-]{0,120}") {
        let bytes = [b"\x05\x00", text.as_bytes()].concat();
        fuzzing::request(&bytes);
        fuzzing::response(&bytes);
        fuzzing::body(&bytes);
    }
}
