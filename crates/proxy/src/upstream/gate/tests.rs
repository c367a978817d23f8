//! Tests of the gate: order, time-outs, cancelling, and exactness under threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use portway_model::Priority;

use super::{Gate, Patience, Place};
use crate::failure::{Failure, Fault};

const SECOND: Duration = Duration::from_secs(1);

async fn enter(gate: &Arc<Gate>, most: Duration) -> Result<Place, Failure> {
    enter_as(gate, Priority::Normal, most).await
}

async fn enter_as(gate: &Arc<Gate>, priority: Priority, most: Duration) -> Result<Place, Failure> {
    gate.enter(priority, Patience { most, look: most, since_ms: 0 }, || {}).await
}

/// Refused because the queue was full, and because the time was over.
fn refused(gate: &Gate) -> (u64, u64) {
    gate.refused().iter().fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1))
}

#[tokio::test(start_paused = true)]
async fn places_go_in_order_of_arrival() {
    let gate = Arc::new(Gate::new(1, 10));
    let first = gate.try_enter(true).unwrap();
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut waiting = Vec::new();
    for number in 0..5 {
        let (gate, order) = (Arc::clone(&gate), Arc::clone(&order));
        waiting.push(tokio::spawn(async move {
            let _place = enter(&gate, SECOND).await.unwrap();
            order.lock().unwrap().push(number);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }));
        tokio::task::yield_now().await;
    }
    assert_eq!((gate.inside(), gate.waiting()), (1, 5));
    assert!(gate.try_enter(true).is_none(), "nobody overtakes those who wait");
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
    let _inside = gate.try_enter(true).unwrap();
    let waiting = tokio::spawn({
        let gate = Arc::clone(&gate);
        async move { enter(&gate, SECOND).await.map(drop) }
    });
    tokio::task::yield_now().await;
    assert_eq!(enter(&gate, SECOND).await.map(drop), Err(Failure::last(Fault::QueueFull)));
    let began = tokio::time::Instant::now();
    assert_eq!(waiting.await.unwrap(), Err(Failure::last(Fault::QueueTimeout)));
    assert_eq!(began.elapsed(), SECOND);
    assert_eq!((gate.inside(), gate.waiting(), refused(&gate)), (1, 0, (1, 1)));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_goes_away_leaves_the_queue() {
    let gate = Arc::new(Gate::new(1, 8));
    let inside = gate.try_enter(true).unwrap();
    let spawn = || {
        let gate = Arc::clone(&gate);
        tokio::spawn(async move { enter(&gate, SECOND).await.map(drop) })
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
    let first = gate.try_enter(true).unwrap();
    let waiting = tokio::spawn({
        let gate = Arc::clone(&gate);
        async move { enter(&gate, SECOND).await }
    });
    tokio::task::yield_now().await;
    gate.resize(2, 8);
    let second = waiting.await.unwrap().unwrap();
    assert_eq!(gate.inside(), 2);
    gate.resize(1, 8);
    drop(first);
    assert!(gate.try_enter(true).is_none());
    drop(second);
    assert!(gate.try_enter(true).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_lowered_bound_holds_though_calls_wait() {
    let gate = Arc::new(Gate::new(3, 8));
    let mut inside: Vec<_> = (0..3).map(|_| gate.try_enter(true).unwrap()).collect();
    let waiting = tokio::spawn({
        let gate = Arc::clone(&gate);
        async move { enter(&gate, SECOND).await }
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
                            let Ok(_place) = enter(gate, patience).await else { return };
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
    let refused = refused(&gate);
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

#[tokio::test(start_paused = true)]
async fn places_go_by_priority() {
    let gate = Arc::new(Gate::new(1, 10));
    let first = gate.try_enter(true).unwrap();
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut waiting = Vec::new();
    for (number, priority) in
        [Priority::Low, Priority::Normal, Priority::Critical, Priority::Low, Priority::High]
            .into_iter()
            .enumerate()
    {
        let (gate, order) = (Arc::clone(&gate), Arc::clone(&order));
        waiting.push(tokio::spawn(async move {
            let _place = enter_as(&gate, priority, SECOND).await.unwrap();
            order.lock().unwrap().push(number);
        }));
        tokio::task::yield_now().await;
    }
    drop(first);
    for task in waiting {
        task.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), [2, 4, 1, 0, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_higher_priority_takes_the_place_of_who_came_last_of_the_lowest() {
    let gate = Arc::new(Gate::new(1, 2));
    let inside = gate.try_enter(true).unwrap();
    let spawn = |priority| {
        let gate = Arc::clone(&gate);
        tokio::spawn(async move { enter_as(&gate, priority, SECOND).await.map(drop) })
    };
    let (first, last) = (spawn(Priority::Low), spawn(Priority::Low));
    tokio::task::yield_now().await;
    let high = spawn(Priority::High);
    tokio::task::yield_now().await;
    assert_eq!(last.await.unwrap(), Err(Failure::last(Fault::QueueFull)));
    // One's own priority takes nobody's place.
    let another = spawn(Priority::Low);
    assert_eq!(another.await.unwrap(), Err(Failure::last(Fault::QueueFull)));
    assert_eq!(gate.refused()[Priority::Low as usize], (2, 0));
    drop(inside);
    assert_eq!((high.await.unwrap(), first.await.unwrap()), (Ok(()), Ok(())));
    assert_eq!((gate.inside(), gate.awaiting(), gate.waiting()), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_answer_has_begun_makes_room_for_another() {
    let gate = Arc::new(Gate::new(10, 8));
    gate.limit(1, 8);
    let mut first = gate.try_enter(true).unwrap();
    assert!(gate.try_enter(true).is_none());
    // One that is not counted passes.
    let free = gate.try_enter(false).unwrap();
    let waiting = tokio::spawn({
        let gate = Arc::clone(&gate);
        async move { enter(&gate, SECOND).await }
    });
    tokio::task::yield_now().await;
    assert_eq!((gate.inside(), gate.awaiting(), gate.waiting()), (2, 1, 1));
    assert!(!gate.is_full());
    first.answered();
    first.answered();
    let second = waiting.await.unwrap().unwrap();
    assert_eq!((gate.inside(), gate.awaiting(), gate.waiting()), (3, 1, 0));
    drop((first, second, free));
    assert_eq!((gate.inside(), gate.awaiting()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn who_waited_for_too_long_is_sent_away_and_high_priorities_are_not() {
    let gate = Arc::new(Gate::new(1, 8));
    let _inside = gate.try_enter(true).unwrap();
    let spawn = |priority, since_ms| {
        let gate = Arc::clone(&gate);
        let patience = Patience { most: SECOND, look: SECOND, since_ms };
        tokio::spawn(async move { gate.enter(priority, patience, || {}).await.map(drop) })
    };
    let tasks = [
        spawn(Priority::Normal, 0),
        spawn(Priority::High, 0),
        spawn(Priority::Normal, 90),
        spawn(Priority::Low, 95),
        spawn(Priority::Normal, 95),
    ];
    tokio::task::yield_now().await;
    assert_eq!(gate.waiting(), 5);
    gate.bound_usual(2);
    gate.trim(100, 50);
    assert_eq!(gate.waiting(), 3);
    let refused = gate.refused().map(|(full, _)| full);
    assert_eq!(refused, [1, 1, 0, 0]);
    for task in tasks {
        task.abort();
    }
}
