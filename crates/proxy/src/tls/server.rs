//! TLS of a listener: the certificate table, and swapping it while connections are made.
//!
//! A handshake sees one table, whole. A reload that fails changes nothing. Which certificate is shown: the one that has
//! the SNI exactly, else the one with a fitting wildcard, else the first. Case of the SNI does not matter.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use super::clients::{Clients, ClientsFiles, ShownCertificate, Trust};
use super::names::{CertificateNames, NameTable, sni_agrees};
use super::{files, fingerprint, provider};

/// Files of a listener's TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// At least one; the first is shown when no name fits.
    pub certificates: Vec<CertificateFiles>,
    /// Lowest version that is spoken.
    pub min_version: MinVersion,
    /// Whether callers are asked for a certificate, and whose counts.
    pub clients: Option<ClientsFiles>,
}

/// Files of one certificate, with absolute paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// PEM file of the chain, the certificate itself first.
    pub cert: PathBuf,
    /// PEM file of its key.
    pub key: PathBuf,
}

/// Lowest version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MinVersion {
    /// TLS 1.2 and 1.3.
    #[default]
    Tls12,
    /// TLS 1.3 only.
    Tls13,
}

impl std::str::FromStr for MinVersion {
    type Err = String;

    /// `1.2` or `1.3`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "1.2" => Ok(Self::Tls12),
            "1.3" => Ok(Self::Tls13),
            _ => Err(format!(
                "{text:?} is not a version of TLS that is spoken here; write \"1.2\" or \"1.3\""
            )),
        }
    }
}

/// TLS of one listener.
pub struct ServerTls {
    files: TlsFiles,
    table: Arc<Shown>,
    /// Who may show a certificate; `None`: nobody is asked.
    clients: Option<Arc<Clients>>,
    acceptor: TlsAcceptor,
    /// One reload at a time.
    reloading: Mutex<()>,
}

/// A certificate, for pages and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateView {
    /// Its file.
    pub file: PathBuf,
    /// Its names and until when it is valid.
    pub names: CertificateNames,
}

/// What the resolver reads.
#[derive(Debug)]
struct Shown(ArcSwap<Table>);

#[derive(Debug)]
struct Table {
    fingerprint: Box<str>,
    certificates: Vec<Arc<CertifiedKey>>,
    names: Vec<CertificateNames>,
    by_name: NameTable,
}

/// Sessions that can be taken up again without a ticket (TLS 1.2 clients).
const SESSIONS_MAX: usize = 4_096;

impl ServerTls {
    /// Reads the files.
    ///
    /// # Errors
    /// One sentence per file that cannot be used, each beginning with the file's path.
    pub fn load(tls_files: &TlsFiles) -> Result<Self, Vec<String>> {
        let (table, trust) = load(tls_files)?;
        let table = Arc::new(Shown(ArcSwap::from_pointee(table)));
        let required = tls_files.clients.as_ref().is_some_and(|clients| clients.required);
        let clients = trust.map(|trust| Arc::new(Clients::new(required, trust)));
        let config = server_config(tls_files.min_version, Arc::clone(&table), clients.as_ref())
            .map_err(|why| vec![why])?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Self { files: tls_files.clone(), table, clients, acceptor, reloading: Mutex::new(()) })
    }

    /// Takes connections; offers `h2` and `http/1.1` by ALPN. Whoever accepts sets the deadline.
    pub fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    /// The files it was made from.
    pub fn files(&self) -> &TlsFiles {
        &self.files
    }

    /// Reads the files again and shows what is in them from the next handshake on. `false` if they are as they were.
    ///
    /// # Errors
    /// As [`load`](Self::load); what was shown before is shown on.
    pub fn reload(&self) -> Result<bool, Vec<String>> {
        let _one_at_a_time = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let (table, trust) = load(&self.files)?;
        let is_same = table.fingerprint == self.table.0.load().fingerprint;
        if !is_same {
            self.table.0.store(Arc::new(table));
        }
        let trust = self.clients.as_ref().zip(trust);
        let trust = trust.filter(|(clients, trust)| !clients.fingerprint_is(trust));
        let is_same = is_same && trust.is_none();
        if let Some((clients, trust)) = trust {
            clients.replace(trust);
        }
        Ok(!is_same)
    }

    /// The certificate that a caller showed, with the chain that its session has: whether it counts is asked of it.
    ///
    /// # Errors
    /// [`NotShown`] when one must be shown and was not, or cannot be read.
    pub(crate) fn shown(
        &self,
        session: &rustls::ServerConnection,
    ) -> Result<Option<Box<ShownCertificate>>, NotShown> {
        let Some(clients) = &self.clients else { return Ok(None) };
        match session.peer_certificates() {
            Some(chain) => {
                let shown = ShownCertificate::read(clients, chain).ok_or(NotShown)?;
                Ok(Some(Box::new(shown)))
            }
            None if clients.is_required() => Err(NotShown),
            None => Ok(None),
        }
    }

    /// The certificates that are shown.
    pub fn certificates(&self) -> Vec<CertificateView> {
        let table = self.table.0.load();
        let paths = self.files.certificates.iter().map(|files| &files.cert);
        paths
            .zip(&table.names)
            .map(|(file, names)| CertificateView { file: file.clone(), names: names.clone() })
            .collect()
    }

    /// Whether a request for `host` may come over a connection made for `sni`; see [`sni_agrees`].
    ///
    /// The certificate that counts is the one that would be shown for `sni` now, which after a reload may be another than
    /// the connection was made with. Does not allocate.
    pub fn sni_agrees(&self, sni: Option<&str>, host: &str) -> bool {
        let table = self.table.0.load();
        sni_agrees(sni, host, &table.names[table.choose(sni)])
    }
}

impl std::fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerTls").field("files", &self.files).finish_non_exhaustive()
    }
}

/// There is no client certificate that could count.
pub(crate) struct NotShown;

/// Reads everything, so that all mistakes are told at once.
fn load(tls_files: &TlsFiles) -> Result<(Table, Option<Trust>), Vec<String>> {
    match (Table::load(tls_files), tls_files.clients.as_ref().map(Trust::load).transpose()) {
        (Ok(table), Ok(trust)) => Ok((table, trust)),
        (table, trust) => {
            let mistakes = [table.err(), trust.err()];
            Err(mistakes.into_iter().flatten().flatten().collect())
        }
    }
}

fn server_config(
    min_version: MinVersion,
    table: Arc<Shown>,
    clients: Option<&Arc<Clients>>,
) -> Result<ServerConfig, String> {
    let versions: &[&rustls::SupportedProtocolVersion] = match min_version {
        MinVersion::Tls12 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        MinVersion::Tls13 => &[&rustls::version::TLS13],
    };
    let wrong = |error: rustls::Error| format!("TLS cannot be set up: {error}");
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .map_err(wrong)?;
    let builder = match clients {
        Some(clients) => builder.with_client_cert_verifier(Arc::clone(clients) as _),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(table);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Clients put the suites they like best first, not those that cost a server least.
    config.ignore_client_order = true;
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().map_err(wrong)?;
    config.session_storage = rustls::server::ServerSessionMemoryCache::new(SESSIONS_MAX);
    Ok(config)
}

impl Table {
    fn load(tls_files: &TlsFiles) -> Result<Self, Vec<String>> {
        let mut mistakes = Vec::new();
        let mut hashes = Vec::new();
        let mut certificates = Vec::new();
        let mut names = Vec::new();
        for pair in &tls_files.certificates {
            match load_pair(pair) {
                Ok(loaded) => {
                    hashes.push(loaded.fingerprint);
                    certificates.push(Arc::new(loaded.certified));
                    names.push(loaded.names);
                }
                Err(found) => mistakes.extend(found),
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        if certificates.is_empty() {
            return Err(vec!["TLS needs at least one certificate".to_owned()]);
        }
        let parts: Vec<&[u8]> = hashes.iter().map(|hash| hash.as_bytes()).collect();
        Ok(Self {
            fingerprint: fingerprint(&parts),
            by_name: NameTable::new(&names),
            certificates,
            names,
        })
    }

    /// Number of the certificate for a name.
    fn choose(&self, sni: Option<&str>) -> usize {
        sni.and_then(|sni| self.by_name.find(sni)).unwrap_or(0)
    }
}

struct Loaded {
    fingerprint: Box<str>,
    certified: CertifiedKey,
    names: CertificateNames,
}

fn load_pair(pair: &CertificateFiles) -> Result<Loaded, Vec<String>> {
    let (cert_pem, key_pem) = match (files::read(&pair.cert), files::read(&pair.key)) {
        (Ok(cert), Ok(key)) => (cert, key),
        (cert, key) => return Err(cert.err().into_iter().chain(key.err()).collect()),
    };
    let (chain, key) =
        match (files::certificates(&pair.cert, &cert_pem), files::private_key(&pair.key, &key_pem))
        {
            (Ok(chain), Ok(key)) => (chain, key),
            (chain, key) => return Err(chain.err().into_iter().chain(key.err()).collect()),
        };
    let names = CertificateNames::of(&chain[0])
        .map_err(|why| vec![format!("{}: {why}", pair.cert.display())])?;
    let certified = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| {
        vec![format!(
            "{}: does not belong to the certificate in {}, or is of an unknown kind: {error}",
            pair.key.display(),
            pair.cert.display()
        )]
    })?;
    Ok(Loaded { fingerprint: fingerprint(&[&cert_pem, &key_pem]), certified, names })
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let table = self.0.load();
        let at = table.choose(hello.server_name());
        table.certificates.get(at).cloned()
    }
}
