//! A call of the last while: what is known of it, and what would become of it now.

use portway_proxy::RecentCall;
use portway_proxy::telemetry::PHASE_WORDS;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Ask, Walk};

/// A call that was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// What the log says of it, or would say.
    pub record: Value,
    /// How long each phase took, in microseconds, and in which it ended.
    pub phases: Vec<PastPhase>,
    /// Whether the snapshot is another one since; `null` where that is not known any more.
    pub changed: Option<bool>,
    /// What would become of it now, of what is known of it: its method, host and path, and the app that called.
    pub now: Option<Walk>,
    /// Why that is not known.
    pub why_not: Option<String>,
}

/// One phase of a call that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastPhase {
    /// Its name.
    pub phase: String,
    /// Microseconds; 0 where they were not measured, which is so without a log of calls.
    pub us: u64,
}

impl Past {
    /// Of a call that was found. `explain` says what would become of it now, and by which snapshot.
    pub fn of(call: &RecentCall, explain: &dyn Fn(&Ask) -> Result<Walk, String>) -> Self {
        let record: Value = serde_json::from_str(&call.line).unwrap_or_default();
        let phases = PHASE_WORDS.iter().filter_map(|phase| {
            let us = record.get(format!("{phase}_us"))?.as_u64()?;
            Some(PastPhase { phase: (*phase).to_owned(), us })
        });
        let now = match unasked(call) {
            Some(why) => Err(why.to_owned()),
            None => explain(&ask(call)),
        };
        let changed = match (&call.snapshot, &now) {
            (Some(then), Ok(walk)) => Some(*then != walk.snapshot),
            _ => None,
        };
        let (now, why_not) = match now {
            Ok(walk) if is_without_its_app(call, &record, &walk) => {
                (None, Some(CREDENTIALS_UNKNOWN.to_owned()))
            }
            Ok(walk) => (Some(walk), None),
            // The app signs, has a certificate, is gone, or is not shown by its name.
            Err(why) if call.app.is_some() => {
                (None, Some(format!("{CREDENTIALS_UNKNOWN} ({why})")))
            }
            Err(why) => (None, Some(why)),
        };
        Self { phases: phases.collect(), record, changed, now, why_not }
    }

    /// A member of the record as text; empty if it is not there.
    pub fn member(&self, name: &str) -> String {
        match self.record.get(name) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }

    /// What has to be known to read `now` aright.
    pub fn caveat(&self) -> &'static str {
        match self.changed {
            Some(true) => {
                "The documents are others since then. Query, headers and body of a call are not kept, so that this is \
                 what becomes of its method, host and path, from its app if that was let in."
            }
            Some(false) => {
                "The documents are the same as then. Query, headers and body of a call are not kept, so that this is \
                 what becomes of its method, host and path, from its app if that was let in."
            }
            None => {
                "Whether the documents are the same as then is not known any more. Query, headers and body of a call \
                 are not kept, so that this is what becomes of its method, host and path, from its app if that was let in."
            }
        }
    }
}

const CREDENTIALS_UNKNOWN: &str =
    "keys, signatures and certificates of a call are not kept, and its app cannot be assumed";

/// Why a call cannot be asked for again: what is remembered of it is not the call.
fn unasked(call: &RecentCall) -> Option<&'static str> {
    // A route without parameters is the path; where none was met, it is nothing.
    if call.shows_route && (call.path.is_empty() || call.path.contains('{')) {
        return Some("the path of a call is not kept here (`gateway.privacy`)");
    }
    call.is_cut.then_some("the call was too long to be kept as a whole")
}

/// Whether a call would now be missing credentials only since they are not kept: then, it had some.
fn is_without_its_app(call: &RecentCall, record: &Value, now: &Walk) -> bool {
    const MISSING: &str = "credentials-missing";
    let then = record.get("outcome").and_then(Value::as_str).unwrap_or_default();
    call.app.is_none() && now.decision == MISSING && then != MISSING
}

fn ask(call: &RecentCall) -> Ask {
    let scheme = if call.tls { "https" } else { "http" };
    let host = if call.host.is_empty() { "localhost" } else { &call.host };
    Ask {
        call: format!("{} {scheme}://{host}{}", call.method, call.path),
        app: call.app.clone(),
        from: call.client,
        ..Ask::default()
    }
}

#[cfg(test)]
mod tests;
