//! The repository keeps its own rules: every file says what it is, licences are known, nothing private got in.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::absences::tree;
use crate::program::repository;

/// All files below a folder whose names end so, but not those that are built.
pub(crate) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).expect("it can be listed").flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            if path.is_dir() {
                if name != "target" && name != ".git" {
                    waiting.push(path);
                }
            } else if name.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_rust_file_says_what_it_is() {
    let silent: Vec<PathBuf> = files(&repository(), ".rs")
        .into_iter()
        .filter(|path| !std::fs::read_to_string(path).expect("it is text").starts_with("//! "))
        .collect();
    assert!(silent.is_empty(), "these do not begin with //!: {silent:#?}");
}

#[test]
fn no_mod_rs() {
    let found = files(&repository().join("crates"), "/mod.rs");
    assert!(found.is_empty(), "{found:?}");
}

/// A licence expression (SPDX) holds if the allowed licences satisfy it. Knows `AND`, `OR`, `WITH`, brackets, and
/// the `/` of old manifests.
fn allowed(expression: &str, list: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    either(&mut words, list)
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn either(words: &mut Words<'_>, list: &BTreeSet<String>) -> bool {
    let mut holds = both(words, list);
    while words.next_if_eq(&"OR").is_some() {
        holds |= both(words, list);
    }
    holds
}

fn both(words: &mut Words<'_>, list: &BTreeSet<String>) -> bool {
    let mut holds = one(words, list);
    while words.next_if_eq(&"AND").is_some() {
        holds &= one(words, list);
    }
    holds
}

fn one(words: &mut Words<'_>, list: &BTreeSet<String>) -> bool {
    match words.next() {
        Some("(") => {
            let holds = either(words, list);
            words.next();
            holds
        }
        Some(name) => match words.next_if_eq(&"WITH") {
            Some(_) => list.contains(&format!("{name} WITH {}", words.next().unwrap_or_default())),
            None => list.contains(name),
        },
        None => false,
    }
}

#[test]
fn licences_bans_and_sources_are_those_of_deny_toml() {
    let text = std::fs::read_to_string(repository().join("deny.toml")).expect("it is there");
    let deny: toml::Value = toml::from_str(&text).expect("it is TOML");
    let texts = |value: &toml::Value| -> BTreeSet<String> {
        value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.as_str())
            .map(str::to_owned)
            .collect()
    };
    let licences = texts(&deny["licenses"]["allow"]);
    let banned: BTreeSet<&str> = deny["bans"]["deny"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|entry| entry["crate"].as_str())
        .collect();
    let mut found = Vec::new();
    let lines = tree(None, "normal,build,dev", "{p}|{l}");
    for line in lines.iter().filter(|line| !line.is_empty()) {
        let (package, licence) = line.split_once('|').unwrap_or((line, ""));
        let name = package.split(' ').next().unwrap_or_default();
        if !allowed(licence, &licences) {
            found.push(format!("{name}: its licence is \"{licence}\""));
        }
        if banned.contains(name) {
            found.push(format!("{name}: it is banned"));
        }
        // Packages of a registry have a version only; others say where they come from, ours that they stand here.
        for remark in package.split(" (").skip(1).map(|remark| remark.trim_end_matches(')')) {
            if remark != "proc-macro" && !remark.starts_with('/') {
                found.push(format!("{name}: it comes from {remark}"));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn licence_expressions() {
    let list: BTreeSet<String> =
        ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
    let cases = [
        ("MIT", true),
        ("GPL-3.0", false),
        ("MIT OR GPL-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("MIT/Apache-2.0", true),
        ("(GPL-3.0 OR MIT) AND Apache-2.0", true),
        ("GPL-3.0 AND (MIT OR Apache-2.0)", false),
        ("Apache-2.0 WITH LLVM-exception OR GPL-2.0", true),
        ("GPL-2.0 WITH Classpath-exception", false),
        ("", false),
    ];
    for (expression, expected) in cases {
        assert_eq!(allowed(expression, &list), expected, "{expression}");
    }
}
