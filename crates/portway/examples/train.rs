//! Calls of every usual kind through a built `portway`, so that a compiler can see which ways are taken often.
//!
//! `scripts/release.sh` runs this against a binary that counts its branches, and builds the optimised one from the
//! counts. `cargo run -p portway --example train -- target/release/portway`. Nothing is measured here. Assumes a free
//! port or three on the loopback interface.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use portway_testkit::{Certificates, sha256_hex};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

type Fault = Box<dyn std::error::Error + Send + Sync>;
type Body = Full<Bytes>;

const KEY: &str = "train-0123456789";

/// What is asked for: method, path, extra fields, bytes of the body.
#[derive(Clone, Copy)]
struct Ask {
    method: &'static str,
    path: &'static str,
    fields: &'static [(&'static str, &'static str)],
    body_bytes: usize,
}

const SMALL: Ask = Ask { method: "GET", path: "/open/s", fields: &[], body_bytes: 0 };
const BROWSER: Ask = Ask {
    fields: &[
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        ("accept-language", "en-US,en;q=0.5"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("referer", "https://shop.example/items?page=3"),
        ("cookie", "session=0123456789abcdef; theme=dark; consent=1"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ],
    ..SMALL
};
const POST: Ask = Ask { method: "POST", body_bytes: 1 << 10, ..SMALL };
const LARGE: Ask = Ask { path: "/open/100k", ..SMALL };
const CHUNKED: Ask = Ask { path: "/open/chunked", ..SMALL };
const ITEM: Ask = Ask { path: "/keys/items/42/parts?sort=name", ..WITH_KEY };
const WITH_KEY: Ask = Ask { path: "/keys/s", fields: &[("x-api-key", KEY)], ..SMALL };
const WITHOUT_KEY: Ask = Ask { path: "/keys/s", ..SMALL };
const NOWHERE: Ask = Ask { path: "/nowhere", ..SMALL };

/// How a caller comes in.
#[derive(Clone)]
enum Way {
    Plain(SocketAddr),
    Tls(SocketAddr, TlsConnector),
}

fn main() -> Result<(), Fault> {
    let binary = std::env::args().nth(1).ok_or("which binary?")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    for calls in ["off", "json"] {
        runtime.block_on(train(Path::new(&binary), calls))?;
    }
    Ok(())
}

async fn train(binary: &Path, calls: &str) -> Result<(), Fault> {
    let backend = backend().await?;
    let folder = Certificates::new();
    folder.write("train", &["localhost"]);
    let (plain, secure) = free()?;
    let document = document(backend, (plain, secure), calls);
    std::fs::write(folder.path("portway.yaml"), document)?;
    let mut gateway = Running(
        Command::new(binary.canonicalize()?)
            .args(["run", "portway.yaml"])
            .current_dir(folder.folder())
            .stdout(Stdio::null())
            .spawn()?,
    );
    wait_for(plain).await?;
    let plain = Way::Plain(plain);
    let secure = Way::Tls(secure, connector(&folder.path("train.crt"))?);

    for (ask, connections, each) in [
        (SMALL, 64, 300),
        (BROWSER, 64, 150),
        (POST, 64, 150),
        (LARGE, 16, 60),
        (CHUNKED, 32, 100),
        (WITH_KEY, 64, 200),
        (ITEM, 32, 100),
        (WITHOUT_KEY, 16, 40),
        (NOWHERE, 16, 40),
        (SMALL, 512, 20),
        (SMALL, 2_000, 1),
    ] {
        over_http1(&plain, ask, connections, each).await?;
    }
    over_http1(&secure, SMALL, 16, 300).await?;
    over_http1(&secure, SMALL, 500, 1).await?;
    for way in [&plain, &secure] {
        for ask in [SMALL, BROWSER, POST, WITH_KEY] {
            over_http2(way, ask, 8, 800).await?;
        }
        over_http2(way, LARGE, 4, 40).await?;
    }
    gateway.end()
}

/// Keep-alive connections, so many at a time, with so many calls one after the other on each.
async fn over_http1(way: &Way, ask: Ask, connections: usize, each: usize) -> Result<(), Fault> {
    const AT_ONCE: usize = 64;
    let mut open = JoinSet::new();
    for _ in 0..connections {
        if each == 1 && open.len() >= AT_ONCE {
            open.join_next().await.ok_or("none is open")???;
        }
        let way = way.clone();
        open.spawn(async move {
            let mut sender = match way {
                Way::Plain(address) => http1_over(TcpStream::connect(address).await?).await?,
                Way::Tls(address, tls) => http1_over(greet(address, &tls).await?).await?,
            };
            for _ in 0..each {
                sender.ready().await?;
                finish(sender.send_request(ask.request()?).await?).await?;
            }
            Ok::<(), Fault>(())
        });
    }
    while let Some(ended) = open.join_next().await {
        ended??;
    }
    Ok(())
}

/// Connections of HTTP/2 with eight streams at once on each.
async fn over_http2(way: &Way, ask: Ask, connections: usize, each: usize) -> Result<(), Fault> {
    const STREAMS: usize = 8;
    let mut open = JoinSet::new();
    for _ in 0..connections {
        let sender = match way {
            Way::Plain(address) => http2_over(TcpStream::connect(address).await?).await?,
            Way::Tls(address, tls) => http2_over(greet(*address, tls).await?).await?,
        };
        for _ in 0..STREAMS {
            let mut sender = sender.clone();
            open.spawn(async move {
                for _ in 0..each / STREAMS {
                    sender.ready().await?;
                    finish(sender.send_request(ask.request()?).await?).await?;
                }
                Ok::<(), Fault>(())
            });
        }
    }
    while let Some(ended) = open.join_next().await {
        ended??;
    }
    Ok(())
}

async fn finish(answer: Response<Incoming>) -> Result<(), Fault> {
    answer.into_body().collect().await?;
    Ok(())
}

impl Ask {
    fn request(self) -> Result<Request<Body>, Fault> {
        let mut request = Request::builder()
            .method(self.method)
            .uri(format!("http://localhost{}", self.path))
            .header("host", "localhost");
        for (name, value) in self.fields {
            request = request.header(*name, *value);
        }
        Ok(request.body(Full::new(Bytes::from(vec![b'x'; self.body_bytes])))?)
    }
}

async fn http1_over<S>(stream: S) -> Result<http1::SendRequest<Body>, Fault>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn http2_over<S>(stream: S) -> Result<http2::SendRequest<Body>, Fault>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn greet(
    address: SocketAddr,
    tls: &TlsConnector,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Fault> {
    let tcp = TcpStream::connect(address).await?;
    Ok(tls.connect(ServerName::try_from("localhost")?, tcp).await?)
}

fn connector(certificate: &Path) -> Result<TlsConnector, Fault> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate)?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Answers of three lengths.
async fn backend() -> Result<SocketAddr, Fault> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let serving = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(tcp), service_fn(answer));
            tokio::spawn(serving);
        }
    });
    Ok(address)
}

async fn answer(
    request: Request<Incoming>,
) -> Result<
    Response<http_body_util::Either<Body, http_body_util::channel::Channel<Bytes>>>,
    Infallible,
> {
    use http_body_util::{Either, channel::Channel};
    let path = request.uri().path().to_owned();
    let _ = request.into_body().collect().await;
    let body = if path.ends_with("/chunked") {
        let (mut sender, body) = Channel::new(4);
        tokio::spawn(async move {
            for _ in 0..3 {
                let _ = sender.send_data(Bytes::from_static(b"a part of it")).await;
            }
        });
        Either::Right(body)
    } else {
        let length = if path.ends_with("/100k") { 100 << 10 } else { 200 };
        Either::Left(Full::new(Bytes::from(vec![b'{'; length])))
    };
    let answer = Response::builder()
        .header("content-type", "application/json")
        .header("cache-control", "no-cache")
        .header("server", "train");
    Ok(answer.body(body).expect("the fields are sound"))
}

fn document(backend: SocketAddr, (plain, secure): (SocketAddr, SocketAddr), calls: &str) -> String {
    let sha256 = sha256_hex(KEY);
    format!(
        "portway: 1
gateway:
  listen:
    - {plain}
    - {{ address: {secure}, tls: {{ certificates: [ {{ cert: train.crt, key: train.key }} ] }} }}
  admin: \"off\"
  log: {{ calls: {calls} }}
services:
  open:
    path: /open
    routes: [ \"* /{{rest+}}\" ]
    backend: http://{backend}
    auth: public
  keys:
    path: /keys
    routes: [ \"* /s\", \"* /items/{{item}}/parts\", \"* /items/{{item}}.json\" ]
    backend: http://{backend}
    auth: [ key ]
    limits: [ 1000000/s per app ]
apps:
  trainer:
    keys: [ {{ sha256: {sha256} }} ]
"
    )
}

/// Two addresses that nobody uses; held together, so that they differ.
fn free() -> std::io::Result<(SocketAddr, SocketAddr)> {
    let (one, other) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
    Ok((one.local_addr()?, other.local_addr()?))
}

async fn wait_for(address: SocketAddr) -> Result<(), Fault> {
    for _ in 0..200 {
        if TcpStream::connect(address).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err("the gateway did not start".into())
}

/// The gateway; killed if it is not ended.
struct Running(Child);

impl Running {
    /// Ends it as a system would: what it counted is written when it exits.
    fn end(&mut self) -> Result<(), Fault> {
        let id = i32::try_from(self.0.id())?;
        let process = rustix::process::Pid::from_raw(id).ok_or("it has a number")?;
        rustix::process::kill_process(process, rustix::process::Signal::TERM)?;
        let ended = self.0.wait()?;
        ended.success().then_some(()).ok_or_else(|| format!("it ended with {ended}").into())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}
