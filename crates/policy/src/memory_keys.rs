//! The keys of all apps in one immutable table.
//!
//! A change of keys makes a new table, which its owner swaps in whole.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use crate::{App, Keys, Signer, Verifier};

/// A table from the SHA-256 of keys to apps.
#[derive(Default)]
pub struct MemoryKeys {
    apps: HashMap<[u8; 32], Arc<App>, BuildHasherDefault<FirstEight>>,
    /// By the ids of their key pairs.
    signers: HashMap<Box<str>, Arc<Signer>>,
    /// By the ids of their signing keys.
    verifiers: HashMap<Box<str>, Arc<Verifier>>,
    /// By the marks of their certificates.
    holders: HashMap<[u8; 32], Arc<App>, BuildHasherDefault<FirstEight>>,
}

impl MemoryKeys {
    /// From the SHA-256 of each key and its app. Keys of disabled apps are left out by the caller; when a key
    /// stands there twice, the first one counts.
    pub fn new(keys: impl IntoIterator<Item = ([u8; 32], Arc<App>)>) -> Self {
        let mut table = Self::default();
        for (sha256, app) in keys {
            table.apps.entry(sha256).or_insert(app);
        }
        table
    }

    /// And these key pairs, by their ids; of an id that stands there twice, the last one counts.
    #[must_use]
    pub fn with_signers(mut self, signers: impl IntoIterator<Item = (Box<str>, Signer)>) -> Self {
        let signers = signers.into_iter().map(|(id, signer)| (id, Arc::new(signer)));
        self.signers.extend(signers);
        self
    }

    /// And these signing keys, alike.
    #[must_use]
    pub fn with_verifiers(
        mut self,
        verifiers: impl IntoIterator<Item = (Box<str>, Verifier)>,
    ) -> Self {
        let verifiers = verifiers.into_iter().map(|(id, verifier)| (id, Arc::new(verifier)));
        self.verifiers.extend(verifiers);
        self
    }

    /// And these certificates, by their marks.
    #[must_use]
    pub fn with_certificates(
        mut self,
        marks: impl IntoIterator<Item = ([u8; 32], Arc<App>)>,
    ) -> Self {
        self.holders.extend(marks);
        self
    }

    /// The app of a name, if it has a key of any kind. Looks at all keys: not for the way of a call.
    pub fn app(&self, name: &str) -> Option<Arc<App>> {
        let signers = self.signers.values().map(|signer| &signer.app);
        let verifiers = self.verifiers.values().map(|verifier| &verifier.app);
        let holders = self.holders.values();
        let mut apps = self.apps.values().chain(signers).chain(verifiers).chain(holders);
        apps.find(|app| app.name.as_str() == name).cloned()
    }

    /// How many keys there are, without key pairs.
    pub fn len(&self) -> usize {
        self.apps.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.apps.is_empty()
    }
}

impl Keys for MemoryKeys {
    fn find(&self, sha256: &[u8; 32]) -> Option<Arc<App>> {
        self.apps.get(sha256).cloned()
    }

    fn signer(&self, id: &str) -> Option<Arc<Signer>> {
        self.signers.get(id).cloned()
    }

    fn verifier(&self, id: &str) -> Option<Arc<Verifier>> {
        self.verifiers.get(id).cloned()
    }

    fn holder(&self, mark: &[u8; 32]) -> Option<Arc<App>> {
        self.holders.get(mark).cloned()
    }
}

impl std::fmt::Debug for MemoryKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryKeys")
            .field("len", &self.len())
            .field("signers", &self.signers.len())
            .field("verifiers", &self.verifiers.len())
            .field("holders", &self.holders.len())
            .finish_non_exhaustive()
    }
}

/// A SHA-256 is as good as random: its first eight bytes are its hash. What stands in the table was chosen by
/// the operator, so nobody can fill it with collisions.
#[derive(Default)]
struct FirstEight(u64);

impl Hasher for FirstEight {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk::<8>() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    /// An array is hashed with its length before it, which says nothing here.
    fn write_usize(&mut self, _length: usize) {}
}

#[cfg(test)]
mod tests;
