//! The whole gateway over real sockets.

mod answer_checks;
mod answers;
mod bodies;
mod bound;
mod bounds;
mod catalogue;
mod checks;
mod client_certificates;
mod deadlines;
mod descriptors;
mod failures;
mod framing;
mod headers;
mod hostile;
mod http1;
mod http2;
mod http2_backends;
mod hygiene;
mod injection;
mod limits;
mod matrix;
mod mocks;
mod overload;
mod paths;
mod policies;
mod proxied;
mod rehearsed;
mod reload;
mod retries;
mod rules;
mod signed;
mod slow;
mod storms;
mod telling;
mod tls;
mod upgrade;

use std::net::SocketAddr;

/// A document with one public service that takes every call to `backend`. `more` is indented like a
/// field of the service.
fn open(backend: SocketAddr, more: &str) -> String {
    format!(
        "gateway: {{ workers: 2, log: {{ calls: json }}, drain_timeout: 2s }}\n\
         services:\n  app:\n    routes: [ '* /', '* /{{rest+}}' ]\n    auth: public\n    backend: {{ targets: 'http://{backend}'{more} }}\n"
    )
}

/// The same with settings of the gateway.
fn open_with(backend: SocketAddr, gateway: &str, more: &str) -> String {
    open(backend, more).replacen("workers: 2,", &format!("workers: 2, {gateway},"), 1)
}
