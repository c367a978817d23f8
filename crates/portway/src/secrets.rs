//! Where secrets come from: environment variables and files. They go straight to where they are used;
//! no message here ever carries one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use portway_model::{AppKey, SecretRef};
use portway_snapshot::Secrets;

use crate::stamps::Stamps;

/// The largest file that is taken for a secret, in bytes.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// Keys with fewer characters are warned of.
const KEY_CHARS_MIN: usize = 16;

/// The process's own environment and files.
#[derive(Debug)]
pub struct ProcessSecrets {
    /// Relative files are looked for here. An absolute path is taken as it is: secrets are mounted
    /// where the platform mounts them (`/run/secrets/…`).
    directory: PathBuf,
    /// Variables that stand before those of the environment.
    given: BTreeMap<String, String>,
    /// Files that were asked for: when one changes, the documents are compiled again.
    asked: Mutex<Stamps>,
}

impl ProcessSecrets {
    /// Relative files are looked for in `directory`.
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), given: BTreeMap::new(), asked: Mutex::default() }
    }

    /// With a variable of that name and value, whatever the environment says.
    #[must_use]
    pub fn with(mut self, name: &str, value: String) -> Self {
        self.given.insert(name.to_owned(), value);
        self
    }

    /// The files that were asked for since the last time, with their stamps.
    pub fn take_asked(&self) -> Stamps {
        std::mem::take(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn variable(&self, name: &str) -> Result<String, String> {
        let value = match self.given.get(name) {
            Some(value) => value.clone(),
            None => match std::env::var(name) {
                Ok(value) => value,
                Err(std::env::VarError::NotPresent) => {
                    return Err(format!("the environment variable {name} is not set"));
                }
                Err(std::env::VarError::NotUnicode(_)) => {
                    return Err(format!("the environment variable {name} is not UTF-8"));
                }
            },
        };
        if value.is_empty() {
            Err(format!("the environment variable {name} is empty"))
        } else {
            Ok(value)
        }
    }

    fn file(&self, path: &str) -> Result<String, String> {
        let wrong = |why: &dyn std::fmt::Display| format!("the file {path}: {why}");
        let full = self.directory.join(path);
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).note(full.clone());
        let size = std::fs::metadata(&full).map_err(|error| wrong(&error))?;
        if !size.is_file() {
            return Err(wrong(&"it is not a regular file"));
        }
        if size.len() > SECRET_BYTES_MAX {
            return Err(wrong(&format_args!("it is larger than {SECRET_BYTES_MAX} bytes")));
        }
        let bytes = std::fs::read(&full).map_err(|error| wrong(&error))?;
        let text = String::from_utf8(bytes).map_err(|_| wrong(&"it is not UTF-8 text"))?;
        let secret = text.trim_end();
        if secret.is_empty() { Err(wrong(&"it is empty")) } else { Ok(secret.to_owned()) }
    }
}

impl Secrets for ProcessSecrets {
    fn resolve(&self, reference: &SecretRef) -> Result<String, String> {
        match reference {
            SecretRef::Env(name) => self.variable(name),
            SecretRef::File(path) => self.file(path),
        }
    }

    fn key_sha256(&self, key: &AppKey) -> Result<[u8; 32], String> {
        match key {
            AppKey::Env(name) => {
                usable(&format!("the environment variable {name}"), &self.variable(name)?)
            }
            AppKey::File(path) => usable(&format!("the file {path}"), &self.file(path)?),
            AppKey::Sha256(hex) => {
                from_hex(hex).ok_or_else(|| "a SHA-256 is 64 hexadecimal digits".to_owned())
            }
        }
    }

    fn weakness(&self, key: &AppKey) -> Option<String> {
        let key = match key {
            AppKey::Env(name) => self.variable(name),
            AppKey::File(path) => self.file(path),
            AppKey::Sha256(_) => return None,
        };
        let is_short = key.is_ok_and(|key| key.chars().count() < KEY_CHARS_MIN);
        is_short.then(|| {
            format!("has fewer than {KEY_CHARS_MIN} characters, so that it might be guessed")
        })
    }
}

/// The hash of a key, if a call can bring it: what no header can carry would never be the key of any call.
fn usable(whose: &str, key: &str) -> Result<[u8; 32], String> {
    let is_carried = !key.bytes().any(|byte| byte.is_ascii_control()) && key.trim() == key;
    if is_carried {
        Ok(portway_policy::sha256(key.as_bytes()))
    } else {
        Err(format!(
            "{whose} has a line break, another control character, or spaces around it, and so cannot be sent in a header"
        ))
    }
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0_u8; 32];
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// For `check`, which judges documents where their secrets are not: every reference is as good as another.
///
/// What an existing secret could still be wrong in (empty, not a header value) is seen by `run`.
#[derive(Debug, Default)]
pub struct AbsentSecrets;

impl Secrets for AbsentSecrets {
    fn resolve(&self, _reference: &SecretRef) -> Result<String, String> {
        Ok("secret".to_owned())
    }

    fn key_sha256(&self, key: &AppKey) -> Result<[u8; 32], String> {
        match key {
            // Different references, different keys; the same reference twice is found as the same key.
            AppKey::Env(name) => Ok(portway_policy::sha256(format!("env {name}").as_bytes())),
            AppKey::File(path) => Ok(portway_policy::sha256(format!("file {path}").as_bytes())),
            AppKey::Sha256(hex) => {
                from_hex(hex).ok_or_else(|| "a SHA-256 is 64 hexadecimal digits".to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests;
