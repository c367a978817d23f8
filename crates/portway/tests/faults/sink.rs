//! A log of calls that cannot be written (fault row F15): the disk is full, or whoever reads it does not. Calls go on,
//! what is lost is counted, and every line that was written is whole.

use std::io::Read;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use portway_testkit::Client;

use crate::program::{Gateway, backend, directory, portway};
use crate::watch::{Neighbour, metric, wait_for};
use crate::{is_full, say};

const DROPPED: &str = "portway_log_lines_total{result=\"dropped\"";
const WRITTEN: &str = "portway_log_lines_total{result=\"written\"";

fn document(to: &str) -> String {
    format!(
        "portway: 1\ngateway: {{ listen: [\"127.0.0.1:0\"], admin: \"127.0.0.1:0\", log: {{ to: {to} }} }}\nservices:\n  a: {{ routes: [\"GET /\", \"GET /{{more}}\"], backend: \"http://{}\", auth: public }}\n",
        backend("hello")
    )
}

#[test]
fn f15_a_full_disk_costs_lines_and_no_call() {
    let directory = directory(&[("portway.yaml", &document("/dev/full"))]);
    let mut gateway = Gateway::start(portway(directory.path(), &["run"]));
    let neighbour = Neighbour::start(gateway.address, "/");
    wait_for(&gateway, DROPPED, |lines| lines > 0.0);
    std::thread::sleep(Duration::from_secs(if is_full() { 10 } else { 1 }));
    let calls = neighbour.end();
    say(format_args!("f15: a full disk: {calls}, {} lines dropped", metric(&gateway, DROPPED)));
    assert_eq!(metric(&gateway, WRITTEN), 0.0);
    assert!(metric(&gateway, "portway_log_errors_total") > 0.0);
    gateway.signal("TERM");
    assert_eq!(gateway.end(), 0, "the log keeps nobody from ending");
    let told = gateway.log.iter().filter(|line| line.contains("log")).count();
    assert!(told <= 10, "it is said now and then, not for every line: {:#?}", gateway.log);
}

#[test]
fn f15_a_reader_that_stops_costs_lines_and_no_call() {
    let directory = directory(&[("portway.yaml", &document("stdout"))]);
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    // Its standard output is the pipe, which nobody reads at first.
    let script = format!("exec '{}' run 1>&0 0</dev/null", env!("CARGO_BIN_EXE_portway"));
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(directory.path()).stdin(Stdio::from(writer));
    let mut gateway = Gateway::start(command);
    let stop = Arc::<AtomicBool>::default();
    let flood = flood(gateway.address, &stop);
    wait_for(&gateway, DROPPED, |lines| lines > 0.0);
    let neighbour = Neighbour::start(gateway.address, "/");
    std::thread::sleep(Duration::from_secs(if is_full() { 10 } else { 1 }));
    let calls = neighbour.end();
    stop.store(true, Ordering::Relaxed);
    flood.join().expect("it is answered");
    say(format_args!("f15: a blocked pipe: {calls}, {} lines dropped", metric(&gateway, DROPPED)));

    // Whoever reads again gets whole lines.
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it is text");
        text
    });
    gateway.signal("TERM");
    assert_eq!(gateway.end(), 0);
    let text = reading.join().expect("it is read");
    let lines = text.lines().filter(|line| !line.is_empty());
    let broken =
        lines.clone().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_err());
    assert!(lines.clone().count() > 100);
    // A line that was cut by the pipe ends where it was cut, and the next one begins on a new line.
    assert!(broken.clone().count() <= 1, "{:?}", broken.collect::<Vec<_>>());
}

/// Calls whose lines are long, until it is told to stop.
fn flood(address: SocketAddr, stop: &Arc<AtomicBool>) -> JoinHandle<()> {
    let stopped = Arc::clone(stop);
    std::thread::spawn(move || {
        let request = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(2_000));
        let mut client = Client::connect(address);
        while !stopped.load(Ordering::Relaxed) {
            assert_eq!(client.send(&request).answer().status, 200);
        }
    })
}
