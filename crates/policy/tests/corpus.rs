//! Runs the fuzz target's corpus, and many small changes of it, as an ordinary test.

use std::path::Path;

#[path = "corpus/fuzzing.rs"]
mod fuzzing;

#[test]
#[expect(clippy::disallowed_methods, reason = "the room reads no files; its corpus lies in some")]
fn keys_of_the_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/policy_key");
    let mut files = 0;
    for entry in std::fs::read_dir(&folder).expect("the corpus lies in the repository") {
        let data = std::fs::read(entry.expect("a file").path()).expect("a file");
        fuzzing::key(&data);
        every_change(&data);
        files += 1;
    }
    assert!(files > 0, "{} is empty", folder.display());
}

/// Each byte replaced, removed, and doubled.
fn every_change(data: &[u8]) {
    for at in 0..data.len() {
        for byte in *b"\n &=;%+kKey1 \0\xff" {
            let mut changed = data.to_vec();
            changed[at] = byte;
            fuzzing::key(&changed);
        }
        let mut changed = data.to_vec();
        changed.remove(at);
        fuzzing::key(&changed);
        changed = data.to_vec();
        changed.insert(at, data[at]);
        fuzzing::key(&changed);
    }
}
