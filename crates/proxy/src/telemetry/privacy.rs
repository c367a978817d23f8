//! What of callers is shown, for every sink alike.
//!
//! It is applied where the record of a call is made, so that no sink can forget it. Hashes are the first half of
//! an HMAC-SHA-256 under a key of the document or one that is drawn at the start: without the key nobody can
//! try all addresses to find whose hash it is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use aws_lc_rs::hmac;
use portway_model as model;
use portway_model::{AppShown, ClientShown, PathShown, TextShown};

/// Bytes of the text of a hash.
const HASH_BYTES: usize = 16;

/// A hash as hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashText([u8; HASH_BYTES]);

impl HashText {
    /// The digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits are ASCII")
    }
}

/// The caller as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// An address, or the network of one.
    Address(IpAddr),
    /// What tells it from others, and no more.
    Hash(HashText),
    /// Nothing.
    Hidden,
}

/// The name of an app as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppName<'a> {
    /// Its name; empty where there is none.
    Name(&'a str),
    /// What tells it from others.
    Hash(HashText),
}

impl AppName<'_> {
    /// What is written; empty for nothing.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Hash(hash) => hash.as_str(),
        }
    }
}

/// What is shown, compiled. The default shows everything.
#[derive(Debug, Clone, Default)]
pub struct Privacy {
    client: ClientShown,
    path: PathShown,
    app: AppShown,
    user_agent: TextShown,
    /// Only where something is hashed.
    key: Option<hmac::Key>,
}

impl Privacy {
    /// From the document. `key` is the secret that it names, if it does; without one a key is drawn.
    ///
    /// # Errors
    /// When the system has no random numbers for a key.
    pub fn new(document: &model::Privacy, key: Option<&str>) -> Result<Self, String> {
        let model::Privacy { client, path, app, user_agent, key: _ } = document;
        let hashes = *client == ClientShown::Hash || *app == AppShown::Hash;
        let made = match key {
            _ if !hashes => None,
            Some(secret) => Some(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())),
            None => {
                let mut drawn = [0_u8; 32];
                aws_lc_rs::rand::fill(&mut drawn).map_err(|_| {
                    "the system gives no random numbers for the key of hashes".to_owned()
                })?;
                Some(hmac::Key::new(hmac::HMAC_SHA256, &drawn))
            }
        };
        Ok(Self { client: *client, path: *path, app: *app, user_agent: *user_agent, key: made })
    }

    /// The caller as it is to be shown.
    pub fn client(&self, address: IpAddr) -> Client {
        let address = address.to_canonical();
        match self.client {
            ClientShown::Full => Client::Address(address),
            ClientShown::Network => Client::Address(network(address)),
            ClientShown::Hash => match address {
                IpAddr::V4(v4) => {
                    self.hash(b"client", &v4.octets()).map_or(Client::Hidden, Client::Hash)
                }
                IpAddr::V6(v6) => {
                    self.hash(b"client", &v6.octets()).map_or(Client::Hidden, Client::Hash)
                }
            },
            ClientShown::Drop => Client::Hidden,
        }
    }

    /// The name of an app as it is to be shown.
    pub fn app<'a>(&self, name: &'a str) -> AppName<'a> {
        match self.app {
            AppShown::Full => AppName::Name(name),
            AppShown::Hash if !name.is_empty() => {
                self.hash(b"app", name.as_bytes()).map_or(AppName::Name(""), AppName::Hash)
            }
            AppShown::Hash | AppShown::Drop => AppName::Name(""),
        }
    }

    /// The path as it is to be shown, of a call that met `route`.
    pub fn path<'a>(&self, path: &'a [u8], route: &'a str) -> &'a [u8] {
        match self.path {
            PathShown::Full => path,
            PathShown::Route => route.as_bytes(),
        }
    }

    /// Whether routes stand in place of paths.
    pub fn shows_routes(&self) -> bool {
        self.path == PathShown::Route
    }

    /// The user agent as it is to be shown.
    pub fn user_agent<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        match self.user_agent {
            TextShown::Full => text,
            TextShown::Drop => b"",
        }
    }

    /// `what` keeps an app from having the hash of an address.
    fn hash(&self, what: &[u8], value: &[u8]) -> Option<HashText> {
        let mut context = hmac::Context::with_key(self.key.as_ref()?);
        context.update(what);
        context.update(&[0]);
        context.update(value);
        let tag = context.sign();
        let mut text = [0; HASH_BYTES];
        for (two, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(tag.as_ref()) {
            *two = [byte >> 4, byte & 15].map(|half| b"0123456789abcdef"[usize::from(half)]);
        }
        Some(HashText(text))
    }
}

/// The /24 or /48 that an address is in.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() & !0xFF).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !(u128::MAX >> 48)).into(),
    }
}

#[cfg(test)]
mod tests;
