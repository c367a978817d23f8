//! The checks of the operations of a service, from its contract.

use std::collections::{HashMap, HashSet};

use portway_contract::Contract;
use portway_contract::request::{self, Bounds, Wanted};
use portway_model as model;
use portway_model::{Check, CheckBounds, Share};
use portway_policy::Shape;

use super::finding::Findings;
use super::operations::Routes;
use crate::checks::{AnswerSample, Checks};
use crate::snapshot::Operation;

/// Adds checks to the operations that are to have them. What cannot be checked is told as a warning.
pub(super) fn compile(
    document: &model::Service,
    routes: &Routes,
    operations: &mut [Operation],
    findings: &mut Findings,
) {
    let Some(contract) = routes.contract.as_deref() else { return };
    if let Some(share) = document.answers.as_ref().and_then(|answers| answers.check) {
        sample_answers(document, (contract, routes), share, operations, findings);
    }
    let mut wanted: HashMap<&str, (usize, Check)> = HashMap::new();
    for (index, operation) in operations.iter().enumerate() {
        let own = document.operations.get(&*operation.id).and_then(|policy| policy.check);
        let check = own.or(document.check).unwrap_or_default();
        if check != Check::Off {
            wanted.insert(&operation.id, (index, check));
        }
    }
    if wanted.is_empty() {
        return;
    }
    let (made, found) = request::compile(contract, |operation| {
        let (index, _) = wanted.get(operation.id.as_str())?;
        let own = document.operations.get(&operation.id).and_then(|own| own.check_bounds.as_ref());
        Some(Wanted {
            added: taken_care_of(&operations[*index].shape),
            bounds: bounds(own, document.check_bounds.as_ref()),
        })
    });
    for finding in found {
        findings.in_schemas(contract, &finding);
    }
    let mut places = Vec::new();
    for route in &routes.list {
        if let (Some(at), Some(&(index, check))) = (route.in_contract, wanted.get(&*route.id)) {
            places.push((at, index, check));
        }
    }
    let mut made = made;
    for (at, index, check) in places {
        let checks = made[at].take().filter(|request| !request.is_empty());
        operations[index].checks =
            checks.map(|request| Box::new(Checks { request, enforced: check == Check::Enforce }));
    }
}

/// Adds checks of a share of the answers.
fn sample_answers(
    document: &model::Service,
    (contract, routes): (&Contract, &Routes),
    share: Share,
    operations: &mut [Operation],
    findings: &mut Findings,
) {
    let places: HashMap<&str, usize> =
        operations.iter().enumerate().map(|(index, operation)| (&*operation.id, index)).collect();
    let (made, found) = request::compile_answers(contract, |operation| {
        places.get(operation.id.as_str())?;
        let own = document.operations.get(&operation.id).and_then(|own| own.check_bounds.as_ref());
        Some(bounds(own, document.check_bounds.as_ref()))
    });
    for finding in found {
        findings.in_schemas(contract, &finding);
    }
    let places: Vec<(usize, usize)> = routes
        .list
        .iter()
        .filter_map(|route| Some((route.in_contract?, *places.get(&*route.id)?)))
        .collect();
    let mut made = made;
    for (at, index) in places {
        operations[index].answer_sample =
            made[at].take().map(|checks| Box::new(AnswerSample { checks, share }));
    }
}

/// Bounds of an operation, over those of its service, over the defaults.
fn bounds(own: Option<&CheckBounds>, of_service: Option<&CheckBounds>) -> Bounds {
    let none = CheckBounds::default();
    let written = own.unwrap_or(&none).or(of_service.unwrap_or(&none));
    let mut bounds = Bounds::default();
    let set = |place: &mut usize, count: Option<u64>| {
        if let Some(count) = count {
            *place = usize::try_from(count).unwrap_or(usize::MAX);
        }
    };
    let values = &mut bounds.values;
    set(&mut values.depth, written.depth.map(u64::from));
    set(&mut values.members, written.members.map(u64::from));
    set(&mut values.items, written.items.map(u64::from));
    set(&mut values.values, written.values.map(u64::from));
    set(&mut values.text_bytes, written.text_bytes.map(model::ByteSize::as_bytes));
    set(&mut values.number_bytes, written.number_bytes.map(u64::from));
    set(&mut bounds.fields, written.fields.map(u64::from));
    bounds.held_bytes = written.body_bytes.map(model::ByteSize::as_bytes);
    bounds
}

/// Names that the gateway takes from the caller or sets itself, in lower case: nobody can be asked for those.
fn taken_care_of(shape: &Shape) -> HashSet<String> {
    let set = shape.set_headers.iter().chain(&shape.set_query).map(|(name, _)| name);
    let dropped = shape.drop_headers.iter().chain(&shape.drop_query);
    set.chain(dropped).map(|name| name.to_ascii_lowercase()).collect()
}
