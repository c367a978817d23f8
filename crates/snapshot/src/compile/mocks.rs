//! The mocks of the operations of a service, from its contract.

use std::collections::HashMap;
use std::sync::Arc;

use portway_contract::mock;

use super::finding::Findings;
use super::operations::Routes;
use crate::backend::Backend;
use crate::mocks::Mocked;
use crate::snapshot::Operation;

/// Adds mocks to the operations whose backend is one. Examples that break their schema are told as warnings.
pub(super) fn compile(
    backends: &[Arc<Backend>],
    routes: &Routes,
    operations: &mut [Operation],
    findings: &mut Findings,
) {
    if backends.iter().all(|backend| backend.document.mock.is_none()) {
        return;
    }
    let Some(contract) = routes.contract.as_deref() else { return };
    let mut wanted: HashMap<Box<str>, usize> = HashMap::new();
    for (index, operation) in operations.iter().enumerate() {
        if backends[usize::from(operation.backend)].document.mock.is_some() {
            wanted.insert(operation.id.clone(), index);
        }
    }
    let (mut made, found) =
        mock::compile(contract, |operation| wanted.contains_key(&*operation.id));
    for finding in found {
        findings.in_examples(contract, &finding);
    }
    for route in &routes.list {
        let (Some(at), Some(&index)) = (route.in_contract, wanted.get(&route.id)) else { continue };
        let operation = &mut operations[index];
        let document = &backends[usize::from(operation.backend)].document;
        let (Some(mock), Some(own)) = (made[at].take(), &document.mock) else { continue };
        operation.mock = Some(Box::new(Mocked {
            mock,
            status: own.status,
            wait_ms: own.wait.map_or(0, portway_model::Duration::as_ms),
        }));
    }
}
