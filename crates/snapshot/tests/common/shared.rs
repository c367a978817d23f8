//! What the tests of this room share: documents from text, files from a directory or a table, secrets that
//! are easy to find again.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use portway_contract::{LoadFault, Loader};
use portway_model::{AppKey, Diagnostic, Documents, Format, SecretRef, SourceFile};
use portway_policy::{Headers, sha256};
use portway_snapshot::{Compiled, Files, Secrets, Snapshot, compile};

/// Every secret begins like this, so that one that leaks is found.
pub const SECRET: &str = "secret-of-";

pub fn data_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

/// Files in the folder of the test data.
pub struct Folder(pub PathBuf);

impl Loader for Folder {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadFault> {
        std::fs::read(self.0.join(path)).map_err(|_| LoadFault::NotFound)
    }
}

impl Files for Folder {
    fn fingerprint(&self, path: &str) -> Option<u64> {
        let bytes = std::fs::read(self.0.join(path)).ok()?;
        Some(bytes.iter().fold(bytes.len() as u64, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(u64::from(*byte))
        }))
    }
}

/// Files in a table, with a number each that stands for their content.
#[derive(Default)]
pub struct Table(pub BTreeMap<String, (u64, Vec<u8>)>);

impl Loader for Table {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadFault> {
        self.0.get(path).map(|(_, bytes)| bytes.clone()).ok_or(LoadFault::NotFound)
    }
}

impl Files for Table {
    fn fingerprint(&self, path: &str) -> Option<u64> {
        self.0.get(path).map(|(number, _)| *number)
    }
}

/// Variables that begin with `SET_` are set.
pub struct Environment;

impl Secrets for Environment {
    fn resolve(&self, reference: &SecretRef) -> Result<String, String> {
        match reference {
            SecretRef::Env(name) if name.starts_with("SET_") => Ok(format!("{SECRET}{name}")),
            SecretRef::Env(name) => Err(format!("the environment variable {name} is not set")),
            SecretRef::File(path) if path.ends_with("set.txt") => Ok(format!("{SECRET}{path}")),
            SecretRef::File(path) => Err(format!("the file {path} cannot be read")),
        }
    }

    fn key_sha256(&self, key: &AppKey) -> Result<[u8; 32], String> {
        let reference = match key {
            AppKey::Env(name) => SecretRef::Env(name.clone()),
            AppKey::File(path) => SecretRef::File(path.clone()),
            AppKey::Sha256(hash) => {
                let mut bytes = [0; 32];
                for (byte, digits) in bytes.iter_mut().zip(hash.as_bytes().chunks(2)) {
                    *byte = u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap();
                }
                return Ok(bytes);
            }
        };
        self.resolve(&reference).map(|secret| sha256(secret.as_bytes()))
    }
}

/// Header fields as a list.
#[derive(Default)]
pub struct List(pub Vec<(String, String)>);

impl Headers for List {
    fn first(&self, name: &str) -> Option<&[u8]> {
        self.0
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_bytes())
    }

    fn each(&self, name: &str, see: &mut dyn FnMut(&[u8])) {
        for (_, value) in self.0.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)) {
            see(value.as_bytes());
        }
    }
}

pub fn read(name: &str, text: &str) -> (Documents, Vec<Diagnostic>) {
    let file = SourceFile { name: name.to_owned(), text: text.to_owned(), format: Format::Yaml };
    portway_model::read(&[file], &[])
}

/// Compiles a document that has no mistakes.
pub fn compiled(text: &str, files: &dyn Files, previous: Option<&Snapshot>) -> Compiled {
    let (documents, diagnostics) = read("gateway.yaml", text);
    assert_eq!(diagnostics, [], "the document itself");
    let (compiled, diagnostics) = compile(&documents, files, &Environment, previous);
    compiled.unwrap_or_else(|| panic!("{diagnostics:#?}"))
}
