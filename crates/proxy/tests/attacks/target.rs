//! The gateway that is attacked, a neighbour that goes on calling it, and its memory.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use portway_testkit::{Backend, Client, Gateway};

/// How much all attacks together may make the process grow.
const GROWTH_MAX_BYTES: u64 = 64 << 20;
/// How long an answer of the neighbour may take. Generous: tests run beside builds.
const SLOW: Duration = Duration::from_secs(2);

/// Bounds of a gateway that are the defaults, but with deadlines that tests can wait for.
pub(super) const QUICK: &str = "bounds: { head_timeout: 500ms, idle_timeout: 1s, write_timeout: 500ms, http2: { stall_timeout: 500ms } }";

/// One attack at a time: what grows is that one's.
static TURN: Mutex<()> = Mutex::new(());

/// A gateway under attack.
pub(super) struct Target {
    pub(super) gateway: Gateway,
    pub(super) backend: Backend,
    before_bytes: u64,
    neighbour: Option<JoinHandle<Duration>>,
    calls: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    _turn: MutexGuard<'static, ()>,
}

impl Target {
    /// With settings of the gateway; the backend answers with `answer_bytes` bytes.
    pub(super) fn new(settings: &str, answer_bytes: usize) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let backend = Backend::saying(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {answer_bytes}\r\n\r\n{}",
            "x".repeat(answer_bytes)
        ));
        // Only one thread carries calls: the neighbour cannot be anywhere else.
        let gateway = Gateway::start(&format!(
            "gateway: {{ workers: 1, log: {{ calls: json }}, drain_timeout: 2s, {settings} }}\n\
             services:\n  app:\n    routes: [ 'GET /', '* /{{rest+}}' ]\n    auth: public\n    backend: {{ targets: 'http://{}' }}\n",
            backend.address()
        ));
        let before_bytes = memory_bytes();
        let mut target = Self {
            gateway,
            backend,
            before_bytes,
            neighbour: None,
            calls: Arc::default(),
            stop: Arc::default(),
            _turn: turn,
        };
        target.neighbour = Some(target.neighbour());
        target
    }

    /// Calls as long as the attack lasts; gives the slowest answer.
    fn neighbour(&self) -> JoinHandle<Duration> {
        let address = self.gateway.address();
        let (stop, calls) = (Arc::clone(&self.stop), Arc::clone(&self.calls));
        std::thread::spawn(move || {
            let mut slowest = Duration::ZERO;
            while !stop.load(Ordering::Relaxed) {
                let asked = Instant::now();
                assert_eq!(Client::get(address, "/a/../b").status, 400);
                let answer = Client::get(address, "/");
                assert_eq!((answer.status, answer.whole), (200, true));
                slowest = slowest.max(asked.elapsed());
                calls.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(2));
            }
            slowest
        })
    }

    /// The attack is over: the neighbour was served all the time, and little is held.
    pub(super) fn stood(mut self) -> Self {
        self.held();
        self.stop.store(true, Ordering::Relaxed);
        let slowest = self.neighbour.take().expect("it runs").join().expect("it was served");
        assert!(slowest < SLOW, "a neighbour waited {slowest:?}");
        assert!(self.calls.load(Ordering::Relaxed) > 0);
        self
    }

    /// Little is held at this moment.
    pub(super) fn held(&self) {
        // The bodies that backends and clients of the tests hold count too.
        let grown = memory_bytes().saturating_sub(self.before_bytes);
        assert!(grown <= GROWTH_MAX_BYTES, "it grew by {} KiB", grown >> 10);
    }

    /// How often a bound was reached.
    pub(super) fn reached(&self, bound: &str) -> f64 {
        self.gateway.metric(&format!("portway_bounds_reached_total{{bound=\"{bound}\"}}"))
    }

    /// Waits until the gateway has no connections.
    pub(super) fn is_left(&self, within: Duration) -> bool {
        let due = Instant::now() + within;
        while self.gateway.connections() > 0 && Instant::now() < due {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.gateway.connections() == 0
    }
}

/// Resident memory of this process.
fn memory_bytes() -> u64 {
    const PAGE_BYTES: u64 = 4 << 10;
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: u64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * PAGE_BYTES
}
