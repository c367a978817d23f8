//! Tests of the breaker: a story is a list of steps with the clock moved by hand.

use super::{Breaker, BreakerRule, BreakerState, Change};

const RULE: BreakerRule =
    BreakerRule { failure_percent: 50, min_calls: 4, open_ms: 5_000, probes: 2 };

#[derive(Debug, Clone, Copy)]
enum Step {
    /// This many ordinary calls end well.
    Well(u32),
    /// This many ordinary calls fail.
    Fail(u32),
    /// The clock moves.
    After(u64),
    /// Whether a call is let in; it is taken up.
    Admitted(bool),
    /// The probe ends well, badly, without a verdict.
    ProbeWell,
    ProbeFails,
    ProbeLost,
    Is(BreakerState),
}

use BreakerState::{Closed, HalfOpen, Open};
use Step::{Admitted, After, Fail, Is, ProbeFails, ProbeLost, ProbeWell, Well};

fn check(rule: BreakerRule, story: &[Step]) {
    let breaker = Breaker::default();
    let mut now_ms = 1_000;
    for (at, step) in story.iter().enumerate() {
        match *step {
            Well(count) => (0..count).for_each(|_| breaker.call_succeeded(now_ms)),
            Fail(count) => (0..count).for_each(|_| {
                breaker.call_failed(rule, now_ms);
            }),
            After(ms) => now_ms += ms,
            Admitted(expected) => {
                assert_eq!(breaker.lets_in(now_ms), expected, "step {at} of {story:?}");
                assert_eq!(breaker.admit(now_ms), expected, "step {at} of {story:?}");
                breaker.claim();
            }
            ProbeWell => {
                breaker.probe_succeeded(rule);
            }
            ProbeFails => {
                breaker.probe_failed(rule, now_ms);
            }
            ProbeLost => breaker.release(),
            Is(expected) => assert_eq!(breaker.state(now_ms), expected, "step {at} of {story:?}"),
        }
    }
}

#[test]
fn opens_on_the_share_of_failures() {
    check(RULE, &[Fail(3), Is(Closed), Admitted(true)]);
    check(RULE, &[Fail(4), Is(Open), Admitted(false)]);
    check(RULE, &[Well(5), Fail(4), Is(Closed), Fail(1), Is(Open)]);
    check(RULE, &[Well(100), Fail(99), Is(Closed), Fail(1), Is(Open)]);
    check(BreakerRule { failure_percent: 0, ..RULE }, &[Fail(1_000), Is(Closed), Admitted(true)]);
    check(BreakerRule { failure_percent: 100, ..RULE }, &[Well(1), Fail(50), Is(Closed)]);
}

#[test]
fn forgets_what_is_older_than_ten_seconds() {
    check(RULE, &[Fail(3), After(10_000), Fail(1), Is(Closed)]);
    check(RULE, &[Well(100), After(10_000), Fail(4), Is(Open)]);
}

#[test]
fn probes_one_at_a_time_and_closes() {
    check(
        RULE,
        &[
            Fail(4),
            After(4_999),
            Admitted(false),
            After(1),
            Is(HalfOpen),
            Admitted(true),
            Admitted(false),
            ProbeWell,
            Is(HalfOpen),
            Admitted(true),
            Admitted(false),
            ProbeWell,
            Is(Closed),
            Admitted(true),
            Admitted(true),
        ],
    );
}

#[test]
fn a_failed_probe_opens_it_again() {
    let story = [
        Fail(4),
        After(5_000),
        Admitted(true),
        ProbeFails,
        Is(Open),
        Admitted(false),
        After(4_999),
        Admitted(false),
    ];
    check(RULE, &story);
    // Successes before do not count once one failed.
    check(
        RULE,
        &[
            Fail(4),
            After(5_000),
            Admitted(true),
            ProbeWell,
            Admitted(true),
            ProbeFails,
            After(5_000),
            Admitted(true),
            ProbeWell,
            Is(HalfOpen),
        ],
    );
}

#[test]
fn a_probe_without_a_verdict_makes_room_for_the_next() {
    check(
        RULE,
        &[
            Fail(4),
            After(5_000),
            Admitted(true),
            Admitted(false),
            ProbeLost,
            Admitted(true),
            ProbeWell,
            Is(HalfOpen),
        ],
    );
}

#[test]
fn failures_from_before_do_not_keep_it_open() {
    // Calls that began before it opened keep failing while it probes.
    check(
        RULE,
        &[
            Fail(4),
            After(5_000),
            Admitted(true),
            Fail(10),
            ProbeWell,
            Admitted(true),
            Fail(10),
            ProbeWell,
            Is(Closed),
        ],
    );
}

#[test]
fn closing_starts_with_a_clean_window() {
    check(
        RULE,
        &[
            Fail(4),
            After(5_000),
            Admitted(true),
            ProbeWell,
            Admitted(true),
            ProbeWell,
            Fail(3),
            Is(Closed),
            Fail(1),
            Is(Open),
        ],
    );
}

#[test]
fn a_probe_that_was_picked_and_never_begun_is_given_on() {
    let breaker = Breaker::default();
    (0..4).for_each(|_| {
        assert!(matches!(breaker.call_failed(RULE, 0), Change::None | Change::Opened))
    });
    assert!(breaker.admit(5_000));
    assert!(!breaker.admit(5_999));
    assert!(breaker.admit(6_000));
    assert!(breaker.claim());
    // Once begun it is never given on: its guard settles it.
    assert!(!breaker.admit(600_000));
}

#[test]
fn of_many_threads_one_probes() {
    let breaker = Breaker::default();
    (0..4).for_each(|_| {
        breaker.call_failed(RULE, 0);
    });
    let probes: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| usize::from(breaker.admit(5_000) && breaker.claim())))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(probes, 1);
}
