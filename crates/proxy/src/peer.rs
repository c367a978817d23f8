//! Who is at the other end of a connection, and what follows from that for its calls.
//!
//! Calls of one connection nearly always ask for the same host. So what depends on nothing but peer and host is made
//! once and kept: the host in canonical form, whether the connection was made for it, and the fields by which a
//! backend learns who is calling.

use std::cell::{Ref, RefCell};
use std::net::SocketAddr;
use std::sync::Arc;

use portway_policy::Scheme;
use portway_snapshot::canonical_host;

use crate::forwarded::{Forwarding, Hop};
use crate::request::{Request, Version};
use crate::tls::{ServerTls, ShownCertificate};

/// Who is at the other end.
pub(crate) struct Peer {
    /// Where the caller, or the proxy in front of us, is.
    pub(crate) address: SocketAddr,
    pub(crate) tls: bool,
    /// The listener that it came in by, by number.
    pub(crate) listener: usize,
    hop: Hop,
    /// Name that was asked for by SNI, and the certificates it was chosen from.
    name: Option<(Option<Box<str>>, Arc<ServerTls>)>,
    /// The certificate that the caller showed.
    certificate: Option<Box<ShownCertificate>>,
    /// The host that was last asked for.
    last: RefCell<LastHost>,
}

/// What is known of a host; one piece of memory, because every connection at rest has one.
#[derive(Default)]
pub(crate) struct LastHost {
    /// The host as it was sent, the same in canonical form, and the forwarding fields as lines.
    text: Box<str>,
    given_end: u32,
    host_end: u32,
    /// Whether the connection was made for it.
    pub(crate) agrees: bool,
}

impl LastHost {
    fn given(&self) -> &[u8] {
        &self.text.as_bytes()[..self.given_end as usize]
    }

    /// In canonical form.
    pub(crate) fn host(&self) -> &str {
        &self.text[self.given_end as usize..self.host_end as usize]
    }

    fn lines(&self) -> &[u8] {
        &self.text.as_bytes()[self.host_end as usize..]
    }
}

impl Peer {
    pub(crate) fn new(
        address: SocketAddr,
        listener: usize,
        name: Option<(Option<Box<str>>, Arc<ServerTls>)>,
    ) -> Self {
        let tls = name.is_some();
        Self {
            address,
            tls,
            listener,
            hop: Hop::new(address.ip()),
            name,
            certificate: None,
            last: RefCell::default(),
        }
    }

    /// With the certificate that the caller showed.
    pub(crate) fn showing(mut self, certificate: Option<Box<ShownCertificate>>) -> Self {
        self.certificate = certificate;
        self
    }

    /// The certificate that the caller showed, if it showed one.
    #[inline]
    pub(crate) fn certificate(&self) -> Option<&ShownCertificate> {
        self.certificate.as_deref()
    }

    /// The host that a request asks for, and whether requests for it may come over this connection; `None` if it is
    /// not a host.
    pub(crate) fn host(&self, request: &Request) -> Option<Ref<'_, LastHost>> {
        let given = request.text(request.authority);
        let known = {
            let last = self.last.borrow();
            !last.text.is_empty() && last.given() == given
        };
        if !known {
            *self.last.borrow_mut() = self.look_at(request)?;
        }
        Some(self.last.borrow())
    }

    fn look_at(&self, request: &Request) -> Option<LastHost> {
        let given = request.text(request.authority);
        let mut room = String::new();
        // HTTP/1.0 may name none: services that answer for every host do so for this too.
        let (host, agrees) = if given.is_empty() {
            ("", self.name.is_none())
        } else {
            let host = canonical_host(given, &mut room).ok()?;
            let agrees =
                self.name.as_ref().is_none_or(|(sni, tls)| tls.sni_agrees(sni.as_deref(), host));
            (host, agrees)
        };
        let mut text = given.to_vec();
        text.extend_from_slice(host.as_bytes());
        let host_end = text.len();
        self.forwarding(request, false).write(&mut text);
        Some(LastHost {
            text: String::from_utf8(text).ok()?.into(),
            given_end: u32::try_from(given.len()).ok()?,
            host_end: u32::try_from(host_end).ok()?,
            agrees,
        })
    }

    /// Appends the lines by which a backend is told of the way that the call took.
    pub(crate) fn write_forwarding(&self, request: &Request, trusted: bool, out: &mut Vec<u8>) {
        if !trusted {
            let last = self.last.borrow();
            // Calls of HTTP/2 share this, and may ask for several hosts.
            if !last.text.is_empty() && last.given() == request.text(request.authority) {
                return out.extend_from_slice(last.lines());
            }
        }
        self.forwarding(request, trusted).write(out);
    }

    fn forwarding<'a>(&'a self, request: &'a Request, trusted: bool) -> Forwarding<'a> {
        Forwarding {
            peer: &self.hop,
            trusted,
            scheme: if self.tls { Scheme::Https } else { Scheme::Http },
            host: request.text(request.authority),
            http2: request.version == Version::Http2,
            headers: request,
        }
    }
}
