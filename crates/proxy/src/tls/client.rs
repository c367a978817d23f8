//! TLS towards backends. Certificates are always verified; there is no switch against it.
//!
//! Trust comes from the file that was given or, without one, from the system. Equal files give the same
//! configuration object, whichever backend they belong to, so that sessions are taken up again across reloads.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{files, fingerprint, provider};

/// Files of a backend's TLS, with absolute paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientTlsFiles {
    /// Authorities to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// Certificate chain that the gateway shows.
    pub cert: Option<PathBuf>,
    /// Key of that certificate.
    pub key: Option<PathBuf>,
}

/// How TLS is spoken to a target.
#[derive(Debug, Clone)]
pub struct ClientTls {
    /// Trust, own certificate, ALPN and sessions.
    pub config: Arc<ClientConfig>,
    /// The name that is asked for (unless it is an address) and verified.
    pub name: ServerName<'static>,
    /// Equal exactly when the files' contents, the name and the protocol are.
    identity: Box<str>,
    http2: bool,
}

impl ClientTls {
    /// Who speaks to whom: equal exactly when connections may be exchanged for one another.
    pub(crate) fn identity(&self) -> &str {
        &self.identity
    }

    /// The same for HTTP/1.1 only; for checks of targets that otherwise get HTTP/2.
    pub(crate) fn for_http1(&self) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self {
            config: Arc::new(config),
            name: self.name.clone(),
            identity: format!("{} http/1.1", self.identity).into_boxed_str(),
            http2: false,
        }
    }
}

/// Configurations that were made, and the system's authorities.
#[derive(Debug, Default)]
pub struct ClientTlsStore {
    made: Mutex<HashMap<Box<str>, std::sync::Weak<ClientConfig>>>,
    system: OnceLock<Arc<RootCertStore>>,
}

impl ClientTlsStore {
    /// How TLS is spoken to a target that must prove to be `name`. Reads the files.
    ///
    /// # Errors
    /// One sentence per file or name that cannot be used.
    pub fn client(
        &self,
        tls_files: &ClientTlsFiles,
        name: &str,
        http2: bool,
    ) -> Result<Arc<ClientTls>, Vec<String>> {
        let server_name = ServerName::try_from(name.to_owned())
            .map_err(|_| vec![format!("{name:?} is neither a DNS name nor an address, so no certificate can be for it; set `tls.sni`")])?;
        let contents = Contents::read(tls_files)?;
        let files_hash = contents.fingerprint(http2);
        let identity = fingerprint(&[files_hash.as_bytes(), name.as_bytes()]);
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let known = made.get(&files_hash).and_then(std::sync::Weak::upgrade);
        let config = match known {
            Some(config) => config,
            None => {
                let config = Arc::new(self.config(tls_files, &contents, http2)?);
                made.retain(|_, config| config.strong_count() > 0);
                made.insert(files_hash, Arc::downgrade(&config));
                config
            }
        };
        Ok(Arc::new(ClientTls { config, name: server_name, identity, http2 }))
    }

    fn config(
        &self,
        tls_files: &ClientTlsFiles,
        contents: &Contents,
        http2: bool,
    ) -> Result<ClientConfig, Vec<String>> {
        let roots = match (&tls_files.ca, &contents.ca) {
            (Some(path), Some(pem)) => {
                let mut roots = RootCertStore::empty();
                for certificate in files::certificates(path, pem).map_err(one)? {
                    roots.add(certificate).map_err(|error| {
                        one(format!(
                            "{}: has a certificate that cannot be trusted: {error}",
                            path.display()
                        ))
                    })?;
                }
                Arc::new(roots)
            }
            _ => self.system_roots(),
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| one(format!("TLS cannot be set up: {error}")))?
            .with_root_certificates(roots);
        let mut config = match (&tls_files.cert, &contents.cert, &tls_files.key, &contents.key) {
            (Some(cert_path), Some(cert), Some(key_path), Some(key)) => {
                let chain = files::certificates(cert_path, cert).map_err(one)?;
                let key = files::private_key(key_path, key).map_err(one)?;
                builder.with_client_auth_cert(chain, key).map_err(|error| {
                    one(format!("{}: does not belong to the certificate in {}, or is of an unknown kind: {error}", key_path.display(), cert_path.display()))
                })?
            }
            _ => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![if http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
        Ok(config)
    }

    /// The system's authorities, read once.
    fn system_roots(&self) -> Arc<RootCertStore> {
        let load = || {
            let found = rustls_native_certs::load_native_certs();
            for error in &found.errors {
                tracing::warn!(%error, "an authority of the system cannot be read");
            }
            let mut roots = RootCertStore::empty();
            let (added, ignored) = roots.add_parsable_certificates(found.certs);
            if added == 0 {
                tracing::warn!(
                    "the system has no authorities: https targets without `tls.ca` cannot be verified and will fail"
                );
            }
            tracing::debug!(added, ignored, "authorities of the system");
            Arc::new(roots)
        };
        Arc::clone(self.system.get_or_init(load))
    }
}

/// What is in the files.
struct Contents {
    ca: Option<Vec<u8>>,
    cert: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
}

impl Contents {
    fn read(tls_files: &ClientTlsFiles) -> Result<Self, Vec<String>> {
        if tls_files.cert.is_some() != tls_files.key.is_some() {
            return Err(vec![
                "`tls.cert` and `tls.key` belong together: give both or none".to_owned(),
            ]);
        }
        let mut mistakes = Vec::new();
        let mut read = |path: &Option<PathBuf>| {
            path.as_ref().and_then(|path| files::read(path).map_err(|why| mistakes.push(why)).ok())
        };
        let contents = Self {
            ca: read(&tls_files.ca),
            cert: read(&tls_files.cert),
            key: read(&tls_files.key),
        };
        if mistakes.is_empty() { Ok(contents) } else { Err(mistakes) }
    }

    fn fingerprint(&self, http2: bool) -> Box<str> {
        let part = |content: &Option<Vec<u8>>| {
            content.as_ref().map_or(Vec::new(), |bytes| [b"+", bytes.as_slice()].concat())
        };
        let (ca, cert, key) = (part(&self.ca), part(&self.cert), part(&self.key));
        fingerprint(&[&ca, &cert, &key, if http2 { b"h2" } else { b"h1" }])
    }
}

fn one(mistake: String) -> Vec<String> {
    vec![mistake]
}

/// Speaks TLS over a connection that stands. The deadline is the caller's: `connect` covers both.
///
/// # Errors
/// Nothing of a call was sent: the certificate is not trusted, is not valid now or is for another name;
/// no protocol in common (with HTTP/2, also when the target does not choose it); or the target broke off.
pub async fn connect(
    tls: &ClientTls,
    stream: TcpStream,
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let connector = TlsConnector::from(Arc::clone(&tls.config));
    let stream = connector.connect(tls.name.clone(), stream).await?;
    let (_, connection) = stream.get_ref();
    if tls.http2 && connection.alpn_protocol() != Some(b"h2") {
        return Err(std::io::Error::other("it does not agree to speak HTTP/2 (ALPN)"));
    }
    Ok(stream)
}
