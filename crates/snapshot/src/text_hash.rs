//! A fast hash of short texts, for tables that never change.
//!
//! Not for tables that strangers can fill: it has no key. Its values are the same in every run, and must not
//! leave the process all the same.

/// Eight bytes at a time, multiplied and folded (the idea of FxHash); the length goes in first, so that
/// the padding of the last part means nothing.
#[inline]
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |state: u64, part: u64| {
        let product = u128::from(state ^ part).wrapping_mul(u128::from(FACTOR));
        (product as u64) ^ (product >> 64) as u64
    };
    let mut state = mix(FACTOR, bytes.len() as u64);
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        state = mix(state, chunk.iter().rev().fold(0, |part, byte| part << 8 | u64::from(*byte)));
    }
    let last = chunks.remainder().iter().rev().fold(0, |part, byte| part << 8 | u64::from(*byte));
    mix(state, last)
}
