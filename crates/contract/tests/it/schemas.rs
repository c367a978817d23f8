//! The JSON Schema Test Suite through the compiler and checker that serve calls.

use std::path::Path;

use portway_contract::schema::{Builder, Dialect, Verdict, intake};
use portway_contract::{Limits, Location, read};
use serde_json::Value;

/// Groups that refer to the metaschema. It lies on another machine and nothing that a contract says needs it,
/// so it is not built in, and a reference to it is one that leads nowhere: everything is accepted there.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("ref.json", "remote ref, containing refs itself"),
    ("defs.json", "validate definition against metaschema"),
    ("definitions.json", "validate definition against metaschema"),
];

fn load(path: &Path) -> Value {
    let text = std::fs::read(path).expect("a readable file");
    serde_json::from_slice(&text).expect("JSON")
}

/// The documents that the suite serves at an address of its own.
fn remotes(suite: &Path) -> Vec<(String, Value)> {
    let root = suite.join("remotes");
    let files = crate::files(&root, &[".json"]);
    let named = files.into_iter().map(|file| {
        let name = file.strip_prefix(&root).expect("below").to_string_lossy().into_owned();
        (format!("http://localhost:1234/{name}"), load(&file))
    });
    named.collect()
}

fn suite(draft: &str, dialect: Dialect) {
    let Some(suite) = crate::corpus("json-schema-test-suite") else { return };
    let remotes = remotes(&suite);
    let (mut cases, mut wrong, mut excepted) = (0, Vec::new(), 0);
    for entry in std::fs::read_dir(suite.join("tests").join(draft)).expect("a folder").flatten() {
        // The folder `optional` is not of what is required.
        if !entry.path().is_file() {
            continue;
        }
        let file = entry.file_name().to_string_lossy().into_owned();
        for group in load(&entry.path()).as_array().expect("a list") {
            let about = group["description"].as_str().expect("a text");
            let mut documents = vec![("contract:///schema.json", &group["schema"])];
            documents.extend(remotes.iter().map(|(address, value)| (address.as_str(), value)));
            let mut builder = Builder::new(dialect, &documents);
            let id = builder.document(0).expect("the schema");
            let (schemas, findings) = builder.finish();
            for case in group["tests"].as_array().expect("a list") {
                cases += 1;
                let text = case["data"].to_string();
                let value = intake::read(text.as_bytes(), &intake::Bounds::default());
                let value = value.expect("a value within bounds");
                let valid = schemas.check(id, &value, text.len()) == Verdict::Valid;
                if case["valid"] == valid {
                    continue;
                }
                if EXCEPTIONS.contains(&(&*file, about)) {
                    excepted += 1;
                } else {
                    wrong.push(format!("{file}: {about}: {}: {findings:?}", case["description"]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {cases} cases:\n{}", wrong.len(), wrong.join("\n"));
    // As many as the page says: one that is right now is no exception any more.
    assert_eq!(excepted, 2, "{draft}");
    assert!(cases > 500, "{cases}");
}

#[test]
fn the_suite_of_2020_12_is_met() {
    suite("draft2020-12", Dialect::Draft202012);
}

#[test]
fn the_suite_of_draft_4_is_met() {
    suite("draft4", Dialect::Draft4);
}

#[test]
fn schemas_of_a_contract_are_found_where_its_references_lead() {
    let files = |path: &str| match path {
        "shared/pet.yaml" => {
            Ok(b"Pet: {type: object, properties: {tag: {$ref: '../tags.yaml#/Tag'}}}".to_vec())
        }
        "tags.yaml" => Ok(b"Tag: {enum: [a, b]}".to_vec()),
        _ => Err(portway_contract::LoadFault::NotFound),
    };
    struct Texts<F>(F);
    impl<F: Fn(&str) -> Result<Vec<u8>, portway_contract::LoadFault>> portway_contract::Loader
        for Texts<F>
    {
        fn load(&self, path: &str) -> Result<Vec<u8>, portway_contract::LoadFault> {
            (self.0)(path)
        }
    }
    let text = br"
openapi: 3.0.3
info: {title: t, version: '1'}
paths:
  /pets/{pet}:
    get:
      parameters:
      - {name: pet, in: path, required: true, schema: {$ref: 'shared/pet.yaml#/Pet'}}
      responses: {'200': {description: ok}}
";
    let outcome = read("api.yaml", text, &Texts(files), &Limits::default());
    let contract = outcome.contract.expect("a contract");
    let parameter = &contract.operations[0].parameters[0];
    assert_eq!(parameter.location, Location::Path);
    let mut builder = Builder::of_contract(&contract);
    let id = builder.place(&contract, parameter.schema.as_ref().expect("a schema")).expect("there");
    let (schemas, findings) = builder.finish();
    assert_eq!(findings, []);
    let verdict = |text: &str| {
        let value = intake::read(text.as_bytes(), &intake::Bounds::default()).expect("JSON");
        schemas.check(id, &value, 10)
    };
    assert_eq!(verdict(r#"{"tag": "a"}"#), Verdict::Valid);
    let Verdict::Invalid(problems) = verdict(r#"{"tag": "c"}"#) else { panic!("valid") };
    assert_eq!((&*problems[0].pointer, problems[0].rule), ("/tag", "enum"));
}

/// One input of the fuzz target: a schema, a line feed, a value.
fn try_pair(bytes: &[u8]) {
    let at = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (schema, value) = bytes.split_at(at);
    let (Ok(schema), Ok(value)) =
        (serde_json::from_slice::<Value>(schema), intake::read(value, &intake::Bounds::default()))
    else {
        return;
    };
    for dialect in [Dialect::Draft4, Dialect::OpenApi30, Dialect::Draft202012] {
        let mut builder = Builder::new(dialect, &[("contract:///fuzz", &schema)]);
        let id = builder.document(0).expect("a document");
        let (schemas, _) = builder.finish();
        if let Verdict::Invalid(problems) = schemas.check(id, &value, bytes.len()) {
            assert!(
                !problems.is_empty() && problems.len() <= portway_contract::schema::PROBLEMS_MAX
            );
        }
    }
}

#[test]
fn the_corpus_of_the_fuzz_target_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/schema");
    let inputs = crate::files(&folder, &[""]);
    assert!(inputs.len() >= 8, "{inputs:?}");
    let mut seed = 0x2545_f491_u64;
    for input in inputs {
        let bytes = std::fs::read(input).expect("a readable file");
        try_pair(&bytes);
        // And damaged: a byte changed, from a fixed seed, each time.
        for _ in 0..300 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let mut damaged = bytes.clone();
            let at = usize::try_from(seed >> 33).expect("31 bits") % damaged.len();
            damaged[at] = b"{}[]\",:0123#/$a\\"[usize::try_from(seed >> 20 & 15).expect("4 bits")];
            try_pair(&damaged);
        }
    }
}
