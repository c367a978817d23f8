//! A process that may open no more files (fault row F2): it goes on serving whom it has, and takes others again
//! when it can. The limit holds for a whole process, so the gateway gets one of its own: this program again,
//! with one test that is run by no other way.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use portway_testkit::{Backend, Client, Gateway};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::open;

/// Tells the process of the gateway where the backend is.
const BACKEND: &str = "PORTWAY_TEST_BACKEND";
const FILES: u64 = 100;

#[test]
fn f2_without_descriptors_accepting_waits_and_goes_on() {
    let backend = Backend::polite();
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "descriptors::gateway_with_few_files", "--ignored", "--nocapture"])
        .env(BACKEND, backend.address().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts again");
    let mut said =
        BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let mut told = |word: &str| {
        let line = said.find(|line| line.starts_with(word)).expect("the gateway says so");
        line[word.len()..].trim().to_owned()
    };
    let address = told("ADDRESS ").parse().expect("an address");

    let mut known = Client::connect(address);
    assert_eq!(known.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").answer().status, 200);
    let held: Vec<Client> = (0..3 * FILES).map(|_| Client::connect(address)).collect();
    std::thread::sleep(Duration::from_millis(200));
    // Whoever is in is served; a connection to the backend is at rest for it.
    assert_eq!(known.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").answer().status, 200);
    drop(held);
    let begun = Instant::now();
    assert_eq!(Client::get(address, "/a").status, 200);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());

    child.stdin.take().expect("piped").write_all(b"\n").expect("it listens");
    let failures: f64 = told("FAILURES ").parse().expect("a number");
    assert!(failures >= 1.0, "the descriptors did not run out");
    assert!(child.wait().expect("it ends").success());
}

#[test]
#[ignore = "run by the test above, in a process of its own"]
fn gateway_with_few_files() {
    let Ok(backend) = std::env::var(BACKEND) else { return };
    let document =
        open(backend.parse().expect("an address"), "").replace("workers: 2", "workers: 1");
    let gateway = Gateway::start(&document);
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(FILES), maximum: most })
        .expect("fewer is allowed");
    let mut out = std::io::stdout();
    // The harness may be in the middle of a line of its own.
    writeln!(out, "\nADDRESS {}", gateway.address()).expect("said");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("told");
    writeln!(out, "FAILURES {}", gateway.metric("portway_accept_failures_total")).expect("said");
}
