//! Reads the files of `corpus/`; their `README.md` says what is in them.

use std::fs;
use std::path::{Path, PathBuf};

/// One message and its verdict.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// File and title, for messages of failing tests.
    pub(crate) name: String,
    /// The verdict and what else must hold.
    pub(crate) verdict: String,
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
}

/// All entries of one folder of the corpus.
pub(crate) fn read(folder: &str) -> Vec<Entry> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(folder);
    let listing = fs::read_dir(&folder).expect("the corpus is part of the crate");
    let mut files: Vec<PathBuf> = listing.map(|file| file.unwrap().path()).collect();
    files.sort();
    files.iter().flat_map(|file| entries(file)).collect()
}

fn entries(file: &Path) -> Vec<Entry> {
    let text = fs::read_to_string(file).unwrap();
    let stem = file.file_stem().unwrap().to_string_lossy();
    let mut entries: Vec<Entry> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with("# ")) {
        if let Some(title) = line.strip_prefix("== ") {
            let name = format!("{stem}: {title}");
            entries.push(Entry { name, verdict: String::new(), bytes: Vec::new() });
        } else if let Some(entry) = entries.last_mut() {
            if entry.verdict.is_empty() {
                entry.verdict = line.to_owned();
            } else {
                entry.bytes.extend(unescaped(line));
            }
        }
    }
    entries
}

/// The bytes that a line of a corpus file stands for.
pub(crate) fn unescaped(line: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = line.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            out.push(*first);
            continue;
        }
        let [code, after @ ..] = rest else { break };
        rest = after;
        match code {
            b'r' => out.push(b'\r'),
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'0' => out.push(0),
            b'\\' => out.push(b'\\'),
            b'x' => {
                let digits = std::str::from_utf8(&rest[..2]).unwrap();
                out.push(u8::from_str_radix(digits, 16).unwrap());
                rest = &rest[2..];
            }
            b'(' => {
                let end = rest.iter().position(|byte| *byte == b')').unwrap();
                let inside = std::str::from_utf8(&rest[..end]).unwrap();
                let (text, times) = inside.rsplit_once('*').unwrap();
                out.extend(unescaped(text).repeat(times.parse().unwrap()));
                rest = &rest[end + 1..];
            }
            other => panic!("unknown escape \\{}", *other as char),
        }
    }
    out
}

/// What was asked for a response, and the verdict without it.
pub(crate) fn asked(verdict: &str) -> (portway_http1::RequestKind, &str) {
    use portway_http1::RequestKind;
    for (word, kind) in [
        ("head: ", RequestKind::Head),
        ("connect: ", RequestKind::Connect),
        ("upgrade: ", RequestKind::Upgrade),
    ] {
        if let Some(rest) = verdict.strip_prefix(word) {
            return (kind, rest);
        }
    }
    (RequestKind::Other, verdict)
}
