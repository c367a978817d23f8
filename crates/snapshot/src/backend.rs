//! Where calls go, with addresses taken apart.
//!
//! The document's settings (balance, time limits, retries, …) are kept as they were written; this adds
//! what must not be worked out for every call. Names are resolved and connections made elsewhere.

use std::fmt;
use std::net::Ipv6Addr;

use crate::canonical::canonical_path;

/// A backend.
#[derive(Debug)]
pub struct Backend {
    /// Stable name by which its state is kept: the service's, or `service/operation`.
    pub key: Box<str>,
    /// Its addresses.
    pub targets: Vec<Target>,
    /// Its document: how a target is chosen, time limits, retries, checks, TLS and the rest.
    pub document: portway_model::Backend,
    /// The most bytes of an answer's head.
    pub head_bytes: usize,
    /// Folder of the document that it stands in, as the user knows it, with a slash at its end (empty for the
    /// working directory): what its TLS files are relative to.
    pub files: Box<str>,
}

/// One address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Whether it is spoken to through TLS.
    pub https: bool,
    /// Whether `host` is to be asked for SRV records, which name hosts and ports.
    pub srv: bool,
    /// Name or address; IPv6 without brackets.
    pub host: Box<str>,
    /// Port; the scheme's own if none was written. Means nothing for SRV.
    pub port: u16,
    /// Put before every path; without a slash at its end, empty for none.
    pub base_path: Box<str>,
    /// Share of the traffic.
    pub weight: u32,
    /// What `Host` says if it is the target's: the host, with its port where that is not the scheme's own.
    pub host_header: Box<str>,
}

/// Why a text is no target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetFault {
    /// Not `http://`, `https://`, `http+srv://` or `https+srv://`.
    Scheme,
    /// A user or password in it.
    User,
    /// No host, or none that could be one.
    Host,
    /// Not a port.
    Port,
    /// A query or fragment.
    Query,
    /// A path that is not canonical.
    Path,
}

impl fmt::Display for TargetFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TargetFault::Scheme => {
                "it begins with none of `http://`, `https://`, `http+srv://` and `https+srv://`"
            }
            TargetFault::User => "it has a user in it; use `credentials`",
            TargetFault::Host => "it has no usable host",
            TargetFault::Port => "its port is not a number from 1 to 65535",
            TargetFault::Query => "it has a query or a fragment, which a target cannot have",
            TargetFault::Path => "its path is not in canonical form",
        })
    }
}

impl std::error::Error for TargetFault {}

impl Target {
    /// Takes an address apart.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(url: &str, weight: u32) -> Result<Target, TargetFault> {
        let (scheme, rest) = url.split_once("://").ok_or(TargetFault::Scheme)?;
        let (https, srv) = match scheme.to_ascii_lowercase().as_str() {
            "http" => (false, false),
            "https" => (true, false),
            "http+srv" => (false, true),
            "https+srv" => (true, true),
            _ => return Err(TargetFault::Scheme),
        };
        if rest.contains(['?', '#']) {
            return Err(TargetFault::Query);
        }
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        if authority.contains('@') {
            return Err(TargetFault::User);
        }
        let (host, port) = host_and_port(authority)?;
        let default_port = if https { 443 } else { 80 };
        let shown = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let host_header = match port {
            Some(port) if port != default_port => format!("{shown}:{port}"),
            _ => shown,
        };
        Ok(Target {
            https,
            srv,
            host: host.into(),
            port: port.unwrap_or(default_port),
            base_path: base_path(path)?,
            weight,
            host_header: host_header.into(),
        })
    }
}

fn base_path(path: &str) -> Result<Box<str>, TargetFault> {
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        return Ok(Box::from(""));
    }
    let mut out = String::new();
    let path = canonical_path(path.as_bytes(), &mut out).map_err(|_| TargetFault::Path)?;
    Ok(path.as_str().into())
}

fn host_and_port(authority: &str) -> Result<(String, Option<u16>), TargetFault> {
    if let Some(inner) = authority.strip_prefix('[') {
        let (address, rest) = inner.split_once(']').ok_or(TargetFault::Host)?;
        address.parse::<Ipv6Addr>().map_err(|_| TargetFault::Host)?;
        let port = match rest.strip_prefix(':') {
            Some(port) => Some(parse_port(port)?),
            None if rest.is_empty() => None,
            None => return Err(TargetFault::Host),
        };
        return Ok((address.to_ascii_lowercase(), port));
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(parse_port(port)?)),
        None => (authority, None),
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_name = !host.is_empty()
        && host.len() <= 253
        && host.split('.').all(|label| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        });
    if is_name { Ok((host.to_ascii_lowercase(), port)) } else { Err(TargetFault::Host) }
}

fn parse_port(text: &str) -> Result<u16, TargetFault> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if digits && port > 0 => Ok(port),
        _ => Err(TargetFault::Port),
    }
}

#[cfg(test)]
mod tests;
