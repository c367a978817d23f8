//! Calls that are written down, and found again until others have taken their place.

use super::*;

fn record<'a>(id: &'a str, unix_ms: u64, status: u16) -> CallRecord<'a> {
    let mut call = CallRecord::new(unix_ms, [192, 0, 2, 1].into());
    call.request_id = id.as_bytes();
    call.trace_id = b"4bf92f3577b34da6a3ce929d0e0e4736";
    call.method = b"GET";
    call.host = b"a.example";
    call.path = b"/a/b";
    call.status = status;
    call.app = "phone";
    call
}

fn snapshot() -> Arc<Snapshot> {
    let document = portway_model::Documents::default();
    struct Nothing;
    impl portway_contract::Loader for Nothing {
        fn load(&self, _: &str) -> Result<Vec<u8>, portway_contract::LoadFault> {
            Err(portway_contract::LoadFault::Other("none".to_owned()))
        }
    }
    impl portway_snapshot::Files for Nothing {
        fn fingerprint(&self, _: &str) -> Option<u64> {
            None
        }
    }
    impl portway_snapshot::Secrets for Nothing {
        fn resolve(&self, _: &portway_model::SecretRef) -> Result<String, String> {
            Err("none".to_owned())
        }
        fn key_sha256(&self, _: &portway_model::AppKey) -> Result<[u8; 32], String> {
            Err("none".to_owned())
        }
    }
    let (compiled, found) = portway_snapshot::compile(&document, &Nothing, &Nothing, None);
    Arc::new(compiled.unwrap_or_else(|| panic!("{found:?}")).snapshot)
}

fn push(rings: &Mutex<Rings>, call: &CallRecord<'_>, outcome: &'static str, at: &Arc<Snapshot>) {
    lock(rings).push(call, outcome, (None, None), at);
}

#[test]
fn calls_are_found_until_others_take_their_place() {
    let (recent, at) = (Recent::default(), snapshot());
    let rings = [recent.worker(), recent.worker()];
    push(&rings[0], &record("good", 1, 200), "ok", &at);
    push(&rings[0], &record("bad", 2, 404), "not-found", &at);
    push(&rings[1], &record("broken", 3, 502), "ok", &at);
    for (id, path) in [("good", "/a/b"), ("bad", "/a/b"), ("broken", "/a/b")] {
        let call = recent.find(id).expect(id);
        assert_eq!((call.path.as_str(), call.app.as_deref()), (path, Some("phone")), "{id}");
        assert_eq!(call.snapshot.as_deref(), Some(at.hash.as_str()), "{id}");
        assert!(call.line.contains(&format!("\"request_id\":\"{id}\"")), "{}", call.line);
        assert!(serde_json::from_str::<serde_json::Value>(&call.line).is_ok(), "{}", call.line);
    }
    assert!(recent.find("goo").is_none() && recent.find("").is_none());
    for index in 0..CALLS {
        push(&rings[0], &record(&format!("other-{index}"), 9, 200), "ok", &at);
    }
    assert!(recent.find("good").is_none(), "its place is taken");
    assert!(recent.find("bad").is_some(), "those that went wrong are kept for longer");
    assert!(recent.find("broken").is_some(), "the other worker had fewer");
    for index in 0..FAILED {
        push(&rings[0], &record(&format!("worse-{index}"), 9, 429), "rate-limited", &at);
    }
    assert!(recent.find("bad").is_none());
    let sizes = lock(&rings[0]);
    assert_eq!((sizes.all.slots.len(), sizes.failed.slots.len()), (CALLS, FAILED));
    assert_eq!(sizes.all.slots.capacity(), CALLS, "never allocated again");
}

#[test]
fn long_texts_are_cut_and_the_latest_of_an_id_is_told() {
    let (recent, at) = (Recent::default(), snapshot());
    let rings = recent.worker();
    let (long, path) = ("x".repeat(500), format!("/{}", "\u{e9}".repeat(500)));
    let mut call = record("same", 1, 200);
    (call.host, call.app, call.path) = (long.as_bytes(), &long, path.as_bytes());
    push(&rings, &call, "ok", &at);
    let found = recent.find("same").expect("it is there");
    assert_eq!((found.host.len(), found.app.map(|app| app.len())), (PART_BYTES, Some(PART_BYTES)));
    assert!(found.path.len() < TEXT_BYTES + 3 && found.line.len() < 2_000 && found.is_cut);
    push(&rings, &record("same", 2, 404), "not-found", &at);
    let found = recent.find("same").expect("it is there");
    assert!(found.line.contains("\"status\":404") && !found.is_cut);
    // An app's name is not needed whole: it is not asked for by it where it was cut.
    let mut call = record("app", 3, 200);
    call.host = &long.as_bytes()[..PART_BYTES];
    push(&rings, &call, "ok", &at);
    assert!(!recent.find("app").expect("it is there").is_cut, "it fits");
}

#[test]
fn old_snapshots_are_let_go() {
    let recent = Recent::default();
    let rings = recent.worker();
    let first = snapshot();
    push(&rings, &record("first", 1, 200), "ok", &first);
    for _ in 0..SNAPSHOTS {
        push(&rings, &record("later", 2, 200), "ok", &snapshot());
    }
    assert_eq!(Arc::strong_count(&first), 1);
    assert_eq!(recent.find("first").expect("it is there").snapshot, None);
}
