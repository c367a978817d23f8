//! A connection to a backend: one at rest, or a new one.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::net::TcpStream;

use crate::failure::{Failure, Fault};
use crate::outgoing::{Http1Outgoing, Http2Connection, Http2Outgoing, Outgoing};
use crate::stream::Stream;
use crate::telemetry::Event;
use crate::timer::Timer;
use crate::tls;
use crate::upstream::{Endpoint, Settings};
use crate::worker::Worker;

/// A connection at rest that is fit for use.
pub(crate) fn pooled(worker: &Worker, endpoint: &Endpoint, now_ms: u64) -> Option<Outgoing> {
    let outgoing = if endpoint.http2 {
        let connection = worker.pool.shared(endpoint.id, now_ms)?;
        Outgoing::Http2(Box::new(Http2Outgoing::new(connection, worker.clock)))
    } else {
        Outgoing::Http1(Http1Outgoing::new(worker.pool.take(endpoint.id, now_ms)?))
    };
    worker.metrics.add(Event::PoolReused);
    Some(outgoing)
}

/// A new connection, TLS included. If the call's time is over before that of a connection, that is what it failed of.
pub(crate) async fn open(
    worker: &Worker,
    endpoint: &Arc<Endpoint>,
    settings: &Settings,
    (timer, call_due_ms): (&mut Timer, u64),
) -> Result<Outgoing, Failure> {
    let connect_due_ms = worker.clock.now_ms() + settings.connect_timeout_ms;
    timer.set(connect_due_ms.min(call_due_ms));
    let late = match call_due_ms <= connect_due_ms {
        true => Failure::last(Fault::CallTimeout),
        false => Failure::unsent(Fault::ConnectTimeout),
    };
    let mut dialling = pin!(dial(worker, endpoint, settings));
    let dialled = poll_fn(|cx| match dialling.as_mut().poll(cx) {
        Poll::Ready(dialled) => Poll::Ready(dialled),
        Poll::Pending => timer.poll(cx).map(|()| Err(late)),
    })
    .await;
    worker.metrics.add(if dialled.is_ok() { Event::PoolOpened } else { Event::PoolFailed });
    dialled
}

async fn dial(
    worker: &Worker,
    endpoint: &Arc<Endpoint>,
    settings: &Settings,
) -> Result<Outgoing, Failure> {
    let stream = stream(endpoint).await.map_err(|(fault, error)| {
        endpoint.tell_trouble(fault, &error, worker.clock.now_ms());
        Failure::unsent(fault)
    })?;
    if !endpoint.http2 {
        return Ok(Outgoing::Http1(Http1Outgoing::new(stream)));
    }
    let connection = Http2Connection::open(stream, settings.head_bytes, worker.clock).await?;
    worker.pool.share(endpoint, &connection, settings.keep_alive_ms);
    Ok(Outgoing::Http2(Box::new(Http2Outgoing::new(connection, worker.clock))))
}

async fn stream(endpoint: &Endpoint) -> Result<Stream, (Fault, std::io::Error)> {
    let tcp = TcpStream::connect(endpoint.address)
        .await
        .map_err(|error| (Fault::ConnectFailed, error))?;
    // Small writes must not wait for acknowledgements; if it cannot be set, calls are slower.
    let _ = tcp.set_nodelay(true);
    match &endpoint.tls {
        None => Ok(Stream::Plain(tcp)),
        Some(client) => {
            let tls = tls::connect(client, tcp).await.map_err(|error| (Fault::TlsFailed, error))?;
            Ok(Stream::Tls(Box::new(tls.into())))
        }
    }
}
