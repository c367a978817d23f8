//! One request as policies see it.
//!
//! Everything here was parsed and bounded before: the path is canonical, the host is lower case, the client
//! address is the one behind trusted proxies. Policies read; they never write here.

use std::net::IpAddr;

use crate::Certificate;

/// The most path parameters of one route.
pub const MAX_PARAMS: usize = 16;

/// How the caller reached the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// With TLS.
    Https,
}

/// A look-up of header fields. Names are compared without regard to case.
pub trait Headers {
    /// The value of the first field of this name.
    fn first(&self, name: &str) -> Option<&[u8]>;
    /// Every field of this name, in the order received.
    fn each(&self, name: &str, see: &mut dyn FnMut(&[u8]));
}

/// Where the path parameters stand in the canonical path, in the order of the route's template.
#[derive(Debug, Clone, Copy)]
pub struct ParamSpans {
    spans: [(u32, u32); MAX_PARAMS],
    len: u8,
}

impl Default for ParamSpans {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl ParamSpans {
    /// None.
    pub const EMPTY: Self = Self { spans: [(0, 0); MAX_PARAMS], len: 0 };

    /// Adds one from `start` to before `end`. Says `false`, and adds nothing, when there are already
    /// [`MAX_PARAMS`] or a place does not fit 32 bits.
    pub fn push(&mut self, start: usize, end: usize) -> bool {
        let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(end)) else { return false };
        let Some(span) = self.spans.get_mut(usize::from(self.len)) else { return false };
        *span = (start, end);
        self.len += 1;
        true
    }

    /// The text of one in `path`, or nothing when there is none or it does not lie in `path`.
    pub fn get<'a>(&self, index: usize, path: &'a str) -> Option<&'a str> {
        let (start, end) = self.span(index)?;
        path.get(start..end)
    }

    /// Start and end of one, in bytes.
    pub fn span(&self, index: usize) -> Option<(usize, usize)> {
        let (start, end) = *self.spans[..self.len()].get(index)?;
        Some((start as usize, end as usize))
    }

    /// Forgets all after the first `len`: for a router that tries one way and then another.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(u8::try_from(len).unwrap_or(u8::MAX));
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// What is known of the body of a request. Nearly every call is decided on its head alone.
#[derive(Clone, Copy)]
pub enum Body<'a> {
    /// There is none.
    None,
    /// There is one, and nothing of it was read.
    Unread,
    /// This is the whole of it: it was asked for.
    Held(&'a [u8]),
}

/// One request.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// Method as sent (methods are case-sensitive, RFC 9110 §9.1).
    pub method: &'a str,
    /// With or without TLS.
    pub scheme: Scheme,
    /// Host asked for: lower case, no port.
    pub host: &'a str,
    /// Host and port as sent.
    pub authority: &'a [u8],
    /// Canonical path.
    pub path: &'a str,
    /// Query as sent, without `?`.
    pub query: &'a str,
    /// Header fields.
    pub headers: &'a dyn Headers,
    /// The certificate of the connection, if one was shown and counts now.
    pub certificate: Option<&'a Certificate>,
    /// What is known of the body.
    pub body: Body<'a>,
    /// Address of the caller, behind trusted proxies.
    pub client: IpAddr,
    /// Names of the path parameters of the route.
    pub param_names: &'a [Box<str>],
    /// Their places in `path`.
    pub params: &'a ParamSpans,
}

impl<'a> Call<'a> {
    /// Value of a path parameter.
    pub fn param(&self, name: &str) -> Option<&'a str> {
        let index = self.param_names.iter().position(|known| **known == *name)?;
        self.params.get(index, self.path)
    }
}

impl std::fmt::Debug for Call<'_> {
    /// Shows neither the query nor headers: both may carry credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("scheme", &self.scheme)
            .field("host", &self.host)
            .field("path", &self.path)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
