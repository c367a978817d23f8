//! Sockets really change hands, and nobody else gets them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;

use super::*;

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

#[test]
fn a_socket_that_was_handed_over_still_accepts() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("handover");
    let (old, address) = {
        let listener = listener();
        let address = listener.local_addr().unwrap();
        (listener, address)
    };
    let offer = Offer::listen(&path).unwrap();
    let place = offer.place();
    let (taken, told) = mpsc::channel();
    let given = OwnedFd::from(old.try_clone().unwrap());
    offer
        .wait(
            move || Ok(vec![(Role::Calls, vec![given.try_clone()?]), (Role::Admin, Vec::new())]),
            move || taken.send(()).unwrap(),
        )
        .unwrap();

    let received = Taken::from(&path).unwrap().expect("somebody offers");
    assert_eq!(received.sockets.len(), 1);
    let (role, at, new) = &received.sockets[0];
    assert_eq!((*role, *at), (Role::Calls, address));
    assert!(told.try_recv().is_err(), "the old process must not be told before we serve");

    // A connection made while only the old one is there is accepted by the new one.
    let mut caller = TcpStream::connect(address).unwrap();
    drop(old);
    let (mut connection, _) = new.accept().unwrap();
    caller.write_all(b"hello").unwrap();
    let mut word = [0; 5];
    connection.read_exact(&mut word).unwrap();
    assert_eq!(&word, b"hello");

    received.serving().unwrap();
    told.recv_timeout(Duration::from_secs(5)).expect("the old process is told");
    assert!(path.exists());
    place.remove();
    assert!(!path.exists());
}

#[test]
fn a_new_process_that_dies_before_it_serves_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("handover");
    let offer = Offer::listen(&path).unwrap();
    let (taken, told) = mpsc::channel();
    let given = OwnedFd::from(listener());
    offer
        .wait(
            move || Ok(vec![(Role::Calls, vec![given.try_clone()?])]),
            move || taken.send(()).unwrap(),
        )
        .unwrap();
    for _ in 0..3 {
        drop(Taken::from(&path).unwrap().expect("somebody offers"));
    }
    assert!(told.recv_timeout(Duration::from_millis(100)).is_err());
    Taken::from(&path).unwrap().expect("it still offers").serving().unwrap();
    told.recv_timeout(Duration::from_secs(5)).expect("and can still be taken over");
}

#[test]
fn more_sockets_than_fit_into_one_message() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("handover");
    let offer = Offer::listen(&path).unwrap();
    let listener = listener();
    offer
        .wait(
            move || {
                let many = (0..150).map(|_| OwnedFd::from(listener.try_clone().unwrap())).collect();
                Ok(vec![
                    (Role::Calls, many),
                    (Role::Admin, vec![OwnedFd::from(listener.try_clone()?)]),
                ])
            },
            || {},
        )
        .unwrap();
    let taken = Taken::from(&path).unwrap().unwrap();
    assert_eq!(taken.sockets.iter().filter(|(role, ..)| *role == Role::Calls).count(), 150);
    assert_eq!(taken.sockets.iter().filter(|(role, ..)| *role == Role::Admin).count(), 1);
}

#[test]
fn where_it_may_not_stand() {
    let directory = tempfile::tempdir().unwrap();
    let open = directory.path().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    let fault = Offer::listen(&open.join("handover")).unwrap_err();
    assert!(fault.what.contains("everybody may write"), "{fault}");

    let file = directory.path().join("precious");
    std::fs::write(&file, "text").unwrap();
    let fault = Offer::listen(&file).unwrap_err();
    assert!(fault.what.contains("something else"), "{fault}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "text");

    assert!(Offer::listen(&directory.path().join("absent/handover")).is_err());
}

#[test]
fn nobody_offers() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("handover");
    assert!(Taken::from(&path).unwrap().is_none());
    // A socket left behind by a process that was killed.
    drop(Offer::listen(&path).unwrap());
    assert!(path.exists());
    assert!(Taken::from(&path).unwrap().is_none());
    Offer::listen(&path).expect("it is replaced");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
