//! Active checks: one task per endpoint on the control runtime.
//!
//! A check opens a connection of its own (TLS where the target has it), with a deadline over everything, and
//! either is content with that (`tcp`) or asks one `GET` in HTTP/1.1 and reads the status line, at most
//! [`HEAD_BYTES_MAX`] bytes. Its result never touches the pools of the workers. Towards HTTP/2 targets the
//! check with a path needs HTTP/1.1 too (ALPN offers both); where a target has none, `tcp` is the check to use.
//!
//! Checks begin at a moment that differs from endpoint to endpoint and vary by a tenth, so that many gateways and
//! targets do not beat in step.

use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use portway_model as model;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::NowMs;
use super::balance::mix;
use super::endpoint::Endpoint;
use super::state::BackendState;
use crate::tls::{self, ClientTls};

/// Bytes of an answer that are looked at for its status line; interim answers (1xx) included.
const HEAD_BYTES_MAX: usize = 8 << 10;

/// Checks under way at once, over all backends.
pub(super) const CHECKS_MAX: usize = 256;

/// Checks an endpoint until it is dropped or the task is aborted.
pub(super) async fn keep_checking(
    endpoint: Weak<Endpoint>,
    owner: Weak<BackendState>,
    active: model::Active,
    places: Arc<Semaphore>,
    now_ms: NowMs,
) {
    let Some(plan) = endpoint.upgrade().map(|endpoint| Plan::new(&endpoint, &active)) else {
        return;
    };
    let interval_ms = active.interval.as_ms();
    let mut streak = Streak::default();
    let mut draw = plan.seed;
    let first_ms = mix(draw) % interval_ms.clamp(1, 1_000);
    tokio::time::sleep(Duration::from_millis(first_ms)).await;
    loop {
        let well = {
            let Ok(_place) = places.acquire().await else { return };
            let timeout = Duration::from_millis(active.timeout.as_ms());
            matches!(tokio::time::timeout(timeout, plan.check()).await, Ok(true))
        };
        let (Some(endpoint), Some(owner)) = (endpoint.upgrade(), owner.upgrade()) else { return };
        owner.note_check(well);
        if let Some(down) = streak.add(well, &active)
            && endpoint.set_down(down, now_ms())
        {
            owner.note_checked(&endpoint, down);
        }
        drop((endpoint, owner));
        draw = mix(draw);
        tokio::time::sleep(Duration::from_millis(jittered(interval_ms, draw))).await;
    }
}

/// The interval, a tenth shorter or longer.
fn jittered(interval_ms: u64, draw: u64) -> u64 {
    let spread = interval_ms / 5;
    interval_ms - spread / 2 + draw % (spread + 1)
}

/// Results in a row.
#[derive(Debug, Default, PartialEq, Eq)]
struct Streak {
    well: bool,
    length: u32,
}

impl Streak {
    /// `Some(true)` when the endpoint is to be down, `Some(false)` when up, `None` while it is not clear.
    fn add(&mut self, well: bool, active: &model::Active) -> Option<bool> {
        if self.well != well {
            *self = Self { well, length: 0 };
        }
        self.length = self.length.saturating_add(1);
        let enough = if well { active.healthy_after } else { active.unhealthy_after };
        (self.length >= enough.max(1)).then_some(!well)
    }
}

/// How one endpoint is checked.
struct Plan {
    address: SocketAddr,
    tls: Option<Arc<ClientTls>>,
    /// `None`: that a connection stands is enough.
    request: Option<Box<[u8]>>,
    seed: u64,
}

impl Plan {
    fn new(endpoint: &Endpoint, active: &model::Active) -> Self {
        let request = match &active.probe {
            model::Probe::Tcp => None,
            model::Probe::Http(path) => Some(request(endpoint, path)),
        };
        // A probe that speaks HTTP/1.1 must not have HTTP/2 chosen for it.
        let tls = endpoint.tls.as_ref().map(|tls| match (&request, endpoint.http2) {
            (Some(_), true) => Arc::new(tls.for_http1()),
            _ => Arc::clone(tls),
        });
        Self { address: endpoint.address, tls, request, seed: mix(endpoint.id.0) }
    }

    async fn check(&self) -> bool {
        let Ok(stream) = TcpStream::connect(self.address).await else { return false };
        let Some(tls) = &self.tls else { return ask(stream, self.request.as_deref()).await };
        match tls::connect(tls, stream).await {
            Ok(stream) => ask(stream, self.request.as_deref()).await,
            Err(_) => false,
        }
    }
}

/// The request of a check. What the document gave was checked there; what could end a line is left out here all the same.
fn request(endpoint: &Endpoint, path: &str) -> Box<[u8]> {
    let clean = |text: &str| text.chars().filter(|c| c.is_ascii_graphic()).collect::<String>();
    let (base, path, host) =
        (clean(&endpoint.base_path), clean(path), clean(&endpoint.host_header));
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("GET {base}{slash}{path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: portway-check\r\naccept: */*\r\nconnection: close\r\n\r\n")
        .into_bytes()
        .into_boxed_slice()
}

async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: Option<&[u8]>) -> bool {
    let Some(request) = request else { return true };
    if stream.write_all(request).await.is_err() {
        return false;
    }
    let mut head = Vec::with_capacity(512);
    loop {
        match verdict(&head) {
            Some(well) => return well,
            None if head.len() >= HEAD_BYTES_MAX => return false,
            None => {}
        }
        let mut part = (&mut stream).take((HEAD_BYTES_MAX - head.len()) as u64);
        match part.read_buf(&mut head).await {
            Ok(0) | Err(_) => return false,
            Ok(_) => {}
        }
    }
}

/// Whether what has come of an answer says that the target is well; `None` if it does not say yet. Answers 1xx
/// are passed over.
fn verdict(mut head: &[u8]) -> Option<bool> {
    loop {
        let line_end = head.windows(2).position(|two| two == b"\r\n")?;
        let Some(status) = status(&head[..line_end]) else { return Some(false) };
        if !(100..200).contains(&status) {
            return Some((200..400).contains(&status));
        }
        let end = head.windows(4).position(|four| four == b"\r\n\r\n")?;
        head = &head[end + 4..];
    }
}

fn status(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.1 ").or_else(|| line.strip_prefix(b"HTTP/1.0 "))?;
    let (digits, rest) = rest.split_at_checked(3)?;
    if !rest.is_empty() && rest[0] != b' ' {
        return None;
    }
    std::str::from_utf8(digits)
        .ok()
        .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests;
