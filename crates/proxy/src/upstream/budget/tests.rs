//! Tests of the retry budget.

use super::super::balance::mix;
use super::{Budget, SAVED_MAX};

#[test]
fn nothing_is_there_at_the_start_and_a_quiet_service_saves() {
    let budget = Budget::default();
    assert!(!budget.take(20, 0));
    // One call in an hour: five of them are worth one attempt.
    for hour in 0..5 {
        assert!(!budget.take(20, hour * 3_600_000));
        budget.deposit(20, hour * 3_600_000);
    }
    assert!(budget.take(20, 5 * 3_600_000));
    assert!(!budget.take(20, 5 * 3_600_000));
}

#[test]
fn what_can_be_saved_has_an_end() {
    let budget = Budget::default();
    for _ in 0..10_000 {
        budget.deposit(20, 0);
    }
    let taken = (0..10_000).filter(|_| budget.take(20, 0)).count();
    assert_eq!(taken as u64, SAVED_MAX);
}

#[test]
fn a_budget_of_nothing_spends_nothing_that_was_saved() {
    let budget = Budget::default();
    for _ in 0..100 {
        budget.deposit(20, 0);
    }
    assert!(!budget.take(0, 0));
    assert!(budget.take(20, 0));
}

/// Calls evenly spread over `seconds`, of which `failing(at_s)` in a hundred fail; each failed one wants two more attempts,
/// which fail alike. Returns calls and extra attempts.
fn storm(percent: u32, calls_per_s: u64, seconds: u64, failing: impl Fn(u64) -> u64) -> (u64, u64) {
    let budget = Budget::default();
    let (mut calls, mut extra) = (0, 0);
    let mut draw = 1_u64;
    for at_ms in (0..seconds * 1_000).step_by((1_000 / calls_per_s) as usize) {
        budget.deposit(percent, at_ms);
        calls += 1;
        let mut attempts = 1;
        loop {
            draw = mix(draw);
            let failed = draw % 100 < failing(at_ms / 1_000);
            if !failed || attempts == 3 || !budget.take(percent, at_ms) {
                break;
            }
            attempts += 1;
            extra += 1;
        }
    }
    (calls, extra)
}

#[test]
fn a_retry_storm_adds_at_most_a_fifth() {
    let (calls, extra) = storm(20, 200, 120, |at_s| if at_s < 60 { 100 } else { 50 });
    assert!(extra * 100 <= calls * 20, "{extra} extra attempts for {calls} calls");
    assert!(extra * 100 >= calls * 19, "the budget is used: {extra} for {calls}");
}

#[test]
fn the_share_holds_at_every_moment_and_over_every_stretch() {
    for percent in [1, 7, 20, 50, 100] {
        let budget = Budget::default();
        // For each moment: the calls and the extra attempts so far.
        let mut so_far = vec![(0_u64, 0_u64)];
        let mut draw = u64::from(percent);
        for at_ms in 0..3_000 {
            draw = mix(draw);
            let (mut calls, mut extra) = so_far.last().copied().expect("the start");
            // Now and then nobody calls but many would try again, and the other way round.
            if draw & 0x300 != 0 {
                budget.deposit(percent, at_ms);
                calls += 1;
            }
            if draw & 0x7000 != 0 && budget.take(percent, at_ms) {
                extra += 1;
            }
            so_far.push((calls, extra));
            assert!(
                extra * 100 <= calls * u64::from(percent),
                "{extra} for {calls} at {percent} %"
            );
        }
        for (since, (calls_before, extra_before)) in so_far.iter().enumerate().step_by(7) {
            for (calls, extra) in so_far[since..].iter().step_by(11) {
                let share = (calls - calls_before) * u64::from(percent);
                assert!((extra - extra_before) * 100 <= share + SAVED_MAX * 100);
            }
        }
    }
}

#[test]
fn threads_together_never_take_too_many() {
    let budget = Budget::default();
    for _ in 0..450 {
        budget.deposit(20, 0);
    }
    let taken: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| (0..1_000).filter(|_| budget.take(20, 0)).count()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(taken, 90);
    assert_eq!(budget.spent(0), (450, 90));
}
