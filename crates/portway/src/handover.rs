//! Restart without a refused connection: a new process takes over the listening sockets of the old one.
//!
//! The old process listens on a unix socket. The new one connects, is given duplicates of all
//! listening sockets (`SCM_RIGHTS`), starts to serve on them and says so; only then does the old one
//! stop accepting and drain. Whatever goes wrong before that word leaves the old process serving as
//! if nothing had happened. No connection is lost, since the queue of a listening socket lives as
//! long as any process has it open.
//!
//! Assumes Linux (`SOCK_SEQPACKET`: one message is received as it was sent). Only the same user or root may
//! take over: the socket has mode 0600, its directory must not be writable by everybody, and the
//! peer's user id is checked as well. Draining belongs to the caller.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::sockopt::{self, Timeout};
use rustix::net::{
    self, AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};
use serde::{Deserialize, Serialize};

/// Sockets in one message. The kernel takes at most 253.
const MESSAGE_SOCKETS_MAX: usize = 64;
/// Sockets in all that a new process takes: far more than listeners times cores.
const SOCKETS_MAX: usize = 4_096;
/// Bytes of one message.
const MESSAGE_BYTES_MAX: usize = 1_024;
/// How long a peer may take for one message. The new process loads its documents before it connects,
/// so that only starting lies between the sockets and its word.
const PEER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one waits after nobody could be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_secs(5);
/// What the new process says once it serves.
const SERVING: &[u8] = b"serving";

/// What a listening socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Callers come in here.
    Calls,
    /// The gateway is watched here.
    Admin,
}

/// Listening sockets of one role, as they are given away.
pub type Sockets = Vec<(Role, Vec<OwnedFd>)>;

/// What one message says about the sockets that come with it.
#[derive(Debug, Serialize, Deserialize)]
struct Message {
    /// Version of this protocol.
    handover: u32,
    /// What its sockets are for.
    role: Role,
    /// Whether another message follows.
    more: bool,
}

/// Why a take-over is not possible.
#[derive(Debug)]
pub struct HandoverFault {
    /// What, with the path.
    pub what: String,
    /// What can be done about it.
    pub fix: &'static str,
}

impl fmt::Display for HandoverFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for HandoverFault {}

fn fault(path: &Path, what: impl fmt::Display) -> HandoverFault {
    HandoverFault { what: format!("handover socket {}: {what}", path.display()), fix: "" }
}

/// A unix socket on which this process gives its listening sockets away.
#[derive(Debug)]
pub struct Offer {
    socket: OwnedFd,
    place: Place,
}

/// Where an [`Offer`] stands in the file system, so that it can be taken away at the end.
#[derive(Debug, Clone)]
pub struct Place {
    path: PathBuf,
    inode: (u64, u64),
}

impl Place {
    /// Removes the socket's file, unless a successor has put its own there.
    pub fn remove(&self) {
        let same = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|found| (found.dev(), found.ino()) == self.inode);
        if same {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Offer {
    /// Listens at `path`, in the place of whatever socket is there.
    ///
    /// The socket gets its mode before it gets its name, so that at no moment somebody else can connect.
    ///
    /// # Errors
    /// When the directory is not safe or the socket cannot be made.
    pub fn listen(path: &Path) -> Result<Self, HandoverFault> {
        check_directory(path)?;
        if std::fs::symlink_metadata(path).is_ok_and(|found| !is_socket(&found)) {
            return Err(HandoverFault {
                fix: "name a path at which nothing else stands",
                ..fault(path, "something else than a socket stands there")
            });
        }
        let mut temporary = OsString::from(path);
        temporary.push(format!(".{}", std::process::id()));
        let temporary = PathBuf::from(temporary);
        let _ = std::fs::remove_file(&temporary);
        let made = Self::listen_at(&temporary).and_then(|socket| {
            let found = std::fs::symlink_metadata(&temporary)?;
            std::fs::rename(&temporary, path)?;
            Ok(Self {
                socket,
                place: Place { path: path.to_owned(), inode: (found.dev(), found.ino()) },
            })
        });
        made.map_err(|error| {
            let _ = std::fs::remove_file(&temporary);
            fault(path, error)
        })
    }

    fn listen_at(path: &Path) -> io::Result<OwnedFd> {
        let socket = seqpacket()?;
        net::bind(&socket, &SocketAddrUnix::new(path)?)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        net::listen(&socket, 4)?;
        Ok(socket)
    }

    /// Where it stands.
    pub fn place(&self) -> Place {
        self.place.clone()
    }

    /// Waits on a thread of its own until a new process serves, then calls `taken` once.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn wait(
        self,
        sockets: impl Fn() -> io::Result<Sockets> + Send + 'static,
        taken: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        let work = move || {
            loop {
                match self.give(&sockets) {
                    Ok(()) => break taken(),
                    Err(error) => {
                        tracing::warn!(%error, "a take-over did not come about; this process goes on serving")
                    }
                }
            }
        };
        std::thread::Builder::new()
            .name("handover".to_owned())
            .stack_size(256 * 1024)
            .spawn(work)
            .map(drop)
    }

    /// Gives the sockets to the next process that connects, and waits until that process serves.
    fn give(&self, sockets: &impl Fn() -> io::Result<Sockets>) -> io::Result<()> {
        let peer = match net::accept_with(&self.socket, SocketFlags::CLOEXEC) {
            Ok(peer) => peer,
            Err(error) => {
                // Out of files, perhaps: not a reason to spin, nor to say so all the time.
                std::thread::sleep(ACCEPT_PAUSE);
                return Err(error.into());
            }
        };
        check_peer(&peer)?;
        set_timeouts(&peer)?;
        let sockets = sockets()?;
        let messages: Vec<(Role, &[OwnedFd])> = sockets
            .iter()
            .flat_map(|(role, fds)| {
                fds.chunks(MESSAGE_SOCKETS_MAX).map(move |chunk| (*role, chunk))
            })
            .collect();
        for (index, (role, chunk)) in messages.iter().enumerate() {
            send(
                &peer,
                &Message { handover: 1, role: *role, more: index + 1 < messages.len() },
                chunk,
            )?;
        }
        let mut word = [0_u8; 16];
        let (bytes, _) = net::recv(&peer, &mut word, RecvFlags::empty())?;
        match &word[..bytes] {
            SERVING => Ok(()),
            b"" => Err(io::Error::other("the new process went away before it served")),
            _ => Err(io::Error::other("the new process said something else than that it serves")),
        }
    }
}

/// Listening sockets that were taken over, and the line to the process they came from.
#[derive(Debug)]
pub struct Taken {
    /// The sockets, with the address that each one listens on.
    pub sockets: Vec<(Role, SocketAddr, TcpListener)>,
    predecessor: OwnedFd,
}

impl Taken {
    /// Takes the sockets of the process that offers them at `path`; `None` if there is none.
    ///
    /// # Errors
    /// When there is one, but the sockets cannot be had.
    pub fn from(path: &Path) -> Result<Option<Self>, HandoverFault> {
        match connect(path) {
            Ok(peer) => Self::receive(peer).map(Some).map_err(|error| fault(path, error)),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(fault(path, error)),
        }
    }

    fn receive(peer: OwnedFd) -> io::Result<Self> {
        let mut sockets = Vec::new();
        loop {
            let (message, fds) = receive(&peer)?;
            for fd in fds {
                let listener = TcpListener::from(fd);
                listener.set_nonblocking(true)?;
                sockets.push((message.role, listener.local_addr()?, listener));
            }
            if sockets.len() > SOCKETS_MAX {
                return Err(io::Error::other("there are more sockets than any gateway has"));
            }
            if !message.more {
                return Ok(Self { sockets, predecessor: peer });
            }
        }
    }

    /// Tells the old process that this one serves, so that it can drain and end.
    ///
    /// # Errors
    /// When the old process cannot be reached any more, which does this one no harm.
    pub fn serving(self) -> io::Result<()> {
        net::send(&self.predecessor, SERVING, SendFlags::NOSIGNAL)?;
        Ok(())
    }
}

fn connect(path: &Path) -> io::Result<OwnedFd> {
    let socket = seqpacket()?;
    set_timeouts(&socket)?;
    net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    // A socket that somebody else put there must not get our word, nor we their sockets.
    check_peer(&socket)?;
    Ok(socket)
}

fn seqpacket() -> io::Result<OwnedFd> {
    Ok(net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

fn set_timeouts(socket: &OwnedFd) -> io::Result<()> {
    sockopt::set_socket_timeout(socket, Timeout::Recv, Some(PEER_TIMEOUT))?;
    sockopt::set_socket_timeout(socket, Timeout::Send, Some(PEER_TIMEOUT))?;
    Ok(())
}

fn check_peer(peer: &OwnedFd) -> io::Result<()> {
    let uid = sockopt::socket_peercred(peer)?.uid;
    if uid == rustix::process::geteuid() || uid.is_root() {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("the process at the other end belongs to user {}", uid.as_raw()),
    ))
}

/// Somebody who may write in the directory could put a socket of their own there.
fn check_directory(path: &Path) -> Result<(), HandoverFault> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let found = std::fs::metadata(directory).map_err(|error| HandoverFault {
        fix: "make the directory, writable by Portway's user only",
        ..fault(path, format_args!("its directory cannot be used: {error}"))
    })?;
    if found.permissions().mode() & 0o002 != 0 {
        return Err(HandoverFault {
            fix: "use a directory that only Portway's user may write in, such as /run/portway",
            ..fault(
                path,
                "everybody may write in its directory, and put a socket of their own there",
            )
        });
    }
    Ok(())
}

fn is_socket(found: &std::fs::Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_socket(&found.file_type())
}

fn send(peer: &OwnedFd, message: &Message, fds: &[OwnedFd]) -> io::Result<()> {
    let text = serde_json::to_vec(message)?;
    let fds: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MESSAGE_SOCKETS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(io::Error::other("the sockets do not fit into one message"));
    }
    net::sendmsg(peer, &[IoSlice::new(&text)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn receive(peer: &OwnedFd) -> io::Result<(Message, Vec<OwnedFd>)> {
    let mut text = [0_u8; MESSAGE_BYTES_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MESSAGE_SOCKETS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = net::recvmsg(
        peer,
        &mut [IoSliceMut::new(&mut text)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let mut fds = Vec::new();
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = part {
            fds.extend(rights);
        }
    }
    if received.bytes == 0 {
        return Err(io::Error::other("the old process went away"));
    }
    if received.flags.intersects(ReturnFlags::CTRUNC | ReturnFlags::TRUNC) {
        return Err(io::Error::other("a message of the old process is too long"));
    }
    let message: Message = serde_json::from_slice(&text[..received.bytes])?;
    if message.handover != 1 {
        return Err(io::Error::other("the old process speaks another version of the handover"));
    }
    Ok((message, fds))
}

#[cfg(test)]
mod tests;
