//! Dates as in any calendar.

use super::*;

/// `date` is a day, and begins `day` days after 1970-01-01.
#[track_caller]
fn check_month(day: u64, expected: (u64, u64)) {
    assert_eq!(month_of(day), expected, "day {day}");
}

#[test]
fn days_are_in_their_months() {
    check_month(0, (1970, 1));
    check_month(30, (1970, 1));
    check_month(31, (1970, 2));
    check_month(58, (1970, 2));
    check_month(59, (1970, 3));
    check_month(364, (1970, 12));
    check_month(365, (1971, 1));
    // 1972 was a leap year: 29 February is day 789.
    check_month(789, (1972, 2));
    check_month(790, (1972, 3));
    // 2000 was one although it ends a century: 29 February 2000, 1 March 2000.
    check_month(11_016, (2000, 2));
    check_month(11_017, (2000, 3));
    // 2024-02-29, 2024-12-31, 2025-01-01.
    check_month(19_782, (2024, 2));
    check_month(20_088, (2024, 12));
    check_month(20_089, (2025, 1));
    // 2100 will be none: 28 February, 1 March.
    check_month(47_540, (2100, 2));
    check_month(47_541, (2100, 3));
    check_month(DAY_MAX, (9999, 12));
}

#[test]
fn every_day_until_2200_follows_the_one_before() {
    const COMMON: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut day = 0;
    for year in 1970..2200 {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        for month in 1..=12 {
            assert_eq!(first_day(year, month), day, "{year}-{month}");
            let days = COMMON[month as usize - 1] + u64::from(leap && month == 2);
            for _ in 0..days {
                check_month(day, (year, month));
                day += 1;
            }
        }
    }
}

#[track_caller]
fn check_span(period: QuotaPeriod, unix_s: u64, seconds: u32, seconds_left: u32) {
    let span = Span::of(period, unix_s * 1_000);
    assert_eq!(
        (span.seconds(), span.seconds_left(unix_s * 1_000)),
        (seconds, seconds_left),
        "{unix_s}"
    );
}

#[test]
fn spans_have_the_length_of_their_day_or_month() {
    // 2024-02-29 12:00:00 UTC.
    check_span(QuotaPeriod::Day, 1_709_208_000, 86_400, 43_200);
    check_span(QuotaPeriod::Month, 1_709_208_000, 29 * 86_400, 43_200);
    // 2025-01-01 00:00:00 UTC, and a second before.
    check_span(QuotaPeriod::Month, 1_735_689_600, 31 * 86_400, 31 * 86_400);
    check_span(QuotaPeriod::Month, 1_735_689_599, 31 * 86_400, 1);
    // Far beyond every calendar: no panic.
    let _ = Span::of(QuotaPeriod::Month, u64::MAX).seconds_left(u64::MAX);
    let _ = Span::of(QuotaPeriod::Day, u64::MAX).seconds_left(0);
}

#[test]
fn a_clock_set_back_does_not_open_the_old_window() {
    let (today, yesterday) =
        (Span::of(QuotaPeriod::Day, 20 * DAY_MS), Span::of(QuotaPeriod::Day, 20 * DAY_MS - 1));
    let mut used = Used::default();
    assert_eq!(used.take(&yesterday, 2), Some(1));
    assert_eq!(used.take(&yesterday, 2), Some(0));
    assert_eq!(used.take(&yesterday, 2), None);
    assert_eq!(used.take(&today, 2), Some(1));
    assert_eq!(used.take(&yesterday, 2), Some(0), "counted in the later window");
    assert_eq!(used.take(&yesterday, 2), None);
    assert_eq!(used.take(&today, 2), None);
    used.give_back(&today);
    assert_eq!(used.take(&today, 2), Some(0));
}
