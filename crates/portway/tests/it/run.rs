//! `portway run`: it serves, follows the documents, and ends as it should.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::program::{Gateway, backend, directory, get, outcome, portway, write};

fn document(backend: SocketAddr, path: &str) -> String {
    format!(
        "portway: 1\ngateway: {{ listen: [\"127.0.0.1:0\"], admin: \"127.0.0.1:0\" }}\nservices:\n  a: {{ routes: [\"GET /\"], path: {path}, backend: \"http://{backend}\", auth: public }}\n"
    )
}

/// Waits until a path answers with a status; how long it took.
fn wait_for(address: SocketAddr, path: &str, status: u16) -> Duration {
    let started = Instant::now();
    loop {
        let (found, answer) = get(address, path, &[]);
        if found == status {
            return started.elapsed();
        }
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{path} does not come to {status}: {answer}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn edits_are_live_within_a_second() {
    let backend = backend("hello");
    let directory = directory(&[("portway.yaml", &document(backend, "/one"))]);
    let mut gateway = Gateway::start(portway(directory.path(), &["run"]));
    let admin = gateway.admin.expect("it has an admin listener");
    let (status, answer) = get(gateway.address, "/one", &[]);
    assert!(status == 200 && answer.ends_with("hello"), "{answer}");
    assert_eq!(get(admin, "/ready", &[]).0, 200);

    // Written in place.
    write(directory.path(), "portway.yaml", &document(backend, "/two"));
    assert!(wait_for(gateway.address, "/two", 200) < Duration::from_secs(1));
    assert_eq!(get(gateway.address, "/one", &[]).0, 404);

    // Replaced by renaming.
    write(directory.path(), "new", &document(backend, "/three"));
    std::fs::rename(directory.path().join("new"), directory.path().join("portway.yaml"))
        .expect("it can be renamed");
    assert!(wait_for(gateway.address, "/three", 200) < Duration::from_secs(1));

    // One that does not compile changes nothing, and is told.
    write(
        directory.path(),
        "portway.yaml",
        &document(backend, "/four").replace("auth: public", "auth: pubic"),
    );
    gateway.wait_for("what was served before goes on");
    assert_eq!(get(gateway.address, "/three", &[]).0, 200);
    assert_eq!(get(admin, "/ready", &[]).0, 200);
    let (_, snapshot) = get(admin, "/snapshot", &[]);
    assert!(snapshot.contains("\"ok\":false") && snapshot.contains("\"line\":4"), "{snapshot}");
    assert!(get(admin, "/metrics", &[]).1.contains("\nportway_snapshot_last_load_failed 1"));

    write(directory.path(), "portway.yaml", &document(backend, "/four"));
    assert!(wait_for(gateway.address, "/four", 200) < Duration::from_secs(1));
    assert!(get(admin, "/snapshot", &[]).1.contains("\"ok\":true"));
    assert!(get(admin, "/metrics", &[]).1.contains("\nportway_snapshot_last_load_failed 0"));
    gateway.signal("TERM");
    assert_eq!(gateway.end(), 0);
}

#[test]
fn included_files_secrets_and_mounted_directories_are_followed() {
    let backend = backend("hello");
    let service = |name: &str| {
        format!(
            "portway: 1\nservices:\n  {name}: {{ routes: [\"GET /\"], path: /{name}, backend: \"http://{backend}\", auth: [key] }}\napps:\n  {name}: {{ keys: [{{ file: key }}] }}\n"
        )
    };
    let root = "portway: 1\ninclude: [\"services/*.yaml\"]\ngateway: { listen: [\"127.0.0.1:0\"], admin: \"off\" }\n";
    let directory = directory(&[
        ("..1/portway.yaml", root),
        ("..1/services/a.yaml", &service("a").replace("file: key", "file: ../key")),
        ("..1/key", "old-key\n"),
    ]);
    let link = |to: &str, name: &str| {
        let new = directory.path().join("..new");
        std::os::unix::fs::symlink(to, &new).expect("a link can be made");
        std::fs::rename(&new, directory.path().join(name)).expect("it can be renamed");
    };
    // As Kubernetes mounts a ConfigMap: every name is a link through ..data, which is swapped.
    link("..1", "..data");
    for name in ["portway.yaml", "services", "key"] {
        link(&format!("..data/{name}"), name);
    }
    let mut gateway = Gateway::start(portway(directory.path(), &["run"]));
    let call = |path: &str, key: &str| get(gateway.address, path, &[("x-api-key", key)]).0;
    assert_eq!((call("/a", "old-key"), call("/a", "new-key")), (200, 401));

    write(directory.path(), "..2/portway.yaml", root);
    write(
        directory.path(),
        "..2/services/a.yaml",
        &service("a").replace("file: key", "file: ../key"),
    );
    write(directory.path(), "..2/key", "new-key\n");
    link("..2", "..data");
    let started = Instant::now();
    while (call("/a", "old-key"), call("/a", "new-key")) != (401, 200) {
        assert!(started.elapsed() < Duration::from_secs(5), "the swapped directory is not live");
        std::thread::sleep(Duration::from_millis(5));
    }
    // A new file that fits a pattern.
    write(
        directory.path(),
        "..2/services/b.yaml",
        &service("b").replace("keys: [{ file: key }]", "keys: []"),
    );
    while call("/b", "new-key") != 200 {
        assert!(started.elapsed() < Duration::from_secs(8), "the new file is not live");
        std::thread::sleep(Duration::from_millis(5));
    }
    gateway.signal("INT");
    assert_eq!(gateway.end(), 0);
}

#[test]
fn it_drains_and_a_second_signal_cuts() {
    // A backend that never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let directory =
        directory(&[("portway.yaml", &document(silent.local_addr().expect("it has one"), "/"))]);
    let mut gateway = Gateway::start(portway(directory.path(), &["run"]));
    let admin = gateway.admin.expect("it has an admin listener");
    let mut caller = TcpStream::connect(gateway.address).expect("it accepts");
    caller.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("it takes the call");
    let _waiting = silent.accept().expect("the call arrives");
    gateway.signal("TERM");
    gateway.wait_for("stopping");
    assert_eq!(get(admin, "/ready", &[]).0, 503);
    assert!(
        gateway.child.try_wait().expect("it can be asked").is_none(),
        "it must wait for the call"
    );
    gateway.signal("TERM");
    assert_eq!(gateway.end(), 0);
    caller.set_read_timeout(Some(Duration::from_secs(5))).expect("it can be set");
    let mut rest = Vec::new();
    let _ = caller.read_to_end(&mut rest);
    assert!(!rest.starts_with(b"HTTP/1.1 200"));
}

#[test]
fn it_says_why_it_cannot_start() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it has an address").to_string();
    let directory = directory(&[("portway.yaml", &document(([10, 0, 0, 1], 80).into(), "/"))]);
    for setting in ["--listen", "--admin"] {
        let output = portway(directory.path(), &["run", setting, &address])
            .output()
            .expect("the binary runs");
        let (code, _, err) = outcome(&output);
        assert_eq!(code, 3, "{setting}: {err}");
        assert!(err.contains(&address) && err.contains("fix: "), "{setting}: {err}");
    }
}

#[test]
fn hang_up_reads_again() {
    let backend = backend("hello");
    let directory = directory(&[("portway.yaml", &document(backend, "/"))]);
    let mut gateway = Gateway::start(portway(directory.path(), &["run"]));
    gateway.signal("HUP");
    gateway.wait_for("the documents are live");
    assert_eq!(get(gateway.address, "/", &[]).0, 200);
}

#[test]
fn no_secret_is_told_anywhere() {
    let backend = backend("hello");
    let text = document(backend, "/").replace(&format!("backend: \"http://{backend}\""), &format!("backend: {{ targets: [\"http://{backend}\"], credentials: [{{ bearer: {{ env: BACKEND_TOKEN }} }}] }}"))
        + "apps:\n  phone: { keys: [{ env: PHONE_KEY }] }\n";
    let directory = directory(&[("portway.yaml", &text)]);
    let mut command = portway(directory.path(), &["run", "--log-level", "trace"]);
    command.env("BACKEND_TOKEN", "t0ken-secret").env("PHONE_KEY", "k3y-secret");
    let mut gateway = Gateway::start(command);
    let admin = gateway.admin.expect("it has an admin listener");
    assert_eq!(get(gateway.address, "/", &[("x-api-key", "k3y-secret")]).0, 200);
    let mut told = String::new();
    for path in ["/snapshot", "/metrics", "/ready", "/live", "/"] {
        told += &get(admin, path, &[]).1;
    }
    gateway.signal("TERM");
    assert_eq!(gateway.end(), 0);
    gateway.wait_for("stopped");
    told += &gateway.log.join("\n");
    assert!(!told.contains("t0ken-secret") && !told.contains("k3y-secret"), "{told}");
}
