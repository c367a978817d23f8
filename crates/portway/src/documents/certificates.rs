//! Files of keys and certificates that documents name: whether they are there and are what they should be.
//!
//! Serving finds that out as well, but later, and without knowing where in a document the name stands.

use std::path::{Path, PathBuf};

use portway_model::{Backend, Diagnostic, Documents, Severity, TlsDocument};
use portway_proxy::tls::{
    CertificateFiles, MinVersion, ServerTls, TlsFiles, check_certificates, check_private_key,
    check_revocations,
};

/// Which files are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// None: the documents are not going to be served here.
    None,
    /// Certificates. Keys are secrets, which may be where the documents are served only.
    Certificates,
    /// All that serving needs.
    All,
    /// All but those of listeners, which a running process has.
    Backends,
}

/// What keeps the files from being used, each with its place.
pub(super) fn check(documents: &Documents, root: &Path, looked: Looked) -> Vec<Diagnostic> {
    let mut check = Check { documents, keys: looked != Looked::Certificates, found: Vec::new() };
    if looked == Looked::None {
        return check.found;
    }
    let gateway = documents.document.gateway.as_ref().filter(|_| looked != Looked::Backends);
    for (at, listener) in gateway.into_iter().flat_map(|gateway| &gateway.listen).enumerate() {
        if let Some(tls) = &listener.tls {
            check.listener(&format!("/gateway/listen/{at}/tls"), tls, root);
        }
    }
    for (name, service) in &documents.document.services {
        check.backend(&format!("/services/{name}/backend/tls"), &service.backend);
        for (id, policy) in &service.operations {
            if let Some(backend) = &policy.backend {
                let id = id.replace('~', "~0").replace('/', "~1");
                check.backend(&format!("/services/{name}/operations/{id}/backend/tls"), backend);
            }
        }
    }
    check.found
}

struct Check<'a> {
    documents: &'a Documents,
    keys: bool,
    found: Vec<Diagnostic>,
}

impl Check<'_> {
    fn listener(&mut self, pointer: &str, tls: &TlsDocument, root: &Path) {
        for (at, pair) in tls.certificates.iter().enumerate() {
            let (cert, key) = (root.join(&pair.cert), root.join(&pair.key));
            let known = self.found.len();
            self.file(&format!("{pointer}/certificates/{at}/cert"), check_certificates(&cert));
            if !self.keys {
                continue;
            }
            self.file(&format!("{pointer}/certificates/{at}/key"), check_private_key(&key));
            if self.found.len() == known {
                let certificates = vec![CertificateFiles { cert, key }];
                let min_version = MinVersion::Tls12;
                let pair = ServerTls::load(&TlsFiles { certificates, min_version, clients: None });
                let why = pair.map(drop).map_err(|faults| faults.join("; "));
                self.file(&format!("{pointer}/certificates/{at}"), why);
            }
        }
        if let Some(clients) = &tls.clients {
            let ca = check_certificates(&root.join(&clients.ca));
            self.file(&format!("{pointer}/clients/ca"), ca);
            for (at, list) in clients.crl.iter().enumerate() {
                let list = check_revocations(&root.join(list));
                self.file(&format!("{pointer}/clients/crl/{at}"), list);
            }
        }
    }

    fn backend(&mut self, pointer: &str, backend: &Backend) {
        let file = self.documents.sources.file_of(pointer.trim_end_matches("/tls"));
        let directory = Path::new(&file).parent().map_or_else(PathBuf::new, Path::to_owned);
        let tls = &backend.tls;
        for (field, name) in [("ca", &tls.ca), ("cert", &tls.cert)] {
            if let Some(name) = name {
                let outcome = check_certificates(&directory.join(name));
                self.file(&format!("{pointer}/{field}"), outcome);
            }
        }
        if let Some(name) = tls.key.as_ref().filter(|_| self.keys) {
            self.file(&format!("{pointer}/key"), check_private_key(&directory.join(name)));
        }
    }

    fn file(&mut self, pointer: &str, outcome: Result<(), String>) {
        let Err(message) = outcome else { return };
        self.found.push(Diagnostic {
            severity: Severity::Error,
            code: "unusable-file",
            location: self.documents.sources.locate(pointer),
            pointer: pointer.to_owned(),
            message,
            fix: "correct the name, which is relative to the document that it stands in, or put the PEM file there"
                .to_owned(),
        });
    }
}
