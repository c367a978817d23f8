//! `multipart/form-data` taken apart (RFC 7578, RFC 2046 section 5.1).
//!
//! Strictly, since two readers that differ about where a part ends see two different forms: lines end with CR LF,
//! nothing stands before the first part or behind the last, no header is folded or given twice. Parts are slices of the
//! body; the work is linear in its length.

use memchr::memmem;

use crate::media::{is_token, parameter};

/// The most bytes of the header of a part.
const HEADER_BYTES_MAX: usize = 8 << 10;

/// One part.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part<'b> {
    pub(crate) name: String,
    /// It has the name of a file.
    pub(crate) is_file: bool,
    /// `Content-Type`, as it came.
    pub(crate) content_type: Option<&'b str>,
    pub(crate) data: &'b [u8],
}

/// Whether a text can be a boundary (RFC 2046 section 5.1.1).
pub(crate) fn is_boundary(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    (1..=70).contains(&text.len()) && !text.ends_with(' ') && text.bytes().all(is_letter)
}

/// The parts of a body, at most `most`.
///
/// # Errors
/// What is wrong with it, as part of a sentence about the body.
pub(crate) fn parts<'b>(
    body: &'b [u8],
    boundary: &str,
    most: usize,
) -> Result<Vec<Part<'b>>, Fault> {
    let dashes = format!("--{boundary}");
    let finder = memmem::Finder::new(&dashes);
    let mut rest = body.strip_prefix(b"\r\n").unwrap_or(body);
    rest = rest.strip_prefix(dashes.as_bytes()).ok_or(Fault::Boundary)?;
    let mut parts = Vec::new();
    loop {
        if let Some(end) = rest.strip_prefix(b"--") {
            return if matches!(end, b"" | b"\r\n") { Ok(parts) } else { Err(Fault::Behind) };
        }
        rest = rest.strip_prefix(b"\r\n").ok_or(Fault::Delimiter)?;
        if parts.len() >= most {
            return Err(Fault::TooMany);
        }
        let window = &rest[..rest.len().min(HEADER_BYTES_MAX)];
        let end = memmem::find(window, b"\r\n\r\n");
        let end = end.ok_or(if window.len() < rest.len() { Fault::Header } else { Fault::End })?;
        let header = &rest[..end];
        rest = &rest[end + 4..];
        let data = data(rest, &finder)?;
        rest = &rest[data.len() + 2 + dashes.len()..];
        parts.push(part(header, data)?);
    }
}

/// What stands before the next delimiter.
fn data<'b>(rest: &'b [u8], finder: &memmem::Finder<'_>) -> Result<&'b [u8], Fault> {
    for at in finder.find_iter(rest) {
        match rest[..at] {
            [.., b'\r', b'\n'] => return Ok(&rest[..at - 2]),
            // Whether the line end before it belongs to the header or to the delimiter can be read in two ways, and
            // so can a line end that is only half of one.
            [] | [.., b'\r' | b'\n'] => return Err(Fault::Delimiter),
            _ => {}
        }
    }
    Err(Fault::End)
}

/// What is wrong with a form of several parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Boundary,
    Delimiter,
    Behind,
    End,
    TooMany,
    Header,
    HeaderLine,
    Disposition,
    Encoding,
}

impl Fault {
    /// The rule that is broken.
    pub(crate) fn rule(self) -> &'static str {
        if self == Self::TooMany { "fields" } else { "multipart" }
    }

    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::Boundary => "does not begin with the boundary that Content-Type names",
            Self::Delimiter => "has a boundary that is not on a line of its own",
            Self::Behind => "goes on behind its last part",
            Self::End => "ends before its last part does",
            Self::TooMany => "has more parts than are taken",
            Self::Header => "has a part whose header is too long",
            Self::HeaderLine => {
                "has a part whose header is not made of lines of name: value, each name once"
            }
            Self::Disposition => {
                "has a part without one Content-Disposition: form-data with one name in it"
            }
            Self::Encoding => {
                "has a part with a Content-Transfer-Encoding, which forms do not have"
            }
        }
    }
}

fn part<'b>(header: &'b [u8], data: &'b [u8]) -> Result<Part<'b>, Fault> {
    let header = std::str::from_utf8(header).map_err(|_| Fault::HeaderLine)?;
    let (mut disposition, mut content_type) = (None, None);
    for line in header.split("\r\n") {
        let (name, value) = line.split_once(':').ok_or(Fault::HeaderLine)?;
        let is_text = !value.bytes().any(|byte| byte != b'\t' && byte.is_ascii_control());
        if !is_token(name) || !is_text {
            return Err(Fault::HeaderLine);
        }
        let value = value.trim_matches([' ', '\t']);
        let place = if name.eq_ignore_ascii_case("content-disposition") {
            &mut disposition
        } else if name.eq_ignore_ascii_case("content-type") {
            &mut content_type
        } else if name.eq_ignore_ascii_case("content-transfer-encoding") {
            let plain = ["7bit", "8bit", "binary"];
            if !plain.iter().any(|plain| value.eq_ignore_ascii_case(plain)) {
                return Err(Fault::Encoding);
            }
            continue;
        } else {
            continue;
        };
        if place.replace(value).is_some() {
            return Err(Fault::HeaderLine);
        }
    }
    let (name, is_file) = disposition.and_then(named).ok_or(Fault::Disposition)?;
    Ok(Part { name, is_file, content_type, data })
}

/// The name in a `Content-Disposition`, and whether there is one of a file.
fn named(value: &str) -> Option<(String, bool)> {
    let (kind, mut rest) = value.split_once(';')?;
    if !kind.trim_end_matches([' ', '\t']).eq_ignore_ascii_case("form-data") {
        return None;
    }
    let (mut own, mut is_file) = (None, false);
    let mut seen: Vec<String> = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        if rest.is_empty() {
            return own.map(|own| (own, is_file));
        }
        let (name, value) = parameter(&mut rest)?;
        if seen.len() >= 8 || seen.contains(&name) {
            return None;
        }
        match name.as_str() {
            "name" => own = Some(value),
            // Another way to write the name, which readers do not agree on.
            "name*" => return None,
            "filename" | "filename*" => is_file = true,
            _ => {}
        }
        seen.push(name);
    }
}
