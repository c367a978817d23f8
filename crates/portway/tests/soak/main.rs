//! A mixed load for as long as one likes: nothing grows, nothing panics, no answer is wrong.
//!
//! HTTP/1.1 on kept and on new connections, HTTP/2, WebSockets, refusals, callers that leave in the middle, callers that
//! are slow, a backend that fails, and an edit of the documents each second, all at once against the built binary.
//! `make soak` runs it for ten minutes (`SOAK_MINUTES`) and judges the slope of the memory; the ordinary run lasts twenty
//! seconds and asserts what depends on no machine: answers, panics, and that files and threads are given back.

mod callers;
#[path = "../it/program.rs"]
#[allow(dead_code, reason = "this test needs a part of it")]
mod program;
#[path = "../faults/watch.rs"]
#[allow(dead_code, reason = "this test needs a part of it")]
mod watch;

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use callers::{Callers, ill_backend, socket_backend};
use program::{Gateway, backend, directory, portway, write};
use watch::{count, memory_bytes, metric, wait_for};

/// The most that memory may grow in a minute, over the second half of a run of three minutes or more.
const GROWTH_MAX_KIB_PER_MINUTE: f64 = 512.0;

/// What is looked at each second.
struct Sample {
    at: Duration,
    memory_bytes: u64,
    files: usize,
    threads: usize,
    calls: u64,
    edits: u64,
}

/// A version of the documents: each is told in a field of every answer.
fn document(backends: [SocketAddr; 3], version: u64) -> String {
    let [good, ill, socket] = backends;
    format!(
        "portway: 1\ngateway: {{ listen: [\"127.0.0.1:0\"], admin: \"127.0.0.1:0\", log: {{ to: calls.log }}, bounds: {{ head_timeout: 3s }} }}\n\
         services:\n  \
         good: {{ path: /good, routes: [\"GET /\", \"POST /\"], auth: [key], limits: [\"{}/s\"], backend: \"http://{good}\" }}\n  \
         ill: {{ path: /ill, routes: [\"GET /\"], auth: public, backend: {{ targets: \"http://{ill}\" }} }}\n  \
         socket: {{ path: /socket, routes: [\"GET /\"], auth: public, backend: \"http://{socket}\" }}\n\
         apps: {{ phone: {{ keys: [ {{ file: key }} ] }} }}\n",
        1_000_000 + version
    )
}

fn minutes() -> Option<f64> {
    std::env::var("SOAK_MINUTES").ok().map(|text| text.parse().expect("SOAK_MINUTES is a number"))
}

#[test]
fn a_mixed_load_leaves_nothing_behind() {
    let lasts = minutes()
        .map_or(Duration::from_secs(20), |minutes| Duration::from_secs_f64(minutes * 60.0));
    let backends = [backend("hello"), ill_backend(), socket_backend()];
    let directory = directory(&[("portway.yaml", &document(backends, 0)), ("key", callers::KEY)]);
    let mut gateway = Gateway::start(portway(directory.path(), &["run"]));
    // What is made once is there before anything is counted.
    let warm = Callers::start(gateway.address);
    std::thread::sleep(Duration::from_secs(3));
    warm.end();
    settle(&gateway);
    let (files, threads) = (count(&gateway, "fd"), count(&gateway, "task"));

    let callers = Callers::start(gateway.address);
    let samples = watch_for(lasts, &gateway, directory.path(), backends, &callers);
    let wrong = Arc::clone(&callers.seen);
    callers.end();
    show(&samples);
    let wrong = wrong.wrong.lock().expect("not poisoned");
    assert!(wrong.is_empty(), "{} answers were wrong: {:?}", wrong.len(), wrong.first());
    drop(wrong);

    settle(&gateway);
    // Connections to backends that are at rest stay for a while.
    let left = count(&gateway, "fd");
    assert!(left <= files + 64, "{left} files are open, {files} were");
    assert!(count(&gateway, "task") <= threads, "{} threads", count(&gateway, "task"));
    assert_eq!(metric(&gateway, "portway_panics_total"), 0.0);
    if minutes().is_some() {
        assert_flat(&samples);
    }
    gateway.signal("TERM");
    assert_eq!(gateway.end(), 0);
    judge_log(directory.path());
}

/// Waits until no call is under way.
fn settle(gateway: &Gateway) {
    wait_for(gateway, "portway_calls_in_flight", |calls| calls == 0.0);
    // The one that asks is on the other listener.
    wait_for(gateway, "portway_connections{", |connections| connections == 0.0);
}

/// Edits and samples, each second.
fn watch_for(
    lasts: Duration,
    gateway: &Gateway,
    folder: &Path,
    backends: [SocketAddr; 3],
    callers: &Callers,
) -> Vec<Sample> {
    let (begun, mut samples, mut edits) = (Instant::now(), Vec::new(), 0);
    while begun.elapsed() < lasts {
        std::thread::sleep(Duration::from_secs(1));
        edits += 1;
        let mut text = document(backends, edits);
        // Now and then one that does not load.
        if edits % 10 == 9 {
            text = text.replace("auth: [key]", "auth: [kee]");
        }
        write(folder, "portway.yaml", &text);
        samples.push(Sample {
            at: begun.elapsed(),
            memory_bytes: memory_bytes(gateway),
            files: count(gateway, "fd"),
            threads: count(gateway, "task"),
            calls: callers.seen.calls.load(Ordering::Relaxed),
            edits,
        });
    }
    samples
}

/// A table of some twenty lines.
fn show(samples: &[Sample]) {
    let mut out = std::io::stderr();
    let _ = writeln!(out, "soak:   second   memory KiB    files  threads      calls    edits");
    for sample in samples.iter().step_by(samples.len().div_ceil(20).max(1)) {
        let _ = writeln!(
            out,
            "soak: {:>8} {:>12} {:>8} {:>8} {:>10} {:>8}",
            sample.at.as_secs(),
            sample.memory_bytes >> 10,
            sample.files,
            sample.threads,
            sample.calls,
            sample.edits
        );
    }
    let _ = writeln!(out, "soak: memory grows by {:.0} KiB a minute", slope(samples));
}

/// KiB a minute over the second half, by least squares.
fn slope(samples: &[Sample]) -> f64 {
    let half = &samples[samples.len() / 2..];
    let count = half.len() as f64;
    let point =
        |sample: &Sample| (sample.at.as_secs_f64() / 60.0, sample.memory_bytes as f64 / 1024.0);
    let mean_x = half.iter().map(|sample| point(sample).0).sum::<f64>() / count;
    let mean_y = half.iter().map(|sample| point(sample).1).sum::<f64>() / count;
    let (mut over, mut under) = (0.0, 0.0);
    for (x, y) in half.iter().map(point) {
        over += (x - mean_x) * (y - mean_y);
        under += (x - mean_x).powi(2);
    }
    if under == 0.0 { 0.0 } else { over / under }
}

fn assert_flat(samples: &[Sample]) {
    let last = samples.last().expect("it lasted").at;
    if last < Duration::from_secs(180) {
        return;
    }
    let slope = slope(samples);
    assert!(slope <= GROWTH_MAX_KIB_PER_MINUTE, "memory grows by {slope:.0} KiB a minute");
    let half = &samples[samples.len() / 2..];
    let (early, late) = half.split_at(half.len() / 2);
    let most = |part: &[Sample]| part.iter().map(|sample| sample.files).max().unwrap_or_default();
    assert!(most(late) <= most(early) + 64, "files: {} and later {}", most(early), most(late));
}

/// Every line is whole.
fn judge_log(folder: &Path) {
    let text = std::fs::read_to_string(folder.join("calls.log")).expect("there were calls");
    let mut broken =
        text.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_err());
    assert_eq!(broken.next(), None, "a line of the log is broken");
}
