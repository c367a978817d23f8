//! What each room never has, whichever way it could come in.
//!
//! Directions between rooms are Cargo's to enforce; these absences are what makes a room understandable
//! on its own, and quick to build.

use std::collections::BTreeSet;
use std::process::Command;

use crate::program::repository;

/// What `cargo tree` says of the workspace or of one package in it: a line for each package that it needs,
/// in the form `format`. (`cargo metadata` would also list packages that no enabled feature asks for.)
pub(crate) fn tree(package: Option<&str>, edges: &str, format: &str) -> BTreeSet<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command.args([
        "tree",
        "--locked",
        "--offline",
        "--prefix",
        "none",
        "--edges",
        edges,
        "--format",
        format,
    ]);
    match package {
        Some(package) => command.args(["--package", package]),
        None => command.arg("--workspace"),
    };
    let output = command.current_dir(repository()).output().expect("cargo is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| line.trim_end_matches(" (*)").to_owned())
        .collect()
}

/// The names of everything that a room needs to run or to build (not to test).
fn reached(room: &str) -> BTreeSet<String> {
    let lines = tree(Some(room), "normal,build", "{p}");
    lines.iter().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn every_room_is_without_what_it_must_not_have() {
    const IO: &[&str] = &[
        "tokio", "hyper", "h2", "rustls", "socket2", "mio", "sqlx", "rusqlite", "axum", "wasmtime",
        "reqwest",
    ];
    let rules: &[(&str, &[&str])] = &[
        ("portway-model", &[IO, &["http", "portway-contract", "portway-policy"]].concat()),
        ("portway-contract", &[IO, &["http", "portway-model", "portway-policy"]].concat()),
        (
            "portway-http1",
            &[IO, &["http", "serde", "portway-model", "portway-contract", "portway-policy"]]
                .concat(),
        ),
        ("portway-policy", &[IO, &["portway-snapshot", "portway-http1"]].concat()),
        ("portway-snapshot", &[IO, &["portway-proxy", "portway-http1"]].concat()),
        ("portway-proxy", &["sqlx", "rusqlite", "wasmtime", "axum", "hyper", "clap"]),
        (
            "portway",
            &[
                "ring",
                "openssl",
                "openssl-sys",
                "native-tls",
                "reqwest",
                "portway-testkit",
                "serde_yaml",
                "serde_yml",
            ],
        ),
    ];
    let mut found = Vec::new();
    for (room, never) in rules {
        let reached = reached(room);
        assert!(reached.contains(*room), "there is no {room}");
        found.extend(
            never
                .iter()
                .filter(|name| reached.contains(**name))
                .map(|name| format!("{room} reaches {name}")),
        );
    }
    assert!(found.is_empty(), "{found:#?}");
}
