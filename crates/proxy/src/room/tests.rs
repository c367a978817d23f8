//! Tests of the room for bodies.

use super::*;

#[test]
fn shares_stay_within_the_room_and_are_given_back() {
    let room = Room::default();
    let (mut one, mut two) = (room.share(), room.share());
    assert!(one.grow(60, 100));
    assert!(!two.grow(41, 100));
    assert!(two.grow(40, 100));
    assert!(one.grow(10, 100), "what is there already takes nothing");
    assert!(!one.grow(61, 100));
    drop(two);
    assert!(one.grow(100, 100));
    // A bound that was lowered meanwhile.
    assert!(!one.grow(101, 10));
    drop(one);
    assert_eq!(room.0.load(Ordering::Relaxed), 0);
}
