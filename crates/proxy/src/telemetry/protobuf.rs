//! The few forms of Protocol Buffers that spans are made of, appended to a buffer.
//!
//! Only writing; numbers of fields are those of the messages in `span.rs`. A field that has its default value
//! is left out by the callers, as proto3 does.

/// A message or text: its number and what it holds. The length goes in front once it is known.
pub(super) fn nested(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    varint(out, u64::from(field << 3 | 2));
    // Most lengths take one byte.
    out.push(0);
    let start = out.len();
    write(out);
    let length = out.len() - start;
    let mut prefix = [0_u8; 10];
    let taken = put_varint(&mut prefix, length as u64);
    out.resize(start + length + taken - 1, 0);
    out.copy_within(start..start + length, start + taken - 1);
    out[start - 1..start - 1 + taken].copy_from_slice(&prefix[..taken]);
}

/// Bytes as they are.
pub(super) fn bytes(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    varint(out, u64::from(field << 3 | 2));
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// A text of at most `max` bytes. What is not UTF-8 becomes U+FFFD, since a receiver would refuse the whole message.
pub(super) fn text(out: &mut Vec<u8>, field: u32, value: &[u8], max: usize) {
    let value = &value[..value.len().min(max)];
    match std::str::from_utf8(value) {
        Ok(_) => bytes(out, field, value),
        Err(_) => nested(out, field, |out| {
            for chunk in value.utf8_chunks() {
                out.extend_from_slice(chunk.valid().as_bytes());
                if !chunk.invalid().is_empty() {
                    out.extend_from_slice("\u{FFFD}".as_bytes());
                }
            }
        }),
    }
}

/// `int32`, `int64`, `enum` and `bool`, of which none here is negative.
pub(super) fn integer(out: &mut Vec<u8>, field: u32, value: u64) {
    varint(out, u64::from(field << 3));
    varint(out, value);
}

/// `fixed64`.
pub(super) fn fixed64(out: &mut Vec<u8>, field: u32, value: u64) {
    varint(out, u64::from(field << 3 | 1));
    out.extend_from_slice(&value.to_le_bytes());
}

/// `fixed32`.
pub(super) fn fixed32(out: &mut Vec<u8>, field: u32, value: u32) {
    varint(out, u64::from(field << 3 | 5));
    out.extend_from_slice(&value.to_le_bytes());
}

fn varint(out: &mut Vec<u8>, value: u64) {
    let mut text = [0; 10];
    let taken = put_varint(&mut text, value);
    out.extend_from_slice(&text[..taken]);
}

/// Writes a number, seven bits a byte; how many bytes that took.
fn put_varint(into: &mut [u8; 10], mut value: u64) -> usize {
    let mut taken = 0;
    loop {
        let low = (value & 0x7F) as u8;
        value >>= 7;
        into[taken] = if value == 0 { low } else { low | 0x80 };
        taken += 1;
        if value == 0 {
            return taken;
        }
    }
}
