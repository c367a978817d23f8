//! Tests of the gate: order, time-outs, cancelling, and exactness under threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::Gate;
use crate::failure::{Failure, Fault};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn places_go_in_order_of_arrival() {
    let gate = Arc::new(Gate::new(1, 10));
    let first = gate.try_enter().unwrap();
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut waiting = Vec::new();
    for number in 0..5 {
        let (gate, order) = (Arc::clone(&gate), Arc::clone(&order));
        waiting.push(tokio::spawn(async move {
            let _place = gate.enter(SECOND).await.unwrap();
            order.lock().unwrap().push(number);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }));
        tokio::task::yield_now().await;
    }
    assert_eq!((gate.inside(), gate.waiting()), (1, 5));
    assert!(gate.try_enter().is_none(), "nobody overtakes those who wait");
    drop(first);
    for task in waiting {
        task.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4]);
    assert_eq!((gate.inside(), gate.waiting()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_bounded_and_waits_only_so_long() {
    let gate = Arc::new(Gate::new(1, 1));
    let _inside = gate.try_enter().unwrap();
    let waiting = tokio::spawn({
        let gate = Arc::clone(&gate);
        async move { gate.enter(SECOND).await.map(drop) }
    });
    tokio::task::yield_now().await;
    assert_eq!(gate.enter(SECOND).await.map(drop), Err(Failure::last(Fault::QueueFull)));
    let began = tokio::time::Instant::now();
    assert_eq!(waiting.await.unwrap(), Err(Failure::last(Fault::QueueTimeout)));
    assert_eq!(began.elapsed(), SECOND);
    assert_eq!((gate.inside(), gate.waiting(), gate.refused()), (1, 0, (1, 1)));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_goes_away_leaves_the_queue() {
    let gate = Arc::new(Gate::new(1, 8));
    let inside = gate.try_enter().unwrap();
    let spawn = || {
        let gate = Arc::clone(&gate);
        tokio::spawn(async move { gate.enter(SECOND).await.map(drop) })
    };
    let (one, two, three) = (spawn(), spawn(), spawn());
    tokio::task::yield_now().await;
    two.abort();
    let _ = two.await;
    assert_eq!(gate.waiting(), 2);
    // Granted and cancelled in the same moment: the place goes on.
    drop(inside);
    one.abort();
    let _ = one.await;
    assert_eq!(three.await.unwrap(), Ok(()));
    assert_eq!((gate.inside(), gate.waiting()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn bounds_can_change() {
    let gate = Arc::new(Gate::new(1, 8));
    let first = gate.try_enter().unwrap();
    let waiting = tokio::spawn({
        let gate = Arc::clone(&gate);
        async move { gate.enter(SECOND).await }
    });
    tokio::task::yield_now().await;
    gate.resize(2, 8);
    let second = waiting.await.unwrap().unwrap();
    assert_eq!(gate.inside(), 2);
    gate.resize(1, 8);
    drop(first);
    assert!(gate.try_enter().is_none());
    drop(second);
    assert!(gate.try_enter().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_lowered_bound_holds_though_calls_wait() {
    let gate = Arc::new(Gate::new(3, 8));
    let mut inside: Vec<_> = (0..3).map(|_| gate.try_enter().unwrap()).collect();
    let waiting = tokio::spawn({
        let gate = Arc::clone(&gate);
        async move { gate.enter(SECOND).await }
    });
    tokio::task::yield_now().await;
    gate.resize(1, 8);
    inside.pop();
    inside.pop();
    tokio::task::yield_now().await;
    assert_eq!((gate.inside(), gate.waiting()), (1, 1));
    inside.pop();
    let _place = waiting.await.unwrap().unwrap();
    assert_eq!((gate.inside(), gate.waiting()), (1, 0));
}

#[test]
fn threads_never_exceed_the_bound_and_lose_nobody() {
    const MAX: u32 = 5;
    let gate = Arc::new(Gate::new(MAX, 10_000));
    let (inside, most, done) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (gate, inside, most, done) = (&gate, &inside, &most, &done);
            scope.spawn(move || {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                runtime.block_on(async {
                    let calls: Vec<_> = (0..2_000_u64)
                        .map(|call| async move {
                            let patience = if (call + thread) % 7 == 0 {
                                Duration::from_micros(300)
                            } else {
                                60 * SECOND
                            };
                            let Ok(_place) = gate.enter(patience).await else { return };
                            most.fetch_max(
                                inside.fetch_add(1, Ordering::SeqCst) + 1,
                                Ordering::SeqCst,
                            );
                            tokio::task::yield_now().await;
                            inside.fetch_sub(1, Ordering::SeqCst);
                            done.fetch_add(1, Ordering::SeqCst);
                        })
                        .collect();
                    let mut running = std::collections::VecDeque::new();
                    for call in calls {
                        running.push_back(Box::pin(call));
                    }
                    // Polled together, forty at a time.
                    while !running.is_empty() {
                        let batch: Vec<_> = running.drain(..running.len().min(40)).collect();
                        join(batch).await;
                    }
                });
            });
        }
    });
    assert!(most.load(Ordering::SeqCst) <= MAX);
    assert_eq!((gate.inside(), gate.waiting()), (0, 0));
    let refused = gate.refused();
    assert_eq!(done.load(Ordering::SeqCst) + refused.1, 8_000);
    assert_eq!(refused.0, 0);
}

/// Drives futures together until all have ended.
async fn join<F: Future<Output = ()> + Unpin>(mut futures: Vec<F>) {
    std::future::poll_fn(|context| {
        futures.retain_mut(|future| std::pin::Pin::new(future).poll(context).is_pending());
        if futures.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}
