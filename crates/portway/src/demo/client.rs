//! One HTTP/1.1 call as a caller makes it, for `demo --exercise`. Not on the way of anybody else's call.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::body::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long a call of the demo may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// The most bytes of an answer that are looked at.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Header fields.
    pub headers: HeaderMap,
    /// Body; after a switch to WebSocket what the first frame that came back carried.
    pub body: String,
}

impl Answer {
    /// The value of a header field as text, empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Calls `path` at `address`. `echo` is sent over a WebSocket if the answer is 101.
///
/// # Errors
/// When there is no whole answer.
pub async fn call(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(String, String)],
    body: &str,
    echo: Option<&str>,
) -> anyhow::Result<Answer> {
    let work = exchange(address, request(address, method, path, headers, body)?, echo);
    tokio::time::timeout(CALL_TIMEOUT, work).await.context("no whole answer within ten seconds")?
}

fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(String, String)],
    body: &str,
) -> anyhow::Result<Request<Full<Bytes>>> {
    let mut request = Request::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    *request.method_mut() = Method::from_bytes(method.as_bytes())?;
    *request.uri_mut() = path.parse()?;
    request.headers_mut().insert("host", HeaderValue::from_str(&address.to_string())?);
    for (name, value) in headers {
        request
            .headers_mut()
            .append(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(value)?);
    }
    Ok(request)
}

async fn exchange(
    address: SocketAddr,
    request: Request<Full<Bytes>>,
    echo: Option<&str>,
) -> anyhow::Result<Answer> {
    let stream = TcpStream::connect(address).await.context("cannot connect")?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection.with_upgrades());
    let mut response = sender.send_request(request).await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = match (status, echo) {
        (StatusCode::SWITCHING_PROTOCOLS, Some(word)) => {
            let upgraded = hyper::upgrade::on(&mut response).await?;
            echo_over_websocket(TokioIo::new(upgraded), word).await?
        }
        _ => {
            let whole = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
            let whole = whole.map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?;
            String::from_utf8_lossy(&whole.to_bytes()).into_owned()
        }
    };
    driver.abort();
    Ok(Answer { status, headers, body })
}

/// Sends one short text frame (RFC 6455 section 5.2, masked as a client must) and reads the one that comes back.
async fn echo_over_websocket(
    mut socket: TokioIo<hyper::upgrade::Upgraded>,
    word: &str,
) -> anyhow::Result<String> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let length = u8::try_from(word.len())
        .ok()
        .filter(|length| *length < 126)
        .context("the word is too long")?;
    let mut frame = vec![0x81, 0x80 | length];
    frame.extend(MASK);
    frame.extend(word.bytes().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    socket.write_all(&frame).await?;
    let mut head = [0_u8; 2];
    socket.read_exact(&mut head).await.context("nothing came back over the WebSocket")?;
    if head[0] != 0x81 || head[1] >= 126 {
        bail!("what came back is not a short text frame: {head:02x?}");
    }
    let mut text = vec![0_u8; usize::from(head[1])];
    socket.read_exact(&mut text).await?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
