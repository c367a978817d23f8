//! Path keys as they are found in the wild.

use super::*;

#[test]
fn keys_are_split() {
    let check = |key: &str, path: &str, query: Option<&str>, fragment: Option<&str>| {
        assert_eq!(split(key), (path, query, fragment), "{key}");
    };
    check("/a", "/a", None, None);
    check("/a?b=c", "/a", Some("b=c"), None);
    check("/#X-Amz-Target=A.B", "/", None, Some("X-Amz-Target=A.B"));
    check("/a?b=c#d", "/a", Some("b=c"), Some("d"));
    check("/a/{id?}", "/a/{id?}", None, None);
    check("/a?", "/a", None, None);
    check("/a#", "/a", None, None);
}

#[test]
fn faults_are_repaired() {
    let check = |path: &str, expected: &str| {
        let mut path = path.to_owned();
        let mut last = None;
        for _ in 0..8 {
            match PathTemplate::parse(&path) {
                Ok(template) => {
                    last = Some(template.to_string());
                    break;
                }
                Err(fault) => match repair(&path, &fault) {
                    Some(better) => path = better,
                    None => break,
                },
            }
        }
        assert_eq!(last.unwrap_or_default(), expected, "{path}");
    };
    check("/a/{id", "/a/{id}");
    check("/a/{id/b", "/a/{id}/b");
    check("/a/id}", "/a/{id}");
    check("/a/{}/b", "/a/{parameter1}/b");
    check("/{x}/{}", "/{x}/{parameter2}");
    check("/{+a}/b", "/{a}/b");
    check("/a%", "/a%25");
    check("/a{", "/a%7B");
    check("/a/}", "/a/%7D");
    check("/a/../b", "");
}

#[test]
fn colons_are_parameters_if_declared() {
    assert_eq!(colon_parameters("/a/:id/:x", &["id"]), "/a/{id}/:x");
}
