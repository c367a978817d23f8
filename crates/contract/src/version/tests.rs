//! Roots of documents, and what they are taken for.

use super::*;
use serde_json::json;

#[test]
fn versions_are_recognised() {
    let check = |root: Value, version: SpecVersion, code: &str| {
        let found = identify(&root).expect("a version");
        let odd = found.oddity.as_ref().map_or("", |oddity| oddity.code);
        assert_eq!((found.version, odd), (version, code), "{root}");
    };
    check(json!({"openapi": "3.0.0"}), SpecVersion::V3_0, "");
    check(json!({"openapi": "3.0.0-rc2"}), SpecVersion::V3_0, "");
    check(json!({"openapi": "3.1.1"}), SpecVersion::V3_1, "");
    check(json!({"openapi": "3.2.0"}), SpecVersion::V3_2, "");
    check(json!({"openapi": "3.2"}), SpecVersion::V3_2, "version-form");
    check(json!({"openapi": 3.0}), SpecVersion::V3_0, "version-number");
    check(json!({"openapi": 3}), SpecVersion::V3_0, "version-number");
    check(json!({"openapi": "3.9.0"}), SpecVersion::V3_2, "version-unknown");
    check(json!({"openapi": "v3.1.0"}), SpecVersion::V3_1, "version-form");
    check(json!({"swagger": "2.0"}), SpecVersion::V2_0, "");
    check(json!({"swagger": 2.0}), SpecVersion::V2_0, "version-number");
    check(json!({"swagger": 2}), SpecVersion::V2_0, "version-number");
    check(json!({"swagger": "3.0.1"}), SpecVersion::V3_0, "version-member");
    check(json!({"openapi": "2.0"}), SpecVersion::V2_0, "version-member");
    check(json!({"paths": {"/a": {}}, "host": "x"}), SpecVersion::V2_0, "version-missing");
    check(json!({"paths": {"/a": {}}}), SpecVersion::V3_0, "version-missing");
}

#[test]
fn other_documents_are_named() {
    let check = |root: Value, part: &str| {
        let fault = identify(&root).expect_err("not OpenAPI");
        assert!(fault.message.contains(part) && !fault.fix.is_empty(), "{fault:?}");
    };
    check(json!({"asyncapi": "2.0.0"}), "AsyncAPI");
    check(json!({"swaggerVersion": "1.2"}), "Swagger 1.x");
    check(json!({"info": {"_postman_id": "x"}, "item": []}), "Postman");
    check(json!({"$schema": "x", "type": "object"}), "JSON Schema");
    check(json!({"arazzo": "1.0.0"}), "Arazzo");
    check(json!({"openapi": "4.0.0"}), "4.0.0");
    check(json!({"openapi": "1.0"}), "1.0");
    check(json!({"openapi": null}), "empty");
    check(json!([1]), "a list");
    check(json!("hello"), "a text");
    check(json!(null), "empty");
    check(json!({}), "neither");
}
