//! Restarts without a refused connection: a new process takes over the sockets of the old one, or systemd holds them.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::program::{Gateway, backend, directory, portway, try_get};

#[test]
fn f13_twenty_restarts_refuse_nobody() {
    let backend = backend("hello");
    let text = format!(
        "portway: 1\ngateway: {{ listen: [\"127.0.0.1:0\"], admin: \"127.0.0.1:0\", handover: handover, drain_timeout: 5s }}\nservices:\n  a: {{ routes: [\"GET /\"], backend: \"http://{backend}\", auth: public }}\n"
    );
    let directory = directory(&[("portway.yaml", &text)]);
    let mut gateway = Gateway::start(portway(directory.path(), &["run"]));
    let (address, admin) = (gateway.address, gateway.admin.expect("it has an admin listener"));

    let (stop, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..2)
        .map(|_| {
            let (stop, calls) = (Arc::clone(&stop), Arc::clone(&calls));
            std::thread::spawn(move || {
                let mut failed = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    match try_get(address, "/", &[]) {
                        Ok((200, _)) => {}
                        other => failed.push(format!("{other:?}")),
                    }
                    calls.fetch_add(1, Ordering::Relaxed);
                }
                failed
            })
        })
        .collect();

    // `make faults` asks for more.
    let is_full = std::env::var_os("PORTWAY_FAULTS").is_some_and(|value| value == "full");
    for _ in 0..if is_full { 100 } else { 20 } {
        // The port is that of the first process, which the document does not know.
        let arguments = ["run", "--listen", &address.to_string(), "--admin", &admin.to_string()];
        let next = Gateway::start(portway(directory.path(), &arguments));
        assert_eq!((next.address, next.admin), (address, Some(admin)));
        // Asked at any moment of a restart, the gateway is ready: the process that ends does not answer any more.
        gateway.wait_for("another process serves now");
        assert!(matches!(try_get(admin, "/ready", &[]), Ok((200, _))));
        assert_eq!(gateway.end(), 0, "{}", gateway.log.join("\n"));
        gateway = next;
    }
    stop.store(true, Ordering::Relaxed);
    let failed: Vec<String> =
        callers.into_iter().flat_map(|caller| caller.join().expect("it does not panic")).collect();
    assert!(
        failed.is_empty(),
        "of {} calls {} failed: {:?}",
        calls.load(Ordering::Relaxed),
        failed.len(),
        failed.first()
    );
    gateway.signal("TERM");
    assert_eq!(gateway.end(), 0);
    assert!(!directory.path().join("handover").exists(), "the socket is left behind");
}

#[test]
fn sockets_of_systemd_are_used() {
    let backend = backend("hello");
    let text = format!(
        "portway: 1\ngateway: {{ listen: [\"127.0.0.1:0\"], admin: \"off\" }}\nservices:\n  a: {{ routes: [\"GET /\"], backend: \"http://{backend}\", auth: public }}\n"
    );
    let directory = directory(&[("portway.yaml", &text)]);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it has an address");
    // As systemd does it: the socket is number 3, and the process is told so.
    let script_file = directory.path().join("start");
    let binary = env!("CARGO_BIN_EXE_portway");
    let script = format!(
        "#!/bin/bash\nexport LISTEN_FDS=1 LISTEN_PID=$$\nexec {binary} run --listen {address} 3<&0 0</dev/null\n"
    );
    std::fs::write(&script_file, script).expect("it can be written");
    let mut command = std::process::Command::new("bash");
    command.arg(&script_file).current_dir(directory.path()).stdin(OwnedFd::from(listener));
    let mut gateway = Gateway::start(command);
    assert_eq!(gateway.address, address);
    assert!(matches!(try_get(address, "/", &[]), Ok((200, _))));
    gateway.signal("TERM");
    assert_eq!(gateway.end(), 0);
}
