//! A call that is asked about: how it is written, and the head that it makes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use portway_proxy::rehearsal::Asked;
use serde::{Deserialize, Serialize};

use super::instant;

/// The most bytes of a head and of a body that are asked about.
pub const HEAD_BYTES_MAX: usize = 64 << 10;
/// The most bytes of a body.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// A call to explain, as the admin listener takes it: JSON of these members.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// `GET /shop/orders/7`, or with a whole URL.
    pub call: String,
    /// `Name: value` each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
    /// The body, if it is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The app that calls, whatever its credentials are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The time to judge by (RFC 3339); now if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The address that the call comes from; the loopback address if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<IpAddr>,
    /// The text that the client signed, as it says itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<String>,
}

/// A call that can be rehearsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Method.
    pub method: String,
    /// Host and port.
    pub host: String,
    /// Path and query.
    pub target: String,
    /// Header fields but for the first `Host`.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Option<Vec<u8>>,
    /// Whether it comes through TLS.
    pub tls: bool,
    /// The app that calls.
    pub app: Option<String>,
    /// The time to judge by, in milliseconds since 1970.
    pub unix_ms: Option<u64>,
    /// Where it comes from.
    pub from: IpAddr,
    /// The text that the client signed.
    pub signed: Option<Vec<u8>>,
    head: Vec<u8>,
}

impl Ask {
    /// The call that is meant.
    ///
    /// # Errors
    /// What cannot be understood, in a sentence.
    pub fn read(&self) -> Result<Call, String> {
        let body = self.body.as_ref().map(|body| body.clone().into_bytes());
        let signed = self.signed.as_ref().map(|text| text.clone().into_bytes());
        self.read_with(body, signed)
    }

    /// The same with a body and a signed text of any bytes.
    ///
    /// # Errors
    /// What cannot be understood, in a sentence.
    pub fn read_with(
        &self,
        body: Option<Vec<u8>>,
        signed: Option<Vec<u8>>,
    ) -> Result<Call, String> {
        let Line { method, host, target, tls } = parse_line(&self.call)?;
        let mut headers = parse_headers(&self.headers)?;
        check_length(&headers, body.as_deref().unwrap_or_default())?;
        // As with curl, a given host is called whatever the URL says; a second one is for the gateway to refuse.
        let is_host = |(name, _): &(String, String)| name.eq_ignore_ascii_case("host");
        let named = headers.iter().position(is_host).map(|at| headers.remove(at).1);
        let host = named.or(host).unwrap_or_else(|| "localhost".to_owned());
        let unix_ms = self.at.as_deref().map(instant::parse).transpose()?;
        let mut call = Call {
            method,
            host,
            target,
            headers,
            body,
            tls,
            app: self.app.clone(),
            unix_ms,
            from: self.from.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            signed,
            head: Vec::new(),
        };
        call.head = call.write()?;
        Ok(call)
    }
}

impl Call {
    /// As it is rehearsed.
    pub fn asked(&self) -> Asked<'_> {
        Asked {
            head: &self.head,
            body: self.body.as_deref().unwrap_or_default(),
            peer: SocketAddr::new(self.from, 0),
            tls: self.tls,
            unix_ms: self.unix_ms,
            app: self.app.as_deref(),
        }
    }

    fn write(&self) -> Result<Vec<u8>, String> {
        let mut head =
            format!("{} {} HTTP/1.1\r\nHost: {}\r\n", self.method, self.target, self.host);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let is_framed = |name: &str| {
            name.eq_ignore_ascii_case("content-length")
                || name.eq_ignore_ascii_case("transfer-encoding")
        };
        if let Some(body) = &self.body
            && !self.headers.iter().any(|(name, _)| is_framed(name))
        {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        if head.len() > HEAD_BYTES_MAX {
            return Err(format!("the call has more than {HEAD_BYTES_MAX} bytes without its body"));
        }
        if self.body.as_ref().is_some_and(|body| body.len() > BODY_BYTES_MAX) {
            return Err(format!("the body has more than {BODY_BYTES_MAX} bytes"));
        }
        Ok(head.into_bytes())
    }
}

/// A length that is not the body's would leave open which of the two is meant.
fn check_length(headers: &[(String, String)], body: &[u8]) -> Result<(), String> {
    let is_length = |name: &str| name.eq_ignore_ascii_case("content-length");
    let given = headers.iter().filter(|(name, _)| is_length(name));
    let wrong = given
        .map(|(_, value)| value)
        .find(|value| value.parse().is_ok_and(|length: u64| length != body.len() as u64));
    match wrong {
        None => Ok(()),
        Some(value) => Err(format!(
            "Content-Length says {value} and the body has {} bytes; leave the field away, or give the body that it speaks of",
            body.len()
        )),
    }
}

/// A call in one line.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    method: String,
    host: Option<String>,
    target: String,
    tls: bool,
}

fn parse_line(text: &str) -> Result<Line, String> {
    let (method, url) = match text.trim().split_once(char::is_whitespace) {
        Some((method, url)) => (method, url.trim()),
        None => ("GET", text.trim()),
    };
    if text.chars().any(char::is_control) {
        return Err("the call has a control character in it".to_owned());
    }
    let tls = url.starts_with("https://");
    let absolute = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let (host, target) = match absolute {
        Some(rest) => {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            (Some(rest[..end].to_owned()), rest[end..].to_owned())
        }
        None => (None, url.to_owned()),
    };
    let target = target.split('#').next().unwrap_or_default();
    let target = match target {
        "*" if method == "OPTIONS" => target.to_owned(),
        "" if absolute.is_some() => "/".to_owned(),
        query if query.starts_with('?') => format!("/{query}"),
        path if path.starts_with('/') => target.to_owned(),
        _ => return Err(format!("\"{url}\" is neither a URL nor a path")),
    };
    Ok(Line { method: method.to_owned(), host, target, tls })
}

fn parse_headers(fields: &[String]) -> Result<Vec<(String, String)>, String> {
    fields
        .iter()
        .map(|field| {
            let (name, value) =
                field.split_once(':').ok_or("a header field is written 'Name: value'")?;
            let (name, value) = (name.trim(), value.trim());
            if field.chars().any(|c| c.is_control() && c != '\t') {
                return Err("a header field has a control character in it".to_owned());
            }
            if name.is_empty() {
                return Err("a header field is written 'Name: value'".to_owned());
            }
            Ok((name.to_owned(), value.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests;
