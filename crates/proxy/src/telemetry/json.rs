//! JSON text from any bytes.
//!
//! What comes out can neither end the string, nor the line, nor steer a terminal: controls (C0, DEL,
//! C1), line and paragraph separators and the marks that turn the direction of writing are escaped, and
//! what is not UTF-8 becomes U+FFFD. Plain ASCII, nearly everything, is found eight bytes at a time and
//! copied at once.

/// The bytes are written as the inside of a JSON string; at most `max` of them, then `…`.
pub fn push_bounded(out: &mut Vec<u8>, text: &[u8], max: usize) {
    if text.len() <= max {
        return push_escaped(out, text);
    }
    let mut end = max;
    // Not in the middle of a character: one has at most three bytes that continue it.
    while end > 0 && max - end < 3 && text[end] & 0xC0 == 0x80 {
        end -= 1;
    }
    push_escaped(out, &text[..end]);
    out.extend_from_slice("…".as_bytes());
}

/// The bytes are written as the inside of a JSON string.
pub fn push_escaped(out: &mut Vec<u8>, text: &[u8]) {
    if is_plain(text) {
        out.extend_from_slice(text);
    } else {
        push_hard(out, text);
    }
}

const fn every(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// Whether one of eight bytes is below 0x20, a quote, a backslash, or 0x7F and above.
fn has_hard(eight: u64) -> bool {
    let zero_byte = |x: u64| x.wrapping_sub(every(1)) & !x;
    let control = eight.wrapping_sub(every(0x20)) & !eight;
    let quote = zero_byte(eight ^ every(b'"'));
    let backslash = zero_byte(eight ^ every(b'\\'));
    let delete = zero_byte(eight ^ every(0x7F));
    (control | quote | backslash | delete | eight) & every(0x80) != 0
}

/// Whether nothing needs an escape. Looks at eight bytes at a time; the last eight may overlap those
/// before, which is cheaper than a loop over what remains.
fn is_plain(text: &[u8]) -> bool {
    if let Some(last) = text.last_chunk::<8>() {
        let (eights, _) = text.as_chunks::<8>();
        let hard = |eight: &[u8; 8]| has_hard(u64::from_le_bytes(*eight));
        return !eights.iter().any(hard) && !hard(last);
    }
    let eight = match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (Some(&[a, b, c, d]), Some(&[e, f, g, h])) => [a, b, c, d, e, f, g, h],
        _ => {
            let mut eight = [b' '; 8];
            eight.iter_mut().zip(text).for_each(|(place, byte)| *place = *byte);
            eight
        }
    };
    !has_hard(u64::from_le_bytes(eight))
}

#[cold]
fn push_hard(out: &mut Vec<u8>, text: &[u8]) {
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            push_char(out, c);
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{FFFD}".as_bytes());
        }
    }
}

fn push_char(out: &mut Vec<u8>, c: char) {
    match c {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        // All of these lie below U+10000, so one escape is enough.
        c if disturbs(c) => {
            let code = c as u32;
            out.extend_from_slice(b"\\u");
            out.extend(
                [12, 8, 4, 0].map(|shift| b"0123456789abcdef"[(code >> shift & 15) as usize]),
            );
        }
        c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

/// Whether a character could steer a terminal, break a line, or make text read as it is not.
fn disturbs(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{061C}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests;
