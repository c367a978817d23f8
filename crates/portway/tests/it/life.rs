//! The life of the process: how it starts, what it says to systemd, and what becomes of callers when it ends.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::program::{Gateway, backend, directory, get, outcome, portway, write};

/// How long things may take that take no time on a machine that does nothing else.
const PATIENCE: Duration = Duration::from_secs(30);

fn document(gateway: &str, backend: SocketAddr) -> String {
    format!(
        "portway: 1\ngateway: {{ listen: [\"127.0.0.1:0\"], log: {{ calls: \"off\" }}, {gateway} }}\nservices:\n  a: {{ routes: [\"GET /\"], backend: \"http://{backend}\", auth: public }}\n"
    )
}

/// Waits until nobody listens at an address any more.
fn wait_until_closed(address: SocketAddr) {
    let started = Instant::now();
    while let Err(error) = TcpStream::connect(address).map(drop).map_or_else(
        |error| if error.kind() == ErrorKind::ConnectionRefused { Ok(()) } else { Err(error) },
        |()| Err(ErrorKind::AddrInUse.into()),
    ) {
        assert!(started.elapsed() < PATIENCE, "{address}: {error}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn while_calls_end_nobody_is_let_in_and_another_process_can_listen() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let text = document("admin: \"127.0.0.1:0\"", silent.local_addr().expect("it has one"));
    let files = directory(&[("portway.yaml", &text)]);
    let mut gateway = Gateway::start(portway(files.path(), &["run"]));
    let mut caller = TcpStream::connect(gateway.address).expect("it accepts");
    caller.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("it takes the call");
    let (mut waiting, _) = silent.accept().expect("the call arrives");
    gateway.signal("TERM");
    gateway.wait_for("stopping");
    wait_until_closed(gateway.address);

    // A replacement without a handover, while the call goes on.
    write(files.path(), "other/portway.yaml", &document("admin: \"off\"", backend("hello")));
    let listen = gateway.address.to_string();
    let arguments = ["run", "other", "--listen", &listen];
    let next = Gateway::start(portway(files.path(), &arguments));
    assert!(get(next.address, "/", &[]).1.ends_with("hello"));

    waiting.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate").expect("it listens");
    let mut answer = String::new();
    caller.read_to_string(&mut answer).expect("the connection ends well");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("late"), "{answer}");
    assert_eq!(gateway.end(), 0);
}

/// Connections that the system lets wait at one socket.
fn queue_max() -> usize {
    let text = std::fs::read_to_string("/proc/sys/net/core/somaxconn");
    text.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(128)
}

#[test]
fn who_was_let_in_before_the_end_is_answered() {
    let text = document("admin: \"off\", workers: 2", backend("hello"));
    let files = directory(&[("portway.yaml", &text)]);
    let mut gateway = Gateway::start(portway(files.path(), &["run"]));
    // Stopped, the process accepts nobody; the system lets callers in all the same.
    gateway.signal("STOP");
    let callers: Vec<TcpStream> = (0..queue_max().min(800) / 2)
        .map(|_| {
            let mut caller = TcpStream::connect(gateway.address).expect("the system lets it in");
            caller.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("there is room for it");
            caller
        })
        .collect();
    gateway.signal("TERM");
    gateway.signal("CONT");
    for (number, mut caller) in callers.into_iter().enumerate() {
        caller.set_read_timeout(Some(PATIENCE)).expect("it can be set");
        let mut answer = String::new();
        let read = caller.read_to_string(&mut answer);
        assert!(answer.ends_with("hello"), "caller {number}: {answer:?} {read:?}");
    }
    assert_eq!(gateway.end(), 0);
}

#[test]
fn with_too_few_descriptors_it_does_not_start_by_halves() {
    let text = document("admin: \"off\", workers: 8", backend("hello"));
    let files = directory(&[("portway.yaml", &text)]);
    let mut told = String::new();
    for files_max in [24, 32, 40, 48, 56, 64] {
        let run =
            format!("ulimit -n {files_max}; exec timeout 1 {} run", env!("CARGO_BIN_EXE_portway"));
        let output = Command::new("bash").args(["-c", &run]).current_dir(files.path()).output();
        let (code, _, said) = outcome(&output.expect("bash is there"));
        if said.contains("INFO serving") {
            // Then every worker does.
            assert!(!said.contains("ERROR"), "{files_max}: {said}");
        } else {
            assert!(code == 3 && said.contains("error: "), "{files_max}: {code} {said}");
        }
        told += &said;
    }
    assert!(told.contains("a worker cannot start: "), "{told}");
}

/// What a process says to systemd.
struct Notified(UnixDatagram);

impl Notified {
    /// A place for it in a directory, told to the command.
    fn of(command: &mut Command, directory: &Path) -> Self {
        let path = directory.join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket can be made");
        socket.set_read_timeout(Some(PATIENCE)).expect("it can be set");
        command.env("NOTIFY_SOCKET", path);
        Self(socket)
    }

    /// The next message that says one of these, with the number of the one it says.
    fn next(&self, wanted: &[&str]) -> (usize, String) {
        let mut bytes = [0; 4096];
        loop {
            let count = self.0.recv(&mut bytes).expect("something is said");
            let said = String::from_utf8_lossy(&bytes[..count]).into_owned();
            if let Some(index) =
                wanted.iter().position(|wanted| said.lines().any(|line| line.starts_with(wanted)))
            {
                return (index, said);
            }
        }
    }
}

#[test]
fn systemd_hears_of_a_reload_when_it_is_done() {
    let text = document("admin: \"127.0.0.1:0\"", backend("hello"));
    let files = directory(&[("portway.yaml", &text)]);
    let mut command = portway(files.path(), &["run"]);
    let systemd = Notified::of(&mut command, files.path());
    command.env("WATCHDOG_USEC", "4000000");
    let gateway = Gateway::start(command);
    let admin = gateway.admin.expect("it has an admin listener");
    assert!(systemd.next(&["READY=1"]).1.contains("STATUS=serving"));
    for (text, outcome, ok) in [
        (text.clone(), "STATUS=the documents are live", "\"ok\":true"),
        (text.replace("public", "pubic"), "STATUS=the documents have mistakes", "\"ok\":false"),
        (text.clone(), "STATUS=the documents are live", "\"ok\":true"),
    ] {
        write(files.path(), "portway.yaml", &text);
        gateway.signal("HUP");
        let (_, said) = systemd.next(&["RELOADING=1", "READY=1"]);
        assert!(said.contains("RELOADING=1") && said.contains("MONOTONIC_USEC="), "{said}");
        let (index, said) = systemd.next(&["READY=1", "RELOADING=1"]);
        assert!(index == 0 && said.contains(outcome), "{said}");
        let (_, snapshot) = get(admin, "/snapshot", &[]);
        assert!(snapshot.contains(ok), "{said}: {snapshot}");
    }
    systemd.next(&["WATCHDOG=1"]);
    gateway.signal("TERM");
    assert!(systemd.next(&["STOPPING=1"]).1.contains("STATUS="));
}

#[test]
fn the_settings_that_are_told_are_those_in_force() {
    let service = backend("hello");
    let text = |gateway: &str| document(&format!("admin: \"127.0.0.1:0\", {gateway}"), service);
    let files = directory(&[("portway.yaml", &text("workers: 1"))]);
    let mut gateway = Gateway::start(portway(files.path(), &["run"]));
    let admin = gateway.admin.expect("it has an admin listener");
    let told = || -> serde_json::Value {
        let answer = get(admin, "/snapshot", &[]).1;
        let body = answer.split_once("\r\n\r\n").expect("it has a body").1;
        serde_json::from_str(body).expect("it is JSON")
    };
    let at_first = told();
    assert_eq!(at_first["settings"]["workers"], 1);
    assert_eq!(at_first["need_restart"], serde_json::json!([]));
    let changed = "workers: 2, bounds: { head_fields: 77 }, trusted_proxies: [\"10.0.0.1\"]";
    write(files.path(), "portway.yaml", &text(changed));
    gateway.wait_for("the documents are live");
    let now = told();
    assert_eq!(now["settings"]["bounds"]["head_fields"], 77);
    assert_eq!(now["settings"]["trusted_proxies"][0], "10.0.0.1");
    assert_eq!(
        (&now["settings"]["workers"], &now["need_restart"][0]),
        (&1.into(), &"workers".into())
    );
}
