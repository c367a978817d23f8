//! Names: what is one, and what was probably meant.

use super::Name;

#[test]
fn names() {
    for text in ["a", "0", "shop-2_x", "ABC", &"a".repeat(63)] {
        assert_eq!(Name::parse(text).unwrap().as_str(), text);
    }
    for (text, fix) in [
        ("my shop", "call it \"my-shop\", for example"),
        ("-x", "call it \"x\", for example"),
        ("", ""),
        ("\u{202e}", ""),
    ] {
        assert_eq!(Name::parse(text).unwrap_err().fix, fix);
    }
    assert!(!Name::parse("\u{1b}[31m").unwrap_err().message.contains('\u{1b}'));
}
