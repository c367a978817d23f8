//! What would become of a call, without the call: decided by the code that serves, on a worker that serves nobody.
//!
//! A rehearsal reads a head as a connection would, lets [`exchange::decide`](crate::exchange) judge it, asks the
//! balance of its backend without taking a turn, and has the head written that the backend would get. It opens no
//! connection, writes no log line and counts nothing in the metrics. What differs from a call stands in [`Stage`]:
//! the clock, the counts (looked at, or kept apart for a test), and an app that is taken for granted.
//!
//! What is told here is for the operator. Values that the gateway sets may be secrets: [`Rehearsed::secret_headers`] and
//! [`Rehearsed::secret_query`] name what must not be shown.

mod outcome;
mod picked;
mod stage;

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use portway_http1::{self as http1, Progress, Reject};
use portway_model::Name;
use portway_policy::{App, Body, Identify, KeyPlace, MemoryCounters};
use portway_snapshot::explain::{ExplainRequest, Explanation};
use portway_snapshot::{Compiled, Operation, Snapshot};
use tokio::runtime::Runtime;

use crate::body::Part;
use crate::buffer::Lent;
use crate::check;
use crate::dispatch;
use crate::exchange::{self, Decided, Decision, Stop, Surroundings, check_length};
use crate::forwarded;
use crate::learn::Seen;
use crate::listener::Recurring;
use crate::live::{Live, Parts};
use crate::peer::Peer;
use crate::proxy::Running;
use crate::recent::Recent;
use crate::record::Record;
use crate::request::Request;
use crate::respond::Local;
use crate::rules::Watched;
use crate::shared::{Admission, Shared};
use crate::telemetry::{Ceilings, LineWriter, Metrics, Privacy, Random};
use crate::transfer::caller_broke;
use crate::upstream::{Asked as Answer, Family, NotFound, Resolve, Service as Srv, Upstreams};
use crate::worker::{Worker, WorkerClock};

pub use outcome::{Outcome, Told};
pub use picked::{Candidate, Picked};
pub(crate) use stage::Stage;
pub use stage::{Counted, Gated};

/// A call to rehearse.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The whole head of HTTP/1.1, with the empty line at its end.
    pub head: &'a [u8],
    /// The body.
    pub body: &'a [u8],
    /// Where the caller is.
    pub peer: SocketAddr,
    /// Whether it comes through TLS.
    pub tls: bool,
    /// The time to judge by, in milliseconds since 1970; `None`: now.
    pub unix_ms: Option<u64>,
    /// The app that calls, whatever credentials there are.
    pub app: Option<&'a str>,
}

/// What became of it.
#[derive(Debug, Clone)]
pub struct Rehearsed {
    /// Hash of the snapshot that judged.
    pub snapshot: String,
    /// Time it was judged by, in milliseconds since 1970.
    pub unix_ms: u64,
    /// Candidates, and why each lost.
    pub explanation: Explanation,
    /// The caller behind trusted proxies.
    pub client: std::net::IpAddr,
    /// Whether the peer is a trusted proxy.
    pub trusted: bool,
    /// What came of it.
    pub outcome: Outcome,
    /// The apps whose credentials were found, in the order in which they were looked for; with the plan of each.
    pub apps: Vec<Arc<App>>,
    /// The app that was taken for granted.
    pub assumed: Option<Name>,
    /// Ids of signing keys that were looked for and that nobody has.
    pub unknown_ids: Vec<String>,
    /// The text of the signature that the call shows, or what is wrong with what it shows.
    pub signing: Option<Result<portway_policy::TextToSign, portway_policy::SignatureFault>>,
    /// Whether the body was needed to find out who calls.
    pub held_body: bool,
    /// Limits that were asked.
    pub limits: Vec<Counted>,
    /// Gates that were asked.
    pub gates: Vec<Gated>,
    /// What of the contract the head does not keep; `None` where nothing is checked.
    pub problems: Option<Vec<portway_contract::request::Misfit>>,
    /// Whether calls that do not keep the contract are refused.
    pub enforced: bool,
    /// Where it would go.
    pub picked: Option<Picked>,
    /// The head that the backend gets.
    pub forwarded: Option<Vec<u8>>,
    /// What the gateway answers itself.
    pub told: Option<Told>,
    /// Header fields whose values are credentials.
    pub secret_headers: Vec<String>,
    /// Query parameters whose values are credentials.
    pub secret_query: Vec<String>,
}

/// Why nothing could be rehearsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CannotRehearse {
    /// No app of this name has a key.
    NoSuchApp(String),
    /// The operation takes no keys, so that no app can be taken for granted.
    TakesNoKeys,
    /// Something of the system is missing.
    System(String),
}

impl std::fmt::Display for CannotRehearse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoSuchApp(name) => {
                write!(f, "no app `{name}` has a key here, or it is disabled")
            }
            Self::TakesNoKeys => f.write_str(
                "the operation takes no keys, so that no app can be taken for granted; give the call its signature",
            ),
            Self::System(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for CannotRehearse {}

/// Documents, ready to rehearse calls. Nothing is connected: names are not looked up, files of TLS not read.
pub struct Rehearsal {
    shared: Arc<Shared>,
    /// What the state of backends would run on. Nobody drives it, so that nothing does.
    _idle: Runtime,
}

impl Rehearsal {
    /// For documents. Counts begin at nothing.
    ///
    /// # Errors
    /// When the system does not have what is needed.
    pub fn of(compiled: Compiled) -> Result<Self, CannotRehearse> {
        let system = |why: std::io::Error| CannotRehearse::System(why.to_string());
        let idle = tokio::runtime::Builder::new_current_thread().build().map_err(system)?;
        let clock = WorkerClock::start();
        let metrics =
            Arc::new(Metrics::new(Ceilings { services: 0, operations: 0 }, &[""], unix_ms()));
        let upstreams = Upstreams::new(
            idle.handle().clone(),
            Arc::new(move || clock.now_ms()),
            Arc::new(NoNames),
            Arc::new(|_| {}),
        );
        let parts = Parts { upstreams: &upstreams, metrics: &metrics, files_max: u64::MAX };
        let live = {
            let _entered = idle.enter();
            Live::unconnected(compiled, &parts)
        };
        let shared = Shared {
            live: Arc::new(ArcSwap::from_pointee(live)),
            counters: Arc::new(MemoryCounters::default()),
            unmatched: metrics.series("", ""),
            metrics,
            upstreams: Arc::new(upstreams),
            admission: Admission::default(),
            refused_by_system: Recurring::new(),
            clock,
            held_bytes: std::sync::atomic::AtomicU64::new(0),
            logs_calls: false,
            log_fields: None,
            privacy: Privacy::default(),
            span_tallies: None,
            seen: Seen::default(),
            files_max: u64::MAX,
            recent: Recent::default(),
        };
        Ok(Self { shared: Arc::new(shared), _idle: idle })
    }

    /// The snapshot.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.shared.live.load().snapshot)
    }

    /// What would become of a call. Nothing is counted.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn ask(&self, asked: &Asked<'_>) -> Result<Rehearsed, CannotRehearse> {
        rehearse(&self.shared, asked, None, false)
    }

    /// What becomes of a call, which is counted for those that come after it.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn count(&self, asked: &Asked<'_>, counts: &Counts) -> Result<Rehearsed, CannotRehearse> {
        rehearse(&self.shared, asked, Some(counts), false)
    }
}

impl Running {
    /// What would become of a call now. Nothing is counted, called or disturbed.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn rehearse(&self, asked: &Asked<'_>) -> Result<Rehearsed, CannotRehearse> {
        rehearse(self.shared(), asked, None, true)
    }
}

/// Counts of calls that come one after the other, and the time of the next.
pub struct Counts {
    counters: Arc<MemoryCounters>,
    /// Microseconds of a time that never goes back.
    pub now_us: u64,
}

impl Counts {
    /// None yet, at that time.
    pub fn at(now_us: u64) -> Self {
        Self { counters: Arc::default(), now_us }
    }

    /// Forgets what was counted.
    pub fn clear(&mut self) {
        self.counters = Arc::default();
    }
}

/// Nobody is asked for names.
struct NoNames;

impl Resolve for NoNames {
    fn addresses<'a>(&'a self, _: &'a str, _: Family) -> Answer<'a, std::net::IpAddr> {
        Box::pin(std::future::ready(Err(NotFound::Absent)))
    }

    fn services<'a>(&'a self, _: &'a str) -> Answer<'a, Srv> {
        Box::pin(std::future::ready(Err(NotFound::Absent)))
    }
}

/// `counts` are given where the call is to be counted. `connected` says whether backends have a state.
fn rehearse(
    shared: &Arc<Shared>,
    asked: &Asked<'_>,
    counts: Option<&Counts>,
    connected: bool,
) -> Result<Rehearsed, CannotRehearse> {
    let live = shared.live.load_full();
    let assumed = match asked.app {
        Some(name) => {
            let app = live.keys.app(name);
            Some(app.ok_or_else(|| CannotRehearse::NoSuchApp(name.to_owned()))?)
        }
        None => None,
    };
    let now_us = counts.map_or_else(|| shared.clock.now_us(), |counts| counts.now_us);
    let times = (now_us, asked.unix_ms.unwrap_or_else(unix_ms));
    let counters = Arc::clone(counts.map_or(&shared.counters, |counts| &counts.counters));
    let stage = Stage::new(Arc::clone(&live), counters, times, counts.is_some());
    let stage = Box::new(stage.with_app(assumed.clone()));
    let random = Random::from_system();
    let (log, metrics) = (LineWriter::to_nobody(), shared.metrics.uncounted());
    let worker = Worker::on_stage(Arc::clone(shared), (log, None), metrics, random, Some(stage));
    let mut peer = Peer::new(asked.peer, 0, None);
    peer.tls = asked.tls;
    let request = match parse(asked.head, &live) {
        Ok(request) => request,
        Err(reject) => return Ok(unheard(&worker, &peer, &live, reject)),
    };
    let request = match &assumed {
        None => request,
        Some(_) => match with_key(&request, &live, &worker) {
            Ok(head) => parse(&head, &live).unwrap_or(request),
            Err(cannot) => return Err(cannot),
        },
    };
    let trusted = forwarded::is_trusted(peer.address.ip(), &live.snapshot.trusted_proxies);
    let around =
        Surroundings { worker: &worker, peer: &peer, live: &live, request: &request, trusted };
    let mut record = Record::begin(&worker, &peer, &request, trusted);
    let mut decision = None;
    let went = go(&around, asked.body, &mut record, &mut decision);
    let explanation = explanation(&live.snapshot, &request);
    let mut rehearsed = outcome::tell(&around, &record, went, explanation);
    rehearsed.assumed = assumed.map(|app| app.name.clone());
    if let (Outcome::Dispatched, Some(decision)) = (&rehearsed.outcome, &decision) {
        picked::forward(&around, decision, &mut record, connected, &mut rehearsed);
    }
    Ok(rehearsed)
}

/// How a call went, until it would be dispatched.
enum Went {
    Dispatched { held_body: bool },
    Answered(Local),
    Stopped { stop: Stop, held_body: bool },
}

/// What `exchange::answer` does before anything is sent to a backend.
fn go(
    around: &Surroundings<'_>,
    body: &[u8],
    record: &mut Record,
    decision: &mut Option<Decision>,
) -> Went {
    let head = if around.request.has_body() { Body::Unread } else { Body::None };
    let stopped = |stop, held_body| Went::Stopped { stop, held_body };
    let mut watched = None;
    let went = match exchange::decide(around, head, &mut watched, record, decision) {
        Err(stop) => stopped(stop, false),
        Ok(Decided::Local(mut local)) => {
            exchange::guard_local(around, record, &mut local);
            Went::Answered(*local)
        }
        Ok(Decided::Dispatch) => match fits(around, record, body, u64::MAX) {
            Ok(()) => Went::Dispatched { held_body: false },
            Err(stop) => stopped(stop, false),
        },
        Ok(Decided::CheckBody(plan)) => {
            let judged = fits(around, record, body, u64::MAX)
                .and_then(|()| check::given(around, &plan, body, record));
            match judged {
                Ok(()) => Went::Dispatched { held_body: true },
                Err(stop) => stopped(stop, true),
            }
        }
        Ok(Decided::HoldBody(needed)) => {
            let judged = fits(around, record, body, needed.most_bytes).and_then(|()| {
                exchange::decide(around, Body::Held(body), &mut watched, record, decision)
            });
            match judged {
                Ok(Decided::Dispatch) => Went::Dispatched { held_body: true },
                Ok(Decided::HoldBody(_) | Decided::CheckBody(_) | Decided::Local(_)) => {
                    stopped(Stop::refused(portway_policy::Reason::CredentialsInvalid), true)
                }
                Err(stop) => stopped(stop, true),
            }
        }
    };
    match (went, watched) {
        (Went::Dispatched { held_body }, Some(mut watched)) => match watch(&mut watched, body) {
            Ok(()) => Went::Dispatched { held_body },
            Err(stop) => stopped(stop, held_body),
        },
        (went, _) => went,
    }
}

/// Tries the rules for bodies on one that is all there.
fn watch(watched: &mut Watched, body: &[u8]) -> Result<(), Stop> {
    for part in [Part::Data, Part::End] {
        if let Poll::Ready(Err(broken)) = watched.look(part, body) {
            return Err(caller_broke(broken));
        }
    }
    Ok(())
}

/// Whether a body is not larger than it may be: as announced, and as it is.
fn fits(
    around: &Surroundings<'_>,
    record: &Record,
    body: &[u8],
    most_bytes: u64,
) -> Result<(), Stop> {
    let Some((service, operation)) = record.operation() else { return Ok(()) };
    let operation = &around.live.snapshot.services[service].operations[operation];
    let most_bytes = operation.body_bytes.min(most_bytes);
    check_length(around.request, most_bytes)?;
    if body.len() as u64 > most_bytes {
        return Err(Stop::refused(portway_policy::Reason::BodyTooLarge));
    }
    Ok(())
}

fn parse(head: &[u8], live: &Live) -> Result<Request, Reject> {
    let mut lent = Lent::small();
    lent.extend(head);
    let (bytes, fields) = lent.parts();
    let parsed = http1::parse_request(bytes, fields, &live.bounds.head, &mut Progress::default())?;
    // A head without its end is none.
    let parsed = parsed.ok_or(Reject::RequestLine)?;
    Ok(Request::of(&parsed, lent))
}

/// A head that is refused before anything in it is looked at.
fn unheard(worker: &std::rc::Rc<Worker>, peer: &Peer, live: &Live, reject: Reject) -> Rehearsed {
    let request = Request::unheard(false);
    let around = Surroundings { worker, peer, live, request: &request, trusted: false };
    let record = Record::begin(worker, peer, &request, false);
    let went = Went::Stopped { stop: Stop::rejected(reject), held_body: false };
    let explanation = explanation(&live.snapshot, &request);
    outcome::tell(&around, &record, went, explanation)
}

/// Where the call goes, and why the others lost.
fn explanation(snapshot: &Snapshot, request: &Request) -> Explanation {
    let path = String::from_utf8_lossy(request.text(request.path));
    let target = match request.has_query {
        true => format!("{path}?{}", request.query_str()),
        false => path.into_owned(),
    };
    let host = String::from_utf8_lossy(request.text(request.authority));
    snapshot.explain(&ExplainRequest {
        method: request.method_str(),
        host: &host,
        target: &target,
        headers: request,
    })
}

/// The same head with the key of the app that is taken for granted, in the first place where the operation looks for one.
/// Without an operation there is nobody to ask for a key.
fn with_key(request: &Request, live: &Live, worker: &Worker) -> Result<Vec<u8>, CannotRehearse> {
    let identify = operation(&live.snapshot, request).map(|found| found.rules.identify.clone());
    let places = match &identify {
        None | Some(Identify::Public) => return Ok(request.bytes().to_vec()),
        Some(identify) => identify.places(),
    };
    let place = places.first().ok_or(CannotRehearse::TakesNoKeys)?;
    let key = worker.stage.as_ref().map(|stage| stage.key_of_app()).unwrap_or_default();
    let mut head = without_keys(request, places);
    let at = head.len() - http1::HEAD_END.len();
    let field = match place {
        KeyPlace::Header(name) => format!("{name}: {key}\r\n"),
        KeyPlace::Bearer => format!("authorization: Bearer {key}\r\n"),
        KeyPlace::Query(name) => {
            // In front of the others, of which there may be none any more.
            let start = query_start(request);
            match head.get(start) {
                Some(b'?') => head.splice(start..=start, format!("?{name}={key}&").into_bytes()),
                _ => head.splice(start..start, format!("?{name}={key}").into_bytes()),
            };
            return Ok(head);
        }
    };
    head.splice(at..at, field.into_bytes());
    Ok(head)
}

/// Where the question mark of the query is, or would be.
fn query_start(request: &Request) -> usize {
    match request.has_query {
        true => (request.query.start as usize).saturating_sub(1),
        false => request.path.end as usize,
    }
}

/// The head without what stands where keys do: an app that is taken for granted calls with its own.
fn without_keys(request: &Request, places: &[KeyPlace]) -> Vec<u8> {
    let mut head = request.bytes().to_vec();
    for field in request.fields().iter().rev() {
        let name = request.text(field.name);
        let is_key = places.iter().any(|place| match place {
            KeyPlace::Header(header) => name.eq_ignore_ascii_case(header.as_bytes()),
            KeyPlace::Bearer => name.eq_ignore_ascii_case(b"authorization"),
            KeyPlace::Query(_) => false,
        });
        if is_key {
            let start = field.name.start as usize;
            let line_end = head[start..].iter().position(|byte| *byte == b'\n');
            head.drain(start..line_end.map_or(start, |at| start + at + 1));
        }
    }
    let is_key = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        places.iter().any(|place| match place {
            KeyPlace::Query(query) => {
                portway_policy::query::decoded(name.as_bytes()).eq(query.bytes())
            }
            KeyPlace::Header(_) | KeyPlace::Bearer => false,
        })
    };
    let query = request.query_str();
    if query.split('&').any(|pair| is_key(&pair)) {
        let kept: Vec<&str> = query.split('&').filter(|pair| !is_key(pair)).collect();
        let mark = if kept.is_empty() { "" } else { "?" };
        let kept = format!("{mark}{}", kept.join("&"));
        head.splice(query_start(request)..request.query.end as usize, kept.into_bytes());
    }
    head
}

fn operation<'s>(snapshot: &'s Snapshot, request: &Request) -> Option<&'s Operation> {
    let (mut host, mut path) = (String::new(), String::new());
    let host = portway_snapshot::canonical_host(request.text(request.authority), &mut host).ok()?;
    let path = portway_snapshot::canonical_path(request.text(request.path), &mut path).ok()?;
    let mut params = portway_policy::ParamSpans::EMPTY;
    let (query, method) = (request.query_str(), request.method_str());
    match snapshot.route(host, path.as_str(), query, method, request, &mut params) {
        portway_snapshot::Routed::Operation { operation, .. } => Some(operation),
        _ => None,
    }
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Whether a call asks for another protocol of a backend that speaks HTTP/1.1.
fn asks_for_upgrade(around: &Surroundings<'_>, http2: bool) -> bool {
    around.request.upgrade && !http2 && !dispatch::asks_for_h2c(around)
}
