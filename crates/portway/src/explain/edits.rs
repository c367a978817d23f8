//! What the backend gets, and how that differs from what the caller sent. Values of credentials are left out.

use serde::{Deserialize, Serialize};

use super::Call;

/// What stands for a value that is not shown.
pub const HIDDEN: &str = "…";
/// Fields that are made anew for each call.
const MADE_ANEW: [&str; 2] = ["x-request-id", "traceparent"];
/// What stands for their values.
const NEW: &str = "(new for each call)";

/// The request that the backend gets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Header fields in their order.
    pub fields: Vec<(String, String)>,
    /// Bytes of the body.
    pub body_bytes: usize,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// `path`, `query` or `header`.
    pub part: String,
    /// `removed`, `set` or `changed`.
    pub what: String,
    /// The name; of a path what it was.
    pub name: String,
    /// What it became, where it may be shown.
    pub value: Option<String>,
}

/// A head as a request; whole, with its credentials.
pub fn parse(head: &[u8], body_bytes: usize) -> Request {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let mut words = lines.next().unwrap_or_default().splitn(3, ' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let fields = lines.filter_map(|line| line.split_once(':'));
    Request {
        method: method.to_owned(),
        target: target.to_owned(),
        fields: fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect(),
        body_bytes,
    }
}

impl Request {
    /// The same without the values of credentials, and without what is made anew for each call.
    #[must_use]
    pub fn hidden(&self, secret_headers: &[String], secret_query: &[String], call: &Call) -> Self {
        let fields = self.fields.iter().map(|(name, value)| {
            let lower = name.to_ascii_lowercase();
            let is_given = call.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
            let value = if is_secret(secret_headers, &lower) {
                HIDDEN
            } else if MADE_ANEW.contains(&lower.as_str()) && !is_given {
                NEW
            } else {
                value
            };
            (name.clone(), value.to_owned())
        });
        Self {
            method: self.method.clone(),
            target: hide_query(&self.target, secret_query),
            fields: fields.collect(),
            body_bytes: self.body_bytes,
        }
    }

    /// The values of a field, in their order.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = move |(own, _): &&(String, String)| own.eq_ignore_ascii_case(name);
        self.fields.iter().filter(named).map(|(_, value)| value.as_str())
    }
}

fn is_secret(secret: &[String], lower: &str) -> bool {
    // Some backends read `_` and `.` as `-`, and so may whoever reads this.
    let folded = lower.replace(['_', '.'], "-");
    secret.iter().any(|name| *name == lower || *name == folded)
}

/// A target whose credentials are not shown.
pub fn hide_query(target: &str, secret: &[String]) -> String {
    let Some((path, query)) = target.split_once('?') else { return target.to_owned() };
    let parts = query.split_inclusive(['&', ';']).map(|part| {
        let end = part.strip_suffix(['&', ';']).map_or("", |rest| &part[rest.len()..]);
        let pair = &part[..part.len() - end.len()];
        let (name, _) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded: Vec<u8> = portway_policy::query::decoded(name.as_bytes()).collect();
        let decoded = String::from_utf8_lossy(&decoded).to_ascii_lowercase();
        if secret.contains(&decoded) { format!("{name}={HIDDEN}{end}") } else { part.to_owned() }
    });
    format!("{path}?{}", parts.collect::<String>())
}

/// How what the backend gets differs from what the caller sent. Both are without their credentials.
pub fn differences(call: &Call, got: &Request, secret_query: &[String]) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut add = |part: &str, what: &str, name: &str, value: Option<&str>| {
        edits.push(Edit {
            part: part.to_owned(),
            what: what.to_owned(),
            name: name.to_owned(),
            value: value.map(str::to_owned),
        });
    };
    let target = hide_query(&call.target, secret_query);
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let (got_path, got_query) = got.target.split_once('?').unwrap_or((&got.target, ""));
    if path != got_path {
        add("path", "changed", path, Some(got_path));
    }
    let parameters = |query: &str| -> Vec<String> {
        query.split(['&', ';']).filter(|one| !one.is_empty()).map(str::to_owned).collect()
    };
    let name_of = |pair: &str| pair.split_once('=').map_or(pair, |(name, _)| name).to_owned();
    let (before, after) = (parameters(query), parameters(got_query));
    for pair in before.iter().filter(|pair| !after.contains(pair)) {
        add("query", "removed", &name_of(pair), None);
    }
    for pair in after.iter().filter(|pair| !before.contains(pair)) {
        let value = pair.split_once('=').map_or("", |(_, value)| value);
        add("query", "set", &name_of(pair), Some(value));
    }
    let host = [("host".to_owned(), call.host.clone())];
    let sent: Vec<&(String, String)> = host.iter().chain(&call.headers).collect();
    for (name, _) in &sent {
        if got.values(name).next().is_none() {
            add("header", "removed", name, None);
        }
    }
    for (name, value) in &got.fields {
        let mut same = sent.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name)).peekable();
        let is_new = same.peek().is_none();
        let is_kept = same.any(|(_, own)| own == value || value == HIDDEN);
        let is_length = name.eq_ignore_ascii_case("content-length");
        if !(is_kept || is_new && is_length) {
            add("header", if is_new { "set" } else { "changed" }, name, Some(value));
        }
    }
    edits
}

#[cfg(test)]
mod tests;
