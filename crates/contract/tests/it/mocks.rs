//! Mocks of the contracts that real companies wrote: every answer that is made keeps its schema.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use portway_contract::mock::accept::Accept;
use portway_contract::mock::prefer::{Prefer, WAIT_MS_MAX};
use portway_contract::mock::{self, Asked, Unanswered};
use portway_contract::schema::{Builder, Dialect, intake};
use portway_contract::{Limits, StatusKey, read_within};

use crate::{Folder, corpus, files};

fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json") || essence == "*/*"
}

/// Schemas of the corpus that nothing is made for, by file, and why. Each was looked at: all but the last three can be met
/// by nothing at all.
const EXCEPTIONS: &[(&str, usize, &str)] = &[
    ("digitallocker.gov.in/authpartner.json", 14, "`oneOf` of alternatives that are the same"),
    ("maif.local/otoroshi.json", 4, "`oneOf` of alternatives that are the same"),
    ("motaword.com.json", 1, "`oneOf` of alternatives that are the same"),
    (
        "shipengine.com.json",
        33,
        "`additionalProperties: false` beside an `allOf` that requires members",
    ),
    ("visualstudio.com.json", 35, "`type: integer` with an `enum` of texts"),
    // Here only a member that one alternative does not know and another has with a wrong type would do.
    ("influxdata.com.json", 2, "`oneOf` of objects that everything fits"),
    ("intellifi.nl.json", 2, "`oneOf` of objects that everything fits"),
    ("jumpseller.com.json", 1, "`oneOf` of objects that everything fits"),
];

#[test]
fn every_schema_of_an_answer_has_a_value() {
    let Some(root) = corpus("openapi") else { return };
    let (mut made, mut wrong) = (0, Vec::new());
    let mut unmade: BTreeMap<String, usize> = BTreeMap::new();
    let (mut slowest, mut largest) = (Duration::ZERO, 0);
    let mut slow_place = String::new();
    for path in files(&root, &[".json"]) {
        let bytes = std::fs::read(&path).expect("a readable file");
        let name = path.strip_prefix(&root).expect("below").to_string_lossy().replace('\\', "/");
        let folder = Folder(root.clone());
        let outcome = read_within(&name, &name, &bytes, &folder, &Limits::default());
        let Some(contract) = outcome.contract else { continue };
        let mut builder = Builder::of_contract(&contract).with_hints();
        let mut ids = Vec::new();
        for operation in &contract.operations {
            for (status, response) in &operation.responses {
                for content in response.content.iter().filter(|one| is_json(&one.media_type)) {
                    let id = content.schema.as_ref().and_then(|at| builder.place(&contract, at));
                    ids.extend(id.map(|id| (id, &operation.id, *status)));
                }
            }
        }
        let (schemas, _) = builder.finish();
        let mut seen = std::collections::HashSet::new();
        for (id, operation, status) in ids {
            // The same schema gives the same value.
            if !seen.insert(id) {
                made += 1;
                continue;
            }
            let begun = Instant::now();
            let value = schemas.make(id);
            let took = begun.elapsed();
            if took > slowest {
                (slowest, slow_place) = (took, format!("{name} {operation} {status}"));
            }
            match value {
                Ok(value) => {
                    made += 1;
                    let length = value.to_string().len();
                    largest = largest.max(length);
                    if !schemas.accepts(id, &value) {
                        wrong.push(format!("{name} {operation} {status}"));
                    }
                }
                Err(why) => {
                    *unmade.entry(name.clone()).or_default() += 1;
                    eprintln!("not made: {name} {operation} {status}: {why:?}");
                }
            }
        }
    }
    let lost: usize = unmade.values().sum();
    eprintln!(
        "{made} made, {lost} not: {unmade:?}; the largest has {largest} bytes; slowest {slowest:?} {slow_place}"
    );
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(made > 10_000, "{made}");
    let expected: BTreeMap<String, usize> =
        EXCEPTIONS.iter().map(|(file, count, _)| ((*file).to_owned(), *count)).collect();
    assert_eq!(unmade, expected);
}

#[test]
fn every_operation_has_an_answer() {
    let Some(root) = corpus("openapi") else { return };
    let (mut answered, mut not_made, mut told) = (0, Vec::new(), 0);
    for path in files(&root, &[".json"]) {
        let bytes = std::fs::read(&path).expect("a readable file");
        let name = path.strip_prefix(&root).expect("below").to_string_lossy().replace('\\', "/");
        let outcome = read_within(&name, &name, &bytes, &Folder(root.clone()), &Limits::default());
        let Some(contract) = outcome.contract else { continue };
        let (mocks, findings) = mock::compile(&contract, |_| true);
        told += findings.len();
        for (operation, mock) in contract.operations.iter().zip(&mocks) {
            let mock = mock.as_ref().expect("wanted");
            let codes = operation.responses.iter().filter_map(|(key, _)| match key {
                StatusKey::Code(code) if *code >= 200 => Some(*code),
                _ => None,
            });
            for code in codes.map(Some).chain([None]) {
                match mock.answer(&Asked { code, ..Asked::default() }) {
                    Ok(made) => {
                        answered += 1;
                        let is_json = made.media_type.as_deref().is_some_and(is_json);
                        if is_json {
                            let value = serde_json::from_slice::<serde::de::IgnoredAny>(&made.body);
                            assert!(value.is_ok(), "{name} {} {code:?}", operation.id);
                        }
                    }
                    Err(Unanswered::CannotMake(why)) => {
                        not_made.push(format!("{name} {} {code:?}: {why}", operation.id));
                    }
                    Err(other) => panic!("{name} {} {code:?}: {other:?}", operation.id),
                }
            }
        }
    }
    eprintln!("{answered} answers, {} cannot be made, {told} examples told", not_made.len());
    not_made.iter().take(20).for_each(|one| eprintln!("{one}"));
    assert!(
        answered > 10_000 && not_made.len() * 100 < answered * 3,
        "{} of {answered}",
        not_made.len()
    );
}

/// One input of the fuzz target: a `Prefer` field, an `Accept` field and a schema, in a line each. How many values
/// were made.
fn try_input(bytes: &[u8]) -> usize {
    let mut lines = bytes.splitn(3, |byte| *byte == b'\n');
    let mut prefer = Prefer::default();
    prefer.read(&String::from_utf8_lossy(lines.next().unwrap_or_default()));
    assert!(prefer.wait_ms.is_none_or(|ms| ms <= WAIT_MS_MAX));
    let field = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let mut accept = Accept::default();
    accept.read(&field);
    let _ = accept.best(["application/json", "text/plain;charset=utf-8"].into_iter());
    let schema = intake::read(lines.next().unwrap_or_default(), &intake::Bounds::default());
    let Ok(schema) = schema else { return 0 };
    let schema = schema.to_json();
    let mut made = 0;
    for dialect in [Dialect::Draft4, Dialect::OpenApi30, Dialect::Draft202012] {
        let mut builder = Builder::new(dialect, &[("contract:///fuzz", &schema)]).with_hints();
        let id = builder.document(0).expect("a document");
        let (schemas, _) = builder.finish();
        if let Ok(value) = schemas.make(id) {
            assert!(schemas.accepts(id, &value), "{schema}: {value}");
            made += 1;
        }
    }
    made
}

#[test]
fn the_corpus_of_the_fuzz_target_of_mocks_passes() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/mock");
    let inputs = files(&folder, &[""]);
    assert!(inputs.len() >= 8, "{inputs:?}");
    let (mut seed, mut made) = (0x2545_f491_u64, 0);
    for input in inputs {
        let bytes = std::fs::read(input).expect("a readable file");
        try_input(&bytes);
        // And damaged: a byte changed, from a fixed seed, each time.
        for _ in 0..100 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let mut damaged = bytes.clone();
            let at = usize::try_from(seed >> 33).expect("31 bits") % damaged.len();
            damaged[at] = b"{}[]\",:0123#/$a\\"[usize::try_from(seed >> 20 & 15).expect("4 bits")];
            made += try_input(&damaged);
        }
    }
    assert!(made > 200, "{made}");
}

/// Every schema of the suite that some value is right for.
#[test]
fn the_suite_has_values_made() {
    let Some(suite) = corpus("json-schema-test-suite") else { return };
    let (mut made, mut lost) = (0, Vec::new());
    let folder = suite.join("tests/draft2020-12");
    for path in files(&folder, &[".json"]) {
        let name = path.strip_prefix(&folder).expect("below").to_string_lossy().into_owned();
        // What is optional, and what refers to other documents.
        if name.contains('/')
            || name.contains("Ref")
            || name.contains("ref")
            || name == "vocabulary.json"
        {
            continue;
        }
        let groups = std::fs::read(&path).expect("a readable file");
        let groups: serde_json::Value = serde_json::from_slice(&groups).expect("JSON");
        for group in groups.as_array().expect("a list") {
            let cases = group["tests"].as_array().expect("a list");
            if !cases.iter().any(|case| case["valid"] == true) {
                continue;
            }
            let mut builder =
                Builder::new(Dialect::Draft202012, &[("contract:///t", &group["schema"])])
                    .with_hints();
            let id = builder.document(0).expect("a document");
            let (schemas, _) = builder.finish();
            match schemas.make(id) {
                Ok(value) => {
                    assert!(schemas.accepts(id, &value));
                    made += 1;
                }
                Err(why) => lost.push(format!("{name}: {}: {why:?}", group["description"])),
            }
        }
    }
    eprintln!("{made} made, {} not:\n{}", lost.len(), lost.join("\n"));
    assert!(made > 250 && lost.len() * 100 <= 2 * made, "{made} made, not:\n{}", lost.join("\n"));
}
