//! What each room never has, whichever way it could come in.
//!
//! Directions between rooms are Cargo's to enforce; these absences are what makes a room understandable
//! on its own, and quick to build.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::program::repository;

/// `cargo metadata` of the workspace, for the platform that we run on.
pub(crate) fn metadata() -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--offline",
            "--filter-platform",
            "x86_64-unknown-linux-gnu",
        ])
        .current_dir(repository())
        .output()
        .expect("cargo is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("it is JSON")
}

/// Names of packages by the names of those that they need to run or build (not to test).
fn needs(metadata: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let name_of: BTreeMap<&str, &str> = metadata["packages"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|package| {
            (package["id"].as_str().expect("a text"), package["name"].as_str().expect("a text"))
        })
        .collect();
    let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for node in metadata["resolve"]["nodes"].as_array().expect("a list") {
        let name = name_of[node["id"].as_str().expect("a text")].to_owned();
        let direct = node["deps"].as_array().expect("a list").iter().filter(|dependency| {
            dependency["dep_kinds"]
                .as_array()
                .expect("a list")
                .iter()
                .any(|kind| kind["kind"].as_str() != Some("dev"))
        });
        let direct = direct
            .map(|dependency| name_of[dependency["pkg"].as_str().expect("a text")].to_owned());
        needs.entry(name).or_default().extend(direct);
    }
    needs
}

/// Everything that a package needs, directly or not.
fn reached(needs: &BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![from.to_owned()];
    while let Some(name) = waiting.pop() {
        for next in needs.get(&name).into_iter().flatten() {
            if reached.insert(next.clone()) {
                waiting.push(next.clone());
            }
        }
    }
    reached
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
        ("portway-proxy", &["sqlx", "rusqlite", "wasmtime", "axum", "hyper", "clap", "portway"]),
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
    let needs = needs(&metadata());
    let mut found = Vec::new();
    for (room, never) in rules {
        assert!(needs.contains_key(*room), "there is no {room}");
        let reached = reached(&needs, room);
        found.extend(
            never
                .iter()
                .filter(|name| reached.contains(**name))
                .map(|name| format!("{room} reaches {name}")),
        );
    }
    assert!(found.is_empty(), "{found:#?}");
}
