//! A network that fails between the gateway and a backend (fault row F5): what is sent is swallowed, both ways or
//! one way, now and then, or by a process that does not run.
//!
//! The rules that swallow packets need a network of their own. Each test starts this program again, inside of a new
//! network namespace, with one test that is run by no other way.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::program::{Gateway, backend, directory, portway};
use crate::watch::{Neighbour, count, metric, wait_for};
use crate::{is_full, say, skip};

/// What the rows ask for.
const OPENS_WITHIN: Duration = Duration::from_secs(10);
const RECOVERS_WITHIN: Duration = Duration::from_secs(5);
/// What a machine that does other things too may need.
const PATIENCE: Duration = Duration::from_secs(60);
/// From one call to the backend to the next.
const PACE: Duration = Duration::from_millis(10);

/// So many milliseconds, a quarter of them in a run that is not a full one.
fn at_full(ms: u64) -> Duration {
    Duration::from_millis(if is_full() { ms } else { ms / 4 })
}

/// A command in a network of its own, where only the loop is.
fn in_namespace(script: &str) -> Command {
    let mut command = Command::new("unshare");
    if rustix::process::getuid().is_root() {
        command.args(["--net", "--mount"]);
    } else {
        command.args(["--user", "--map-root-user", "--net", "--mount"]);
    }
    command.args(["sh", "-c", &format!("ip link set lo up && {script}")]).stdin(Stdio::null());
    command
}

/// Runs one of the tests below inside.
fn run_inside(test: &str) {
    run_inside_after("nft add table inet probe", "true", &format!("network::{test}"));
}

/// Runs an ignored test in a network of its own, after `before`. Without what `probe` tries, it is skipped.
pub(crate) fn run_inside_after(probe: &str, before: &str, test: &str) {
    let probe = in_namespace(probe).output();
    if !probe.as_ref().is_ok_and(|probe| probe.status.success()) {
        return skip(&format!("no network of its own, or no `nft` or `ip` for it: {probe:?}"));
    }
    let this = std::env::current_exe().expect("this program");
    let script =
        format!("{before} && exec '{}' --exact {test} --ignored --nocapture", this.display());
    let status = in_namespace(&script).status().expect("it starts again");
    assert!(status.success(), "{test} failed in its network");
}

/// Lets these rules hold for what arrives over the loop, and no others.
fn rules(rules: &str) {
    let text = format!(
        "flush ruleset\ntable inet faults {{\n chain arrives {{\n  type filter hook input priority 0;\n{rules}\n }}\n}}\n"
    );
    let mut nft = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().expect("nft");
    nft.stdin.take().expect("piped").write_all(text.as_bytes()).expect("it listens");
    assert!(nft.wait().expect("it ends").success(), "{text}");
}

/// An answer to one of the calls that go on at their pace whatever happens.
struct Answered {
    asked: Instant,
    at: Instant,
    /// 0 if the connection ended without one.
    status: u16,
    problem: String,
}

/// Calls at an even pace, each on a connection of its own.
struct Calls {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Answered>>,
}

impl Calls {
    fn start(address: SocketAddr) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut waiting, mut answered) = (Vec::new(), Vec::new());
            while !stopped.load(Ordering::Relaxed) || !waiting.is_empty() {
                if !stopped.load(Ordering::Relaxed) {
                    waiting.push(Waiting::new(address));
                }
                std::thread::sleep(PACE);
                waiting.retain_mut(|call| {
                    let answer = call.look();
                    let is_waiting = answer.is_none();
                    answered.extend(answer);
                    is_waiting
                });
            }
            answered
        });
        Self { stop, thread }
    }

    /// All answers, once the last has come.
    fn end(self) -> Vec<Answered> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("calls go on")
    }
}

/// A call under way.
struct Waiting {
    stream: TcpStream,
    asked: Instant,
    heard: Vec<u8>,
}

impl Waiting {
    fn new(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).expect("the gateway accepts");
        let request = b"GET /far HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        stream.write_all(request).expect("there is room");
        stream.set_nonblocking(true).expect("a mode");
        Self { stream, asked: Instant::now(), heard: Vec::new() }
    }

    fn look(&mut self) -> Option<Answered> {
        if matches!(self.stream.read_to_end(&mut self.heard), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
        {
            return None;
        }
        let text = String::from_utf8_lossy(&self.heard);
        let status = text.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        let problem =
            text.split("urn:portway:problem:").nth(1).and_then(|rest| rest.split('"').next());
        let problem = problem.unwrap_or_default().to_owned();
        Some(Answered { asked: self.asked, at: Instant::now(), status, problem })
    }
}

/// A gateway with a service near by and one whose backend is far away.
struct Scene {
    gateway: Gateway,
    _directory: tempfile::TempDir,
}

impl Scene {
    fn new(far: SocketAddr, more: &str) -> Self {
        let text = format!(
            "portway: 1\ngateway: {{ listen: [\"127.0.0.1:0\"], admin: \"127.0.0.1:0\" }}\nservices:\n  \
             near: {{ path: /near, routes: [\"GET /\"], backend: \"http://{}\", auth: public }}\n  \
             far: {{ path: /far, routes: [\"GET /\"], backend: {{ targets: \"http://{far}\"{more} }}, auth: public }}\n",
            backend("hello")
        );
        let directory = directory(&[("portway.yaml", &text)]);
        let gateway = Gateway::start(portway(directory.path(), &["run"]));
        Self { gateway, _directory: directory }
    }

    /// Calls both services, breaks the far one until its breaker has opened, heals it, and sees that all is as
    /// before.
    fn breaks(&self, name: &str, fail: impl FnOnce(), heal: impl FnOnce()) {
        let (gateway, address) = (&self.gateway, self.gateway.address);
        let calls = Calls::start(address);
        let quiet = Neighbour::start(address, "/near");
        // The metrics are asked for all the time, so that both times have the same work.
        let quiet_until = Instant::now() + at_full(8_000);
        wait_for(gateway, "portway_endpoint_breaker", |_| Instant::now() >= quiet_until);
        let quiet = quiet.end();
        let threads = count(gateway, "task");
        let neighbour = Neighbour::start(address, "/near");
        let failed_at = Instant::now();
        fail();
        let opened = wait_for(gateway, "portway_endpoint_breaker", |state| state > 0.0);
        // It stays away for as long as the network does.
        let heal_at = Instant::now() + at_full(2_000);
        wait_for(gateway, "portway_endpoint_breaker", |_| Instant::now() >= heal_at);
        let healed_at = Instant::now();
        heal();
        wait_for(gateway, "portway_endpoint_breaker", |state| state == 0.0);
        let busy = neighbour.end();
        let answers = calls.end();
        let served_at = answers.iter().filter(|it| it.asked > healed_at && it.status == 200);
        let recovered = served_at.map(|it| it.at - healed_at).min().expect("it recovers");

        say(format_args!("f5: {name}: the neighbour, quiet: {quiet}"));
        say(format_args!("f5: {name}: the neighbour, meanwhile: {busy}"));
        say(format_args!(
            "f5: {name}: the breaker opened after {opened:.1?}, first served {recovered:.1?} after healing"
        ));
        let before = answers.iter().filter(|it| it.at < failed_at);
        assert!(before.clone().count() > 0);
        assert!(before.clone().all(|it| it.status == 200), "{name}: it was well before");
        let no_target = answers.iter().any(|it| it.status == 503 && it.problem == "no-target");
        assert!(no_target, "{name}: an open breaker answers at once");
        for it in &answers {
            // Before the breaker opens there are more calls than may wait for the backend.
            let known = [
                "",
                "connect-timeout",
                "first-byte-timeout",
                "no-target",
                "backend-closed",
                "queue-full",
                "queue-timeout",
            ];
            assert!(
                it.status != 0 && known.contains(&it.problem.as_str()),
                "{name}: {} {}",
                it.status,
                it.problem
            );
        }
        // Nothing is held by what has failed.
        for gauge in [
            "portway_calls_in_flight",
            "portway_backend_calls_in_flight",
            "portway_backend_queue",
            "portway_endpoint_calls_in_flight",
        ] {
            wait_for(gateway, gauge, |value| value == 0.0);
        }
        assert!(count(gateway, "task") <= threads, "{name}: {} threads", count(gateway, "task"));
        assert_eq!(metric(gateway, "portway_panics_total"), 0.0);
        let is_full = is_full();
        assert!(opened < if is_full { OPENS_WITHIN } else { PATIENCE }, "{name}: {opened:?}");
        assert!(
            recovered < if is_full { RECOVERS_WITHIN + PACE } else { PATIENCE },
            "{name}: {recovered:?}"
        );
        assert!(
            !is_full || busy.p99_micros() * 10 <= quiet.p99_micros() * 12,
            "{name}: {busy}; quiet: {quiet}"
        );
    }
}

#[test]
fn f5_a_backend_behind_a_hole_opens_its_breaker_and_comes_back() {
    run_inside("inside_a_hole");
}

#[test]
#[ignore = "run by the test above, in a network of its own"]
fn inside_a_hole() {
    let far = backend("far");
    let port = far.port();
    let scene = Scene::new(far, "");
    let both = format!("tcp dport {port} drop\ntcp sport {port} drop");
    scene.breaks("a hole", || rules(&both), || rules(""));
}

#[test]
fn f5_a_network_that_carries_one_way_only_is_no_better() {
    run_inside("inside_one_way");
}

#[test]
#[ignore = "run by the test above, in a network of its own"]
fn inside_one_way() {
    for side in ["dport", "sport"] {
        let far = backend("far");
        let scene = Scene::new(far, "");
        let one = format!("tcp {side} {} drop", far.port());
        scene.breaks(&format!("nothing with its {side}"), || rules(&one), || rules(""));
    }
}

#[test]
fn f5_a_network_that_loses_some_packets_loses_no_calls() {
    run_inside("inside_losses");
}

#[test]
#[ignore = "run by the test above, in a network of its own"]
fn inside_losses() {
    let far = backend("far");
    let scene = Scene::new(far, "");
    let address = scene.gateway.address;
    let port = far.port();
    rules(&format!(
        "tcp dport {port} numgen random mod 100 < 5 drop\ntcp sport {port} numgen random mod 100 < 5 drop"
    ));
    let neighbour = Neighbour::start(address, "/near");
    let calls = Calls::start(address);
    std::thread::sleep(Duration::from_secs(5));
    let answers = calls.end();
    let slowest = answers.iter().map(|it| it.at - it.asked).max().expect("there were calls");
    say(format_args!(
        "f5: 5 % lost: {} calls, the slowest {slowest:.1?}; the neighbour: {}",
        answers.len(),
        neighbour.end()
    ));
    // One in ten thousand is so unlucky that no connection is made in time, twice.
    let failed = answers.iter().filter(|it| it.status != 200).count();
    assert!(failed * 100 <= answers.len(), "{failed} of {} failed", answers.len());
    assert_eq!(metric(&scene.gateway, "portway_endpoint_breaker"), 0.0);
}

#[test]
fn f5_a_process_that_is_frozen_opens_its_breaker_and_comes_back() {
    // Another gateway is the one that freezes; the system goes on taking connections for it.
    let text = format!(
        "portway: 1\ngateway: {{ listen: [\"127.0.0.1:0\"], admin: \"off\" }}\nservices:\n  far: {{ routes: [\"GET /\"], backend: \"http://{}\", auth: public }}\n",
        backend("far")
    );
    let directory = directory(&[("portway.yaml", &text)]);
    let far = Gateway::start(portway(directory.path(), &["run"]));
    // A time-out of half a minute cannot open a breaker within ten seconds.
    let scene = Scene::new(far.address, ", timeouts: { first_byte: 2s }");
    scene.breaks("frozen", || far.signal("STOP"), || far.signal("CONT"));
}
