//! From the command line to documents: which files, in which directory, with which further ones.
//!
//! Reads texts; what is in them is judged by the `model` room, what they mean by `snapshot`. The root is the
//! directory of the first document: everything else that is named stands in it or below. Names in
//! documents are relative to the file they stand in.

mod base;
mod certificates;

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use portway_contract::{LoadFault, reference};
use portway_model::{
    AppKey, Credentials, Diagnostic, Documents, Format, Gateway, Include, Location, Override,
    Remembered, SecretRef, Severity, SourceFile,
};
use portway_snapshot::{Compiled, Secrets, Snapshot};

pub use certificates::Looked;

use crate::cli;
use crate::files::{Pattern, Root};

/// The document that is meant where none is named, and the one that a directory stands for.
const DEFAULT_NAMES: [&str; 4] = ["portway.yaml", "portway.yml", "portway.json", "portway.toml"];
/// Documents in all, included ones too.
const DOCUMENTS_MAX: usize = 10_000;

/// Where the documents are.
#[derive(Debug)]
pub struct Library {
    root: Root,
    /// Documents that were named, below the root, with their names as they were given.
    named: Vec<(String, String)>,
    /// The directory of the first document as it was given: what stands before a path below the root when it is shown.
    shown_root: PathBuf,
    /// Texts of the last reading.
    remembered: Mutex<Remembered>,
}

/// Why documents cannot be looked for.
#[derive(Debug)]
pub struct Unreadable {
    /// What, in words.
    pub what: String,
    /// What can be done.
    pub fix: &'static str,
}

/// What came of one reading.
#[derive(Debug)]
pub struct Reading {
    /// The settings of the process, from the documents and from outside.
    pub gateway: Gateway,
    /// All that is served; `None` if there are errors.
    pub compiled: Option<Compiled>,
    /// All that was found, errors first.
    pub diagnostics: Vec<Diagnostic>,
    /// Environment variables that the documents refer to.
    pub variables: BTreeSet<String>,
    /// For the lines that diagnostics point to.
    pub sources: portway_model::Sources,
}

impl Reading {
    /// Whether there is an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

impl Reading {
    /// Adds what was found later.
    pub fn add(&mut self, mut found: Diagnostic) {
        if !found.pointer.is_empty() {
            if self.diagnostics.iter().any(|known| known.pointer == found.pointer) {
                return;
            }
            found.location = self.sources.locate(&found.pointer);
        }
        self.diagnostics.push(found);
        self.diagnostics.sort_by(|a, b| (a.severity, &a.location).cmp(&(b.severity, &b.location)));
        if self.has_errors() {
            self.compiled = None;
        }
    }
}

impl Library {
    /// The library that a command line means.
    ///
    /// # Errors
    /// When a file or directory that it names is not there.
    pub fn find(asked: &cli::Documents) -> Result<Self, Unreadable> {
        let named = named_files(&asked.paths)?;
        let first = named.first().expect("no names stand for a document, too");
        let shown_root = first.parent().map_or_else(PathBuf::new, Path::to_owned);
        let root =
            Root::open(&here_if_empty(&shown_root)).map_err(|error| unusable(first, &error))?;
        let mut below_root = Vec::with_capacity(named.len());
        for path in &named {
            let place = real_place(path)?;
            let Some(below) = place.strip_prefix(root.path()).ok().and_then(Path::to_str) else {
                return Err(Unreadable {
                    what: format!(
                        "{}: it is not below the directory of the first document",
                        path.display()
                    ),
                    fix: "name the document first whose directory has all others in it or below",
                });
            };
            below_root.push((below.to_owned(), path.display().to_string()));
        }
        Ok(Self { shown_root, root, named: below_root, remembered: Mutex::default() })
    }

    /// The directory that everything is read from.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// Reads and compiles everything. Services that did not change are taken over from `previous`.
    pub fn compile(
        &self,
        overrides: &[Override],
        secrets: &dyn Secrets,
        looked: Looked,
        previous: Option<&Snapshot>,
    ) -> Reading {
        let (documents, mut diagnostics) = self.read(overrides);
        let gateway = documents.document.gateway.clone().unwrap_or_default();
        let (compiled, found) =
            portway_snapshot::compile(&documents, &self.root, secrets, previous);
        // What could not be read is missing from what was compiled, which may look odd for that reason alone.
        let is_partial = diagnostics.iter().any(|known| known.severity == Severity::Error);
        let tells = |found: &Diagnostic| !is_partial || found.severity == Severity::Error;
        let found = found.into_iter().map(|diagnostic| self.with_shown_file(diagnostic));
        let found: Vec<Diagnostic> =
            found.filter(|found| tells(found) && !is_among(&diagnostics, found)).collect();
        diagnostics.extend(found);
        diagnostics.extend(certificates::check(&documents, self.root.path(), looked));
        diagnostics.sort_by(|a, b| (a.severity, &a.location).cmp(&(b.severity, &b.location)));
        let has_errors =
            diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
        Reading {
            gateway,
            compiled: compiled.filter(|_| !has_errors),
            diagnostics,
            variables: variables(&documents.document),
            sources: documents.sources,
        }
    }

    /// Reads the documents that were named and those that they include, each once.
    fn read(&self, overrides: &[Override]) -> (Documents, Vec<Diagnostic>) {
        self.root.forget_asked();
        let mut diagnostics = Vec::new();
        let mut files = Vec::new();
        let mut directories = BTreeMap::new();
        let mut seen: HashSet<String> = self.named.iter().map(|(path, _)| path.clone()).collect();
        let mut waiting: VecDeque<(String, String, Option<Location>)> =
            self.named.iter().map(|(path, shown)| (path.clone(), shown.clone(), None)).collect();
        while let Some((path, shown, asked_at)) = waiting.pop_front() {
            let text = match self.root.read_text(&path) {
                Ok(text) => text,
                Err(fault) => {
                    diagnostics.push(unreadable(&shown, &fault, asked_at));
                    continue;
                }
            };
            let file = SourceFile { format: Format::of_file(&path), name: shown.clone(), text };
            for include in portway_model::includes(&file) {
                let paths = self.included(&path, &include, &mut diagnostics);
                for path in paths.into_iter().filter(|path| seen.insert(path.clone())) {
                    waiting.push_back((
                        path.clone(),
                        self.shown(&path),
                        Some(include.location.clone()),
                    ));
                }
            }
            directories.insert(shown, directory_of(&path).to_owned());
            files.push(file);
            if files.len() + waiting.len() > DOCUMENTS_MAX {
                diagnostics.push(too_many(asked_at));
                break;
            }
        }
        let (mut documents, found) =
            portway_model::read_again(&files, overrides, &mut self.remembered());
        diagnostics.extend(found);
        base::rebase(&mut documents, &directories);
        (documents, diagnostics)
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The files that an `include` of the document at `path` means.
    fn included(
        &self,
        path: &str,
        include: &Include,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Vec<String> {
        let pattern = &include.pattern;
        let mut wrong = |severity, code, message, fix: &str| {
            let (location, pointer, fix) =
                (include.location.clone(), "/include".to_owned(), fix.to_owned());
            diagnostics.push(Diagnostic { severity, code, location, pointer, message, fix });
            Vec::new()
        };
        let joined = match reference::join(path, pattern) {
            Ok(joined) => joined,
            Err(fault) => {
                let message = format!("\"{pattern}\" cannot be included: {fault}");
                let fix = "name files below the directory of the first document";
                return wrong(Severity::Error, "include-out-of-reach", message, fix);
            }
        };
        if !Pattern::is_wild(&joined) {
            return vec![joined];
        }
        let (directory, names) = joined.rsplit_once('/').unwrap_or(("", &joined));
        if Pattern::is_wild(directory) {
            let message = format!("\"{pattern}\" has a * in the name of a directory");
            return wrong(
                Severity::Error,
                "include-pattern",
                message,
                "use * in the name of the file only",
            );
        }
        let names = match self.root.list(directory, &Pattern::new(names)) {
            Ok(names) => names,
            // A directory that is not there has no files that fit; it may come later.
            Err(LoadFault::NotFound) => Vec::new(),
            Err(fault) => {
                let message = format!("\"{pattern}\" cannot be included: {fault}");
                return wrong(Severity::Error, "include-unreadable", message, "");
            }
        };
        if names.is_empty() {
            return wrong(
                Severity::Warning,
                "include-nothing",
                format!("no file fits \"{pattern}\""),
                "",
            );
        }
        let below =
            |name: String| if directory.is_empty() { name } else { format!("{directory}/{name}") };
        // The file that includes may fit its own pattern.
        names.into_iter().map(below).filter(|found| found != path).collect()
    }

    /// A path below the root as the user would write it.
    fn shown(&self, path: &str) -> String {
        self.shown_root.join(path).display().to_string()
    }

    /// Contracts are named below the root; people want a path that leads there from where they are.
    fn with_shown_file(&self, mut diagnostic: Diagnostic) -> Diagnostic {
        if self.root.was_asked(&diagnostic.location.file) {
            diagnostic.location.file = self.shown(&diagnostic.location.file);
        }
        diagnostic
    }
}

/// The environment variables that a document refers to.
fn variables(document: &portway_model::Document) -> BTreeSet<String> {
    let keys = document.apps.values().flat_map(|app| &app.keys).filter_map(|key| match key {
        AppKey::Env(name) => Some(name),
        AppKey::File(_) | AppKey::Sha256(_) => None,
    });
    let backends = document.services.values().flat_map(|service| {
        let of_operations =
            service.operations.values().filter_map(|policy| policy.backend.as_ref());
        std::iter::once(&service.backend).chain(of_operations)
    });
    let credentials = backends.flat_map(|backend| &backend.credentials).filter_map(|credentials| {
        let reference = match credentials {
            Credentials::Header { value, .. } | Credentials::Query { value, .. } => value,
            Credentials::Basic { password, .. } => password,
            Credentials::Bearer(token) => token,
        };
        match reference {
            SecretRef::Env(name) => Some(name),
            SecretRef::File(_) => None,
        }
    });
    keys.chain(credentials).cloned().collect()
}

/// The files that the command line names; a directory stands for the document in it.
fn named_files(paths: &[OsString]) -> Result<Vec<PathBuf>, Unreadable> {
    if paths.is_empty() {
        return match document_in(Path::new("")) {
            Some(path) => Ok(vec![path]),
            None => Err(Unreadable {
                what: "there is no portway.yaml here".to_owned(),
                fix: "name a document, or write one with `portway init`",
            }),
        };
    }
    let mut files = Vec::with_capacity(paths.len());
    for path in paths.iter().map(Path::new) {
        if !path.is_dir() {
            files.push(path.to_owned());
        } else if let Some(path) = document_in(path) {
            files.push(path);
        } else {
            return Err(Unreadable {
                what: format!("{}: there is no portway.yaml in it", path.display()),
                fix: "a directory stands for the portway.yaml (or .yml, .json, .toml) in it; `include` adds more files",
            });
        }
    }
    Ok(files)
}

fn document_in(directory: &Path) -> Option<PathBuf> {
    DEFAULT_NAMES.iter().map(|name| directory.join(name)).find(|path| path.is_file())
}

/// Where a document really stands. The last part is left as it is: it may be a link that changes later,
/// as in a mounted Kubernetes ConfigMap.
fn real_place(path: &Path) -> Result<PathBuf, Unreadable> {
    let wrong = |what: &dyn std::fmt::Display| unusable(path, what);
    let name = path.file_name().ok_or_else(|| wrong(&"it is not a file"))?;
    let parent = here_if_empty(path.parent().unwrap_or(Path::new("")));
    let place = parent.canonicalize().map_err(|error| wrong(&error))?.join(name);
    match place.metadata() {
        Ok(found) if found.is_file() => Ok(place),
        Ok(_) => Err(wrong(&"it is not a regular file")),
        Err(error) => Err(wrong(&error)),
    }
}

fn unusable(path: &Path, what: &dyn std::fmt::Display) -> Unreadable {
    Unreadable { what: format!("{}: {what}", path.display()), fix: "" }
}

fn here_if_empty(path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_owned() }
}

/// The directory part of a path below the root; empty for the root itself.
fn directory_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

fn is_among(diagnostics: &[Diagnostic], wanted: &Diagnostic) -> bool {
    diagnostics.iter().any(|found| {
        // The same key twice is seen when documents are read, and again when keys are hashed.
        let is_same = found.message == wanted.message
            || (found.code == wanted.code && found.code == "shared-key");
        found.location == wanted.location && is_same
    })
}

fn unreadable(shown: &str, fault: &LoadFault, asked_at: Option<Location>) -> Diagnostic {
    let (location, message) = match asked_at {
        Some(location) => (location, format!("{shown} cannot be read: {fault}")),
        None => (
            Location { file: shown.to_owned(), line: 0, column: 0 },
            format!("the document cannot be read: {fault}"),
        ),
    };
    let fix = match fault {
        LoadFault::OutsideRoot => "keep it below the directory of the first document",
        _ => "",
    };
    let code = "document-unreadable";
    Diagnostic {
        severity: Severity::Error,
        code,
        location,
        pointer: String::new(),
        message,
        fix: fix.to_owned(),
    }
}

fn too_many(asked_at: Option<Location>) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: "too-many-documents",
        location: asked_at.unwrap_or_default(),
        pointer: "/include".to_owned(),
        message: format!("there are more than {DOCUMENTS_MAX} documents"),
        fix: "put several services into one file".to_owned(),
    }
}

#[cfg(test)]
mod tests;
