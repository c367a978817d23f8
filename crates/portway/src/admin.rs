//! The listener on which the gateway is watched: `/live`, `/ready`, `/snapshot`, `/metrics`, `/explain`, `/calls/…`.
//!
//! It only tells, and changes nothing. It is on the loopback address unless the document says otherwise.
//! There, a page in a browser on the same machine could still reach it under a name of its own (DNS
//! rebinding); so only loopback names and addresses are answered. What is told has no secrets in it:
//! documents name files, variables and hashes, and this file shows settings and services only.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HOST, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use hyper::service::Service as _;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use portway_proxy::RecentCall;
use portway_proxy::telemetry::MetricsForm;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::explain::{Ask, Walk};
use crate::status::{Stage, Status, rfc3339};

mod explain;

/// Connections at once. One beyond takes the place of the one that has idled longest.
const CONNECTIONS_MAX: usize = 64;
/// How long a head may take to arrive, and how long a connection may idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is told that nothing can be accepted.
const TOLD_EVERY: Duration = Duration::from_secs(5);
/// How long a connection may live in all.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(300);

/// What the admin listener asks of the running gateway.
pub trait Watched: Send + Sync + 'static {
    /// Metrics of the calls, as text.
    fn metrics_text(&self, form: MetricsForm) -> String;
    /// The hash of the snapshot that serves, its services and its backends, without secrets.
    fn snapshot(&self) -> Value;
    /// What would become of a call.
    ///
    /// # Errors
    /// Why that cannot be said.
    fn explain(&self, ask: &Ask) -> Result<Walk, String>;
    /// A call of the last while.
    fn recent_call(&self, request_id: &str) -> Option<RecentCall>;
}

/// What the handlers share.
#[derive(Clone)]
struct Desk {
    status: Arc<Status>,
    watched: Arc<dyn Watched>,
    /// Whether the listener is on a loopback address.
    loopback: bool,
    /// How often is asked why.
    pace: Arc<explain::Pace>,
}

/// Serves the admin listener until the run time ends, or until the handle that comes back is used.
///
/// # Errors
/// When the socket cannot be used.
pub fn serve(
    listener: StdListener,
    status: Arc<Status>,
    watched: Arc<dyn Watched>,
) -> io::Result<(SocketAddr, AbortHandle)> {
    let address = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let desk = Desk { status, watched, loopback: address.ip().is_loopback(), pace: Arc::default() };
    let accepting = tokio::spawn(accept(listener, router(desk)));
    Ok((address, accepting.abort_handle()))
}

fn router(desk: Desk) -> Router {
    Router::new()
        .route("/live", get(live))
        .route("/ready", get(ready))
        .route("/snapshot", get(snapshot))
        .route("/metrics", get(metrics))
        .merge(explain::routes())
        .fallback(unknown)
        .layer(from_fn_with_state(desk.clone(), guard))
        .with_state(desk)
}

async fn accept(listener: TcpListener, router: Router) {
    let seats = Arc::new(Seats::default());
    let mut told: Option<Instant> = None;
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                if told.is_none_or(|at| at.elapsed() > TOLD_EVERY) {
                    tracing::warn!(%error, "the admin listener cannot accept; trying again");
                    told = Some(Instant::now());
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        let seat = seats.take();
        let serving = tokio::spawn(serve_connection(stream, router.clone(), Arc::clone(&seat)));
        seat.is_of(serving.abort_handle());
    }
}

async fn serve_connection(stream: tokio::net::TcpStream, router: Router, seat: Arc<Seat>) {
    let answering = TowerToHyperService::new(router);
    let calls = Arc::clone(&seat);
    let service = hyper::service::service_fn(move |request: hyper::Request<_>| {
        calls.is_asked();
        let (calls, answer) = (Arc::clone(&calls), answering.call(request));
        async move {
            let answer = answer.await;
            calls.has_answered();
            answer
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    // A caller that breaks off is its own affair.
    let _ = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await;
    seat.is_left();
}

/// The connections there are. Whoever comes when all seats are taken gets that of the connection that has idled
/// longest: a crowd that says nothing must not keep a probe or a scrape out.
#[derive(Default)]
struct Seats(Mutex<Vec<Arc<Seat>>>);

impl Seats {
    fn take(&self) -> Arc<Seat> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.retain(|seat| !seat.state().left);
        while taken.len() >= CONNECTIONS_MAX {
            let longest = (0..taken.len()).min_by_key(|at| {
                let state = taken[*at].state();
                (state.busy, state.since)
            });
            let Some(longest) = longest else { break };
            taken.swap_remove(longest).clear();
        }
        let seat = Arc::new(Seat(Mutex::new(SeatState {
            since: Instant::now(),
            busy: false,
            left: false,
            connection: None,
        })));
        taken.push(Arc::clone(&seat));
        seat
    }
}

/// One connection's.
struct Seat(Mutex<SeatState>);

struct SeatState {
    /// When it last began to idle, or to be busy.
    since: Instant,
    /// A request is being answered.
    busy: bool,
    left: bool,
    connection: Option<AbortHandle>,
}

impl Seat {
    fn state(&self) -> MutexGuard<'_, SeatState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_of(&self, connection: AbortHandle) {
        self.state().connection = Some(connection);
    }

    fn is_asked(&self) {
        let mut state = self.state();
        (state.busy, state.since) = (true, Instant::now());
    }

    fn has_answered(&self) {
        let mut state = self.state();
        (state.busy, state.since) = (false, Instant::now());
    }

    fn is_left(&self) {
        self.state().left = true;
    }

    fn clear(&self) {
        if let Some(connection) = &self.state().connection {
            connection.abort();
        }
    }
}

async fn live() -> &'static str {
    "live\n"
}

async fn ready(State(desk): State<Desk>) -> (StatusCode, String) {
    if let Some(illness) = desk.status.illness() {
        return (StatusCode::SERVICE_UNAVAILABLE, format!("{illness}\n"));
    }
    let (status, word) = match desk.status.stage() {
        Stage::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
        Stage::Serving => (StatusCode::OK, "ready\n"),
        Stage::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
    };
    (status, word.to_owned())
}

async fn metrics(State(desk): State<Desk>, headers: HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let form = MetricsForm::accepted(accept);
    let text = desk.watched.metrics_text(form);
    ([(CONTENT_TYPE, form.media_type()), (VARY, "accept")], text).into_response()
}

async fn snapshot(State(desk): State<Desk>) -> Json<Value> {
    let mut view = desk.watched.snapshot();
    let since = desk.status.serving_since();
    let age = since.and_then(|at| at.elapsed().ok());
    view["version"] = env!("CARGO_PKG_VERSION").into();
    view["stage"] = json!(desk.status.stage());
    view["loaded_at"] = json!(since.map(rfc3339));
    view["age_s"] = json!(age.map(|age| age.as_secs()));
    view["last_load"] = match desk.status.last_load() {
        Some(load) => json!({
            "ok": load.ok,
            "at": rfc3339(load.at),
            "took_ms": load.took_ms,
            "diagnostics": load.diagnostics,
        }),
        None => Value::Null,
    };
    let in_force = desk.status.in_force();
    view["settings"] = in_force.settings;
    view["need_restart"] = json!(in_force.need_restart);
    Json(view)
}

async fn unknown() -> Response {
    problem(
        StatusCode::NOT_FOUND,
        "not-found",
        "There are /live, /ready, /snapshot, /metrics, /explain and /calls/ID.",
    )
}

/// Refuses names that only a rebound DNS answer could have brought here.
async fn guard(State(desk): State<Desk>, request: Request, next: Next) -> Response {
    if desk.loopback && !is_loopback_host(request.headers()) {
        return problem(
            StatusCode::MISDIRECTED_REQUEST,
            "misdirected",
            "This listener answers to loopback names and addresses only.",
        );
    }
    let mut response = next.run(request).await;
    response.headers_mut().insert(CACHE_CONTROL, axum::http::HeaderValue::from_static("no-store"));
    response
        .headers_mut()
        .insert("x-content-type-options", axum::http::HeaderValue::from_static("nosniff"));
    response
}

/// Whether `Host` is `localhost` or a loopback address, with or without a port. Absent (HTTP/1.0) is fine:
/// browsers always send it.
fn is_loopback_host(headers: &HeaderMap) -> bool {
    if !headers.contains_key(HOST) {
        return true;
    }
    let Some(name) = host_name(headers) else { return false };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The only `Host`, without its port; an IPv6 address without its brackets.
fn host_name(headers: &HeaderMap) -> Option<&str> {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return None };
    let host = host.to_str().ok()?;
    Some(match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(address, _)| address),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    })
}

/// RFC 9457.
fn problem(status: StatusCode, kind: &str, detail: &str) -> Response {
    let body = json!({ "type": format!("urn:portway:problem:{kind}"), "status": status.as_u16(), "detail": detail });
    (status, [(CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}

#[cfg(test)]
mod tests;
