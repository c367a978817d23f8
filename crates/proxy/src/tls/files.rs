//! PEM files, read and understood.
//!
//! Bounded: a file over [`FILE_BYTES_MAX`] is refused. Every message names the file and says what to do;
//! none quotes what is in it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Far more than a chain has, and about what a bundle of every public authority has.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Whether a file is there and has certificates, in a sentence that begins with its path if not.
///
/// # Errors
/// When it cannot be read, or has none.
pub fn check_certificates(path: &Path) -> Result<(), String> {
    certificates(path, &read(path)?).map(drop)
}

/// The same for a private key.
///
/// # Errors
/// When it cannot be read, or has none.
pub fn check_private_key(path: &Path) -> Result<(), String> {
    private_key(path, &read(path)?).map(drop)
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let wrong = |error: std::io::Error| format!("{}: cannot be read: {error}", path.display());
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(wrong)?
        .take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(wrong)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!(
            "{}: is larger than {FILE_BYTES_MAX} bytes, so it is no PEM file of certificates",
            path.display()
        ));
    }
    Ok(bytes)
}

/// Every certificate of a PEM file, in order; at least one.
pub(super) fn certificates(
    path: &Path,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(format!(
            "{}: has no certificate; a PEM file with -----BEGIN CERTIFICATE----- is expected",
            path.display()
        )),
        Ok(found) => Ok(found),
        Err(_) => Err(format!("{}: is not valid PEM", path.display())),
    }
}

/// The first private key of a PEM file.
pub(super) fn private_key(path: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| {
        format!(
            "{}: has no private key that can be used; a PEM file with an unencrypted -----BEGIN PRIVATE KEY----- (or EC or RSA) is expected",
            path.display()
        )
    })
}
