//! The pace of questions, and forms.

use std::time::Duration;

use super::*;

#[test]
fn questions_have_a_pace() {
    let (pace, begun) = (Pace::default(), Instant::now());
    let later = |ms| begun + Duration::from_millis(ms);
    assert_eq!((0..100).filter(|_| pace.take(later(0))).count(), 20, "a burst");
    assert_eq!((0..100).filter(|_| pace.take(later(500))).count(), 10, "and then twenty a second");
    assert_eq!((0..100).filter(|_| pace.take(later(60_000))).count(), 20, "never more at once");
}

#[test]
fn forms_as_browsers_send_them() {
    let cases: [(&str, &[(&str, &str)]); 5] = [
        ("", &[]),
        ("a=b&c", &[("a", "b"), ("c", "")]),
        ("a=1+2%2B3&b=%3Cx%3E", &[("a", "1 2+3"), ("b", "<x>")]),
        ("=x&&a=b=c", &[("", "x"), ("a", "b=c")]),
        ("a=%ff%", &[("a", "\u{fffd}%")]),
    ];
    for (text, expected) in cases {
        let found = pairs(text.as_bytes());
        let found: Vec<(&str, &str)> =
            found.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(found, expected, "{text}");
    }
    assert_eq!(pairs(&b"a=b&".repeat(1_000)).len(), 64);
}
