//! Backends that are this gateway's own admin listener: a route there would open it to callers, who cannot reach it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use portway_model::Gateway;

use super::finding::Findings;
use super::place;
use crate::backend::Target;
use crate::snapshot::Service;

/// Finds them among targets whose addresses are written down; what names lead to is looked at when they are looked up.
pub(super) fn check(services: &[Arc<Service>], gateway: &Gateway, findings: &mut Findings) {
    let Ok(admin) = gateway.admin.parse::<SocketAddr>() else { return };
    for service in services {
        for backend in &service.backends {
            for target in backend.targets.iter().filter(|target| is_admin(target, admin)) {
                let service_at = place::service(&service.name);
                let at = match backend.key.split_once('/') {
                    None => service_at,
                    Some((_, operation)) => {
                        place::member(&format!("{service_at}/operations"), operation)
                    }
                };
                findings.error(
                    "own-admin-address",
                    place::member(&at, "backend"),
                    format!("`{}` is the admin listener of this gateway, which a route would open to callers", target.host_header),
                    "name another backend; what the admin listener tells can be asked of it directly (`gateway.admin`)",
                );
            }
        }
    }
}

fn is_admin(target: &Target, admin: SocketAddr) -> bool {
    if target.srv || target.port != admin.port() {
        return false;
    }
    let host = target.host.trim_end_matches('.').to_ascii_lowercase();
    if host == "localhost" || host.ends_with(".localhost") {
        return admin.ip().is_loopback() || admin.ip().is_unspecified();
    }
    let Ok(ip) = host.parse::<IpAddr>() else { return false };
    let (ip, own) = (ip.to_canonical(), admin.ip().to_canonical());
    // The unspecified address means this machine on either side.
    let is_here = |ip: IpAddr| ip.is_loopback() || ip.is_unspecified();
    ip == own || (is_here(ip) && is_here(own))
}

#[cfg(test)]
mod tests;
