//! `Set-Cookie`, read as browsers do (RFC 6265bis §5.6): parts between semicolons, whatever quotes stand there.

use portway_model::{Cookies, SameSite, Secure};

use super::{Fate, Mask, Public};

/// Longer values of attributes are ignored by browsers (RFC 6265bis §5.6, step 6).
const ATTRIBUTE_BYTES_MAX: usize = 1_024;

/// Which attributes a cookie has.
#[derive(Default)]
struct Has {
    secure: bool,
    http_only: bool,
    same_site: bool,
}

/// Writes a cookie as callers must see it.
pub(super) fn rewrite(
    mask: Option<&Mask>,
    cookies: Option<&Cookies>,
    public: &Public<'_>,
    value: &[u8],
    out: &mut Vec<u8>,
) -> Fate {
    let start = out.len();
    let mut parts = value.split(|byte| *byte == b';');
    let pair = parts.next().unwrap_or_default();
    let (name, content) = split_pair(pair);
    // Browsers ignore what has neither a name nor a value.
    if name.is_empty() && content.is_empty() {
        return Fate::Keep;
    }
    out.extend_from_slice(pair);
    let mut has = Has::default();
    let mut changed = false;
    for part in parts {
        let (attribute, content) = split_attribute(part);
        let is = |name: &[u8]| attribute.eq_ignore_ascii_case(name);
        if content.len() <= ATTRIBUTE_BYTES_MAX {
            has.secure |= is(b"secure");
            has.http_only |= is(b"httponly");
            has.same_site |= is(b"samesite");
        }
        if let Some(mask) = mask {
            if is(b"domain") && mask.hides_domain(public, content) {
                changed = true;
                continue;
            }
            if is(b"path") && !is_bound_to_root(name) && content.first() == Some(&b'/') {
                let before = out.len();
                out.extend_from_slice(b"; Path=");
                if mask.cookie_path(content, out) {
                    changed = true;
                    continue;
                }
                out.truncate(before);
            }
        }
        out.push(b';');
        out.extend_from_slice(part);
    }
    changed |= cookies.is_some_and(|cookies| harden(cookies, public.tls, name, &has, out));
    if changed {
        Fate::Rewritten
    } else {
        out.truncate(start);
        Fate::Keep
    }
}

/// Adds what a cookie lacks.
fn harden(cookies: &Cookies, tls: bool, name: &[u8], has: &Has, out: &mut Vec<u8>) -> bool {
    let listed = |names: &[String]| names.iter().any(|known| known.as_bytes() == name);
    if listed(&cookies.except) {
        return false;
    }
    let start = out.len();
    let wants_secure = match cookies.secure {
        Secure::Tls => tls,
        Secure::Always => true,
        Secure::Never => false,
    };
    if wants_secure && !has.secure {
        out.extend_from_slice(b"; Secure");
    }
    if cookies.http_only && !has.http_only && !listed(&cookies.readable) {
        out.extend_from_slice(b"; HttpOnly");
    }
    if !has.same_site {
        out.extend_from_slice(match cookies.same_site {
            SameSite::Lax => b"; SameSite=Lax",
            SameSite::Strict => b"; SameSite=Strict",
            SameSite::Off => b"",
        });
    }
    out.len() > start
}

/// `__Host-` cookies have `Path=/`, or are refused (RFC 6265bis §4.1.3.2); so have those of the later `__Host-Http-`.
fn is_bound_to_root(name: &[u8]) -> bool {
    name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"__Host-"))
}

/// Name and value of a cookie. Without `=`, all is value.
fn split_pair(pair: &[u8]) -> (&[u8], &[u8]) {
    match pair.iter().position(|byte| *byte == b'=') {
        Some(at) => (trim(&pair[..at]), trim(&pair[at + 1..])),
        None => (b"", trim(pair)),
    }
}

/// Name and value of an attribute. Without `=`, all is name.
fn split_attribute(part: &[u8]) -> (&[u8], &[u8]) {
    match part.iter().position(|byte| *byte == b'=') {
        Some(at) => (trim(&part[..at]), trim(&part[at + 1..])),
        None => (trim(part), b""),
    }
}

fn trim(text: &[u8]) -> &[u8] {
    text.trim_ascii()
}

impl Mask {
    /// Whether a cookie's domain is one that callers are not to see. It is left out, not replaced: the cookie then
    /// belongs to the public host alone, and not to all hosts below it.
    fn hides_domain(&self, public: &Public<'_>, domain: &[u8]) -> bool {
        let domain = domain.strip_prefix(b".").unwrap_or(domain);
        let host = public.host();
        let is_public = host.len() >= domain.len()
            && host[host.len() - domain.len()..].eq_ignore_ascii_case(domain)
            && (host.len() == domain.len() || host[host.len() - domain.len() - 1] == b'.');
        !is_public && self.hosts.has_domain(domain)
    }

    /// Writes the public path of a cookie; false if it is public already.
    fn cookie_path(&self, path: &[u8], out: &mut Vec<u8>) -> bool {
        if path == b"/" && !self.prefix.is_empty() {
            // `/shop/` would not be sent with a call to `/shop`.
            out.extend_from_slice(self.prefix.as_bytes());
            return true;
        }
        self.rooted(path, out)
    }
}
