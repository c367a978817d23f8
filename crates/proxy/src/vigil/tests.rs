//! Who ends unasked is missed, and who stands still is seen.

use super::*;

fn lost_now(vigil: &Vigil) -> Option<String> {
    vigil.lost.borrow().clone()
}

#[test]
fn a_worker_that_ends_as_told_is_not_missed() {
    let vigil = Arc::new(Vigil::over(1));
    let mut pulse = Pulse::new(Arc::clone(&vigil), 0);
    pulse.may_end();
    drop(pulse);
    assert_eq!(lost_now(&vigil), None);
}

#[test]
fn the_first_that_ends_unasked_is_told() {
    let vigil = Arc::new(Vigil::over(3));
    let pulses: Vec<Pulse> = (0..3).map(|index| Pulse::new(Arc::clone(&vigil), index)).collect();
    let [_well, second, third] = pulses.try_into().ok().unwrap();
    let panicked = std::thread::spawn(move || {
        let _pulse = second;
        panic!("a worker's end");
    });
    assert!(panicked.join().is_err());
    drop(third);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(vigil.lost()), "worker 1 panicked");
    assert!(!vigil.all_move());
}

#[test]
fn one_that_stands_still_is_seen() {
    let vigil = Arc::new(Vigil::over(2));
    let mut pulses = [0, 1].map(|index| Pulse::new(Arc::clone(&vigil), index));
    for (beating, moves) in [(0..2, true), (0..2, true), (1..2, false), (0..0, false), (0..2, true)]
    {
        pulses[beating.clone()].iter().for_each(Pulse::beat);
        assert_eq!(vigil.all_move(), moves, "{beating:?}");
    }
    pulses.iter_mut().for_each(Pulse::may_end);
}
