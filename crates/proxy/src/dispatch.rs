//! Getting an answer from a backend: a place in its queue, a target, a connection, an attempt, and
//! perhaps another.
//!
//! Takes a `Permit`: there is no other way to a backend. What may be tried again is for the failure
//! and the operation to say, never for this loop.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use portway_http1::{Known, RequestKind, ResponseHead};
use portway_model::{Balance, HashOn, HostHeader};
use portway_policy::{Call, Phase};
use portway_snapshot::Operation;

use crate::connect;
use crate::deadline::{Deadline, Left};
use crate::exchange::{Decision, Stop, Surroundings};
use crate::failure::{Failure, Fault, Retry};
use crate::forward::{self, Forward};
use crate::guard::Guard;
use crate::hedge;
use crate::incoming::Incoming;
use crate::outgoing::Outgoing;
use crate::overload::priority_of;
use crate::record::Record;
use crate::request::Version;
use crate::telemetry::Event;
use crate::timer::Timer;
use crate::transfer::{self, AskedFor, Upload};
use crate::upstream::{
    BackendState, Endpoint, EndpointId, InFlight, Outcome, Settings, Slot, Targets, hash_key,
};

/// Interim answers (1xx) passed on for one call; a backend that sends more is broken.
pub(crate) const INTERIM_MAX: u32 = 16;
/// The most attempts of one call; documents cannot ask for more.
const ATTEMPTS_MAX: usize = 3;
/// A connection that was closed while it was at rest shows it within a round trip. One that is closed later has
/// worked on the call.
const STALE_MS: u64 = 1_000;

/// The backend's side of a call: made before anything is asked, filled on the way, and kept until the
/// answer's body has ended. It stays where it is, because moving it would cost every call.
pub(crate) struct Leg {
    outgoing: Option<Outgoing>,
    pub(crate) upload: Upload,
    in_flight: Option<InFlight>,
    slot: Option<Slot>,
    /// Whether the next attempt is to have a connection of its own.
    fresh: bool,
}

impl Leg {
    pub(crate) fn new() -> Self {
        let upload = Upload::new();
        Self { outgoing: None, upload, in_flight: None, slot: None, fresh: false }
    }

    /// The connection of an answer that has begun, and what still goes up on it.
    pub(crate) fn parts(&mut self) -> (&mut Outgoing, &mut Upload) {
        (self.outgoing.as_mut().expect("dispatched"), &mut self.upload)
    }

    /// Another attempt answered first; this one is given up, and its place with it.
    pub(crate) fn replace(&mut self, outgoing: Outgoing, in_flight: InFlight, slot: Slot) {
        self.outgoing = Some(outgoing);
        self.in_flight = Some(in_flight);
        self.slot = Some(slot);
    }

    /// The answer's body broke.
    pub(crate) fn broke(&mut self, fault: Fault, now_ms: u64) {
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.report(Outcome::Failed(fault), now_ms);
        }
    }

    /// The answer was received to its end: the connection may be used again, unless the backend may take it for that
    /// caller's from now on.
    pub(crate) fn release(&mut self, around: &Surroundings<'_>, until_ms: u64) {
        if let (Some(mut outgoing), Some(in_flight)) = (self.outgoing.take(), &self.in_flight) {
            if around.request.claims_connection() && outgoing.as_http1().is_some() {
                return;
            }
            outgoing.release(around.worker, in_flight.endpoint(), until_ms);
        }
    }

    /// Whether an attempt failed because its connection, which had been at rest, was closed already.
    fn is_stale(
        &self,
        attempted: &Result<ResponseHead, Stop>,
        record: &Record,
        begun_ms: u64,
    ) -> bool {
        let is_closed = matches!(
            attempted,
            Err(Stop::Failed(failure)) if failure.fault == Fault::BackendClosed
        );
        is_closed
            && record.reused
            && !self.fresh
            && self.outgoing.as_ref().is_some_and(Outgoing::was_closed_at_rest)
            && record.now_us() / 1_000 < begun_ms + STALE_MS
    }

    /// Where the call is.
    pub(crate) fn endpoint(&self) -> &Arc<Endpoint> {
        self.in_flight.as_ref().expect("begun before it is attempted").endpoint()
    }

    fn report(&mut self, outcome: Outcome, now_ms: u64) {
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.report(outcome, now_ms);
        }
    }
}

/// Where a call is sent: what was compiled, and what is happening there.
pub(crate) struct Destination<'a> {
    pub(crate) around: &'a Surroundings<'a>,
    pub(crate) decision: &'a Decision,
    pub(crate) operation: &'a Operation,
    pub(crate) state: &'a Arc<BackendState>,
    pub(crate) targets: &'a Targets,
    pub(crate) settings: &'a Settings,
    /// When the call must have an answer.
    pub(crate) deadline: Deadline,
    /// The operation, as its backend tells it from others.
    pub(crate) number: usize,
}

/// Brings a call to a backend and waits for the head of its answer.
pub(crate) async fn dispatch(
    around: &Surroundings<'_>,
    decision: &Decision,
    incoming: &mut Incoming,
    leg: &mut Leg,
    timer: &mut Timer,
    record: &mut Record,
) -> Result<ResponseHead, Stop> {
    let operation = &around.live.snapshot.services[decision.service].operations[decision.operation];
    let service = &around.live.services[decision.service];
    let to = Destination {
        around,
        decision,
        operation,
        state: &service.backends[usize::from(operation.backend)],
        targets: &service.targets[usize::from(operation.backend)],
        settings: &service.settings[usize::from(operation.backend)],
        deadline: Deadline::of(
            around.request,
            service.settings[usize::from(operation.backend)].deadline_header.as_deref(),
            (record.started_us / 1_000, operation.timeout_ms),
        ),
        number: service.series[decision.operation].number(),
    };
    // A caller that has no time left costs nobody anything, and earns nobody a second attempt.
    if to.deadline.due_ms <= record.now_us() / 1_000 {
        return Err(Stop::Failed(Failure::last(Fault::CallTimeout)));
    }
    leg.slot = match to.state.try_enter(to.number) {
        Some(slot) => Some(slot),
        None => {
            let slot = Box::pin(queue(&to, incoming, timer)).await?;
            record.waited(around.worker);
            Some(slot)
        }
    };
    to.state.deposit(to.settings, record.started_us / 1_000);
    let mut tried = [EndpointId(0); ATTEMPTS_MAX];
    let now_ms = record.now_us() / 1_000;
    let endpoint = to.state.pick(to.targets, decision.hash, now_ms).map_err(Stop::Failed)?;
    leg.in_flight = Some(endpoint.begin());
    loop {
        let endpoint = leg.endpoint();
        tried[usize::from(record.tries)] = endpoint.id;
        record.tries += 1;
        record.target = Some(endpoint.address);
        record.attempt_begins(around.worker);
        leg.upload = Upload::new();
        let begun_us = record.now_us();
        let attempted = attempt(&to, incoming, leg, timer, record).await;
        record.mark_now(Phase::Dispatch, around.worker);
        record.attempt_ended(&attempted);
        let stale = leg.is_stale(&attempted, record, begun_us / 1_000);
        if !judge(&to, &attempted, stale, leg, (record, begun_us), &tried) {
            if attempted.is_err() {
                record.bytes_in = leg.upload.bytes;
                leg.outgoing = None;
            }
            if let Some(slot) = &mut leg.slot {
                slot.answered();
            }
            return attempted;
        }
        record.attempt_given_up();
        leg.outgoing = None;
        leg.fresh = stale;
    }
}

/// Tells the target's state what an attempt came to, and decides whether there is to be another. If there is nowhere
/// to go, what came of this one stands.
fn judge(
    to: &Destination<'_>,
    attempted: &Result<ResponseHead, Stop>,
    stale: bool,
    leg: &mut Leg,
    (record, begun_us): (&Record, u64),
    tried: &[EndpointId; ATTEMPTS_MAX],
) -> bool {
    let now_ms = record.now_us() / 1_000;
    observe(to, attempted, leg, (begun_us, record.now_us()));
    let (outcome, is_failed) = match attempted {
        Ok(head) if to.settings.on_status.contains(&head.status) => (Outcome::AnsweredBad, true),
        Ok(_) => (Outcome::Answered, false),
        Err(Stop::Failed(failure)) => (verdict(to, *failure), true),
        Err(Stop::Refused(..) | Stop::Cut(_) | Stop::Late(_)) => (Outcome::Abandoned, true),
    };
    // A connection that was at rest and turned out closed says nothing about the target.
    if !stale {
        leg.report(outcome, now_ms);
    }
    let attempts = usize::from(record.tries);
    let most = (to.settings.attempts as usize).min(ATTEMPTS_MAX);
    // What was taken from the caller is gone, and cannot be sent again.
    let may_go_on = is_failed && attempts < most && leg.upload.bytes == 0;
    if !may_go_on || !may_repeat(attempted, leg, to) {
        return false;
    }
    // A new connection in place of one that was gone makes nobody more work, and happens once for each that was
    // opened before.
    if stale {
        return true;
    }
    let Some(next) = to.state.pick_again(to.targets, to.decision.hash, &tried[..attempts], now_ms)
    else {
        return false;
    };
    let is_new = !tried[..attempts].contains(&next.id);
    let in_flight = next.begin();
    let was_refused = matches!(
        attempted,
        Err(Stop::Failed(failure)) if failure.fault == Fault::ConnectFailed
    );
    // Nor does going on from where nobody listens.
    let is_free = was_refused && is_new;
    if !is_free && !may_retry(to, now_ms) {
        return false;
    }
    leg.in_flight = Some(in_flight);
    true
}

/// Tells how long the backend took, from the request's last byte on. A failure that comes quickly says nothing of that.
fn observe(
    to: &Destination<'_>,
    attempted: &Result<ResponseHead, Stop>,
    leg: &Leg,
    (begun_us, now_us): (u64, u64),
) {
    let is_told = match attempted {
        Ok(head) => head.status < 500,
        Err(Stop::Failed(failure)) => {
            failure.fault == Fault::FirstByteTimeout
                || failure.fault == Fault::CallTimeout
                    && !to.deadline.is_of_caller()
                    && leg.outgoing.is_some()
        }
        Err(_) => false,
    };
    if !is_told {
        return;
    }
    let begun_us = match to.around.request.has_body() {
        false => begun_us,
        true if leg.upload.is_over() => {
            let since_ms = ((now_us / 1_000) as u32).wrapping_sub(leg.upload.over_ms);
            now_us.saturating_sub(u64::from(since_ms) * 1_000)
        }
        // It answers before it has heard all.
        true => return,
    };
    let overload = &to.around.worker.overload;
    if to.state.observe(to.number, (begun_us, now_us, overload.lag_us())) {
        overload.probe(to.around.worker.clock);
    }
}

/// Waits for a place among the calls of the backend.
async fn queue(
    to: &Destination<'_>,
    incoming: &mut Incoming,
    timer: &mut Timer,
) -> Result<Slot, Stop> {
    let is_bodiless = !to.around.request.has_body();
    let mut entering = pin!(to.state.enter(priority_of(&to.decision.permit)));
    timer.set(to.deadline.due_ms);
    poll_fn(|cx| {
        if let Poll::Ready(entered) = entering.as_mut().poll(cx) {
            return Poll::Ready(entered.map_err(Stop::Failed));
        }
        if is_bodiless && incoming.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Stop::Cut(Fault::CallerGone)));
        }
        timer.poll(cx).map(|()| Err(Stop::Failed(Failure::last(Fault::CallTimeout))))
    })
    .await
}

pub(crate) fn may_retry(to: &Destination<'_>, now_ms: u64) -> bool {
    let may = to.state.may_retry(now_ms);
    if !may {
        to.around.worker.metrics.add(Event::RetryDenied);
    }
    may
}

fn may_repeat(attempted: &Result<ResponseHead, Stop>, leg: &Leg, to: &Destination<'_>) -> bool {
    let does_no_harm = to.operation.idempotent || is_idempotent(to.around.request.method());
    match attempted {
        Ok(_) => does_no_harm && leg.upload.is_over(),
        Err(Stop::Failed(failure)) => match failure.retry {
            Retry::Yes => true,
            Retry::IfIdempotent => does_no_harm,
            Retry::Never => false,
        },
        Err(Stop::Refused(..) | Stop::Cut(_) | Stop::Late(_)) => false,
    }
}

/// What a failure says about the target: that a caller was in a hurry says nothing.
pub(crate) fn verdict(to: &Destination<'_>, failure: Failure) -> Outcome {
    match failure.fault {
        Fault::CallTimeout if to.deadline.is_of_caller() => Outcome::Abandoned,
        fault => Outcome::Failed(fault),
    }
}

/// One attempt: a connection, the request over it, and the final head.
async fn attempt(
    to: &Destination<'_>,
    incoming: &mut Incoming,
    leg: &mut Leg,
    timer: &mut Timer,
    record: &mut Record,
) -> Result<ResponseHead, Stop> {
    let around = to.around;
    let endpoint = leg.in_flight.as_ref().expect("begun by the caller").endpoint();
    leg.outgoing = match leg.fresh && !endpoint.http2 {
        true => None,
        false => connect::pooled(around.worker, endpoint, record.now_us() / 1_000),
    };
    record.reused = leg.outgoing.is_some();
    if !record.reused {
        // Rare, and large: not part of every connection's size.
        let due = (&mut *timer, to.deadline.due_ms);
        let opened = Box::pin(connect::open(around.worker, endpoint, to.settings, due)).await;
        leg.outgoing = Some(opened.map_err(Stop::Failed)?);
        record.look(around.worker);
        record.connected();
    }
    let outgoing = leg.outgoing.as_mut().expect("connected above");
    // One caller may have many calls under way, and take the answer of none.
    if around.request.version == Version::Http2
        && let Some(http1) = outgoing.as_http1()
    {
        http1.read_little(true);
    }
    let upgrade = around.request.upgrade && outgoing.can_upgrade() && !asks_for_h2c(around);
    write_head(to, endpoint, outgoing, upgrade, (record, record.now_us() / 1_000));
    record.mark(Phase::Shape, around.worker);
    let kind = match around.request.method {
        portway_http1::Method::Head => RequestKind::Head,
        _ if upgrade => RequestKind::Upgrade,
        _ => RequestKind::Other,
    };
    let asked = AskedFor {
        kind,
        head_bytes: u32::try_from(to.settings.head_bytes).unwrap_or(u32::MAX),
        crowd: Some(&**to.state),
        begun_ms: record.now_us() / 1_000,
        call_ms: to.deadline.due_ms,
        first_byte_ms: to.settings.first_byte_ms,
        body_ms: match around.request.version {
            Version::Http2 => around.live.bounds.body_ms.min(around.live.bounds.http2.stall_ms),
            Version::Http10 | Version::Http11 => around.live.bounds.body_ms,
        },
    };
    match to.settings.hedge_ms {
        Some(after_ms) if record.tries == 1 && !upgrade && is_hedgeable(to) => {
            // By choice, and large.
            let times = (&asked, after_ms);
            let hedged = hedge::first_head(to, incoming, leg, timer, (times, record));
            let (head, target) = Box::pin(hedged).await?;
            record.target = target.or(record.target);
            Ok(head)
        }
        _ => final_head(around, incoming, leg, timer, (&asked, record)).await,
    }
}

/// Whether a call may be sent twice at once.
fn is_hedgeable(to: &Destination<'_>) -> bool {
    let request = to.around.request;
    !request.has_body() && (to.operation.idempotent || is_idempotent(request.method()))
}

/// Passes interim answers on and gives the final one.
pub(crate) async fn final_head(
    around: &Surroundings<'_>,
    incoming: &mut Incoming,
    leg: &mut Leg,
    timer: &mut Timer,
    (asked, record): (&AskedFor<'_>, &Record),
) -> Result<ResponseHead, Stop> {
    let clock = &around.worker.clock;
    let (outgoing, upload) = leg.parts();
    for _ in 0..INTERIM_MAX {
        let head = transfer::await_head(incoming, outgoing, upload, timer, clock, asked).await?;
        if head.status >= 200 || head.upgrade {
            return Ok(head);
        }
        pass_on(around, incoming, outgoing, &head, record);
        let flushed = poll_fn(|cx| match incoming.poll_flush(cx) {
            Poll::Ready(flushed) => Poll::Ready(flushed.is_ok()),
            Poll::Pending => timer.poll(cx).map(|()| false),
        });
        if !flushed.await {
            return Err(Stop::Cut(Fault::CallerGone));
        }
    }
    Err(Stop::Failed(Failure::last(Fault::BackendInvalid)))
}

/// Passes an interim answer on.
fn pass_on(
    around: &Surroundings<'_>,
    incoming: &mut Incoming,
    outgoing: &mut Outgoing,
    head: &ResponseHead,
    record: &Record,
) {
    let mut lines = Vec::new();
    let (bytes, fields) = outgoing.answer();
    // An interim answer comes of a call that has met an operation.
    let guard = record.operation().and_then(|(service, _)| Guard::of(around, service));
    forward::write_other_fields((bytes, fields), guard.as_ref(), &mut lines);
    incoming.interim(head.status, &lines);
    outgoing.consume_head(head);
}

pub(crate) fn write_head(
    to: &Destination<'_>,
    endpoint: &Endpoint,
    outgoing: &mut Outgoing,
    upgrade: bool,
    (record, now_ms): (&Record, u64),
) {
    let spot = Spot {
        host: &to.settings.host,
        host_header: &endpoint.host_header,
        base_path: &endpoint.base_path,
        upgrade,
        left: to.deadline.left(to.settings.deadline_header.as_deref(), now_ms),
    };
    write_request(to.around, to.decision, &spot, record, outgoing.head());
    outgoing.begin(to.around.request.framing);
}

/// What the head of a request owes to the target that it goes to.
pub(crate) struct Spot<'a> {
    /// What the backend says about `Host`.
    pub(crate) host: &'a HostHeader,
    pub(crate) host_header: &'a str,
    pub(crate) base_path: &'a str,
    /// Whether another protocol is asked for.
    pub(crate) upgrade: bool,
    /// How long the call has left, where the backend is told.
    pub(crate) left: Option<Left<'a>>,
}

/// Writes the head that the backend gets.
pub(crate) fn write_request(
    around: &Surroundings<'_>,
    decision: &Decision,
    spot: &Spot<'_>,
    record: &Record,
    out: &mut Vec<u8>,
) {
    let request = around.request;
    let service = &around.live.snapshot.services[decision.service];
    let operation = &service.operations[decision.operation];
    let path = match &record.rewritten_path {
        Some(path) => path.as_bytes(),
        None => request.text(request.path),
    };
    let host = match spot.host {
        HostHeader::Target => spot.host_header.as_bytes(),
        // HTTP/1.0 may name none, and HTTP/1.1 must.
        HostHeader::Caller if request.authority.is_empty() => spot.host_header.as_bytes(),
        HostHeader::Caller => request.text(request.authority),
        HostHeader::Name(name) => name.as_bytes(),
    };
    let forward = Forward {
        request,
        base_path: spot.base_path,
        path: match path.get(service.prefix.len()..) {
            None | Some(b"") => b"/",
            Some(inner) => inner,
        },
        host,
        shape: &operation.shape,
        permit: &decision.permit,
        peer: around.peer,
        trusted: around.trusted,
        trace: &record.trace,
        request_id: &record.request_id,
        upgrade: spot.upgrade,
        left: spot.left,
    };
    forward::write_request(&forward, out);
}

/// An upgrade to HTTP/2 would take the connection out of the gateway's sight (RFC 9113 dropped it).
pub(crate) fn asks_for_h2c(around: &Surroundings<'_>) -> bool {
    let is_http2 = |item: &[u8]| item.len() >= 2 && item[..2].eq_ignore_ascii_case(b"h2");
    let request = around.request;
    request.known(Known::Http2Settings).is_some()
        || request
            .known(Known::Upgrade)
            .is_some_and(|value| portway_http1::list_items(value).any(is_http2))
}

/// Whether repeating a method does no harm (RFC 9110 §9.2.2).
fn is_idempotent(method: &[u8]) -> bool {
    matches!(method, b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE" | b"PUT" | b"DELETE")
}

/// What the balance of a backend hashes of a call.
pub(crate) fn hash_of(call: &Call<'_>, balance: &Balance) -> Option<u64> {
    let Balance::Hash(on) = balance else { return None };
    let hash = match on {
        HashOn::Header(name) => hash_key(call.headers.first(name).unwrap_or_default()),
        HashOn::Cookie(name) => hash_key(cookie(call, name).unwrap_or_default()),
        HashOn::Address => match call.client {
            std::net::IpAddr::V4(address) => hash_key(&address.octets()),
            std::net::IpAddr::V6(address) => hash_key(&address.octets()),
        },
        HashOn::Parameter(name) => {
            let of_query = || portway_policy::query::values(call.query, name).next();
            hash_key(call.param(name).or_else(of_query).unwrap_or_default().as_bytes())
        }
    };
    Some(hash)
}

/// The value of a cookie (RFC 6265 §5.4), the first of its name.
fn cookie<'a>(call: &Call<'a>, name: &str) -> Option<&'a [u8]> {
    let mut pairs = call.headers.first("cookie")?.split(|byte| *byte == b';');
    pairs.find_map(|pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}
