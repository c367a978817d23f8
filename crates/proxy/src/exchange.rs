//! The way of a call, from top to bottom.
//!
//! `serve` never fails and owns the record; `answer` may return early. The phases have the names
//! that they have in the documents and in the log: route, identify, permit, admit, check, shape,
//! dispatch, reshape, record.

use std::rc::Rc;
use std::sync::Arc;

use portway_contract::request::Plan;
use portway_http1::{Framing, Known, Reject, ResponseHead};
use portway_policy::{
    Body, Call, Certificate, CertificateFault, Clock as _, Cors, Detail, ParamSpans, Permit, Phase,
    Reason, Refusal, Scheme, Verdict,
};
use portway_snapshot::{Operation, Routed, Service, canonical_path};

use crate::answer_check;
use crate::check;
use crate::dispatch::{self, Leg};
use crate::failure::{Failure, Fault};
use crate::forward::{self, Replaced};
use crate::forwarded;
use crate::guard::Guard;
use crate::hidden;
use crate::hold::{Extent, hold};
use crate::incoming::{Gone, Incoming, Length};
use crate::learn;
use crate::live::Live;
use crate::mock;
use crate::outgoing::Outgoing;
use crate::peer::Peer;
use crate::record::{Open, Record};
use crate::relay;
use crate::request::Request;
use crate::respond::{self, Local, Voice};
use crate::rules::{self, Watched};
use crate::telemetry::Wire;
use crate::timer::Timer;
use crate::tls::ShownCertificate;
use crate::transfer::{self, BodyDeadlines, Download};
use crate::upstream::{BackendState, Settings};
use crate::websocket::Farewell;
use crate::worker::Worker;

/// Why a call does not reach its end as it should.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The gateway says no. With a sentence for the caller, where there is one.
    Refused(Refusal, Option<&'static str>),
    /// Something broke before an answer had begun.
    Failed(Failure),
    /// Something broke when the answer had begun, or nobody is there to be answered.
    Cut(Fault),
    /// The gateway says no when the answer had begun: the caller is cut off.
    Late(Reason),
}

impl Stop {
    pub(crate) fn refused(reason: Reason) -> Self {
        Self::Refused(Refusal::new(reason), None)
    }

    /// What the caller sent is not HTTP that can be dealt with.
    pub(crate) fn rejected(reject: Reject) -> Self {
        let reason = match reject {
            Reject::HeadTooLarge | Reject::TrailersTooLarge => Reason::HeadTooLarge,
            Reject::TooManyFields => Reason::TooManyFields,
            Reject::TargetTooLong => Reason::TargetTooLong,
            Reject::Version => Reason::VersionUnsupported,
            Reject::Expectation => Reason::ExpectationFailed,
            Reject::BodyTooLarge => Reason::BodyTooLarge,
            _ => Reason::BadRequest,
        };
        Self::Refused(Refusal::new(reason), Some(reject.sentence()))
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal, None)
    }
}

/// What a call needs around it.
pub(crate) struct Surroundings<'a> {
    pub(crate) worker: &'a Rc<Worker>,
    pub(crate) peer: &'a Peer,
    pub(crate) live: &'a Live,
    pub(crate) request: &'a Request,
    /// Whether the peer is a trusted proxy.
    pub(crate) trusted: bool,
}

/// Where a call goes, and the leave to go there.
pub(crate) struct Decision {
    pub(crate) service: usize,
    pub(crate) operation: usize,
    pub(crate) permit: Permit,
    /// What the balance of the backend hashes, hashed.
    pub(crate) hash: Option<u64>,
}

pub(crate) enum Decided {
    /// To a backend, as the decision says.
    Dispatch,
    /// Not decided: the body is part of what was signed.
    HoldBody(Extent),
    /// To a backend, if the body keeps the contract.
    CheckBody(Box<Plan>),
    /// Answered here.
    Local(Box<Local>),
}

/// Carries one call from its head to the last byte of its answer, and says when that was.
pub(crate) async fn serve(
    worker: &Rc<Worker>,
    peer: &Peer,
    incoming: &mut Incoming,
    request: &Request,
    timer: &mut Timer,
) -> u64 {
    let held = worker.live();
    let live: &Live = &held;
    let trusted = forwarded::is_trusted(peer.address.ip(), &live.snapshot.trusted_proxies);
    let around = Surroundings { worker, peer, live, request, trusted };
    let mut open = Open::begin(&around);
    if let Err(stop) = answer(&around, incoming, timer, &mut open.record).await {
        stopped(&around, incoming, timer, &mut open.record, stop).await;
    }
    if let Some(watched) = incoming.take_watched() {
        learn::conclude(&around, rules::conclude(*watched, &mut open.record, worker), &open.record);
    }
    open.close();
    open.record.now_us() / 1_000
}

/// The call's story. An error before the answer began is answered by `stopped`.
async fn answer(
    around: &Surroundings<'_>,
    incoming: &mut Incoming,
    timer: &mut Timer,
    record: &mut Record,
) -> Result<(), Stop> {
    let body = if around.request.has_body() { Body::Unread } else { Body::None };
    // Made where it stays: it is large, and every connection has room for it.
    let mut decision = None;
    // Not kept longer: every connection would have room for it.
    let decided = {
        let mut watched = None;
        let decided = decide(around, body, &mut watched, record, &mut decision)?;
        if let Some(watched) = watched {
            incoming.watch(watched);
        }
        decided
    };
    let is_held = match decided {
        Decided::Dispatch => false,
        Decided::HoldBody(extent) => {
            // Rare, and large: not part of every connection's size.
            Box::pin(decide_with_body(around, extent, incoming, timer, record, &mut decision))
                .await?;
            true
        }
        Decided::CheckBody(plan) => {
            let decision =
                decision.as_ref().expect("a body is checked of a call that is permitted");
            Box::pin(check::body(around, decision, plan, incoming, timer, record)).await?
        }
        Decided::Local(mut local) => {
            record.answered_here();
            guard_local(around, record, &mut local);
            return send(around, &local, incoming, timer, record).await;
        }
    };
    let decision = decision.as_ref().expect("where a call is dispatched to is decided");
    let service = &around.live.snapshot.services[decision.service];
    let operation = &service.operations[decision.operation];
    if !is_held {
        check_length(around.request, operation.body_bytes)?;
        incoming.bound_body(around.request.framing, operation.body_bytes);
        incoming.shape_trailers(operation, around.request.framing);
    }

    if let Some(mocked) = operation.mock.as_deref() {
        // Its own future: not part of every connection's size.
        return Box::pin(mock::answer(around, decision, mocked, incoming, timer, record)).await;
    }

    let mut leg = Leg::new();
    let head = dispatch::dispatch(around, decision, incoming, &mut leg, timer, record).await?;
    record.status = head.status;
    if around.worker.shared.log_fields.is_some() {
        record.keep_answer(around.worker, leg.parts().0);
    }
    let (live, backend) = (&around.live.services[decision.service], usize::from(operation.backend));
    let (state, settings) = (&live.backends[backend], &live.settings[backend]);
    if head.upgrade {
        // Rare, and large: not part of every connection's size.
        let (outgoing, _) = leg.parts();
        let guard = Guard::of(around, decision.service);
        let at = (&head, &**settings, guard.as_ref());
        return Box::pin(upgraded(around, incoming, outgoing, at, timer, record)).await;
    }
    if let Some(log_bytes) = service.answers.as_ref().and_then(|own| own.hides(head.status)) {
        let settings = (&**settings, log_bytes);
        let telling = (timer, record);
        let hide = hidden::answer(around, decision, incoming, &mut leg, &head, settings, telling);
        return Box::pin(hide).await;
    }
    let sample = match &operation.answer_sample {
        Some(sample) => answer_check::begin(sample, around, leg.parts().0, &head, record),
        None => None,
    };
    reshape(around, decision, incoming, leg.parts().0, &head, record)?;
    let mut download = Download::new(service.answers.as_ref(), sample);
    carry(around, incoming, &mut leg, (state, settings, &mut download), timer, record).await?;
    if let Some(sample) = download.sample {
        sample.end(around, decision, record);
    }
    leg.release(around, record.now_us() / 1_000 + settings.keep_alive_ms);
    incoming.leave_body();
    Ok(())
}

/// Reads the body that is needed to decide, and decides.
async fn decide_with_body(
    around: &Surroundings<'_>,
    extent: Extent,
    incoming: &mut Incoming,
    timer: &mut Timer,
    record: &mut Record,
    decision: &mut Option<Decision>,
) -> Result<(), Stop> {
    let spool = hold(around, extent, incoming, timer, record).await?;
    let body = spool.whole().expect("a body that may not pass is read whole");
    let mut watched = None;
    match decide(around, Body::Held(body), &mut watched, record, decision)? {
        Decided::Dispatch => {
            incoming.hold_body(spool);
            if let Some(watched) = watched {
                incoming.watch(watched);
            }
            Ok(())
        }
        // Nobody asks for a body twice, and what is answered here needs none.
        Decided::HoldBody(_) | Decided::CheckBody(_) | Decided::Local(_) => {
            Err(Stop::refused(Reason::CredentialsInvalid))
        }
    }
}

/// Route, identify, permit, admit: everything that is decided without waiting, on the head alone or with a body that
/// was asked for. Where the call goes to a backend, `decision` says to which.
pub(crate) fn decide(
    around: &Surroundings<'_>,
    body: Body<'_>,
    watched: &mut Option<Box<Watched>>,
    record: &mut Record,
    decision: &mut Option<Decision>,
) -> Result<Decided, Stop> {
    let Surroundings { worker, peer, live, request, .. } = *around;
    if request.method == portway_http1::Method::Connect {
        return Err(Stop::refused(Reason::ConnectRefused));
    }
    let asked = peer.host(request).ok_or_else(|| Stop::refused(Reason::BadRequest))?;
    if !asked.agrees {
        return Err(Stop::refused(Reason::Misdirected));
    }
    let certificate = match peer.certificate() {
        Some(shown) => Some(certificate_of(worker, shown)?),
        None => None,
    };
    let host = asked.host();
    let mut rewritten = String::new();
    let path = canonical_path(request.text(request.path), &mut rewritten)
        .map_err(|_| Stop::refused(Reason::BadPath))?
        .as_str();
    record.client =
        forwarded::client_address(peer.address.ip(), request, &live.snapshot.trusted_proxies);
    let mut params = ParamSpans::default();
    let routed = live.snapshot.route(
        host,
        path,
        request.query_str(),
        request.method_str(),
        request,
        &mut params,
    );
    record.mark(Phase::Route, worker);
    let decided = match routed {
        Routed::Operation { service, service_index, operation } => {
            let index = operation_index(service, operation);
            record.met(service_index, index);
            let call = Call {
                method: request.method_str(),
                scheme: if peer.tls { Scheme::Https } else { Scheme::Http },
                host,
                authority: request.text(request.authority),
                path,
                query: request.query_str(),
                headers: request,
                certificate,
                body,
                client: record.client,
                param_names: &operation.param_names,
                params: &params,
            };
            if let Some(stage) = &worker.stage {
                stage.see(&call, operation);
            }
            // Where nothing is asked no time passes, and the clock is not read.
            let is_timed = !operation.rules.is_empty();
            let mut mark = |phase| {
                if is_timed && phase != Phase::Permit {
                    record.mark(phase, worker);
                }
            };
            let verdict =
                portway_policy::decide(&call, &operation.rules, &worker.world(live), &mut mark)?;
            match verdict {
                Verdict::Permit(permit) => {
                    let at = (&**service, operation);
                    let (plan, hash) = judge(around, &call, at, &permit, watched, record)?;
                    *decision =
                        Some(Decision { service: service_index, operation: index, permit, hash });
                    Ok(plan.map_or(Decided::Dispatch, Decided::CheckBody))
                }
                Verdict::HoldBody { most_bytes } => Ok(Decided::HoldBody(Extent {
                    service: service_index,
                    operation: index,
                    most_bytes,
                    may_pass: false,
                })),
            }
        }
        elsewhere => without_operation(around, elsewhere, record),
    };
    // The path is what the log shows, also of a call that is refused.
    if !rewritten.is_empty() {
        record.rewritten_path = Some(rewritten);
    }
    decided
}

/// Whether a call that is permitted may go on: as far as its head tells, and what is then to be checked of its body; and what
/// the balance of its backend hashes.
fn judge(
    around: &Surroundings<'_>,
    call: &Call<'_>,
    (service, operation): (&Service, &Operation),
    permit: &Permit,
    watched: &mut Option<Box<Watched>>,
    record: &mut Record,
) -> Result<(Option<Box<Plan>>, Option<u64>), Stop> {
    let worker = around.worker;
    if worker.overload.refuses(permit, &worker.random) {
        return Err(Stop::refused(Reason::Overloaded));
    }
    record.app = permit.app().cloned();
    record.limit = permit.limit().copied();
    let learns = service.learn.is_some();
    if operation.requests.is_some() || learns {
        let told = (&mut *record, &**worker);
        *watched = rules::head(operation, call, around.request, learns, told)?;
    }
    let plan = match &operation.checks {
        Some(checks) => check::head(checks, call, record, worker)?,
        None => None,
    };
    let balance = &service.backend(operation).document.balance;
    Ok((plan, dispatch::hash_of(call, balance)))
}

/// The certificate of the connection, which may have ended or been revoked since that was made: then the whole connection
/// is good for nothing any more, as none could be made with it now.
#[cold]
fn certificate_of<'a>(
    worker: &Worker,
    shown: &'a ShownCertificate,
) -> Result<&'a Certificate, Stop> {
    let now_ms = worker.clock.unix_ms();
    shown.at(now_ms).ok_or_else(|| Refusal::from(CertificateFault::Withdrawn).into())
}

/// Operations of a service lie in one slice.
fn operation_index(service: &Service, operation: &Operation) -> usize {
    let start = service.operations.as_ptr() as usize;
    (std::ptr::from_ref(operation) as usize - start) / size_of::<Operation>()
}

/// Calls that met no operation: answered here.
fn without_operation(
    around: &Surroundings<'_>,
    routed: Routed<'_>,
    record: &mut Record,
) -> Result<Decided, Stop> {
    let service_of = |service: &Arc<Service>| {
        around.live.snapshot.services.iter().position(|known| Arc::ptr_eq(known, service))
    };
    match routed {
        Routed::Operation { .. } | Routed::NotFound { service: None } => {
            Err(Stop::refused(Reason::NotFound))
        }
        Routed::NotFound { service: Some(service) } => {
            record.met_service(service_of(service));
            Err(Stop::refused(Reason::NotFound))
        }
        Routed::Ambiguous { service } => {
            record.met_service(service_of(service));
            Err(Stop::refused(Reason::BadPath))
        }
        Routed::MethodNotAllowed { service, allow } => {
            record.met_service(service_of(service));
            let refusal =
                Refusal { reason: Reason::MethodNotAllowed, detail: Detail::Allow(allow.into()) };
            Err(refusal.into())
        }
        Routed::Options { service, allow } => {
            record.met_service(service_of(service));
            let mut local = Local::empty(204);
            local.field("allow", allow);
            Ok(Decided::Local(Box::new(local)))
        }
        Routed::Preflight { service, allow } => {
            record.met_service(service_of(service));
            let request = around.request;
            let asked = request.known(Known::AccessControlRequestHeaders);
            let preflight = service.cors.as_ref().and_then(|cors| {
                cors.preflight(request.known(Known::Origin).unwrap_or_default(), asked, allow)
            });
            let Some(preflight) = preflight else {
                return Err(Stop::refused(Reason::OriginNotAllowed));
            };
            let mut local = Local::empty(204);
            for (name, value) in &preflight.fields {
                local.field(name, value);
            }
            Ok(Decided::Local(Box::new(local)))
        }
    }
}

/// A body that says of itself that it is too large is refused before any of it is read.
pub(crate) fn check_length(request: &Request, most_bytes: u64) -> Result<(), Stop> {
    match request.framing {
        Framing::Length(length) if length > most_bytes => Err(Stop::refused(Reason::BodyTooLarge)),
        _ => Ok(()),
    }
}

/// The head of the answer, as the caller gets it.
fn reshape(
    around: &Surroundings<'_>,
    decision: &Decision,
    incoming: &mut Incoming,
    outgoing: &mut Outgoing,
    head: &ResponseHead,
    record: &Record,
) -> Result<(), Stop> {
    let is_head = around.request.method == portway_http1::Method::Head;
    let bodiless = is_head || head.status == 204 || head.status == 304;
    let length = match head.framing {
        _ if bodiless => Length::None,
        Framing::None => Length::Known(0),
        Framing::Length(length) => Length::Known(length),
        Framing::Chunked | Framing::UntilClose => Length::Unknown,
    };
    part_if_draining(around, incoming);
    let service = &around.live.snapshot.services[decision.service];
    let limit = decision.permit.limit();
    let replaced = Replaced { cors: service.cors.is_some(), limit: limit.is_some() };
    let length_kept = bodiless && head.status != 204;
    let guard = Guard::of(around, decision.service);
    let (bytes, fields) = outgoing.answer();
    let written = incoming.answer(head.status, length, |out| {
        match &guard {
            None => forward::write_answer_fields(bytes, fields, length_kept, replaced, out),
            Some(guard) => {
                let head = (bytes, fields);
                forward::write_guarded_fields(head, length_kept, replaced, (guard, true), out);
            }
        }
        forward::write_gateway_fields(&record.request_id, limit, out);
        if let Some(cors) = &service.cors {
            cors.answer(around.request.known(Known::Origin)).each(|name, value| {
                portway_http1::write_field(out, name.as_bytes(), value.as_bytes());
            });
        }
    });
    if let Some(watched) = incoming.watched()
        && let Some(copies) = watched.copies()
    {
        learn::note_answer(copies, outgoing);
    }
    outgoing.consume_head(head);
    written.map_err(|Gone| Stop::Cut(Fault::CallerGone))
}

/// A caller that is told with its answer opens another connection, to whoever accepts by then, instead of meeting a
/// closed one with its next call.
fn part_if_draining(around: &Surroundings<'_>, incoming: &mut Incoming) {
    if around.worker.is_draining() {
        incoming.close_after();
    }
}

/// Bodies, both ways, until the caller has the whole answer.
async fn carry(
    around: &Surroundings<'_>,
    incoming: &mut Incoming,
    leg: &mut Leg,
    (state, settings, download): (&BackendState, &Settings, &mut Download<'_>),
    timer: &mut Timer,
    record: &mut Record,
) -> Result<(), Stop> {
    let (outgoing, upload) = leg.parts();
    let clock = &around.worker.clock;
    let bounds = &around.live.bounds;
    let deadlines = BodyDeadlines {
        crowd: Some(state),
        call_ms: record.started_us / 1_000 + bounds.call_ms,
        idle_ms: settings.idle_ms,
        write_ms: bounds.write_ms_over(around.request.version),
    };
    let carried =
        transfer::carry(incoming, outgoing, upload, download, timer, (clock, &deadlines)).await;
    record.bytes_in = upload.bytes;
    record.bytes_out = download.bytes;
    if let Err(Stop::Cut(fault @ (Fault::BackendBodyBroken | Fault::BackendBodyTimeout))) = carried
    {
        leg.broke(fault, clock.now_ms());
    }
    carried
}

/// The backend has switched protocols: bytes both ways from here on.
async fn upgraded(
    around: &Surroundings<'_>,
    incoming: &mut Incoming,
    outgoing: &mut Outgoing,
    (head, settings, guard): (&ResponseHead, &Settings, Option<&Guard<'_>>),
    timer: &mut Timer,
    record: &mut Record,
) -> Result<(), Stop> {
    let (Incoming::Http1(caller), Some(protocol)) = (incoming, upgrade_protocol(outgoing)) else {
        return Err(Stop::Failed(Failure::last(Fault::BackendInvalid)));
    };
    {
        let (bytes, fields) = outgoing.answer();
        caller.switch(|out| {
            forward::write_other_fields((bytes, fields), guard, out);
            forward::write_gateway_fields(&record.request_id, None, out);
            out.extend_from_slice(b"connection: upgrade\r\n");
            portway_http1::write_field(out, b"upgrade", &protocol);
        });
    }
    outgoing.consume_head(head);
    let Some(backend) = outgoing.as_http1() else {
        return Err(Stop::Cut(Fault::BackendInvalid));
    };
    let _shown = Switched::begin(around);
    let clock = around.worker.clock;
    let call_ms = record.started_us / 1_000 + around.live.bounds.call_ms;
    let farewell = Farewell::of(&protocol, around.worker);
    let deadlines = (call_ms, settings.idle_ms);
    let (up, down, ended) = relay::relay(caller, backend, timer, clock, deadlines, farewell).await;
    record.bytes_in = up;
    record.bytes_out = down;
    ended.map_err(Stop::Cut)
}

/// A connection that is shown as upgraded until this is dropped.
struct Switched<'a> {
    worker: &'a Worker,
    listener: usize,
}

impl<'a> Switched<'a> {
    fn begin(around: &Surroundings<'a>) -> Self {
        let (worker, listener) = (&**around.worker, around.peer.listener);
        worker.metrics.connection_became(listener, Wire::Http1, Wire::Upgraded);
        Self { worker, listener }
    }
}

impl Drop for Switched<'_> {
    fn drop(&mut self) {
        self.worker.metrics.connection_became(self.listener, Wire::Upgraded, Wire::Http1);
    }
}

fn upgrade_protocol(outgoing: &mut Outgoing) -> Option<Vec<u8>> {
    let (bytes, fields) = outgoing.answer();
    fields
        .iter()
        .find(|field| field.known == Known::Upgrade)
        .map(|field| field.value.of(bytes).to_vec())
}

/// A call that stopped: its caller is told if that is still possible, and cut off if not.
async fn stopped(
    around: &Surroundings<'_>,
    incoming: &mut Incoming,
    timer: &mut Timer,
    record: &mut Record,
    stop: Stop,
) {
    record.stopped(&stop);
    around.worker.count_bound(&stop, around.request.version);
    let sent = match told(around, record, &stop) {
        Some(local) => {
            let sent = send(around, &local, incoming, timer, record).await;
            if let Err(stop) = &sent {
                around.worker.count_bound(stop, around.request.version);
            }
            sent
        }
        None => Err(stop),
    };
    if sent.is_err() {
        incoming.cut();
    }
}

/// What the caller of a call that stopped is told, if there is still a way to tell it.
pub(crate) fn told(around: &Surroundings<'_>, record: &Record, stop: &Stop) -> Option<Local> {
    let mut local = Local::of(stop, record, voice(around, record))?;
    if let Some(service) = record.service() {
        let cors = around.live.snapshot.services[service].cors.as_ref();
        allow_origin(around, cors, &mut local);
    }
    guard_local(around, record, &mut local);
    Some(local)
}

/// How the service that a call belongs to says no.
pub(crate) fn voice(around: &Surroundings<'_>, record: &Record) -> Voice {
    let services = &around.live.snapshot.services;
    match (record.operation(), record.service()) {
        (Some((service, operation)), _) => Voice {
            errors: services[service].errors,
            challenge: services[service].operations[operation].rules.identify.challenge(),
        },
        (None, Some(service)) => Voice { errors: services[service].errors, ..Voice::default() },
        (None, None) => Voice::default(),
    }
}

/// A page that may call the service may also read why it was refused.
pub(crate) fn allow_origin(around: &Surroundings<'_>, cors: Option<&Cors>, local: &mut Local) {
    if let Some(cors) = cors {
        let origin = around.request.known(Known::Origin);
        cors.answer(origin).each(|name, value| local.field(name, value));
    }
}

/// What browsers are told of a service's answers counts for those that the gateway gives in its stead too.
pub(crate) fn guard_local(around: &Surroundings<'_>, record: &Record, local: &mut Local) {
    let service = record.service();
    if let Some(guard) = service.and_then(|service| Guard::of(around, service)) {
        guard.write_added(|_| false, &mut local.lines);
    }
}

pub(crate) async fn send(
    around: &Surroundings<'_>,
    local: &Local,
    incoming: &mut Incoming,
    timer: &mut Timer,
    record: &mut Record,
) -> Result<(), Stop> {
    part_if_draining(around, incoming);
    let is_head = around.request.method == portway_http1::Method::Head;
    let clock = around.worker.clock;
    let write_ms = around.live.bounds.write_ms_over(around.request.version);
    respond::send(local, incoming, record, is_head, (timer, clock, write_ms))
        .await
        .map_err(Stop::Cut)
}
