//! The seeds of the fuzz targets `proxy_protocol` and `forwarded` as ordinary tests: whole, cut at every
//! position, and with each byte changed.

#[path = "hostile/fuzzing.rs"]
mod fuzzing;

use std::path::Path;

/// Runs a target over its seeds and what is near them.
fn check(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut seeds = 0;
    for entry in std::fs::read_dir(folder).expect("the corpus is in the repository") {
        let seed = std::fs::read(entry.expect("an entry").path()).expect("a seed");
        seeds += 1;
        (0..=seed.len()).for_each(|end| run(&seed[..end]));
        for at in 0..seed.len() {
            for change in [0x01, 0x20, 0x80, 0xFF] {
                let mut near = seed.clone();
                near[at] ^= change;
                run(&near);
            }
        }
    }
    assert!(seeds > 0);
}

#[test]
fn proxy_protocol() {
    check("proxy_protocol", fuzzing::proxy_protocol);
}

#[test]
fn forwarded() {
    check("forwarded", fuzzing::forwarded);
}
