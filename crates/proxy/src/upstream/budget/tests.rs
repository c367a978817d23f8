//! Tests of the retry budget.

use super::{Budget, FLOOR};

#[test]
fn a_quiet_service_may_retry_three_times_in_ten_seconds() {
    let budget = Budget::default();
    budget.deposit(0);
    let taken = (0..10).filter(|_| budget.take(20, 0)).count();
    assert_eq!(taken as u64, FLOOR);
    assert!(!budget.take(20, 9_999));
    assert!(budget.take(20, 10_000));
}

#[test]
fn a_budget_of_nothing_has_no_floor() {
    let budget = Budget::default();
    budget.deposit(0);
    assert!(!budget.take(0, 0));
}

/// Calls evenly spread over `seconds`, of which `failing(at_s)` in a hundred fail; each failed one wants two more attempts,
/// which fail alike. Returns calls and extra attempts.
fn storm(percent: u32, calls_per_s: u64, seconds: u64, failing: impl Fn(u64) -> u64) -> (u64, u64) {
    let budget = Budget::default();
    let (mut calls, mut extra) = (0, 0);
    let mut draw = 1_u64;
    for at_ms in (0..seconds * 1_000).step_by((1_000 / calls_per_s) as usize) {
        budget.deposit(at_ms);
        calls += 1;
        let mut attempts = 1;
        loop {
            draw = super::super::balance::mix(draw);
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
fn the_bound_holds_whenever_an_attempt_is_granted_and_in_all() {
    let budget = Budget::default();
    let mut log: Vec<(u64, bool)> = Vec::new();
    let mut draw = 7_u64;
    let mut at_ms = 0;
    for _ in 0..20_000 {
        draw = super::super::balance::mix(draw);
        at_ms += draw % 40;
        if draw & 0x10_0000 == 0 {
            budget.deposit(at_ms);
            log.push((at_ms, false));
            continue;
        }
        if !budget.take(20, at_ms) {
            continue;
        }
        log.push((at_ms, true));
        let recent = |then_ms: &u64| then_ms / 1_000 + 10 > at_ms / 1_000;
        let extra = log.iter().filter(|(then_ms, extra)| *extra && recent(then_ms)).count() as u64;
        let calls = log.iter().filter(|(then_ms, extra)| !extra && recent(then_ms)).count() as u64;
        assert!(extra <= (calls / 5).max(FLOOR), "{extra} for {calls} at {at_ms}");
    }
    let extra = log.iter().filter(|(_, extra)| *extra).count() as u64;
    let calls = log.len() as u64 - extra;
    assert!(extra <= calls / 5 + FLOOR, "{extra} for {calls}");
}

#[test]
fn threads_together_never_take_too_many() {
    let budget = Budget::default();
    for _ in 0..1_000 {
        budget.deposit(0);
    }
    let taken: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| (0..1_000).filter(|_| budget.take(20, 0)).count()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert!(taken <= 200, "{taken}");
    assert_eq!(budget.spent(0).1, taken as u64);
}
