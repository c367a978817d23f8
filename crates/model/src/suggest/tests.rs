//! What is near enough to be suggested.

use super::closest;

#[test]
fn suggestions() {
    let known = ["limits", "timeout", "body_bytes", "ip", "auth"];
    for (word, meant) in [
        ("limts", Some("limits")),
        ("Timeout", Some("timeout")),
        ("bodyBytes", Some("body_bytes")),
        ("body-byte", Some("body_bytes")),
        ("ipp", Some("ip")),
        ("colour", None),
        ("1.1", None),
        ("", None),
    ] {
        assert_eq!(closest(word, known), meant, "{word}");
    }
    assert_eq!(closest(&"a".repeat(1_000_000), known), None);
}
