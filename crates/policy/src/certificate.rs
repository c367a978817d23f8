//! Who is calling, by the client certificate of the connection.
//!
//! Whether a certificate counts (who signed it, until when, whether it was revoked) was judged before, by who holds the
//! connection; here it is a list of *marks*: its SHA-256, and one for each of its names in canonical form. A mark
//! is looked up as the hash of a key is, so that there is no comparison that could be timed. Marks have a table
//! of their own: what a caller can send as a key is never taken for one.

use std::sync::Arc;

use portway_model::AppCertificate;

use crate::key::{Identified, sha256};
use crate::permit::Credential;
use crate::{App, Call, Detail, Keys, Reason, Refusal};

/// The most names of a certificate that are looked at; of one with more, none counts, and only its SHA-256 does.
pub const NAMES_MAX: usize = 64;

/// Header fields by which proxies tell backends of a certificate. A caller's own are dropped where certificates count.
pub const HEADERS: &[&str] = &[
    "Client-Cert",
    "Client-Cert-Chain",
    "Client-Verify",
    "SSL-Client-Cert",
    "SSL-Client-Cert-Chain",
    "SSL-Client-DN",
    "SSL-Client-I-DN",
    "SSL-Client-Issuer-DN",
    "SSL-Client-S-DN",
    "SSL-Client-Serial",
    "SSL-Client-Subject-DN",
    "SSL-Client-Verify",
    "X-Amzn-Mtls-Clientcert",
    "X-Amzn-Mtls-Clientcert-Issuer",
    "X-Amzn-Mtls-Clientcert-Leaf",
    "X-Amzn-Mtls-Clientcert-Serial-Number",
    "X-Amzn-Mtls-Clientcert-Subject",
    "X-Amzn-Mtls-Clientcert-Validity",
    "X-ARR-ClientCert",
    "X-Client-Cert",
    "X-Client-Cert-Chain",
    "X-Client-Certificate",
    "X-Client-DN",
    "X-Client-Verify",
    "X-Forwarded-Client-Cert",
    "X-Forwarded-Client-Cert-Chain",
    "X-Forwarded-Ssl-Client-Cert",
    "X-Forwarded-Tls-Client-Cert",
    "X-Forwarded-Tls-Client-Cert-Info",
    "X-SSL-Cert",
    "X-SSL-Client-Cert",
    "X-SSL-Client-CN",
    "X-SSL-Client-DN",
    "X-SSL-Client-Fingerprint",
    "X-SSL-Client-I-DN",
    "X-SSL-Client-S-DN",
    "X-SSL-Client-Serial",
    "X-SSL-Client-SHA1",
    "X-SSL-Client-Verify",
];

/// A client certificate that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    marks: Box<[[u8; 32]]>,
}

impl Certificate {
    /// From the SHA-256 of its DER form and its subject alternative names as they stand there.
    pub fn new(sha256: [u8; 32], names: &[AppCertificate]) -> Self {
        let names = if names.len() > NAMES_MAX { &[] } else { names };
        // That a name looks like a SHA-256 makes it none.
        let of_names = names.iter().filter(|name| !matches!(name, AppCertificate::Sha256(_)));
        let marks = std::iter::once(sha256).chain(of_names.filter_map(mark)).collect();
        Self { marks }
    }

    /// The app that it stands for.
    ///
    /// # Errors
    /// When it stands for none, or by several names for several.
    pub fn app(&self, keys: &dyn Keys) -> Result<Arc<App>, CertificateFault> {
        let mut apps = self.marks.iter().filter_map(|mark| keys.holder(mark));
        let first = apps.next().ok_or(CertificateFault::Unknown)?;
        match apps.all(|other| other.name == first.name) {
            true => Ok(first),
            false => Err(CertificateFault::Ambiguous),
        }
    }
}

/// What stands in the table for a certificate of a document; `None` for one that is nobody's.
pub fn mark(certificate: &AppCertificate) -> Option<[u8; 32]> {
    let canonical = certificate.canonical()?;
    let (kind, text) = canonical.parts();
    if let AppCertificate::Sha256(digits) = &canonical {
        let mut sha256 = [0; 32];
        for (byte, digits) in sha256.iter_mut().zip(digits.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        return Some(sha256);
    }
    Some(sha256(format!("{kind}:{text}").as_bytes()))
}

/// Why a certificate does not tell who is calling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateFault {
    /// None was shown.
    Missing,
    /// It is no app's.
    Unknown,
    /// It is more than one app's.
    Ambiguous,
    /// It counted when the connection was made, and does not any more.
    Withdrawn,
}

impl CertificateFault {
    /// A sentence for the caller.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Missing => "No client certificate was shown when the connection was made.",
            Self::Unknown => "The client certificate of the connection is that of no app.",
            Self::Ambiguous => "The client certificate of the connection is that of several apps.",
            Self::Withdrawn => {
                "The client certificate of the connection has expired or was revoked; connect again with another one."
            }
        }
    }
}

impl From<CertificateFault> for Refusal {
    fn from(fault: CertificateFault) -> Self {
        let reason = match fault {
            CertificateFault::Missing => Reason::CredentialsMissing,
            _ => Reason::CredentialsInvalid,
        };
        Self { reason, detail: Detail::Certificate(fault) }
    }
}

/// Who is calling by certificate, or by what else was shown, where `others` says what came of that; `None` where
/// nothing else can be shown. Two credentials must be those of one app: two would say two things.
pub(crate) fn identify(
    call: &Call<'_>,
    keys: &dyn Keys,
    others: Option<Result<Identified, Refusal>>,
) -> Result<Identified, Refusal> {
    let by_certificate = || match call.certificate {
        Some(certificate) => certificate.app(keys),
        None => Err(CertificateFault::Missing),
    };
    match others {
        None => Ok(Identified::Caller(Some(by_certificate()?), Credential::Certificate)),
        Some(Err(refusal)) if refusal.reason == Reason::CredentialsMissing => {
            match by_certificate() {
                Ok(app) => Ok(Identified::Caller(Some(app), Credential::Certificate)),
                // What is missing of the others says more to who sends signatures.
                Err(CertificateFault::Missing) if refusal.detail != Detail::None => Err(refusal),
                Err(fault) => Err(fault.into()),
            }
        }
        Some(Ok(Identified::Caller(Some(app), credential))) => match by_certificate() {
            Ok(holder) if holder.name != app.name => Err(Reason::CredentialsInvalid.into()),
            Err(fault @ CertificateFault::Ambiguous) => Err(fault.into()),
            _ => Ok(Identified::Caller(Some(app), credential)),
        },
        Some(other) => other,
    }
}

#[cfg(test)]
mod tests;
