//! What is known of one call while it is on its way; a log line and counters when it has ended.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};

use portway_http1::Known;
use portway_policy::{App, LimitState, Phase, Reason};

use crate::exchange::{Stop, Surroundings};
use crate::failure::{Fault, Source};
use crate::live::Live;
use crate::peer::Peer;
use crate::request::{Request, Version};
use crate::telemetry::{
    Answerer, CallRecord, Event, Gauge, LimitShown, OutcomeId, PHASES, Protocol, RequestId,
    SeriesId, TraceContext, Tracer,
};
use crate::worker::Worker;

/// The longest name of a limit that a log line shows.
const LIMIT_NAME_BYTES: usize = 64;

/// The record of a call under way. It is closed however the call ends, also when its task is dropped: because the
/// gateway cuts what is left, or because of a panic.
pub(crate) struct Open<'a> {
    pub(crate) record: Record,
    around: &'a Surroundings<'a>,
    closed: bool,
}

impl<'a> Open<'a> {
    pub(crate) fn begin(around: &'a Surroundings<'a>) -> Self {
        let Surroundings { worker, peer, request, trusted, .. } = *around;
        let mut record = Record::begin(worker, peer, request, trusted);
        if let Some(tracer) = &worker.tracer {
            record.decide_trace(tracer, worker, trusted);
        }
        Self { record, around, closed: false }
    }

    /// Writes the line and counts.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        let Surroundings { worker, peer, live, request, .. } = *self.around;
        self.record.finish(worker, peer, live, request);
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if self.closed {
            return;
        }
        let (stop, status) = if std::thread::panicking() {
            (Stop::Cut(Fault::Internal), Fault::Internal.status())
        } else if self.around.worker.is_draining() {
            (Stop::refused(Reason::Draining), Reason::Draining.status())
        } else {
            (Stop::Cut(Fault::CallerGone), Fault::CallerGone.status())
        };
        if self.record.status == 0 {
            self.record.status = status;
        }
        self.record.stopped(&stop);
        self.close();
    }
}

/// Where what is told of a call comes from.
struct Scene<'a> {
    worker: &'a Worker,
    peer: &'a Peer,
    live: &'a Live,
    request: &'a Request,
}

/// One call's record.
pub(crate) struct Record {
    pub(crate) started_us: u64,
    /// When the clock was last read.
    now_us: u64,
    /// When the last phase ended.
    marked_us: u64,
    phases_us: [u32; PHASES],
    /// Service and operation, by index.
    operation: Option<(u32, u32)>,
    /// The service alone, where no operation was met.
    service: Option<u32>,
    /// The canonical path, if it is not the path as given.
    pub(crate) rewritten_path: Option<String>,
    pub(crate) client: std::net::IpAddr,
    pub(crate) app: Option<Arc<App>>,
    pub(crate) limit: Option<LimitState>,
    pub(crate) request_id: RequestId,
    pub(crate) trace: TraceContext,
    pub(crate) status: u16,
    outcome: OutcomeId,
    answerer: Answerer,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) tries: u8,
    pub(crate) target: Option<SocketAddr>,
    pub(crate) reused: bool,
    /// A mock answers.
    mocked: bool,
    /// What few calls have.
    pub(crate) more: Option<Box<More>>,
    /// Nothing that comes now is part of its time.
    ended: bool,
}

impl Record {
    pub(crate) fn begin(worker: &Worker, peer: &Peer, request: &Request, trusted: bool) -> Self {
        let now_us = worker.clock.now_us();
        let random = &worker.random;
        let given = if trusted { request.known(Known::XRequestId) } else { None };
        worker.metrics.gauge(Gauge::CallsInFlight, 1);
        Self {
            started_us: now_us,
            now_us,
            marked_us: now_us,
            phases_us: [0; PHASES],
            operation: None,
            service: None,
            rewritten_path: None,
            client: peer.address.ip(),
            app: None,
            limit: None,
            request_id: RequestId::choose(given, worker.unix_ms_at(now_us), random),
            trace: TraceContext::from_field(request.only(Known::Traceparent), random),
            status: 0,
            outcome: OutcomeId::OK,
            answerer: Answerer::Backend,
            bytes_in: 0,
            bytes_out: 0,
            tries: 0,
            target: None,
            reused: false,
            mocked: false,
            more: None,
            ended: false,
        }
    }

    /// The operation that was met, by the index of its service and its own. Documents are bounded far below what these
    /// can count.
    pub(crate) fn met(&mut self, service: usize, operation: usize) {
        self.operation = Some((service as u32, operation as u32));
    }

    /// A service was met, and none of its operations.
    pub(crate) fn met_service(&mut self, service: Option<usize>) {
        self.service = service.map(|service| service as u32);
    }

    /// The operation that was met.
    pub(crate) fn operation(&self) -> Option<(usize, usize)> {
        self.operation.map(|(service, operation)| (service as usize, operation as usize))
    }

    /// The service that was met, with an operation or without.
    pub(crate) fn service(&self) -> Option<usize> {
        let met = self.operation.map(|(service, _)| service).or(self.service);
        met.map(|service| service as usize)
    }

    /// A phase has ended in which nothing was waited for: only a log line shows when, so that without one the
    /// clock is not read.
    pub(crate) fn mark(&mut self, phase: Phase, worker: &Worker) {
        if worker.shared.logs_calls || self.more.is_some() {
            self.mark_now(phase, worker);
        }
    }

    /// A phase has ended.
    pub(crate) fn mark_now(&mut self, phase: Phase, worker: &Worker) {
        self.look(worker);
        // `accept` has no time of its own here, and `record` is this.
        if let Some(place) = self.phases_us.get_mut((phase as usize).wrapping_sub(1)) {
            *place = u32::try_from(self.now_us - self.marked_us).unwrap_or(u32::MAX);
        }
        if let Some(more) = &mut self.more {
            more.note_phase(phase, self.marked_us, self.now_us);
        }
        self.marked_us = self.now_us;
    }

    /// Reads the clock: something was waited for.
    pub(crate) fn look(&mut self, worker: &Worker) {
        self.now_us = worker.clock.now_us();
    }

    /// When the clock was last read, which is after everything that was waited for.
    pub(crate) fn now_us(&self) -> u64 {
        self.now_us
    }

    /// Why the call did not go as it should.
    pub(crate) fn stopped(&mut self, stop: &Stop) {
        match stop {
            Stop::Refused(refusal, _) => self.refused(refusal.reason),
            Stop::Late(reason) => self.refused(*reason),
            Stop::Failed(failure) => self.failed(failure.fault),
            Stop::Cut(fault) => {
                self.failed(*fault);
                // No status reached a caller that left before there was one.
                if self.status == 0 {
                    self.status = fault.status();
                }
            }
        }
    }

    fn refused(&mut self, reason: Reason) {
        self.outcome = reason.into();
        self.answerer = Answerer::Gateway;
    }

    fn failed(&mut self, fault: Fault) {
        self.outcome = fault.into();
        self.answerer = match fault.source() {
            Source::Caller => Answerer::Caller,
            Source::Backend => Answerer::Backend,
            Source::Gateway => Answerer::Gateway,
        };
    }

    /// Notes what of the contract or the rules it does not keep; what is too much for a line is left out.
    pub(crate) fn breaks(&mut self, text: &str) {
        const SHOWN_BYTES: usize = 250;
        let misfits = &mut self.more().misfits;
        *misfits = Some(match misfits.take() {
            None => text.into(),
            Some(before) if before.len() + text.len() < SHOWN_BYTES => {
                format!("{before}, {text}").into()
            }
            Some(before) => before,
        });
    }

    /// Whether the backend has answered, and all went as it should.
    pub(crate) fn is_answered(&self) -> bool {
        self.outcome == OutcomeId::OK && self.answerer == Answerer::Backend
    }

    /// The gateway answered by itself, as it should (a preflight, say).
    pub(crate) fn answered_here(&mut self) {
        self.answerer = Answerer::Gateway;
    }

    /// A mock answers in place of a backend.
    pub(crate) fn answered_by_mock(&mut self) {
        self.mocked = true;
        self.answered_here();
    }

    /// The call is over, though something is still to be found out about it.
    pub(crate) fn end(&mut self, worker: &Worker) {
        self.mark_now(Phase::Reshape, worker);
        self.ended = true;
    }

    /// Writes the line and counts. Called once, when the call is over.
    fn finish(&mut self, worker: &Worker, peer: &Peer, live: &Live, request: &Request) {
        if !self.ended {
            self.end(worker);
        }
        let total_us = self.now_us - self.started_us;
        let series = match (self.operation(), self.service()) {
            (Some((service, operation)), _) => live.services[service].series[operation],
            (None, Some(service)) => live.services[service].unmatched,
            (None, None) => worker.shared.unmatched,
        };
        worker.metrics.gauge(Gauge::CallsInFlight, -1);
        worker.metrics.count(series, self.status, total_us, self.bytes_in, self.bytes_out);
        worker.metrics.outcome(self.outcome);
        if let Some(more) = &self.more {
            self.count_checks(more, worker, series);
        }
        if self.tries > 1 {
            (1..self.tries).for_each(|_| worker.metrics.add(Event::Retry));
        }
        let tracer = worker.tracer.as_ref().filter(|tracer| self.is_sent(tracer));
        // Where nobody wants lines, only calls that failed are worth the cost of remembering them.
        let has_failed = self.status >= 400 || self.outcome != OutcomeId::OK;
        if worker.shared.logs_calls || tracer.is_some() || has_failed {
            self.tell(&Scene { worker, peer, live, request }, tracer, total_us);
        }
        if self.is_sampled() {
            worker.metrics.exemplar(
                series,
                total_us,
                self.trace.trace_id(),
                worker.unix_ms_at(self.now_us),
            );
        }
    }

    /// What came of checks against the contract, by operation.
    #[cold]
    fn count_checks(&self, more: &More, worker: &Worker, series: SeriesId) {
        if more.misfits.is_some() {
            let is_refused = [Reason::ContractBroken, Reason::MediaTypeUnsupported]
                .map(OutcomeId::from)
                .contains(&self.outcome);
            worker.metrics.breach(series, is_refused);
        }
        if let Some(checked) = &more.checked {
            worker.metrics.answer_checked(series, checked.result);
        }
    }

    /// The line of the call, and its spans.
    fn tell(&self, scene: &Scene<'_>, tracer: Option<&Tracer>, total_us: u64) {
        let Scene { worker, peer, live, request } = *scene;
        let privacy = &worker.shared.privacy;
        let mut call = CallRecord::new(worker.unix_ms_at(self.started_us), self.client);
        call.client = privacy.client(self.client);
        call.request_id = self.request_id.as_bytes();
        call.trace_id = self.trace.trace_id();
        call.span_id = self.trace.span_id();
        call.protocol =
            if request.version == Version::Http2 { Protocol::Http2 } else { Protocol::Http1 };
        call.tls = peer.tls;
        call.method = request.method();
        call.host = host_of(request.text(request.authority));
        call.path = match &self.rewritten_path {
            Some(path) => path.as_bytes(),
            None => request.text(request.path),
        };
        if let Some(service) = self.service().and_then(|index| live.snapshot.services.get(index)) {
            call.service = service.name.as_str();
            if let Some((_, operation)) = self.operation() {
                call.operation = &service.operations[operation].id;
                call.route = &service.operations[operation].route;
            }
        }
        call.path = privacy.path(call.path, call.route);
        let name = self.app.as_ref().map_or("", |app| app.name.as_str());
        let shown = privacy.app(name);
        call.app = shown.as_str();
        if let Some(app) = &self.app {
            call.plan = app.plan.as_ref().map_or("", |plan| plan.name.as_str());
        }
        call.status = self.status;
        call.outcome = self.outcome.word();
        call.source = self.answerer;
        call.bytes_in = self.bytes_in;
        call.bytes_out = self.bytes_out;
        call.total_us = total_us;
        call.phases_us = self.phases_us;
        call.tries = self.tries;
        call.target = self.target;
        call.reused = self.reused;
        call.mocked = self.mocked;
        if let Some(more) = &self.more {
            call.misfits = more.misfits.as_deref().unwrap_or_default();
            call.answer_misfits = more.checked.as_ref().map_or("", |checked| &checked.misfits);
            call.error_page = &more.error_page;
        }
        call.user_agent = privacy.user_agent(request.known(Known::UserAgent).unwrap_or_default());
        let mut name = [0; LIMIT_NAME_BYTES];
        call.limit = self.limit.as_ref().map(|state| LimitShown {
            name: joined(state, &mut name),
            remaining: state.remaining,
            reset_s: state.reset_s,
        });
        let met = (self.service(), self.operation().map(|(_, operation)| operation));
        let recent = worker.recent.lock();
        let mut recent = recent.unwrap_or_else(PoisonError::into_inner);
        recent.push(&call, self.outcome.word(), met, &live.snapshot);
        drop(recent);
        if let Some(tracer) = tracer {
            self.write_spans(&call, tracer, scene);
        }
        if worker.shared.logs_calls {
            match &worker.shared.log_fields {
                None => worker.log.borrow_mut().write(&call),
                Some(fields) => self.write_chosen(&mut call, fields, scene),
            }
        }
    }
}

/// The host of an authority that was found to be one: without the port.
fn host_of(authority: &[u8]) -> &[u8] {
    match memchr::memrchr(b':', authority) {
        // An IPv6 address has its brackets.
        Some(colon) if authority.last() != Some(&b']') => &authority[..colon],
        _ => authority,
    }
}

/// The name of a limit, without an allocation.
fn joined<'a>(state: &LimitState, into: &'a mut [u8; LIMIT_NAME_BYTES]) -> &'a str {
    let mut len = 0;
    for part in state.rule.parts() {
        let part = part.as_bytes();
        let end = (len + part.len()).min(LIMIT_NAME_BYTES);
        into[len..end].copy_from_slice(&part[..end - len]);
        len = end;
    }
    std::str::from_utf8(&into[..len]).unwrap_or("")
}

mod more;

pub(crate) use more::More;

#[cfg(test)]
mod tests;
