//! The deadline fires when it should, however it was moved. The runtime's clock is paused.

use std::future::poll_fn;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::Timer;

/// Moves the deadline as told and says at which millisecond it fired.
async fn fired_at(moves: &[(u64, u64)], wait_ms: u64) -> Option<u64> {
    let base = Instant::now();
    let mut timer = Timer::new(base);
    let mut moves = moves.iter().peekable();
    loop {
        let now = base.elapsed().as_millis() as u64;
        while let Some((at, due)) = moves.peek() {
            if *at > now {
                break;
            }
            timer.set(*due);
            moves.next();
        }
        let next = moves.peek().map_or(wait_ms, |(at, _)| *at);
        let left = Duration::from_millis(next.saturating_sub(now));
        match timeout(left, poll_fn(|cx| timer.poll(cx))).await {
            Ok(()) => return Some(base.elapsed().as_millis() as u64),
            Err(_) if moves.peek().is_none() => return None,
            Err(_) => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn fires_at_the_latest_deadline_set() {
    for (moves, expected) in [
        (&[(0, 50)][..], Some(50)),
        (&[(0, 50), (10, 100)], Some(100)),
        (&[(0, 100), (10, 50)], Some(50)),
        (&[(0, 50), (10, 100), (20, 60)], Some(60)),
        (&[(0, 50), (40, 90), (80, 120), (110, 130)], Some(130)),
        (&[(0, 100), (10, 500), (99, 150), (140, u64::MAX)], None),
    ] {
        let got = fired_at(moves, 1_000).await;
        // The runtime rounds up to its own millisecond.
        let near = match (got, expected) {
            (Some(got), Some(expected)) => got >= expected && got <= expected + 2,
            (got, expected) => got == expected,
        };
        assert!(near, "{moves:?}: {got:?}, expected {expected:?}");
    }
}
