//! Any bytes as an OpenAPI document: reading never panics, an unusable document has an error, a lost
//! operation has a reason, and ids are unique.

#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use portway_contract::{Limits, NoFiles, PathTemplate, Severity, read};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { memory_bytes: 64 << 20, ..Limits::default() };
    let outcome = read("document.yaml", bytes, &NoFiles, &limits);
    let has_error = outcome.diagnostics.iter().any(|finding| finding.severity == Severity::Error);
    assert_eq!(has_error, outcome.contract.is_none());
    if let Some(contract) = &outcome.contract {
        let ids: HashSet<_> = contract.operations.iter().map(|operation| &operation.id).collect();
        assert_eq!(ids.len(), contract.operations.len());
        let lost = contract.operations.len() - contract.routable();
        assert!(lost == 0 || outcome.diagnostics.iter().any(|finding| finding.code.ends_with("unroutable")));
    }
    if let Ok(path) = std::str::from_utf8(bytes)
        && let Ok(template) = PathTemplate::parse(path)
    {
        assert_eq!(PathTemplate::parse(&template.to_string()), Ok(template));
    }
});
