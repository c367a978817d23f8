//! A service with mistakes, without them: so that one mistake does not hide the next.
//!
//! What is wrong is left out, or has something harmless in its place, where that cannot look like another mistake.
//! What comes of it is looked through by all further checks and never serves.

use serde_json::{Map, Value};

use crate::path::steps;

/// Something that a backend may be.
const SOME_BACKEND: &str = "http://127.0.0.1";

/// The service at `pointer` without what `wrong` points to; `None` if nothing sensible is left.
pub(super) fn service(service: Value, pointer: &str, wrong: &[String]) -> Option<Value> {
    let Value::Object(mut service) = service else { return None };
    for wrong in wrong {
        let inside: Vec<String> = steps(wrong.strip_prefix(pointer)?).collect();
        leave_out(&mut service, &inside.iter().map(String::as_str).collect::<Vec<_>>())?;
    }
    service.entry("auth").or_insert("public".into());
    service.entry("backend").or_insert(SOME_BACKEND.into());
    Some(Value::Object(service))
}

fn leave_out(service: &mut Map<String, Value>, inside: &[&str]) -> Option<()> {
    match inside {
        // Something is missing that has to be there.
        [] => {}
        // Without them it would have other calls, and overlap with others.
        ["contract" | "path" | "hosts"] | ["hosts", ..] | ["routes"] => return None,
        ["routes", index, ..] => {
            let index: usize = index.parse().ok()?;
            // Those behind it keep their places.
            *service.get_mut("routes")?.get_mut(index)? =
                format!("GET /-/unreadable/{index}").into();
            // They may name the route.
            service.remove("operations");
        }
        ["backend", member, ..]
            if *member != "targets" && service.get("backend").is_some_and(Value::is_object) =>
        {
            remove(service.get_mut("backend")?, member);
        }
        ["operations", id, member, ..] => {
            if let Some(operation) = service.get_mut("operations").and_then(|all| all.get_mut(*id))
            {
                remove(operation, member);
            }
        }
        ["operations", id] => {
            if let Some(operations) = service.get_mut("operations") {
                remove(operations, id);
            }
        }
        [member, ..] => {
            service.remove(*member);
        }
    }
    Some(())
}

fn remove(map: &mut Value, member: &str) {
    if let Value::Object(map) = map {
        map.remove(member);
    }
}
