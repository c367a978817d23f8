//! Changes are told soon, and once they are complete.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use super::*;

fn watch(directory: &Path) -> (Watch, Nudge) {
    let (mut watch, nudge) = Watch::new();
    watch.follow(BTreeSet::from([directory.to_owned()]));
    (watch, nudge)
}

#[test]
fn a_change_is_told_soon() {
    let directory = tempfile::tempdir().unwrap();
    let (watch, _nudge) = watch(directory.path());
    fs::write(directory.path().join("a"), "1").unwrap();
    let started = Instant::now();
    assert_eq!(watch.wait(), Some(Cause::Changed));
    assert!(started.elapsed() < Duration::from_millis(900), "{:?}", started.elapsed());
}

#[test]
fn reading_is_not_a_change() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a"), "1").unwrap();
    let (watch, _nudge) = watch(directory.path());
    for _ in 0..10 {
        fs::read(directory.path().join("a")).unwrap();
    }
    assert_eq!(
        watch.events.recv_timeout(Duration::from_millis(200)),
        Err(RecvTimeoutError::Timeout)
    );
}

#[test]
fn a_file_that_is_being_written_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let (watch, _nudge) = watch(directory.path());
    let path = directory.path().join("a");
    let writer = std::thread::spawn(move || {
        let mut file = fs::File::create(path).unwrap();
        for _ in 0..5 {
            file.write_all(b"part").unwrap();
            file.sync_data().unwrap();
            std::thread::sleep(Duration::from_millis(40));
        }
        Instant::now()
    });
    assert_eq!(watch.wait(), Some(Cause::Changed));
    let told = Instant::now();
    let closed = writer.join().unwrap();
    assert!(
        told >= closed || closed - told < Duration::from_millis(5),
        "told {:?} before the file was whole",
        closed - told
    );
}

#[test]
fn one_can_ask_and_end() {
    let (watch, nudge) = Watch::new();
    nudge.ask();
    assert_eq!(watch.wait(), Some(Cause::Asked));
    nudge.end();
    assert_eq!(watch.wait(), None);
}

#[test]
fn who_asks_is_heard_however_much_happens() {
    let (watch, nudge) = Watch::new();
    for _ in 0..2 * EVENTS_MAX {
        let _ = nudge.events.try_send(Event::Happened);
    }
    nudge.ask();
    assert_eq!(watch.wait(), Some(Cause::Asked));
    assert_eq!(watch.wait(), Some(Cause::Changed));
    nudge.end();
    assert_eq!(watch.wait(), None);
}
