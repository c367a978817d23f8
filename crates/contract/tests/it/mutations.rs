//! Thousands of damaged documents from a fixed seed: nothing panics, nothing hangs, and whatever is not
//! routable is explained.

use std::time::{Duration, Instant};

use portway_contract::{Limits, Outcome, Severity, read};
use serde_json::{Value, json};

use crate::{Folder, corpus, files};

/// A small generator (xorshift), so that every run sees the same damage.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit.max(1)).expect("small")).expect("small")
    }
}

/// Small documents to damage: our own and, where there is one, a part of the corpus.
fn originals() -> Vec<Vec<u8>> {
    let own = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut paths = files(&own, &[".yaml", ".json"]);
    paths.extend(files(&own.join("../../../../fuzz/corpus/contract"), &[""]));
    if let Some(folder) = corpus("openapi-fixtures") {
        paths.extend(files(
            &folder,
            &["petstore.yaml", "mega.yaml", "uspto.yaml", "callback-example.yaml", "schema.yaml"],
        ));
    }
    if let Some(folder) = corpus("openapi") {
        paths.extend(files(
            &folder,
            &["0.io.json", "6-dot-authentiqio.appspot.com.json", "bulksms.com.json"],
        ));
    }
    paths
        .iter()
        .map(|path| std::fs::read(path).expect("a readable file"))
        .filter(|bytes| bytes.len() < 60_000)
        .collect()
}

fn look(bytes: &[u8]) -> Outcome {
    let loader = Folder(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/refs"));
    let start = Instant::now();
    let outcome = read("api.yaml", bytes, &loader, &Limits::default());
    assert!(
        start.elapsed() < Duration::from_secs(60),
        "{:?} for {}",
        start.elapsed(),
        String::from_utf8_lossy(bytes)
    );
    let has_error = outcome.diagnostics.iter().any(|finding| finding.severity == Severity::Error);
    assert_eq!(has_error, outcome.contract.is_none(), "{:?}", outcome.diagnostics);
    if let Some(contract) = &outcome.contract {
        let lost = contract.operations.len() - contract.routable();
        let reasons = outcome
            .diagnostics
            .iter()
            .filter(|finding| finding.code.ends_with("unroutable"))
            .count();
        assert!(lost == 0 || reasons > 0, "{lost} lost without a reason");
    }
    outcome
}

#[test]
fn damaged_texts_do_not_panic() {
    let mut dice = Dice(0x5eed_0001);
    let marks: [&[u8]; 16] = [
        b"{",
        b"}",
        b"[",
        b"]",
        b"\"",
        b":",
        b"\n",
        b"\t",
        b"#",
        b"&a ",
        b"*a",
        b"<<: ",
        b"\xff",
        b"\0",
        b"  ",
        b"$ref: '#'\n",
    ];
    for original in originals() {
        for _ in 0..120 {
            let mut bytes = original.clone();
            for _ in 0..=dice.below(4) {
                let at = dice.below(bytes.len());
                match dice.below(4) {
                    0 => {
                        bytes.remove(at.min(bytes.len().saturating_sub(1)));
                    }
                    1 => {
                        let mark = marks[dice.below(marks.len())];
                        bytes.splice(at..at, mark.iter().copied());
                    }
                    2 => bytes.truncate(at.max(1)),
                    _ => {
                        let end = (at + dice.below(200)).min(bytes.len());
                        let piece = bytes[at..end].to_vec();
                        let to = dice.below(bytes.len());
                        bytes.splice(to..to, piece);
                    }
                }
                if bytes.is_empty() {
                    break;
                }
            }
            look(&bytes);
        }
    }
}

/// Every node in turn replaced by something else.
#[test]
fn wrong_types_anywhere_do_not_panic() {
    let others = [
        json!(null),
        json!(true),
        json!(-1.5),
        json!("x"),
        json!("#/paths"),
        json!([]),
        json!([[]]),
        json!({}),
        json!({"$ref": "#/paths"}),
        json!({"$ref": "#"}),
        json!({"": {"": null}}),
    ];
    let mut dice = Dice(0x5eed_0002);
    for original in originals() {
        let Ok(root) =
            serde_json::from_slice::<Value>(&original).or_else(|_| as_json(&original).ok_or(()))
        else {
            continue;
        };
        let mut pointers = Vec::new();
        collect(&root, String::new(), &mut pointers);
        // All nodes of small documents, a sample of large ones.
        let step = (pointers.len() / 400).max(1);
        for pointer in pointers.iter().step_by(step) {
            let mut damaged = root.clone();
            *damaged.pointer_mut(pointer).expect("a collected pointer") =
                others[dice.below(others.len())].clone();
            look(damaged.to_string().as_bytes());
        }
    }
}

/// Keys renamed, repeated values moved: duplicate ids, dangling references, strange paths.
#[test]
fn strange_names_do_not_panic() {
    let names = [
        "",
        "/",
        "//",
        "{",
        "}",
        "/{",
        "/{}",
        "/{a}{b}",
        "/a?b=c",
        "/a#b=c",
        "~",
        "~2",
        "%",
        "get",
        "x-",
        "$ref",
        "/\u{0}",
        "/..",
        "/{+a}/{+b}",
    ];
    let mut dice = Dice(0x5eed_0003);
    for original in originals() {
        let Some(root) = as_json(&original) else { continue };
        let mut pointers = Vec::new();
        collect(&root, String::new(), &mut pointers);
        for _ in 0..60 {
            let mut damaged = root.clone();
            for _ in 0..3 {
                let pointer = &pointers[dice.below(pointers.len())];
                if let Some(Value::Object(members)) = damaged.pointer_mut(pointer)
                    && let Some(key) = members.keys().nth(dice.below(members.len())).cloned()
                {
                    let value = members.remove(&key).expect("there");
                    members.insert(names[dice.below(names.len())].to_owned(), value);
                }
            }
            look(damaged.to_string().as_bytes());
        }
    }
}

fn as_json(bytes: &[u8]) -> Option<Value> {
    let outcome = read("x", bytes, &portway_contract::NoFiles, &Limits::default());
    Some(outcome.contract?.source().value().clone())
}

fn collect(value: &Value, pointer: String, pointers: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (key, child) in members {
                collect(child, portway_contract::pointer::child(&pointer, key), pointers);
            }
        }
        Value::Array(items) => {
            for (index, child) in items.iter().enumerate() {
                collect(child, format!("{pointer}/{index}"), pointers);
            }
        }
        _ => {}
    }
    pointers.push(pointer);
}
