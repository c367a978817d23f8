//! A request as the exchange sees it, whatever protocol it came in.
//!
//! Heads are kept as the lines of HTTP/1.1: a head that came over HTTP/2 is written down in that
//! form first, so that there is one shape for all that follows.

use portway_http1::{Field, Framing, Known, Method, RequestHead, Span, Target};
use portway_policy::Headers;

use crate::buffer::Lent;

/// The protocol that a caller speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    Http10,
    Http11,
    Http2,
}

/// The head of a request, and the bytes that it lies in.
pub(crate) struct Request {
    pub(crate) head: Lent,
    pub(crate) method: Method,
    /// Host and port as given.
    pub(crate) authority: Span,
    /// Path as given; an asterisk for a server-wide `OPTIONS`.
    pub(crate) path: Span,
    /// Query without its question mark; empty when there is none.
    pub(crate) query: Span,
    pub(crate) has_query: bool,
    pub(crate) version: Version,
    pub(crate) framing: Framing,
    /// Whether another protocol is asked for, and no body stands in its way.
    pub(crate) upgrade: bool,
}

impl Request {
    /// A request of which nothing could be read.
    pub(crate) fn unheard(http2: bool) -> Self {
        Self {
            head: Lent::small(),
            method: Method::Get,
            authority: Span::default(),
            path: Span::default(),
            query: Span::default(),
            has_query: false,
            version: if http2 { Version::Http2 } else { Version::Http11 },
            framing: Framing::None,
            upgrade: false,
        }
    }

    /// A head of HTTP/1 that was read, and the bytes that it lies in.
    pub(crate) fn of(head: &RequestHead, lent: Lent) -> Self {
        let (path, query) = match head.target {
            Target::Origin { path, query } | Target::Absolute { path, query, .. } => (path, query),
            Target::Asterisk => (asterisk(lent.unread()), None),
            Target::Authority(_) => (Span::default(), None),
        };
        let version = match head.version {
            portway_http1::Version::Http10 => Version::Http10,
            portway_http1::Version::Http11 => Version::Http11,
        };
        let no_body = matches!(head.framing, Framing::None | Framing::Length(0));
        Self {
            head: lent,
            method: head.method,
            authority: head.authority,
            path,
            query: query.unwrap_or_default(),
            has_query: query.is_some(),
            version,
            framing: head.framing,
            upgrade: head.upgrade && no_body && version == Version::Http11,
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.head.unread()
    }

    pub(crate) fn fields(&self) -> &[Field] {
        &self.head.fields
    }

    pub(crate) fn text(&self, span: Span) -> &[u8] {
        span.of(self.bytes())
    }

    pub(crate) fn method(&self) -> &[u8] {
        self.method.as_bytes(self.bytes())
    }

    /// Methods are tokens, which are ASCII.
    pub(crate) fn method_str(&self) -> &str {
        match self.method {
            Method::Get => "GET",
            Method::Post => "POST",
            _ => std::str::from_utf8(self.method()).unwrap_or(""),
        }
    }

    /// The target was checked to be visible ASCII.
    pub(crate) fn query_str(&self) -> &str {
        if self.query.is_empty() {
            return "";
        }
        std::str::from_utf8(self.text(self.query)).unwrap_or("")
    }

    pub(crate) fn has_body(&self) -> bool {
        !matches!(self.framing, Framing::None | Framing::Length(0))
    }

    /// The field of a name that is known, if there is exactly one.
    pub(crate) fn only(&self, known: Known) -> Option<&[u8]> {
        let mut fields = self.fields().iter().filter(|field| field.known == known);
        match (fields.next(), fields.next()) {
            (Some(field), None) => Some(self.text(field.value)),
            _ => None,
        }
    }

    /// Whether its credentials may become those of the connection they are sent on: NTLM, and what `Negotiate` stands for.
    pub(crate) fn claims_connection(&self) -> bool {
        self.known(Known::Authorization).is_some_and(|value| {
            let scheme = value.split(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default();
            scheme.eq_ignore_ascii_case(b"ntlm") || scheme.eq_ignore_ascii_case(b"negotiate")
        })
    }

    /// The first field of a name that is known.
    pub(crate) fn known(&self, known: Known) -> Option<&[u8]> {
        self.fields().iter().find(|field| field.known == known).map(|field| self.text(field.value))
    }
}

impl Headers for Request {
    fn first(&self, name: &str) -> Option<&[u8]> {
        let known = Known::from_name(name.as_bytes());
        let mut fields = self.fields().iter();
        fields.find(|field| self.is_named(field, known, name)).map(|field| self.text(field.value))
    }

    fn each(&self, name: &str, see: &mut dyn FnMut(&[u8])) {
        let known = Known::from_name(name.as_bytes());
        for field in self.fields().iter().filter(|field| self.is_named(field, known, name)) {
            see(self.text(field.value));
        }
    }
}

impl Request {
    fn is_named(&self, field: &Field, known: Known, name: &str) -> bool {
        field.known == known
            && (known != Known::Other
                || self.text(field.name).eq_ignore_ascii_case(name.as_bytes()))
    }
}

/// Where the target of a server-wide `OPTIONS` stands: the first asterisk of the head.
fn asterisk(head: &[u8]) -> Span {
    let at = head.iter().position(|byte| *byte == b'*');
    at.map_or_else(Span::default, |at| Span::new(at, at + 1))
}
