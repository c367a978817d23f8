//! A limit of memory (fault row F14): 256 MiB, set by a control group, under large bodies on a thousand connections. The
//! gateway is to stay below it by itself: the system's killer must have nothing to do.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::program::{Gateway, backend, directory};
use crate::watch::{Neighbour, memory_bytes, metric};
use crate::{is_full, may_open, say, skip, turn};

const LIMIT_BYTES: u64 = 256 << 20;
const CONNECTIONS: usize = 1_000;
const BODY_BYTES: usize = 1 << 20;

/// A control group of its own; removed with it.
struct Group {
    folder: PathBuf,
    /// Where processes are put: the one file in version 2, one of several trees in version 1.
    is_unified: bool,
}

impl Group {
    fn new() -> Result<Self, String> {
        let name = format!("portway-test-{}", std::process::id());
        let v1 = Path::new("/sys/fs/cgroup/memory");
        let v2 = Path::new("/sys/fs/cgroup");
        let is_unified = !v1.is_dir();
        let folder = if is_unified { v2 } else { v1 }.join(name);
        std::fs::create_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let group = Self { folder, is_unified };
        let limit = if is_unified { "memory.max" } else { "memory.limit_in_bytes" };
        group.write(limit, &LIMIT_BYTES.to_string())?;
        // No way round by swapping, where there is swap.
        let (swap, most) = if is_unified {
            ("memory.swap.max", 0)
        } else {
            ("memory.memsw.limit_in_bytes", LIMIT_BYTES)
        };
        let _ = group.write(swap, &most.to_string());
        Ok(group)
    }

    fn write(&self, file: &str, text: &str) -> Result<(), String> {
        let path = self.folder.join(file);
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// The most that was used, as the system counts it: buffers of sockets and files that it keeps are in it.
    fn peak_bytes(&self) -> Option<u64> {
        let file = if self.is_unified { "memory.peak" } else { "memory.max_usage_in_bytes" };
        std::fs::read_to_string(self.folder.join(file)).ok()?.trim().parse().ok()
    }

    /// How often the system killed for want of memory.
    fn kills(&self) -> u64 {
        let file = if self.is_unified { "memory.events" } else { "memory.oom_control" };
        let text = std::fs::read_to_string(self.folder.join(file)).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        line.and_then(|count| count.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Gone as soon as its last process is.
        for _ in 0..100 {
            if std::fs::remove_dir(&self.folder).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A backend that reads heads and nothing more.
fn never_reads() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it has one");
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let mut piece = [0; 1_024];
            let _ = stream.read(&mut piece);
            kept.push(stream);
        }
    });
    address
}

/// A backend that answers each call with 100 MB.
fn answers_much() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it has one");
    let piece: &'static [u8] = Box::leak(vec![b'x'; 64 << 10].into_boxed_slice());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = std::thread::Builder::new().stack_size(64 << 10).spawn(move || {
                let _ = stream.read(&mut [0; 4_096]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n");
                while stream.write_all(piece).is_ok() {}
            });
        }
    });
    address
}

/// What callers do.
struct Manner {
    name: &'static str,
    head: &'static str,
    /// How much of a body each sends, as far as it is taken.
    body_bytes: usize,
}

const MANNERS: [Manner; 3] = [
    Manner {
        name: "bodies that the backend does not read",
        head: "POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n",
        body_bytes: BODY_BYTES - 1,
    },
    // A form is part of what is signed, so it is held before the signature can be judged.
    Manner {
        name: "bodies that are held until their signature is judged",
        head: "POST /signed HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nX-Date: DATE\r\nAuthorization: hmac id=\"one\", algorithm=\"hmac-sha256\", headers=\"x-date\", signature=\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"\r\nContent-Length: 1048576\r\n\r\n",
        body_bytes: BODY_BYTES - 1,
    },
    Manner {
        name: "answers that nobody reads",
        head: "GET /much HTTP/1.1\r\nHost: a\r\n\r\n",
        body_bytes: 0,
    },
];

#[test]
fn f14_within_256_mib_a_thousand_large_bodies_end_in_refusals_and_not_in_a_kill() {
    let _turn = turn();
    if !may_open(8_192) {
        return skip("thousands of connections need thousands of files, and fewer are allowed");
    }
    // Where the system sets no limit, what is resident is measured all the same.
    let group = Group::new().map_err(|why| say(format_args!("f14: no limit is set: {why}"))).ok();
    let text = format!(
        "portway: 1\ngateway: {{ listen: [\"127.0.0.1:0\"], admin: \"127.0.0.1:0\", log: {{ to: calls.log }} }}\nservices:\n  \
         near: {{ path: /near, routes: [\"GET /\"], backend: \"http://{}\", auth: public }}\n  \
         unread: {{ path: /unread, routes: [\"POST /\"], backend: \"http://{}\", auth: public }}\n  \
         much: {{ path: /much, routes: [\"GET /\"], backend: \"http://{}\", auth: public }}\n  \
         signed: {{ path: /signed, routes: [\"POST /\"], backend: \"http://{}\", auth: [hmac] }}\n\
         apps: {{ phone: {{ hmac: [ {{ id: one, secret: {{ file: secret }} }} ] }} }}\n",
        backend("hello"),
        never_reads(),
        answers_much(),
        backend("hello")
    );
    let directory =
        directory(&[("portway.yaml", &text), ("secret", "a-secret-that-is-long-enough")]);
    let enter = group.as_ref().map_or_else(String::new, |group| {
        format!("echo $$ > '{}' && ", group.folder.join("cgroup.procs").display())
    });
    let script = format!("{enter}exec '{}' run", env!("CARGO_BIN_EXE_portway"));
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(directory.path());
    let gateway = Gateway::start(command);
    for manner in MANNERS {
        attack(&gateway, &manner);
        let kills = group.as_ref().map_or(0, Group::kills);
        assert_eq!(kills, 0, "{}: the system had to kill", manner.name);
    }
    let peak = group.as_ref().and_then(Group::peak_bytes).map_or(0, |bytes| bytes >> 20);
    say(format_args!("f14: {peak} MiB at most of {} MiB, as the system counts", LIMIT_BYTES >> 20));
}

/// A thousand callers of one manner, and a neighbour that goes on calling.
fn attack(gateway: &Gateway, manner: &Manner) {
    let neighbour = Neighbour::start(gateway.address, "/near");
    let (stop, sent) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let head = manner.head.replace("DATE", &date());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (stop, sent, head) = (Arc::clone(&stop), Arc::clone(&sent), head.clone());
            let (address, body_bytes) = (gateway.address, manner.body_bytes);
            std::thread::spawn(move || push(address, &head, body_bytes, &stop, &sent))
        })
        .collect();
    let begun = Instant::now();
    let lasts = Duration::from_secs(if is_full() { 20 } else { 4 });
    let mut most = 0;
    while begun.elapsed() < lasts {
        most = most.max(memory_bytes(gateway));
        std::thread::sleep(Duration::from_millis(50));
    }
    let calls = neighbour.end();
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().expect("callers do not panic");
    }
    say(format_args!(
        "f14: {}: {} MiB sent, resident at most {} MiB, {} refused for want of room; the neighbour: {calls}",
        manner.name,
        sent.load(Ordering::Relaxed) >> 20,
        most >> 20,
        metric(gateway, "portway_bounds_reached_total{bound=\"held_bytes\""),
    ));
    assert!(most < LIMIT_BYTES * 9 / 10, "{}: {} MiB", manner.name, most >> 20);
}

fn date() -> String {
    let mut command = Command::new("date");
    let output = command.env("LC_ALL", "C").args(["-u", "+%a, %d %b %Y %H:%M:%S GMT"]).output();
    String::from_utf8(output.expect("date is there").stdout).expect("text").trim().to_owned()
}

/// A quarter of the callers: each sends as much as is taken, and comes again when its connection has ended.
fn push(address: SocketAddr, head: &str, body_bytes: usize, stop: &AtomicBool, sent: &AtomicUsize) {
    let body = vec![b'x'; 64 << 10];
    let mut callers: Vec<Option<(TcpStream, usize)>> = Vec::new();
    callers.resize_with(CONNECTIONS / 4, || None);
    while !stop.load(Ordering::Relaxed) {
        for caller in &mut callers {
            let Some((stream, left)) = caller else {
                *caller = TcpStream::connect(address).ok().and_then(|mut stream| {
                    stream.write_all(head.as_bytes()).ok()?;
                    stream.set_nonblocking(true).ok()?;
                    Some((stream, body_bytes))
                });
                continue;
            };
            if *left == 0 {
                continue;
            }
            match stream.write(&body[..body.len().min(*left)]) {
                Ok(count) => {
                    *left -= count;
                    sent.fetch_add(count, Ordering::Relaxed);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => *caller = None,
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
