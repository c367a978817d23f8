//! More connections than anybody needs, and no files left to take them with (fault row F2).

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use portway_testkit::Client;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::program::{Gateway, backend, directory, get, portway, try_get};
use crate::watch::{Neighbour, count, metric};
use crate::{is_full, may_open, say, skip, turn};

/// Connections a second that the row asks for, and for how long.
const RATE: u64 = 20_000;
const SECONDS: u64 = 30;
const THREADS: u64 = 2;
/// How many connections each thread keeps before it lets the oldest go.
const KEPT: usize = 500;

/// Opens a connection that leaves nothing behind when it is dropped: no port waits for its time.
fn open(address: SocketAddr) -> Option<TcpStream> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).ok()?;
    socket.set_linger(Some(Duration::ZERO)).ok()?;
    socket.connect_timeout(&address.into(), Duration::from_secs(5)).ok()?;
    Some(socket.into())
}

/// A thread of the flood: so many connections, at most so fast.
fn pour(address: SocketAddr, many: u64, per_second: Option<u64>, failed: &AtomicU64) {
    let begun = Instant::now();
    let mut kept = VecDeque::with_capacity(KEPT);
    for number in 0..many {
        let due = per_second.map(|rate| Duration::from_secs_f64(number as f64 / rate as f64));
        if let Some(early) = due.and_then(|due| due.checked_sub(begun.elapsed())) {
            std::thread::sleep(early);
        }
        if kept.len() == KEPT {
            kept.pop_front();
        }
        match open(address) {
            Some(stream) => kept.push_back(stream),
            None => drop(failed.fetch_add(1, Ordering::Relaxed)),
        }
    }
}

fn start() -> (tempfile::TempDir, Gateway) {
    let text = format!(
        "portway: 1\ngateway: {{ listen: [\"127.0.0.1:0\"], admin: \"127.0.0.1:0\" }}\nservices:\n  a: {{ routes: [\"GET /\"], backend: \"http://{}\", auth: public }}\n",
        backend("hello")
    );
    let directory = directory(&[("portway.yaml", &text)]);
    let gateway = Gateway::start(portway(directory.path(), &["run"]));
    (directory, gateway)
}

/// How long it takes until somebody new is served.
fn until_served(address: SocketAddr) -> Duration {
    let begun = Instant::now();
    while !matches!(try_get(address, "/", &[]), Ok((200, _))) {
        assert!(begun.elapsed() < Duration::from_secs(60), "nobody is served any more");
    }
    begun.elapsed()
}

#[test]
fn f2_a_flood_of_connections_holds_nobody_up() {
    let _turn = turn();
    let (_directory, gateway) = start();
    let address = gateway.address;
    let (many, rate) = if is_full() {
        (RATE * SECONDS / THREADS, Some(RATE / THREADS))
    } else {
        (RATE / THREADS, None)
    };
    get(address, "/", &[]);
    let quiet = Neighbour::quiet(address, "/", Duration::from_secs(1));
    let (files, accepted) =
        (count(&gateway, "fd"), metric(&gateway, "portway_connections_accepted_total"));
    let neighbour = Neighbour::start(address, "/");
    let (begun, failed) = (Instant::now(), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| pour(address, many, rate, &failed));
        }
    });
    let took = begun.elapsed();
    let recovered = until_served(address);
    let busy = neighbour.end();
    let accepted = metric(&gateway, "portway_connections_accepted_total") - accepted;
    let refused = metric(&gateway, "portway_bounds_reached_total{bound=\"connections");
    say(format_args!("f2: quiet: {quiet}"));
    say(format_args!("f2: in the flood: {busy}"));
    say(format_args!(
        "f2: {} connections in {took:.1?} ({:.0} a second), {} not made; {accepted} accepted, {refused} turned away; served {recovered:?} after",
        many * THREADS,
        (many * THREADS) as f64 / took.as_secs_f64(),
        failed.load(Ordering::Relaxed)
    ));
    // What was taken is given up again.
    let begun = Instant::now();
    while count(&gateway, "fd") > files + 2 {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{} files stay open",
            count(&gateway, "fd")
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    if is_full() {
        assert!(recovered < Duration::from_secs(1), "{recovered:?}");
        assert!((many * THREADS) as f64 / took.as_secs_f64() >= 0.95 * RATE as f64, "{took:?}");
    }
}

#[test]
fn f2_without_files_whoever_is_there_is_served_and_others_are_later() {
    let _turn = turn();
    // More than the gateway may have: the rest waits in the system's queue.
    const FILES: u64 = 300;
    if !may_open(4 * FILES) {
        return skip(
            "the files that one process may open are too few to run out of them in another",
        );
    }
    let (_directory, gateway) = start();
    let address = gateway.address;
    let pid = Pid::from_raw(i32::try_from(gateway.child.id()).expect("a small number"));
    let maximum = getrlimit(Resource::Nofile).maximum;
    prlimit(pid, Resource::Nofile, Rlimit { current: Some(FILES), maximum }).expect("it is ours");

    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut known = Client::connect(address);
    assert_eq!(known.send(request).answer().status, 200);
    let held: Vec<_> =
        (0..2 * FILES).map(|_| open(address).expect("the system takes it")).collect();
    // A connection to the backend is at rest for whoever is in.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(500) {
        assert_eq!(known.send(request).answer().status, 200);
    }
    assert!(count(&gateway, "fd") as u64 >= FILES - 1, "{} files", count(&gateway, "fd"));
    drop(held);
    let recovered = until_served(address);
    let failures = metric(&gateway, "portway_accept_failures_total");
    say(format_args!(
        "f2: {failures} times there was no file for a connection; served {recovered:?} after"
    ));
    assert!(failures >= 1.0, "the files did not run out");
    assert_eq!(known.send(request).answer().status, 200);
    if is_full() {
        assert!(recovered < Duration::from_secs(1), "{recovered:?}");
    }
}
