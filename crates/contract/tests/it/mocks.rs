//! Mocks of the contracts that real companies wrote: every answer that is made keeps its schema.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use portway_contract::mock::{self, Asked, Unanswered};
use portway_contract::schema::Builder;
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
