//! Backends: of services, and of operations that have one of their own.

use std::collections::HashSet;

use super::Declared;
use crate::finding::Finding;
use crate::path::{child, dotted, item};
use crate::{Backend, Balance, Credentials, Document};

/// Calls a check with every backend and its pointer.
fn each(document: &Document, mut check: impl FnMut(&Backend, &str)) {
    for (name, service) in &document.services {
        let pointer = child("/services", name.as_str());
        check(&service.backend, &format!("{pointer}/backend"));
        for (operation, policy) in &service.operations {
            if let Some(backend) = &policy.backend {
                check(
                    backend,
                    &format!("{}/backend", child(&format!("{pointer}/operations"), operation)),
                );
            }
        }
    }
}

/// Some target takes calls, and none stands there twice.
pub(super) fn targets(document: &Document, _: &Declared, findings: &mut Vec<Finding>) {
    each(document, |backend, pointer| {
        // A mock has none; a backend without any was told of when its fields were looked at.
        if backend.targets.is_empty() {
            return;
        }
        if backend.targets.iter().all(|target| target.weight == 0) {
            let message = format!(
                "{}: all targets have the weight 0, so nothing can be called",
                dotted(pointer)
            );
            findings.push(
                Finding::error("no-weight", pointer, message)
                    .at_key()
                    .fix("give one of them a weight of at least 1"),
            );
        }
        let mut seen = HashSet::new();
        for target in &backend.targets {
            if !seen.insert(target.url.trim_end_matches('/')) {
                let message = format!(
                    "{}: the target \"{}\" stands there twice",
                    dotted(pointer),
                    target.url
                );
                findings.push(
                    Finding::warning("repeated-target", pointer, message)
                        .at_key()
                        .fix("write it once, with a \"weight\""),
                );
            }
        }
        if let (Balance::Hash(_), [only]) = (&backend.balance, backend.targets.as_slice())
            && !only.url.starts_with("http+srv://")
            && crate::check::host::is_fixed(&only.url)
        {
            let message = format!(
                "{}: with one address there is nothing to balance",
                dotted(&format!("{pointer}/balance"))
            );
            findings.push(
                Finding::warning("nothing-to-balance", format!("{pointer}/balance"), message)
                    .at_key()
                    .fix("remove \"balance\""),
            );
        }
    });
}

/// A mock answers from a contract, and nothing that is said of targets has a meaning for it.
pub(super) fn mocks(document: &Document, _: &Declared, findings: &mut Vec<Finding>) {
    each(document, |backend, pointer| {
        let Some(mock) = &backend.mock else { return };
        if *backend != Backend::of_mock(mock.clone()) {
            let message = format!(
                "{} is a mock and says something of targets, too, which a mock has none of",
                dotted(pointer)
            );
            findings.push(
                Finding::error("mock-with-targets", pointer, message)
                    .at_key()
                    .fix("keep \"mock\" alone, or remove it"),
            );
        }
        let service = pointer.split('/').nth(2).unwrap_or_default();
        let has_contract = document
            .services
            .iter()
            .any(|(name, known)| name.as_str() == service && known.contract.is_some());
        if !has_contract {
            let message = format!(
                "{} is a mock, and the service has no contract that answers could be made from",
                dotted(pointer)
            );
            findings.push(
                Finding::error("mock-without-contract", pointer, message)
                    .at_key()
                    .fix("add a \"contract\" with the answers, or write the address of a backend"),
            );
        }
    });
}

/// A certificate comes with its key, and TLS settings with a target that uses TLS.
pub(super) fn tls(document: &Document, _: &Declared, findings: &mut Vec<Finding>) {
    each(document, |backend, pointer| {
        let tls = &backend.tls;
        let (has, lacks) = match (&tls.cert, &tls.key) {
            (Some(_), None) => ("cert", "key"),
            (None, Some(_)) => ("key", "cert"),
            _ => ("", ""),
        };
        if !has.is_empty() {
            let message =
                format!("{} has \"{has}\" without \"{lacks}\"", dotted(&format!("{pointer}/tls")));
            findings.push(
                Finding::error("half-a-certificate", format!("{pointer}/tls"), message)
                    .at_key()
                    .fix(format!("add \"{lacks}\"")),
            );
        }
        if *tls != crate::BackendTls::default()
            && !backend.targets.iter().any(|target| target.url.starts_with("https://"))
        {
            let message = format!(
                "{} has no effect, since no target begins with https://",
                dotted(&format!("{pointer}/tls"))
            );
            findings.push(
                Finding::warning("tls-without-https", format!("{pointer}/tls"), message).at_key(),
            );
        }
    });
}

/// Checks end before the next one begins.
pub(super) fn checks(document: &Document, _: &Declared, findings: &mut Vec<Finding>) {
    each(document, |backend, pointer| {
        if let Some(active) = &backend.active
            && active.timeout > active.interval
        {
            let pointer = format!("{pointer}/active/timeout");
            let message = format!(
                "{} is {}, longer than from one check to the next ({})",
                dotted(&pointer),
                active.timeout,
                active.interval
            );
            findings.push(
                Finding::error("check-overlap", pointer, message)
                    .fix(format!("write {} or less", active.interval)),
            );
        }
    });
}

/// One header or parameter is set once.
pub(super) fn credentials(document: &Document, _: &Declared, findings: &mut Vec<Finding>) {
    each(document, |backend, pointer| {
        let mut seen = HashSet::new();
        for (index, credential) in backend.credentials.iter().enumerate() {
            let set = match credential {
                Credentials::Header { name, .. } => format!("header {}", name.to_ascii_lowercase()),
                Credentials::Query { name, .. } => format!("parameter {name}"),
                Credentials::Basic { .. } | Credentials::Bearer(_) => {
                    "header authorization".to_owned()
                }
            };
            let pointer = item(&format!("{pointer}/credentials"), index);
            if let Credentials::Header { name, .. } = credential
                && is_ours(name)
            {
                let message = format!(
                    "{}: the header \"{name}\" belongs to the connection, not to a credential",
                    dotted(&pointer)
                );
                findings.push(Finding::error(
                    "header-of-connection",
                    format!("{pointer}/header/name"),
                    message,
                ));
            }
            if !seen.insert(set.clone()) {
                let message = format!("{}: the {set} is set twice", dotted(&pointer));
                findings.push(
                    Finding::error("repeated-credential", pointer, message)
                        .at_key()
                        .fix("remove one of them"),
                );
            }
        }
    });
}

/// The header that tells of the time left is not one that means something else.
pub(super) fn deadlines(document: &Document, _: &Declared, findings: &mut Vec<Finding>) {
    const OTHERS: [&str; 6] =
        ["x-request-id", "traceparent", "tracestate", "authorization", "cookie", "grpc-timeout"];
    each(document, |backend, pointer| {
        let Some(name) = &backend.deadline_header else { return };
        let is_other = OTHERS.iter().any(|other| name.eq_ignore_ascii_case(other));
        let is_portways = name.get(..10).is_some_and(|it| it.eq_ignore_ascii_case("x-portway-"));
        if is_ours(name) || is_other || is_portways {
            let pointer = format!("{pointer}/deadline_header");
            let message =
                format!("{}: the header \"{name}\" means something else already", dotted(&pointer));
            let fix = "choose another, such as X-Request-Timeout-Ms";
            findings.push(Finding::error("header-of-connection", pointer, message).fix(fix));
        }
    });
}

/// Headers that frame a message or belong to one hop (RFC 9110 section 7.6.1): a credential there would
/// break the connection.
fn is_ours(name: &str) -> bool {
    const NAMES: [&str; 9] = [
        "host",
        "connection",
        "content-length",
        "transfer-encoding",
        "te",
        "trailer",
        "upgrade",
        "keep-alive",
        "expect",
    ];
    NAMES.iter().any(|ours| name.eq_ignore_ascii_case(ours))
}
