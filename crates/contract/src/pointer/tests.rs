//! Pointers as data, and that escaping can be undone.

use super::*;
use proptest::prelude::*;
use serde_json::json;

#[test]
fn nodes_are_found() {
    let root = json!({"a": [1, {"b/c": {"d~e": 2}}], "": 3, "0": 4});
    let check = |pointer: &str, expected: Option<Value>| {
        assert_eq!(lookup(&root, pointer).cloned(), expected, "{pointer}");
    };
    check("", Some(root.clone()));
    check("/a/0", Some(json!(1)));
    check("/a/1/b~1c/d~0e", Some(json!(2)));
    check("/", Some(json!(3)));
    check("/0", Some(json!(4)));
    check("/a/00", None);
    check("/a/-1", None);
    check("/a/+1", None);
    check("/a/2", None);
    check("/a/0/x", None);
    check("a", None);
}

proptest! {
    #[test]
    fn escaping_can_be_undone(parts in prop::collection::vec("\\PC{0,6}|[~/01]{0,6}", 0..6)) {
        let mut pointer = String::new();
        for part in &parts {
            push(&mut pointer, part);
        }
        prop_assert_eq!(tokens(&pointer), Some(parts));
    }

    #[test]
    fn any_member_is_found(keys in prop::collection::vec("[a-c~/]{0,3}", 1..6)) {
        let mut value = json!(7);
        for key in keys.iter().rev() {
            value = json!({ key.as_str(): value });
        }
        let mut pointer = String::new();
        for key in &keys {
            push(&mut pointer, key);
        }
        prop_assert_eq!(lookup(&value, &pointer), Some(&json!(7)));
    }
}
