//! Faults from outside, at their full number, against the built binary with its default settings: thousands of
//! slow callers (fault row F1), a flood of connections (F2), a network that fails (F5), more calls than can be served (F7), a
//! name server that fails (F8).
//!
//! Every test prints its figures. What depends on the speed of the machine is only asserted by `make faults`,
//! which sets `PORTWAY_FAULTS=full`, runs one test at a time, and makes the flood as long as its row asks.

mod clock;
mod dns;
mod flood;
mod memory;
mod network;
mod overload;
mod peers;
#[path = "../it/program.rs"]
#[allow(dead_code, reason = "these tests need a part of it")]
mod program;
mod sink;
mod stops;
mod watch;

use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whether times are asserted and the flood is a long one.
fn is_full() -> bool {
    std::env::var_os("PORTWAY_FAULTS").is_some_and(|value| value == "full")
}

/// One crowd of thousands at a time: two of them are more than a machine has to have room for.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shows a figure; only those of `make faults`, and of tests that fail, are seen.
#[expect(clippy::print_stdout, reason = "the harness decides what is shown")]
fn say(figure: std::fmt::Arguments<'_>) {
    println!("{figure}");
}

/// Tells loudly that something cannot be tested on this machine. In CI it must be.
fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "not possible on this machine: {why}");
    // Not by a macro, whose output is only shown when a test fails.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// Raises how many files this process, and whatever it starts, may have open; says whether so many are allowed.
fn may_open(files: u64) -> bool {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let most = getrlimit(Resource::Nofile).maximum;
    // The superuser may have more than was said.
    let enough = most.map(|most| most.max(files));
    for maximum in [enough, most] {
        if setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok() {
            break;
        }
    }
    getrlimit(Resource::Nofile).current.is_none_or(|current| current >= files)
}
