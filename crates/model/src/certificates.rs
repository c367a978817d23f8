//! Client certificates: whom a listener lets show one, and which app a certificate stands for.
//!
//! A name of a document and a name in a certificate are compared in one canonical form, [`AppCertificate::canonical`];
//! a name that has none is nobody's. Certificates themselves are read elsewhere.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::check::host::is_dns_name;
use crate::shape;

/// Client certificates of a listener: who may have signed them, and what was revoked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "client certificates of a listener")]
pub struct ClientCertificates {
    /// PEM file of the authorities whose certificates count, relative to the document; several can stand in it. Your own authority,
    /// never a public one, which signs for everybody. Read again when it changes, as the lists are.
    #[schemars(extend("format" = "portway-file"))]
    pub ca: String,
    /// Revocation lists, PEM or DER, relative to the document. Default: none, so that nothing is ever revoked. With one, every
    /// authority of a chain needs its own: a certificate of which no list tells is refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("items" = { "type": "string", "format": "portway-file" }))]
    pub crl: Vec<String>,
    /// What counts when a list is older than it says it may be (`nextUpdate`). Default `deny`.
    #[serde(default, skip_serializing_if = "shape::is_default")]
    pub crl_stale: CrlStale,
    /// `true` refuses connections without a certificate. Default false: such a connection stands, and services
    /// with `auth: [mtls]` refuse its calls.
    #[serde(default, skip_serializing_if = "shape::is_default")]
    pub required: bool,
}

/// What becomes of certificates whose revocation list is out of date.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "stale revocation list")]
pub enum CrlStale {
    /// They are refused.
    #[default]
    Deny,
    /// The old list goes on counting.
    Allow,
}

/// A certificate that stands for an app: by one of its subject alternative names, whole and exact, or by its SHA-256.
/// The subject's common name never counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(title = "certificate of an app")]
pub enum AppCertificate {
    /// A DNS name. No wildcard on either side; case does not matter.
    Dns(
        #[schemars(extend(
            "format" = "portway-san-dns",
            "pattern" = "^[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*$"
        ))]
        String,
    ),
    /// A URI such as a SPIFFE ID, byte for byte.
    Uri(
        #[schemars(extend("format" = "portway-san-uri", "examples" = ["spiffe://example.org/billing"]))]
        String,
    ),
    /// An address of electronic mail. Case matters before the `@` only.
    Email(#[schemars(extend("format" = "portway-san-email"))] String),
    /// An IP address.
    Ip(#[schemars(extend("format" = "portway-san-ip"))] String),
    /// SHA-256 of the certificate, 64 hexadecimal digits: `openssl x509 -in CERT -outform der | sha256sum`.
    Sha256(
        #[schemars(extend("format" = "portway-sha256", "pattern" = "^[0-9a-fA-F]{64}$"))] String,
    ),
}

impl AppCertificate {
    /// The form in which two that mean the same are the same; `None` for what stands for nobody: wildcards, names with a
    /// dot at the end, with characters that do not belong there, or longer than names can be.
    pub fn canonical(&self) -> Option<Self> {
        match self {
            Self::Dns(name) if is_dns_name(name) && !name.ends_with('.') => {
                Some(Self::Dns(name.to_ascii_lowercase()))
            }
            Self::Uri(uri) if is_uri(uri) => Some(self.clone()),
            Self::Email(address) => {
                let (local, host) = address.rsplit_once('@')?;
                let fits = is_local_part(local) && is_dns_name(host) && !host.ends_with('.');
                fits.then(|| Self::Email(format!("{local}@{}", host.to_ascii_lowercase())))
            }
            Self::Ip(address) => {
                let address = address.parse::<std::net::IpAddr>().ok()?;
                Some(Self::Ip(address.to_string()))
            }
            Self::Sha256(digits)
                if digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
            {
                Some(Self::Sha256(digits.to_ascii_lowercase()))
            }
            Self::Dns(_) | Self::Uri(_) | Self::Sha256(_) => None,
        }
    }

    /// Kind and text.
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Dns(text) => ("dns", text),
            Self::Uri(text) => ("uri", text),
            Self::Email(text) => ("email", text),
            Self::Ip(text) => ("ip", text),
            Self::Sha256(text) => ("sha256", text),
        }
    }
}

/// The most bytes of a URI (the SPIFFE ID specification §2.3 says the same).
const URI_BYTES_MAX: usize = 2_048;

/// A scheme, `:` and something, all of it visible ASCII.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme
        && !rest.is_empty()
        && text.len() <= URI_BYTES_MAX
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// RFC 5321 §4.5.3.1.1 for the length.
fn is_local_part(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'@' && byte != b'"')
}

#[cfg(test)]
mod tests;
