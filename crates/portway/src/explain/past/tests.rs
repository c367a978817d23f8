//! What is said of a call that was made.

use super::*;

fn call(app: Option<&str>) -> RecentCall {
    RecentCall {
        line: r#"{"request_id":"r","status":404,"route_us":7,"dispatch_us":0,"total_us":9}"#
            .to_owned(),
        method: "GET".to_owned(),
        host: "a.example".to_owned(),
        path: "/a".to_owned(),
        shows_route: false,
        is_cut: false,
        app: app.map(str::to_owned),
        client: Some([192, 0, 2, 1].into()),
        tls: true,
        snapshot: Some("then".to_owned()),
    }
}

#[test]
fn the_call_is_asked_for_again_as_far_as_it_is_known() {
    let asked = std::cell::RefCell::new(Vec::new());
    let explain = |ask: &Ask| {
        asked.borrow_mut().push((ask.call.clone(), ask.app.clone()));
        Err::<Walk, _>("no".to_owned())
    };
    let past = Past::of(&call(Some("phone")), &explain);
    let line = "GET https://a.example/a".to_owned();
    assert_eq!(*asked.borrow(), [(line, Some("phone".to_owned()))]);
    let why = past.why_not.as_deref().expect("a reason");
    assert!(past.changed.is_none() && why.contains("signatures") && why.ends_with("(no)"), "{why}");
    let phases: Vec<_> = past.phases.iter().map(|one| (one.phase.as_str(), one.us)).collect();
    assert_eq!(phases, [("route", 7), ("dispatch", 0)]);
    assert_eq!((past.member("status"), past.member("none")), ("404".to_owned(), String::new()));
}

#[test]
fn what_is_not_remembered_whole_is_not_asked_for() {
    // The path as it is kept, whether that is the route, and whether something was cut.
    let cases: [(&str, bool, bool, Option<&str>); 7] = [
        ("/a", false, false, None),
        ("/a", true, false, None),
        ("/a/7", false, false, None),
        ("/a/{id}", false, false, None),
        ("/a/{id}", true, false, Some("privacy")),
        ("", true, false, Some("privacy")),
        ("/a", false, true, Some("too long")),
    ];
    for (path, shows_route, is_cut, expected) in cases {
        let call = RecentCall { path: path.to_owned(), shows_route, is_cut, ..call(None) };
        let past = Past::of(&call, &|_| Err("asked".to_owned()));
        let why = past.why_not.expect("a reason");
        assert!(past.now.is_none() && why.contains(expected.unwrap_or("asked")), "{path}: {why}");
    }
}
