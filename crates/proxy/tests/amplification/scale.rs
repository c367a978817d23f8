//! Weighs what the process holds on its heap, as the allocator sees it, against what was sent.

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use portway_testkit::Gateway;

/// What every connection may cost, whatever is sent over it.
const EACH_BYTES: u64 = 64 << 10;
/// What every stream of HTTP/2 may cost, which is a call as one on a connection of its own is.
const STREAM_BYTES: u64 = 16 << 10;
/// What the small frames of one HTTP/2 connection may take that wait for their calls, whose tasks and tables the library
/// keeps.
const HTTP2_BYTES: u64 = 512 << 10;
const TIMES: u64 = 10;
/// What has nothing to do with callers: threads that start, pages of the allocator.
const NOISE_BYTES: u64 = 4 << 20;

static TURN: Mutex<()> = Mutex::new(());

/// One attack at a time.
pub(super) fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Memory of this process that is its own: resident, without files. Unlike a count in the allocator, it has what the
/// allocator holds beside what it gave out.
fn memory_bytes() -> u64 {
    let text = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("it is told");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") << 10
}

/// Callers that go on as long as this lives.
pub(super) struct Crowd {
    streams: Vec<TcpStream>,
    sent: u64,
    before: u64,
    each_bytes: u64,
}

impl Crowd {
    /// So many connections that have sent nothing yet.
    pub(super) fn new(address: SocketAddr, connections: usize) -> Self {
        let before = memory_bytes();
        let connect = |_| {
            let stream = TcpStream::connect(address).expect("it accepts");
            // Neither side's system is to take much for it.
            let socket = socket2::SockRef::from(&stream);
            let _ = socket.set_recv_buffer_size(4 << 10);
            stream.set_nonblocking(true).expect("a mode");
            stream
        };
        Self {
            streams: (0..connections).map(connect).collect(),
            sent: 0,
            before,
            each_bytes: EACH_BYTES,
        }
    }

    /// The same over HTTP/2, with so many streams on each connection.
    pub(super) fn with_streams(self, streams: u64) -> Self {
        Self { each_bytes: EACH_BYTES + HTTP2_BYTES + streams * STREAM_BYTES, ..self }
    }

    /// Each sends these bytes, as far as they are taken.
    pub(super) fn send(&mut self, bytes: &[u8]) -> &mut Self {
        let mut at = vec![0; self.streams.len()];
        let mut moved_at = Instant::now();
        while moved_at.elapsed() < Duration::from_secs(1) {
            let mut moved = false;
            for (stream, at) in self.streams.iter_mut().zip(&mut at) {
                if *at < bytes.len()
                    && let Ok(count) = stream.write(&bytes[*at..])
                {
                    *at += count;
                    moved |= count > 0;
                }
            }
            if at.iter().all(|at| *at == bytes.len()) {
                break;
            }
            if moved {
                moved_at = Instant::now();
            } else {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        self.sent += at.iter().map(|at| *at as u64).sum::<u64>();
        self
    }

    /// Looks for a while at what is held, and judges it.
    pub(super) fn weigh(self, gateway: &Gateway, name: &str) {
        let begun = Instant::now();
        let mut most = 0;
        while begun.elapsed() < Duration::from_millis(1_500) {
            most = most.max(memory_bytes());
            std::thread::sleep(Duration::from_millis(10));
        }
        let connections = self.streams.len() as u64;
        let held = most.saturating_sub(self.before);
        let may = connections * self.each_bytes + TIMES * self.sent;
        let _ = writeln!(
            std::io::stderr(),
            "amplification: {name}: {connections} connections sent {} KiB, {} KiB are held, {} may be",
            self.sent >> 10,
            held >> 10,
            may >> 10
        );
        assert!(held <= may + NOISE_BYTES, "{name}: {held} bytes held, {may} may be");
        assert_eq!(gateway.metric("portway_panics_total"), 0.0);
    }
}
