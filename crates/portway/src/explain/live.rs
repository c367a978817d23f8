//! Asking a running gateway, over its admin listener.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::de::DeserializeOwned;

use super::past::Past;
use super::{Ask, Walk};

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The most bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 16 << 20;
/// The port of the admin listener unless told otherwise.
const PORT: u16 = 9901;

/// What would become of a call.
///
/// # Errors
/// When there is no gateway, or it does not say.
pub fn explain(address: &str, ask: &Ask) -> anyhow::Result<Walk> {
    let body = serde_json::to_string(ask)?;
    match request(address, "POST /explain", &body)? {
        Some(walk) => Ok(walk),
        None => bail!("what answers at {address} is no admin listener of Portway, or an older one"),
    }
}

/// What became of a call of the last while; `None` if its id is not known any more.
///
/// # Errors
/// When there is no gateway, or it does not say.
pub fn past(address: &str, request_id: &str) -> anyhow::Result<Option<Past>> {
    if !request_id.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#%".contains(&byte)) {
        return Ok(None);
    }
    request(address, &format!("GET /calls/{request_id}"), "")
}

/// Whether a text is the id of a call, and not a call: it has no path in it.
pub fn is_request_id(text: &str) -> bool {
    !text.is_empty() && !text.contains(['/', ' ', '?'])
}

/// What is answered; `None` for 404.
fn request<T: DeserializeOwned>(
    address: &str,
    line: &str,
    body: &str,
) -> anyhow::Result<Option<T>> {
    let (status, answer) = exchange(address, line, body)?;
    match status {
        200 => Ok(Some(serde_json::from_str(&answer).context("the answer is not understood")?)),
        404 => Ok(None),
        _ => {
            let problem: serde_json::Value = serde_json::from_str(&answer).unwrap_or_default();
            let why =
                problem.get("detail").and_then(|detail| detail.as_str()).unwrap_or("no reason");
            bail!("{address} answers {status}: {why}")
        }
    }
}

fn exchange(address: &str, line: &str, body: &str) -> anyhow::Result<(u16, String)> {
    let name = address.strip_prefix("http://").unwrap_or(address).trim_end_matches('/');
    let has_port = name.rsplit_once(':').is_some_and(|(host, port)| {
        port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']'))
    });
    let host = if has_port { name.to_owned() } else { format!("{name}:{PORT}") };
    let nobody = || format!("no gateway answers at {host}; name the address of its admin listener");
    let found = host.to_socket_addrs().with_context(nobody)?.next().with_context(nobody)?;
    let mut stream = TcpStream::connect_timeout(&found, TIMEOUT).with_context(nobody)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let length = body.len();
    let head = format!(
        "{line} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\nContent-Type: application/json\r\nContent-Length: \
         {length}\r\nConnection: close\r\n\r\n"
    );
    let mut answer = Vec::new();
    let read = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(body.as_bytes()))
        .and_then(|()| (&stream).take(ANSWER_BYTES_MAX).read_to_end(&mut answer));
    read.with_context(|| format!("{host} does not answer"))?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer is not HTTP")?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    Ok((status.context("the answer is not HTTP")?, body.to_owned()))
}

#[cfg(test)]
mod tests;
