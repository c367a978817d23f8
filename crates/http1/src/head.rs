//! What request and response heads have in common: bounds, field lines, and what the fields say
//! about framing and the connection.
//!
//! A line is judged when its end has arrived, or a control byte that cannot be in it. So the
//! verdict on a head depends on its bytes only, never on how they were cut into reads.

use crate::bytes::{control_at, is_token, token_end};
use crate::{Known, Reject, Span, list_items};

/// One header field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// The name as it was written.
    pub name: Span,
    /// The value without the white space around it.
    pub value: Span,
    /// Which of the names the gateway looks for this is.
    pub known: Known,
}

/// The version of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

/// How long the body of a message is (RFC 9112 §6.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    /// There is no body.
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks, and trailers perhaps.
    Chunked,
    /// Until the peer closes; responses only.
    UntilClose,
}

/// Bounds on a head.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// Bytes of the whole head, with the empty line that ends it.
    pub head_bytes: usize,
    /// Header fields.
    pub fields: usize,
    /// Bytes of the request target.
    pub target_bytes: usize,
}

impl Default for HeadLimits {
    fn default() -> HeadLimits {
        HeadLimits { head_bytes: 32 * 1024, fields: 100, target_bytes: 8 * 1024 }
    }
}

/// What earlier calls have already seen of a head that was not complete. One per head: start each
/// with `Progress::default()`; a call that returned a head or a refusal leaves it at the start.
#[derive(Clone, Copy, Default, Debug)]
pub struct Progress {
    /// Bytes already searched.
    seen: u32,
    /// Where the first field line that has not been judged begins; 0 while the first line lasts.
    line: u32,
    /// Fields judged before that.
    fields: u32,
}

impl Progress {
    /// Whether the bytes since the last call can change anything: only a control byte ends a line.
    fn has_news(self, bytes: &[u8]) -> bool {
        let seen = self.seen as usize;
        seen == 0 || seen > bytes.len() || control_at(bytes, seen) < bytes.len()
    }

    /// Remembers all of `bytes` as seen, which are not more than `u32::MAX`. A CR at the end is looked at again, with
    /// what follows it.
    fn saw(&mut self, bytes: &[u8]) {
        self.seen = (bytes.len() - usize::from(bytes.last() == Some(&b'\r'))) as u32;
    }
}

/// What one reading of a head came to.
pub(crate) enum Reading<T> {
    /// The whole head.
    Whole(T),
    /// The end has not arrived. `line` is where the first unjudged field line begins (0 while the
    /// first line is unfinished); the fields before it have been read.
    Partial { line: usize },
}

/// Runs a head parser so that a head that arrives in crumbs costs no more than twice one that
/// arrives whole: `whole` reads from the start, and in between only new lines are judged.
#[inline]
pub(crate) fn incremental<T>(
    bytes: &[u8],
    fields: &mut Vec<Field>,
    limits: &HeadLimits,
    progress: &mut Progress,
    whole: impl Fn(&[u8], &mut Vec<Field>) -> Result<Reading<T>, Reject>,
) -> Result<Option<T>, Reject> {
    let bound = limits.head_bytes.min(u32::MAX as usize);
    let window = if bytes.len() > bound { &bytes[..bound] } else { bytes };
    if progress.seen != 0 && !resume(window, fields, limits, progress)? {
        return partial(window, bound, progress);
    }
    fields.clear();
    match whole(window, fields) {
        Ok(Reading::Whole(head)) => {
            *progress = Progress::default();
            Ok(Some(head))
        }
        Ok(Reading::Partial { line }) => {
            progress.line = line as u32;
            progress.fields = fields.len() as u32;
            progress.saw(window);
            partial(window, bound, progress)
        }
        Err(reject) => {
            *progress = Progress::default();
            Err(reject)
        }
    }
}

/// Judges the lines that have come since the last call. Returns whether the head should be read
/// from its start: because it is complete, or because its first line was not.
#[cold]
fn resume(
    window: &[u8],
    fields: &mut Vec<Field>,
    limits: &HeadLimits,
    progress: &mut Progress,
) -> Result<bool, Reject> {
    if !progress.has_news(window) {
        progress.saw(window);
        return Ok(false);
    }
    let judged = progress.line as usize;
    if judged == 0 || judged > window.len() {
        return Ok(true);
    }
    fields.clear();
    let room = limits.fields.saturating_sub(progress.fields as usize);
    match field_lines(window, judged, fields, room) {
        Ok(Reading::Whole(_)) => Ok(true),
        Ok(Reading::Partial { line }) => {
            progress.line = line as u32;
            progress.fields += fields.len() as u32;
            progress.saw(window);
            Ok(false)
        }
        Err(reject) => {
            *progress = Progress::default();
            Err(reject)
        }
    }
}

/// An incomplete head is an error once it has filled its bound.
fn partial<T>(window: &[u8], bound: usize, progress: &mut Progress) -> Result<Option<T>, Reject> {
    if window.len() < bound {
        return Ok(None);
    }
    let in_first_line = progress.line == 0;
    *progress = Progress::default();
    Err(if in_first_line { Reject::TargetTooLong } else { Reject::HeadTooLarge })
}

/// One line of a head.
enum Line {
    Field(Field, usize),
    Empty(usize),
    Partial,
}

/// Reads field lines from `from` to the empty line, at most `room` of them. The value of a whole
/// reading is the offset behind the empty line.
#[inline]
pub(crate) fn field_lines(
    bytes: &[u8],
    from: usize,
    fields: &mut Vec<Field>,
    room: usize,
) -> Result<Reading<usize>, Reject> {
    let mut at = from;
    let mut room = room;
    loop {
        match field_line(bytes, at)? {
            Line::Field(field, next) => {
                room = room.checked_sub(1).ok_or(Reject::TooManyFields)?;
                fields.push(field);
                at = next;
            }
            Line::Empty(next) => return Ok(Reading::Whole(next)),
            Line::Partial => return Ok(Reading::Partial { line: at }),
        }
    }
}

#[inline]
fn field_line(bytes: &[u8], at: usize) -> Result<Line, Reject> {
    let name_end = token_end(bytes, at);
    if name_end == bytes.len() {
        return Ok(Line::Partial);
    }
    if bytes[name_end] != b':' || name_end == at {
        return no_name(bytes, at, name_end);
    }
    let mut start = name_end + 1;
    while start < bytes.len() && (bytes[start] == b' ' || bytes[start] == b'\t') {
        start += 1;
    }
    let stop = control_at(bytes, start);
    let Some(next) = line_end(bytes, stop, Reject::FieldValue)? else {
        return Ok(Line::Partial);
    };
    let mut end = stop;
    while end > start && (bytes[end - 1] == b' ' || bytes[end - 1] == b'\t') {
        end -= 1;
    }
    let name = Span::new(at, name_end);
    let known = Known::from_name(name.of(bytes));
    Ok(Line::Field(Field { name, value: Span::new(start, end), known }, next))
}

/// A line that does not begin with a name and a colon: the empty line, or a fault.
fn no_name(bytes: &[u8], at: usize, stop: usize) -> Result<Line, Reject> {
    let first = stop == at;
    match bytes[stop] {
        b'\r' if first => Ok(match line_end(bytes, at, Reject::LineEnd)? {
            Some(next) => Line::Empty(next),
            None => Line::Partial,
        }),
        b'\n' if first => Err(Reject::LineEnd),
        b' ' | b'\t' if first => fault(bytes, stop, Reject::Folded).map(|()| Line::Partial),
        _ => fault(bytes, stop, Reject::FieldName).map(|()| Line::Partial),
    }
}

/// The fault at `at` is one only when its line can be judged.
#[cold]
pub(crate) fn fault(bytes: &[u8], at: usize, reject: Reject) -> Result<(), Reject> {
    if control_at(bytes, at) < bytes.len() { Err(reject) } else { Ok(()) }
}

/// The offset behind the CRLF at `at`; `None` if it has not arrived. Any other control byte at
/// `at` is `otherwise`.
#[inline]
pub(crate) fn line_end(
    bytes: &[u8],
    at: usize,
    otherwise: Reject,
) -> Result<Option<usize>, Reject> {
    match (bytes.get(at), bytes.get(at + 1)) {
        (Some(b'\r'), Some(b'\n')) => Ok(Some(at + 2)),
        (None, _) | (Some(b'\r'), None) => Ok(None),
        (Some(b'\r' | b'\n'), _) => Err(Reject::LineEnd),
        (Some(_), _) => Err(otherwise),
    }
}

/// Reads the version that begins at `at` and must be followed by `after`. Returns it with the
/// offset behind its eight bytes; `None` if the line has not arrived.
pub(crate) fn version(
    bytes: &[u8],
    at: usize,
    malformed: Reject,
) -> Result<Option<(Version, usize)>, Reject> {
    let Some(eight) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) else {
        return fault(bytes, at, malformed).map(|()| None);
    };
    let version = match eight {
        b"HTTP/1.1" => Version::Http11,
        b"HTTP/1.0" => Version::Http10,
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            return fault(bytes, at, Reject::Version).map(|()| None);
        }
        _ => return fault(bytes, at, malformed).map(|()| None),
    };
    Ok(Some((version, at + 8)))
}

/// What the fields of a head say about its framing, its connection and its host.
#[derive(Default)]
pub(crate) struct Claims {
    pub(crate) host: Option<Span>,
    pub(crate) host_repeated: bool,
    pub(crate) length: Option<u64>,
    pub(crate) chunked: bool,
    pub(crate) close: bool,
    pub(crate) keep_alive: bool,
    names_upgrade: bool,
    has_upgrade: bool,
    options: u32,
    pub(crate) expects_continue: bool,
    pub(crate) expects_other: bool,
}

impl Claims {
    /// Whether the connection can carry another message after this one (RFC 9112 §9.3).
    pub(crate) fn persistent(&self, version: Version) -> bool {
        !self.close && (version == Version::Http11 || self.keep_alive)
    }

    /// Whether the message asks to upgrade, or accepts to. HTTP/1.0 cannot (RFC 9110 §7.8).
    pub(crate) fn upgrade(&self, version: Version) -> bool {
        self.names_upgrade && self.has_upgrade && version == Version::Http11
    }
}

/// Reads what the fields claim, and refuses what could be understood in two ways.
#[inline]
pub(crate) fn claims(bytes: &[u8], fields: &[Field], version: Version) -> Result<Claims, Reject> {
    let mut claims = Claims::default();
    for field in fields {
        let value = field.value.of(bytes);
        match field.known {
            Known::Host => {
                claims.host_repeated |= claims.host.replace(field.value).is_some();
            }
            Known::ContentLength => {
                let earlier = claims.length.replace(content_length(value)?);
                if earlier.is_some() {
                    return Err(Reject::LengthRepeated);
                }
            }
            Known::TransferEncoding => {
                if claims.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Reject::TransferCoding);
                }
                claims.chunked = true;
            }
            Known::Connection => connection(value, &mut claims)?,
            Known::Upgrade => claims.has_upgrade |= !value.is_empty(),
            Known::Expect if value.eq_ignore_ascii_case(b"100-continue") => {
                claims.expects_continue = true;
            }
            Known::Expect => claims.expects_other = true,
            _ => {}
        }
    }
    if claims.chunked && claims.length.is_some() {
        return Err(Reject::LengthAndCoding);
    }
    if claims.chunked && version == Version::Http10 {
        return Err(Reject::CodingInHttp10);
    }
    Ok(claims)
}

/// Options of `Connection` in one head. Each names a field that is held back, so that every one of them is compared with
/// every field; nobody needs more than a few.
const CONNECTION_OPTIONS_MAX: u32 = 32;

fn connection(value: &[u8], claims: &mut Claims) -> Result<(), Reject> {
    for option in list_items(value) {
        claims.options += 1;
        if claims.options > CONNECTION_OPTIONS_MAX {
            return Err(Reject::Connection);
        }
        if option.eq_ignore_ascii_case(b"keep-alive") {
            claims.keep_alive = true;
        } else if option.eq_ignore_ascii_case(b"close") {
            claims.close = true;
        } else if option.eq_ignore_ascii_case(b"upgrade") {
            claims.names_upgrade = true;
        } else if !is_token(option) {
            return Err(Reject::Connection);
        }
    }
    Ok(())
}

/// 1 to 19 digits: 19 nines are below 2⁶⁴, so nothing can overflow. A list is refused even when
/// all its members agree, though RFC 9112 §6.3 would let it pass.
fn content_length(value: &[u8]) -> Result<u64, Reject> {
    if value.contains(&b',') {
        return Err(Reject::LengthRepeated);
    }
    if value.is_empty() || value.len() > 19 || !value.iter().all(u8::is_ascii_digit) {
        return Err(Reject::LengthInvalid);
    }
    Ok(value.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}
