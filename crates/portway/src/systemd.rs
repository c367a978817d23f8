//! What is said to systemd, where it is there (`Type=notify`), and the sockets that it gives.
//!
//! Elsewhere all of it does nothing.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use sd_notify::NotifyState;

/// How often one wakes up where there is no watchdog.
const NEVER: Duration = Duration::from_secs(3_600);

/// Serving, or done with reloading. `took_over`: this process was not started by systemd itself, but by whoever
/// replaced the one that was.
pub fn ready(took_over: bool) {
    if took_over {
        tell(&[NotifyState::MainPid(std::process::id()), NotifyState::Ready]);
    } else {
        tell(&[NotifyState::Ready]);
    }
}

/// Reading the documents again.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// On the way to the end.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
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

/// How often systemd wants to hear that we are still there: half of what it allows.
pub fn watchdog_interval() -> Duration {
    sd_notify::watchdog_enabled().map_or(NEVER, |allowed| allowed / 2)
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
