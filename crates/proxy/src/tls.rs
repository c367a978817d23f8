//! TLS on both sides: certificates of listeners, and what is shown to and asked of backends.
//!
//! One provider (aws-lc-rs), TLS 1.2 and 1.3, hybrid post-quantum key exchange preferred, no early data: a
//! request that could be replayed is never accepted. rustls stands nowhere else in this room. Files come
//! with absolute paths; when they are read again is decided by others. No key is ever formatted: messages
//! name files, not what is in them.

mod client;
mod clients;
mod files;
mod names;
mod server;

use std::sync::{Arc, LazyLock};

use rustls::crypto::CryptoProvider;

pub use client::{ClientTls, ClientTlsFiles, ClientTlsStore, connect};
pub(crate) use clients::ShownCertificate;
pub use clients::{ClientsFiles, check_revocations};
pub use files::{check_certificates, check_private_key};
pub use names::{CertificateNames, sni_agrees};
pub use server::{CertificateFiles, CertificateView, MinVersion, ServerTls, TlsFiles};

/// The one provider of this program. Of the suites of TLS 1.3 the one whose hash processors compute themselves stands
/// first: SHA-384 costs a handshake more than its signature does, and buys nothing at the strength of the key exchange.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        let first = rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
        provider.cipher_suites.sort_by_key(|suite| suite.suite() != first.suite());
        Arc::new(provider)
    });
    Arc::clone(&PROVIDER)
}

/// The first 64 bits of SHA-256: equal in every process, and no two things of one installation share it.
pub(crate) fn short_hash(bytes: &[u8]) -> u64 {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    let mut first = [0; 8];
    first.copy_from_slice(&digest.as_ref()[..8]);
    u64::from_be_bytes(first)
}

/// SHA-256 over parts, each with its length before it, as hexadecimal digits.
fn fingerprint(parts: &[&[u8]]) -> Box<str> {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
