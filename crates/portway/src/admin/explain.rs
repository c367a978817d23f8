//! `/explain` and `/calls/…`: why a call goes as it goes, asked of the gateway that serves.
//!
//! Nothing is changed, counted or called by asking. That a page elsewhere cannot ask in the name of whoever has a browser
//! here: JSON needs its content type, which no form of another page can have; the form of our own page counts only if
//! the browser says that it came from here; and where the listener is not on loopback, only addresses are answered, since
//! every name could be one of somebody else's (DNS rebinding). Askers share a pace, so that no keys are guessed here faster
//! than elsewhere.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Json;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::header::{
    CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, ORIGIN,
    REFERRER_POLICY, RETRY_AFTER,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use super::{Desk, HEAD_TIMEOUT, host_name, problem};
use crate::explain::page::{self, Form, Shown};
use crate::explain::past::Past;
use crate::explain::{Ask, Walk};

/// The most bytes that are read of a question: a body of a MiB, escaped, and a head.
const QUESTION_BYTES_MAX: usize = 3 << 20;
/// Questions in a second, and in a burst.
const QUESTIONS_PER_S: f64 = 20.0;
/// What the page may do: show its own style sheet, and send its own form.
const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// How often is asked.
pub(super) struct Pace(Mutex<(Instant, f64)>);

impl Default for Pace {
    fn default() -> Self {
        Self(Mutex::new((Instant::now(), QUESTIONS_PER_S)))
    }
}

impl Pace {
    /// Whether one more may be asked.
    fn take(&self, now: Instant) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let more = now.duration_since(state.0).as_secs_f64() * QUESTIONS_PER_S;
        *state = (now, (state.1 + more).min(QUESTIONS_PER_S));
        let may = state.1 >= 1.0;
        if may {
            state.1 -= 1.0;
        }
        may
    }
}

pub(super) fn routes() -> Router<Desk> {
    Router::new()
        .route("/explain", get(page).post(explain))
        .route("/explain.css", get(css))
        .route("/calls/{id}", get(call))
}

/// Refuses who may not ask, or not now.
fn admitted(desk: &Desk, headers: &HeaderMap) -> Result<(), Box<Response>> {
    let is_address =
        host_name(headers).is_some_and(|name| name.parse::<std::net::IpAddr>().is_ok());
    if !desk.loopback && !is_address && headers.contains_key(HOST) {
        let detail = "Ask by the address of this listener, not by a name.";
        return Err(Box::new(problem(StatusCode::MISDIRECTED_REQUEST, "misdirected", detail)));
    }
    if is_from_elsewhere(headers) {
        let foreign = problem(StatusCode::FORBIDDEN, "foreign-page", "Another page sent this.");
        return Err(Box::new(foreign));
    }
    if !desk.pace.take(Instant::now()) {
        let mut busy = problem(
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-questions",
            "At most 20 questions a second.",
        );
        busy.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        return Err(Box::new(busy));
    }
    Ok(())
}

/// Whether a browser says that another page is behind a request.
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let site = text(HeaderName::from_static("sec-fetch-site"));
    if site.is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return true;
    }
    let host = text(HOST).unwrap_or_default();
    text(ORIGIN).is_some_and(|origin| {
        // A browser that does not say where a page is from may still say that it is from here.
        if origin == "null" {
            return site != Some("same-origin");
        }
        !origin.strip_prefix("http://").is_some_and(|rest| rest.eq_ignore_ascii_case(host))
    })
}

async fn css() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], page::CSS).into_response()
}

/// The page: empty, or with a call that was made.
async fn page(State(desk): State<Desk>, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let id = pairs(query.as_bytes()).into_iter().find(|(name, _)| name == "id");
    let Some((_, id)) = id.filter(|(_, id)| !id.is_empty()) else {
        return html(StatusCode::OK, &Form::default(), &Shown::Nothing);
    };
    if let Err(refused) = admitted(&desk, request.headers()) {
        return *refused;
    }
    let form = Form { id: id.clone(), ..Form::default() };
    match past(desk, id).await {
        Some(past) => html(StatusCode::OK, &form, &Shown::Past(&past)),
        None => html(StatusCode::NOT_FOUND, &form, &Shown::Sorry(FORGOTTEN)),
    }
}

const FORGOTTEN: &str = "No call of this id is remembered; each worker remembers its last thousand, and some more that failed.";

async fn call(State(desk): State<Desk>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    if let Err(refused) = admitted(&desk, &headers) {
        return *refused;
    }
    match past(desk, id).await {
        Some(past) => Json(past).into_response(),
        None => problem(StatusCode::NOT_FOUND, "call-unknown", FORGOTTEN),
    }
}

async fn past(desk: Desk, id: String) -> Option<Past> {
    let watched = Arc::clone(&desk.watched);
    let look = move || {
        let call = watched.recent_call(&id)?;
        Some(Past::of(&call, &|ask| watched.explain(ask)))
    };
    tokio::task::spawn_blocking(look).await.ok().flatten()
}

/// A question as JSON, or as our own form.
async fn explain(State(desk): State<Desk>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let headers = &head.headers;
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let is_json = kind.eq_ignore_ascii_case("application/json");
    let is_form = kind.eq_ignore_ascii_case("application/x-www-form-urlencoded");
    // A browser says where a form comes from; one that does not is none that is trusted with this.
    let says = |name: &str| headers.contains_key(name);
    if !is_json && !(is_form && (says("origin") || says("sec-fetch-site"))) {
        let detail = "Ask with Content-Type: application/json, or with the form of this page.";
        return problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", detail);
    }
    if let Err(refused) = admitted(&desk, headers) {
        return *refused;
    }
    let bytes = match read(headers, body).await {
        Ok(bytes) => bytes,
        Err(refused) => return refused,
    };
    if is_form {
        return answer_form(desk, &bytes).await;
    }
    let ask: Ask = match serde_json::from_slice(&bytes) {
        Ok(ask) => ask,
        Err(error) => return problem(StatusCode::BAD_REQUEST, "bad-question", &error.to_string()),
    };
    match walk(desk, ask).await {
        Ok(walk) => Json(walk).into_response(),
        Err(why) => problem(StatusCode::BAD_REQUEST, "bad-question", &why),
    }
}

async fn read(headers: &HeaderMap, body: Body) -> Result<axum::body::Bytes, Response> {
    let too_large = || {
        let detail = "A question has at most 3 MiB.";
        problem(StatusCode::PAYLOAD_TOO_LARGE, "question-too-large", detail)
    };
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: usize| length > QUESTION_BYTES_MAX) {
        return Err(too_large());
    }
    let reading = tokio::time::timeout(HEAD_TIMEOUT, to_bytes(body, QUESTION_BYTES_MAX));
    match reading.await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(too_large()),
        Err(_) => Err(problem(
            StatusCode::REQUEST_TIMEOUT,
            "question-too-slow",
            "The question did not come.",
        )),
    }
}

/// On a thread of its own: many services take a while to look through.
async fn walk(desk: Desk, ask: Ask) -> Result<Walk, String> {
    let watched = Arc::clone(&desk.watched);
    let asking = tokio::task::spawn_blocking(move || watched.explain(&ask));
    asking.await.unwrap_or_else(|_| Err("it cannot be said".to_owned()))
}

async fn answer_form(desk: Desk, bytes: &[u8]) -> Response {
    let mut form = Form::default();
    for (name, value) in pairs(bytes) {
        let place = match name.as_str() {
            "method" => &mut form.method,
            "url" => &mut form.url,
            "headers" => &mut form.headers,
            "body" => &mut form.body,
            "app" => &mut form.app,
            "at" => &mut form.at,
            "from" => &mut form.from,
            "signed" => &mut form.signed,
            _ => continue,
        };
        *place = value.replace("\r\n", "\n");
    }
    let asked = match ask_of(&form) {
        Ok(ask) => walk(desk, ask).await,
        Err(why) => Err(why),
    };
    match asked {
        Ok(walk) => html(StatusCode::OK, &form, &Shown::Walk(&walk)),
        Err(why) => html(StatusCode::BAD_REQUEST, &form, &Shown::Sorry(&why)),
    }
}

fn ask_of(form: &Form) -> Result<Ask, String> {
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let method = given(form.method.trim()).unwrap_or_else(|| "GET".to_owned());
    let lines = form.headers.lines().map(str::trim).filter(|line| !line.is_empty());
    let from = given(form.from.trim()).map(|from| from.parse());
    Ok(Ask {
        call: format!("{method} {}", form.url.trim()),
        headers: lines.map(str::to_owned).collect(),
        body: given(&form.body),
        app: given(form.app.trim()),
        at: given(form.at.trim()),
        from: from.transpose().map_err(|_| "the address is none".to_owned())?,
        signed: given(&form.signed),
    })
}

/// Pairs of a form (WHATWG URL §5.1).
fn pairs(bytes: &[u8]) -> Vec<(String, String)> {
    const PAIRS_MAX: usize = 64;
    let text = |part: &[u8]| {
        let spaced: Vec<u8> =
            part.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        let decoded: Vec<u8> = portway_policy::query::decoded(&spaced).collect();
        String::from_utf8_lossy(&decoded).into_owned()
    };
    bytes
        .split(|byte| *byte == b'&')
        .take(PAIRS_MAX)
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let equals = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            (text(&pair[..equals]), text(pair.get(equals + 1..).unwrap_or_default()))
        })
        .collect()
}

fn html(status: StatusCode, form: &Form, shown: &Shown<'_>) -> Response {
    let page = page::render(form, shown);
    let fields = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        // With `no-referrer`, browsers send `Origin: null` along with the form (Fetch, "append a request `Origin` header").
        (REFERRER_POLICY, "same-origin"),
    ];
    (status, fields, page).into_response()
}

#[cfg(test)]
mod tests;
