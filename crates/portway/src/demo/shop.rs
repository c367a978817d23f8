//! A sample module of today's habits: JSON, camelCase, proper status codes. Its contract is
//! `examples/demo/contracts/shop.yaml`.

use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The most orders that are kept; the oldest go first.
const ORDERS_MAX: usize = 100;

type Orders = Arc<Mutex<Vec<Order>>>;

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    order_id: u64,
    item: String,
    quantity: u32,
    created_at: &'static str,
    /// Who created it: what the gateway says in `X-Portway-App`.
    created_by: String,
}

#[derive(Deserialize)]
struct NewOrder {
    item: String,
    quantity: u32,
}

/// The module.
pub fn module() -> Router {
    let first = |order_id, item: &str, quantity| Order {
        order_id,
        item: item.to_owned(),
        quantity,
        created_at: "2026-11-02T09:30:00Z",
        created_by: "phone".to_owned(),
    };
    let orders: Orders = Arc::new(Mutex::new(vec![first(6, "lamp", 1), first(7, "kettle", 2)]));
    Router::new()
        .route("/orders", get(list).post(create))
        .route("/orders/{order_id}", get(one))
        .with_state(orders)
}

async fn list(State(orders): State<Orders>) -> Json<Vec<Order>> {
    Json(lock(&orders).iter().rev().cloned().collect())
}

async fn one(State(orders): State<Orders>, Path(order_id): Path<u64>) -> Response {
    match lock(&orders).iter().find(|order| order.order_id == order_id) {
        Some(order) => Json(order.clone()).into_response(),
        None => (
            StatusCode::NOT_FOUND,
            Json(json!({ "errorCode": "ORDER_UNKNOWN", "orderId": order_id })),
        )
            .into_response(),
    }
}

async fn create(
    State(orders): State<Orders>,
    headers: HeaderMap,
    Json(new): Json<NewOrder>,
) -> (StatusCode, Json<Order>) {
    let mut orders = lock(&orders);
    let order = Order {
        order_id: orders.last().map_or(1, |last| last.order_id + 1),
        item: new.item,
        quantity: new.quantity,
        created_at: "2026-11-02T09:30:00Z",
        created_by: headers
            .get("x-portway-app")
            .and_then(|app| app.to_str().ok())
            .unwrap_or("nobody")
            .to_owned(),
    };
    if orders.len() == ORDERS_MAX {
        orders.remove(0);
    }
    orders.push(order.clone());
    (StatusCode::CREATED, Json(order))
}

fn lock(orders: &Orders) -> std::sync::MutexGuard<'_, Vec<Order>> {
    orders.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
