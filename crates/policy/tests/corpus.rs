//! Runs the fuzz targets' corpora, and many small changes of them, as ordinary tests.

use std::path::Path;

#[path = "corpus/fuzzing.rs"]
mod fuzzing;

#[test]
fn keys_of_the_corpus() {
    check("policy_key", fuzzing::key);
}

#[test]
fn signatures_of_the_corpus() {
    check("policy_signed", fuzzing::signed);
}

#[expect(clippy::disallowed_methods, reason = "the room reads no files; its corpus lies in some")]
fn check(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files = 0;
    for entry in std::fs::read_dir(&folder).expect("the corpus lies in the repository") {
        let data = std::fs::read(entry.expect("a file").path()).expect("a file");
        run(&data);
        every_change(&data, run);
        files += 1;
    }
    assert!(files > 0, "{} is empty", folder.display());
}

/// Each byte replaced, removed, and doubled.
fn every_change(data: &[u8], run: fn(&[u8])) {
    for at in 0..data.len() {
        for byte in *b"\n &=;%+kKey1\" \0\xff" {
            let mut changed = data.to_vec();
            changed[at] = byte;
            run(&changed);
        }
        let mut changed = data.to_vec();
        changed.remove(at);
        run(&changed);
        changed = data.to_vec();
        changed.insert(at, data[at]);
        run(&changed);
    }
}
