//! The port through which names are looked up, and the resolver that stands behind it.
//!
//! The port asks one question at a time (one name, one record type), so that what is kept when one of several
//! questions fails is decided in `names`, in one place. The resolver behind it caches nothing: how long an
//! answer holds is also `names`' business.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::{Duration, Instant};

use hickory_resolver::config::{ResolveHosts, ResolverConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Hosts, ResolverBuilder, TokioResolver};

/// A family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// A records.
    V4,
    /// AAAA records.
    V6,
}

/// One SRV record (RFC 2782).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Lower is used first.
    pub priority: u16,
    /// Share among records of the same priority.
    pub weight: u16,
    /// Port of the service.
    pub port: u16,
    /// Name of the machine.
    pub host: Box<str>,
}

/// Records that were found, and for how long they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<T> {
    /// The records; at least one.
    pub records: Vec<T>,
    /// For how many seconds they hold.
    pub ttl_s: u32,
    /// Whether this machine itself says so (its hosts file, or the name `localhost`), and not somebody on the network.
    pub is_local: bool,
}

/// Why there are no records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotFound {
    /// The name, or records of this type for it, do not exist (NXDOMAIN, NODATA).
    Absent,
    /// Nobody could say: SERVFAIL, time-out, no way to the server.
    Failed(Box<str>),
}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("no such name or no address for it"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

/// An answer that comes later.
pub type Asked<'a, T> = Pin<Box<dyn Future<Output = Result<Found<T>, NotFound>> + Send + 'a>>;

/// Looks names up. Called on the control runtime only; each question gets a deadline from outside.
pub trait Resolve: Send + Sync + 'static {
    /// Addresses of a name, of one family.
    fn addresses<'a>(&'a self, name: &'a str, family: Family) -> Asked<'a, IpAddr>;

    /// SRV records of a name.
    fn services<'a>(&'a self, name: &'a str) -> Asked<'a, Service>;
}

/// The system's resolver settings (`/etc/resolv.conf`, `/etc/hosts`), asked asynchronously.
#[derive(Debug)]
pub struct SystemResolver {
    inner: TokioResolver,
    /// What `inner` looks at first.
    hosts: Hosts,
}

/// One try at one name server takes at most this.
const TRY_TIMEOUT: Duration = Duration::from_secs(2);

impl SystemResolver {
    /// Reads the system's settings once. Without a readable `/etc/resolv.conf`, only `/etc/hosts` and
    /// `localhost` are known; this is logged.
    ///
    /// # Errors
    /// A sentence when no resolver can be made of the settings.
    pub fn from_system() -> Result<Self, String> {
        let builder = TokioResolver::builder_tokio().unwrap_or_else(|error| {
            tracing::warn!(%error, "the system's resolver settings cannot be read; only the hosts file is used");
            let nobody = ResolverConfig::from_name_servers(Vec::new());
            TokioResolver::builder_with_config(nobody, TokioRuntimeProvider::default())
        });
        Self::from_builder(builder)
    }

    fn from_builder(mut builder: ResolverBuilder<TokioRuntimeProvider>) -> Result<Self, String> {
        let options = builder.options_mut();
        options.cache_size = 0;
        // Who guesses at answers has to guess the case of each letter, too. A server that does not keep it is asked
        // again over TCP.
        options.case_randomization = true;
        options.timeout = options.timeout.min(TRY_TIMEOUT);
        options.use_hosts_file = ResolveHosts::Always;
        let inner =
            builder.build().map_err(|error| format!("cannot set up name resolution: {error}"))?;
        let hosts = Hosts::from_system().unwrap_or_default();
        Ok(Self { inner, hosts })
    }

    /// Whether a question about addresses is answered by this machine alone.
    fn is_local(&self, name: &str, of: RecordType) -> bool {
        let is_localhost = {
            let bare = name.trim_end_matches('.').to_ascii_lowercase();
            bare == "localhost" || bare.ends_with(".localhost")
        };
        is_localhost
            || Name::from_utf8(name)
                .is_ok_and(|name| self.hosts.lookup_static_host(&Query::query(name, of)).is_some())
    }

    async fn ask<T>(
        &self,
        name: &str,
        of: RecordType,
        read: impl Fn(&RData) -> Option<T>,
    ) -> Result<Found<T>, NotFound> {
        let lookup = self.inner.lookup(name, of).await.map_err(|error| not_found(&error))?;
        let records: Vec<T> =
            lookup.answers().iter().filter_map(|record| read(&record.data)).collect();
        if records.is_empty() {
            return Err(NotFound::Absent);
        }
        Ok(Found { records, ttl_s: ttl_s(&lookup), is_local: self.is_local(name, of) })
    }
}

impl Resolve for SystemResolver {
    fn addresses<'a>(&'a self, name: &'a str, family: Family) -> Asked<'a, IpAddr> {
        Box::pin(async move {
            match family {
                Family::V4 => {
                    let read = |data: &RData| {
                        if let RData::A(a) = data { Some(IpAddr::V4(a.0)) } else { None }
                    };
                    self.ask(name, RecordType::A, read).await
                }
                Family::V6 => {
                    let read = |data: &RData| {
                        if let RData::AAAA(a) = data { Some(IpAddr::V6(a.0)) } else { None }
                    };
                    self.ask(name, RecordType::AAAA, read).await
                }
            }
        })
    }

    fn services<'a>(&'a self, name: &'a str) -> Asked<'a, Service> {
        Box::pin(async move {
            let read = |data: &RData| {
                let RData::SRV(srv) = data else { return None };
                // A target of "." says that the service is decidedly not available (RFC 2782).
                if srv.target.is_root() {
                    return None;
                }
                let host = srv.target.to_ascii().into_boxed_str();
                Some(Service { priority: srv.priority, weight: srv.weight, port: srv.port, host })
            };
            self.ask(name, RecordType::SRV, read).await
        })
    }
}

fn not_found(error: &NetError) -> NotFound {
    if error.is_nx_domain() || error.is_no_records_found() {
        return NotFound::Absent;
    }
    NotFound::Failed(error.to_string().into_boxed_str())
}

fn ttl_s(lookup: &Lookup) -> u32 {
    let left = lookup.valid_until().saturating_duration_since(Instant::now());
    // The lookup carries a deadline; rounding to the nearest second gives the record's TTL back.
    u32::try_from((left.as_millis() + 500) / 1_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
