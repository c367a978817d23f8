//! A schema, a line feed and a value: compiling and checking never panics or hangs, and what is wrong is told in
//! bounds. The first reading of the value is the one that calls get.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portway_contract::schema::{Builder, Dialect, PROBLEMS_MAX, Verdict, intake};

fuzz_target!(|bytes: &[u8]| {
    let at = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (schema, value) = bytes.split_at(at);
    let Ok(value) = intake::read(value, &intake::Bounds::default()) else { return };
    let Ok(schema) = intake::read(schema, &intake::Bounds::default()) else { return };
    let schema = schema.to_json();
    for dialect in [Dialect::Draft4, Dialect::OpenApi30, Dialect::Draft202012] {
        let mut builder = Builder::new(dialect, &[("contract:///fuzz", &schema)]);
        let id = builder.document(0).expect("a document");
        let (schemas, _) = builder.finish();
        if let Verdict::Invalid(problems) = schemas.check(id, &value, bytes.len()) {
            assert!(!problems.is_empty() && problems.len() <= PROBLEMS_MAX);
        }
    }
});
