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

use crate::connection::Reception;
use crate::live::Live;
use crate::shared::Shared;
use crate::telemetry::{
    Ceilings, LineWriter, LogSink, LogTarget, Metrics, Random, SnapshotView, Views, WorkerMetrics,
};
use crate::tls::{ServerTls, TlsFiles};
use crate::upstream::{BackendView, SystemResolver, Upstreams};
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
    control: Handle,
    workers: usize,
    drain_timeout: Duration,
}

/// One address with a socket per worker.
struct Bindings {
    address: SocketAddr,
    sockets: Vec<std::net::TcpListener>,
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
        clock,
        logs_calls,
        files_max: settings.files_max,
    });
    Ok(Bound { shared, listeners, sink, control, workers, drain_timeout: settings.drain_timeout })
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
        Ok(Self { address, sockets, tls, proxy_protocol: listen.proxy_protocol })
    }

    /// The sockets that worker `index` of `workers` accepts from: its own; if there are more sockets
    /// than workers also others, so that none is left waiting; if there are fewer, a shared one.
    fn of_worker(&self, index: usize, workers: usize) -> io::Result<Vec<std::net::TcpListener>> {
        if index >= self.sockets.len() {
            return Ok(vec![self.sockets[index % self.sockets.len()].try_clone()?]);
        }
        self.sockets
            .iter()
            .skip(index)
            .step_by(workers)
            .map(std::net::TcpListener::try_clone)
            .collect()
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
    /// When the system gives no thread, or a socket cannot be shared out.
    pub fn run(self) -> Result<Running, BindFault> {
        let (commands, receiver) = watch::channel(Command::Serve);
        let mut threads = Vec::with_capacity(self.workers);
        for index in 0..self.workers {
            let seat = Seat {
                shared: Arc::clone(&self.shared),
                log: LineWriter::new(&self.sink),
                commands: receiver.clone(),
                listeners: self.seats_of(index)?,
            };
            let thread = std::thread::Builder::new()
                .name(format!("worker-{index}"))
                .spawn(move || seat.work())
                .map_err(|error| BindFault::System(format!("no thread can be started: {error}")))?;
            threads.push(thread);
        }
        Ok(Running {
            inner: Arc::new(Inner {
                shared: self.shared,
                control: self.control,
                listeners: self.listeners,
                sink: Mutex::new(Some(self.sink)),
                commands,
                threads: Mutex::new(threads),
                drain_timeout: self.drain_timeout,
                published: Mutex::new(Published { unix_ms: unix_ms(), last_load_failed: false }),
            }),
        })
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
    shared: Arc<Shared>,
    log: LineWriter,
    commands: watch::Receiver<Command>,
    listeners: Vec<(std::net::TcpListener, Reception)>,
}

impl Seat {
    fn work(self) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default());
        match runtime {
            Ok(runtime) => {
                self.work_on(&runtime);
                runtime.shutdown_timeout(Duration::ZERO);
            }
            Err(error) => tracing::error!(%error, "a worker has no runtime"),
        }
    }

    fn work_on(self, runtime: &LocalRuntime) {
        let metrics: WorkerMetrics = self.shared.metrics.worker();
        let worker = Worker::new(self.shared, self.log, metrics, Random::from_system());
        runtime.block_on(run(worker, self.listeners, self.commands));
    }
}

/// A worker's life.
async fn run(
    worker: Rc<Worker>,
    listeners: Vec<(std::net::TcpListener, Reception)>,
    mut commands: watch::Receiver<Command>,
) {
    let mut accepting = Vec::new();
    for (socket, reception) in listeners {
        match tokio::net::TcpListener::from_std(socket) {
            Ok(socket) => {
                let task = listener::accept(Rc::clone(&worker), socket, Rc::new(reception));
                accepting.push(tokio::task::spawn_local(task));
            }
            Err(error) => tracing::error!(%error, "a listening socket cannot be used"),
        }
    }
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut draining = false;
    loop {
        tokio::select! {
            _ = tick.tick() => worker.tick(),
            changed = commands.changed() => {
                let command = if changed.is_ok() { *commands.borrow_and_update() } else { Command::Cut };
                match command {
                    Command::Serve => {}
                    Command::Drain => {
                        draining = true;
                        accepting.drain(..).for_each(|task| task.abort());
                        worker.drain();
                    }
                    Command::Cut => {
                        accepting.drain(..).for_each(|task| task.abort());
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
    worker.log.borrow_mut().flush();
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

    /// What is live.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.inner.shared.live.load().snapshot)
    }

    /// When it was published, in milliseconds since 1970.
    pub fn published_unix_ms(&self) -> u64 {
        lock(&self.inner.published).unix_ms
    }

    /// All counters as Prometheus text.
    pub fn metrics_text(&self) -> String {
        let shared = &self.inner.shared;
        let snapshot = self.snapshot();
        let backends = shared.upstreams.views();
        let shown = crate::scrape::backends(&backends);
        let (published_unix_ms, last_load_failed) = {
            let published = lock(&self.inner.published);
            (published.unix_ms, published.last_load_failed)
        };
        shared.metrics.render(&Views {
            now_unix_ms: unix_ms(),
            snapshot: Some(SnapshotView {
                hash: &snapshot.hash,
                published_unix_ms,
                last_load_failed,
            }),
            backends: &shown,
            log: lock(&self.inner.sink).as_ref().map(LogSink::counts),
        })
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
    /// When the system gives no more descriptors.
    pub fn listeners_for_handover(&self) -> io::Result<Vec<(SocketAddr, Vec<OwnedFd>)>> {
        let duplicates = |bindings: &Bindings| {
            let sockets = bindings.sockets.iter().map(|socket| Ok(socket.try_clone()?.into()));
            Ok((bindings.address, sockets.collect::<io::Result<_>>()?))
        };
        self.inner.listeners.iter().map(duplicates).collect()
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

    /// Accepts no more, lets calls under way end within the time that the settings give, and cuts
    /// the rest. Returns when all workers have ended and the log is written.
    pub async fn drain(&self) {
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
