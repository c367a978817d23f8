//! The table of keys.

use super::*;
use crate::sha256;
use crate::test_call::{app, keys};

#[test]
fn keys_are_found_by_their_hash() {
    let (phone, watch) = (app("phone", None, None), app("watch", None, None));
    let keys = keys(&[("one", &phone), ("two", &phone), ("three", &watch), ("one", &watch)]);
    let find =
        |key: &str| keys.find(&sha256(key.as_bytes())).map(|app| app.name.as_str().to_owned());
    assert_eq!(find("one").as_deref(), Some("phone"), "the first one counts");
    assert_eq!(find("two").as_deref(), Some("phone"));
    assert_eq!(find("three").as_deref(), Some("watch"));
    assert_eq!(find("four"), None);
    assert_eq!(find(""), None);
    assert_eq!(keys.len(), 3);
    assert_eq!(
        format!("{keys:?}"),
        "MemoryKeys { len: 3, signers: 0, verifiers: 0, holders: 0, .. }"
    );
    assert!(MemoryKeys::default().is_empty());
    assert_eq!(MemoryKeys::default().find(&[0; 32]).map(|app| app.name.clone()), None);
}

#[test]
fn hashes_with_the_same_beginning_are_told_apart() {
    let (phone, watch) = (app("phone", None, None), app("watch", None, None));
    let (one, mut two) = ([7; 32], [7; 32]);
    two[31] = 8;
    let keys = MemoryKeys::new([(one, phone), (two, watch)]);
    assert_eq!(keys.find(&two).map(|app| app.name.as_str().to_owned()).as_deref(), Some("watch"));
    two[30] = 8;
    assert!(keys.find(&two).is_none());
}
