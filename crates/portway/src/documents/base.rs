//! Files of keys and certificates, whose names are relative to the document, made relative to the root.
//!
//! After merging it is no longer at hand which document a thing came from, so this is done right after
//! reading. What services name is left alone: `snapshot` knows where each one stands.

use std::collections::BTreeMap;

use portway_model::{AppKey, Documents, SecretRef, Sources};

/// Makes all names in `documents` relative to the root. `directories` has the directory (below the root) of
/// each document by the name that it is shown with.
pub(super) fn rebase(documents: &mut Documents, directories: &BTreeMap<String, String>) {
    if directories.values().all(String::is_empty) {
        return;
    }
    let Documents { document, sources } = documents;
    for (name, app) in &mut document.apps {
        let Some(base) = directory(sources, directories, &format!("/apps/{name}")) else {
            continue;
        };
        for key in &mut app.keys {
            if let AppKey::File(path) = key {
                secret(path, base);
            }
        }
        let pairs = app.hmac.iter_mut().map(|pair| &mut pair.secret);
        for reference in pairs.chain(app.signing_keys.iter_mut().map(|key| &mut key.key)) {
            if let SecretRef::File(path) = reference {
                secret(path, base);
            }
        }
    }
    let gateway = document.gateway.as_mut().zip(directory(sources, directories, "/gateway/listen"));
    for (listener, base) in gateway
        .into_iter()
        .flat_map(|(gateway, base)| gateway.listen.iter_mut().zip(std::iter::repeat(base)))
    {
        if let Some(clients) = listener.tls.as_mut().and_then(|tls| tls.clients.as_mut()) {
            std::iter::once(&mut clients.ca)
                .chain(&mut clients.crl)
                .for_each(|file| secret(file, base));
        }
        for certificate in listener.tls.iter_mut().flat_map(|tls| &mut tls.certificates) {
            secret(&mut certificate.cert, base);
            secret(&mut certificate.key, base);
        }
    }
}

/// The directory of the document that a thing stands in; `None` for the root, and for what came from a flag or
/// the environment.
fn directory<'a>(
    sources: &Sources,
    directories: &'a BTreeMap<String, String>,
    pointer: &str,
) -> Option<&'a str> {
    let found = directories.get(&sources.file_of(pointer))?;
    (!found.is_empty()).then_some(found.as_str())
}

/// Secrets and certificates may stand anywhere (`/run/secrets/…`); only relative names are made relative to
/// the root.
fn secret(path: &mut String, base: &str) {
    if !path.starts_with('/') {
        *path = format!("{base}/{path}");
    }
}
