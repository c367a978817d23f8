//! Moments as RFC 3339.

use super::*;

#[track_caller]
fn check(unix_ms: u64, expected: &str) {
    let mut stamp = Stamp::default();
    assert_eq!(std::str::from_utf8(stamp.at(unix_ms)).unwrap(), expected);
}

#[test]
fn known_times() {
    check(0, "1970-01-01T00:00:00.000Z");
    check(999, "1970-01-01T00:00:00.999Z");
    check(951_782_400_000, "2000-02-29T00:00:00.000Z");
    check(951_868_799_999, "2000-02-29T23:59:59.999Z");
    check(951_868_800_000, "2000-03-01T00:00:00.000Z");
    check(1_709_164_800_001, "2024-02-29T00:00:00.001Z");
    check(1_795_508_554_042, "2026-11-24T08:22:34.042Z");
    check(4_107_542_399_000, "2100-02-28T23:59:59.000Z");
    check(4_107_542_400_000, "2100-03-01T00:00:00.000Z");
    check(253_402_300_799_999, "9999-12-31T23:59:59.999Z");
}

#[test]
fn times_beyond_four_digits_of_year_stay_text() {
    check(u64::MAX, "9999-12-31T23:59:59.615Z");
}

#[test]
fn the_clock_may_go_back() {
    let mut stamp = Stamp::default();
    stamp.at(1_795_508_554_042);
    assert_eq!(stamp.at(1_795_508_553_007), b"2026-11-24T08:22:33.007Z");
}
