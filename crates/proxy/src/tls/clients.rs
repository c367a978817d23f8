//! Client certificates of a listener: who may have signed them, what was revoked, and whether one still counts.
//!
//! A handshake judges a certificate by the trust of that moment. A connection lives longer, and a session that is taken up
//! again brings a certificate along that nobody looks at any more. So the certificate is judged again at the first
//! call of every connection, and at the first call after something could have changed: the files were read anew, or
//! a moment has come at which a certificate of the chain or a revocation list ends. In between it costs a call a
//! comparison of two numbers.
//!
//! Chains are bounded: rustls takes 64 KiB of them, webpki at most six authorities between a certificate and the trusted
//! one, and a fixed number of signatures checked.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use portway_model::AppCertificate;
use portway_policy::{Certificate, sha256};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

use super::{files, fingerprint, provider};

/// Files of a listener's client certificates, with absolute paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientsFiles {
    /// The authorities.
    pub ca: PathBuf,
    /// The revocation lists; with none, nothing is ever revoked.
    pub crl: Vec<PathBuf>,
    /// Whether a list goes on counting when it is out of date; else the certificates that it tells of are refused.
    pub stale_allowed: bool,
    /// Whether there is no connection without a certificate.
    pub required: bool,
}

/// Whom a listener trusts. The verifier of its handshakes, and of its connections afterwards.
#[derive(Debug)]
pub(crate) struct Clients {
    required: bool,
    trust: ArcSwap<Trust>,
    /// Another number whenever `trust` is another one.
    generation: AtomicU64,
}

/// What the files say.
#[derive(Debug)]
pub(super) struct Trust {
    pub(super) fingerprint: Box<str>,
    verifier: Arc<dyn ClientCertVerifier>,
    /// The last seconds at which lists count, since 1970; empty where that does not matter.
    list_ends_s: Vec<i64>,
}

impl Clients {
    pub(super) fn new(required: bool, trust: Trust) -> Self {
        Self { required, trust: ArcSwap::from_pointee(trust), generation: AtomicU64::new(1) }
    }

    pub(super) fn fingerprint_is(&self, trust: &Trust) -> bool {
        self.trust.load().fingerprint == trust.fingerprint
    }

    /// From now on this counts, for handshakes and for connections that stand.
    pub(super) fn replace(&self, trust: Trust) {
        self.trust.store(Arc::new(trust));
        // After the trust: who sees the number sees what it stands for.
        self.generation.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn is_required(&self) -> bool {
        self.required
    }

    /// Whether a chain counts at a moment, and until when that can be relied on, in seconds since 1970.
    fn judge(&self, chain: &[CertificateDer<'static>], ends_s: &[i64], now_s: i64) -> (bool, i64) {
        let trust = self.trust.load();
        let now = std::time::Duration::from_secs(u64::try_from(now_s).unwrap_or_default());
        let counts = chain.split_first().is_some_and(|(own, others)| {
            let now = UnixTime::since_unix_epoch(now);
            trust.verifier.verify_client_cert(own, others, now).is_ok()
        });
        let ends = ends_s.iter().chain(&trust.list_ends_s);
        let next = ends.map(|end| end.saturating_add(1)).filter(|end| *end > now_s).min();
        (counts, next.unwrap_or(i64::MAX))
    }
}

impl Trust {
    /// Reads the files.
    ///
    /// # Errors
    /// One sentence per file that cannot be used, each beginning with the file's path.
    pub(super) fn load(of: &ClientsFiles) -> Result<Self, Vec<String>> {
        let mut mistakes = Vec::new();
        let mut parts = Vec::new();
        let mut roots = RootCertStore::empty();
        match files::read(&of.ca) {
            Ok(pem) => {
                if let Err(why) = add_roots(&mut roots, &of.ca, &pem) {
                    mistakes.push(why);
                }
                parts.push(pem);
            }
            Err(why) => mistakes.push(why),
        }
        let (mut lists, mut list_ends_s) = (Vec::new(), Vec::new());
        for path in &of.crl {
            match files::read(path).and_then(|bytes| Ok((revocations(path, &bytes)?, bytes))) {
                Ok((found, bytes)) => {
                    for (list, end_s) in found {
                        lists.push(list);
                        list_ends_s.push(end_s.saturating_sub(1));
                    }
                    parts.push(bytes);
                }
                Err(why) => mistakes.push(why),
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        if of.stale_allowed {
            list_ends_s.clear();
        }
        let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
            .with_crls(lists);
        if !of.stale_allowed {
            builder = builder.enforce_revocation_expiration();
        }
        if !of.required {
            builder = builder.allow_unauthenticated();
        }
        let verifier = builder.build().map_err(|error| {
            let files = of.crl.iter().chain(of.crl.is_empty().then_some(&of.ca));
            let files: Vec<String> = files.map(|file| file.display().to_string()).collect();
            vec![format!("{}: cannot be used for client certificates: {error}", files.join(", "))]
        })?;
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        Ok(Self { fingerprint: fingerprint(&parts), verifier, list_ends_s })
    }
}

/// Whether a file is there and has revocation lists, in a sentence that begins with its path if not.
///
/// # Errors
/// When it cannot be read, or has none that can be used.
pub fn check_revocations(path: &Path) -> Result<(), String> {
    revocations(path, &files::read(path)?).map(drop)
}

fn add_roots(roots: &mut RootCertStore, path: &Path, pem: &[u8]) -> Result<(), String> {
    for certificate in files::certificates(path, pem)? {
        roots.add(certificate).map_err(|error| {
            format!("{}: has a certificate that no trust can be put in: {error}", path.display())
        })?;
    }
    Ok(())
}

/// The lists of a file, PEM or DER, each with when it is out of date.
fn revocations(
    path: &Path,
    bytes: &[u8],
) -> Result<Vec<(CertificateRevocationListDer<'static>, i64)>, String> {
    let is_pem = bytes.windows(11).any(|eleven| eleven == b"-----BEGIN ");
    let lists: Vec<_> = if is_pem {
        CertificateRevocationListDer::pem_slice_iter(bytes)
            .collect::<Result<_, _>>()
            .map_err(|_| format!("{}: is not valid PEM", path.display()))?
    } else {
        vec![CertificateRevocationListDer::from(bytes.to_vec())]
    };
    if lists.is_empty() {
        return Err(format!(
            "{}: has no revocation list; a PEM file with -----BEGIN X509 CRL-----, or one in DER, is expected",
            path.display()
        ));
    }
    let with_end = |list: CertificateRevocationListDer<'static>| {
        let (rest, read) = CertificateRevocationList::from_der(&list)
            .map_err(|_| format!("{}: is not a revocation list", path.display()))?;
        let end = read.next_update().filter(|_| rest.is_empty()).ok_or_else(|| {
            format!("{}: does not say until when it counts (nextUpdate)", path.display())
        })?;
        let end_s = end.timestamp();
        Ok((list, end_s))
    };
    lists.into_iter().map(with_end).collect()
}

impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        self.required
    }

    /// None: which authorities are trusted is not told to everybody who connects, and can change.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.trust.load().verifier.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.trust.load().verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.trust.load().verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.load().verifier.supported_verify_schemes()
    }
}

/// The certificate of a connection.
#[derive(Debug)]
pub(crate) struct ShownCertificate {
    clients: Arc<Clients>,
    chain: Vec<CertificateDer<'static>>,
    /// The last seconds before certificates of the chain begin to count, and in which they do, since 1970.
    ends_s: Vec<i64>,
    certificate: Certificate,
    judged: Cell<Judged>,
}

/// What the last judgement was, and for how long it holds.
#[derive(Debug, Clone, Copy)]
struct Judged {
    counts: bool,
    generation: u64,
    from_s: i64,
    until_s: i64,
}

impl ShownCertificate {
    /// Reads a chain that a handshake brought, new or remembered; `None` when it cannot be read.
    pub(super) fn read(clients: &Arc<Clients>, chain: &[CertificateDer<'_>]) -> Option<Self> {
        let (_, own) = X509Certificate::from_der(chain.first()?).ok()?;
        let certificate = Certificate::new(sha256(chain.first()?), &names(&own)?);
        let end = |der: &CertificateDer<'_>| {
            let (_, read) = X509Certificate::from_der(der).ok()?;
            let valid = read.validity();
            Some([valid.not_before.timestamp().saturating_sub(1), valid.not_after.timestamp()])
        };
        Some(Self {
            clients: Arc::clone(clients),
            ends_s: chain.iter().filter_map(end).flatten().collect(),
            chain: chain.iter().map(|der| der.clone().into_owned()).collect(),
            certificate,
            judged: Cell::new(Judged { counts: false, generation: 0, from_s: 0, until_s: 0 }),
        })
    }

    /// The certificate, if it counts at this moment.
    pub(crate) fn at(&self, unix_ms: u64) -> Option<&Certificate> {
        let now_s = i64::try_from(unix_ms / 1_000).unwrap_or(i64::MAX);
        let generation = self.clients.generation.load(Ordering::Acquire);
        let mut judged = self.judged.get();
        // The clock may have been set back.
        let holds =
            judged.generation == generation && (judged.from_s..judged.until_s).contains(&now_s);
        if !holds {
            let (counts, until_s) = self.clients.judge(&self.chain, &self.ends_s, now_s);
            judged = Judged { counts, generation, from_s: now_s, until_s };
            self.judged.set(judged);
        }
        judged.counts.then_some(&self.certificate)
    }
}

/// The subject alternative names; `None` when they cannot be read.
fn names(certificate: &X509Certificate<'_>) -> Option<Vec<AppCertificate>> {
    let alternative = certificate.subject_alternative_name().ok()?;
    let names = alternative.map(|found| found.value.general_names.as_slice()).unwrap_or_default();
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(text) => Some(AppCertificate::Dns((*text).to_owned())),
        GeneralName::URI(text) => Some(AppCertificate::Uri((*text).to_owned())),
        GeneralName::RFC822Name(text) => Some(AppCertificate::Email((*text).to_owned())),
        GeneralName::IPAddress(bytes) => {
            super::names::ip_of(bytes).map(|ip| AppCertificate::Ip(ip.to_string()))
        }
        _ => None,
    };
    Some(names.iter().filter_map(name).collect())
}
