//! The state of backends in the form that a scrape of metrics shows.

use crate::telemetry;
use crate::upstream::{BackendView, Condition};

/// Backends for a scrape.
pub(crate) fn backends(views: &[BackendView]) -> Vec<telemetry::BackendView<'_>> {
    views.iter().map(backend).collect()
}

fn backend(view: &BackendView) -> telemetry::BackendView<'_> {
    telemetry::BackendView {
        backend: &view.key,
        in_flight: u64::from(view.in_flight),
        waiting: u64::from(view.queued),
        awaiting: u64::from(view.awaiting),
        awaiting_max: u64::from(view.awaiting_max),
        is_limited: view.is_limited,
        refused: view.counts.refused,
        endpoints: view
            .endpoints
            .iter()
            .map(|endpoint| telemetry::EndpointView {
                address: endpoint.address,
                up: matches!(endpoint.condition, Condition::Well | Condition::Probing),
                breaker: match endpoint.condition {
                    Condition::Open => telemetry::Breaker::Open,
                    Condition::Probing => telemetry::Breaker::HalfOpen,
                    Condition::Well | Condition::Down | Condition::Ejected => {
                        telemetry::Breaker::Closed
                    }
                },
                in_flight: u64::from(endpoint.in_flight),
            })
            .collect(),
    }
}
