//! What must hold of any bytes as a path; used by the fuzz target and by `tests/corpus.rs`.

use portway_snapshot::{Canonical, canonical_path};

/// Canonical forms are canonical, bounded, and free of what other readers take for structure.
pub(crate) fn path(raw: &[u8]) {
    let mut out = String::new();
    let Ok(path) = canonical_path(raw, &mut out) else { return };
    let path = path.as_str().to_owned();
    assert!(path.is_ascii() && path.len() <= 3 * raw.len().max(1));
    assert_eq!(
        canonical_path(path.as_bytes(), &mut out),
        Ok(Canonical::Same(&path)),
        "canonical twice"
    );
    if path == "*" {
        return;
    }
    assert!(path.starts_with('/'));
    let mut text = path;
    for _ in 0..8 {
        assert!(!text.contains("//") && !text.contains(['\\', '\0']), "{text:?}");
        assert!(!text.split('/').any(|part| part == "." || part == ".."), "{text:?}");
        let slashes = text.matches('/').count();
        let bytes: Vec<u8> = portway_policy::query::decoded(text.as_bytes()).collect();
        text = String::from_utf8(bytes).expect("escapes are UTF-8");
        assert_eq!(text.matches('/').count(), slashes, "a slash appeared: {text:?}");
    }
}
