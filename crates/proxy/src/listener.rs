//! Accepting: one listening socket per worker and address, so that nothing crosses cores.
//!
//! An error of one connection is nothing; running out of descriptors is waited out, and told from time to time. The
//! loop never ends by itself.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::connection::{self, Reception};
use crate::forwarded;
use crate::shared::Turned;
use crate::telemetry::{Bound, Event};
use crate::worker::Worker;

/// Connections that wait to be accepted, per socket.
const BACKLOG: i32 = 4_096;
/// How long accepting rests when the process has no descriptors left.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);
/// How often that is told while it lasts, by all workers together.
const TOLD_EVERY_MS: u64 = 5_000;

/// Binds an address for one worker; others bind the same.
pub(crate) fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Whether somebody else, of another process, listens there: sharing a port is for our workers only.
pub(crate) fn is_taken(address: SocketAddr) -> io::Result<()> {
    if address.port() == 0 {
        return Ok(());
    }
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    // Binding alone succeeds beside a socket in TIME_WAIT, listening only if nobody else does.
    socket.listen(1)
}

/// Takes connections until the worker drains.
pub(crate) async fn accept(
    worker: Rc<Worker>,
    listener: Rc<TcpListener>,
    reception: Rc<Reception>,
) {
    loop {
        match listener.accept().await {
            Ok((tcp, address)) => welcome(&worker, &reception, tcp, address),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                worker.metrics.add(Event::AcceptFailed);
                if let Some(times) = worker.shared.refused_by_system.count(worker.clock.now_ms()) {
                    tracing::warn!(%error, times, "connections cannot be accepted; trying again");
                }
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
}

/// Takes the connections that the system has let in and nobody has accepted yet, and closes the socket: they would be
/// torn down with it.
pub(crate) fn take_waiting(worker: &Rc<Worker>, listener: TcpListener, reception: &Rc<Reception>) {
    let Ok(listener) = listener.into_std() else { return };
    for (tcp, address) in waiting(&listener) {
        if tcp.set_nonblocking(true).is_ok()
            && let Ok(tcp) = TcpStream::from_std(tcp)
        {
            welcome(worker, reception, tcp, address);
        }
    }
}

/// The connections that wait at this moment.
fn waiting(
    listener: &std::net::TcpListener,
) -> impl Iterator<Item = (std::net::TcpStream, SocketAddr)> {
    let next = || {
        loop {
            match listener.accept() {
                Ok(accepted) => return Some(accepted),
                Err(error) if is_of_one_connection(&error) => {}
                // There are no more, or nothing left to take them with.
                Err(_) => return None,
            }
        }
    };
    // As many as may wait at once: those that come while the others are taken could go on for ever.
    std::iter::from_fn(next).take(BACKLOG as usize)
}

/// Something that happens over and over, told at once and then from time to time.
pub(crate) struct Recurring {
    /// When it was told last; 0: never.
    told_ms: AtomicU64,
    untold: AtomicU64,
}

impl Recurring {
    pub(crate) const fn new() -> Self {
        Self { told_ms: AtomicU64::new(0), untold: AtomicU64::new(0) }
    }

    /// Counts it; gives the number of times that were not told yet if it is time to tell.
    fn count(&self, now_ms: u64) -> Option<u64> {
        self.untold.fetch_add(1, Ordering::Relaxed);
        let told_ms = self.told_ms.load(Ordering::Relaxed);
        if told_ms != 0 && now_ms < told_ms + TOLD_EVERY_MS {
            return None;
        }
        // Of several threads that find it is time one tells.
        let now_ms = now_ms.max(1);
        self.told_ms
            .compare_exchange(told_ms, now_ms, Ordering::Relaxed, Ordering::Relaxed)
            .ok()
            .map(|_| self.untold.swap(0, Ordering::Relaxed))
    }
}

/// The peer was gone before it was accepted; nothing is wrong here.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(
        error.kind(),
        K::ConnectionAborted | K::ConnectionReset | K::ConnectionRefused | K::Interrupted
    )
}

fn welcome(worker: &Rc<Worker>, reception: &Rc<Reception>, tcp: TcpStream, address: SocketAddr) {
    let admitted = {
        let live = worker.live();
        let trusted = forwarded::is_trusted(address.ip(), &live.snapshot.trusted_proxies);
        let most = (live.bounds.connections, live.bounds.connections_per_address);
        worker.shared.admit(address.ip(), trusted, most)
    };
    let admitted = match admitted {
        Ok(admitted) => admitted,
        Err(turned) => {
            worker.metrics.bound(match turned {
                Turned::Total => Bound::Connections,
                Turned::Address => Bound::ConnectionsPerAddress,
            });
            return;
        }
    };
    // Answers are written whole; waiting for acknowledgements would only delay them.
    let _ = tcp.set_nodelay(true);
    let place = worker.enter();
    let index = place.index();
    let (guest, reception) = (Rc::clone(worker), Rc::clone(reception));
    // Not within a block of its own, which would have room for all of this a second time.
    let serving = connection::serve(guest, (place, admitted), reception, tcp, address);
    let task = tokio::task::spawn_local(serving);
    worker.set_abort(index, task.abort_handle());
}

#[cfg(test)]
mod tests;
