//! Getting an answer from a backend: a place in its queue, a target, a connection, an attempt, and
//! perhaps another.
//!
//! Takes a `Permit`: there is no other way to a backend. What may be tried again is for the failure
//! and the operation to say, never for this loop.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use portway_http1::{HeadLimits, Known, RequestKind, ResponseHead};
use portway_model::{Balance, HashOn, HostHeader};
use portway_policy::{Call, Phase};

use crate::connect;
use crate::exchange::{Decision, Stop, Surroundings};
use crate::failure::{Failure, Fault, Retry};
use crate::forward::{self, Forward};
use crate::incoming::Incoming;
use crate::outgoing::Outgoing;
use crate::record::Record;
use crate::telemetry::Event;
use crate::timer::Timer;
use crate::transfer::{self, HeadDeadlines, Upload};
use crate::upstream::{BackendState, Endpoint, EndpointId, InFlight, Outcome, Settings, Slot, hash_key};

/// Interim answers (1xx) passed on for one call; a backend that sends more is broken.
const INTERIM_MAX: u32 = 16;
/// The most attempts of one call; documents cannot ask for more.
const ATTEMPTS_MAX: usize = 3;

/// An answer that has begun.
pub(crate) struct Dispatched {
    pub(crate) outgoing: Outgoing,
    pub(crate) head: ResponseHead,
    pub(crate) upload: Upload,
    pub(crate) in_flight: InFlight,
    pub(crate) keep_alive_ms: u64,
    pub(crate) idle_ms: u64,
    _slot: Slot,
}

/// Brings a call to a backend and waits for the head of its answer.
pub(crate) async fn dispatch(
    around: &Surroundings<'_>,
    decision: &Decision,
    incoming: &mut Incoming,
    timer: &mut Timer,
    record: &mut Record,
) -> Result<Dispatched, Stop> {
    let operation = &around.live.snapshot.services[decision.service].operations[decision.operation];
    let state = &around.live.services[decision.service].backends[usize::from(operation.backend)];
    let settings = &*around.live.services[decision.service].settings[usize::from(operation.backend)];
    let call_due_ms = record.started_us / 1_000 + operation.timeout_ms;
    let slot = enter(around, state, incoming, timer, call_due_ms).await?;
    state.deposit(record.started_us / 1_000);

    let repeatable = operation.idempotent || is_idempotent(around.request.method());
    let mut tried = [EndpointId(0); ATTEMPTS_MAX];
    loop {
        let attempts = usize::from(record.tries);
        let now_ms = record.last_us() / 1_000;
        let endpoint = state.pick(decision.hash, &tried[..attempts.min(ATTEMPTS_MAX)], now_ms).map_err(Stop::Failed)?;
        let mut in_flight = endpoint.begin();
        if attempts < ATTEMPTS_MAX {
            tried[attempts] = endpoint.id;
        }
        record.tries += 1;
        record.target = Some(endpoint.address);
        let may_go_on = usize::from(record.tries) < (settings.attempts as usize).min(ATTEMPTS_MAX);
        let mut upload = Upload::new();
        let attempted = match connect(around, (&endpoint, settings), (timer, call_due_ms), record).await {
            Ok(mut outgoing) => {
                let asked = Asked { around, decision, endpoint: &endpoint, settings, call_due_ms };
                attempt(&asked, incoming, (&mut outgoing, &mut upload), timer, record)
                    .await
                    .map(|head| (outgoing, head))
            }
            Err(failure) => Err(Stop::Failed(failure)),
        };
        match attempted {
            Ok((outgoing, head)) => {
                record.mark(Phase::Dispatch, around.worker);
                let bad = settings.on_status.contains(&head.status);
                let now_ms = record.last_us() / 1_000;
                in_flight.report(if bad { Outcome::AnsweredBad } else { Outcome::Answered }, now_ms);
                let again = bad && may_go_on && repeatable && upload.bytes == 0 && upload.is_over();
                if again && may_retry(around, state, now_ms) {
                    continue;
                }
                return Ok(Dispatched {
                    outgoing,
                    head,
                    upload,
                    in_flight,
                    keep_alive_ms: settings.keep_alive_ms,
                    idle_ms: settings.idle_ms,
                    _slot: slot,
                });
            }
            Err(stop) => {
                let now_ms = around.worker.clock.now_ms();
                in_flight.report(verdict(&stop, record.reused), now_ms);
                record.bytes_in = upload.bytes;
                let again = may_go_on && upload.bytes == 0 && may_repeat(&stop, repeatable);
                if again && may_retry(around, state, now_ms) {
                    continue;
                }
                return Err(stop);
            }
        }
    }
}

/// A place among the calls of the backend. Waits in its queue if there is none.
async fn enter(
    around: &Surroundings<'_>,
    state: &Arc<BackendState>,
    incoming: &mut Incoming,
    timer: &mut Timer,
    call_due_ms: u64,
) -> Result<Slot, Stop> {
    if let Some(slot) = state.try_enter() {
        return Ok(slot);
    }
    let is_bodiless = !around.request.has_body();
    let mut entering = pin!(Box::pin(state.enter()));
    timer.set(call_due_ms);
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

fn may_retry(around: &Surroundings<'_>, state: &BackendState, now_ms: u64) -> bool {
    let may = state.may_retry(now_ms);
    if !may {
        around.worker.metrics.add(Event::RetryDenied);
    }
    may
}

fn may_repeat(stop: &Stop, repeatable: bool) -> bool {
    let Stop::Failed(failure) = stop else { return false };
    match failure.retry {
        Retry::Yes => true,
        Retry::IfIdempotent => repeatable,
        Retry::Never => false,
    }
}

/// A connection that was at rest and turned out closed says nothing about the target.
fn verdict(stop: &Stop, reused: bool) -> Outcome {
    match stop {
        Stop::Failed(failure) if reused && failure.fault == Fault::BackendClosed => Outcome::Abandoned,
        Stop::Failed(failure) => Outcome::Failed(failure.fault),
        Stop::Refused(..) | Stop::Cut(_) => Outcome::Abandoned,
    }
}

/// A connection to the endpoint: one at rest, or a new one.
async fn connect(
    around: &Surroundings<'_>,
    (endpoint, settings): (&Arc<Endpoint>, &Settings),
    (timer, call_due_ms): (&mut Timer, u64),
    record: &mut Record,
) -> Result<Outgoing, Failure> {
    if let Some(outgoing) = connect::pooled(around.worker, endpoint, record.last_us() / 1_000) {
        record.reused = true;
        return Ok(outgoing);
    }
    record.reused = false;
    // Rare, and large: not part of every connection's size.
    Box::pin(connect::open(around.worker, endpoint, settings, (timer, call_due_ms))).await
}

/// What is asked of an endpoint.
struct Asked<'a> {
    around: &'a Surroundings<'a>,
    decision: &'a Decision,
    endpoint: &'a Endpoint,
    settings: &'a Settings,
    call_due_ms: u64,
}

/// One attempt over a connection: sends the request and waits for the final head.
async fn attempt(
    asked: &Asked<'_>,
    incoming: &mut Incoming,
    (outgoing, upload): (&mut Outgoing, &mut Upload),
    timer: &mut Timer,
    record: &mut Record,
) -> Result<ResponseHead, Stop> {
    let around = asked.around;
    let upgrade = around.request.upgrade && outgoing.can_upgrade() && !asks_for_h2c(around);
    write_head(asked, outgoing, upgrade, record);
    record.mark(Phase::Shape, around.worker);
    let kind = match around.request.method {
        portway_http1::Method::Head => RequestKind::Head,
        _ if upgrade => RequestKind::Upgrade,
        _ => RequestKind::Other,
    };
    let limits = HeadLimits { head_bytes: asked.settings.head_bytes, fields: 256, target_bytes: 0 };
    let deadlines = HeadDeadlines {
        begun_ms: record.last_us() / 1_000,
        call_ms: asked.call_due_ms,
        first_byte_ms: asked.settings.first_byte_ms,
        body_ms: around.live.bounds.body_ms,
    };
    final_head(around, incoming, (outgoing, upload), timer, (kind, &limits, &deadlines)).await
}

/// Passes interim answers on and gives the final one.
async fn final_head(
    around: &Surroundings<'_>,
    incoming: &mut Incoming,
    (outgoing, upload): (&mut Outgoing, &mut Upload),
    timer: &mut Timer,
    asked: (RequestKind, &HeadLimits, &HeadDeadlines),
) -> Result<ResponseHead, Stop> {
    let clock = around.worker.clock;
    for _ in 0..INTERIM_MAX {
        let head = transfer::await_head(incoming, outgoing, upload, timer, clock, asked).await?;
        if head.status >= 200 || head.upgrade {
            return Ok(head);
        }
        let mut lines = Vec::new();
        let (bytes, fields) = outgoing.answer();
        forward::write_answer_fields(bytes, fields, false, &mut lines);
        incoming.interim(head.status, &lines);
        outgoing.consume_head(&head);
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

fn write_head(asked: &Asked<'_>, outgoing: &mut Outgoing, upgrade: bool, record: &Record) {
    let Asked { around, decision, endpoint, settings, .. } = *asked;
    let request = around.request;
    let service = &around.live.snapshot.services[decision.service];
    let operation = &service.operations[decision.operation];
    let path = match &record.rewritten_path {
        Some(path) => path.as_bytes(),
        None => request.text(request.path),
    };
    let host = match &settings.host {
        HostHeader::Target => endpoint.host_header.as_bytes(),
        HostHeader::Caller => request.text(request.authority),
        HostHeader::Name(name) => name.as_bytes(),
    };
    let forwarding = around.peer.forwarding(request, around.trusted);
    let forward = Forward {
        request,
        base_path: &endpoint.base_path,
        path: match path.get(service.prefix.len()..) {
            None | Some(b"") => b"/",
            Some(inner) => inner,
        },
        host,
        shape: &operation.shape,
        permit: &decision.permit,
        forwarding: &forwarding,
        trace: &record.trace,
        request_id: &record.request_id,
        upgrade,
    };
    forward::write_request(&forward, outgoing.head());
    outgoing.begin(request.framing);
}

/// An upgrade to HTTP/2 would take the connection out of the gateway's sight (RFC 9113 dropped it).
fn asks_for_h2c(around: &Surroundings<'_>) -> bool {
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
