//! Telemetry: fields of the log that there are not or must not be, and what the settings of traces cannot do.

use super::Declared;
use crate::finding::Finding;
use crate::log_fields::{LOG_FIELDS, LogField, carries_credentials};
use crate::path::{child, dotted, item};
use crate::{AppShown, Auth, AuthKind, ClientShown, Document, Privacy, Traces};

/// The most fields of a line that are headers or parameters.
const CHOSEN_MAX: usize = 32;
/// The most header fields for a collector, and the most attributes of the resource.
const EXTRAS_MAX: usize = 32;
/// Fields in which proxies pass the address of a caller on.
const ADDRESS_FIELDS: &[&str] = &[
    "forwarded",
    "x-forwarded-for",
    "x-real-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "x-client-ip",
];

/// Fields that are asked for exist, stand there once, and carry no credentials.
pub(super) fn log_fields(document: &Document, _: &Declared, findings: &mut Vec<Finding>) {
    let Some(gateway) = &document.gateway else { return };
    let mut seen: Vec<String> = Vec::new();
    let mut chosen = 0;
    // One beyond what there can be is enough to say so, and bounds what is compared.
    for (index, text) in
        gateway.log.fields.iter().take(LOG_FIELDS.len() + CHOSEN_MAX + 1).enumerate()
    {
        let pointer = item("/gateway/log/fields", index);
        let Some(field) = LogField::parse(text) else {
            findings.push(unknown_field(text, &pointer));
            continue;
        };
        let lower = text.to_ascii_lowercase();
        if seen.contains(&lower) {
            let message = format!("{}: \"{text}\" stands there twice", dotted(&pointer));
            findings.push(
                Finding::error("log-field-twice", &pointer, message).fix("remove one of them"),
            );
        }
        seen.push(lower);
        if let LogField::Header(name) | LogField::Query(name) | LogField::Answer(name) = field {
            chosen += 1;
            let is_key = keys_are_in(document, name);
            if is_key || carries_credentials(name) {
                let why = if is_key { "carries keys of callers" } else { "may carry credentials" };
                let message =
                    format!("{}: {name} {why}, which must not be in a log", dotted(&pointer));
                findings.push(
                    Finding::error("log-field-secret", &pointer, message)
                        .fix("remove it; \"app\" says who called"),
                );
            }
            let hides = gateway.privacy.client != ClientShown::Full;
            if hides && ADDRESS_FIELDS.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                let message = format!(
                    "{}: {name} shows addresses that \"privacy.client\" hides",
                    dotted(&pointer)
                );
                findings.push(
                    Finding::error("log-field-secret", &pointer, message)
                        .fix("remove it, or write \"client: full\""),
                );
            }
        }
    }
    if chosen > CHOSEN_MAX {
        let message = format!("gateway.log.fields: more than {CHOSEN_MAX} headers and parameters");
        findings.push(Finding::error("too-many-log-fields", "/gateway/log/fields", message));
    }
}

fn unknown_field(text: &str, pointer: &str) -> Finding {
    let message = format!("{}: there is no field \"{}\"", dotted(pointer), text.escape_debug());
    let found = Finding::error("unknown-log-field", pointer, message)
        .did_you_mean(text, LOG_FIELDS.iter().copied());
    if found.fix.is_empty() {
        return found.fix("write a field of docs/log.md, or header:NAME, query:NAME, answer:NAME with a plain name");
    }
    found
}

/// Whether some service takes keys from a header or parameter of this name.
fn keys_are_in(document: &Document, name: &str) -> bool {
    let of_operations = |service: &crate::Service| {
        service.operations.values().filter_map(|own| own.auth.clone()).collect::<Vec<_>>()
    };
    let mut all = document
        .services
        .values()
        .flat_map(|service| std::iter::once(service.auth.clone()).chain(of_operations(service)));
    all.any(|auth| match &auth {
        Auth::Public => false,
        Auth::AnyOf(kinds) => kinds.iter().any(|kind| match kind {
            AuthKind::Key(key) => [&key.header, &key.query]
                .into_iter()
                .flatten()
                .any(|known| known.eq_ignore_ascii_case(name)),
            AuthKind::Hmac(_) | AuthKind::Signature(_) | AuthKind::Mtls(_) => false,
        }),
    })
}

/// A key without anything that it hashes is a slip.
pub(super) fn privacy(document: &Document, _: &Declared, findings: &mut Vec<Finding>) {
    let Some(gateway) = &document.gateway else { return };
    let Privacy { client, app, key, .. } = &gateway.privacy;
    if key.is_some() && *client != ClientShown::Hash && *app != AppShown::Hash {
        let message = "gateway.privacy.key: nothing is hashed with it";
        findings.push(
            Finding::warning("idle-key", "/gateway/privacy/key", message)
                .fix("write \"client: hash\" or \"app: hash\", or remove it"),
        );
    }
}

/// Settings of traces without a collector do nothing; header fields must be ones that can be sent.
pub(super) fn traces(document: &Document, _: &Declared, findings: &mut Vec<Finding>) {
    let Some(gateway) = &document.gateway else { return };
    let traces = &gateway.traces;
    if traces.to.is_none() && *traces != Traces::default() {
        findings.push(
            Finding::error(
                "traces-to-nowhere",
                "/gateway/traces",
                "gateway.traces: it has no \"to\", so no span is sent anywhere",
            )
            .fix("write the address of the collector: \"to: http://127.0.0.1:4318\""),
        );
    }
    for name in traces.headers.keys() {
        let pointer = child("/gateway/traces/headers", name);
        let lower = name.to_ascii_lowercase();
        let is_ours = matches!(
            &*lower,
            "host"
                | "content-length"
                | "content-type"
                | "content-encoding"
                | "transfer-encoding"
                | "connection"
                | "user-agent"
                | "te"
                | "upgrade"
                | "expect"
        );
        if is_ours || !crate::text::is_token(name) {
            let why =
                if is_ours { "Portway writes it itself" } else { "it is not the name of a header" };
            let message = format!("{}: {why}", dotted(&pointer));
            findings.push(
                Finding::error("collector-header", &pointer, message).at_key().fix("remove it"),
            );
        }
    }
    for (name, value) in &traces.resource {
        let is_fine = (1..=128).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_graphic())
            && value.len() <= 256
            && !value.chars().any(char::is_control);
        if !is_fine {
            let pointer = child("/gateway/traces/resource", name);
            let message = format!(
                "{}: a name has 1–128 visible ASCII characters, a value at most 256 bytes on one line",
                dotted(&pointer)
            );
            findings.push(Finding::error("resource-attribute", pointer, message).at_key());
        }
    }
    for (what, count) in [("headers", traces.headers.len()), ("resource", traces.resource.len())] {
        if count > EXTRAS_MAX {
            let message = format!("gateway.traces.{what}: more than {EXTRAS_MAX}");
            findings.push(Finding::error(
                "too-many-fields",
                format!("/gateway/traces/{what}"),
                message,
            ));
        }
    }
}
