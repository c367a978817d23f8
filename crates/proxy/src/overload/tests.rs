//! When calls are refused, and whose.

use super::*;

/// Shares of each priority that are refused, in parts, after so many ticks of so much lag.
fn check(ticks: &[(u32, u64)], expected: [u64; 4]) {
    let overload = Overload::default();
    for (count, lag_ms) in ticks {
        (0..*count).for_each(|_| overload.judge(*lag_ms, 250));
    }
    let level = overload.level.get();
    let refused = Priority::ALL.iter().map(|priority| {
        (0..u64::from(PARTS)).filter(|draw| Overload::takes(level, *priority, *draw)).count() as u64
    });
    assert_eq!(refused.collect::<Vec<_>>(), expected, "{ticks:?}");
}

#[test]
fn the_lowest_go_first_and_the_highest_never() {
    check(&[(5, 300)], [0, 0, 0, 0]);
    check(&[(8, 300)], [30, 0, 0, 0]);
    check(&[(20, 300)], [100, 50, 0, 0]);
    check(&[(1_000, 9_000)], [100, 100, 100, 0]);
}

#[test]
fn a_moment_refuses_nobody_and_the_end_comes_within_a_second() {
    check(&[(5, 10_000), (1, 0), (5, 10_000)], [0, 0, 0, 0]);
    check(&[(1_000, 300), (3, 10)], [100, 50, 0, 0]);
    check(&[(1_000, 300), (6, 10)], [0, 0, 0, 0]);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn how_long_a_task_waits_is_measured() {
    let (overload, clock) = (Rc::<Overload>::default(), WorkerClock::start());
    tokio::time::advance(std::time::Duration::from_millis(100)).await;
    overload.tick(clock, 250);
    assert!(overload.asked_us.get().is_some());
    // Nobody has had a turn for so long.
    tokio::time::advance(std::time::Duration::from_millis(400)).await;
    tokio::task::yield_now().await;
    assert_eq!((overload.asked_us.get(), overload.lag_us()), (None, 400_000));
    assert_eq!(overload.level.get(), 0);
}
