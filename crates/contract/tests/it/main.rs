//! The room as a whole: documents in, contracts and findings out.

#![allow(clippy::print_stderr, reason = "a skipped test says so")]

mod bodies;
mod bounds;
mod corpus;
mod data;
mod mocks;
mod mutations;
mod schemas;

use std::path::{Path, PathBuf};

use portway_contract::{LoadFault, Loader};

/// Files below a folder, for tests.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Loader for Folder {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadFault> {
        std::fs::read(self.0.join(path)).map_err(|_| LoadFault::NotFound)
    }
}

/// The folder of real documents; `None`, said aloud, where it is not there.
pub(crate) fn corpus(part: &str) -> Option<PathBuf> {
    let root = std::env::var_os("PORTWAY_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
        PathBuf::from,
    );
    let folder = root.join(part);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: there is no corpus at {}; set PORTWAY_CORPUS", folder.display());
    None
}

/// All files below a folder whose names end so, sorted.
pub(crate) fn files(folder: &Path, ends: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).expect("a readable folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                waiting.push(path);
            } else if ends.iter().any(|end| path.to_string_lossy().ends_with(end)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
