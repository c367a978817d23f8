//! A `Prefer` field, an `Accept` field and a schema, in a line each: reading never panics, and a value that is made is
//! what the schema accepts, within bounds.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portway_contract::mock::accept::Accept;
use portway_contract::mock::prefer::{Prefer, WAIT_MS_MAX};
use portway_contract::schema::{Builder, Dialect, intake};

fuzz_target!(|bytes: &[u8]| {
    let mut lines = bytes.splitn(3, |byte| *byte == b'\n');
    let mut prefer = Prefer::default();
    prefer.read(&String::from_utf8_lossy(lines.next().unwrap_or_default()));
    assert!(prefer.wait_ms.is_none_or(|ms| ms <= WAIT_MS_MAX));
    let field = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let mut accept = Accept::default();
    accept.read(&field);
    let _ = accept.best(["application/json", "text/plain;charset=utf-8"].into_iter());
    let schema = intake::read(lines.next().unwrap_or_default(), &intake::Bounds::default());
    let Ok(schema) = schema else { return };
    let schema = schema.to_json();
    for dialect in [Dialect::Draft4, Dialect::OpenApi30, Dialect::Draft202012] {
        let mut builder = Builder::new(dialect, &[("contract:///fuzz", &schema)]).with_hints();
        let id = builder.document(0).expect("a document");
        let (schemas, _) = builder.finish();
        if let Ok(value) = schemas.make(id) {
            assert!(schemas.accepts(id, &value));
        }
    }
});
