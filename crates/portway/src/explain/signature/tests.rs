//! Two texts, and where they differ.

use super::*;

#[test]
fn the_first_difference_has_a_place() {
    type Place = (usize, usize, usize);
    let cases: [(&str, &str, bool, Place, &str, &str); 5] = [
        ("a\nb", "a\nb", true, (3, 2, 2), "a\\nb⏹", "a\\nb⏹"),
        ("a\nb", "a\nc", false, (2, 2, 1), "a\\nb⏹", "a\\nc⏹"),
        ("a\n", "a", false, (1, 1, 2), "a\\n⏹", "a⏹"),
        ("", "x", false, (0, 1, 1), "⏹", "x⏹"),
        ("a b\u{e9}", "a\tb", false, (1, 1, 2), "a b\\xc3\\xa9⏹", "a\\tb⏹"),
    ];
    for (ours, yours, same, place, ours_shown, yours_shown) in cases {
        let compared = compare(ours.as_bytes(), yours.as_bytes());
        assert_eq!(compared.same, same, "{ours:?} {yours:?}");
        assert_eq!((compared.byte, compared.line, compared.column), place, "{ours:?} {yours:?}");
        assert_eq!((compared.ours.as_str(), compared.yours.as_str()), (ours_shown, yours_shown));
    }
    let long = "x".repeat(100);
    let compared = compare(format!("{long}a{long}").as_bytes(), long.as_bytes());
    assert_eq!(compared.ours, format!("…{}a{}…", "x".repeat(24), "x".repeat(23)));
    assert_eq!(compared.yours, format!("…{}⏹", "x".repeat(24)));
}
