//! What is read of a caller's deadline, and what is written.

use super::*;

#[test]
fn timeouts_of_grpc_are_read_in_every_unit() {
    for (text, expected) in [
        ("1H", Some(3_600_000)),
        ("2M", Some(120_000)),
        ("3S", Some(3_000)),
        ("40m", Some(40)),
        ("1500u", Some(2)),
        ("1n", Some(1)),
        ("99999999H", Some(359_999_996_400_000)),
        ("0m", Some(0)),
        ("", None),
        ("m", None),
        ("5", None),
        ("-5m", None),
        ("5 m", None),
        ("123456789m", None),
        ("5x", None),
    ] {
        assert_eq!(grpc_ms(text.as_bytes()), expected, "{text}");
    }
}

#[test]
fn numbers_are_digits_and_nothing_else() {
    for (text, expected) in [
        ("0", Some(0)),
        ("250", Some(250)),
        ("999999999999", Some(999_999_999_999)),
        ("", None),
        ("+5", None),
        ("5.5", None),
        ("1e3", None),
        ("9999999999999", None),
    ] {
        assert_eq!(number(text.as_bytes()), expected, "{text}");
    }
}

#[test]
fn what_is_left_is_told() {
    let deadline = Deadline { due_ms: 1_000, later_ms: 0, is_of_caller: false, is_grpc: false };
    assert_eq!(deadline.left(None, 400), None);
    let mut out = Vec::new();
    deadline.left(Some("X-Left"), 400).expect("told").write(&mut out);
    assert_eq!(out, b"X-Left: 600\r\n");
    assert!(deadline.left(Some("X-Left"), 400).expect("told").replaces(b"x_left"));
    // A gRPC call may go on after its answer has begun.
    let deadline = Deadline { is_grpc: true, later_ms: 4_000, ..deadline };
    assert_eq!(deadline.left(None, 400), Some(Left { name: GRPC_TIMEOUT, ms: 4_600, unit: "m" }));
    let late = Deadline { is_grpc: false, ..deadline };
    assert_eq!(late.left(Some("x"), 2_000).expect("told").ms, 0);
}
