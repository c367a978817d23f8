//! What can be read, and what cannot.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use portway_snapshot::Files as _;

use super::*;

fn root_with(files: &[(&str, &str)]) -> (tempfile::TempDir, Root) {
    let outer = tempfile::tempdir().unwrap();
    let inner = outer.path().join("conf");
    std::fs::create_dir(&inner).unwrap();
    std::fs::write(outer.path().join("secret"), "outside").unwrap();
    for (name, text) in files {
        let path = inner.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let root = Root::open(&inner).unwrap();
    (outer, root)
}

#[test]
fn files_beneath_are_read() {
    let (_outer, root) = root_with(&[("a.yaml", "a"), ("sub/b.yaml", "b"), ("sub/deep/c", "c")]);
    for (path, text) in
        [("a.yaml", "a"), ("sub/b.yaml", "b"), ("sub/deep/c", "c"), ("sub/../a.yaml", "a")]
    {
        assert_eq!(root.load(path), Ok(text.into()), "{path}");
    }
    symlink("sub/b.yaml", root.path().join("link")).unwrap();
    assert_eq!(root.load("link"), Ok("b".into()));
    assert_eq!(root.load("absent"), Err(LoadFault::NotFound));
    assert_eq!(root.load("a.yaml/x"), Err(LoadFault::NotFound));
}

#[test]
fn nothing_leads_out() {
    let (outer, root) = root_with(&[("a.yaml", "a"), ("sub/b.yaml", "b")]);
    symlink("../secret", root.path().join("relative")).unwrap();
    symlink(outer.path().join("secret"), root.path().join("absolute")).unwrap();
    symlink("..", root.path().join("up")).unwrap();
    symlink("/proc/self/root", root.path().join("magic")).unwrap();
    let absolute = outer.path().join("secret");
    for path in [
        "../secret",
        "sub/../../secret",
        "relative",
        "absolute",
        "up/secret",
        "magic/etc/passwd",
        absolute.to_str().unwrap(),
    ] {
        assert_eq!(root.load(path), Err(LoadFault::OutsideRoot), "{path}");
        assert!(root.fingerprint(path).is_none(), "{path}");
        // The way without openat2 refuses the same.
        assert!(root.open_followed(path, OFlags::RDONLY).is_err(), "{path}");
    }
    assert!(root.open_followed("sub/b.yaml", OFlags::RDONLY).is_ok());
}

/// Makes a root take a file for one that has not been touched for long.
fn settle(root: &Root, path: &str) {
    let text = root.read_text(path).unwrap();
    let stamp = stamp(&root.path().join(path).metadata().unwrap());
    root.known().insert(path.to_owned(), Known { stamp, text: Some(text) });
}

#[test]
fn what_is_known_is_not_taken_for_another_file() {
    let (outer, root) = root_with(&[("a", "one"), ("b", "two"), ("c", "six")]);
    let at = |name: &str| root.path().join(name);
    ["a", "b", "c"].iter().for_each(|path| settle(&root, path));
    // As it is known, whatever may stand there: it was not opened.
    root.known().get_mut("a").unwrap().text = Some("known".to_owned());
    assert_eq!(root.read_text("a"), Ok("known".to_owned()));
    assert!(root.was_asked("a"));
    root.forget_known();
    assert_eq!(root.read_text("a"), Ok("one".to_owned()));

    ["a", "b", "c"].iter().for_each(|path| settle(&root, path));
    let before = root.fingerprint("a");
    std::fs::write(at("new"), "eno").unwrap();
    std::fs::rename(at("new"), at("a")).unwrap();
    assert_eq!(root.read_text("a"), Ok("eno".to_owned()));
    assert!(root.fingerprint("a") != before);
    std::fs::remove_file(at("b")).unwrap();
    assert_eq!(root.read_text("b"), Err(LoadFault::NotFound));
    std::fs::remove_file(at("c")).unwrap();
    symlink(outer.path().join("secret"), at("c")).unwrap();
    assert_eq!(root.read_text("c"), Err(LoadFault::OutsideRoot));
    assert_eq!(root.fingerprint("c"), None);
    // A file that was changed only just now may change again without getting another stamp.
    assert!(root.known().is_empty());
    root.forget_asked();
    assert!(!root.was_asked("a"));
}

#[test]
fn only_regular_files_are_read() {
    let (_outer, root) = root_with(&[("sub/b.yaml", "b"), ("latin1", "")]);
    std::fs::write(root.path().join("latin1"), [b'a', 0xe4]).unwrap();
    let _socket = UnixListener::bind(root.path().join("socket")).unwrap();
    rustix::fs::mknodat(CWD, root.path().join("pipe"), rustix::fs::FileType::Fifo, Mode::RWXU, 0)
        .unwrap();
    for path in ["sub", "", "socket", "pipe"] {
        assert!(
            matches!(root.load(path), Err(LoadFault::Other(_))),
            "{path}: {:?}",
            root.load(path)
        );
    }
    assert!(matches!(root.read_text("latin1"), Err(LoadFault::Other(_))));
    let big = File::create(root.path().join("big")).unwrap();
    big.set_len(FILE_BYTES_MAX + 1).unwrap();
    assert_eq!(root.load("big"), Err(LoadFault::TooLarge { limit_bytes: FILE_BYTES_MAX }));
}

#[test]
fn a_change_is_seen_by_the_fingerprint() {
    let (_outer, root) = root_with(&[("a.yaml", "one")]);
    let first = root.fingerprint("a.yaml").unwrap();
    assert_eq!(root.fingerprint("a.yaml"), Some(first));
    assert_eq!(root.fingerprint("later.yaml"), None);
    // By rename, as editors do it, with the same size.
    std::fs::write(root.path().join("new"), "eno").unwrap();
    std::fs::rename(root.path().join("new"), root.path().join("a.yaml")).unwrap();
    assert_ne!(root.fingerprint("a.yaml"), Some(first));
    assert!(root.asked_for().are_stale());
    root.forget_asked();
    assert!(root.fingerprint("a.yaml").is_some() && !root.asked_for().are_stale());
}

#[test]
fn a_mounted_config_map_is_read() {
    let (_outer, root) = root_with(&[("..one/portway.yaml", "1")]);
    symlink("..one", root.path().join("..data")).unwrap();
    symlink("..data/portway.yaml", root.path().join("portway.yaml")).unwrap();
    assert_eq!(root.list("", &Pattern::new("*.yaml")), Ok(vec!["portway.yaml".to_owned()]));
    assert_eq!(root.load("portway.yaml"), Ok("1".into()));
    assert!(root.asked_for().directories().contains(&root.path().join("..one")));
}

#[test]
fn patterns_of_names() {
    let cases = [
        ("*.yaml", "a.yaml", true),
        ("*.yaml", ".yaml", true),
        ("*.yaml", "a.yml", false),
        ("a*b*c", "abc", true),
        ("a*b*c", "axxbxxc", true),
        ("a*b*c", "axxcxxb", false),
        ("ab*ba", "aba", false),
        ("*", "anything", true),
        ("exact", "exact", true),
        ("exact", "exacts", false),
        ("*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
    ];
    for (pattern, name, fits) in cases {
        assert_eq!(Pattern::new(pattern).fits(name), fits, "{pattern} {name}");
    }
}
