//! Secrets where documents are asked rather than served: the keys of callers where they can be had, and never the
//! credentials of backends.

use std::sync::atomic::{AtomicUsize, Ordering};

use portway_model::{AppKey, SecretRef};
use portway_snapshot::Secrets;

use crate::secrets::{AbsentSecrets, ProcessSecrets};

/// Keys where they can be had; the credentials of backends are not looked for.
pub struct KnownSecrets {
    process: ProcessSecrets,
    missing: AtomicUsize,
}

impl KnownSecrets {
    /// Those of this process.
    pub fn new(process: ProcessSecrets) -> Self {
        Self { process, missing: AtomicUsize::new(0) }
    }

    /// Keys that cannot be had here.
    pub fn missing(&self) -> usize {
        self.missing.load(Ordering::Relaxed)
    }
}

impl Secrets for KnownSecrets {
    fn resolve(&self, reference: &SecretRef) -> Result<String, String> {
        AbsentSecrets.resolve(reference)
    }

    fn key_text(&self, reference: &SecretRef) -> Result<Option<String>, String> {
        match self.process.key_text(reference) {
            Ok(text) => Ok(text),
            Err(_) => {
                self.missing.fetch_add(1, Ordering::Relaxed);
                AbsentSecrets.key_text(reference)
            }
        }
    }

    fn signing_secret(&self, reference: &SecretRef) -> Result<String, String> {
        self.process.resolve(reference).or_else(|_| {
            self.missing.fetch_add(1, Ordering::Relaxed);
            AbsentSecrets.resolve(reference)
        })
    }

    fn key_sha256(&self, key: &AppKey) -> Result<[u8; 32], String> {
        self.process.key_sha256(key).or_else(|_| {
            self.missing.fetch_add(1, Ordering::Relaxed);
            AbsentSecrets.key_sha256(key)
        })
    }
}
