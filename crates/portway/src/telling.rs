//! What is told of calls, and to whom: from the settings to the parts that do it.

use std::path::Path;

use hyper::header::{HeaderName, HeaderValue};
use portway_model::{SecretRef, Traces};
use portway_proxy::Telling;
use portway_proxy::telemetry::{LogFields, Privacy, Sampling, spans};
use portway_proxy::tls::{ClientTlsFiles, ClientTlsStore};
use portway_snapshot::Secrets;

use crate::export::{Collector, Exporter, Pace};
use crate::settings::{SettingFault, Settings};

/// Where spans go where the address has no path (OTLP 1.x).
const PATH: &str = "/v1/traces";

/// What is told, and the sender of spans, if there is one.
///
/// # Errors
/// When a secret is missing or cannot be sent in a header, or a file of TLS cannot be used.
pub fn prepare(
    settings: &Settings,
    secrets: &dyn Secrets,
    directory: &Path,
) -> Result<(Telling, Option<Exporter>), SettingFault> {
    let key = match &settings.privacy.key {
        Some(reference) => Some(
            resolve(secrets, reference, "gateway.privacy.key")
                .map_err(|fault| SettingFault { pointer: "/gateway/privacy/key", ..fault })?,
        ),
        None => None,
    };
    let privacy = Privacy::new(&settings.privacy, key.as_deref()).map_err(unusable)?;
    let log_fields = LogFields::new(&settings.log_fields);
    let Some(to) = &settings.traces.to else {
        return Ok((Telling { log_fields, privacy, spans: None }, None));
    };
    let collector = collector(to, &settings.traces, secrets, directory)?;
    let (sink, batches) = spans(Sampling::new(&settings.traces));
    let exporter = Exporter::new(collector, batches, sink.tallies());
    Ok((Telling { log_fields, privacy, spans: Some(sink) }, Some(exporter)))
}

fn resolve(
    secrets: &dyn Secrets,
    reference: &SecretRef,
    field: &str,
) -> Result<String, SettingFault> {
    secrets.resolve(reference).map_err(|why| SettingFault {
        fix: "set it, or remove the field",
        ..unusable(format!("{field}: {why}"))
    })
}

fn unusable(what: String) -> SettingFault {
    SettingFault { what, fix: "", pointer: "/gateway/traces" }
}

fn collector(
    to: &str,
    traces: &Traces,
    secrets: &dyn Secrets,
    directory: &Path,
) -> Result<Collector, SettingFault> {
    let wrong = || unusable("gateway.traces.to: it is not an address of a collector".to_owned());
    let (scheme, rest) = to.split_once("://").ok_or_else(wrong)?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = if matches!(path, "" | "/") { PATH } else { path };
    if path.parse::<hyper::Uri>().is_err() {
        return Err(wrong());
    }
    let is_tls = scheme == "https";
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| wrong())?),
        _ => (authority, if is_tls { 443 } else { 80 }),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let tls = match is_tls {
        false => None,
        true => {
            let ca = traces.ca.as_ref().map(|file| directory.join(file));
            let files = ClientTlsFiles { ca, ..ClientTlsFiles::default() };
            let made = ClientTlsStore::default().client(&files, &host, false);
            Some(made.map_err(|whys| unusable(format!("gateway.traces: {}", whys.join("; "))))?)
        }
    };
    Ok(Collector {
        authority: HeaderValue::from_str(authority).map_err(|_| wrong())?,
        host,
        port,
        path: path.to_owned(),
        headers: headers(traces, secrets)?,
        tls,
        resource: resource(traces),
        pace: Pace::default(),
    })
}

fn headers(
    traces: &Traces,
    secrets: &dyn Secrets,
) -> Result<Vec<(HeaderName, HeaderValue)>, SettingFault> {
    let mut made = Vec::new();
    for (name, reference) in &traces.headers {
        let field = format!("gateway.traces.headers.{name}");
        let secret = resolve(secrets, reference, &field)?;
        // The secret itself is in no message.
        let unusable = |what: &str| unusable(format!("{field}: {what}"));
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| unusable("it is not the name of a header"))?;
        let mut value = HeaderValue::from_str(&secret)
            .map_err(|_| unusable("its value cannot be sent in a header"))?;
        value.set_sensitive(true);
        made.push((name, value));
    }
    Ok(made)
}

/// The document's attributes, and those that tell this process from others.
fn resource(traces: &Traces) -> Vec<(String, String)> {
    let own = [
        ("service.name", "portway".to_owned()),
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("service.instance.id", instance()),
    ];
    let given = traces.resource.iter().map(|(name, value)| (name.clone(), value.clone()));
    let missing = own.into_iter().filter(|(name, _)| !traces.resource.contains_key(*name));
    missing.map(|(name, value)| (name.to_owned(), value)).chain(given).collect()
}

/// What tells this process from every other: a UUID of chance (RFC 9562 §5.4).
fn instance() -> String {
    let mut bytes = [0_u8; 16];
    // Without chance it is all zeros, which tells nothing and harms nothing.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0F | 0x40;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

#[cfg(test)]
mod tests;
