//! One connection of a caller, from the moment it was accepted: PROXY header, TLS, and then calls
//! over whichever protocol it speaks. Runs in a task of its own, with deadlines at every step.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use portway_policy::Clock as _;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::buffer::Size;
use crate::exchange;
use crate::forwarded;
use crate::http2;
use crate::incoming::{Arrived, Http1Incoming, Incoming};
use crate::peer::Peer;
use crate::proxy_protocol::{self, Parsed};
use crate::request::Request;
use crate::respond;
use crate::rewind::Rewind;
use crate::shared::Admitted;
use crate::stream::Stream;
use crate::telemetry::{Bound, Event, Wire};
use crate::timer::Timer;
use crate::tls::ServerTls;
use crate::worker::{Place, Worker};

/// After the last answer: how long, and how much, is still read, so that a caller that is sending
/// gets to see the answer before the connection is torn down (RFC 9112 §9.6).
const LINGER_MS: u64 = 2_000;
const LINGER_BYTES: usize = 1 << 20;
/// How long a connection that was only just accepted may take to say something while the gateway drains.
const FIRST_CALL_MS: u64 = 1_000;

/// A connection on a worker.
pub(crate) struct Visit {
    pub(crate) worker: Rc<Worker>,
    pub(crate) peer: Rc<Peer>,
    wire: Wire,
}

/// What a listener does with its connections.
pub(crate) struct Reception {
    pub(crate) index: usize,
    pub(crate) tls: Option<Arc<ServerTls>>,
    pub(crate) proxy_protocol: bool,
}

/// Serves a connection to its end. A block that uses what it captures where it is: an `async fn` would have room for all of it
/// twice.
pub(crate) fn serve(
    worker: Rc<Worker>,
    (place, admitted): (Place, Admitted),
    reception: Rc<Reception>,
    tcp: TcpStream,
    address: SocketAddr,
) -> impl Future<Output = ()> {
    let mut timer = Timer::new(worker.clock.base());
    worker.metrics.connection_opened(reception.index);
    let peer = Rc::new(Peer::new(address, reception.index, None));
    let mut visit = Visit { peer, worker, wire: Wire::Unknown };
    async move {
        let _until_the_end = &admitted;
        let stream = if reception.tls.is_some() || reception.proxy_protocol {
            Box::pin(greet(&mut visit, &reception, tcp, &mut timer)).await
        } else {
            Some((Stream::Plain(tcp), false))
        };
        match stream {
            Some((stream, true)) => {
                visit.became(Wire::Http2);
                Box::pin(http2::serve(&visit, &place, stream, &mut timer)).await;
            }
            Some((stream, false)) => serve_http1(&mut visit, &place, stream, &mut timer).await,
            None => {}
        }
    }
}

impl Visit {
    fn became(&mut self, wire: Wire) {
        if wire != self.wire {
            self.worker.metrics.connection_became(self.peer.listener, self.wire, wire);
            self.wire = wire;
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.worker.metrics.connection_closed(self.peer.listener, self.wire);
        if std::thread::panicking() {
            self.worker.metrics.add(Event::Panicked);
        }
    }
}

/// PROXY header and TLS. Gives the stream, and whether HTTP/2 was agreed on.
async fn greet(
    visit: &mut Visit,
    reception: &Reception,
    mut tcp: TcpStream,
    timer: &mut Timer,
) -> Option<(Stream, bool)> {
    let worker = Rc::clone(&visit.worker);
    let live = worker.live();
    timer.set(worker.clock.now_ms() + live.bounds.head_ms);
    let address = visit.peer.address;
    let trusted = forwarded::is_trusted(address.ip(), &live.snapshot.trusted_proxies);
    drop(live);
    let mut greeting = std::pin::pin!(async {
        let mut source = None;
        if reception.proxy_protocol && trusted {
            source = read_proxy_header(&mut tcp).await?;
        }
        let Some(tls) = &reception.tls else {
            return Ok((Stream::Plain(tcp), source, (None, None)));
        };
        let stream = tls.acceptor().accept(tcp).await.map_err(|_| Greeting::Handshake)?;
        let (_, session) = stream.get_ref();
        let shown = tls.shown(session).map_err(|_| Greeting::Handshake)?;
        // Also one that a session brought along that was taken up again.
        if shown.as_ref().is_some_and(|shown| shown.at(worker.clock.unix_ms()).is_none()) {
            return Err(Greeting::Handshake);
        }
        let name = (session.server_name().map(Box::from), Arc::clone(tls));
        Ok((Stream::Tls(Box::new(stream.into())), source, (Some(name), shown)))
    });
    let greeted = poll_fn(|cx| match greeting.as_mut().poll(cx) {
        Poll::Ready(greeted) => Poll::Ready(greeted),
        Poll::Pending => timer.poll(cx).map(|()| Err(Greeting::Late)),
    })
    .await;
    match greeted {
        Ok((stream, source, (name, shown))) => {
            if name.is_some() {
                worker.metrics.handshake(reception.index, true);
            }
            let peer = Peer::new(source.unwrap_or(address), reception.index, name).showing(shown);
            visit.peer = Rc::new(peer);
            let http2 = stream.speaks_http2();
            Some((stream, http2))
        }
        Err(fault) => {
            match fault {
                Greeting::Late => worker.metrics.bound(Bound::HeadTimeout),
                Greeting::Handshake => worker.metrics.handshake(reception.index, false),
                Greeting::ProxyHeader => worker.metrics.add(Event::ProxyHeaderInvalid),
            }
            None
        }
    }
}

/// Why a connection did not come to its first call.
enum Greeting {
    Late,
    Handshake,
    ProxyHeader,
}

/// Reads exactly the header: what follows it belongs to TLS or to HTTP.
async fn read_proxy_header(tcp: &mut TcpStream) -> Result<Option<SocketAddr>, Greeting> {
    let mut bytes = Vec::with_capacity(128);
    loop {
        // A byte at a time costs little, once per connection, and never takes one too many.
        let byte = tcp.read_u8().await.map_err(|_| Greeting::ProxyHeader)?;
        bytes.push(byte);
        match proxy_protocol::parse(&bytes) {
            Parsed::NeedMore if bytes.len() < proxy_protocol::HEADER_BYTES_MAX => {}
            Parsed::Header(header) => return Ok(header.source),
            Parsed::NeedMore | Parsed::Invalid => return Err(Greeting::ProxyHeader),
        }
    }
}

/// Calls over HTTP/1.1, one after the other.
async fn serve_http1(visit: &mut Visit, place: &Place, stream: Stream, timer: &mut Timer) {
    let mut incoming = Incoming::Http1(Http1Incoming::new(stream));
    let mut first = true;
    let mut rested_ms = visit.worker.clock.now_ms();
    loop {
        let Incoming::Http1(http1) = &mut incoming else { return };
        match next_request(visit, place, http1, timer, (first, rested_ms)).await {
            Next::Request(request) => {
                visit.became(Wire::Http1);
                rested_ms =
                    exchange::serve(&visit.worker, &visit.peer, &mut incoming, &request, timer)
                        .await;
            }
            Next::Rejected(reject) => {
                http1.close_after();
                Box::pin(respond::reject(&visit.worker, &visit.peer, &mut incoming, reject, timer))
                    .await;
            }
            Next::Late => {
                http1.close_after();
                Box::pin(respond::late(&visit.worker, &visit.peer, &mut incoming, timer)).await;
            }
            Next::Http2 => return Box::pin(become_http2(visit, place, incoming, timer)).await,
            Next::Closed => return,
        }
        first = false;
        let Incoming::Http1(http1) = &mut incoming else { return };
        if http1.is_cut() {
            return;
        }
        if !http1.is_kept() {
            return Box::pin(linger(http1, timer, visit.worker.clock.now_ms())).await;
        }
    }
}

/// What a connection does next.
enum Next {
    Request(Request),
    Rejected(portway_http1::Reject),
    /// The head did not arrive in time.
    Late,
    Http2,
    /// Ended by the peer, by having been idle too long, or because the gateway drains.
    Closed,
}

async fn next_request(
    visit: &Visit,
    place: &Place,
    http1: &mut Http1Incoming,
    timer: &mut Timer,
    (first, rested_ms): (bool, u64),
) -> Next {
    let worker = &visit.worker;
    let bounds = worker.live().bounds;
    // A connection that was only just opened has said nothing yet: it gets the time of a head.
    timer.set(rested_ms + if first { bounds.head_ms } else { bounds.idle_ms });
    let mut head_begun = false;
    let mut patient = false;
    poll_fn(|cx| {
        if first {
            place.set_waker(cx.waker());
        }
        match http1.poll_request(cx, &bounds.head) {
            Poll::Ready(Arrived::Request(request)) => return Poll::Ready(Next::Request(request)),
            Poll::Ready(Arrived::Rejected(reject)) => return Poll::Ready(Next::Rejected(reject)),
            Poll::Ready(Arrived::Http2) => return Poll::Ready(Next::Http2),
            Poll::Ready(Arrived::Closed) => return Poll::Ready(Next::Closed),
            Poll::Pending => {}
        }
        let amid = http1.is_amid_head();
        if worker.is_draining() && !amid && !waits_for_first(worker, first, &mut patient, timer) {
            return Poll::Ready(Next::Closed);
        }
        if amid && !head_begun {
            head_begun = true;
            timer.set(worker.clock.now_ms() + bounds.head_ms);
        }
        match timer.poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) if amid => {
                worker.metrics.bound(Bound::HeadTimeout);
                Poll::Ready(Next::Late)
            }
            Poll::Ready(()) if patient => Poll::Ready(Next::Closed),
            Poll::Ready(()) => {
                worker.metrics.bound(if first { Bound::HeadTimeout } else { Bound::IdleTimeout });
                Poll::Ready(Next::Closed)
            }
        }
    })
    .await
}

/// Whether a connection without a call is kept although the gateway drains: one that was only just accepted, whose
/// caller may be sending already and would find that nobody listens. It gets a short while.
fn waits_for_first(worker: &Worker, first: bool, patient: &mut bool, timer: &mut Timer) -> bool {
    if first && !*patient {
        *patient = true;
        timer.set(worker.clock.now_ms() + FIRST_CALL_MS);
    }
    first
}

/// HTTP/2 by prior knowledge: what was read goes back in front.
async fn become_http2(visit: &mut Visit, place: &Place, incoming: Incoming, timer: &mut Timer) {
    let Incoming::Http1(http1) = incoming else { return };
    visit.became(Wire::Http2);
    let io = Rewind::new(http1.inbox.bytes().to_vec(), http1.stream);
    http2::serve(visit, place, io, timer).await;
}

/// Ends a connection so that the peer gets to read what it was sent.
async fn linger(http1: &mut Http1Incoming, timer: &mut Timer, now_ms: u64) {
    timer.set(now_ms + LINGER_MS);
    let mut shut = false;
    let mut left = LINGER_BYTES;
    poll_fn(|cx| {
        if !shut {
            match http1.stream.poll_shutdown(cx) {
                Poll::Ready(Ok(())) => shut = true,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return timer.poll(cx),
            }
        }
        loop {
            let waiting = http1.inbox.bytes().len();
            http1.inbox.consume(waiting);
            match http1.inbox.poll_fill(cx, &mut http1.stream, Size::Small) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(count)) if count < left => left -= count,
                Poll::Ready(Ok(_)) => return Poll::Ready(()),
                Poll::Pending => return timer.poll(cx),
            }
        }
    })
    .await;
}

#[cfg(test)]
mod tests;
