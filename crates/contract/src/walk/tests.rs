//! What is visited and what is not.

use super::*;
use serde_json::json;

#[test]
fn names_are_sorted_for_binary_search() {
    assert!(NAME_MAPS.is_sorted());
}

#[test]
fn references_are_seen_where_they_are_references() {
    let root = json!({
        "components": {
            "schemas": {
                "default": {"$ref": "1"},
                "A": {"properties": {"example": {"$ref": "2"}, "properties": {"properties": {"enum": {"$ref": "3"}}}}},
                "B": {"example": {"$ref": "no"}, "default": {"$ref": "no"}, "enum": [{"$ref": "no"}], "x-y": {"$ref": "no"}},
            },
            "examples": {"E": {"$ref": "4"}, "F": {"value": {"$ref": "no"}}},
        },
        "paths": {"/a": {"get": {"responses": {"default": {"$ref": "5"}}, "parameters": [{"$ref": "6"}]}}},
    });
    let mut seen = Vec::new();
    let mut way = Way::at(0, "");
    objects(&root, &mut way, &mut |members, way| {
        if let Some(text) = members.get("$ref").and_then(Value::as_str) {
            seen.push((text, way.pointer()));
        }
    });
    seen.sort();
    let texts: Vec<_> = seen.iter().map(|(text, _)| *text).collect();
    assert_eq!(texts, ["1", "2", "3", "4", "5", "6"]);
    assert_eq!(seen[4].1, "/paths/~1a/get/responses/default");
    assert_eq!(seen[5].1, "/paths/~1a/get/parameters/0");
}
