//! The sliding window against the plainest thing that counts right: the list of all admissions.

use proptest::prelude::*;

use super::*;

const SECOND_US: u64 = 1_000_000;
static PLENTY: Budget = Budget::new(usize::MAX / 2);

/// In no stretch as long as the period are more than `count`.
fn never_over(admitted: &[u64], count: u32, period_us: u64) -> Result<(), String> {
    let mut times = admitted.to_vec();
    times.sort_unstable();
    for pair in times.windows(count as usize + 1) {
        let stretch_us = pair[count as usize] - pair[0];
        if stretch_us < period_us {
            return Err(format!("{} calls in {stretch_us} µs from {} on", count + 1, pair[0]));
        }
    }
    Ok(())
}

#[derive(Debug, Clone)]
enum Step {
    Wait(u64),
    Burst(u32),
    GiveBack(prop::sample::Index),
    Late(u64),
}

fn step(period_us: u64) -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..period_us / 3).prop_map(Step::Wait),
        4 => (0..period_us / 1_000).prop_map(Step::Wait),
        1 => (period_us - 3..period_us + 3).prop_map(Step::Wait),
        1 => (0..period_us * 3).prop_map(Step::Wait),
        8 => (1_u32..40).prop_map(Step::Burst),
        2 => any::<prop::sample::Index>().prop_map(Step::GiveBack),
        1 => (1..period_us).prop_map(Step::Late),
    ]
}

fn cases() -> impl Strategy<Value = (u64, u32, usize, u64, Vec<Step>)> {
    let periods = prop::sample::select(vec![SECOND_US, 60 * SECOND_US, 86_400 * SECOND_US]);
    (periods, 1_u32..200, prop::sample::select(vec![0_usize, 16, usize::MAX / 2]), any::<u32>())
        .prop_flat_map(|(period_us, count, budget, start)| {
            let steps = prop::collection::vec(step(period_us), 1..120);
            // Around the place where the 40 bits of a run begin anew.
            let start_us = (1_u64 << 40) - period_us.min(1 << 30) + u64::from(start % 1_000);
            (Just(period_us), Just(count), Just(budget), Just(start_us), steps)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn is_never_over((period_us, count, budget, start_us, steps) in cases()) {
        let budget = Budget::new(budget);
        let mut log = Log::default();
        let mut now_us = start_us;
        let mut latest_us = 0;
        let mut admitted: Vec<u64> = Vec::new();
        for step in steps {
            match step {
                Step::Wait(wait_us) => now_us += wait_us,
                Step::Burst(calls) => {
                    for _ in 0..calls {
                        if log.take(now_us, count, period_us, &budget).is_ok() {
                            latest_us = now_us.max(latest_us);
                            admitted.push(latest_us);
                        }
                    }
                }
                Step::GiveBack(which) => {
                    let young = admitted.iter().filter(|time| now_us - **time < period_us).count();
                    if young > 0 {
                        let index = admitted.len() - 1 - which.index(young);
                        log.give_back(admitted.remove(index));
                    }
                }
                // A thread that read the clock, was stopped, and comes late.
                Step::Late(late_us) => {
                    if log.take(now_us - late_us, count, period_us, &budget).is_ok() {
                        latest_us = latest_us.max(now_us - late_us);
                        admitted.push(latest_us);
                    }
                }
            }
            prop_assert!(log.total <= count);
            prop_assert!(log.heap_runs() <= RUNS_MAX);
        }
        never_over(&admitted, count, period_us).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn a_call_after_the_time_told_is_admitted((period_us, count, _, start_us, steps) in cases()) {
        let mut log = Log::default();
        let mut now_us = start_us;
        for step in steps {
            match step {
                Step::Wait(wait_us) => now_us += wait_us,
                Step::Burst(calls) => {
                    for _ in 0..calls {
                        if let Err(standing) = log.take(now_us, count, period_us, &PLENTY) {
                            prop_assert!(standing.reset_us > 0);
                            let mut later = log.clone();
                            prop_assert!(later.take(now_us + standing.reset_us - 1, count, period_us, &PLENTY).is_err());
                            let mut later = log.clone();
                            prop_assert!(later.take(now_us + standing.reset_us, count, period_us, &PLENTY).is_ok());
                        }
                    }
                }
                Step::GiveBack(_) | Step::Late(_) => {}
            }
        }
    }

    #[test]
    fn a_small_count_is_an_exact_log(
        count in 1_u32..=EXACT_COUNT,
        waits in prop::collection::vec(0_u64..300_000, 1..400),
    ) {
        let mut log = Log::default();
        let mut oracle: Vec<u64> = Vec::new();
        let mut now_us = 77;
        for wait_us in waits {
            now_us += wait_us;
            oracle.retain(|time| now_us - time < SECOND_US);
            let expected = oracle.len() < count as usize;
            if expected {
                oracle.push(now_us);
            }
            prop_assert_eq!(log.take(now_us, count, SECOND_US, &PLENTY).is_ok(), expected);
        }
    }
}

/// A generator of odd numbers: the same ones each time.
struct Odd(u64);

impl Odd {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Calls come without end, about one in `gap_us`. For as many calls as the log admits it may need 0.1 % more time
/// than the exact list does.
fn check_usable(count: u32, period_us: u64, gap_us: u64, warm: &str) {
    let mut odd = Odd(0x2545_f491_4f6c_dd1d);
    let (mut log, mut exact) = (Log::default(), std::collections::VecDeque::new());
    let mut now_us = 1_000_000_007;
    let mut times = Vec::new();
    // Before saturation, calls come in some order of their own that shapes the first runs.
    for _ in 0..count {
        now_us += match warm {
            "at once" => 0,
            "evenly" => period_us / u64::from(count),
            _ => odd.below(2 * period_us / u64::from(count) + 1),
        };
        times.push(now_us);
    }
    let start_us = now_us;
    let periods = if count > 10_000 { 4 } else { 8 };
    while now_us < start_us + periods * period_us {
        now_us += 1 + odd.below(2 * gap_us - 1);
        times.push(now_us);
    }
    let (mut admitted, mut by_list) = (Vec::new(), Vec::new());
    for now_us in times {
        while exact.front().is_some_and(|time| now_us - time >= period_us) {
            exact.pop_front();
        }
        if exact.len() < count as usize {
            exact.push_back(now_us);
            by_list.push(now_us);
        }
        if log.take(now_us, count, period_us, &PLENTY).is_ok() {
            admitted.push(now_us);
        }
    }
    never_over(&admitted, count, period_us).expect("never over");
    assert!(admitted.len() as u64 > u64::from(count) * (periods - 1), "it is saturated");
    let last = admitted.len() - 1;
    let (needed_us, best_us) = (admitted[last] - start_us, by_list[last] - start_us);
    println!(
        "{count} in {period_us} µs, {warm}: {:.4} %",
        best_us as f64 / needed_us as f64 * 100.0
    );
    assert!(
        needed_us as f64 * 0.999 <= best_us as f64,
        "{count} in {period_us} µs, a call in {gap_us} µs, {warm}: {needed_us} µs for what needs {best_us} µs"
    );
}

#[test]
fn at_saturation_nearly_all_can_be_used() {
    for warm in ["at once", "evenly", "oddly"] {
        check_usable(1, SECOND_US, 10, warm);
        check_usable(7, SECOND_US, 10, warm);
        check_usable(33, SECOND_US, 5, warm);
        check_usable(100, SECOND_US, 20, warm);
        check_usable(1_000, SECOND_US, 20, warm);
        check_usable(3_333, SECOND_US, 10, warm);
        check_usable(50_000, SECOND_US, 5, warm);
        check_usable(1_000, 60 * SECOND_US, 1_000, warm);
        check_usable(10_000, 86_400 * SECOND_US, 1_000_000, warm);
    }
}

#[test]
fn runs_stay_bounded_for_any_count() {
    let budget = Budget::new(usize::MAX / 2);
    let mut log = Log::default();
    let mut now_us = 0;
    for _ in 0..200_000 {
        now_us += 40;
        let _ = log.take(now_us, 1_000_000_000, SECOND_US, &budget);
    }
    assert!(log.runs.len() <= 2_050, "{} runs", log.runs.len());
    assert!(log.heap_runs() <= RUNS_MAX);
    assert_eq!(budget.used(), log.heap_runs());
    log.free(&budget);
    assert_eq!(budget.used(), 0);
}

#[test]
fn without_memory_it_is_coarser_and_never_over() {
    let budget = Budget::new(0);
    let mut log = Log::default();
    let mut admitted = Vec::new();
    for now_us in (0..10 * SECOND_US).step_by(100) {
        if log.take(now_us, 500, SECOND_US, &budget).is_ok() {
            admitted.push(now_us);
        }
    }
    never_over(&admitted, 500, SECOND_US).expect("never over");
    assert_eq!(budget.used(), 0);
    assert!(admitted.len() > 2_500, "half of the allowance stays usable: {}", admitted.len());
}

#[test]
fn more_in_one_run_than_its_bits_hold() {
    let mut log = Log { total: 0, ..Log::default() };
    log.runs.push_back(Run::new(5, Run::COUNT_MAX));
    log.total = Run::COUNT_MAX;
    log.last_us = 5;
    for _ in 0..3 {
        log.take(6, 1_000_000_000, SECOND_US, &PLENTY).expect("there is room");
    }
    assert_eq!((log.total, log.runs.len()), (Run::COUNT_MAX + 3, 2));
    let later = log.look(5 + SECOND_US, 1_000_000_000, SECOND_US);
    assert_eq!(later.remaining, 1_000_000_000 - 3);
}

#[test]
fn a_lowered_count_holds_at_once_and_tells_when() {
    let mut log = Log::default();
    for now_us in 0..10 {
        log.take(now_us * 100_000, 10, SECOND_US, &PLENTY).expect("ten are allowed");
    }
    // Ten are in the log, four are allowed now: six plus one must go, the seventh was at 600 ms.
    let refused = log.take(950_000, 4, SECOND_US, &PLENTY).expect_err("ten are more than four");
    assert_eq!(refused, Standing { remaining: 0, reset_us: 650_000 });
    assert!(log.take(1_599_999, 4, SECOND_US, &PLENTY).is_err());
    assert!(log.take(1_600_000, 4, SECOND_US, &PLENTY).is_ok());
}

#[test]
fn calls_taken_back_leave_no_runs_behind() {
    let mut log = Log::default();
    for now_us in 0..10_000 {
        log.take(now_us * 20, 32, SECOND_US, &PLENTY).expect("all others were taken back");
        log.give_back(now_us * 20);
    }
    assert_eq!((log.total, log.heap_runs()), (0, 0));
    assert!(log.is_idle(200_000, SECOND_US));
}
