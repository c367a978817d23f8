//! Mistakes in the rules for requests are told where they stand.

use crate::program::{directory, outcome, portway};

#[test]
fn mistakes_in_rules_have_a_place() {
    for (requests, place, word) in [
        ("{ query: { rules: { id: { pattern: '(' } } } }", "portway.yaml:7:50", "bad-rule"),
        (
            "{ headers: { rules: { X-A: { pattern: '(?=a)' } } } }",
            "portway.yaml:7:53",
            "look-around",
        ),
        ("{ headers: { rules: { 'X A': {} } } }", "portway.yaml:7:", "bad-rule"),
        ("{ content_types: [ json ] }", "portway.yaml:7:", "image/png"),
        ("{ uploads: { extensions: [ .png ] } }", "portway.yaml:7:", "write png"),
        ("{ querry: {} }", "portway.yaml:7:", "query"),
        ("{ compression: { codings: [ br ] } }", "portway.yaml:7:", "gzip"),
    ] {
        let document = format!(
            "portway: 1\nservices:\n  a:\n    routes: [ 'GET /' ]\n    auth: public\n    backend: 'http://127.0.0.1:1'\n    requests: {requests}\n"
        );
        let folder = directory(&[("portway.yaml", &document)]);
        let output = portway(folder.path(), &["check"]).output().expect("it runs");
        let (code, out, err) = outcome(&output);
        let said = format!("{out}{err}");
        assert_eq!(code, 1, "{requests}: {said}");
        assert!(said.contains(place) && said.contains(word), "{requests}: {said}");
    }
}
