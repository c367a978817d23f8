//! The corpus of the fuzz target, and bytes from a fixed seed, as an ordinary test.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test reads files and may fail"
)]

#[path = "corpus/fuzzing.rs"]
mod fuzzing;

use std::path::Path;

#[test]
fn the_corpus_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/canonical_path");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read(entry.unwrap().path()).unwrap();
        // A path a line: small files by the hundred help nobody.
        for line in text.split(|byte| *byte == b'\n') {
            fuzzing::path(line);
            count += 1;
        }
    }
    assert!(count > 20, "the corpus is there");
}

#[test]
fn bytes_from_a_fixed_seed_hold() {
    const ALPHABET: &[u8] = b"/////......;%%%%%%2255ECFefc0aA-~ b\\#?*+:\x00\x80\xc3\xaf";
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    let mut raw = Vec::new();
    for _ in 0..200_000 {
        raw.clear();
        raw.push(b'/');
        for _ in 0..next() % 24 {
            raw.push(ALPHABET[next() % ALPHABET.len()]);
        }
        fuzzing::path(&raw);
    }
}
