//! The corpus of the fuzz target `body`, as it is and damaged; and what real contracts give as examples of their own.

use std::path::Path;

use portway_contract::request::{
    Bounds, Head, Misfit, RequestChecks, Wanted, Wish, compile, compile_answers,
};
use portway_contract::schema::PROBLEMS_MAX;
use portway_contract::{Contract, Limits, NoFiles, Operation, Response, StatusKey, read};
use serde_json::Value;

use crate::{corpus, files};

/// A head with a media type in it.
struct Typed<'a>(&'a [u8]);

impl Head for Typed<'_> {
    fn path(&self, _: usize) -> Option<&str> {
        None
    }

    fn query(&self) -> &str {
        ""
    }

    fn header(&self, name: &str, see: &mut dyn FnMut(&[u8])) {
        if name == "content-type" {
            see(self.0);
        }
    }
}

/// What is wrong with a body; nothing if it is not looked into.
fn judged(checks: &RequestChecks, media: &[u8], body: &[u8]) -> Option<Vec<Misfit>> {
    match checks.wish(&Typed(media), !body.is_empty()) {
        Wish::Hold(plan) => Some(checks.body(&plan, body)),
        _ => None,
    }
}

#[test]
fn the_corpus_of_the_fuzz_target_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let text = std::fs::read(folder.join("body.yaml")).expect("a readable file");
    let outcome = read("body.yaml", &text, &NoFiles, &Limits::default());
    let contract = outcome.contract.expect("a contract");
    let (mut all, findings) = compile(&contract, |_| Some(Wanted::default()));
    assert!(findings.is_empty(), "{findings:?}");
    let checks = all.remove(0).expect("checked");
    let inputs = files(&folder.join("body"), &[""]);
    assert!(inputs.len() >= 7, "{inputs:?}");
    let mut seed = 0x2545_f491_u64;
    for input in inputs {
        let bytes = std::fs::read(&input).expect("a readable file");
        let at = bytes.iter().position(|byte| *byte == b'\n').expect("a media type");
        let (media, body) = (&bytes[..at], &bytes[at + 1..]);
        assert!(judged(&checks, media, body).is_some(), "{}", input.display());
        // And damaged: a byte changed, from a fixed seed, each time.
        for _ in 0..500 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let mut damaged = body.to_vec();
            let at = usize::try_from(seed >> 33).expect("31 bits") % damaged.len();
            damaged[at] = b"{}[]\",:0&=%+-\r\nx"[usize::try_from(seed >> 20 & 15).expect("4 bits")];
            let misfits = judged(&checks, media, &damaged).unwrap_or_default();
            assert!(misfits.len() <= PROBLEMS_MAX);
        }
    }
}

/// Examples that a media type object gives of itself.
fn examples<'c>(contract: &'c Contract, declared: &'c Value) -> Vec<&'c Value> {
    let named = declared.get("examples").and_then(Value::as_object);
    let mut all: Vec<&Value> = declared.get("example").into_iter().collect();
    for example in named.into_iter().flat_map(|named| named.values()) {
        let example = match example.get("$ref").and_then(Value::as_str) {
            Some(text) => {
                let Some(pointer) = text.strip_prefix('#') else { continue };
                let node = portway_contract::Node { document: 0, pointer: pointer.to_owned() };
                let Some(found) = contract.node(&node) else { continue };
                found
            }
            None => example,
        };
        all.extend(example.get("value"));
    }
    all
}

/// Examples of the JSON that an operation takes, each with its media type.
fn of_requests<'c>(contract: &'c Contract, operation: &'c Operation) -> Vec<(&'c str, &'c Value)> {
    let contents = operation.request_body.iter().flat_map(|body| &body.content);
    let mut all = Vec::new();
    for content in contents.filter(|content| content.media_type.contains("json")) {
        let Some(declared) = contract.node(&content.declared) else { continue };
        let own = examples(contract, declared);
        all.extend(own.into_iter().map(|value| (content.media_type.as_str(), value)));
    }
    all
}

/// The text of an example. Some contracts have that in place of its value.
fn text_of(example: &Value) -> String {
    let text = example.as_str().filter(|text| text.trim_start().starts_with(['{', '[']));
    text.map_or_else(|| example.to_string(), str::to_owned)
}

/// What real contracts give as an example of a body keeps them, but for slips: a number where the schema wants a text,
/// an object where it wants a list. Counted by operation, since one that slips does so in every example.
#[test]
fn real_bodies_keep_their_own_contracts() {
    let Some(root) = corpus("openapi") else { return };
    let (mut tried, mut wrong) = (0, Vec::new());
    for path in files(&root, &[".json"]) {
        let text = std::fs::read(&path).expect("a readable file");
        let Some(contract) = read("api.json", &text, &NoFiles, &Limits::default()).contract else {
            continue;
        };
        let (all, _) = compile(&contract, |_| Some(Wanted::default()));
        for (operation, checks) in contract.operations.iter().zip(&all) {
            let checks = checks.as_ref().expect("wanted");
            let own = of_requests(&contract, operation);
            let judged: Vec<_> = own
                .iter()
                .filter_map(|(media, value)| {
                    let media = media.replace('*', "x");
                    judged(checks, media.as_bytes(), text_of(value).as_bytes())
                })
                .collect();
            tried += usize::from(!judged.is_empty());
            if let Some(misfit) = judged.iter().flatten().next() {
                wrong.push(format!("{}: {}: {misfit:?}", path.display(), operation.id));
            }
        }
    }
    eprintln!("{tried} operations with examples of their bodies, {} wrong", wrong.len());
    let most = tried / 5;
    assert!(tried > 50 && wrong.len() <= most, "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Examples of the JSON of an answer, each with its media type. 2.0 has them beside the schema.
fn of_answer<'c>(contract: &'c Contract, response: &'c Response) -> Vec<(&'c str, &'c Value)> {
    let mut all = Vec::new();
    for content in response.content.iter().filter(|content| content.media_type.contains("json")) {
        let Some(declared) = contract.node(&content.declared) else { continue };
        let old = declared.get("examples").and_then(|all| all.get(&content.media_type));
        match old {
            Some(value) => all.push((content.media_type.as_str(), value)),
            None => {
                let own = examples(contract, declared);
                all.extend(own.into_iter().map(|value| (content.media_type.as_str(), value)));
            }
        }
    }
    all
}

/// The same of answers. They are only reported on, so their slips do no harm; how many there are is printed.
#[test]
fn real_answers_keep_their_own_contracts_mostly() {
    let Some(root) = corpus("openapi") else { return };
    let (mut tried, mut wrong) = (0, Vec::new());
    for path in files(&root, &[".json"]) {
        let text = std::fs::read(&path).expect("a readable file");
        let Some(contract) = read("api.json", &text, &NoFiles, &Limits::default()).contract else {
            continue;
        };
        let (all, _) = compile_answers(&contract, |_| Some(Bounds::default()));
        for (operation, checks) in contract.operations.iter().zip(&all) {
            let checks = checks.as_ref().expect("wanted");
            let mut found = Vec::new();
            let mut has_some = false;
            for (key, response) in &operation.responses {
                let status = match key {
                    StatusKey::Code(status) => *status,
                    StatusKey::Class(class) => u16::from(*class) * 100 + 99,
                    StatusKey::Default => 599,
                };
                for (media, value) in of_answer(&contract, response) {
                    let media = media.replace('*', "x");
                    let head = Typed(media.as_bytes());
                    let judgement = checks.head(status, &head, Some(true)).expect("described");
                    if judgement.plan.is_some() {
                        has_some = true;
                        found.extend(checks.body(&judgement, text_of(value).as_bytes()));
                    }
                }
            }
            tried += usize::from(has_some);
            if let Some(misfit) = found.first() {
                wrong.push(format!("{}: {}: {misfit:?}", path.display(), operation.id));
            }
        }
    }
    eprintln!("{tried} operations with examples of their answers, {} wrong", wrong.len());
    let most = tried / 5;
    assert!(
        tried > 100 && wrong.len() <= most,
        "{} of {tried}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
