//! Servers: where the API says it is served.

use serde_json::Value;

use super::{At, Reader, text, words};
use crate::contract::{Server, ServerVariable, SpecVersion};

/// Longest address whose variables are put in, in bytes.
const ADDRESS_BYTES: usize = 4 * 1024;

impl<'l> Reader<'l, '_> {
    /// The servers of the document: `servers`, or `host`, `basePath` and `schemes` of 2.0.
    pub(super) fn root_servers(&mut self, root: &At<'l>) -> Vec<Server> {
        if self.version == SpecVersion::V2_0 { old_servers(root) } else { self.servers(root) }
    }

    /// The `servers` of a document, path item or operation.
    pub(super) fn servers(&mut self, at: &At<'l>) -> Vec<Server> {
        let Some(list) = at.child("servers") else { return Vec::new() };
        let items: Vec<At<'l>> = list.items().collect();
        items.iter().filter_map(|item| self.server(item)).collect()
    }

    fn server(&mut self, at: &At<'l>) -> Option<Server> {
        let url_written = at.text("url")?;
        let variables = variables(at);
        let mut url = url_written.clone();
        // Putting defaults into a very long address would multiply it.
        for variable in variables.iter().filter(|_| url_written.len() <= ADDRESS_BYTES) {
            url = url.replace(&format!("{{{}}}", variable.name), &variable.default);
        }
        if url.contains('{') {
            self.findings.warn(
                "server-variable",
                at.node_of("url"),
                format!("the server `{url_written}` uses a variable without a default"),
                "give every variable in braces a `default` under `variables`",
            );
        }
        let base_path = base_path(&url);
        Some(Server {
            url_written,
            base_path,
            url,
            description: words(at.value.get("description")),
            variables,
        })
    }
}

fn variables(at: &At<'_>) -> Vec<ServerVariable> {
    let Some(variables) = at.child("variables") else { return Vec::new() };
    variables
        .members()
        .filter_map(|(name, variable)| {
            let values: Vec<String> = variable
                .value
                .get("enum")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(text)
                .collect();
            let default = variable.text("default").or_else(|| values.first().cloned())?;
            // A default that holds the variable again would grow without end.
            (!default.contains('{') && default.len() <= 1024).then(|| ServerVariable {
                name: name.to_owned(),
                default,
                values,
            })
        })
        .take(100)
        .collect()
}

fn old_servers(root: &At<'_>) -> Vec<Server> {
    let base = root.text("basePath").unwrap_or_default();
    let host = root.text("host").filter(|host| !host.is_empty());
    let mut schemes: Vec<String> = root
        .value
        .get("schemes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(text)
        .take(8)
        .collect();
    if host.is_none() && base.is_empty() {
        return Vec::new();
    }
    if schemes.is_empty() || host.is_none() {
        schemes = vec![String::new()];
    }
    let base = match base.trim_end_matches('/') {
        "" => String::new(),
        base if base.starts_with('/') => base.to_owned(),
        base => format!("/{base}"),
    };
    schemes
        .into_iter()
        .map(|scheme| {
            let url = match &host {
                Some(host) if scheme.is_empty() => format!("//{host}{base}"),
                Some(host) => format!("{scheme}://{host}{base}"),
                None => base.clone(),
            };
            Server {
                url_written: url.clone(),
                base_path: base_path(&url),
                url,
                description: None,
                variables: Vec::new(),
            }
        })
        .collect()
}

/// The path part of an address, without a slash at the end.
fn base_path(url: &str) -> String {
    let after_authority = match url.split_once("//") {
        Some((before, rest)) if before.is_empty() || before.ends_with(':') => {
            rest.find(['/', '?', '#']).map_or("", |end| &rest[end..])
        }
        _ => url,
    };
    let path = after_authority.split(['?', '#']).next().unwrap_or("");
    let path = path.trim_end_matches('/');
    if path.is_empty() || path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

#[cfg(test)]
mod tests {
    //! Addresses and their path parts.

    use super::base_path;

    #[test]
    fn base_paths_are_found() {
        let check = |url: &str, expected: &str| assert_eq!(base_path(url), expected, "{url}");
        check("https://api.example.com/v1/", "/v1");
        check("https://api.example.com", "");
        check("https://api.example.com?x=/y", "");
        check("//api.example.com/v1", "/v1");
        check("/v2", "/v2");
        check("/", "");
        check("v3", "/v3");
        check("", "");
    }
}
