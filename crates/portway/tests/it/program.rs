//! Running the built binary: to its end, or as a gateway that serves until the test is over.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// The binary, without anything of our own environment that it would listen to.
pub(crate) fn portway(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portway"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PORTWAY_") {
            command.env_remove(name);
        }
    }
    command.env_remove("NOTIFY_SOCKET").env_remove("LISTEN_FDS").env_remove("CLICOLOR_FORCE");
    command.current_dir(directory).args(arguments).stdin(Stdio::null());
    command
}

/// The repository's root.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the repository is there")
}

/// Exit code, standard output, standard error.
pub(crate) fn outcome(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// A directory with these files.
pub(crate) fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (name, text) in files {
        write(directory.path(), name, text);
    }
    directory
}

/// Writes a file, with the directories it stands in.
pub(crate) fn write(directory: &Path, name: &str, text: &str) {
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().expect("a file stands in a directory"))
        .expect("it can be made");
    std::fs::write(path, text).expect("it can be written");
}

/// A `portway run` that serves. Killed when dropped.
pub(crate) struct Gateway {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) admin: Option<SocketAddr>,
    said: Receiver<String>,
    /// Lines that were read while waiting for another.
    pub(crate) log: Vec<String>,
}

impl Gateway {
    /// Starts one and waits until it serves.
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let (sender, said) = channel();
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        std::thread::spawn(move || {
            while let Some(Ok(line)) = lines.next() {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut gateway =
            Self { child, address: ([0, 0, 0, 0], 0).into(), admin: None, said, log: Vec::new() };
        gateway.wait_for("serving");
        let after = |line: &String, word: &str| {
            line.split_once(word).and_then(|(_, rest)| rest.trim().parse().ok())
        };
        gateway.admin = gateway.log.iter().find_map(|line| after(line, "watched on "));
        gateway.address = gateway
            .log
            .iter()
            .find_map(|line| after(line, "listening on "))
            .expect("it says where it listens");
        gateway
    }

    /// Waits until it says something on standard error.
    pub(crate) fn wait_for(&mut self, word: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.said.recv_timeout(left) {
                Ok(line) => {
                    self.log.push(line.clone());
                    if line.contains(word) {
                        return line;
                    }
                }
                Err(_) => panic!("it does not say \"{word}\" but:\n{}", self.log.join("\n")),
            }
        }
    }

    /// Everything that it says until it ends.
    pub(crate) fn last_words(&mut self) -> String {
        while let Ok(line) = self.said.recv_timeout(Duration::from_secs(30)) {
            self.log.push(line);
        }
        self.log.join("\n")
    }

    /// Sends a signal, by its name.
    pub(crate) fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.expect("kill is there").success());
    }

    /// Waits for its end; the exit code.
    pub(crate) fn end(&mut self) -> i32 {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                return status.code().unwrap_or(-1);
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request on a connection of its own; status and the whole answer.
pub(crate) fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    try_get(address, path, headers).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The same, with errors.
pub(crate) fn try_get(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let fields: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n{fields}Connection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
    status.map(|status| (status, answer)).ok_or_else(|| std::io::Error::other("there is no answer"))
}

/// A backend that answers every request with this text, until the test process ends.
pub(crate) fn backend(text: &'static str) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it has an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer_all(stream, text));
        }
    });
    address
}

/// Answers requests without bodies, one after the other.
fn answer_all(stream: TcpStream, text: &str) {
    let Ok(mut writer) = stream.try_clone() else { return };
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    loop {
        line.clear();
        match reader.read_line(&mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) if line == "\r\n" => {
                let answer =
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len());
                if writer.write_all(answer.as_bytes()).is_err() {
                    return;
                }
            }
            Ok(_) => {}
        }
    }
}
