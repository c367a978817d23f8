//! What is seen of a gateway while something happens to it: a neighbour that goes on calling, and its metrics,
//! memory, threads and files.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use portway_testkit::Client;

use crate::program::{Gateway, get};

/// From one call of the neighbour to the next.
const PACE: Duration = Duration::from_millis(2);

/// A caller with nothing but good manners.
pub(crate) struct Neighbour {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Calls>,
}

/// How its calls went: all of them well, or the test fails.
pub(crate) struct Calls {
    micros: Vec<u64>,
}

impl Neighbour {
    /// Calls a path that answers `hello`, on a connection that it keeps and now and then on a new one.
    pub(crate) fn start(address: SocketAddr, path: &str) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let stopped = Arc::clone(&stop);
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        let thread = std::thread::spawn(move || {
            let mut micros = Vec::new();
            let mut kept = Client::connect(address);
            while !stopped.load(Ordering::Relaxed) {
                let asked = Instant::now();
                let answer = if micros.len() % 10 == 9 {
                    Client::ask(address, &request)
                } else {
                    kept.send(&request).answer()
                };
                assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
                micros.push(u64::try_from(asked.elapsed().as_micros()).expect("soon"));
                std::thread::sleep(PACE);
            }
            Calls { micros }
        });
        Self { stop, thread }
    }

    pub(crate) fn end(self) -> Calls {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the neighbour was served all the time")
    }

    /// Calls for a while only.
    pub(crate) fn quiet(address: SocketAddr, path: &str, duration: Duration) -> Calls {
        let neighbour = Self::start(address, path);
        std::thread::sleep(duration);
        neighbour.end()
    }
}

impl Calls {
    pub(crate) fn p99_micros(&self) -> u64 {
        let mut micros = self.micros.clone();
        micros.sort_unstable();
        *micros.get(micros.len() * 99 / 100).expect("there was a call")
    }
}

impl std::fmt::Display for Calls {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let slowest = self.micros.iter().max().expect("there was a call");
        let (calls, p99) = (self.micros.len(), self.p99_micros());
        write!(out, "{calls} calls, all served, p99 {p99} µs, slowest {slowest} µs")
    }
}

/// The sum of the series of a metric whose lines begin like this.
pub(crate) fn metric(gateway: &Gateway, start: &str) -> f64 {
    let text = get(gateway.admin.expect("it is watched"), "/metrics", &[]).1;
    let lines = text.lines().filter(|line| line.starts_with(start));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// Waits until a metric is as wanted; says how long it took.
pub(crate) fn wait_for(gateway: &Gateway, start: &str, is_so: impl Fn(f64) -> bool) -> Duration {
    let begun = Instant::now();
    loop {
        let value = metric(gateway, start);
        if is_so(value) {
            return begun.elapsed();
        }
        if begun.elapsed() > Duration::from_secs(60) {
            let all = get(gateway.admin.expect("it is watched"), "/metrics", &[]).1;
            panic!("{start} stays at {value}:\n{all}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Resident memory of the gateway, in bytes.
pub(crate) fn memory_bytes(gateway: &Gateway) -> u64 {
    const PAGE_BYTES: u64 = 4 << 10;
    let text = std::fs::read_to_string(format!("/proc/{}/statm", gateway.child.id()));
    let text = text.expect("it runs, on Linux");
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("a number") * PAGE_BYTES
}

/// How many entries a folder of the gateway in `/proc` has: `fd` for files, `task` for threads.
pub(crate) fn count(gateway: &Gateway, folder: &str) -> usize {
    let entries = std::fs::read_dir(format!("/proc/{}/{folder}", gateway.child.id()));
    entries.expect("it runs, on Linux").count()
}
