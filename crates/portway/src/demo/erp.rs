//! A sample application that is older than contracts: XML and forms, `.do` addresses, mistakes told
//! with status 200, one password for everything in a header of its own, and a page that nobody outside should ever reach.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

/// The header that carries the password.
const PASSWORD: &str = "x-erp-password";

/// The module. It answers only whoever knows this password.
pub fn module(password: &str) -> Router {
    let expected: Arc<str> = password.into();
    Router::new()
        .route("/customer.do", get(customer))
        .route("/stock.do", post(stock))
        .route("/admin.do", get(admin))
        .with_state(expected)
}

async fn customer(
    State(expected): State<Arc<str>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    if let Some(refused) = refuse(&expected, &headers) {
        return refused;
    }
    match field(query.as_deref().unwrap_or_default(), "id") {
        Some("7") => xml("<customer id=\"7\"><name>Ada</name><city>Shenzhen</city></customer>"),
        _ => xml("<error code=\"-17\">NO SUCH CUSTOMER</error>"),
    }
}

async fn stock(State(expected): State<Arc<str>>, headers: HeaderMap, body: Bytes) -> Response {
    if let Some(refused) = refuse(&expected, &headers) {
        return refused;
    }
    let form = String::from_utf8_lossy(&body);
    match field(&form, "sku") {
        Some("K-2") => "OK;42".into_response(),
        _ => "ERR;unknown sku".into_response(),
    }
}

async fn admin() -> &'static str {
    "everything can be deleted here"
}

fn refuse(expected: &str, headers: &HeaderMap) -> Option<Response> {
    let came_with = headers.get(PASSWORD).and_then(|value| value.to_str().ok());
    (came_with != Some(expected)).then(|| (StatusCode::FORBIDDEN, "ACCESS DENIED").into_response())
}

fn xml(body: &str) -> Response {
    let mut whole = String::from("<?xml version=\"1.0\"?>\n");
    let _ = writeln!(whole, "{body}");
    ([(CONTENT_TYPE, "text/xml; charset=utf-8")], whole).into_response()
}

/// The first field of that name in a query or form; the demo's values need no decoding.
fn field<'a>(form: &'a str, name: &str) -> Option<&'a str> {
    form.split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}
