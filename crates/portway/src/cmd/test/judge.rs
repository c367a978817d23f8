//! What came of a call beside what was expected.

use portway_model::{Expected, ExpectedField};

use super::Difference;
use crate::explain::edits::{HIDDEN, Request};
use crate::explain::walk::Walk;

/// What is not as expected. `request` is what the backend gets, with its credentials, which are compared and not shown.
/// `place` says where a member of the case stands.
pub(super) fn differences(
    expected: &Expected,
    walk: &Walk,
    request: Option<&Request>,
    place: &dyn Fn(&str) -> String,
) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut compare = |what: &str, expected: Option<String>, got: String| {
        if let Some(expected) = expected.filter(|expected| *expected != got) {
            let place = place(&format!("/expect/{what}"));
            found.push(Difference { place, what: what.to_owned(), expected, got });
        }
    };
    let route = walk.explanation.route.as_ref();
    let chosen = walk.explanation.services.iter().find(|service| service.chosen);
    let nothing = || "none".to_owned();
    let decided = if walk.status.is_some() {
        format!("{} ({})", walk.decision, walk.why)
    } else {
        walk.decision.clone()
    };
    if let Some(decision) = &expected.decision
        && *decision != walk.decision
    {
        compare("decision", Some(decision.clone()), decided);
    }
    let status = walk.status.map_or_else(nothing, |status| status.to_string());
    compare("status", expected.status.map(|status| status.to_string()), status);
    let service = route.map(|route| route.service.clone());
    let service = service.or_else(|| chosen.map(|service| service.name.clone()));
    compare("service", expected.service.clone(), service.unwrap_or_else(nothing));
    let operation = route.map_or_else(nothing, |route| route.operation.clone());
    compare("operation", expected.operation.clone(), operation);
    let app = walk.caller.as_ref().and_then(|caller| caller.app.clone());
    compare("app", expected.app.clone(), app.unwrap_or_else(nothing));
    if let Some(problems) = &expected.problems {
        let got = walk.problems.iter();
        let got = got.map(|one| format!("{}:{} {}", one.place, one.name, one.rule));
        compare("problems", Some(sorted(problems.iter().cloned())), sorted(got));
    }
    if let Some(backend) = &expected.backend {
        match request {
            None => {
                compare("backend", Some("a request to the backend".to_owned()), decided_of(walk))
            }
            Some(request) => {
                // Without the credentials that the gateway adds to a query.
                let shown = walk.request.as_ref().map_or("", |shown| &shown.target);
                let (path, query) = shown.split_once('?').unwrap_or((shown, ""));
                compare("backend/path", backend.path.clone(), path.to_owned());
                compare("backend/query", backend.query.clone(), query.to_owned());
                for (name, field) in &backend.headers {
                    let (wanted, got) = field_difference(name, field, request, walk);
                    compare(
                        &format!("backend/headers/{}", name.replace('~', "~0").replace('/', "~1")),
                        wanted,
                        got,
                    );
                }
            }
        }
    }
    found
}

fn decided_of(walk: &Walk) -> String {
    format!("{} ({})", walk.decision, walk.why)
}

/// What was wanted of a header field, if it is not so, and what there is.
fn field_difference(
    name: &str,
    field: &ExpectedField,
    request: &Request,
    walk: &Walk,
) -> (Option<String>, String) {
    let values: Vec<&str> = request.values(name).collect();
    let hidden =
        walk.request.as_ref().is_some_and(|shown| shown.values(name).any(|value| value == HIDDEN));
    let got = match (values.is_empty(), hidden) {
        (true, _) => "absent".to_owned(),
        (false, true) => "another value, which is a credential and not shown".to_owned(),
        (false, false) => values.join(", "),
    };
    match field {
        ExpectedField::Present(true) if values.is_empty() => (Some("present".to_owned()), got),
        ExpectedField::Present(false) if !values.is_empty() => {
            let got = if hidden { "present".to_owned() } else { got };
            (Some("absent".to_owned()), got)
        }
        ExpectedField::Value(value) if values != [value.as_str()] => (Some(value.clone()), got),
        ExpectedField::Present(_) | ExpectedField::Value(_) => (None, got),
    }
}

fn sorted(list: impl Iterator<Item = String>) -> String {
    let mut list: Vec<String> = list.collect();
    list.sort();
    list.dedup();
    if list.is_empty() { "none".to_owned() } else { list.join(", ") }
}
