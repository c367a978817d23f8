//! Cross-origin calls from browsers (WHATWG Fetch, §3.2 CORS protocol).
//!
//! Decisions that a reader may look for:
//! - A preflight from an origin that may not call is refused with 403, without any CORS field. The browser would
//!   block the page either way; a status says why to whoever looks at the network panel.
//! - A *call* from such an origin goes through without CORS fields: `Origin` also stands in calls that are not
//!   cross-origin, and CORS protects the page's user, not the API. Keys and limits protect the API.
//! - Unless every origin may call, answers carry `Vary: Origin` whether or not the call had an origin, so that a
//!   cache never gives one page's permission to another.
//! - Credentials are never allowed together with `*`.
//! - `Access-Control-Request-Private-Network` is not answered: a public API is not a way into a private network.

use portway_model as model;

use crate::shape::is_token;

/// Names of headers that a preflight may ask for, in bytes; more are not echoed.
const ASKED_BYTES_MAX: usize = 4_096;
/// How long a browser may remember a preflight unless told otherwise.
const MAX_AGE_S: u64 = 600;

/// What a service allows, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    origins: Origins,
    methods: Option<Box<str>>,
    headers: Option<Box<str>>,
    expose: Option<Box<str>>,
    credentials: bool,
    max_age: Box<str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Origins {
    Any,
    Of { exact: Vec<Box<str>>, below: Vec<Below> },
}

/// `https://*.example.com:8443`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Below {
    /// `https://`
    start: Box<str>,
    /// `.example.com:8443`
    end: Box<str>,
}

/// Fields to add to an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CorsAnswer<'a> {
    /// `Access-Control-Allow-Origin`.
    pub allow_origin: Option<&'a str>,
    /// `Access-Control-Allow-Credentials: true`.
    pub allow_credentials: bool,
    /// `Access-Control-Expose-Headers`.
    pub expose: Option<&'a str>,
    /// `Vary: Origin`, in addition to what the answer varies by already.
    pub vary_origin: bool,
}

impl CorsAnswer<'_> {
    /// Each field, name and value.
    pub fn each(&self, mut see: impl FnMut(&'static str, &str)) {
        if let Some(origin) = self.allow_origin {
            see("Access-Control-Allow-Origin", origin);
            if self.allow_credentials {
                see("Access-Control-Allow-Credentials", "true");
            }
            if let Some(expose) = self.expose {
                see("Access-Control-Expose-Headers", expose);
            }
        }
        if self.vary_origin {
            see("Vary", "Origin");
        }
    }
}

/// Answer to a preflight that may be answered: status 204 with these fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preflight {
    /// Name and value.
    pub fields: Vec<(&'static str, String)>,
}

impl Cors {
    /// From the document.
    pub fn compile(document: &model::Cors) -> Self {
        let origins = Origins::compile(&document.origins);
        Self {
            credentials: document.credentials && origins != Origins::Any,
            origins,
            methods: document.methods.as_deref().map(list),
            headers: document.headers.as_deref().map(list),
            expose: Some(list(&document.expose)).filter(|list| !list.is_empty()),
            max_age: document
                .max_age
                .map_or(MAX_AGE_S, |age| age.as_ms() / 1_000)
                .to_string()
                .into(),
        }
    }

    /// What an answer to a call with this `Origin` gets.
    pub fn answer<'a>(&'a self, origin: Option<&'a [u8]>) -> CorsAnswer<'a> {
        CorsAnswer {
            allow_origin: origin.and_then(|origin| self.allowed(origin)),
            allow_credentials: self.credentials,
            expose: self.expose.as_deref(),
            vary_origin: self.origins != Origins::Any,
        }
    }

    /// Answers a preflight: `OPTIONS` with `Origin`, `Access-Control-Request-Method`, and perhaps
    /// `Access-Control-Request-Headers`. `allowed_methods` are those of the path asked for, as in `Allow`.
    /// `None`: refuse with [`crate::Reason::OriginNotAllowed`].
    ///
    /// A method or header that is not allowed is answered with the list of those that are; the browser then
    /// blocks the call and names what was missing.
    pub fn preflight(
        &self,
        origin: &[u8],
        request_headers: Option<&[u8]>,
        allowed_methods: &str,
    ) -> Option<Preflight> {
        let origin = self.allowed(origin)?;
        let mut fields = vec![("Access-Control-Allow-Origin", origin.to_owned())];
        if self.credentials {
            fields.push(("Access-Control-Allow-Credentials", "true".to_owned()));
        }
        let methods = self.methods.as_deref().unwrap_or(allowed_methods);
        fields.push(("Access-Control-Allow-Methods", methods.to_owned()));
        let headers = self.headers.as_deref().or_else(|| request_headers.and_then(asked_headers));
        if let Some(headers) = headers.filter(|headers| !headers.is_empty()) {
            fields.push(("Access-Control-Allow-Headers", headers.to_owned()));
        }
        fields.push(("Access-Control-Max-Age", self.max_age.clone().into()));
        let vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
        fields.push(("Vary", vary.to_owned()));
        Some(Preflight { fields })
    }

    /// Value of `Access-Control-Allow-Origin` for this origin, if it may call.
    fn allowed<'a>(&'a self, origin: &'a [u8]) -> Option<&'a str> {
        match &self.origins {
            Origins::Any => Some("*"),
            Origins::Of { exact, below } => {
                let origin = std::str::from_utf8(origin).ok()?;
                let known = exact.iter().any(|known| known.eq_ignore_ascii_case(origin))
                    || below.iter().any(|below| below.takes(origin));
                known.then_some(origin)
            }
        }
    }
}

impl Origins {
    fn compile(origins: &[String]) -> Self {
        let (mut exact, mut below) = (Vec::new(), Vec::new());
        for origin in origins {
            match origin.split_once("://*.") {
                _ if origin == "*" => return Self::Any,
                Some((scheme, host)) => {
                    below.push(Below {
                        start: format!("{scheme}://").into(),
                        end: format!(".{host}").into(),
                    });
                }
                None => exact.push(origin.as_str().into()),
            }
        }
        Self::Of { exact, below }
    }
}

impl Below {
    /// Whether an origin is one or more labels below.
    fn takes(&self, origin: &str) -> bool {
        let Some((start, rest)) = origin.split_at_checked(self.start.len()) else { return false };
        let Some(middle) = rest.len().checked_sub(self.end.len()) else { return false };
        let Some((labels, end)) = rest.split_at_checked(middle) else { return false };
        start.eq_ignore_ascii_case(&self.start)
            && end.eq_ignore_ascii_case(&self.end)
            && are_labels(labels)
    }
}

/// Whether this is a piece of a host name: nothing in it ends the host, such as `/`, `:` or `@`.
fn are_labels(text: &str) -> bool {
    text.split('.').all(|label| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    })
}

fn list(items: &[String]) -> Box<str> {
    items.join(", ").into()
}

/// What the browser asked for, to be given back, if it is a list of names and not too long.
fn asked_headers(asked: &[u8]) -> Option<&str> {
    let asked = std::str::from_utf8(asked).ok().filter(|asked| asked.len() <= ASKED_BYTES_MAX)?;
    asked.split(',').all(|name| is_token(name.trim_ascii())).then_some(asked)
}

#[cfg(test)]
mod tests;
