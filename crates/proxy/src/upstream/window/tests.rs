//! Tests of the window: sums as the clock moves.

use super::{Sums, Window};

/// Adds `(at_ms, first, second)` and compares the sums at a moment.
fn check(added: &[(u64, u64, u64)], at_ms: u64, expected: (u64, u64)) {
    let window = Window::default();
    for (at_ms, first, second) in added {
        window.add(*first, *second, *at_ms);
    }
    let sums = Sums { first: expected.0, second: expected.1 };
    assert_eq!(window.sums(at_ms), sums, "{added:?} at {at_ms}");
}

#[test]
fn ten_seconds_count() {
    check(&[], 0, (0, 0));
    check(&[(0, 1, 0)], 0, (1, 0));
    check(&[(0, 1, 1), (500, 2, 0)], 999, (3, 1));
    check(&[(0, 1, 1)], 9_999, (1, 1));
    check(&[(0, 1, 1)], 10_000, (0, 0));
    check(&[(0, 5, 0), (10_000, 1, 0)], 10_000, (1, 0));
    check(&[(3_000, 5, 2), (12_999, 1, 1)], 12_999, (6, 3));
    check(&[(3_000, 5, 2), (12_999, 1, 1)], 13_000, (1, 1));
}

#[test]
fn a_second_that_comes_round_again_is_not_counted_twice() {
    let round_ms = (1 << 24) * 1_000;
    check(&[(5_000, 7, 7), (round_ms + 20_000, 1, 0)], round_ms + 20_000, (1, 0));
}

#[test]
fn counts_saturate() {
    check(&[(0, u64::from(u32::MAX), 3)], 0, ((1 << 20) - 1, 3));
    check(&[(0, (1 << 20) - 1, 0), (0, 5, 1)], 0, ((1 << 20) - 1, 1));
}
