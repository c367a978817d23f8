//! Keeps what is served in step with the documents.
//!
//! One thread reads, compiles and publishes; calls never wait for it. Documents that do not compile leave
//! what is served as it is, and say so: on standard error, in `/snapshot` and in a metric.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use portway_model::{Diagnostic, Gateway, Location, Override, Severity};
use portway_snapshot::{Compiled, Snapshot};

use crate::documents::{Library, Looked, Reading};
use crate::secrets::ProcessSecrets;
use crate::stamps::Stamps;
use crate::status::{InForce, Load, Status};
use crate::systemd;
use crate::terminal;
use crate::watch::{Cause, Watch};

/// Compiling walks contracts that may be nested deeply.
const STACK_BYTES: usize = 8 << 20;

/// What serves, as far as publishing is concerned.
pub trait Served: Send + 'static {
    /// The snapshot that serves.
    fn snapshot(&self) -> Arc<Snapshot>;
    /// Serves another one from now on.
    ///
    /// # Errors
    /// When files that it names cannot be used, each in a sentence; what served before goes on.
    fn publish(&self, compiled: Compiled) -> Result<(), Vec<String>>;
    /// Notes that the documents have mistakes.
    fn rejected(&self);
    /// Reads the certificates of the listeners again: what came of it, in words.
    fn reload_certificates(&self) -> Vec<Result<String, String>>;
    /// Opens the log of calls again.
    fn reopen_log(&self);
}

/// Everything that is needed to read the documents again.
pub struct Reload<S> {
    /// Where they are.
    pub library: Library,
    /// Settings from outside of them.
    pub overrides: Vec<Override>,
    /// Where secrets come from.
    pub secrets: ProcessSecrets,
    /// The settings that the process was started with.
    pub started_with: Gateway,
    /// What serves.
    pub served: S,
    /// Where it is noted how it went.
    pub status: Arc<Status>,
    /// How many files the process may have open.
    pub files_max: u64,
    /// Files that belong to the listeners: certificates and their keys.
    pub certificates: Stamps,
}

impl<S: Served> Reload<S> {
    /// Reads again whenever `watch` says so, on a thread of its own.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn spawn(mut self, mut watch: Watch) -> std::io::Result<std::thread::JoinHandle<()>> {
        let work = move || {
            let mut read = self.read_so_far();
            watch.follow(self.directories(&read));
            // Something may have changed between reading and watching.
            let mut next = Some(Cause::Changed);
            while let Some(cause) = next {
                let was_asked = cause == Cause::Asked;
                if was_asked {
                    systemd::reloading();
                    self.served.reopen_log();
                    self.library.root().forget_known();
                }
                let certificates = self.certificates_if_stale(cause);
                if was_asked || read.are_stale() {
                    let documents = self.again();
                    read = self.read_so_far();
                    watch.follow(self.directories(&read));
                    let outcome = [Some(documents.as_str()), certificates];
                    let outcome = outcome.into_iter().flatten().collect::<Vec<_>>().join("; ");
                    if was_asked { systemd::reloaded(&outcome) } else { systemd::status(&outcome) }
                }
                next = watch.wait();
            }
        };
        std::thread::Builder::new().name("reload".to_owned()).stack_size(STACK_BYTES).spawn(work)
    }

    fn read_so_far(&self) -> Stamps {
        let mut read = self.library.root().asked_for();
        read.add(self.secrets.take_asked());
        let snapshot = self.served.snapshot();
        for backend in snapshot.services.iter().flat_map(|service| &service.backends) {
            let tls = &backend.document.tls;
            for file in [&tls.ca, &tls.cert, &tls.key].into_iter().flatten() {
                read.note(Path::new(&*backend.files).join(file));
            }
        }
        read
    }

    fn directories(&self, read: &Stamps) -> std::collections::BTreeSet<std::path::PathBuf> {
        let mut directories = read.directories();
        directories.extend(self.certificates.directories());
        directories
    }

    /// Says something if they cannot be used.
    fn certificates_if_stale(&mut self, cause: Cause) -> Option<&'static str> {
        if cause != Cause::Asked && !self.certificates.are_stale() {
            return None;
        }
        let mut outcome = None;
        self.certificates = self.certificates.renewed();
        for told in self.served.reload_certificates() {
            match told {
                Ok(told) => tracing::info!("{told}"),
                Err(why) => {
                    tracing::error!("certificates stay as they were: {why}");
                    outcome = Some("certificates stay as they were");
                }
            }
        }
        outcome
    }

    /// One reading. It is told only after everybody who asks is answered by it. Gives the outcome on one line.
    ///
    /// A fault of this program that some odd document brings to light must not end the thread: the next edit, which
    /// mends the document, would not be noticed any more.
    fn again(&self) -> String {
        std::panic::catch_unwind(AssertUnwindSafe(|| self.read_and_publish()))
            .unwrap_or_else(|_| self.failed_itself())
    }

    fn failed_itself(&self) -> String {
        self.served.rejected();
        let told = mistake("internal-fault", "a fault of Portway itself kept it from reading them");
        let load = Load { at: SystemTime::now(), took_ms: 0, ok: false, diagnostics: vec![told] };
        self.status.loaded(load, None);
        let outcome = "the documents could not be read for a fault of Portway itself; what was served before goes on";
        tracing::error!("{outcome}");
        outcome.to_owned()
    }

    fn read_and_publish(&self) -> String {
        let started = Instant::now();
        let mut reading = self.library.compile(
            &self.overrides,
            &self.secrets,
            Looked::Backends,
            Some(&self.served.snapshot()),
        );
        say_what_was_found(&reading);
        let live = match reading.compiled.take() {
            Some(compiled) => {
                let told = (compiled.snapshot.hash.clone(), compiled.compiled_anew);
                let published = self.served.publish(compiled);
                let mistakes = published.err().unwrap_or_default();
                reading.diagnostics.extend(mistakes.into_iter().map(unusable_file));
                Some(told).filter(|_| !reading.has_errors())
            }
            None => {
                self.served.rejected();
                None
            }
        };
        let tally = terminal::tally(&reading.diagnostics);
        let took_ms = millis(started);
        let load = Load {
            at: SystemTime::now(),
            took_ms,
            ok: live.is_some(),
            diagnostics: reading.diagnostics,
        };
        let in_force =
            live.is_some().then(|| in_force(&self.started_with, reading.gateway, self.files_max));
        let need_restart =
            in_force.as_ref().map(|now| now.need_restart.clone()).unwrap_or_default();
        self.status.loaded(load, in_force);
        match live {
            Some((hash, anew)) => {
                let hash = short(&hash);
                tracing::info!(hash, services_compiled = anew, took_ms, "the documents are live");
                for field in need_restart {
                    tracing::warn!("gateway.{field} was changed; that needs a restart");
                }
                format!("the documents are live ({hash})")
            }
            None => {
                let outcome = format!(
                    "the documents have mistakes ({tally}); what was served before goes on"
                );
                tracing::error!("{outcome}");
                outcome
            }
        }
    }
}

/// The settings in force once documents with the settings `now` serve, in a process that was started with others and
/// may have `files_max` files open.
pub fn in_force(started_with: &Gateway, mut now: Gateway, files_max: u64) -> InForce {
    let mut need_restart = Vec::new();
    let was = started_with.clone();
    stays("listen", was.listen, &mut now.listen, &mut need_restart);
    stays("admin", was.admin, &mut now.admin, &mut need_restart);
    stays("workers", was.workers, &mut now.workers, &mut need_restart);
    stays("log", was.log, &mut now.log, &mut need_restart);
    stays("privacy", was.privacy, &mut now.privacy, &mut need_restart);
    stays("traces", was.traces, &mut now.traces, &mut need_restart);
    stays("drain_timeout", was.drain_timeout, &mut now.drain_timeout, &mut need_restart);
    stays("handover", was.handover, &mut now.handover, &mut need_restart);
    let let_in = portway_proxy::connections_let_in(now.bounds.connections, files_max);
    now.bounds.connections = u32::try_from(let_in).unwrap_or(now.bounds.connections);
    InForce { settings: serde_json::to_value(now).unwrap_or_default(), need_restart }
}

/// A setting that stays as it was until a restart.
fn stays<T: PartialEq>(
    field: &'static str,
    was: T,
    now: &mut T,
    need_restart: &mut Vec<&'static str>,
) {
    if *now != was {
        need_restart.push(field);
        *now = was;
    }
}

/// A file that a backend needs and that only turned out to be unusable when it was to be served.
fn unusable_file(message: String) -> Diagnostic {
    tracing::error!("{message}");
    mistake("unusable-file", message)
}

/// An error that is at no place of a document.
fn mistake(code: &'static str, message: impl Into<String>) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code,
        location: Location::default(),
        pointer: String::new(),
        message: message.into(),
        fix: String::new(),
    }
}

/// The diagnostics on standard error, as `check` would print them.
pub fn say_what_was_found(reading: &Reading) {
    if !reading.diagnostics.is_empty() {
        // Together, so that nothing else comes between.
        let mut text = Vec::new();
        let _ =
            terminal::write_diagnostics(&mut text, &reading.diagnostics, &|found: &Diagnostic| {
                reading.sources.line_text(&found.location)
            });
        let _ =
            std::io::Write::write_all(&mut anstream::AutoStream::auto(std::io::stderr()), &text);
    }
}

/// The first digits of a hash, which are enough to tell two apart.
pub fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

fn millis(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
