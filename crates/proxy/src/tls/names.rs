//! Names of certificates: which certificate is for which name, and whether a request may use a connection.
//!
//! Only subject alternative names count (RFC 9525 §2: the common name is not a name any more). A wildcard stands for
//! exactly one label, the leftmost. Comparisons ignore ASCII case and one trailing dot.

use std::collections::HashMap;
use std::net::IpAddr;

use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// What a certificate is for, and until when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificateNames {
    /// DNS names in lower case; `*.` first for a wildcard.
    pub dns: Vec<Box<str>>,
    /// Addresses.
    pub ips: Vec<IpAddr>,
    /// Seconds since 1970.
    pub not_before_s: i64,
    /// Seconds since 1970.
    pub not_after_s: i64,
}

impl CertificateNames {
    /// Reads them from a certificate in DER.
    pub(super) fn of(der: &[u8]) -> Result<Self, String> {
        let (_, certificate) = X509Certificate::from_der(der)
            .map_err(|_| "is not a valid X.509 certificate".to_owned())?;
        let mut names = Self {
            not_before_s: certificate.validity().not_before.timestamp(),
            not_after_s: certificate.validity().not_after.timestamp(),
            ..Self::default()
        };
        let alternative = certificate
            .subject_alternative_name()
            .map_err(|_| "has broken subject alternative names".to_owned())?;
        for name in alternative
            .map(|extension| extension.value.general_names.as_slice())
            .unwrap_or_default()
        {
            match name {
                GeneralName::DNSName(name) => names.dns.push(normal(name).into_boxed_str()),
                GeneralName::IPAddress(bytes) => names.ips.extend(ip_of(bytes)),
                _ => {}
            }
        }
        Ok(names)
    }

    /// Whether the certificate is valid for a host: a DNS name, or an address without brackets.
    pub fn cover(&self, host: &str) -> bool {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return self.ips.contains(&ip);
        }
        let host = bare(host);
        self.dns.iter().any(|name| match name.strip_prefix("*.") {
            Some(parent) => host
                .split_once('.')
                .is_some_and(|(label, rest)| !label.is_empty() && same(rest, parent)),
            None => same(host, name),
        })
    }
}

pub(super) fn ip_of(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// Which of several certificates is for a name.
#[derive(Debug, Default)]
pub(super) struct NameTable {
    exact: HashMap<Box<str>, usize>,
    /// Keyed by what follows `*.`.
    wildcard: HashMap<Box<str>, usize>,
}

/// A DNS name is at most this long (RFC 1035 §2.3.4).
const NAME_MAX: usize = 255;

impl NameTable {
    /// Of certificates in order; where two have a name, the first wins.
    pub(super) fn new(certificates: &[CertificateNames]) -> Self {
        let mut table = Self::default();
        for (at, names) in certificates.iter().enumerate() {
            for name in &names.dns {
                match name.strip_prefix("*.") {
                    Some(parent) => table.wildcard.entry(parent.into()).or_insert(at),
                    None => table.exact.entry(name.clone()).or_insert(at),
                };
            }
        }
        table
    }

    /// Exact before wildcard; `None` if no certificate has the name.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        let mut lower = [0; NAME_MAX];
        let name = bare(name);
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name.as_bytes());
        lower.make_ascii_lowercase();
        let lower = std::str::from_utf8(lower).ok()?;
        self.exact.get(lower).copied().or_else(|| {
            let (label, parent) = lower.split_once('.')?;
            self.wildcard.get(parent).copied().filter(|_| !label.is_empty())
        })
    }
}

/// Whether a request for `host` may come over a connection that was made for `sni` and shown a certificate
/// with the names `shown`. If not, it is answered 421 (RFC 9110 §7.4 and §15.5.20).
///
/// `host` is the authority without its port, an IPv6 address without brackets; case and one trailing dot do not
/// matter. The rule:
///
/// 1. With an SNI, `host` must be that name, and `shown` must be valid for it. A connection is not shared between
///    names even where one certificate has both: HTTP/2 clients that coalesce (RFC 9113 §9.1.1) get 421 and
///    open another one, and what is decided per name when a connection is made can never be got round.
/// 2. Without an SNI, a `host` that is a name must be one that `shown` is valid for.
/// 3. Without an SNI, a `host` that is an address passes: clients send no SNI for addresses (RFC 6066 §3), so there is
///    nothing to disagree with, and whether the certificate is good enough was for the client to say.
/// 4. An address as `host` with an SNI, or an empty `host`, never passes.
pub fn sni_agrees(sni: Option<&str>, host: &str, shown: &CertificateNames) -> bool {
    if host.is_empty() {
        return false;
    }
    match sni {
        Some(sni) => {
            same(bare(sni), bare(host)) && host.parse::<IpAddr>().is_err() && shown.cover(host)
        }
        None => host.parse::<IpAddr>().is_ok() || shown.cover(host),
    }
}

/// Without one trailing dot.
fn bare(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

fn normal(name: &str) -> String {
    bare(name).to_ascii_lowercase()
}
