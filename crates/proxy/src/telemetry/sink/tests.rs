//! Lines arrive, and never hold anybody up.

use std::fs;
use std::path::Path;
use std::sync::Mutex;

use super::*;
use crate::telemetry::record::CallRecord;
use crate::telemetry::writer::{BATCH_BYTES, LineWriter};

const LONG: Duration = Duration::from_secs(10);

fn call() -> CallRecord<'static> {
    let mut call = CallRecord::new(1_795_508_554_042, "203.0.113.7".parse().unwrap());
    call.path = b"/shop/orders/7";
    call
}

fn file_sink(path: &Path) -> LogSink {
    LogSink::start(LogTarget::parse(path.to_str().unwrap())).unwrap()
}

/// How many lines a file has, all of them JSON.
#[track_caller]
fn lines_of(path: &Path) -> usize {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    for line in text.lines() {
        serde_json::from_str::<serde_json::Value>(line).expect(line);
    }
    text.lines().count()
}

#[track_caller]
fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not within {LONG:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn lines_of_several_workers_are_all_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calls.log");
    let sink = file_sink(&path);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut writer = LineWriter::new(&sink);
                (0..1000).for_each(|_| writer.write(&call()));
            });
        }
    });
    let counts = || sink.counts();
    wait_for("written", || counts().written == 3000);
    assert_eq!(counts(), LogCounts { written: 3000, dropped: 0, errors: 0 });
    assert!(sink.stop(LONG));
    assert_eq!(lines_of(&path), 3000);
}

#[test]
fn a_flush_brings_single_lines_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calls.log");
    let sink = file_sink(&path);
    let mut writer = LineWriter::new(&sink);
    writer.flush();
    writer.write(&call());
    assert_eq!(lines_of(&path), 0);
    writer.flush();
    wait_for("written", || lines_of(&path) == 1);
    drop(writer);
    assert!(sink.stop(LONG));
}

#[test]
fn an_existing_file_is_appended_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calls.log");
    for expected in 1..=2 {
        let sink = file_sink(&path);
        LineWriter::new(&sink).write(&call());
        assert!(sink.stop(LONG));
        assert_eq!(lines_of(&path), expected);
    }
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error_at_start() {
    assert!(LogSink::start(LogTarget::File("/nowhere/calls.log".into())).is_err());
}

#[test]
fn a_renamed_file_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let (path, old) = (folder.path().join("calls.log"), folder.path().join("calls.log.1"));
    let sink = file_sink(&path);
    let mut writer = LineWriter::new(&sink);
    writer.write(&call());
    writer.flush();
    wait_for("written", || lines_of(&path) == 1);
    fs::rename(&path, &old).unwrap();
    wait_for("opened again", || path.exists());
    writer.write(&call());
    writer.flush();
    wait_for("written", || lines_of(&path) == 1);
    assert_eq!(lines_of(&old), 1);
    drop(writer);
    assert!(sink.stop(LONG));
}

#[test]
fn a_signal_opens_the_file_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calls.log");
    let sink = file_sink(&path);
    sink.reopen();
    wait_for("looked", || !sink.reopen.load(Relaxed));
    LineWriter::new(&sink).write(&call());
    assert!(sink.stop(LONG));
    assert_eq!(lines_of(&path), 1);
}

/// What a test lets a write do.
#[derive(Clone, Copy)]
enum Act {
    Take(usize),
    Fail(io::ErrorKind),
    Wait(Duration),
}

/// An output that does as it is told, then takes everything.
#[derive(Clone)]
struct Script {
    acts: Arc<Mutex<Vec<Act>>>,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Script {
    fn start(acts: &[Act]) -> (LogSink, Self) {
        let acts = Arc::new(Mutex::new(acts.iter().rev().copied().collect()));
        let script = Self { acts, written: Arc::default() };
        let file = Box::new(script.clone());
        let output = Output { target: LogTarget::Stdout, file, identity: None };
        (LogSink::start_over(output).unwrap(), script)
    }

    fn text(&self) -> String {
        String::from_utf8(self.written.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Script {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let act = self.acts.lock().unwrap().pop();
        let count = match act {
            Some(Act::Fail(kind)) => return Err(kind.into()),
            Some(Act::Take(count)) => count.min(bytes.len()),
            Some(Act::Wait(pause)) => {
                std::thread::sleep(pause);
                bytes.len()
            }
            None => bytes.len(),
        };
        self.written.lock().unwrap().extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn interrupted_and_short_writes_lose_nothing() {
    let (sink, script) = Script::start(&[
        Act::Take(3),
        Act::Fail(io::ErrorKind::Interrupted),
        Act::Take(1),
        Act::Fail(io::ErrorKind::WouldBlock),
    ]);
    LineWriter::new(&sink).write(&call());
    assert!(sink.stop(LONG));
    assert_eq!(script.text().lines().count(), 1);
    serde_json::from_str::<serde_json::Value>(&script.text()).unwrap();
}

#[test]
fn a_full_disk_costs_the_lines_it_cut_and_no_other() {
    let (sink, script) = Script::start(&[
        Act::Take(250),
        Act::Fail(io::ErrorKind::StorageFull),
        Act::Fail(io::ErrorKind::StorageFull),
    ]);
    let mut writer = LineWriter::new(&sink);
    for lines in [3, 1, 2] {
        (0..lines).for_each(|_| writer.write(&call()));
        writer.flush();
    }
    drop(writer);
    wait_for("written", || sink.counts().written + sink.counts().dropped == 6);
    // The first batch lost its second line in the middle, and the third; the second batch was lost at
    // the newline that should have ended the cut line.
    assert_eq!(sink.counts(), LogCounts { written: 3, dropped: 3, errors: 2 });
    assert!(sink.stop(LONG));
    let text = script.text();
    let whole =
        text.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()).count();
    assert_eq!((whole, text.lines().count()), (3, 4), "{text}");
}

#[test]
fn a_reader_that_does_not_read_holds_nobody_up() {
    let (sink, _script) = Script::start(&[Act::Wait(Duration::from_secs(3))]);
    let mut writer = LineWriter::new(&sink);
    let start = Instant::now();
    let lines_of_a_batch = BATCH_BYTES / 150;
    let lines = 2 * WAITING_BATCHES * lines_of_a_batch;
    (0..lines).for_each(|_| writer.write(&call()));
    drop(writer);
    assert!(start.elapsed() < Duration::from_secs(3), "writing waited");
    assert!(sink.counts().dropped > 0);
    let counts = Arc::clone(&sink.tallies);
    assert!(!sink.stop(Duration::from_millis(50)), "a deadline holds");
    wait_for("all is accounted for", || {
        (counts.written.load(Relaxed) + counts.dropped.load(Relaxed)) == lines as u64
    });
}

#[test]
fn buffers_come_back() {
    let (sink, script) = Script::start(&[]);
    let mut writer = LineWriter::new(&sink);
    for round in 1..=20 {
        writer.write(&call());
        writer.flush();
        wait_for("written", || script.text().lines().count() == round);
        wait_for("back", || sink.counts().written == round as u64);
    }
    assert!(writer.has_room(), "after the first rounds a used buffer is there");
    drop(writer);
    assert!(sink.stop(LONG));
}
