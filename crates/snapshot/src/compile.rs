//! `compile`: documents in, a snapshot or the list of all that is wrong with them out.
//!
//! A list of passes, each of which adds what it finds; nothing stops at the first mistake. It is a pure
//! function: contracts come through [`Files`], secrets through [`Secrets`], and the same input gives the
//! same snapshot. A service whose document, files and secrets are what they were is taken over from the
//! previous snapshot; the others are compiled each on its own, on all cores when there are many.
//!
//! Assumes documents that have the right shape and small values that are right in themselves (checked
//! when they were read). Left to others: reading files, watching them, swapping snapshots.

mod apps;
mod between;
mod checks;
mod finding;
mod hash;
mod mocks;
mod operations;
mod own;
mod place;
mod requests;
mod service;
mod sources;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ipnet::IpNet;
use portway_contract::Loader;
use portway_model::{AppKey, Diagnostic, Documents, Gateway, SecretRef};
use portway_policy::MemoryKeys;

use crate::hosts::Hosts;
use crate::snapshot::{Service, Snapshot};
use finding::Findings;
use service::Job;

pub(crate) use service::Origin;

/// The files that documents name: contracts and what they refer to. Paths are relative to the folder of the
/// first document.
pub trait Files: Loader + Sync {
    /// A number that is another one when the file's content is another one; `None` if there is no such file.
    /// Cheap: time and size do.
    fn fingerprint(&self, path: &str) -> Option<u64>;
}

/// The secrets that documents refer to. Files that are not absolute are relative to the folder of the first
/// document.
pub trait Secrets {
    /// The secret itself.
    ///
    /// # Errors
    /// Why it cannot be had, with the name of the variable or file and without its value.
    fn resolve(&self, reference: &SecretRef) -> Result<String, String>;

    /// The text of a key that is to be read; `None` where documents are judged without what they refer to.
    ///
    /// # Errors
    /// As for [`Secrets::resolve`].
    fn key_text(&self, reference: &SecretRef) -> Result<Option<String>, String> {
        self.resolve(reference).map(Some)
    }

    /// The secret of a key pair that callers sign with.
    ///
    /// # Errors
    /// As for [`Secrets::resolve`].
    fn signing_secret(&self, reference: &SecretRef) -> Result<String, String> {
        self.resolve(reference)
    }

    /// SHA-256 of an app's key.
    ///
    /// # Errors
    /// As for [`Secrets::resolve`].
    fn key_sha256(&self, key: &AppKey) -> Result<[u8; 32], String>;

    /// Why a key that can be had is a weak one, in words that continue "the key …". Nothing is known of those
    /// that are given as hashes.
    fn weakness(&self, _key: &AppKey) -> Option<String> {
        None
    }
}

/// What documents were compiled to.
#[derive(Debug)]
pub struct Compiled {
    /// What the gateway runs.
    pub snapshot: Snapshot,
    /// The keys of all apps.
    pub keys: MemoryKeys,
    /// Services that were compiled anew; the others were taken over from the previous snapshot.
    pub compiled_anew: usize,
}

/// Compiles documents. Without errors among the diagnostics there is a snapshot, and only then.
pub fn compile(
    documents: &Documents,
    files: &dyn Files,
    secrets: &dyn Secrets,
    previous: Option<&Snapshot>,
) -> (Option<Compiled>, Vec<Diagnostic>) {
    let Documents { document, sources } = documents;
    let locate = |pointer: &str| sources.locate(pointer);
    let file_of = |pointer: &str| sources.file_of(pointer);
    let mut findings = Findings::default();
    let gateway = document.gateway.clone().unwrap_or_default();
    let trusted_proxies = trusted_proxies(&gateway, &mut findings);
    let jobs = service::jobs(document, &gateway, &file_of, secrets);
    let (services, compiled_anew) = compile_services(&jobs, files, previous, &mut findings);
    between::check(document, &locate, &mut findings);
    own::check(&services, &gateway, &mut findings);
    let keys = apps::compile(document, &locate, secrets, &mut findings);
    let diagnostics = findings.located(&locate);
    if diagnostics.iter().any(|diagnostic| diagnostic.severity == portway_model::Severity::Error) {
        return (None, diagnostics);
    }
    let hash = hash::of(document, &gateway, &services);
    let hosts = Hosts::build(services.iter().map(|service| (&service.hosts[..], &*service.prefix)));
    let snapshot = Snapshot { hash, services, trusted_proxies, bounds: gateway.bounds, hosts };
    (Some(Compiled { snapshot, keys, compiled_anew }), diagnostics)
}

/// Addresses of proxies, alone or as networks.
fn trusted_proxies(gateway: &Gateway, findings: &mut Findings) -> Vec<IpNet> {
    let mut networks = Vec::with_capacity(gateway.trusted_proxies.len());
    for (index, text) in gateway.trusted_proxies.iter().enumerate() {
        match text.parse::<IpNet>().or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from)) {
            Ok(network) => networks.push(network),
            Err(_) => findings.error(
                "not-a-network",
                place::list("/gateway/trusted_proxies", index),
                format!("`{text}` is neither an IP address nor a network"),
                "write an address such as `10.0.0.1` or a network such as `10.0.0.0/8`",
            ),
        }
    }
    networks
}

/// Takes over what has not changed and compiles the rest. Also says how many were compiled.
fn compile_services(
    jobs: &[Job<'_>],
    files: &dyn Files,
    previous: Option<&Snapshot>,
    findings: &mut Findings,
) -> (Vec<Arc<Service>>, usize) {
    let kept: Vec<Option<Arc<Service>>> =
        jobs.iter().map(|job| job.unchanged(previous?, files)).collect();
    let changed: Vec<&Job<'_>> =
        jobs.iter().zip(&kept).filter(|(_, kept)| kept.is_none()).map(|(job, _)| job).collect();
    let count = changed.len();
    let mut compiled = compile_changed(&changed, files).into_iter();
    let mut services = Vec::with_capacity(jobs.len());
    for kept in kept {
        match kept {
            Some(service) => {
                findings.extend(service.origin.findings.iter().cloned());
                services.push(service);
            }
            None => {
                let Some((service, found)) = compiled.next() else { break };
                match service {
                    // The findings of a service that compiled are kept with it.
                    Some(service) => {
                        findings.extend(service.origin.findings.iter().cloned());
                        services.push(service);
                    }
                    None => findings.extend(found.into_iter()),
                }
            }
        }
    }
    (services, count)
}

/// Compiles each on its own; on several threads when that pays for starting them.
fn compile_changed(jobs: &[&Job<'_>], files: &dyn Files) -> Vec<service::Outcome> {
    const WORTH_A_THREAD: usize = 8;
    const STACK_BYTES: usize = 8 << 20;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = cores.min(jobs.len() / WORTH_A_THREAD);
    if threads < 2 {
        return jobs.iter().map(|job| job.compile(files)).collect();
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let index = next.fetch_add(1, Ordering::Relaxed)
            && let Some(job) = jobs.get(index)
        {
            done.push((index, job.compile(files)));
        }
        done
    };
    let mut done: Vec<(usize, service::Outcome)> = std::thread::scope(|scope| {
        let spawned: Vec<_> = (1..threads)
            .filter_map(|_| {
                std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work).ok()
            })
            .collect();
        let mut done = work();
        for thread in spawned {
            // A thread that panicked is a bug that must not be hidden behind missing services.
            done.extend(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}
