//! The proxy alone, from one document: for profiling without the rest of the program.
//!
//! `cargo run -p portway-proxy --example bare -- FILE`

use std::time::Duration;

use portway_contract::{LoadFault, Loader};
use portway_model::{AppKey, SecretRef, SourceFile};
use portway_snapshot::{Files, Secrets};

struct Here;

impl Loader for Here {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadFault> {
        std::fs::read(path).map_err(|error| LoadFault::Other(error.to_string()))
    }
}

impl Files for Here {
    fn fingerprint(&self, _path: &str) -> Option<u64> {
        None
    }
}

impl Secrets for Here {
    fn resolve(&self, _reference: &SecretRef) -> Result<String, String> {
        Err("secrets are not read here".to_owned())
    }

    fn key_sha256(&self, key: &AppKey) -> Result<[u8; 32], String> {
        let AppKey::Sha256(hex) = key else { return Err("only hashes here".to_owned()) };
        let mut sha256 = [0; 32];
        for (byte, digits) in sha256.iter_mut().zip(hex.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|error| error.to_string())?;
            *byte = u8::from_str_radix(digits, 16).map_err(|error| error.to_string())?;
        }
        Ok(sha256)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).ok_or("which document?")?;
    let text = std::fs::read_to_string(&name)?;
    let file = SourceFile { name, text, format: portway_model::Format::Yaml };
    let (documents, mistakes) = portway_model::read(&[file], &[]);
    let (compiled, more) = portway_snapshot::compile(&documents, &Here, &Here, None);
    let compiled = compiled.ok_or_else(|| format!("{mistakes:?} {more:?}"))?;
    let gateway = documents.document.gateway.clone().unwrap_or_default();
    let listen = |listener: &portway_model::ListenerDocument| {
        Ok(portway_proxy::Listen {
            address: listener.address.parse()?,
            tls: listener.tls.as_ref().map(|tls| portway_proxy::tls::TlsFiles {
                certificates: tls
                    .certificates
                    .iter()
                    .map(|pair| portway_proxy::tls::CertificateFiles {
                        cert: pair.cert.clone().into(),
                        key: pair.key.clone().into(),
                    })
                    .collect(),
                min_version: portway_proxy::tls::MinVersion::Tls12,
                clients: None,
            }),
            proxy_protocol: listener.proxy_protocol,
            inherited: Vec::new(),
        })
    };
    let control =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let log = match gateway.log.calls {
        portway_model::LogFormat::Json => {
            Some(portway_proxy::telemetry::LogTarget::parse(&gateway.log.to))
        }
        portway_model::LogFormat::Off => None,
    };
    let settings = portway_proxy::Settings {
        listeners: gateway
            .listen
            .iter()
            .map(listen)
            .collect::<Result<_, Box<dyn std::error::Error>>>()?,
        workers: gateway.workers.unwrap_or(1) as usize,
        log,
        drain_timeout: Duration::from_secs(1),
        control: control.handle().clone(),
        files_max: 65_536,
        telling: portway_proxy::Telling::default(),
    };
    let _running = portway_proxy::bind(settings, compiled)?.run()?;
    loop {
        std::thread::park();
    }
}
