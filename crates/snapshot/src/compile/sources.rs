//! A loader that remembers what was read through it.

use std::sync::Mutex;

use portway_contract::{LoadFault, Loader};
use portway_policy::sha256;

use super::Files;

/// One file that was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(super) path: Box<str>,
    /// Taken before the file was read, so that a change while it is read is seen the next time.
    pub(super) fingerprint: Option<u64>,
    /// SHA-256 of its bytes; zero if it could not be read.
    pub(super) digest: [u8; 32],
}

/// Passes files through and keeps their fingerprints.
pub(super) struct Recorder<'a> {
    files: &'a dyn Files,
    seen: Mutex<Vec<Source>>,
}

impl<'a> Recorder<'a> {
    pub(super) fn new(files: &'a dyn Files) -> Self {
        Recorder { files, seen: Mutex::new(Vec::new()) }
    }

    pub(super) fn into_sources(self) -> Vec<Source> {
        self.seen.into_inner().unwrap_or_default()
    }
}

impl Loader for Recorder<'_> {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadFault> {
        let fingerprint = self.files.fingerprint(path);
        let loaded = self.files.load(path);
        let digest = loaded.as_ref().map_or([0; 32], |bytes| sha256(bytes));
        if let Ok(mut seen) = self.seen.lock() {
            seen.push(Source { path: path.into(), fingerprint, digest });
        }
        loaded
    }
}
