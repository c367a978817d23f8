//! A whole gateway in this process, on free ports, from a document.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use portway_contract::{LoadFault, Loader};
use portway_model::{
    AppKey, Documents, Format, Gateway as Settings, LogFormat, SecretRef, SourceFile,
};
use portway_proxy::rehearsal::{Asked, Rehearsed};
use portway_proxy::telemetry::{LogFields, MetricsForm, Privacy, Sampling, SpanBatch, spans};
use portway_proxy::tls::{CertificateFiles, ClientsFiles, MinVersion, TlsFiles};
use portway_proxy::{Listen, Running, Telling};
use portway_snapshot::{Compiled, Files, Secrets};
use tokio::runtime::Runtime;

/// A running gateway. Dropping it drains it, and fails the test if anything in it panicked.
pub struct Gateway {
    running: Running,
    control: Runtime,
    log: PathBuf,
    batches: Option<std::sync::Mutex<tokio::sync::mpsc::Receiver<SpanBatch>>>,
    _folder: tempfile::TempDir,
}

/// Contracts from the folder of the test, secrets from a table.
struct World;

impl Loader for World {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadFault> {
        std::fs::read(path).map_err(|error| LoadFault::Other(error.to_string()))
    }
}

impl Files for World {
    fn fingerprint(&self, _path: &str) -> Option<u64> {
        None
    }
}

impl Secrets for World {
    /// The secret named `NAME` is `secret-of-NAME`; a file with an absolute path is read.
    fn resolve(&self, reference: &SecretRef) -> Result<String, String> {
        match reference {
            SecretRef::File(path) if path.starts_with('/') => {
                std::fs::read_to_string(path).map_err(|error| error.to_string())
            }
            SecretRef::Env(name) | SecretRef::File(name) => Ok(format!("secret-of-{name}")),
        }
    }

    fn key_sha256(&self, key: &AppKey) -> Result<[u8; 32], String> {
        match key {
            AppKey::Env(name) | AppKey::File(name) => {
                Ok(sha256(format!("secret-of-{name}").as_bytes()))
            }
            AppKey::Sha256(hex) => {
                let mut sha256 = [0; 32];
                for (byte, digits) in sha256.iter_mut().zip(hex.as_bytes().chunks(2)) {
                    let digits = std::str::from_utf8(digits).map_err(|error| error.to_string())?;
                    *byte = u8::from_str_radix(digits, 16).map_err(|error| error.to_string())?;
                }
                Ok(sha256)
            }
        }
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// The hash of a key as documents have it.
pub fn sha256_hex(key: &str) -> String {
    sha256(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads and compiles a document; panics with every mistake.
fn compile(document: &str, before: Option<&Running>) -> (Documents, Compiled) {
    let text = format!("portway: 1\n{document}");
    let file = SourceFile { name: "test.yaml".to_owned(), text, format: Format::Yaml };
    let (documents, mut mistakes) = portway_model::read(&[file], &[]);
    let previous = before.map(Running::snapshot);
    let (compiled, more) =
        portway_snapshot::compile(&documents, &World, &World, previous.as_deref());
    mistakes.extend(more);
    let compiled = compiled.unwrap_or_else(|| panic!("{mistakes:#?}\n{document}"));
    (documents, compiled)
}

/// A document, compiled; panics with every mistake.
pub fn compiled(document: &str) -> Compiled {
    compile(document, None).1
}

impl Gateway {
    /// What would become of a call.
    pub fn rehearse(&self, asked: &Asked<'_>) -> Rehearsed {
        self.running.rehearse(asked).expect("it can be asked")
    }

    /// Starts a gateway on a free port, or on those that `gateway.listen` names with port 0. The
    /// document is without its first line, `portway: 1`.
    pub fn start(document: &str) -> Self {
        let (documents, compiled) = compile(document, None);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = folder.path().join("calls.log");
        let written = documents.document.gateway.clone();
        let settings = written.clone().unwrap_or_default();
        let control = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let is_default = written.is_none_or(|written| written.listen == Settings::default().listen);
        let listeners = settings.listen.iter().map(|listener| Listen {
            address: if is_default { "127.0.0.1:0" } else { listener.address.as_str() }
                .parse()
                .expect("an address"),
            tls: listener.tls.as_ref().map(tls_files),
            proxy_protocol: listener.proxy_protocol,
            inherited: Vec::new(),
        });
        let target = portway_proxy::telemetry::LogTarget::File(log.clone());
        let privacy = Privacy::new(&settings.privacy, Some("key of hashes")).expect("a key");
        let log_fields = LogFields::new(&settings.log.fields);
        let (sink, batches) = match &settings.traces.to {
            Some(_) => {
                let (sink, batches) = spans(Sampling::new(&settings.traces));
                (Some(sink), Some(batches))
            }
            None => (None, None),
        };
        let bound = portway_proxy::bind(
            portway_proxy::Settings {
                listeners: listeners.collect(),
                workers: settings.workers.unwrap_or(2) as usize,
                log: (settings.log.calls == LogFormat::Json).then_some(target),
                drain_timeout: settings.drain_timeout.into(),
                control: control.handle().clone(),
                files_max: 4_096,
                telling: Telling { log_fields, privacy, spans: sink },
            },
            compiled,
        )
        .unwrap_or_else(|fault| panic!("{fault}"));
        control.block_on(bound.warm_up());
        let running = bound.run().unwrap_or_else(|fault| panic!("{fault}"));
        let batches = batches.map(std::sync::Mutex::new);
        Self { running, control, log, batches, _folder: folder }
    }

    /// Spans that were made, once there are `count`; waits up to ten seconds. Those of phases are left out: how many
    /// take their time is the machine's affair. Nothing is sent to the collector that the document names.
    pub fn spans(&self, count: usize) -> Vec<crate::spans::Span> {
        let batches = self.batches.as_ref().expect("the document has `traces`");
        let mut batches = batches.lock().expect("no test panicked with it");
        let mut found = Vec::new();
        for _ in 0..1_000 {
            while let Ok(batch) = batches.try_recv() {
                found.extend(
                    crate::spans::read(&batch.bytes).into_iter().filter(|span| span.kind != 1),
                );
            }
            if found.len() >= count {
                return found;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("there are fewer than {count} spans: {found:#?}");
    }

    /// The address of the first listener.
    pub fn address(&self) -> SocketAddr {
        self.address_of(0)
    }

    /// The address of a listener.
    pub fn address_of(&self, listener: usize) -> SocketAddr {
        self.running.addresses()[listener]
    }

    /// Makes another document live.
    pub fn publish(&self, document: &str) {
        let (_, compiled) = compile(document, Some(&self.running));
        self.running.publish(compiled).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    }

    /// The value of a metric: of the first line that begins with `start`.
    pub fn metric(&self, start: &str) -> f64 {
        let text = self.running.metrics_text(MetricsForm::Plain);
        let line = text.lines().find(|line| line.starts_with(start));
        let line = line.unwrap_or_else(|| panic!("no metric begins with {start}:\n{text}"));
        line.rsplit(' ').next().and_then(|value| value.parse().ok()).expect("a number")
    }

    /// Reads certificates again.
    pub fn reload_certificates(&self) -> Vec<Result<String, String>> {
        self.running.reload_certificates()
    }

    /// All metrics as they are scraped.
    pub fn metrics(&self) -> String {
        self.running.metrics_text(MetricsForm::Plain)
    }

    /// The same in another form.
    pub fn metrics_as(&self, form: MetricsForm) -> String {
        self.running.metrics_text(form)
    }

    /// Connections of callers at this moment.
    pub fn connections(&self) -> u64 {
        self.running.connections()
    }

    /// Accepts no more, lets calls end; returns when all has ended.
    pub fn drain(&self) {
        self.control.block_on(self.running.drain());
    }

    /// Begins to drain in the background.
    pub fn begin_to_drain(&self) {
        let running = self.running.clone();
        self.control.spawn(async move { running.drain().await });
    }

    /// What the log of calls says, once there are `lines` lines of it; waits up to five seconds.
    pub fn log(&self, lines: usize) -> String {
        for _ in 0..500 {
            let text = std::fs::read_to_string(&self.log).unwrap_or_default();
            if text.lines().count() >= lines {
                return text;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the log has fewer than {lines} lines: {:?}", std::fs::read_to_string(&self.log));
    }
}

fn tls_files(tls: &portway_model::TlsDocument) -> TlsFiles {
    let pairs = tls.certificates.iter();
    TlsFiles {
        certificates: pairs
            .map(|pair| CertificateFiles { cert: (&pair.cert).into(), key: (&pair.key).into() })
            .collect(),
        min_version: if tls.min_version == "1.3" { MinVersion::Tls13 } else { MinVersion::Tls12 },
        clients: tls.clients.as_ref().map(|clients| ClientsFiles {
            ca: (&clients.ca).into(),
            crl: clients.crl.iter().map(Into::into).collect(),
            stale_allowed: clients.crl_stale == portway_model::CrlStale::Allow,
            required: clients.required,
        }),
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.running.cut();
        self.drain();
        if !std::thread::panicking() {
            assert!(self.metric("portway_panics_total") == 0.0, "tasks of the gateway panicked");
            assert!(self.metric("portway_calls_in_flight") == 0.0, "a call was never recorded");
            assert!(self.running.connections() == 0, "a connection was never given up");
        }
    }
}
