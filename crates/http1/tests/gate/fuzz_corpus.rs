//! Runs the fuzz targets' corpora, the crate's own corpus and a fixed number of seeded changes to
//! it through the bodies of the fuzz targets. `PORTWAY_WRITE_FUZZ_SEEDS=1` writes the seeds anew.

use std::fs;
use std::path::{Path, PathBuf};

use crate::mutate::{Random, mutated};
use crate::{corpus, fuzzing};

const CHANGES: usize = 20_000;

#[test]
fn http1_request() {
    check("http1_request", "request", fuzzing::request);
}

#[test]
fn http1_response() {
    check("http1_response", "response", fuzzing::response);
}

#[test]
fn http1_body() {
    check("http1_body", "body", fuzzing::body);
}

fn check(target: &str, folder: &str, run: fn(&[u8])) {
    let entries = corpus::read(folder);
    let seeds: Vec<Vec<u8>> =
        entries.iter().map(|entry| [&[7, 0], entry.bytes.as_slice()].concat()).collect();
    let stored = fuzz_corpus(target);
    if std::env::var_os("PORTWAY_WRITE_FUZZ_SEEDS").is_some() {
        write_seeds(&stored, &seeds);
    }
    let files = fs::read_dir(&stored).expect("the fuzz corpus is part of the repository");
    let files: Vec<Vec<u8>> = files.map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
    assert!(!files.is_empty(), "no seeds in {}", stored.display());
    for data in files.iter().chain(&seeds) {
        run(data);
    }
    let short: Vec<&Vec<u8>> = seeds.iter().filter(|seed| seed.len() < 2000).collect();
    let mut random = Random::new(1);
    for _ in 0..CHANGES {
        let seed = short[random.below(short.len())];
        run(&mutated(seed, &mut random));
    }
}

fn fuzz_corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target)
}

/// Only short messages: long ones slow a fuzzer down and teach it nothing.
fn write_seeds(folder: &Path, seeds: &[Vec<u8>]) {
    fs::create_dir_all(folder).unwrap();
    for (index, seed) in seeds.iter().enumerate().filter(|(_, seed)| seed.len() < 600) {
        fs::write(folder.join(format!("seed-{index:03}")), seed).unwrap();
    }
}
