//! What services do to each other: two of them may not have one host and prefix.

use std::collections::BTreeMap;

use portway_model::{Document, Location, Name};

use super::finding::Findings;
use super::{place, service};

/// Every two services that would take each other's calls. Of three that collide, each of the later two is
/// told about the first.
pub(super) fn check(
    document: &Document,
    locate: &dyn Fn(&str) -> Location,
    findings: &mut Findings,
) {
    let mut first: BTreeMap<(Box<str>, Box<str>), &Name> = BTreeMap::new();
    for (name, written) in &document.services {
        // Their own mistakes were told when they were compiled.
        let mut told = Findings::default();
        let prefix = service::prefix(name, written, &mut told);
        let mut hosts = service::hosts(name, written, &mut told);
        if told.has_errors() {
            continue;
        }
        if hosts.is_empty() {
            hosts.push(Box::from(""));
        }
        for host in hosts {
            let Some(other) = first.get(&(host.clone(), prefix.clone())) else {
                first.insert((host, prefix.clone()), name);
                continue;
            };
            let place = locate(&place::service(other));
            let shown_host =
                if host.is_empty() { "every host".to_owned() } else { format!("host `{host}`") };
            let shown_path = if prefix.is_empty() { "/" } else { &*prefix };
            findings.error(
                "overlapping-services",
                place::service(name),
                format!("the services `{name}` and `{other}` ({place}) both have the path `{shown_path}` on {shown_host}"),
                "give one of them another `path`, or other `hosts`",
            );
            break;
        }
    }
}
