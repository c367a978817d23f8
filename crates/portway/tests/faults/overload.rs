//! More calls than a backend can serve (fault row F7), on default settings: two, five and ten times as many, and then as many
//! as before.
//!
//! The backend works on a fixed number of calls at once, each for a fixed time, and lets all others wait; the load comes at its rate
//! whatever becomes of it, and times count from when a call was due.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use crate::program::{Gateway, directory, portway};
use crate::watch::metric;
use crate::{is_full, may_open, say, skip};

/// How long the backend works on a call.
const WORK: Duration = Duration::from_millis(20);
/// Part of the calls that have the higher priority, and of what the backend can do that they may be at most.
const HIGH: (f64, f64) = (0.1, 0.5);

/// A backend that can do so much, and no more.
struct Backend {
    address: SocketAddr,
    places: usize,
    /// Calls that it has worked on, and for how long: a busy machine makes a place free later than it should be.
    worked: Arc<(AtomicU64, AtomicU64)>,
    _runtime: Runtime,
}

impl Backend {
    fn start(places: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("it has an address");
        let (free, worked) = (Arc::new(Semaphore::new(places)), Arc::<(_, _)>::default());
        let counted = Arc::clone(&worked);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                tokio::spawn(serve(stream, Arc::clone(&free), Arc::clone(&counted)));
            }
        });
        Self { address, places, worked, _runtime: runtime }
    }

    /// What it could do in a second since this was last asked.
    fn capacity(&self) -> f64 {
        let (calls, us) = &*self.worked;
        let (calls, us) = (calls.swap(0, Ordering::AcqRel), us.swap(0, Ordering::AcqRel));
        self.places as f64 * calls as f64 * 1e6 / us.max(1) as f64
    }
}

async fn serve(mut stream: TcpStream, places: Arc<Semaphore>, worked: Arc<(AtomicU64, AtomicU64)>) {
    let mut heard = Vec::new();
    loop {
        match stream.read_buf(&mut heard).await {
            Ok(0) | Err(_) => return,
            Ok(_) if !heard.ends_with(b"\r\n\r\n") => {}
            Ok(_) => {
                heard.clear();
                let place = places.acquire().await;
                let begun = Instant::now();
                tokio::time::sleep(WORK).await;
                drop(place);
                let us = u64::try_from(begun.elapsed().as_micros()).expect("soon");
                worked.0.fetch_add(1, Ordering::AcqRel);
                worked.1.fetch_add(us, Ordering::AcqRel);
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                if stream.write_all(answer).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// One call's end.
#[derive(Clone, Copy)]
struct Ended {
    is_high: bool,
    due: Instant,
    took: Duration,
    status: u16,
    has_retry_after: bool,
}

/// Callers who do not wait for one another.
struct Load {
    address: SocketAddr,
    runtime: Runtime,
    idle: Arc<Mutex<Vec<TcpStream>>>,
    under_way: Arc<AtomicU64>,
}

impl Load {
    fn new(address: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        Self { address, runtime, idle: Arc::default(), under_way: Arc::default() }
    }

    /// Calls at a rate for a while, and waits until all have ended.
    fn run(&self, rate: f64, high: f64, length: Duration) -> Vec<Ended> {
        let ended = Arc::new(Mutex::new(Vec::new()));
        let (mut sent, mut high_sent) = (0.0, 0.0);
        let begun = Instant::now();
        while begun.elapsed() < length {
            let due = (begun.elapsed().as_secs_f64() * rate).floor();
            while sent < due {
                sent += 1.0;
                let is_high = high_sent < (sent * high).floor();
                high_sent += f64::from(u8::from(is_high));
                let at = begun + Duration::from_secs_f64(sent / rate);
                self.call(is_high, at, &ended);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        while self.under_way.load(Ordering::Acquire) > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        Arc::into_inner(ended).expect("all have ended").into_inner().expect("none panicked")
    }

    fn call(&self, is_high: bool, due: Instant, ended: &Arc<Mutex<Vec<Ended>>>) {
        let (address, idle) = (self.address, Arc::clone(&self.idle));
        let (ended, under_way) = (Arc::clone(ended), Arc::clone(&self.under_way));
        under_way.fetch_add(1, Ordering::AcqRel);
        self.runtime.spawn(async move {
            let kept = idle.lock().expect("none panicked").pop();
            let answer = ask(address, kept, is_high).await;
            let (status, has_retry_after) = match answer {
                Ok((stream, status, has_retry_after)) => {
                    idle.lock().expect("none panicked").push(stream);
                    (status, has_retry_after)
                }
                Err(_) => (0, false),
            };
            let took = due.elapsed();
            let end = Ended { is_high, due, took, status, has_retry_after };
            ended.lock().expect("none panicked").push(end);
            drop(ended);
            under_way.fetch_sub(1, Ordering::AcqRel);
        });
    }
}

/// One call; the connection is still good after it.
async fn ask(
    address: SocketAddr,
    kept: Option<TcpStream>,
    is_high: bool,
) -> std::io::Result<(TcpStream, u16, bool)> {
    let mut stream = match kept {
        Some(stream) => stream,
        None => TcpStream::connect(address).await?,
    };
    stream.set_nodelay(true)?;
    let key = if is_high { "the-high-key-of-this-test" } else { "the-other-key-of-this-test" };
    let mut request = Vec::with_capacity(96);
    write!(request, "GET / HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\n\r\n")?;
    stream.write_all(&request).await?;
    let mut heard = Vec::with_capacity(1_024);
    loop {
        if stream.read_buf(&mut heard).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8_lossy(&heard);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
        if body.len() >= length {
            let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
            return Ok((stream, status, head.contains("\r\nretry-after: ")));
        }
    }
}

/// What is seen of a stretch of calls.
struct Seen {
    calls: usize,
    good: usize,
    high: f64,
    good_p50: Duration,
    good_p99: Duration,
    shed_p99: Duration,
    /// Refused in another way than they should be.
    odd: usize,
    /// When the last call was due that was not answered well, from the beginning.
    last_lost: Duration,
    cpu: Duration,
}

fn percentile(times: &mut [Duration], part: usize) -> Duration {
    times.sort_unstable();
    times.get(times.len() * part / 100).copied().unwrap_or_default()
}

/// Runs a stretch of calls.
fn stretch(gateway: &Gateway, load: &Load, rate: f64, high: f64, length: Duration) -> Seen {
    let (begun, cpu) = (Instant::now(), cpu_of(gateway));
    let ended = load.run(rate, high, length);
    let cpu = cpu_of(gateway) - cpu;
    let times = |of: &dyn Fn(&&Ended) -> bool| -> Vec<Duration> {
        ended.iter().filter(of).map(|end| end.took).collect()
    };
    let mut good = times(&|end| end.status == 200);
    let mut shed = times(&|end| end.status == 503);
    let high: Vec<_> = ended.iter().filter(|end| end.is_high).collect();
    let high_good = high.iter().filter(|end| end.status == 200).count();
    let is_odd = |end: &&Ended| end.status != 200 && (end.status != 503 || !end.has_retry_after);
    let lost = ended.iter().filter(|end| end.status != 200).map(|end| end.due);
    Seen {
        calls: ended.len(),
        good: good.len(),
        high: high_good as f64 / high.len().max(1) as f64,
        good_p50: percentile(&mut good, 50),
        good_p99: percentile(&mut good, 99),
        shed_p99: percentile(&mut shed, 99),
        odd: ended.iter().filter(is_odd).count(),
        last_lost: lost.max().map_or(Duration::ZERO, |due| due.saturating_duration_since(begun)),
        cpu,
    }
}

/// Processor time of the gateway so far.
fn cpu_of(gateway: &Gateway) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{}/stat", gateway.child.id()));
    let text = text.expect("it runs, on Linux");
    let after = text.rsplit(')').next().expect("it has a name");
    let ticks: u64 =
        after.split_whitespace().skip(11).take(2).filter_map(|it| it.parse::<u64>().ok()).sum();
    // Ticks are hundredths of a second on Linux.
    Duration::from_millis(ticks * 10)
}

#[test]
fn f7_more_calls_than_a_backend_can_serve_are_shed_by_priority() {
    let full = is_full();
    if !may_open(16_384) {
        return skip("not so many files may be open");
    }
    let places = if full { 20 } else { 4 };
    let capacity = places as f64 / WORK.as_secs_f64();
    let backend = Backend::start(places);
    let text = format!(
        "portway: 1\ngateway: {{ listen: [\"127.0.0.1:0\"], admin: \"127.0.0.1:0\" }}\nservices:\n  \
         a: {{ routes: [\"GET /\"], backend: \"http://{}\", auth: [key] }}\napps:\n  \
         high: {{ keys: [ {{ env: HIGH_KEY }} ], plan: high }}\n  other: {{ keys: [ {{ env: OTHER_KEY }} ] }}\n\
         plans:\n  high: {{ priority: high }}\n",
        backend.address
    );
    let directory = directory(&[("portway.yaml", &text)]);
    let mut command = portway(directory.path(), &["run"]);
    command.env("HIGH_KEY", "the-high-key-of-this-test");
    command.env("OTHER_KEY", "the-other-key-of-this-test");
    let gateway = Gateway::start(command);
    let load = Load::new(gateway.address);
    let seconds =
        |full_s: u64, else_s: u64| Duration::from_secs(if full { full_s } else { else_s });

    let quiet = stretch(&gateway, &load, capacity * 0.7, HIGH.0, seconds(10, 2));
    say(format_args!(
        "f7: quiet: {} calls, {} good, p50 {:.1?}, p99 {:.1?}, {:.1?} of processor time per call",
        quiet.calls,
        quiet.good,
        quiet.good_p50,
        quiet.good_p99,
        quiet.cpu / quiet.calls as u32
    ));
    let mut failed = Vec::new();
    for times in [2.0, 5.0, 10.0] {
        let high = (HIGH.1 / times).min(HIGH.0);
        let length = seconds(60, 3);
        backend.capacity();
        let busy = stretch(&gateway, &load, capacity * times, high, length);
        let possible = backend.capacity();
        let after = stretch(&gateway, &load, capacity * 0.7, HIGH.0, seconds(10, 2));
        let goodput = busy.good as f64 / length.as_secs_f64() / possible;
        let slower = busy.good_p99.as_secs_f64() / quiet.good_p99.as_secs_f64();
        let good_cost = quiet.cpu / quiet.calls as u32 * busy.good as u32;
        let shed_cost =
            busy.cpu.saturating_sub(good_cost) / ((busy.calls - busy.good) as u32).max(1);
        say(format_args!(
            "f7: x{times}: {} calls, good {:.1} % of the {possible:.0}/s that can be served, {:.2} % of the higher priority, p50 {:.1?}, \
             p99 {:.1?} ({slower:.2} times as long as quiet), shed p99 {:.1?} and {shed_cost:.1?} of processor time each; \
             after it {} of {} lost, the last {:.1?} after",
            busy.calls,
            goodput * 100.0,
            busy.high * 100.0,
            busy.good_p50,
            busy.good_p99,
            busy.shed_p99,
            after.calls - after.good,
            after.calls,
            after.last_lost
        ));
        assert_eq!((busy.odd, after.odd), (0, 0), "who is refused is told when to come again");
        assert!(busy.good < busy.calls);
        let (good, high) = if full { (0.95, 0.995) } else { (0.4, 0.6) };
        let times_hold = slower <= 3.0 && after.last_lost <= Duration::from_secs(1);
        if goodput < good || busy.high < high || (full && !times_hold) {
            failed.push(times);
        }
    }
    assert!(failed.is_empty(), "the goals are not met at {failed:?} times the load");
    assert!(
        metric(&gateway, "portway_backend_refused_total{backend=\"a\",priority=\"normal\"}") > 0.0
    );
    assert_eq!(metric(&gateway, "portway_panics_total"), 0.0);
}
