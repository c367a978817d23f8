//! Settings of the process that contradict each other.

use std::collections::HashMap;

use super::Declared;
use crate::finding::Finding;
use crate::path::{dotted, item};
use crate::{Bounds, Document};

/// No two listeners want the same address.
pub(super) fn listeners(document: &Document, _: &Declared, findings: &mut Vec<Finding>) {
    let Some(gateway) = &document.gateway else { return };
    let mut seen: HashMap<&str, String> = HashMap::new();
    for (index, listener) in gateway.listen.iter().enumerate() {
        let pointer = item("/gateway/listen", index);
        // Port 0 takes any free port, each time another.
        let is_any = listener.address.ends_with(":0");
        if let Some(first) = seen.get(listener.address.as_str()).filter(|_| !is_any) {
            let message = format!(
                "{}: \"{}\" is taken by {} already",
                dotted(&pointer),
                listener.address,
                dotted(first)
            );
            findings
                .push(Finding::error("address-taken", &pointer, message).fix("use another port"));
        }
        if listener.proxy_protocol && gateway.trusted_proxies.is_empty() {
            let message = format!(
                "{}: the PROXY protocol is believed only from \"trusted_proxies\", and there are none",
                dotted(&pointer)
            );
            let fix = "add the addresses of the proxies in front to \"trusted_proxies\"";
            findings.push(
                Finding::error("proxy-without-trust", format!("{pointer}/proxy_protocol"), message)
                    .fix(fix),
            );
        }
        seen.insert(&listener.address, pointer);
    }
    if let Some(first) = seen.get(gateway.admin.as_str()).filter(|_| !gateway.admin.ends_with(":0"))
    {
        let message =
            format!("gateway.admin: \"{}\" is taken by {} already", gateway.admin, dotted(first));
        findings.push(
            Finding::error("address-taken", "/gateway/admin", message).fix("use another port"),
        );
    }
}

/// Bounds that could never be reached because another one is tighter.
pub(super) fn bounds(document: &Document, _: &Declared, findings: &mut Vec<Finding>) {
    let Some(bounds) = document.gateway.as_ref().map(|gateway| &gateway.bounds) else { return };
    let defaults = Bounds::default();
    let mut tell = |name: &str, message: String| {
        findings.push(Finding::warning(
            "bound-never-reached",
            format!("/gateway/bounds/{name}"),
            message,
        ));
    };
    if bounds.target_bytes > bounds.head_bytes {
        let name = if bounds.target_bytes == defaults.target_bytes {
            "head_bytes"
        } else {
            "target_bytes"
        };
        let message = format!(
            "gateway.bounds: target_bytes ({}) is above head_bytes ({}), which ends the call first",
            bounds.target_bytes, bounds.head_bytes
        );
        tell(name, message);
    }
    if bounds.connections_per_address > bounds.connections {
        let name = if bounds.connections == defaults.connections {
            "connections_per_address"
        } else {
            "connections"
        };
        let message = format!(
            "gateway.bounds: connections_per_address ({}) is above connections ({})",
            bounds.connections_per_address, bounds.connections
        );
        tell(name, message);
    }
}
