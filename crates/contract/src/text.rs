//! Bytes into text: byte order marks, encodings, what is not text at all.

use std::borrow::Cow;

/// Why bytes are not a readable text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextFault {
    /// UTF-16 or UTF-32.
    Wide(&'static str),
    /// A compressed or otherwise binary file of this kind.
    Binary(&'static str),
    /// Nothing but white space.
    Empty,
}

/// A text, and where its first byte that is not UTF-8 stood.
pub(crate) struct Text<'b> {
    pub(crate) text: Cow<'b, str>,
    /// Offset in `text` of the first replacement made, if any was needed.
    pub(crate) broken_at: Option<usize>,
}

/// Decodes UTF-8, without its byte order mark; broken bytes become U+FFFD.
pub(crate) fn decode(bytes: &[u8]) -> Result<Text<'_>, TextFault> {
    if let Some(fault) = signature(bytes) {
        return Err(fault);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => Text { text: Cow::Borrowed(text), broken_at: None },
        Err(fault) => {
            Text { text: String::from_utf8_lossy(bytes), broken_at: Some(fault.valid_up_to()) }
        }
    };
    if text.text.trim().is_empty() { Err(TextFault::Empty) } else { Ok(text) }
}

fn signature(bytes: &[u8]) -> Option<TextFault> {
    const MARKS: [(&[u8], TextFault); 8] = [
        (b"\xff\xfe\0\0", TextFault::Wide("UTF-32")),
        (b"\0\0\xfe\xff", TextFault::Wide("UTF-32")),
        (b"\xff\xfe", TextFault::Wide("UTF-16")),
        (b"\xfe\xff", TextFault::Wide("UTF-16")),
        (b"\x1f\x8b", TextFault::Binary("gzip file")),
        (b"PK\x03\x04", TextFault::Binary("zip archive")),
        (b"%PDF-", TextFault::Binary("PDF file")),
        (b"\x28\xb5\x2f\xfd", TextFault::Binary("zstd file")),
    ];
    if let Some((_, fault)) = MARKS.iter().find(|(mark, _)| bytes.starts_with(mark)) {
        return Some(*fault);
    }
    // UTF-16 without a mark: every other byte of the first few ASCII characters is zero.
    match bytes {
        [first, 0, second, 0, ..] if *first != 0 && *second != 0 => Some(TextFault::Wide("UTF-16")),
        [0, first, 0, second, ..] if *first != 0 && *second != 0 => Some(TextFault::Wide("UTF-16")),
        _ => None,
    }
}
