//! Path templates: `/orders/{orderId}/lines.{format}` split into segments of literals and parameters.
//!
//! Used for the paths of OpenAPI documents and for the path patterns of services without a contract.
//! Parsing is strict and says what is wrong; the leniency that real documents need is in
//! `reader::paths`, which repairs a path and parses it again. Matching is left to the router; the
//! small matcher here states what a template means and serves as the router's reference in tests.
//!
//! What is understood inside braces: `{name}`; a tail that takes the rest of the path, in the last
//! segment only and standing alone there, written `{+name}`, `{name+}`, `{*name}`, `{**name}`,
//! `{name*}` or `{name=**}`; a constraint after a colon (`{id:[0-9]+}`) is split off and kept.

use std::fmt;

/// Longest path that is parsed, in bytes.
pub const MAX_PATH_BYTES: usize = 8 * 1024;
/// Most parameters in one path.
pub const MAX_PARAMETERS: usize = 64;

/// A path split into segments, each made of pieces.
///
/// `/` is one empty segment; `/a/` is `a` and an empty segment: a trailing slash is significant, and
/// so is an empty segment in the middle.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathTemplate {
    /// The segments between slashes; an empty list of pieces is an empty segment.
    pub segments: Vec<Vec<Piece>>,
    /// The last segment is one parameter that takes the rest of the path, slashes included.
    pub tail: bool,
}

/// A part of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Piece {
    /// Text that must be there, in canonical percent form: unreserved characters decoded, all others
    /// that need it encoded with upper-case digits (RFC 3986 §6.2.2).
    Literal(String),
    /// A parameter of that name: at least one character, never a slash (unless it is the tail).
    Parameter(String),
}

/// Why a path is not a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateFault {
    /// It does not begin with `/`.
    NoLeadingSlash,
    /// It is longer than [`MAX_PATH_BYTES`].
    TooLong,
    /// It has more than [`MAX_PARAMETERS`] parameters.
    TooManyParameters,
    /// It has a query or fragment part, which starts at this byte.
    NotOnlyAPath(usize),
    /// A `{` at this byte is not closed in its segment.
    Unclosed(usize),
    /// A `}` at this byte was never opened.
    Unopened(usize),
    /// A parameter at this byte has no name.
    NoName(usize),
    /// A tail parameter at this byte does not stand alone in the last segment.
    TailNotLast(usize),
    /// A segment at this byte is `.` or `..`, which no canonical path contains.
    DotSegment(usize),
    /// A control character or broken percent escape at this byte.
    BadCharacter(usize),
}

impl fmt::Display for TemplateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TemplateFault::NoLeadingSlash => f.write_str("the path does not begin with `/`"),
            TemplateFault::TooLong => write!(f, "the path is longer than {MAX_PATH_BYTES} bytes"),
            TemplateFault::TooManyParameters => {
                write!(f, "the path has more than {MAX_PARAMETERS} parameters")
            }
            TemplateFault::NotOnlyAPath(at) => {
                write!(f, "the path has a query or fragment part at byte {at}")
            }
            TemplateFault::Unclosed(at) => {
                write!(f, "the `{{` at byte {at} is not closed within its segment")
            }
            TemplateFault::Unopened(at) => write!(f, "the `}}` at byte {at} was never opened"),
            TemplateFault::NoName(at) => write!(f, "the parameter at byte {at} has no name"),
            TemplateFault::TailNotLast(at) => {
                write!(
                    f,
                    "the tail parameter at byte {at} does not stand alone in the last segment"
                )
            }
            TemplateFault::DotSegment(at) => write!(f, "the segment at byte {at} is `.` or `..`"),
            TemplateFault::BadCharacter(at) => {
                write!(f, "a control character or a broken percent escape stands at byte {at}")
            }
        }
    }
}

impl std::error::Error for TemplateFault {}

impl PathTemplate {
    /// Parses a path without query and fragment.
    ///
    /// # Errors
    /// The first [`TemplateFault`] found.
    pub fn parse(path: &str) -> Result<PathTemplate, TemplateFault> {
        if path.len() > MAX_PATH_BYTES {
            return Err(TemplateFault::TooLong);
        }
        if !path.starts_with('/') {
            return Err(TemplateFault::NoLeadingSlash);
        }
        let mut segments = Vec::new();
        let mut tail = None;
        let mut parameters = 0;
        for (start, end) in segment_ranges(path)? {
            let segment = parse_segment(path, start, end)?;
            if let Some(at) = tail {
                return Err(TemplateFault::TailNotLast(at));
            }
            if let Some(at) = segment.tail_at {
                if segment.pieces.len() != 1 {
                    return Err(TemplateFault::TailNotLast(at));
                }
                tail = Some(at);
            }
            parameters +=
                segment.pieces.iter().filter(|piece| matches!(piece, Piece::Parameter(_))).count();
            if parameters > MAX_PARAMETERS {
                return Err(TemplateFault::TooManyParameters);
            }
            segments.push(segment.pieces);
        }
        Ok(PathTemplate { segments, tail: tail.is_some() })
    }

    /// The names of the parameters, in order; a name that is used twice comes twice.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().flatten().filter_map(|piece| match piece {
            Piece::Parameter(name) => Some(name.as_str()),
            Piece::Literal(_) => None,
        })
    }

    /// The template with every parameter's name taken out: two templates of one shape match the same paths.
    #[must_use]
    pub fn shape(&self) -> String {
        let mut shape = String::new();
        for segment in &self.segments {
            shape.push('/');
            for piece in segment {
                match piece {
                    Piece::Literal(text) => shape.push_str(text),
                    Piece::Parameter(_) => shape.push_str("{}"),
                }
            }
        }
        if self.tail {
            shape.push_str("**");
        }
        shape
    }

    /// Matches a canonical path (one that begins with `/`) and gives the parameters' texts, still encoded.
    ///
    /// Within a segment each parameter but the last takes as little as it can, so `/{a}-{b}` reads
    /// `x-y-z` as `x` and `y-z`; of two parameters side by side the first takes one character.
    #[must_use]
    pub fn captures<'p>(&self, path: &'p str) -> Option<Vec<(&str, &'p str)>> {
        let mut rest = path.strip_prefix('/')?;
        let mut found = Vec::new();
        let last = self.segments.len().checked_sub(1)?;
        for (index, segment) in self.segments.iter().enumerate() {
            if index == last && self.tail {
                let Some(Piece::Parameter(name)) = segment.first() else { return None };
                if rest.is_empty() {
                    return None;
                }
                found.push((name.as_str(), rest));
                return Some(found);
            }
            let (text, after) = match rest.split_once('/') {
                Some((text, after)) if index < last => (text, after),
                None if index == last => (rest, ""),
                _ => return None,
            };
            capture_segment(segment, text, &mut found)?;
            rest = after;
        }
        Some(found)
    }
}

impl fmt::Display for PathTemplate {
    /// The template as a path again, parameters in plain braces, a tail as `{+name}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.segments.len().saturating_sub(1);
        for (index, segment) in self.segments.iter().enumerate() {
            f.write_str("/")?;
            for piece in segment {
                match piece {
                    Piece::Literal(text) => f.write_str(text)?,
                    Piece::Parameter(name) if self.tail && index == last => {
                        write!(f, "{{+{name}}}")?
                    }
                    Piece::Parameter(name) => write!(f, "{{{name}}}")?,
                }
            }
        }
        Ok(())
    }
}

/// What is written between the braces of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Braced<'a> {
    /// The parameter's name, without marks and constraint.
    pub name: &'a str,
    /// It takes the rest of the path.
    pub tail: bool,
    /// The constraint after the colon, as written (`[0-9]+`, `int`).
    pub constraint: Option<&'a str>,
}

impl<'a> Braced<'a> {
    /// Reads the text between `{` and `}`.
    #[must_use]
    pub fn read(inner: &'a str) -> Braced<'a> {
        let inner = inner.trim();
        let (name, constraint) = match inner.split_once([':', '=']) {
            Some((name, constraint)) => (name.trim_end(), Some(constraint)),
            None => (inner, None),
        };
        let is_mark = |mark: char| mark == '+' || mark == '*';
        let is_edge = |mark: char| is_mark(mark) || mark == '?' || mark.is_whitespace();
        let tail = name.starts_with(is_mark)
            || name.ends_with(is_mark)
            || matches!(constraint, Some("**" | ".*" | ".+"));
        Braced { name: name.trim_matches(is_edge), tail, constraint }
    }
}

struct Segment {
    pieces: Vec<Piece>,
    tail_at: Option<usize>,
}

/// The byte ranges of the segments: slashes inside braces (constraints) do not count.
fn segment_ranges(path: &str) -> Result<Vec<(usize, usize)>, TemplateFault> {
    let mut ranges = Vec::new();
    let mut start = 1;
    let mut open = None;
    let mut nested = 0usize;
    for (at, byte) in path.bytes().enumerate().skip(1) {
        match byte {
            b'{' if open.is_none() => open = Some(at),
            b'{' => nested += 1,
            b'}' if nested > 0 => nested -= 1,
            b'}' if open.is_some() => open = None,
            b'}' => return Err(TemplateFault::Unopened(at)),
            b'?' | b'#' if open.is_none() => return Err(TemplateFault::NotOnlyAPath(at)),
            b'/' if open.is_none() => {
                ranges.push((start, at));
                start = at + 1;
            }
            // A slash within a plain name means a forgotten brace; within a constraint it is text.
            b'/' => {
                let from = open.unwrap_or(at);
                if !path[from..at].contains([':', '=']) {
                    return Err(TemplateFault::Unclosed(from));
                }
            }
            _ => {}
        }
    }
    if let Some(at) = open {
        return Err(TemplateFault::Unclosed(at));
    }
    ranges.push((start, path.len()));
    Ok(ranges)
}

fn parse_segment(path: &str, start: usize, end: usize) -> Result<Segment, TemplateFault> {
    let text = &path[start..end];
    let mut segment = Segment { pieces: Vec::new(), tail_at: None };
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with('{') {
            let close = closing_brace(rest).ok_or(TemplateFault::Unclosed(start + at))?;
            let braced = Braced::read(&rest[1..close]);
            if braced.name.is_empty() {
                return Err(TemplateFault::NoName(start + at));
            }
            if braced.name.contains(['{', '}']) {
                return Err(TemplateFault::Unclosed(start + at));
            }
            if braced.tail {
                segment.tail_at = Some(start + at);
            }
            segment.pieces.push(Piece::Parameter(braced.name.to_owned()));
            at += close + 1;
        } else {
            let length = rest.find('{').unwrap_or(rest.len());
            let literal = canonical(&rest[..length])
                .map_err(|offset| TemplateFault::BadCharacter(start + at + offset))?;
            segment.pieces.push(Piece::Literal(literal));
            at += length;
        }
    }
    if let [Piece::Literal(text)] = segment.pieces.as_slice()
        && (text == "." || text == "..")
    {
        return Err(TemplateFault::DotSegment(start));
    }
    Ok(segment)
}

/// The offset of the brace that closes the one at the start of `text`; constraints may hold braces.
fn closing_brace(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// A literal in canonical percent form, or the offset of a byte that cannot stand in a path.
fn canonical(text: &str) -> Result<String, usize> {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        let (value, width) = if byte == b'%' {
            match (
                bytes.get(at + 1).copied().and_then(hex),
                bytes.get(at + 2).copied().and_then(hex),
            ) {
                (Some(high), Some(low)) => (high * 16 + low, 3),
                _ => return Err(at),
            }
        } else {
            (byte, 1)
        };
        if width == 1 && (byte < 0x20 || byte == 0x7f) {
            return Err(at);
        }
        if is_unreserved(value) || (width == 1 && is_path_delimiter(value)) {
            out.push(char::from(value));
        } else {
            push_escaped(&mut out, value);
        }
        at += width;
    }
    Ok(out)
}

fn push_escaped(out: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}

/// RFC 3986 §2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// What else may stand in a segment as it is: `pchar` of RFC 3986 §3.3 without the unreserved.
fn is_path_delimiter(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@'
    )
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn capture_segment<'t, 'p>(
    pieces: &'t [Piece],
    text: &'p str,
    found: &mut Vec<(&'t str, &'p str)>,
) -> Option<()> {
    let mut rest = text;
    for (index, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Literal(literal) => rest = rest.strip_prefix(literal.as_str())?,
            Piece::Parameter(name) => {
                let first = rest.chars().next()?.len_utf8();
                let taken = match &pieces[index + 1..] {
                    [] => rest.len(),
                    [Piece::Parameter(_), ..] => first,
                    // The last literal of a segment is anchored at its end; others take the first place they fit.
                    [Piece::Literal(last)] => {
                        rest.len().checked_sub(last.len()).filter(|at| *at >= first)?
                    }
                    [Piece::Literal(next), ..] => first + rest[first..].find(next.as_str())?,
                };
                found.push((name.as_str(), rest.get(..taken)?));
                rest = rest.get(taken..)?;
            }
        }
    }
    rest.is_empty().then_some(())
}

#[cfg(test)]
mod tests;
