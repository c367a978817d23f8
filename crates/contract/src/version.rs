//! Which specification a document follows, and what it is if it follows none.

use serde_json::Value;

use crate::contract::SpecVersion;

/// What the root of a document says about its version.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Version {
    pub(crate) version: SpecVersion,
    pub(crate) written: String,
    /// What is odd about it: code, message and fix, and the member it is about.
    pub(crate) oddity: Option<Oddity>,
}

/// Something to warn about.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Oddity {
    pub(crate) code: &'static str,
    pub(crate) member: &'static str,
    pub(crate) message: String,
    pub(crate) fix: String,
}

/// Why a document cannot be read as OpenAPI.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NotOpenApi {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) fix: String,
}

/// Finds the version of a parsed document.
pub(crate) fn identify(root: &Value) -> Result<Version, NotOpenApi> {
    let Value::Object(members) = root else {
        return Err(not_openapi(&format!("the document is {}, not an object", kind_of(root))));
    };
    for (member, is_swagger) in [("openapi", false), ("swagger", true)] {
        if let Some(value) = members.get(member) {
            return read_version(member, is_swagger, value);
        }
    }
    if let Some(other) = other_language(root) {
        return Err(other);
    }
    guess(root).ok_or_else(|| {
        not_openapi("it has neither an `openapi` nor a `swagger` member that names its version")
    })
}

fn read_version(
    member: &'static str,
    is_swagger: bool,
    value: &Value,
) -> Result<Version, NotOpenApi> {
    let written = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        other => {
            return Err(unsupported(
                member,
                &format!("`{member}` is {}, not a version", kind_of(other)),
            ));
        }
    };
    let as_number = value.is_number();
    let mut parts = written.trim_start_matches(['v', 'V']).split(['.', '-', '+', ' ']);
    let major = parts.next().unwrap_or("");
    let minor = parts.next().and_then(|minor| minor.parse::<u32>().ok()).unwrap_or(0);
    let (version, nearest) = match (major, minor) {
        ("2", 0) => (SpecVersion::V2_0, false),
        ("2", _) => (SpecVersion::V2_0, true),
        ("3", 0) => (SpecVersion::V3_0, false),
        ("3", 1) => (SpecVersion::V3_1, false),
        ("3", 2) => (SpecVersion::V3_2, false),
        ("3", _) => (SpecVersion::V3_2, true),
        _ => {
            return Err(unsupported(
                member,
                &format!("version `{written}` of OpenAPI is not one of 2.0, 3.0, 3.1, 3.2"),
            ));
        }
    };
    let expected = if version == SpecVersion::V2_0 { "swagger" } else { "openapi" };
    let oddity = if nearest {
        Some((
            "version-unknown",
            format!("version `{written}` is not known; the document is read as {version}"),
        ))
    } else if is_swagger != (version == SpecVersion::V2_0) {
        Some((
            "version-member",
            format!("version {version} is named by `{member}` instead of `{expected}`"),
        ))
    } else if as_number {
        Some(("version-number", format!("`{member}` is the number {written} instead of a text")))
    } else if version != SpecVersion::V2_0 && !is_full_version(&written) {
        Some((
            "version-form",
            format!(
                "`{member}` is `{written}`, which is not a full version; it is read as {version}"
            ),
        ))
    } else {
        None
    };
    let fix = match version {
        SpecVersion::V2_0 => "write `swagger: \"2.0\"`".to_owned(),
        other => format!("write `openapi: \"{other}.0\"`"),
    };
    let oddity = oddity.map(|(code, message)| Oddity { code, member, message, fix });
    Ok(Version { version, written, oddity })
}

/// `3.0.1`, possibly with a suffix (`3.0.0-rc2`).
fn is_full_version(written: &str) -> bool {
    let core = written.split('-').next().unwrap_or(written);
    let parts: Vec<&str> = core.split('.').collect();
    parts.len() == 3
        && parts
            .iter()
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A document with paths but no version is read by what else it has.
fn guess(root: &Value) -> Option<Version> {
    let paths = root.get("paths")?.as_object()?;
    let looks_right = root.get("info").is_some() || paths.keys().any(|path| path.starts_with('/'));
    if !looks_right {
        return None;
    }
    let old = [
        "definitions",
        "host",
        "basePath",
        "schemes",
        "securityDefinitions",
        "consumes",
        "produces",
    ];
    let version = if old.iter().any(|member| root.get(member).is_some()) {
        SpecVersion::V2_0
    } else {
        SpecVersion::V3_0
    };
    let fix = match version {
        SpecVersion::V2_0 => "add `swagger: \"2.0\"`".to_owned(),
        other => format!("add `openapi: \"{other}.0\"`"),
    };
    let oddity = Oddity {
        code: "version-missing",
        member: "",
        message: format!(
            "the document does not say which version of OpenAPI it follows; it is read as {version}"
        ),
        fix,
    };
    Some(Version { version, written: String::new(), oddity: Some(oddity) })
}

/// Documents of other languages that are often mistaken for OpenAPI.
fn other_language(root: &Value) -> Option<NotOpenApi> {
    let has = |member: &str| root.get(member).is_some();
    let (what, fix) = if has("asyncapi") {
        (
            "an AsyncAPI document",
            "AsyncAPI describes messages, not HTTP operations; give the OpenAPI document of the API",
        )
    } else if has("swaggerVersion") {
        (
            "a Swagger 1.x document",
            "convert it to OpenAPI 3 first, for example with `api-spec-converter`",
        )
    } else if has("arazzo") {
        (
            "an Arazzo document",
            "Arazzo describes flows; give the OpenAPI document that it refers to",
        )
    } else if has("overlay") && has("actions") {
        ("an OpenAPI Overlay", "apply it to its OpenAPI document, and give that")
    } else if root.pointer("/info/_postman_id").is_some() || (has("item") && has("info")) {
        ("a Postman collection", "export the API as OpenAPI from Postman")
    } else if root.pointer("/log/entries").is_some() {
        ("an HTTP archive", "give the OpenAPI document of the API")
    } else if has("discoveryVersion") {
        ("a Google API discovery document", "convert it to OpenAPI first")
    } else if root.pointer("/data/__schema").is_some() || has("__schema") {
        ("a GraphQL schema", "GraphQL has no operations by path; give an OpenAPI document")
    } else if has("apiVersion") && has("kind") {
        ("a Kubernetes resource", "give the OpenAPI document itself")
    } else if has("$schema") || has("$defs") || (has("type") && has("properties")) {
        (
            "a JSON Schema",
            "a schema alone has no operations; give the OpenAPI document that uses it",
        )
    } else {
        return None;
    };
    Some(NotOpenApi {
        code: "not-openapi",
        message: format!("this is {what}, not an OpenAPI document"),
        fix: fix.to_owned(),
    })
}

fn not_openapi(why: &str) -> NotOpenApi {
    NotOpenApi {
        code: "not-openapi",
        message: format!("this is not an OpenAPI document: {why}"),
        fix: "give an OpenAPI document, which begins with `openapi: \"3.0.3\"` (or 3.1, 3.2) or `swagger: \"2.0\"`".to_owned(),
    }
}

fn unsupported(member: &str, why: &str) -> NotOpenApi {
    NotOpenApi {
        code: "version-unsupported",
        message: why.to_owned(),
        fix: format!("set `{member}` to a version that is read: 2.0, 3.0.x, 3.1.x or 3.2.x"),
    }
}

/// The kind of a value, with its article.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests;
