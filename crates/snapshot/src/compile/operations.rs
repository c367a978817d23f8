//! The routes of a service: operations of a contract, or path patterns.

use std::collections::{BTreeMap, BTreeSet};

use portway_contract::{
    Contract, Dispatch, Limits, Loader, Location, Operation, PathTemplate, Piece,
};
use portway_model as model;
use portway_model::{Balance, HashOn, LimitBy, Name, RoutePattern};

use super::finding::{Findings, closest};
use super::place;
use crate::canonical::{Canonical, canonical_path};
use crate::dispatch::Condition;
use crate::router::{MAX_PARAMETERS, MAX_SEGMENTS};

/// One operation before it is compiled.
pub(super) struct Route {
    pub(super) id: Box<str>,
    pub(super) method: Box<str>,
    pub(super) template: PathTemplate,
    /// What else must hold. Of routes with one method and shape, those come first that are tried first.
    pub(super) conditions: Vec<Condition>,
    /// The operation that all calls of this one count as, because nothing tells the two apart.
    same_as: Option<Box<str>>,
    /// Names of its query parameters, if a contract says so.
    query: Vec<Box<str>>,
    /// Its place in the contract, if there is one.
    pub(super) in_contract: Option<usize>,
}

/// All of a service.
#[derive(Default)]
pub(super) struct Routes {
    pub(super) list: Vec<Route>,
    /// Operations that exist and cannot be routed: policies may name them.
    unrouted: BTreeSet<Box<str>>,
    /// They come from a contract, so their query parameters are known.
    from_contract: bool,
    /// It, while the service is compiled.
    pub(super) contract: Option<Box<Contract>>,
    /// The contract could not be read, so nothing can be said about names.
    unknown: bool,
}

/// Reads a contract. Its diagnostics come along; what is unusable costs one operation, an unreadable
/// document costs the service.
pub(super) fn of_contract(
    service: &Name,
    name: &str,
    path: &str,
    bytes: &[u8],
    loader: &dyn Loader,
    findings: &mut Findings,
) -> Routes {
    let outcome = portway_contract::read_within(name, path, bytes, loader, &Limits::default());
    for diagnostic in outcome.diagnostics {
        findings.in_contract(diagnostic);
    }
    let Some(contract) = outcome.contract else {
        if !findings.has_errors() {
            findings.error(
                "contract-unreadable",
                place::member(&place::service(service), "contract"),
                format!("`{name}` is not an OpenAPI document"),
                "see the diagnostics of that file",
            );
        }
        return Routes { unknown: true, ..Routes::default() };
    };
    let mut routes = Routes { from_contract: true, ..Routes::default() };
    let mut routed = BTreeSet::new();
    for candidates in contract.routes.iter().map(|route| &route.candidates) {
        for &index in candidates {
            if routed.insert(index) {
                add_operation(&contract, index, &mut routes, findings);
            }
        }
    }
    for (index, operation) in contract.operations.iter().enumerate() {
        if !routed.contains(&index) {
            routes.unrouted.insert(operation.id.as_str().into());
        }
    }
    routes.contract = Some(Box::new(contract));
    if routes.list.is_empty() {
        findings.warning(
            "no-operations",
            place::member(&place::service(service), "contract"),
            format!("the contract `{name}` has no operation that can be routed, so the service answers 404 to everything"),
            "describe operations under `paths`, or use `routes` instead of a contract",
        );
    }
    routes
}

fn add_operation(contract: &Contract, index: usize, routes: &mut Routes, findings: &mut Findings) {
    let operation = &contract.operations[index];
    if let Some(why) = unusable(&operation.template) {
        findings.about_operation(
            "unroutable-path",
            contract,
            operation,
            format!(
                "the operation `{}` is left out, because its path `{}` {why}",
                operation.id, operation.path
            ),
            "change the path, or hide the operation so that this is intended",
        );
        routes.unrouted.insert(operation.id.as_str().into());
        return;
    }
    routes.list.push(Route {
        id: operation.id.as_str().into(),
        method: operation.method.as_str().into(),
        template: operation.template.clone(),
        conditions: operation
            .dispatch
            .iter()
            .map(|dispatch| condition(operation, dispatch))
            .collect(),
        same_as: operation.same_as.map(|first| contract.operations[first].id.as_str().into()),
        query: operation
            .parameters
            .iter()
            .filter(|parameter| parameter.location == Location::Query)
            .map(|parameter| parameter.name.as_str().into())
            .collect(),
        in_contract: Some(index),
    });
}

fn condition(operation: &Operation, dispatch: &Dispatch) -> Condition {
    let param = match dispatch {
        Dispatch::Path { name, .. } => {
            operation.template.parameters().position(|known| known == name)
        }
        _ => None,
    };
    // A parameter that is not there is never where a test looks, so the condition fails.
    Condition { dispatch: dispatch.clone(), param: param.unwrap_or(usize::MAX) }
}

/// Path patterns of a service without a contract.
pub(super) fn of_patterns(
    service: &Name,
    patterns: &[RoutePattern],
    findings: &mut Findings,
) -> Routes {
    let base = place::member(&place::service(service), "routes");
    let mut routes = Routes::default();
    let mut taken: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (index, pattern) in patterns.iter().enumerate() {
        let pointer = place::list(&base, index);
        let template = match PathTemplate::parse(&pattern.path) {
            Ok(template) => template,
            Err(fault) => {
                findings.error(
                    "bad-route",
                    pointer,
                    format!("`{pattern}` is not a route: {fault}"),
                    "write it like `GET /orders/{id}`, with `{rest+}` at the end for all that follows",
                );
                continue;
            }
        };
        if let Some(why) = unusable(&template).or_else(|| twice(&template)) {
            findings.error(
                "bad-route",
                pointer,
                format!("the route `{pattern}` {why}"),
                "change the path",
            );
            continue;
        }
        if let Some(first) = taken.insert((pattern.method.clone(), template.shape()), index) {
            findings.error(
                "overlapping-routes",
                pointer,
                format!(
                    "`{pattern}` takes the same calls as `{}`, the {} route of the service",
                    patterns[first],
                    ordinal(first + 1)
                ),
                "remove one of them",
            );
            continue;
        }
        routes.list.push(Route {
            id: pattern.to_string().into(),
            method: pattern.method.as_str().into(),
            template,
            conditions: Vec::new(),
            same_as: None,
            query: Vec::new(),
            in_contract: None,
        });
    }
    // Having neither routes nor a contract was told when the documents were read.
    routes.unknown = patterns.is_empty();
    routes
}

fn ordinal(number: usize) -> String {
    match (number % 10, number % 100) {
        (1, tens) if tens != 11 => format!("{number}st"),
        (2, tens) if tens != 12 => format!("{number}nd"),
        (3, tens) if tens != 13 => format!("{number}rd"),
        _ => format!("{number}th"),
    }
}

/// Why no call could match a template, or why it is more than the router takes.
fn unusable(template: &PathTemplate) -> Option<String> {
    if template.segments.len() > MAX_SEGMENTS {
        return Some(format!("has more than {MAX_SEGMENTS} segments"));
    }
    if template.parameters().count() > MAX_PARAMETERS {
        return Some(format!("has more than {MAX_PARAMETERS} parameters"));
    }
    let mut example = String::new();
    for segment in &template.segments {
        example.push('/');
        for piece in segment {
            match piece {
                Piece::Literal(text) => example.push_str(text),
                Piece::Parameter(_) => example.push('x'),
            }
        }
    }
    let mut out = String::new();
    match canonical_path(example.as_bytes(), &mut out) {
        Ok(Canonical::Same(_)) => None,
        Ok(Canonical::Rewritten(path)) => {
            Some(format!("is not in canonical form (as in `{path}`), so no call has it"))
        }
        Err(fault) => {
            Some(format!("{}, so every call to it would be refused", fault.kind.explanation()))
        }
    }
}

fn twice(template: &PathTemplate) -> Option<String> {
    let mut seen = BTreeSet::new();
    template
        .parameters()
        .find(|name| !seen.insert(*name))
        .map(|name| format!("has the parameter `{name}` twice"))
}

/// Policies name operations that exist, and parameters that the operations have.
pub(super) fn check_policies(
    service: &Name,
    document: &model::Service,
    routes: &Routes,
    findings: &mut Findings,
) {
    if routes.unknown {
        return;
    }
    let base = place::service(service);
    let by_id: BTreeMap<&str, &Route> =
        routes.list.iter().map(|route| (&*route.id, route)).collect();
    for (id, policy) in &document.operations {
        let pointer = place::member(&place::member(&base, "operations"), id);
        match by_id.get(id.as_str()) {
            Some(route) => {
                check_limits(&policy.limits, &pointer, &[route], findings);
                if let Some(backend) = &policy.backend {
                    check_balance(
                        backend,
                        &place::member(&pointer, "backend"),
                        routes,
                        &[route],
                        findings,
                    );
                }
            }
            None if routes.unrouted.contains(id.as_str()) => findings.warning(
                "operation-not-routed",
                pointer,
                format!(
                    "the operation `{id}` exists but cannot be called, so its policy does nothing"
                ),
                "see why it cannot be routed, or remove the policy",
            ),
            None if routes.from_contract => unknown_operation(id, pointer, &by_id, findings),
            // Told when the documents were read.
            None => {}
        }
    }
    for route in &routes.list {
        if let Some(first) = &route.same_as {
            check_same(&base, document, &route.id, first, findings);
        }
    }
    let all: Vec<&Route> = routes.list.iter().collect();
    check_limits(&document.limits, &base, &all, findings);
    check_balance(&document.backend, &place::member(&base, "backend"), routes, &all, findings);
}

/// Nothing tells calls of `later` from those of `first`, so all are judged as `first`: what is said of the
/// two must be the same, or a call would be let in by the rules of the wrong one.
fn check_same(
    base: &str,
    document: &model::Service,
    later: &str,
    first: &str,
    findings: &mut Findings,
) {
    let said_of = |id: &str| document.operations.get(id);
    let nothing = model::OperationPolicy::default();
    if said_of(later).unwrap_or(&nothing) == said_of(first).unwrap_or(&nothing) {
        return;
    }
    let at = if said_of(later).is_some() { later } else { first };
    findings.error(
        "same-route",
        place::member(&place::member(base, "operations"), at),
        format!(
            "nothing tells calls of `{later}` from those of `{first}`: every call is judged as `{first}`, and what is said of the two differs"
        ),
        format!(
            "say the same of `{first}` and `{later}`, or tell them apart in the contract: by another path, or by a `pattern`, `format` or required parameter that only one has"
        ),
    );
}

fn unknown_operation(
    id: &str,
    pointer: String,
    by_id: &BTreeMap<&str, &Route>,
    findings: &mut Findings,
) {
    let fix = match closest(id, by_id.keys().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            "use an `operationId` of the contract; `portway contract FILE` lists them".to_owned()
        }
    };
    findings.error(
        "unknown-operation",
        pointer,
        format!("the contract has no operation `{id}`"),
        fix,
    );
}

fn check_limits(
    limits: &[model::Limit],
    pointer: &str,
    routes: &[&Route],
    findings: &mut Findings,
) {
    for (index, limit) in limits.iter().enumerate() {
        if let LimitBy::Path(name) = &limit.by
            && !routes.iter().any(|route| route.template.parameters().any(|known| known == name))
        {
            findings.warning(
                "unknown-parameter",
                place::list(&place::member(pointer, "limits"), index),
                format!("the limit counts per path parameter `{name}`, which no path has, so all calls count together"),
                did_you_mean(name, routes),
            );
        }
    }
}

fn check_balance(
    backend: &model::Backend,
    pointer: &str,
    routes: &Routes,
    of: &[&Route],
    findings: &mut Findings,
) {
    let Balance::Hash(HashOn::Parameter(name)) = &backend.balance else { return };
    let has = |route: &&Route| {
        route.template.parameters().any(|known| known == name)
            || route.query.iter().any(|known| **known == **name)
    };
    // Without a contract nobody knows which parameters the query may have.
    if routes.from_contract && !of.iter().any(has) {
        findings.warning(
            "unknown-parameter",
            place::member(pointer, "balance"),
            format!("targets are chosen by the parameter `{name}`, which no operation has, so all calls go to one"),
            did_you_mean(name, of),
        );
    }
}

fn did_you_mean(name: &str, routes: &[&Route]) -> String {
    let known = routes.iter().flat_map(|route| {
        route.template.parameters().chain(route.query.iter().map(|name| &**name))
    });
    match closest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "use a parameter that the operations have".to_owned(),
    }
}
