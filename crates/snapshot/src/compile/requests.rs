//! The rules for requests of a service and of its operations.

use std::sync::Arc;

use portway_model as model;
use portway_model::{Check, Name};
use portway_policy::Requests;

use super::finding::Findings;
use super::place;
use crate::checks::RequestRules;
use crate::snapshot::Operation;

/// Gives operations their rules: their own, or those of the service.
pub(super) fn compile(
    service: &Name,
    document: &model::Service,
    operations: &mut [Operation],
    findings: &mut Findings,
) {
    let base = place::service(service);
    let common = document.requests.as_ref().and_then(|rules| one(rules, &base, findings));
    for operation in operations {
        let policy = document.operations.get(&*operation.id);
        let check = policy.and_then(|policy| policy.check).or(document.check).unwrap_or_default();
        let rules = match policy.and_then(|policy| policy.requests.as_ref()) {
            None => common.clone(),
            Some(own) => {
                let pointer = place::member(&place::member(&base, "operations"), &operation.id);
                one(own, &pointer, findings)
            }
        };
        operation.requests = rules
            .filter(|_| check != Check::Off)
            .map(|rules| RequestRules { rules, enforced: check == Check::Enforce });
    }
}

fn one(document: &model::Requests, base: &str, findings: &mut Findings) -> Option<Arc<Requests>> {
    match Requests::compile(document) {
        Ok(rules) => Some(Arc::new(rules)),
        Err(faults) => {
            for fault in faults {
                let start = place::member(base, "requests");
                let pointer =
                    fault.path.iter().fold(start, |pointer, part| place::member(&pointer, part));
                let fix = "patterns are those of the regex crate: no look-around, no back references, \
                           and small counts such as {1,64}";
                let fix = if pointer.ends_with("/pattern") { fix } else { "correct it" };
                findings.error("bad-rule", pointer, fault.message, fix);
            }
            None
        }
    }
}
