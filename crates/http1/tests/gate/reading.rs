//! Reads whole messages through the crate's door as a connection would: bytes arrive in pieces,
//! what is not consumed is kept. Shared by the tests and the fuzz targets.

use portway_http1::{
    BodyDecoder, BodyLimits, Decoded, Field, Framing, HEAD_END, HeadLimits, Progress, Reject,
    RequestHead, RequestKind, ResponseHead, Span, Target, parse_request, parse_response,
    write_field,
};

/// How a message ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It is whole.
    Ok,
    /// The bytes ended before it did.
    More,
    /// It was refused.
    Reject(Reject),
}

/// A name and a value.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);

/// A body as it was read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Body {
    /// All of the payload up to the end or the refusal.
    pub(crate) payload: Vec<u8>,
    /// Trailers that were kept.
    pub(crate) trailers: Vec<Pair>,
    /// Trailers that were not.
    pub(crate) dropped: usize,
}

/// A message as it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Message<H> {
    /// How it ended.
    pub(crate) verdict: Verdict,
    /// The head, if it was accepted.
    pub(crate) head: Option<H>,
    /// The text of its spans: method, target and authority of a request, reason of a response.
    pub(crate) texts: Vec<Vec<u8>>,
    /// The authority of a request.
    pub(crate) host: Vec<u8>,
    /// Its fields.
    pub(crate) fields: Vec<Pair>,
    /// Its body, as far as it came.
    pub(crate) body: Body,
    /// Bytes that belonged to the message, if it is whole.
    pub(crate) consumed: usize,
}

impl<H> Message<H> {
    fn new() -> Message<H> {
        Message {
            verdict: Verdict::More,
            head: None,
            texts: Vec::new(),
            host: Vec::new(),
            fields: Vec::new(),
            body: Body::default(),
            consumed: 0,
        }
    }
}

/// Reads a request that arrives in these pieces, and then the end of the connection.
pub(crate) fn request(pieces: &[&[u8]]) -> Message<RequestHead> {
    let mut found = message(
        pieces,
        |bytes, fields, progress| parse_request(bytes, fields, &HeadLimits::default(), progress),
        |head| (head.len, head.framing),
    );
    if let Some(head) = found.head {
        let bytes = pieces.concat();
        let bytes = &bytes[..head.len];
        found.host = head.authority.of(bytes).to_vec();
        found.texts = vec![head.method.as_bytes(bytes).to_vec(), target_text(bytes, head.target)];
    }
    found
}

/// The target as it was written.
pub(crate) fn target_text(bytes: &[u8], target: Target) -> Vec<u8> {
    let whole = |start: u32, path: Span, query: Option<Span>| {
        Span { start, end: query.unwrap_or(path).end }.of(bytes).to_vec()
    };
    match target {
        Target::Origin { path, query } => whole(path.start, path, query),
        Target::Absolute { scheme, path, query, .. } => whole(scheme.start, path, query),
        Target::Authority(span) => span.of(bytes).to_vec(),
        Target::Asterisk => b"*".to_vec(),
    }
}

/// Reads a response.
pub(crate) fn response(pieces: &[&[u8]], kind: RequestKind) -> Message<ResponseHead> {
    let limits = HeadLimits::default();
    let mut found = message(
        pieces,
        |bytes, fields, progress| parse_response(bytes, fields, kind, &limits, progress),
        |head| (head.len, head.framing),
    );
    if let Some(head) = found.head {
        found.texts = vec![head.reason.of(&pieces.concat()[..head.len]).to_vec()];
    }
    found
}

/// Writes a head anew from what was read, for a second reading that must come to the same.
pub(crate) fn rewritten<H>(found: &Message<H>, first_line: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    first_line(&mut out);
    for (name, value) in &found.fields {
        write_field(&mut out, name, value);
    }
    out.extend_from_slice(HEAD_END);
    out
}

/// Reads a chunked body.
pub(crate) fn chunked(pieces: &[&[u8]]) -> Message<()> {
    let mut found = Message::new();
    let mut decoder = BodyDecoder::new(Framing::Chunked, BodyLimits::default());
    feed(&mut decoder, pieces.iter().copied(), &mut found);
    found
}

fn message<H>(
    pieces: &[&[u8]],
    mut parse: impl FnMut(&[u8], &mut Vec<Field>, &mut Progress) -> Result<Option<H>, Reject>,
    facts: impl Fn(&H) -> (usize, Framing),
) -> Message<H> {
    let mut found = Message::new();
    let mut buffer = Vec::new();
    let mut fields = Vec::new();
    let mut progress = Progress::default();
    for (index, piece) in pieces.iter().enumerate() {
        buffer.extend_from_slice(piece);
        match parse(&buffer, &mut fields, &mut progress) {
            Ok(None) => {}
            Err(reject) => {
                found.verdict = Verdict::Reject(reject);
                return found;
            }
            Ok(Some(head)) => {
                let (len, framing) = facts(&head);
                found.fields = pairs(&buffer, &fields);
                found.head = Some(head);
                found.consumed = len;
                let mut decoder = BodyDecoder::new(framing, BodyLimits::default());
                let first = std::iter::once(&buffer[len..]);
                feed(&mut decoder, first.chain(pieces[index + 1..].iter().copied()), &mut found);
                return found;
            }
        }
    }
    found
}

fn feed<'a, H>(
    decoder: &mut BodyDecoder,
    pieces: impl Iterator<Item = &'a [u8]>,
    found: &mut Message<H>,
) {
    for piece in pieces {
        let mut rest = piece;
        loop {
            let decoded = match decoder.decode(rest) {
                Ok(decoded) => decoded,
                Err(reject) => {
                    found.verdict = Verdict::Reject(reject);
                    found.consumed = 0;
                    return;
                }
            };
            match decoded {
                Decoded::Data { start, end, consumed } => {
                    assert!(start < end && end <= consumed, "data that is none: {decoded:?}");
                    found.body.payload.extend_from_slice(&rest[start..end]);
                    found.consumed += consumed;
                    rest = &rest[consumed..];
                }
                Decoded::NeedMore { consumed } => {
                    assert_eq!(consumed, rest.len(), "more was asked for before all was taken");
                    found.consumed += consumed;
                    break;
                }
                Decoded::Trailers { consumed } | Decoded::End { consumed } => {
                    assert!(decoder.is_done());
                    found.consumed += consumed;
                    let (bytes, fields) = decoder.trailers();
                    found.body.trailers = pairs(bytes, fields);
                    found.body.dropped = decoder.trailers_dropped();
                    found.verdict = Verdict::Ok;
                    return;
                }
            }
            if decoder.is_done() {
                found.verdict = Verdict::Ok;
                return;
            }
        }
    }
    found.verdict = match decoder.on_eof() {
        Ok(()) => Verdict::Ok,
        Err(_) => Verdict::More,
    };
}

fn pairs(bytes: &[u8], fields: &[Field]) -> Vec<Pair> {
    fields
        .iter()
        .map(|field| (field.name.of(bytes).to_vec(), field.value.of(bytes).to_vec()))
        .collect()
}
