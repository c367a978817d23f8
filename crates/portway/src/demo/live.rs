//! A sample module that streams: server-sent events, and a WebSocket that sends back what it is sent.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::WebSocketUpgrade;
use axum::extract::ws::{Message, WebSocket};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http_body_util::channel::Channel;

/// How many ticks a stream has.
pub const TICKS: u32 = 5;
/// From tick to tick.
const TICK: Duration = Duration::from_millis(200);

/// The module.
pub fn module() -> Router {
    Router::new().route("/ticks", get(ticks)).route("/echo", get(echo))
}

async fn ticks() -> Response {
    let (mut sender, body) = Channel::<Bytes>::new(1);
    tokio::spawn(async move {
        for tick in 1..=TICKS {
            let event = format!("event: tick\ndata: {tick}\n\n");
            if sender.send_data(Bytes::from(event)).await.is_err() {
                return;
            }
            tokio::time::sleep(TICK).await;
        }
    });
    ([(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-cache")], Body::new(body))
        .into_response()
}

async fn echo(upgrade: WebSocketUpgrade) -> Response {
    upgrade.max_message_size(64 * 1024).on_upgrade(send_back)
}

async fn send_back(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let again = match message {
            Message::Text(_) | Message::Binary(_) => socket.send(message).await,
            Message::Close(_) => return,
            Message::Ping(_) | Message::Pong(_) => Ok(()),
        };
        if again.is_err() {
            return;
        }
    }
}
