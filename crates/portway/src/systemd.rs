//! What is said to systemd, where it is there (`Type=notify`), and the sockets that it gives.
//!
//! Elsewhere all of it does nothing.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use sd_notify::NotifyState;

/// How often one wakes up where there is no watchdog.
const NEVER: Duration = Duration::from_secs(3_600);

/// Serving. `took_over`: this process was not started by systemd itself, but by whoever replaced the one that was.
pub fn ready(took_over: bool, status: &str) {
    let (ready, status) = (NotifyState::Ready, NotifyState::Status(status));
    if took_over {
        tell(&[NotifyState::MainPid(std::process::id()), ready, status]);
    } else {
        tell(&[ready, status]);
    }
}

/// Reading the documents again because that was asked for. [`reloaded`] has to follow, however it went.
pub fn reloading() {
    let status = NotifyState::Status("reading the documents again");
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now, status]),
        Err(_) => tell(&[NotifyState::Reloading, status]),
    }
}

/// Done with reloading, well or not: `status` says how it went.
pub fn reloaded(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// How things are, on one line.
pub fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// On the way to the end.
pub fn stopping(status: &str) {
    tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

/// Still there.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd cannot be told");
    }
}

/// How often to say that we are still there: four times in what systemd allows, so that one that is missed does no harm.
pub fn watchdog_interval() -> Duration {
    sd_notify::watchdog_enabled().map_or(NEVER, |allowed| allowed / 4)
}

/// The listening sockets that systemd has opened for us (`LISTEN_FDS`), with their addresses.
pub fn sockets() -> Vec<(SocketAddr, TcpListener)> {
    let mut given = listenfd::ListenFd::from_env();
    (0..given.len())
        .filter_map(|index| given.take_tcp_listener(index).ok().flatten())
        .filter_map(|listener| {
            // systemd opens them for whoever waits in `accept`; we never do.
            listener.set_nonblocking(true).ok()?;
            Some((listener.local_addr().ok()?, listener))
        })
        .collect()
}
