//! Numbers compared and divided.

use std::cmp::Ordering;

use serde_json::Number;

use super::{is_integer, is_multiple, order};

fn number(text: &str) -> Number {
    text.parse().expect("a number")
}

#[test]
fn numbers_are_compared_exactly() {
    for (left, right, expected) in [
        ("1", "1.0", Ordering::Equal),
        ("9007199254740993", "9007199254740992.0", Ordering::Greater),
        ("18446744073709551615", "1.8446744073709552e19", Ordering::Less),
        ("-1", "-0.5", Ordering::Less),
        ("-2", "-1.5", Ordering::Less),
        ("-1", "-1.5", Ordering::Greater),
        ("5", "1e300", Ordering::Less),
        ("-5", "-1e300", Ordering::Greater),
        ("0.1", "0.2", Ordering::Less),
    ] {
        assert_eq!(order(&number(left), &number(right)), expected, "{left} {right}");
        assert_eq!(order(&number(right), &number(left)), expected.reverse(), "{right} {left}");
    }
}

#[test]
fn multiples_are_decimal() {
    for (of, by, expected) in [
        ("10", "2", true),
        ("7", "2", false),
        ("0", "1.5", true),
        ("4.5", "1.5", true),
        ("35", "1.5", false),
        ("0.0075", "0.0001", true),
        ("0.00751", "0.0001", false),
        ("1e308", "0.123456789", false),
        ("1e308", "0.5", true),
        ("12391239123", "1e-8", true),
        ("-0.3", "0.1", true),
        ("1", "1e300", false),
        ("18446744073709551615", "5", true),
        ("18446744073709551615", "0.7", false),
        ("1", "0", false),
    ] {
        assert_eq!(is_multiple(&number(of), &number(by)), expected, "{of} by {by}");
    }
}

#[test]
fn whole_numbers_are_integers_however_written() {
    for (text, expected) in
        [("1", true), ("1.0", true), ("1e3", true), ("1.5", false), ("-0.0", true)]
    {
        assert_eq!(is_integer(&number(text)), expected, "{text}");
    }
}
