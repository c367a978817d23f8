//! Every document in `tests/data` compiled: its diagnostics, and the explanation of the calls that its
//! comments name (`# explain: METHOD HOST TARGET [Header: value; …]`), compared with the file beside it.
//!
//! `UPDATE=1 cargo test -p portway-snapshot --test data` writes them anew.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test reads files and may fail"
)]

#[path = "common/shared.rs"]
mod common;

use std::fmt::Write;
use std::path::Path;

use common::{Environment, Folder, List, SECRET, data_folder, read};
use portway_snapshot::{ExplainRequest, Snapshot, compile};

#[test]
fn documents_and_what_comes_of_them() {
    let mut names: Vec<_> = std::fs::read_dir(data_folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .collect();
    names.sort();
    assert!(names.len() >= 5, "the test data are there");
    let update = std::env::var_os("UPDATE").is_some();
    for path in names {
        let found = outcome(&path);
        let expected = path.with_extension("out");
        if update {
            std::fs::write(&expected, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&expected).unwrap_or_default();
        assert!(found == expected, "{}: UPDATE=1 to accept\n{found}", path.display());
    }
}

fn outcome(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();
    let (documents, found) = read(name, &text);
    let (compiled, more) = compile(&documents, &Folder(data_folder()), &Environment, None);
    let mut out = String::new();
    for diagnostic in found.iter().chain(&more) {
        writeln!(
            out,
            "{}: {:?}[{}] at {}",
            diagnostic.location, diagnostic.severity, diagnostic.code, diagnostic.pointer
        )
        .unwrap();
        writeln!(out, "  {}", diagnostic.message).unwrap();
        if !diagnostic.fix.is_empty() {
            writeln!(out, "  fix: {}", diagnostic.fix).unwrap();
        }
    }
    match compiled {
        None => writeln!(out, "does not load").unwrap(),
        Some(compiled) => {
            let count: usize =
                compiled.snapshot.services.iter().map(|service| service.operations.len()).sum();
            writeln!(
                out,
                "loads: {} services, {count} operations",
                compiled.snapshot.services.len()
            )
            .unwrap();
            for line in text.lines().filter_map(|line| line.strip_prefix("# explain: ")) {
                writeln!(out, "\n{}", explained(&compiled.snapshot, line)).unwrap();
            }
            out.push_str(&shown_and_safe(&compiled.snapshot));
        }
    }
    assert!(!out.contains(SECRET), "a secret is shown:\n{out}");
    out
}

fn explained(snapshot: &Snapshot, line: &str) -> String {
    let mut words = line.splitn(4, ' ');
    let (method, host, target) =
        (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
    let headers = words.next().map_or(Vec::new(), |fields| {
        let field = |field: &str| {
            let (name, value) = field.split_once(':').unwrap();
            (name.trim().to_owned(), value.trim().to_owned())
        };
        fields.split("; ").map(field).collect()
    });
    snapshot.explain(&ExplainRequest { method, host, target, headers: &List(headers) }).to_string()
}

/// The debug form of everything holds no secret either.
fn shown_and_safe(snapshot: &Snapshot) -> String {
    assert!(
        !format!("{snapshot:?}").contains(SECRET),
        "a secret stands in the debug form of the snapshot"
    );
    String::new()
}
