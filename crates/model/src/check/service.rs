//! Services: routes, hosts, auth, cross-origin calls, limits.

use std::collections::HashSet;

use super::Declared;
use crate::finding::Finding;
use crate::path::{child, dotted, item};
use crate::{Auth, AuthKind, Check, Document, Limit, Service};

/// A service has either a contract or routes; its operations are among the routes.
pub(super) fn routes(document: &Document, _: &Declared, findings: &mut Vec<Finding>) {
    for (name, service) in &document.services {
        let pointer = child("/services", name.as_str());
        match (&service.contract, service.routes.is_empty()) {
            (Some(_), false) => {
                let message = format!("{} has both \"contract\" and \"routes\"", dotted(&pointer));
                let fix = "keep one of them: with a contract, its operations are the routes";
                findings.push(
                    Finding::error("contract-and-routes", format!("{pointer}/routes"), message)
                        .at_key()
                        .fix(fix),
                );
            }
            (None, true) => {
                let message = format!(
                    "{} has neither \"contract\" nor \"routes\", so nothing can be called",
                    dotted(&pointer)
                );
                let fix = "add \"contract: FILE\", or \"routes: [ '* /{rest+}' ]\" for an application without a contract";
                findings.push(Finding::error("no-routes", pointer, message).at_key().fix(fix));
                continue;
            }
            _ => {}
        }
        let mut seen = HashSet::new();
        for (index, route) in service.routes.iter().enumerate() {
            if !seen.insert(route) {
                let pointer = item(&format!("{pointer}/routes"), index);
                let message = format!("{}: \"{route}\" stands in the list twice", dotted(&pointer));
                findings.push(
                    Finding::error("repeated-route", pointer, message).fix("remove one of them"),
                );
            }
        }
        if service.contract.is_none() {
            check_without_contract(service, &pointer, findings);
            let known: Vec<String> = service.routes.iter().map(ToString::to_string).collect();
            let known: HashSet<&str> = known.iter().map(String::as_str).collect();
            for operation in
                service.operations.keys().filter(|operation| !known.contains(operation.as_str()))
            {
                let pointer = child(&format!("{pointer}/operations"), operation);
                let message = format!("{} is none of the routes of the service", dotted(&pointer));
                let finding = Finding::error("unknown-operation", pointer, message).at_key();
                findings.push(
                    finding
                        .fix("write it exactly as in \"routes\"")
                        .did_you_mean(operation, known.iter().copied()),
                );
            }
        }
    }
}

/// Without a contract nobody knows what to check.
fn check_without_contract(service: &Service, pointer: &str, findings: &mut Vec<Finding>) {
    let of_operations = service
        .operations
        .iter()
        .map(|(id, policy)| (child(&format!("{pointer}/operations"), id), policy.check));
    let of_operation = |policy: &crate::OperationPolicy| policy.requests.is_some();
    if service.requests.is_some() || service.operations.values().any(of_operation) {
        return;
    }
    for (pointer, check) in
        std::iter::once((pointer.to_owned(), service.check)).chain(of_operations)
    {
        if check.is_some_and(|check| check != Check::Off) {
            let message = format!(
                "{} has \"check\" but the service has neither a contract nor \"requests\", so nothing is checked",
                dotted(&pointer)
            );
            findings.push(
                Finding::warning("check-without-contract", format!("{pointer}/check"), message)
                    .at_key()
                    .fix("add \"contract: FILE\" or \"requests\", or remove \"check\""),
            );
        }
    }
}

/// A host stands in the list of a service once.
pub(super) fn hosts(document: &Document, _: &Declared, findings: &mut Vec<Finding>) {
    for (name, service) in &document.services {
        let mut seen = HashSet::new();
        for (index, host) in service.hosts.iter().enumerate() {
            if !seen.insert(host.trim_end_matches('.').to_ascii_lowercase()) {
                let pointer = item(&format!("{}/hosts", child("/services", name.as_str())), index);
                let message = format!("{}: \"{host}\" stands in the list twice", dotted(&pointer));
                findings.push(
                    Finding::warning("repeated-host", pointer, message).fix("remove one of them"),
                );
            }
        }
    }
}

/// Every kind of auth stands there once and can be met by somebody.
pub(super) fn auth(document: &Document, _: &Declared, findings: &mut Vec<Finding>) {
    for (name, service) in &document.services {
        let pointer = child("/services", name.as_str());
        one_auth(&service.auth, &format!("{pointer}/auth"), findings);
        for (operation, policy) in &service.operations {
            if let Some(auth) = &policy.auth {
                one_auth(
                    auth,
                    &format!("{}/auth", child(&format!("{pointer}/operations"), operation)),
                    findings,
                );
            }
        }
    }
}

/// Certificates are shown where a listener asks for them.
pub(super) fn mtls(document: &Document, _: &Declared, findings: &mut Vec<Finding>) {
    let listeners = document.gateway.iter().flat_map(|gateway| &gateway.listen);
    let mut tls = listeners.filter_map(|listener| listener.tls.as_ref());
    if tls.any(|tls| tls.clients.is_some()) {
        return;
    }
    for (name, service) in &document.services {
        let base = child("/services", name.as_str());
        let of_operations = service.operations.iter().filter_map(|(id, policy)| {
            let pointer = format!("{}/auth", child(&format!("{base}/operations"), id));
            Some((policy.auth.as_ref()?, pointer))
        });
        let all = std::iter::once((&service.auth, format!("{base}/auth"))).chain(of_operations);
        for (auth, pointer) in all {
            let Auth::AnyOf(kinds) = auth else { continue };
            let at = kinds.iter().position(|kind| matches!(kind, AuthKind::Mtls(_)));
            let Some(at) = at else { continue };
            let pointer = item(&pointer, at);
            let message =
                format!("{}: no listener asks callers for a certificate", dotted(&pointer));
            findings.push(
                Finding::error("mtls-without-clients", pointer, message)
                    .fix("add \"clients: { ca: FILE }\" to the \"tls\" of a listener"),
            );
        }
    }
}

/// Nonces are remembered for an hour.
const MAX_AGE_MS: u64 = 30 * 60_000;

fn one_auth(auth: &Auth, pointer: &str, findings: &mut Vec<Finding>) {
    let Auth::AnyOf(kinds) = auth else { return };
    let mut seen = HashSet::new();
    for (index, kind) in kinds.iter().enumerate() {
        let pointer = item(pointer, index);
        if let AuthKind::Key(key) = kind
            && key.header.is_none()
            && key.query.is_none()
            && !key.bearer
        {
            let message =
                format!("{}: a key is looked for nowhere, so nobody could call", dotted(&pointer));
            findings.push(
                Finding::error("key-nowhere", &pointer, message)
                    .fix("set \"header\", \"query\" or \"bearer\""),
            );
        }
        if let AuthKind::Signature(signature) = kind
            && let Some(age) = signature.max_age
            && !(1_000..=MAX_AGE_MS).contains(&age.as_ms())
        {
            let pointer = format!("{pointer}/signature/max_age");
            let message = format!("{}: a signature is good for 1s to 30m", dotted(&pointer));
            findings.push(
                Finding::error("max-age", &pointer, message).fix(
                    "choose less, so that nonces are remembered longer than signatures are good",
                ),
            );
        }
        let is_same_kind =
            |known: &AuthKind| std::mem::discriminant(known) == std::mem::discriminant(kind);
        if !matches!(kind, AuthKind::Key(_)) && kinds[..index].iter().any(is_same_kind) {
            let message = format!(
                "{}: this kind stands in the list twice, and an operation takes one form of it",
                dotted(&pointer)
            );
            let fix = "remove one of them; operations can have an \"auth\" of their own";
            findings.push(Finding::error("repeated-auth", &pointer, message).fix(fix));
        } else if !seen.insert(kind) {
            let message = format!("{} stands in the list twice", dotted(&pointer));
            findings.push(
                Finding::warning("repeated-auth", &pointer, message).fix("remove one of them"),
            );
        }
    }
}

/// Credentials and "every origin" do not go together: browsers refuse it, and rightly.
pub(super) fn cors(document: &Document, _: &Declared, findings: &mut Vec<Finding>) {
    for (name, service) in &document.services {
        let Some(cors) = &service.cors else { continue };
        let pointer = format!("{}/cors", child("/services", name.as_str()));
        if cors.credentials && cors.origins.iter().any(|origin| origin == "*") {
            let message = format!(
                "{}: with the origin \"*\", any page could call with the credentials of who looks at it",
                dotted(&pointer)
            );
            let fix = "name the origins, or remove \"credentials\"";
            findings.push(
                Finding::error("cors-credentials", format!("{pointer}/credentials"), message)
                    .fix(fix),
            );
        }
        if cors.origins.len() > 1 && cors.origins.iter().any(|origin| origin == "*") {
            let message = format!(
                "{}: beside \"*\", the other origins say nothing",
                dotted(&format!("{pointer}/origins"))
            );
            findings.push(
                Finding::warning("cors-origins", format!("{pointer}/origins"), message)
                    .fix("keep \"*\", or the others"),
            );
        }
    }
}

/// The same limit twice is a slip.
pub(super) fn limits(document: &Document, _: &Declared, findings: &mut Vec<Finding>) {
    for (name, service) in &document.services {
        let pointer = child("/services", name.as_str());
        repeated_limits(&service.limits, &format!("{pointer}/limits"), findings);
        for (operation, policy) in &service.operations {
            let pointer = child(&format!("{pointer}/operations"), operation);
            repeated_limits(&policy.limits, &format!("{pointer}/limits"), findings);
        }
    }
}

/// Two limits of one list that count the same for the same time: the tighter one makes the other idle.
pub(super) fn repeated_limits(limits: &[Limit], pointer: &str, findings: &mut Vec<Finding>) {
    let mut seen = HashSet::new();
    for (index, limit) in limits.iter().enumerate() {
        if !seen.insert((limit.period, &limit.by)) {
            let pointer = item(pointer, index);
            let message = format!(
                "{}: \"{limit}\" counts the same as one before it, so only the tighter one has an effect",
                dotted(&pointer)
            );
            findings.push(
                Finding::warning("repeated-limit", pointer, message).fix("remove one of them"),
            );
        }
    }
}
