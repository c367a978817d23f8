//! What texts pass which tests.

use super::*;

fn check(test: &ValueTest, yes: &[&str], no: &[&str]) {
    for text in yes {
        assert!(test.passes(text), "{test:?} should pass {text:?}");
    }
    for text in no {
        assert!(!test.passes(text), "{test:?} should not pass {text:?}");
    }
}

#[test]
fn texts_are_tested() {
    check(&ValueTest::Integer, &["0", "-7", "123"], &["", "-", "1.0", "x", "١"]);
    check(&ValueTest::Number, &["0", "-7.5", "1e3"], &["", "-", "inf", "NaN", "1x"]);
    check(&ValueTest::Boolean, &["true", "false"], &["", "True"]);
    check(
        &ValueTest::Uuid,
        &["00000000-0000-0000-0000-00000000000f"],
        &["", "00000000-0000-0000-0000-00000000000"],
    );
    check(&ValueTest::Date, &["2026-11-24"], &["2026-1-24", ""]);
    check(&ValueTest::OneOf(vec!["a".into()]), &["a"], &["b", ""]);
    check(&ValueTest::Pattern(Regex::new("^\\d+$").expect("a pattern")), &["1"], &["", "a1"]);
}

#[test]
fn the_narrower_condition_ranks_higher() {
    let header = Dispatch::Header { name: "a".into(), value: Some("b".into()) };
    let uuid = Dispatch::Path { name: "a".into(), test: ValueTest::Uuid };
    let integer = Dispatch::Path { name: "a".into(), test: ValueTest::Integer };
    let present = Dispatch::Query { name: "a".into(), value: None };
    assert!(
        header.rank() > uuid.rank()
            && uuid.rank() > integer.rank()
            && integer.rank() > present.rank()
    );
}
