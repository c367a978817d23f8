//! Names of files in documents, made relative to the root.
//!
//! A document names files relative to itself. After merging nobody knows any more which document a
//! thing came from, so this is done right after reading. A name that leads out of the root is left as
//! it is, for those who read it to refuse it with its place.

use std::collections::BTreeMap;

use portway_contract::reference;
use portway_model::{AppKey, Backend, Credentials, Documents, SecretRef, Service, Sources};

/// Makes all names in `documents` relative to the root. `directories` has the directory (below the root) of
/// each document by the name that it is shown with.
pub(super) fn rebase(documents: &mut Documents, directories: &BTreeMap<String, String>) {
    if directories.values().all(String::is_empty) {
        return;
    }
    let Documents { document, sources } = documents;
    for (name, service) in &mut document.services {
        if let Some(base) = directory(sources, directories, &format!("/services/{name}")) {
            rebase_service(service, base);
        }
    }
    for (name, app) in &mut document.apps {
        let Some(base) = directory(sources, directories, &format!("/apps/{name}")) else {
            continue;
        };
        for key in &mut app.keys {
            if let AppKey::File(path) = key {
                secret(path, base);
            }
        }
    }
    let gateway = document.gateway.as_mut().zip(directory(sources, directories, "/gateway/listen"));
    for (listener, base) in gateway
        .into_iter()
        .flat_map(|(gateway, base)| gateway.listen.iter_mut().zip(std::iter::repeat(base)))
    {
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
    let found = directories.get(&sources.locate_key(pointer).file)?;
    (!found.is_empty()).then_some(found.as_str())
}

fn rebase_service(service: &mut Service, base: &str) {
    if let Some(contract) = &mut service.contract {
        // Joined to the folder of a file; which file does not matter.
        if let Ok(joined) = reference::join(&format!("{base}/_"), contract) {
            *contract = joined;
        }
    }
    rebase_backend(&mut service.backend, base);
    for operation in service.operations.values_mut() {
        if let Some(backend) = &mut operation.backend {
            rebase_backend(backend, base);
        }
    }
}

fn rebase_backend(backend: &mut Backend, base: &str) {
    for path in
        [&mut backend.tls.ca, &mut backend.tls.cert, &mut backend.tls.key].into_iter().flatten()
    {
        secret(path, base);
    }
    for credentials in &mut backend.credentials {
        let (Credentials::Header { value, .. }
        | Credentials::Query { value, .. }
        | Credentials::Basic { password: value, .. }
        | Credentials::Bearer(value)) = credentials;
        if let SecretRef::File(path) = value {
            secret(path, base);
        }
    }
}

/// Secrets and certificates may stand anywhere (`/run/secrets/…`); only relative names are made relative to
/// the root.
fn secret(path: &mut String, base: &str) {
    if !path.starts_with('/') {
        *path = format!("{base}/{path}");
    }
}
