//! What is wrong with documents that have the right shape: things that do not fit together.
//!
//! A list of passes; each looks at everything and reports all that it finds. What needs a contract, the
//! routes, or a file belongs to other rooms.

use std::collections::HashSet;

use crate::Document;
use crate::finding::Finding;

mod answers;
mod app;
mod backend;
mod gateway;
pub(crate) mod host;
mod service;
mod telemetry;

/// The names that stand in the texts, also of things that are too broken to be in the document, so that
/// nobody is told that a service does not exist because it has a mistake.
#[derive(Debug, Default)]
pub(crate) struct Declared {
    pub(crate) services: HashSet<String>,
    pub(crate) plans: HashSet<String>,
}

type Pass = fn(&Document, &Declared, &mut Vec<Finding>);

const PASSES: &[Pass] = &[
    app::references,
    app::keys,
    app::ids,
    app::certificates,
    app::plans,
    service::routes,
    service::hosts,
    service::auth,
    service::mtls,
    service::cors,
    answers::mask,
    answers::cookies,
    answers::security_headers,
    answers::hide_errors,
    service::limits,
    backend::targets,
    backend::mocks,
    backend::tls,
    backend::checks,
    backend::credentials,
    backend::deadlines,
    gateway::listeners,
    gateway::bounds,
    telemetry::log_fields,
    telemetry::privacy,
    telemetry::traces,
];

/// Runs all passes.
pub(crate) fn check(document: &Document, declared: &Declared, findings: &mut Vec<Finding>) {
    for pass in PASSES {
        pass(document, declared, findings);
    }
}
