//! Places behind gates.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::thread;

use super::*;

#[test]
fn a_full_gate_opens_when_somebody_leaves() {
    let gates = Gates::default();
    let first = gates.enter(1, 2).expect("empty");
    let _second = gates.enter(1, 2).expect("one inside");
    assert!(gates.enter(1, 2).is_none());
    assert!(gates.enter(2, 2).is_some(), "another gate");
    drop(first);
    let third = gates.enter(1, 2);
    assert!(third.is_some());
    assert!(gates.enter(1, 2).is_none());
    // The bound was lowered, then raised, while calls were inside.
    assert!(gates.enter(1, 1).is_none());
    assert!(gates.enter(1, 3).is_some());
}

#[test]
fn only_gates_with_somebody_inside_are_remembered() {
    let gates = Gates::default();
    for id in 0..10_000 {
        assert!(gates.enter(id << 50 | id, 1).is_some());
        assert!(gates.enter(id, 0).is_none());
    }
    assert!(gates.is_empty());
}

#[test]
fn threads_never_exceed_it_and_all_leave() {
    let gates = Gates::default();
    let (inside, entered) = (AtomicI64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    if let Some(gate) = gates.enter(77, 3) {
                        let now = inside.fetch_add(1, Ordering::SeqCst) + 1;
                        assert!(now <= 3, "{now} inside");
                        entered.fetch_add(1, Ordering::Relaxed);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(gate);
                    }
                }
            });
        }
    });
    assert!(entered.into_inner() > 20_000);
    assert!(gates.is_empty());
}
