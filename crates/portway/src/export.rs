//! Spans on their way to a collector: OTLP over HTTP/1.1 with protobuf, on the control run time.
//!
//! A collector is taken for what it is, a stranger: every answer is bounded in bytes and time, no redirect is followed,
//! and nothing that it does or leaves undone reaches a call. One request is under way at a time; what may be tried
//! again is, with pauses that grow, as long as `Retry-After` says, and not for ever. Meanwhile batches
//! wait in the bounded channel of the workers, and then are dropped and counted there.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::SendRequest;
use hyper::header::{
    CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use portway_proxy::telemetry::{SpanBatch, SpanTallies, span};
use portway_proxy::tls::{self, ClientTls};
use tokio::net::TcpStream;
use tokio::sync::mpsc::Receiver;
use tokio::time::Instant;

/// Bytes of spans that one request carries, a batch more at the most.
const REQUEST_BYTES: usize = 512 << 10;
/// Bytes of an answer that are looked at.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Bytes that the connection buffers: the longest head of an answer.
const BUFFER_BYTES_MAX: usize = 64 << 10;
/// Attempts to send the same spans.
const ATTEMPTS_MAX: u32 = 5;
/// The longest pause that a collector may ask for.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// How fast things go; tests are in more of a hurry.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How long spans are gathered before they are sent.
    pub gather: Duration,
    /// The first pause before spans are sent again; each further one is twice as long.
    pub pause: Duration,
    /// How long a request may take, connecting included.
    pub timeout: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            gather: Duration::from_secs(1),
            pause: Duration::from_secs(1),
            timeout: Duration::from_secs(10),
        }
    }
}

/// Where spans are sent, and what they are sent with.
#[derive(Debug)]
pub struct Collector {
    /// Host, without the brackets of an IPv6 address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Value of `Host`.
    pub authority: HeaderValue,
    /// Path.
    pub path: String,
    /// Header fields of the document; marked as sensitive.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// How TLS is spoken; plain if absent.
    pub tls: Option<Arc<ClientTls>>,
    /// Attributes of the resource.
    pub resource: Vec<(String, String)>,
    /// How fast.
    pub pace: Pace,
}

/// Sends spans until no worker is left to bring any.
#[derive(Debug)]
pub struct Exporter {
    collector: Collector,
    batches: Receiver<SpanBatch>,
    tallies: Arc<SpanTallies>,
    connection: Option<SendRequest<Full<Bytes>>>,
    /// Spans lost since trouble began; none: no trouble.
    lost_since_trouble: Option<u64>,
}

/// What came of a request.
enum Sent {
    /// Taken, but for so many.
    Taken { refused: u64 },
    /// Not now; perhaps after a time that the collector names.
    Later(Option<Duration>, String),
    /// These spans will never be taken.
    Never(String),
}

impl Exporter {
    /// For what comes out of `batches`.
    pub fn new(
        collector: Collector,
        batches: Receiver<SpanBatch>,
        tallies: Arc<SpanTallies>,
    ) -> Self {
        Self { collector, batches, tallies, connection: None, lost_since_trouble: None }
    }

    /// Sends until every worker has ended and what they left is sent or given up.
    pub async fn run(mut self) {
        while let Some(first) = self.batches.recv().await {
            let load = self.gather(first).await;
            self.deliver(load).await;
        }
    }

    /// Adds what comes within a moment, up to a bound.
    async fn gather(&mut self, mut load: SpanBatch) -> SpanBatch {
        let until = Instant::now() + self.collector.pace.gather;
        while load.bytes.len() < REQUEST_BYTES {
            match tokio::time::timeout_at(until, self.batches.recv()).await {
                Ok(Some(batch)) => {
                    load.bytes.extend_from_slice(&batch.bytes);
                    load.spans += batch.spans;
                }
                Ok(None) | Err(_) => break,
            }
        }
        load
    }

    /// Sends spans, again if need be, or gives them up.
    async fn deliver(&mut self, load: SpanBatch) {
        let body = span::request(&self.collector.resource, env!("CARGO_PKG_VERSION"), &load.bytes);
        let (body, spans) = (Bytes::from(body), load.spans);
        let mut pause = self.collector.pace.pause;
        for attempt in 1..=ATTEMPTS_MAX {
            let (asked, why) = match self.send(&body).await {
                Sent::Taken { refused } => {
                    let refused = refused.min(spans);
                    self.tallies.taken(spans - refused, refused);
                    self.well();
                    return;
                }
                Sent::Never(why) => {
                    self.tallies.request_failed();
                    self.tallies.refused(spans);
                    return self.trouble(&why, spans);
                }
                Sent::Later(asked, why) => (asked, why),
            };
            self.tallies.request_failed();
            let is_last = attempt == ATTEMPTS_MAX;
            self.trouble(&why, if is_last { spans } else { 0 });
            if is_last {
                self.tallies.dropped(spans);
                return;
            }
            tokio::time::sleep(asked.map_or(pause, |asked| asked.min(PAUSE_MAX))).await;
            pause *= 2;
        }
    }

    async fn send(&mut self, body: &Bytes) -> Sent {
        let timeout = self.collector.pace.timeout;
        let was_open = self.connection.is_some();
        let sent = match tokio::time::timeout(timeout, self.exchange(body)).await {
            Ok(Ok(sent)) => return sent,
            Ok(Err(why)) => why,
            Err(_) => format!("no answer within {} ms", timeout.as_millis()),
        };
        self.connection = None;
        if was_open {
            // Its end may have closed it meanwhile, which says nothing.
            match tokio::time::timeout(timeout, self.exchange(body)).await {
                Ok(Ok(sent)) => return sent,
                Ok(Err(_)) | Err(_) => self.connection = None,
            }
        }
        Sent::Later(None, sent)
    }

    /// One request and its answer.
    async fn exchange(&mut self, body: &Bytes) -> Result<Sent, String> {
        let mut sender = match self.connection.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => self.connect().await?,
        };
        sender.ready().await.map_err(|error| error.to_string())?;
        let answer =
            sender.send_request(self.request(body)).await.map_err(|error| error.to_string())?;
        let (head, rest) = answer.into_parts();
        let is_whole = Limited::new(rest, ANSWER_BYTES_MAX).collect().await;
        let body = match is_whole {
            Ok(body) => {
                self.connection = Some(sender);
                body.to_bytes()
            }
            // Its status was said; the rest is not worth waiting for, nor is the connection.
            Err(_) => Bytes::new(),
        };
        Ok(judge(head.status, &head.headers, &body))
    }

    fn request(&self, body: &Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = Method::POST;
        // It was looked at when the settings were.
        *request.uri_mut() = self.collector.path.parse().unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert(HOST, self.collector.authority.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let agent = concat!("portway/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        headers.extend(self.collector.headers.iter().cloned());
        request
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let Collector { host, port, tls, .. } = &self.collector;
        let stream = TcpStream::connect((host.as_str(), *port))
            .await
            .map_err(|error| format!("cannot connect: {error}"))?;
        let said = |error: hyper::Error| error.to_string();
        match tls {
            None => {
                let (sender, connection) = http1(stream).await.map_err(said)?;
                tokio::spawn(connection);
                Ok(sender)
            }
            Some(tls) => {
                let stream =
                    tls::connect(tls, stream).await.map_err(|error| format!("TLS: {error}"))?;
                let (sender, connection) = http1(stream).await.map_err(said)?;
                tokio::spawn(connection);
                Ok(sender)
            }
        }
    }

    /// Says so the first time only: a collector that is down is down for every batch.
    fn trouble(&mut self, why: &str, lost: u64) {
        if self.lost_since_trouble.is_none() {
            let Collector { host, port, .. } = &self.collector;
            tracing::warn!(
                collector = format!("{host}:{port}"),
                why,
                "spans cannot be sent; calls are not affected, spans are dropped and counted"
            );
        }
        *self.lost_since_trouble.get_or_insert(0) += lost;
    }

    fn well(&mut self) {
        if let Some(lost) = self.lost_since_trouble.take() {
            tracing::info!(lost, "spans are sent again");
        }
    }
}

type Driver<S> = hyper::client::conn::http1::Connection<TokioIo<S>, Full<Bytes>>;

async fn http1<S>(stream: S) -> hyper::Result<(SendRequest<Full<Bytes>>, Driver<S>)>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    hyper::client::conn::http1::Builder::new()
        .max_buf_size(BUFFER_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await
}

/// What an answer means (OTLP 1.x, "OTLP/HTTP response"): four statuses may be tried again, no other.
fn judge(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Sent {
    if status.is_success() {
        return Sent::Taken { refused: rejected_spans(body) };
    }
    let why = format!("the collector answers {}", status.as_u16());
    match status.as_u16() {
        429 | 502 | 503 | 504 => {
            let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let asked = seconds.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
            Sent::Later(asked, why)
        }
        _ => Sent::Never(why),
    }
}

/// `partial_success.rejected_spans` of an `ExportTraceServiceResponse`; 0 where there is none, or no such message.
fn rejected_spans(answer: &[u8]) -> u64 {
    const PARTIAL_SUCCESS: u64 = 1;
    const REJECTED_SPANS: u64 = 1;
    let Some(Value::Bytes(partial)) = field(answer, PARTIAL_SUCCESS) else { return 0 };
    match field(partial, REJECTED_SPANS) {
        Some(Value::Number(count)) => count,
        _ => 0,
    }
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The first field of that number in a message; nothing where the message breaks off before it.
fn field(mut message: &[u8], wanted: u64) -> Option<Value<'_>> {
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        let value = match tag & 7 {
            0 => Value::Number(varint(&mut message)?),
            1 => Value::Bytes(message.split_off(..8)?),
            2 => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                Value::Bytes(message.split_off(..length)?)
            }
            5 => Value::Bytes(message.split_off(..4)?),
            _ => return None,
        };
        if tag >> 3 == wanted {
            return Some(value);
        }
    }
    None
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *message.split_off_first()?;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests;
