//! The hash of what a snapshot was made of.
//!
//! SHA-256 over the documents in their normal form and over the bytes of every file that was read. Secrets
//! are not in it, only their references: a hash is shown, and must not be a way to guess a secret.

use std::fmt::Write;
use std::sync::Arc;

use portway_model::{Document, Gateway};
use portway_policy::sha256;
use serde::Serialize;

use crate::snapshot::Service;

/// The hash of a snapshot, in hexadecimal.
pub(super) fn of(document: &Document, gateway: &Gateway, services: &[Arc<Service>]) -> String {
    let mut all = Vec::with_capacity(64 * services.len() + 1024);
    all.extend_from_slice(&of_document(gateway));
    all.extend_from_slice(&of_document(&document.apps));
    all.extend_from_slice(&of_document(&document.plans));
    for service in services {
        all.extend_from_slice(&service.origin.digest);
    }
    hex(&sha256(&all))
}

/// Of one service: its name, its document and its files.
pub(super) fn of_service(
    name: &str,
    document: &portway_model::Service,
    files: &[(Box<str>, [u8; 32])],
) -> [u8; 32] {
    let mut all = of_document(&(name, document)).to_vec();
    for (path, digest) in files {
        all.extend_from_slice(&sha256(path.as_bytes()));
        all.extend_from_slice(digest);
    }
    sha256(&all)
}

fn of_document(document: &impl Serialize) -> [u8; 32] {
    sha256(&serde_json::to_vec(document).expect("documents have text keys and no failing parts"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
