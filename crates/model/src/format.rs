//! The small grammars that have no type of their own: what `format` in the schema stands for.
//!
//! The types that are written as text bring theirs with them. Editors do not know these formats; they
//! use the `pattern` that stands beside each, which is never stricter than what is checked here.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use crate::check::host::{is_dns_name, is_host};
use crate::text::{Malformed, is_disturbing, is_token};
use crate::{
    AppCertificate, ByteSize, Duration, HostHeader, Limit, Name, Quota, RoutePattern, Share,
};

/// Checks a text against the format of that name. An unknown format takes everything.
pub(crate) fn check(format: &str, text: &str) -> Result<(), Malformed> {
    match format {
        "portway-name" => text.parse::<Name>().map(drop),
        "portway-limit" => text.parse::<Limit>().map(drop),
        "portway-quota" => text.parse::<Quota>().map(drop),
        "portway-duration" => text.parse::<Duration>().map(drop),
        "portway-share" => text.parse::<Share>().map(drop),
        "portway-size" => text.parse::<ByteSize>().map(drop),
        "portway-route" => text.parse::<RoutePattern>().map(drop),
        "portway-host-header" => text.parse::<HostHeader>().map(drop),
        "portway-url" => url(text),
        "portway-collector" => collector(text),
        "portway-host" => host(text),
        "portway-sni" => sni(text),
        "portway-path" => path(text),
        "portway-prefix" => prefix(text),
        "portway-address" => address(text),
        "portway-admin" => admin(text),
        "portway-network" => network(text),
        "portway-sha256" => sha256(text),
        "portway-san-dns" | "portway-san-uri" | "portway-san-email" | "portway-san-ip" => {
            san(format, text)
        }
        "portway-origin" => origin(text),
        "portway-header" => token(text, "the name of a header"),
        "portway-header-value" => header_value(text),
        "portway-cookie" => token(text, "the name of a cookie"),
        "portway-internal-host" => internal_host(text),
        "portway-method" => method(text),
        "portway-parameter" => parameter(text),
        "portway-key-id" => key_id(text),
        "portway-component" => component(text),
        "portway-variable" => variable(text),
        "portway-file" => file(text),
        "portway-media-type" => media_type(text),
        "portway-extension" => extension(text),
        _ => Ok(()),
    }
}

/// The address of a target: scheme, host, optional port, optional base path; nothing else.
fn url(text: &str) -> Result<(), Malformed> {
    const WHAT: &str = "the address of a target";
    let wrong = |why: &str, fix: String| Err(Malformed::new(&without_user(text), WHAT, why, fix));
    let Some((scheme, rest)) = text.split_once("://") else {
        let fix = if is_port(text) {
            format!("write http://HOST:{text}")
        } else if is_authority(text) {
            format!("write http://{text}")
        } else {
            "write for example http://10.0.0.7:8000".to_owned()
        };
        return wrong("it has no scheme", fix);
    };
    if !matches!(scheme, "http" | "https" | "http+srv") {
        let fix = match scheme.to_ascii_lowercase().as_str() {
            "http" => format!("write http://{}", without_user(rest)),
            "https" => format!("write https://{}", without_user(rest)),
            "h2c" | "grpc" => "write http:// and set \"protocol: http2\"".to_owned(),
            "h2" | "grpcs" => "write https:// and set \"protocol: http2\"".to_owned(),
            "ws" => "write http://; WebSockets pass through".to_owned(),
            "wss" => "write https://; WebSockets pass through".to_owned(),
            _ => String::new(),
        };
        return wrong("the scheme is one of http, https, http+srv", fix);
    }
    if text.chars().any(|c| c.is_whitespace() || is_disturbing(c)) {
        return wrong("it has a space or a control character in it", String::new());
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return wrong(
            "it has a user in it",
            "use \"credentials: [ basic: { user, password } ]\" of the backend".to_owned(),
        );
    }
    if path.contains(['?', '#']) {
        return wrong(
            "it has a query or a fragment; only a base path can follow the host",
            String::new(),
        );
    }
    if !is_authority(authority) {
        return wrong(
            "after the scheme comes a host name or an IP address (IPv6 in brackets), and perhaps a port from 1 to 65535",
            String::new(),
        );
    }
    if scheme == "http+srv"
        && authority.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'))
    {
        return wrong(
            "it has a port, but ports come from the SRV records",
            "leave the port out".to_owned(),
        );
    }
    if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return wrong("its path has \".\" or \"..\" in it", String::new());
    }
    Ok(())
}

/// The address of a collector: like a target's, but that there is nothing to look up by service.
fn collector(text: &str) -> Result<(), Malformed> {
    url(text)?;
    if text.starts_with("http+srv:") {
        let why = "the scheme is http or https";
        return Err(Malformed::new(text, "the address of a collector", why, ""));
    }
    Ok(())
}

/// What stands before the `@` of an address: a user, and perhaps a password.
pub(crate) fn user_part(text: &str) -> Option<&str> {
    let end = text.rfind('@')?;
    let start = text.find("://").map_or(0, |at| at + 3);
    text.get(start..end).filter(|user| !user.is_empty())
}

/// The text without its user part.
fn without_user(text: &str) -> String {
    user_part(text).map_or_else(|| text.to_owned(), |user| text.replace(user, "…"))
}

/// Whether a text is a host and perhaps a port (RFC 9110 section 7.2).
pub(crate) fn is_authority(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    port.is_none_or(is_port) && is_host(host)
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
        && text.parse::<u16>().is_ok_and(|port| port != 0)
}

/// A public host: a name, an address, or `*.` and a name.
fn host(text: &str) -> Result<(), Malformed> {
    let wrong = |why: &str, fix: String| Err(Malformed::new(text, "a public host", why, fix));
    if text.contains("://") {
        let name = text
            .split("://")
            .nth(1)
            .unwrap_or_default()
            .split(['/', ':'])
            .next()
            .unwrap_or_default();
        return wrong(
            "it has a scheme",
            if is_dns_name(name) { format!("write {name}") } else { String::new() },
        );
    }
    if text == "*" {
        return wrong(
            "a star alone is not needed",
            "leave \"hosts\" out: the service then answers on every host".to_owned(),
        );
    }
    if let Some((name, port)) = text.split_once(':')
        && is_dns_name(name)
        && is_port(port)
    {
        return wrong(
            "a port does not belong to it: it counts for every port",
            format!("write {name}"),
        );
    }
    if text.contains('/') {
        return wrong("it has a path", "put the path into \"path\"".to_owned());
    }
    let name = text.strip_prefix("*.").unwrap_or(text);
    if name.contains('*') {
        return wrong(
            "a star can only be the whole first label",
            "write for example *.example.com".to_owned(),
        );
    }
    if !is_host(name) {
        return wrong(
            "a host name has labels of 1–63 letters, digits and \"-\" with dots between them",
            String::new(),
        );
    }
    Ok(())
}

/// A media type, or all of a kind; without parameters.
fn media_type(text: &str) -> Result<(), Malformed> {
    let wrong = |why: &str, fix: &str| Err(Malformed::new(text, "a media type", why, fix));
    match text.split_once('/') {
        Some((kind, name)) if is_token(kind) && is_token(name) && kind != "*" => Ok(()),
        Some(("*", _)) => wrong("a kind must be named", "leave the list out to take any"),
        _ if text.contains(';') => wrong("it has parameters", "leave out what follows the \";\""),
        _ => wrong("it has two words with a \"/\" between them", "write for example image/png"),
    }
}

/// The extension of a file's name.
fn extension(text: &str) -> Result<(), Malformed> {
    let wrong = |why: &str, fix: String| Err(Malformed::new(text, "an extension", why, fix));
    if let Some(name) = text.strip_prefix('.').or_else(|| text.strip_prefix("*.")) {
        return wrong("the dot does not belong to it", format!("write {name}"));
    }
    if text.is_empty() || !text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_')) {
        return wrong("it has letters and digits only", String::new());
    }
    Ok(())
}

/// A name for SNI: never an address (RFC 6066 section 3), never a wildcard.
fn sni(text: &str) -> Result<(), Malformed> {
    if is_dns_name(text) && text.parse::<IpAddr>().is_err() {
        return Ok(());
    }
    Err(Malformed::new(text, "a name for TLS", "it is a DNS name, without a port", ""))
}

/// An absolute path without parameters, query and fragment.
fn path(text: &str) -> Result<(), Malformed> {
    let wrong = |why: &str, fix: String| Err(Malformed::new(text, "a path", why, fix));
    if !text.starts_with('/') {
        let fix = if text.contains(['?', '#', ':', ' ']) {
            String::new()
        } else {
            format!("write /{text}")
        };
        return wrong("it does not begin with \"/\"", fix);
    }
    if text.chars().any(|c| c.is_whitespace() || is_disturbing(c) || c == '\\') {
        return wrong("it has a space, a backslash or a control character in it", String::new());
    }
    Ok(())
}

/// The public prefix of a service.
fn prefix(text: &str) -> Result<(), Malformed> {
    path(text)?;
    let wrong = |why: &str, fix: String| Err(Malformed::new(text, "a public prefix", why, fix));
    if text.contains(['?', '#']) {
        return wrong("it has a query or a fragment", String::new());
    }
    if text.contains(['{', '}', '*']) {
        return wrong(
            "it is taken as it stands and cannot have parameters or stars",
            "use \"routes\" for patterns".to_owned(),
        );
    }
    if text[1..].split('/').rev().skip(1).any(str::is_empty)
        || text.split('/').any(|segment| matches!(segment, "." | ".."))
    {
        return wrong(
            "it has an empty segment, \".\" or \"..\", which can never be asked for",
            String::new(),
        );
    }
    Ok(())
}

/// Where to listen: an IP address and a port.
fn address(text: &str) -> Result<(), Malformed> {
    const WHAT: &str = "an address to listen on";
    if text.parse::<SocketAddr>().is_ok() {
        return Ok(());
    }
    let wrong = |why: &str, fix: String| Err(Malformed::new(text, WHAT, why, fix));
    if is_port(text) || text.strip_prefix(':').is_some_and(is_port) {
        let port = text.trim_start_matches(':');
        return wrong(
            "the address is missing",
            format!(
                "write 127.0.0.1:{port} for this machine only, or 0.0.0.0:{port} for everybody"
            ),
        );
    }
    if let Some(port) = text.strip_prefix("localhost:").filter(|port| is_port(port)) {
        return wrong("names are not resolved here", format!("write 127.0.0.1:{port}"));
    }
    if let Some(port) = text.strip_prefix("*:").filter(|port| is_port(port)) {
        return wrong("\"*\" is not an address", format!("write 0.0.0.0:{port}"));
    }
    if text.parse::<IpAddr>().is_ok() {
        let fix = if text.contains(':') {
            format!("write [{text}]:8080")
        } else {
            format!("write {text}:8080")
        };
        return wrong("the port is missing", fix);
    }
    wrong(
        "it is an IP address and a port",
        "write for example 0.0.0.0:8080 or [::]:8080".to_owned(),
    )
}

fn admin(text: &str) -> Result<(), Malformed> {
    if text == "off" {
        return Ok(());
    }
    if matches!(text, "no" | "none" | "false" | "never" | "") {
        return Err(Malformed::new(
            text,
            "an address to listen on",
            "it is an IP address and a port, or off",
            "write off",
        ));
    }
    address(text).map_err(|wrong| Malformed {
        message: wrong.message,
        fix: if wrong.fix.is_empty() { "or write off".to_owned() } else { wrong.fix },
    })
}

/// An IP address, or a network in CIDR form.
fn network(text: &str) -> Result<(), Malformed> {
    if text.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    let wrong =
        |why: &str, fix: String| Err(Malformed::new(text, "an address or a network", why, fix));
    match text.parse::<IpNet>() {
        Ok(network) if network.trunc() != network => wrong(
            "the address has bits set beyond the prefix",
            format!("write {}", network.trunc()),
        ),
        Ok(_) => Ok(()),
        Err(_) => wrong("it is an IP address or a network such as 10.0.0.0/8", String::new()),
    }
}

/// A name as a certificate has it.
fn san(format: &str, text: &str) -> Result<(), Malformed> {
    let name = text.to_owned();
    let (name, what, fix) = match format {
        "portway-san-dns" => (
            AppCertificate::Dns(name),
            "a DNS name of a certificate",
            "write it whole, as ASCII (xn--…), without a wildcard and without a dot at the end",
        ),
        "portway-san-uri" => (
            AppCertificate::Uri(name),
            "a URI of a certificate",
            "write it as it stands in the certificate, such as spiffe://example.org/billing",
        ),
        "portway-san-email" => (
            AppCertificate::Email(name),
            "an email address of a certificate",
            "write for example ops@example.org",
        ),
        _ => (AppCertificate::Ip(name), "an IP address", "write for example 192.0.2.7"),
    };
    match name.canonical() {
        Some(_) => Ok(()),
        None => Err(Malformed::new(text, what, "nothing could ever be equal to it", fix)),
    }
}

/// Never shows the text: it may be the key itself.
fn sha256(text: &str) -> Result<(), Malformed> {
    const DIGITS: usize = 64;
    let digits = text.chars().filter(char::is_ascii_hexdigit).count();
    if text.len() == DIGITS && digits == DIGITS {
        return Ok(());
    }
    Err(Malformed {
        message: format!(
            "this is not a SHA-256: it has 64 hexadecimal digits, and here are {} characters",
            text.chars().count()
        ),
        fix: "make one with: printf %s KEY | sha256sum; of a certificate: openssl x509 -in CERT -outform der | sha256sum".to_owned(),
    })
}

/// An origin of a browser: scheme, host, optional port; or `*`, or `https://*.example.com`.
fn origin(text: &str) -> Result<(), Malformed> {
    if text == "*" {
        return Ok(());
    }
    let wrong = |why: &str, fix: String| Err(Malformed::new(text, "an origin", why, fix));
    let Some((scheme, authority)) = text.split_once("://") else {
        let fix = if is_authority(text) { format!("write https://{text}") } else { String::new() };
        return wrong("it is a scheme, a host and perhaps a port", fix);
    };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte)
        });
    if !is_scheme {
        return wrong("its scheme is written in small letters", String::new());
    }
    if let Some((host, _)) = authority.split_once('/') {
        return wrong("an origin has no path, not even \"/\"", format!("write {scheme}://{host}"));
    }
    let host = authority.strip_prefix("*.").unwrap_or(authority);
    if !is_authority(host) || host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return wrong(
            "after the scheme comes a host in small letters, and perhaps a port",
            String::new(),
        );
    }
    Ok(())
}

fn token(text: &str, what: &str) -> Result<(), Malformed> {
    if is_token(text) {
        Ok(())
    } else {
        Err(Malformed::new(
            text,
            what,
            "it has letters, digits and a few signs, no spaces and no colon",
            "",
        ))
    }
}

/// The value of a header field as a document may set it: visible characters of ASCII, with spaces between them.
fn header_value(text: &str) -> Result<(), Malformed> {
    let wrong = |why: &str| Err(Malformed::new(text, "the value of a header", why, ""));
    if text.is_empty() || text.trim_matches([' ', '\t']).len() != text.len() {
        return wrong("it is empty, or has a space at an end");
    }
    if !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return wrong("it has a control character or a letter beyond ASCII in it");
    }
    Ok(())
}

/// A host that callers are not to see: a name, `*.` and a name, an address, or a network.
fn internal_host(text: &str) -> Result<(), Malformed> {
    if text.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    if text.parse::<IpNet>().is_ok() {
        return network(text);
    }
    host(text).map_err(|wrong| Malformed {
        message: wrong.message.replace("a public host", "an internal host"),
        fix: if text == "*" {
            "name the hosts; \"*.corp.example\" is every name below".to_owned()
        } else if text.contains('/') {
            "write the host alone, or a network such as 10.0.0.0/8".to_owned()
        } else {
            wrong.fix
        },
    })
}

fn method(text: &str) -> Result<(), Malformed> {
    token(text, "a method")?;
    if text != text.to_ascii_uppercase() {
        let fix = format!("write {}", text.to_ascii_uppercase());
        return Err(Malformed::new(text, "a method", "methods are written in upper case", fix));
    }
    Ok(())
}

fn parameter(text: &str) -> Result<(), Malformed> {
    let fits = !text.is_empty()
        && !text
            .chars()
            .any(|c| c.is_whitespace() || is_disturbing(c) || matches!(c, '&' | '=' | '#' | '/'));
    if fits {
        Ok(())
    } else {
        Err(Malformed::new(
            text,
            "the name of a parameter",
            "it is empty, or has a character that such a name cannot have",
            "",
        ))
    }
}

/// What can be covered by a signature: a derived component of a request that is known, or a header.
fn component(text: &str) -> Result<(), Malformed> {
    const DERIVED: [&str; 7] =
        ["@method", "@authority", "@scheme", "@path", "@query", "@target-uri", "@request-target"];
    if !text.starts_with('@') {
        return token(text, "the name of a header");
    }
    if DERIVED.contains(&text) {
        return Ok(());
    }
    let fix = format!("write one of {}", DERIVED.join(", "));
    Err(Malformed::new(text, "a part of a request that can be signed", "it is not known", fix))
}

/// Never shows the text: it may be the secret itself, in the wrong place.
fn key_id(text: &str) -> Result<(), Malformed> {
    const CHARS_MAX: usize = 128;
    let fits = (1..=CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if fits {
        return Ok(());
    }
    Err(Malformed {
        message: format!(
            "this is not the id of a key pair: it has 1 to {CHARS_MAX} letters, digits, \".\", \"_\" and \"-\""
        ),
        fix: String::new(),
    })
}

/// Never shows the text: it may be the secret itself.
fn variable(text: &str) -> Result<(), Malformed> {
    let fits = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if fits {
        return Ok(());
    }
    Err(Malformed {
        message: "this is not the name of an environment variable: it has letters, digits and \"_\" and does not begin with a digit".to_owned(),
        fix: "write the name of the variable, not what is in it".to_owned(),
    })
}

fn file(text: &str) -> Result<(), Malformed> {
    if text.trim().is_empty() {
        return Err(Malformed {
            message: "the name of the file is empty".to_owned(),
            fix: String::new(),
        });
    }
    if text.contains('\0') {
        return Err(Malformed {
            message: "the name of the file has a NUL in it".to_owned(),
            fix: String::new(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
