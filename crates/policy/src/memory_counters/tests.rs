//! Counts of many values, from many threads, in a table that is too small.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use portway_model::{Limit, LimitBy, Name, Period, Plan as PlanDocument, Quota, QuotaPeriod};

use super::*;
use crate::{Plan, Value};

const NOON_MS: u64 = 1_709_208_000_000;

/// Rules that count per app: as a plan makes them.
fn rules(limits: &[(u32, Period)], quota: Option<(u64, QuotaPeriod)>) -> Vec<LimitRule> {
    let document = PlanDocument {
        limits: limits
            .iter()
            .map(|(count, period)| Limit { count: *count, period: *period, by: LimitBy::App })
            .collect(),
        quota: quota.map(|(count, period)| Quota { count, period }),
        concurrency: None,
        ..Default::default()
    };
    Plan::compile(&Name::new("gold").expect("a name"), &document).limits
}

fn take(
    counters: &MemoryCounters,
    rules: &[LimitRule],
    app: &str,
    now_us: u64,
) -> Result<LimitState, LimitState> {
    take_at(counters, rules, app, now_us, NOON_MS)
}

fn take_at(
    counters: &MemoryCounters,
    rules: &[LimitRule],
    app: &str,
    now_us: u64,
    unix_ms: u64,
) -> Result<LimitState, LimitState> {
    let wants: Vec<_> =
        rules.iter().map(|rule| Want { rule, app: Some(app), value: Value::All }).collect();
    counters.take(&wants, now_us, unix_ms).map(|state| state.expect("there is a limit"))
}

#[test]
fn the_tightest_answers() {
    let counters = MemoryCounters::default();
    let rules =
        rules(&[(3, Period::Second), (100, Period::Minute)], Some((1_000, QuotaPeriod::Month)));
    let state = take(&counters, &rules, "phone", 1_000).expect("the first call");
    assert_eq!(
        (state.rule.to_string(), state.limit, state.remaining),
        ("plan-second".to_owned(), 3, 2)
    );
    assert_eq!((state.reset_s, state.window_s), (1, 1));
    assert!(take(&counters, &rules, "phone", 1_000).is_ok());
    assert!(take(&counters, &rules, "phone", 1_000).is_ok());
    let state = take(&counters, &rules, "phone", 1_000).expect_err("the fourth in a second");
    assert_eq!((state.kind, state.remaining, state.reset_s), (Kind::Rate, 0, 1));
    // What was refused did not count in the others.
    let minute = Want { rule: &rules[1], app: Some("phone"), value: Value::All };
    let state = counters.take(&[minute], 1_000, 0).expect("97 left").expect("a state");
    assert_eq!(state.remaining, 96);
    assert_eq!(take(&counters, &rules, "watch", 1_000).expect("another app").remaining, 2);
    assert_eq!(counters.take(&[], 0, 0), Ok(None));
}

#[test]
fn of_several_that_refuse_the_longest_is_told() {
    let counters = MemoryCounters::default();
    let rules = rules(&[(1, Period::Second), (1, Period::Hour)], Some((1, QuotaPeriod::Day)));
    take(&counters, &rules, "phone", 0).expect("the first call");
    let state = take(&counters, &rules, "phone", 1).expect_err("the second call");
    assert_eq!(
        (state.kind, state.rule.to_string(), state.reset_s),
        (Kind::Quota, "plan-day".to_owned(), 43_200)
    );
}

#[test]
fn a_lowered_limit_keeps_what_was_counted() {
    let counters = MemoryCounters::default();
    let (before, after) = (rules(&[(10, Period::Hour)], None), rules(&[(4, Period::Hour)], None));
    assert_eq!(before[0].id, after[0].id);
    for _ in 0..4 {
        take(&counters, &before, "phone", 5).expect("ten are allowed");
    }
    assert!(take(&counters, &after, "phone", 6).is_err());
    assert_eq!(take(&counters, &before, "phone", 7).expect("raised again").remaining, 5);
}

#[test]
fn a_quota_begins_anew_with_the_month_in_utc() {
    let counters = MemoryCounters::default();
    let rules = rules(&[], Some((2, QuotaPeriod::Month)));
    // Half a second before 2024-03-01.
    let end_ms = 1_709_251_199_500;
    assert_eq!(take_at(&counters, &rules, "phone", 0, end_ms).expect("one").remaining, 1);
    assert_eq!(take_at(&counters, &rules, "phone", 0, end_ms).expect("two").remaining, 0);
    let refused = take_at(&counters, &rules, "phone", 0, end_ms).expect_err("three");
    assert_eq!((refused.kind, refused.reset_s, refused.window_s), (Kind::Quota, 1, 29 * 86_400));
    assert_eq!(take_at(&counters, &rules, "phone", 0, end_ms + 500).expect("March").remaining, 1);
    // The clock is set back into February: the count goes on in March.
    assert_eq!(take_at(&counters, &rules, "phone", 0, end_ms).expect("March").remaining, 0);
    assert!(take_at(&counters, &rules, "phone", 0, end_ms).is_err());
}

#[test]
fn eight_threads_admit_exactly_what_is_allowed() {
    let counters = MemoryCounters::default();
    let rules = rules(&[(5_000, Period::Second)], Some((17_000, QuotaPeriod::Day)));
    for (round, expected) in [(0, 5_000), (1, 5_000), (2, 5_000), (3, 2_000), (4, 0)] {
        let admitted = AtomicU64::new(0);
        thread::scope(|scope| {
            for thread in 0..8_u64 {
                let (counters, rules, admitted) = (&counters, &rules, &admitted);
                scope.spawn(move || {
                    for call in 0..2_000_u64 {
                        // Threads see slightly different times, also older ones than others already used.
                        let now_us = round * 1_100_000 + (call * 7 + thread * 13) % 90;
                        if take(counters, rules, "phone", now_us).is_ok() {
                            admitted.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let admitted = admitted.into_inner();
        // A call that a later limit refuses holds a place in an earlier one for a moment. With one limit that
        // is tight nothing of it can be lost.
        assert_eq!(admitted, expected, "round {round}");
    }
}

#[test]
fn two_tight_limits_under_threads_are_never_over() {
    let counters = MemoryCounters::default();
    let rules =
        rules(&[(1_000, Period::Second), (1_000, Period::Minute)], Some((1_000, QuotaPeriod::Day)));
    let admitted = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..1_000 {
                    if take(&counters, &rules, "phone", 9).is_ok() {
                        admitted.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let admitted = admitted.into_inner();
    assert!((999..=1_000).contains(&admitted), "{admitted}");
}

#[test]
fn a_million_hostile_values_stay_within_bounds() {
    let counters = MemoryCounters::new(1_000_000);
    let rules = rules(&[(5, Period::Hour)], None);
    let mut name = String::new();
    for number in 0..1_000_000_u32 {
        use std::fmt::Write as _;
        name.clear();
        write!(name, "app-{number}").expect("a string takes all");
        take(&counters, &rules, &name, u64::from(number)).expect("its first call");
    }
    let size = counters.size();
    assert_eq!((size.counts, size.overflowed), (1_000_000, 0));
    assert!(size.bytes / size.counts <= 100, "{} bytes each: {size:?}", size.bytes / size.counts);
    println!("{size:?}, {} bytes each", size.bytes / size.counts);
    // A second million finds no room: memory stays, and nobody gets more than is allowed.
    for number in 0..1_000_000_u32 {
        use std::fmt::Write as _;
        name.clear();
        write!(name, "bad-{number}").expect("a string takes all");
        let _ = take(&counters, &rules, &name, u64::from(number));
    }
    let full = counters.size();
    assert!(full.counts <= 1_000_000 + 1_000_000 / 16 + 2 * SHARDS, "{full:?}");
    assert!(full.bytes <= size.bytes + size.bytes / 8, "{full:?}");
    assert!(full.overflowed > 900_000, "{full:?}");
    // Those that were there before notice nothing.
    assert_eq!(take(&counters, &rules, "app-7", 1_000_000).expect("its second call").remaining, 3);
}

#[test]
fn a_full_table_shares_and_forgives_later() {
    let counters = MemoryCounters::new(4);
    let rules = rules(&[(2, Period::Second)], None);
    for app in ["a", "b", "c", "d"] {
        take(&counters, &rules, app, 0).expect("its first call");
    }
    // No room for e, f, g: they share two calls.
    take(&counters, &rules, "e", 1).expect("the first of the shared");
    take(&counters, &rules, "f", 1).expect("the second of the shared");
    assert!(take(&counters, &rules, "g", 1).is_err());
    assert_eq!(counters.size().overflowed, 3);
    assert!(take(&counters, &rules, "a", 1).is_ok(), "has its own");
    // A second after their last call a, b, c, d are forgotten. e gets its own count, and what it may have used
    // in the shared one is held against it.
    assert!(take(&counters, &rules, "e", 1_000_000).is_err());
    assert!(take(&counters, &rules, "e", 1_000_001).is_ok());
    assert!(take(&counters, &rules, "g", 1_000_001).is_ok(), "has its own now");
}

#[test]
fn values_that_say_nothing_any_more_are_reclaimed() {
    let counters = MemoryCounters::new(1_000);
    let rules = rules(&[(2_000, Period::Second)], None);
    for round in 0..50_u64 {
        for number in 0..500_u64 {
            for call in 0..12 {
                let now_us = round * 1_500_000 + number + call * 600;
                take(&counters, &rules, &format!("{round}-{number}"), now_us)
                    .expect("far from its limit");
            }
        }
    }
    let size = counters.size();
    assert_eq!(size.overflowed, 0);
    assert!(size.counts <= 1_001, "{size:?}");
    // Steady calls of one app bring the rest back.
    for call in 0..40_000 {
        take(&counters, &rules, "steady", 100_000_000 + call * 600).expect("far from its limit");
    }
    assert_eq!(counters.size().counts, 1);
}

#[test]
fn all_spellings_of_a_parameter_count_together() {
    let counters = MemoryCounters::default();
    let rules = rules(&[(100, Period::Second)], None);
    let hash =
        |value: &'static str| counters.hash(rules[0].id, None, Value::Encoded(value.as_bytes()));
    for (a, b) in
        [("ab", "%61b"), ("ab", "%61%62"), ("a+b", "a%20b"), ("a+b", "a%2Bb"), ("%2f", "%2F")]
    {
        assert_eq!(hash(a), hash(b), "{a} {b}");
    }
    for (a, b) in [("ab", "ba"), ("ab", "AB"), ("", "%00"), ("%zz", "%z"), ("a", "")] {
        assert_ne!(hash(a), hash(b), "{a} {b}");
    }
    let all = |app, value| counters.hash(rules[0].id, app, value);
    let different = [
        all(None, Value::All),
        all(Some(""), Value::All),
        all(Some("a"), Value::All),
        all(None, Value::Absent),
        all(None, Value::Text(b"")),
        all(None, Value::Text(b"a")),
        all(None, Value::Network(1)),
        all(None, Value::Network(2)),
    ];
    for (index, hash) in different.iter().enumerate() {
        assert!(!different[..index].contains(hash), "{index}");
    }
}

#[test]
fn networks_are_what_one_caller_has() {
    let same = [
        ("192.0.2.1", "::ffff:192.0.2.1"),
        ("2001:db8::1", "2001:db8::ffff:1"),
        ("2001:db8:0:1::", "2001:db8:0:1:8::"),
    ];
    for (a, b) in same {
        assert_eq!(network(a), network(b), "{a} {b}");
    }
    for (a, b) in [
        ("192.0.2.1", "192.0.2.2"),
        ("2001:db8::1", "2001:db8:0:1::1"),
        ("192.0.2.1", "2001:db8::1"),
    ] {
        assert_ne!(network(a), network(b), "{a} {b}");
    }
}

fn network(address: &str) -> Value<'static> {
    Value::network(address.parse().expect("an address"))
}

/// Looking is not counting, and tells what a call would meet.
#[test]
fn a_look_counts_nothing() {
    let counters = MemoryCounters::default();
    let rules = rules(&[(3, Period::Second)], Some((2, QuotaPeriod::Day)));
    let wants: Vec<_> =
        rules.iter().map(|rule| Want { rule, app: Some("phone"), value: Value::All }).collect();
    let left = |counters: &MemoryCounters| -> Vec<u64> {
        wants.iter().map(|want| counters.peek(want, 1_000, NOON_MS).remaining).collect()
    };
    let full: Vec<u64> = left(&counters);
    assert_eq!((full.iter().max(), full.iter().min()), (Some(&3), Some(&2)));
    assert_eq!((left(&counters), counters.size().counts), (full, 0));
    for _ in 0..2 {
        assert!(take(&counters, &rules, "phone", 1_000).is_ok());
    }
    let after = left(&counters);
    assert_eq!((after.iter().max(), after.iter().min()), (Some(&1), Some(&0)));
    assert!(take(&counters, &rules, "phone", 1_000).is_err());
    assert_eq!(left(&counters), after);
    assert_eq!(counters.inside(7, None), 0);
    let gate = counters.enter(7, None, 2);
    assert_eq!((counters.inside(7, None), counters.inside(7, Some("phone"))), (1, 0));
    drop(gate);
    assert_eq!(counters.inside(7, None), 0);
}
