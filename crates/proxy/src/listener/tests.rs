//! Who waits at a socket that is closed, and how often trouble is told.

use std::io::Write as _;

use super::*;

#[test]
fn all_that_wait_are_taken_before_the_socket_closes() {
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    assert_eq!(waiting(&listener).count(), 0);
    let callers: Vec<_> = (0..50).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
    let taken: Vec<_> = waiting(&listener).collect();
    assert_eq!(taken.len(), callers.len());
    drop(listener);
    assert!(std::net::TcpStream::connect(address).is_err());
    is_taken(address).unwrap();
    for mut caller in callers {
        caller.write_all(b"still there").unwrap();
    }
}

#[test]
fn trouble_is_told_at_once_and_then_from_time_to_time() {
    let trouble = Recurring::new();
    for (now_ms, told) in [
        (0, Some(1)),
        (50, None),
        (4_000, None),
        (5_000, None),
        (5_001, Some(4)),
        (5_002, None),
        (90_000, Some(2)),
        (90_050, None),
    ] {
        assert_eq!(trouble.count(now_ms), told, "at {now_ms} ms");
    }
}
