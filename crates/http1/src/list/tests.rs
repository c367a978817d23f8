//! Lists as they are written.

use super::list_items;

fn check(value: &str, expected: &[&str]) {
    let items: Vec<_> =
        list_items(value.as_bytes()).map(|item| String::from_utf8_lossy(item)).collect();
    assert_eq!(items, expected, "{value:?}");
}

#[test]
fn elements() {
    check("", &[]);
    check(" , ,\t,", &[]);
    check("close", &["close"]);
    check("keep-alive, Upgrade", &["keep-alive", "Upgrade"]);
    check(",a ,, b\t,c,", &["a", "b", "c"]);
    check(r#"a="x,y", b"#, &[r#"a="x,y""#, "b"]);
    check(r#"a="x\",y", b"#, &[r#"a="x\",y""#, "b"]);
    check(r#""open, b"#, &[r#""open, b"#]);
    check(r"a\,b", &[r"a\", "b"]);
}
