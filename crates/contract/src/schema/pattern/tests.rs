//! Patterns of ECMA-262, and those that cannot be linear.

use super::compile;

fn check(pattern: &str, matches: &[&str], others: &[&str]) {
    let compiled = compile(pattern).unwrap_or_else(|| panic!("{pattern} is usable"));
    for text in matches {
        assert!(compiled.is_match(text), "{pattern} on {text:?} ({compiled})");
    }
    for text in others {
        assert!(!compiled.is_match(text), "{pattern} on {text:?} ({compiled})");
    }
}

#[test]
fn patterns_mean_what_they_mean_in_ecma_262() {
    check(r"^\d+$", &["12"], &["", "1a", "٣"]);
    check(r"^\w+$", &["a_1"], &["é", "a b"]);
    check(r"^[\w-]+$", &["a-b"], &["a+b"]);
    check(r"^[^\s]+$", &["ab"], &["a b", "a\u{a0}b"]);
    check(r"^[\S\d]$", &["a"], &[" "]);
    check(r"^a\/b$", &["a/b"], &["ab"]);
    check(r"^{[a-z]}$", &["{a}"], &["a"]);
    check(r"^a{2,3}$", &["aa", "aaa"], &["a", "aaaa"]);
    check(r"^[[]$", &["["], &["]"]);
    check(r"^[a&&b]+$", &["a&b"], &["c"]);
    check(r"^\u00e9\x41$", &["éA"], &["eA"]);
    check(r"^\cA$", &["\u{1}"], &["A"]);
    check(r"^[^]$", &["x", "\n"], &[""]);
    check(r"^\p{Letter}+$", &["π"], &["1"]);
    check(r"\bfoo\b", &["a foo b"], &["food"]);
    check(r"^\-\@\!$", &["-@!"], &["-"]);
    check("x$", &["x"], &["x\n"]);
}

#[test]
fn what_cannot_be_linear_is_not_compiled() {
    for pattern in [r"(?=a)b", r"(?!a)b", r"(?<=a)b", r"(a)\1", "(", "[a", "a{100000000}"] {
        assert!(compile(pattern).is_none(), "{pattern}");
    }
    assert!(compile(&"(".repeat(100_000)).is_none());
    assert!(compile(&format!("{}{}", "(".repeat(500), ")".repeat(500))).is_none());
}
