//! Certificates for tests, in files, as documents name them.

use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, KeyPair};

/// A folder with self-signed certificates.
pub struct Certificates {
    folder: tempfile::TempDir,
}

impl Certificates {
    /// An empty folder.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// Writes `NAME.crt` and `NAME.key` for some host names, over what was there.
    pub fn write(&self, name: &str, hosts: &[&str]) {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let params = CertificateParams::new(hosts).expect("host names");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        std::fs::write(self.path(&format!("{name}.crt")), certificate.pem()).expect("written");
        std::fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).expect("written");
    }

    /// A file of the folder.
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Default for Certificates {
    fn default() -> Self {
        Self::new()
    }
}
