//! Every way in which a file can become another one is seen.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

fn check(what: &str, change: impl FnOnce(&Path), stale: bool) {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("a.yaml"), "one").unwrap();
    fs::create_dir(at("..1")).unwrap();
    fs::create_dir(at("..2")).unwrap();
    for version in ["..1", "..2"] {
        fs::write(at(version).join("c.yaml"), version).unwrap();
    }
    symlink("..1", at("..data")).unwrap();
    symlink("..data/c.yaml", at("c.yaml")).unwrap();
    fs::create_dir(at("list")).unwrap();
    let mut stamps = Stamps::default();
    for name in ["a.yaml", "c.yaml", "absent.yaml"] {
        stamps.note(at(name));
    }
    stamps.note_listed(at("list"));
    assert!(!stamps.are_stale());
    change(directory.path());
    assert_eq!(stamps.are_stale(), stale, "{what}");
}

#[test]
fn changes_are_seen() {
    check("nothing", |_| {}, false);
    check("written in place", |d| fs::write(d.join("a.yaml"), "two").unwrap(), true);
    check("gone", |d| fs::remove_file(d.join("a.yaml")).unwrap(), true);
    check("appeared", |d| fs::write(d.join("absent.yaml"), "").unwrap(), true);
    check("an unrelated file", |d| fs::write(d.join("calls.log"), "").unwrap(), false);
    check(
        "a new document in a listed directory",
        |d| fs::write(d.join("list/b.yaml"), "").unwrap(),
        true,
    );
    check(
        "what an editor leaves there",
        |d| fs::write(d.join("list/.b.yaml.swp"), "").unwrap(),
        false,
    );
    let rename = |d: &Path| {
        fs::write(d.join("new"), "eno").unwrap();
        fs::rename(d.join("new"), d.join("a.yaml")).unwrap();
    };
    check("replaced by rename, with the same size", rename, true);
    let swap = |d: &Path| {
        symlink("..2", d.join("..new")).unwrap();
        fs::rename(d.join("..new"), d.join("..data")).unwrap();
    };
    check("a mounted ConfigMap", swap, true);
}
