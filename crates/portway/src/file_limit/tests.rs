//! When the warning is given.

use super::*;

#[test]
fn a_shortage_is_said_with_both_numbers() {
    assert_eq!(shortage(100_000, 32_768), None);
    let sentence = shortage(1_024, 32_768).unwrap();
    assert!(
        sentence.starts_with("only 384 connections") && sentence.contains("1024"),
        "{sentence}"
    );
    let sentence = shortage(100, 32_768).unwrap();
    assert!(sentence.starts_with("only 64 connections are let in"), "{sentence}");
}

#[test]
fn raising_never_lowers() {
    let before = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    assert!(raise() >= before);
}
