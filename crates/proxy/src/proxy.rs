//! The gateway as a whole: bind, run, publish, drain.
//!
//! Binding opens every port and fails before anything is served. Each worker is a thread with a
//! runtime of its own; this file starts them, tells them what to do, and waits for them.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use portway_policy::MemoryCounters;
use portway_snapshot::{Compiled, Snapshot};
use tokio::runtime::{Handle, LocalOptions, LocalRuntime};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::connection::Reception;
use crate::live::Live;
use crate::recent::RecentCall;
use crate::shared::Shared;
use crate::telemetry::{
    Ceilings, LineWriter, LogFields, LogSink, LogTarget, Metrics, MetricsForm, Privacy, Random,
    SnapshotView, SpanSink, Tracer, Views, WorkerMetrics,
};
use crate::tls::{ServerTls, TlsFiles};
use crate::upstream::{BackendView, SystemResolver, Upstreams};
use crate::vigil::{Pulse, Vigil};
use crate::worker::Worker;
use crate::{listener, telemetry};

/// How often a worker hands over its log lines and looks after its pool.
const TICK: Duration = Duration::from_millis(100);
/// Turns of a worker's runtime within which connections that are ended must be gone.
const LAST_TURNS: usize = 10_000;
/// How long the first look-ups of names may hold up the start.
const FIRST_ANSWERS: Duration = Duration::from_secs(2);

/// One address to listen on.
pub struct Listen {
    /// Where.
    pub address: SocketAddr,
    /// Certificates; plain if absent.
    pub tls: Option<TlsFiles>,
    /// Whether connections of trusted proxies begin with a PROXY header.
    pub proxy_protocol: bool,
    /// Sockets that a predecessor, or the system, has opened; if empty they are bound here.
    pub inherited: Vec<std::net::TcpListener>,
}

/// What a gateway is started with.
pub struct Settings {
    /// Where callers come in.
    pub listeners: Vec<Listen>,
    /// Threads that carry calls, at least 1.
    pub workers: usize,
    /// Where the lines of calls go; `None` writes none.
    pub log: Option<LogTarget>,
    /// How long calls may take to end when draining.
    pub drain_timeout: Duration,
    /// The runtime for everything that is not a call.
    pub control: Handle,
    /// Files that the process may have open at once.
    pub files_max: u64,
    /// What is told of calls, and to whom beside the log.
    pub telling: Telling,
}

/// What is told of calls. The default: all fields, nothing hidden, no spans.
#[derive(Debug, Default)]
pub struct Telling {
    /// The fields of a line of the log; `None`: every one.
    pub log_fields: Option<LogFields>,
    /// What of callers is shown.
    pub privacy: Privacy,
    /// Where spans go; `None`: none are made.
    pub spans: Option<SpanSink>,
}

/// Why a gateway cannot start.
#[derive(Debug)]
pub enum BindFault {
    /// An address cannot be listened on.
    Listen(SocketAddr, io::Error),
    /// Certificates cannot be used: one sentence per file.
    Tls(Vec<String>),
    /// The log of calls cannot be opened.
    Log(io::Error),
    /// Something of the system is missing.
    System(String),
}

impl std::fmt::Display for BindFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Listen(address, error) if error.kind() == io::ErrorKind::AddrInUse => write!(
                f,
                "{address} is in use by another program; stop it, or choose another address in `gateway.listen`"
            ),
            Self::Listen(address, error) => {
                write!(f, "cannot listen on {address}: {error}; see `gateway.listen`")
            }
            Self::Tls(mistakes) => write!(f, "{}", mistakes.join("\n")),
            Self::Log(error) => {
                write!(f, "the log of calls cannot be opened: {error}; see `gateway.log.to`")
            }
            Self::System(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for BindFault {}

/// A gateway whose ports are open and which serves nobody yet.
pub struct Bound {
    shared: Arc<Shared>,
    listeners: Vec<Bindings>,
    sink: LogSink,
    spans: Option<SpanSink>,
    control: Handle,
    workers: usize,
    drain_timeout: Duration,
}

/// One address with a socket per worker.
struct Bindings {
    address: SocketAddr,
    /// None any more once the gateway drains: as long as one is open, the system lets connections in.
    sockets: Mutex<Vec<std::net::TcpListener>>,
    tls: Option<Arc<ServerTls>>,
    proxy_protocol: bool,
}

/// Opens every port and makes the first snapshot live.
///
/// # Errors
/// When a port, a certificate or the log cannot be had. Nothing was served then.
pub fn bind(settings: Settings, first: Compiled) -> Result<Bound, BindFault> {
    let workers = settings.workers.max(1);
    let listeners: Vec<Bindings> = settings
        .listeners
        .into_iter()
        .map(|listen| Bindings::open(listen, workers))
        .collect::<Result<_, _>>()?;
    let logs_calls = settings.log.is_some();
    let sink = LogSink::start(settings.log.unwrap_or(LogTarget::Stdout)).map_err(BindFault::Log)?;
    let clock = crate::worker::WorkerClock::start();
    let resolver = SystemResolver::from_system().map_err(BindFault::System)?;
    let control = settings.control.clone();
    let addresses: Vec<String> =
        listeners.iter().map(|bindings| bindings.address.to_string()).collect();
    let names: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let metrics = Arc::new(Metrics::new(Ceilings::default(), &names, unix_ms()));
    let counted = Arc::clone(&metrics);
    let upstreams = Upstreams::new(
        settings.control,
        Arc::new(move || clock.now_ms()),
        Arc::new(resolver),
        Arc::new(move |event| counted.add(event)),
    );
    let parts = crate::live::Parts {
        upstreams: &upstreams,
        metrics: &metrics,
        files_max: settings.files_max,
    };
    let live = Live::new(first, &parts, None).map_err(BindFault::Tls)?;
    let shared = Arc::new(Shared {
        live: Arc::new(ArcSwap::from_pointee(live)),
        counters: Arc::new(MemoryCounters::default()),
        unmatched: metrics.series("", ""),
        metrics,
        upstreams: Arc::new(upstreams),
        admission: crate::shared::Admission::default(),
        held_bytes: std::sync::atomic::AtomicU64::new(0),
        refused_by_system: listener::Recurring::new(),
        clock,
        logs_calls,
        log_fields: settings.telling.log_fields,
        privacy: settings.telling.privacy,
        span_tallies: settings.telling.spans.as_ref().map(SpanSink::tallies),
        seen: crate::learn::Seen::default(),
        files_max: settings.files_max,
        recent: crate::recent::Recent::default(),
    });
    let spans = settings.telling.spans;
    Ok(Bound {
        shared,
        listeners,
        sink,
        spans,
        control,
        workers,
        drain_timeout: settings.drain_timeout,
    })
}

impl Bindings {
    fn open(listen: Listen, workers: usize) -> Result<Self, BindFault> {
        let tls = match &listen.tls {
            Some(files) => Some(Arc::new(ServerTls::load(files).map_err(BindFault::Tls)?)),
            None => None,
        };
        let fault = |error| BindFault::Listen(listen.address, error);
        let mut sockets = listen.inherited;
        if sockets.is_empty() {
            listener::is_taken(listen.address).map_err(fault)?;
            let first = listener::bind(listen.address).map_err(fault)?;
            let address = first.local_addr().map_err(fault)?;
            sockets.push(first);
            for _ in 1..workers {
                sockets.push(listener::bind(address).map_err(fault)?);
            }
        }
        let address = sockets[0].local_addr().map_err(fault)?;
        Ok(Self {
            address,
            sockets: Mutex::new(sockets),
            tls,
            proxy_protocol: listen.proxy_protocol,
        })
    }

    /// The sockets that worker `index` of `workers` accepts from: its own; if there are more sockets
    /// than workers also others, so that none is left waiting; if there are fewer, a shared one.
    fn of_worker(&self, index: usize, workers: usize) -> io::Result<Vec<std::net::TcpListener>> {
        let sockets = lock(&self.sockets);
        if index >= sockets.len() {
            return Ok(vec![sockets[index % sockets.len()].try_clone()?]);
        }
        sockets.iter().skip(index).step_by(workers).map(std::net::TcpListener::try_clone).collect()
    }

    /// Duplicates of all sockets, for a successor.
    fn duplicates(&self) -> io::Result<(SocketAddr, Vec<OwnedFd>)> {
        let sockets = lock(&self.sockets);
        if sockets.is_empty() {
            return Err(io::Error::other("this process ends and does not listen any more"));
        }
        let duplicates = sockets.iter().map(|socket| Ok(socket.try_clone()?.into()));
        Ok((self.address, duplicates.collect::<io::Result<_>>()?))
    }

    /// Gives up the sockets; the workers have duplicates of their own.
    fn close(&self) {
        lock(&self.sockets).clear();
    }
}

/// What workers are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Serve,
    /// Accept no more, let calls end.
    Drain,
    /// End now.
    Cut,
    /// Be lost, as by a fault of this program.
    #[cfg(test)]
    Panic,
}

impl Bound {
    /// The addresses that are listened on, with the ports that the system chose.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().map(|bindings| bindings.address).collect()
    }

    /// Waits for the first answers of name servers, within a bound.
    pub async fn warm_up(&self) {
        self.shared.upstreams.first_answers(FIRST_ANSWERS).await;
    }

    /// Starts serving.
    ///
    /// # Errors
    /// When the system gives no thread, a socket cannot be shared out, or a worker cannot start.
    pub fn run(self) -> Result<Running, BindFault> {
        let (commands, receiver) = watch::channel(Command::Serve);
        let vigil = Arc::new(Vigil::over(self.workers));
        let mut threads = Vec::with_capacity(self.workers);
        if let Err(fault) = self.start_workers(&receiver, &vigil, &mut threads) {
            commands.send_replace(Command::Cut);
            threads.into_iter().for_each(|thread| drop(thread.join()));
            return Err(fault);
        }
        Ok(Running {
            inner: Arc::new(Inner {
                shared: self.shared,
                control: self.control,
                listeners: self.listeners,
                sink: Mutex::new(Some(self.sink)),
                commands,
                vigil,
                threads: Mutex::new(threads),
                drain_timeout: self.drain_timeout,
                published: Mutex::new(Published { unix_ms: unix_ms(), last_load_failed: false }),
            }),
        })
    }

    /// Starts every worker, and waits until each has started: one that cannot would leave its callers waiting.
    fn start_workers(
        &self,
        commands: &watch::Receiver<Command>,
        vigil: &Arc<Vigil>,
        threads: &mut Vec<JoinHandle<()>>,
    ) -> Result<(), BindFault> {
        let (told, started) = std::sync::mpsc::channel();
        for index in 0..self.workers {
            let seat = Seat {
                index,
                shared: Arc::clone(&self.shared),
                log: (LineWriter::new(&self.sink), self.spans.clone().map(Tracer::new)),
                commands: commands.clone(),
                listeners: self.seats_of(index)?,
                vigil: Arc::clone(vigil),
            };
            let told = told.clone();
            let thread = std::thread::Builder::new()
                .name(format!("worker-{index}"))
                .spawn(move || seat.work(&told))
                .map_err(|error| BindFault::System(format!("no thread can be started: {error}")))?;
            threads.push(thread);
        }
        drop(told);
        for _ in 0..self.workers {
            let died = || Err("it ended at once".to_owned());
            started
                .recv()
                .unwrap_or_else(|_| died())
                .map_err(|why| BindFault::System(format!("a worker cannot start: {why}; see `gateway.workers`, and what the process may have (`ulimit -a`)")))?;
        }
        Ok(())
    }

    fn seats_of(
        &self,
        worker: usize,
    ) -> Result<Vec<(std::net::TcpListener, Reception)>, BindFault> {
        let mut seats = Vec::new();
        for (index, bindings) in self.listeners.iter().enumerate() {
            let sockets = bindings
                .of_worker(worker, self.workers)
                .map_err(|error| BindFault::Listen(bindings.address, error))?;
            seats.extend(sockets.into_iter().map(|socket| {
                let tls = bindings.tls.clone();
                (socket, Reception { index, tls, proxy_protocol: bindings.proxy_protocol })
            }));
        }
        Ok(seats)
    }
}

/// What a worker's thread is given.
struct Seat {
    index: usize,
    shared: Arc<Shared>,
    log: (LineWriter, Option<Tracer>),
    commands: watch::Receiver<Command>,
    listeners: Vec<(std::net::TcpListener, Reception)>,
    vigil: Arc<Vigil>,
}

/// How a worker says whether it has started.
type Told = std::sync::mpsc::Sender<Result<(), String>>;

impl Seat {
    fn work(self, told: &Told) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default());
        match runtime {
            Ok(runtime) => {
                self.work_on(&runtime, told);
                runtime.shutdown_timeout(Duration::ZERO);
            }
            Err(error) => {
                let _ = told.send(Err(error.to_string()));
            }
        }
    }

    fn work_on(self, runtime: &LocalRuntime, told: &Told) {
        let entrances = {
            let _entered = runtime.enter();
            self.listeners.into_iter().map(Entrance::new).collect::<io::Result<Vec<_>>>()
        };
        let entrances = match entrances {
            Ok(entrances) => entrances,
            Err(error) => {
                let _ = told.send(Err(format!("a listening socket cannot be used: {error}")));
                return;
            }
        };
        let metrics: WorkerMetrics = self.shared.metrics.worker();
        let worker = Worker::new(self.shared, self.log, metrics, Random::from_system());
        let mut pulse = Pulse::new(self.vigil, self.index);
        let _ = told.send(Ok(()));
        let ended = runtime.block_on(run(worker, entrances, self.commands, &pulse));
        if ended == Ended::AsTold {
            pulse.may_end();
        }
    }
}

/// A socket from which a worker accepts.
struct Entrance {
    socket: Rc<tokio::net::TcpListener>,
    reception: Rc<Reception>,
}

impl Entrance {
    fn new((socket, reception): (std::net::TcpListener, Reception)) -> io::Result<Self> {
        let socket = Rc::new(tokio::net::TcpListener::from_std(socket)?);
        Ok(Self { socket, reception: Rc::new(reception) })
    }

    /// Takes who waits at it, and closes it. Nothing else accepts from it any more.
    fn close(self, worker: &Rc<Worker>) {
        if let Some(socket) = Rc::into_inner(self.socket) {
            listener::take_waiting(worker, socket, &self.reception);
        }
    }
}

/// How a worker came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    AsTold,
    /// It does not accept any more, and nobody told it so.
    Deaf,
}

/// A worker's life.
async fn run(
    worker: Rc<Worker>,
    mut entrances: Vec<Entrance>,
    mut commands: watch::Receiver<Command>,
    pulse: &Pulse,
) -> Ended {
    let mut accepting = JoinSet::new();
    for entrance in &entrances {
        let (socket, reception) = (Rc::clone(&entrance.socket), Rc::clone(&entrance.reception));
        accepting.spawn_local(listener::accept(Rc::clone(&worker), socket, reception));
    }
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut draining = false;
    let mut ended = Ended::AsTold;
    loop {
        tokio::select! {
            _ = tick.tick() => {
                pulse.beat();
                worker.tick();
            }
            // Those that drain have none left.
            Some(_) = accepting.join_next() => {
                ended = Ended::Deaf;
                break;
            }
            changed = commands.changed() => {
                let command = if changed.is_ok() { *commands.borrow_and_update() } else { Command::Cut };
                match command {
                    Command::Serve => {}
                    #[cfg(test)]
                    Command::Panic => panic!("a test asked for it"),
                    Command::Drain => {
                        draining = true;
                        accepting.shutdown().await;
                        entrances.drain(..).for_each(|entrance| entrance.close(&worker));
                        worker.drain();
                    }
                    Command::Cut => {
                        accepting.shutdown().await;
                        worker.cut();
                        break;
                    }
                }
            }
        }
        if draining && worker.connection_count() == 0 {
            break;
        }
    }
    // Tasks that are ended write their last lines when they are dropped, one turn or a few from here.
    for _ in 0..LAST_TURNS {
        if worker.connection_count() == 0 {
            break;
        }
        tokio::task::yield_now().await;
    }
    worker.pool.clear();
    worker.flush();
    ended
}

/// A gateway that serves. Clones are the same gateway.
#[derive(Clone)]
pub struct Running {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    control: Handle,
    listeners: Vec<Bindings>,
    sink: Mutex<Option<LogSink>>,
    commands: watch::Sender<Command>,
    vigil: Arc<Vigil>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    drain_timeout: Duration,
    published: Mutex<Published>,
}

struct Published {
    unix_ms: u64,
    last_load_failed: bool,
}

impl Running {
    /// Makes a snapshot live on every worker at once. State is kept by stable ids. Blocks until names that
    /// are new have been looked up, within a bound; not to be called from a task of a runtime.
    ///
    /// # Errors
    /// When files that it names (TLS of backends) cannot be used; what was live stays live.
    pub fn publish(&self, compiled: Compiled) -> Result<(), Vec<String>> {
        let shared = &self.inner.shared;
        let parts = crate::live::Parts {
            upstreams: &shared.upstreams,
            metrics: &shared.metrics,
            files_max: shared.files_max,
        };
        match Live::new(compiled, &parts, Some(&shared.live.load())) {
            Ok(live) => {
                self.await_new_names();
                shared.live.store(Arc::new(live));
                shared.metrics.add(telemetry::Event::SnapshotPublished);
                *lock(&self.inner.published) =
                    Published { unix_ms: unix_ms(), last_load_failed: false };
                Ok(())
            }
            Err(mistakes) => {
                self.rejected();
                Err(mistakes)
            }
        }
    }

    /// A service that comes in with a new name shall not fail its first calls for that.
    fn await_new_names(&self) {
        if Handle::try_current().is_err() {
            let inner = &self.inner;
            inner.control.block_on(inner.shared.upstreams.first_answers(FIRST_ANSWERS));
        }
    }

    /// Documents did not compile: what is live stays live. Remembered for metrics.
    pub fn rejected(&self) {
        self.inner.shared.metrics.add(telemetry::Event::SnapshotRejected);
        lock(&self.inner.published).last_load_failed = true;
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    /// The latest call of an id, if it is one of the last thousand or so of its worker.
    pub fn recent_call(&self, request_id: &str) -> Option<RecentCall> {
        let shared = &self.inner.shared;
        let shows_route = shared.privacy.shows_routes();
        shared.recent.find(request_id).map(|call| RecentCall { shows_route, ..call })
    }

    /// What is live.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.inner.shared.live.load().snapshot)
    }

    /// When it was published, in milliseconds since 1970.
    pub fn published_unix_ms(&self) -> u64 {
        lock(&self.inner.published).unix_ms
    }

    /// All counters as text.
    pub fn metrics_text(&self, form: MetricsForm) -> String {
        let shared = &self.inner.shared;
        let snapshot = self.snapshot();
        let backends = shared.upstreams.views();
        let shown = crate::scrape::backends(&backends);
        let (published_unix_ms, last_load_failed) = {
            let published = lock(&self.inner.published);
            (published.unix_ms, published.last_load_failed)
        };
        shared.metrics.render(
            form,
            &Views {
                now_unix_ms: unix_ms(),
                snapshot: Some(SnapshotView {
                    hash: &snapshot.hash,
                    published_unix_ms,
                    last_load_failed,
                }),
                backends: &shown,
                log: lock(&self.inner.sink).as_ref().map(LogSink::counts),
                spans: shared.span_tallies.as_ref().map(|tallies| tallies.counts()),
            },
        )
    }

    /// What was seen of the calls of services that are learned since this was asked before, by the name of the service.
    pub fn take_seen(&self) -> Vec<(portway_model::Name, portway_contract::learn::Observation)> {
        self.inner.shared.seen.take()
    }

    /// Counts what came of writing what was learned.
    pub fn learned(&self, is_written: bool) {
        let event = if is_written {
            telemetry::Event::LearnedWritten
        } else {
            telemetry::Event::LearnedFailed
        };
        self.inner.shared.metrics.add(event);
    }

    /// The backends at this moment.
    pub fn backends(&self) -> Vec<BackendView> {
        self.inner.shared.upstreams.views()
    }

    /// Connections of callers.
    pub fn connections(&self) -> u64 {
        self.inner.shared.admission.total()
    }

    /// The addresses that are listened on.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.inner.listeners.iter().map(|bindings| bindings.address).collect()
    }

    /// Duplicates of the listening sockets, for a successor.
    ///
    /// # Errors
    /// When the system gives no more descriptors, and when the gateway drains already.
    pub fn listeners_for_handover(&self) -> io::Result<Vec<(SocketAddr, Vec<OwnedFd>)>> {
        self.inner.listeners.iter().map(Bindings::duplicates).collect()
    }

    /// Comes back, saying why, once a worker has ended that was not told to. Its callers wait in vain then, so that
    /// the gateway is best drained and started anew.
    pub async fn lost_worker(&self) -> String {
        self.inner.vigil.lost().await
    }

    /// Whether every worker has moved since this was asked before, which must be some tenths of a second ago.
    pub fn workers_move(&self) -> bool {
        self.inner.vigil.all_move()
    }

    /// Reads the certificates of all listeners again; says what came of it where something did.
    pub fn reload_certificates(&self) -> Vec<Result<String, String>> {
        let metrics = &self.inner.shared.metrics;
        let mut said = Vec::new();
        for bindings in &self.inner.listeners {
            let Some(tls) = &bindings.tls else { continue };
            match tls.reload() {
                Ok(false) => {}
                Ok(true) => {
                    metrics.add(telemetry::Event::CertificateReloaded);
                    said.push(Ok(format!("certificates of {} were read again", bindings.address)));
                }
                Err(mistakes) => {
                    metrics.add(telemetry::Event::CertificateRejected);
                    said.extend(mistakes.into_iter().map(Err));
                }
            }
        }
        said
    }

    /// Opens the log of calls again (after it was rotated).
    pub fn reopen_log(&self) {
        if let Some(sink) = &*lock(&self.inner.sink) {
            sink.reopen();
        }
    }

    /// Closes the listening sockets (those of a successor stay open), lets calls under way end within the time that the
    /// settings give, and cuts the rest. Connections that the system had let in already are served. Returns when all
    /// workers have ended and the log is written.
    pub async fn drain(&self) {
        // Before the workers close theirs: the last one to close is who has taken what waited.
        self.inner.listeners.iter().for_each(Bindings::close);
        self.inner.commands.send_replace(Command::Drain);
        let inner = Arc::clone(&self.inner);
        let deadline = std::time::Instant::now() + self.inner.drain_timeout;
        let ended = tokio::task::spawn_blocking(move || inner.wait(deadline)).await;
        if ended.is_err() {
            tracing::error!("waiting for the workers failed");
        }
    }

    /// Ends at once.
    pub fn cut(&self) {
        self.inner.commands.send_replace(Command::Cut);
    }
}

impl Inner {
    /// Waits for the workers; cuts what is left at the deadline.
    fn wait(&self, deadline: std::time::Instant) {
        const PAUSE: Duration = Duration::from_millis(10);
        let threads = std::mem::take(&mut *lock(&self.threads));
        while std::time::Instant::now() < deadline && !threads.iter().all(JoinHandle::is_finished) {
            std::thread::sleep(PAUSE);
        }
        self.commands.send_replace(Command::Cut);
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a worker panicked");
            }
        }
        if let Some(sink) = lock(&self.sink).take() {
            sink.stop(Duration::from_secs(2));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
